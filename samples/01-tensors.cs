#:project ../src/Flambeau/Flambeau.csproj
// Tensors: making them, views, broadcasting, reductions.   dotnet run samples/01-tensors.cs

using Flambeau;

var x = Tensor.Arange(12).Float().Reshape(3, 4);
Console.WriteLine(x);

// views share memory: writing through one shows in all
var corner = x[..2, ^2..];
corner.Mul_(10);
Console.WriteLine(x);

// shapes broadcast as in PyTorch: [3, 4] - [4] and [3, 4] / [3, 1]
var centred = x - x.Mean(dim: 0);
var scaled = centred / (x.Std(dim: 1, keepDim: true) + 1e-6);
Console.WriteLine(scaled);

// a mask, an index tensor, a product, a reduction
Console.WriteLine(x[x > 50]);
Console.WriteLine(x[Tensor.FromArray(new long[] { 2, 0 })]);
Console.WriteLine(x.MatMul(x.T));
Console.WriteLine(Tensor.Einsum("ij,ij->i", x, x).Sqrt());

// an error says what, why and where; nothing was changed
try { x.MatMul(x); }
catch (FlambeauException e) { Console.WriteLine(e.Message); }
