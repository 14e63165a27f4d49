#:project ../src/Flambeau/Flambeau.csproj
// A regression by hand: parameters are tensors, a step is three lines.   dotnet run samples/03-regression.cs

using Flambeau;

var generator = new Generator(1);
var x = Tensor.RandN([200, 3], generator: generator);
var truth = Tensor.Of(2, -1, 0.5f);
var y = x.MatMul(truth) + 0.7 + 0.01 * Tensor.RandN([200], generator: generator);

var w = Tensor.Zeros(3).RequiresGrad_();
var b = Tensor.Zeros(1).RequiresGrad_();

for (int step = 0; step <= 100; step++)
{
    var loss = (x.MatMul(w) + b).MseLoss(y);
    loss.Backward();
    if (step % 20 == 0) Console.WriteLine($"step {step,3}  loss {loss.Item():F6}");
    using var _ = Autograd.NoGrad();
    w.Sub_(0.1 * w.Grad!);
    b.Sub_(0.1 * b.Grad!);
    w.Grad = b.Grad = null;
}
Console.WriteLine(w.Detach());
Console.WriteLine(b.Detach());
