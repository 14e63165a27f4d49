using System.Diagnostics;
using System.Globalization;

namespace Flambeau;

[DebuggerTypeProxy(typeof(DebuggerView))]
public sealed partial class Tensor
{
    const long DebuggerLimit = 65_536;

    /// <summary>
    /// The elements as PyTorch prints them: <c>tensor([[1.0000, 2.5000], …])</c> with four decimals, of more than 1000 elements three at each end of a dimension, and the type and history where they are not the usual.
    /// Inside a transform also which one, and the value behind.
    /// </summary>
    public override string ToString() => Printing.Text(this);

    string DebuggerText => $"{(Level is { } level ? level.Interpreter.Name + " " : "")}{DType.Name}{Shape}{Statistics()}";

    // computed here alone: a debugger must not start the team or touch the tape
    string Statistics()
    {
        if (Level is not null || Store is null or { IsReleased: true } || !DType.IsFloatingPoint || Numel is 0 or > DebuggerLimit) return "";
        var values = ToArray<double>();
        if (values.Length == 1) return string.Create(CultureInfo.InvariantCulture, $" = {values[0]:G6}");
        return string.Create(CultureInfo.InvariantCulture, $" min {values.Min():G4}, max {values.Max():G4}, mean {values.Average():G4}");
    }

    /// <summary>What a debugger shows of a tensor.</summary>
    sealed class DebuggerView(Tensor tensor)
    {
        public string Shape => tensor.Shape.ToString();
        public DType DType => tensor.DType;
        public string Strides => $"[{string.Join(", ", tensor.Strides)}]";
        public bool RequiresGrad => tensor.RequiresGrad;
        public string? GradFn => tensor.GradFn;
        public Tensor? Grad => tensor.Grad;
        public string Values => tensor.ToString();
    }
}
