#:project ../src/Flambeau/Flambeau.csproj
// An operator of your own: one body gives the SIMD kernel, the gradient of any order, forward mode and Vmap.   dotnet run samples/05-custom-operator.cs

using System.Runtime.CompilerServices;
using Flambeau;
using Flambeau.Ops;
using Flambeau.Scalars;

var x = Tensor.FromArray([-2.0, -0.5, 0.0, 0.5, 2.0]).RequiresGrad_();
var y = x.SquarePlus();
Console.WriteLine(y.Detach());

var first = Autograd.Grad(y.Sum(), x, createGraph: true);
var second = Autograd.Grad(first.Sum(), x);
Console.WriteLine(first.Detach());
Console.WriteLine(second);

/// <summary>(x + √(x² + 4)) / 2, a smooth relu without exponentials (Barron 2021).</summary>
readonly struct SquarePlus : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x) where S : IReal<S> => (x + S.Sqrt(x * x + S.Constant(4))) * S.Constant(0.5);
}

static class SquarePlusMembers
{
    extension(Tensor x) { public Tensor SquarePlus() => Elementwise.Apply<SquarePlus>(x); }
}
