#:project ../src/Flambeau/Flambeau.csproj
// A classifier: modules, an optimizer, a data loader.   dotnet run samples/04-classifier.cs

using Flambeau;
using Flambeau.Data;
using Flambeau.NN;
using Flambeau.Optim;

// three arms of a spiral
Tensor.ManualSeed(3);
const int perClass = 200;
var points = new float[3 * perClass, 2];
var labels = new long[3 * perClass];
var noise = Tensor.RandN([3 * perClass]).ToArray<float>();
for (int i = 0; i < labels.Length; i++)
{
    double r = (double)(i % perClass) / perClass, angle = 4 * (i / perClass) + 4 * r + 0.2 * noise[i];
    (points[i, 0], points[i, 1], labels[i]) = ((float)(r * Math.Sin(angle)), (float)(r * Math.Cos(angle)), i / perClass);
}

Tensor x = Tensor.FromArray(points), y = Tensor.FromArray(labels);
var model = new Sequential(new Linear(2, 64), new ReLU(), new Linear(64, 64), new ReLU(), new Linear(64, 3));
var optimizer = new AdamW(model.Parameters(), learningRate: 1e-2);
Console.WriteLine(model);

for (int epoch = 0; epoch < 30; epoch++)
{
    double total = 0;
    foreach (var rows in Tensor.RandPerm(labels.Length).Split(50))
    {
        optimizer.ZeroGrad();
        var loss = model.Call(x[rows]).CrossEntropy(y[rows]);
        loss.Backward();
        optimizer.Step();
        total += loss.Item() * rows.Numel;
    }
    if (epoch % 10 == 9)
    {
        using var _ = Autograd.NoGrad();
        double right = model.Call(x).ArgMax(1).Eq(y).Float().Mean().Item();
        Console.WriteLine($"epoch {epoch + 1}  loss {total / labels.Length:F3}  right {right:P1}");
    }
}
