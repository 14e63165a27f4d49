#:project ../src/Flambeau/Flambeau.csproj
// A function of tensors that runs as one pass over memory, and its gradient as another: [Fuse].   dotnet run samples/06-fuse.cs

using Flambeau;
using Flambeau.Ops;

var x = Tensor.RandN([512, 1024]).RequiresGrad_();
var weight = Tensor.Ones(1024).RequiresGrad_();

// what becomes of it: a graph, and two passes over rows
foreach (string text in Composite.Explain(() => MyOps.Standardize(x, weight))) Console.WriteLine(text);

MyOps.Standardize(x, weight).Square().Sum().Backward();
Console.WriteLine(weight.Grad!.Mean());

// a delegate is called as it stands: operator by operator, the same bits
Func<Tensor, Tensor?, double, Tensor> plain = MyOps.Standardize;
Console.WriteLine(plain(x, weight, 1e-5).Eq(MyOps.Standardize(x, weight)).All());

static class MyOps
{
    /// <summary>(x − mean) / √(var + ε) · weight, along rows.</summary>
    [Fuse]
    public static Tensor Standardize(Tensor x, Tensor? weight = null, double eps = 1e-5)
    {
        var y = (x - x.Mean(-1, keepDim: true)) / (x.Var(-1, keepDim: true) + eps).Sqrt();
        return weight is null ? y : y * weight;
    }
}
