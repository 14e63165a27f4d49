namespace Flambeau;

/// <summary>
/// Makes a static method of tensors a composite (<see cref="Ops.Composite"/>): its calls run as one pass over rows, forward and backward, where the body is elementwise operators around reductions of one set of dimensions.
/// Parameters of type <see cref="Tensor"/>, <c>Tensor?</c>, <c>Tensor[]</c> and <c>ReadOnlySpan&lt;Tensor&gt;</c> are the operands; all others are attributes, values with equality: numbers, strings, enums, tuples, records.
/// The body computes a tensor of its own from its parameters and from nothing else that changes, and is traced once for each set of shapes, types and attributes.
/// </summary>
/// <remarks>A source generator in the package routes the calls. Where it does not reach (delegates, reflection, dynamic calls, languages other than C#) the body runs operator by operator, with the same bits.</remarks>
/// <example><code>
/// public static class MyOps
/// {
///     [Fuse] public static Tensor Standardize(Tensor x, double eps = 1e-5) => (x - x.Mean(-1, true)) / (x.Var(-1, keepDim: true) + eps).Sqrt();
/// }
/// </code></example>
[AttributeUsage(AttributeTargets.Method, Inherited = false)]
public sealed class FuseAttribute : Attribute;
