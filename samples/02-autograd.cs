#:project ../src/Flambeau/Flambeau.csproj
// Automatic differentiation: gradients, gradients of gradients, forward mode, batching.   dotnet run samples/02-autograd.cs

using Flambeau;

// reverse mode accumulates into .Grad
var x = Tensor.Of(0.5f, 1, 2).RequiresGrad_();
x.Silu().Sum().Backward();
Console.WriteLine(x.Grad);

// Rosenbrock's valley: gradient and Hessian by differentiating twice
static Tensor Rosenbrock(Tensor p) => (1 - p[0]) * (1 - p[0]) + 100 * (p[1] - p[0] * p[0]) * (p[1] - p[0] * p[0]);
var p = Tensor.FromArray([-1.2, 1.0]).RequiresGrad_();
var gradient = Autograd.Grad(Rosenbrock(p), p, createGraph: true);
var hessian = Tensor.Stack([Autograd.Grad(gradient[0], p, retainGraph: true), Autograd.Grad(gradient[1], p)]);
Console.WriteLine(gradient.Detach());
Console.WriteLine(hessian);

// forward mode: value and derivative along a direction in one pass
var (value, slope) = Autograd.Jvp(Rosenbrock, p.Detach(), Tensor.FromArray([1.0, 0.0]));
Console.WriteLine($"{value.Item()} {slope.Item()}");

// Vmap: written for one point, run for many
var points = Tensor.RandN([5, 2], DType.Float64);
Console.WriteLine(Autograd.Vmap(Rosenbrock)(points));
