using System.Text;
using TorchSharp;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>What became of a case: a complaint, or null where both libraries agree.</summary>
internal sealed record Outcome(string? Complaint, bool Skipped = false, bool Threw = false, bool HadGradients = false);

/// <summary>Calls an operator in both libraries and holds results, types, shapes, errors and gradients against each other.</summary>
internal static class Comparison
{
    /// <summary>Gradients pass through several roundings: this many more ulps, of the largest gradient.</summary>
    private const double GradientUlps = 128;

    public static Outcome Of(Case c, int seed)
    {
        using var scope = torch.NewDisposeScope();
        var ours = Attempt(() => Call(c.Operands, o => o.OurBase(), (o, b) => o.View(b), (b, on) => b.RequiresGrad = on, c.Ours, c.Gradients));
        var theirs = Attempt(() => Call(c.Operands, o => o.TheirBase(), (o, b) => o.View(b), (b, on) => b.requires_grad = on, c.Theirs, c.Gradients));

        if (theirs.Error is { } refusal)
        {
            // PyTorch has no kernel of that type on this device: nothing to compare with
            if (refusal.Message.Contains("not implemented for", StringComparison.Ordinal)) return new(null, Skipped: true);
            return ours.Error switch
            {
                null => new($"PyTorch refuses it: {FirstLine(refusal)}", Threw: true),
                FlambeauException => new(null, Threw: true),
                var e => new($"throws {e.GetType().Name}, no FlambeauException: {FirstLine(e)}", Threw: true),
            };
        }
        if (ours.Error is { } error) return new($"throws, PyTorch does not: {(error is FlambeauException ? "" : error.GetType().Name + " ")}{FirstLine(error)}", Threw: true);

        var (y, t) = (ours.Value.Results, theirs.Value.Results);
        if (y.Length != t.Length) return new($"{y.Length} results, PyTorch has {t.Length}");
        for (var i = 0; i < y.Length; i++)
            if (Results(y[i], t[i], c.Tolerance, y.Length > 1 ? $"result {i}: " : "") is { } complaint) return new(complaint);
        if (!c.Gradients || !c.Operands.Any(o => o.Varies)) return new(null);
        return Gradients(c, ours.Value, theirs.Value, seed);
    }

    private static (T[] Bases, T[] Results) Call<T>(
        Operand[] operands, Func<Operand, T> make, Func<Operand, T, T> view, Action<T, bool> require, Func<T[], T[]> call, bool gradients)
    {
        var bases = Array.ConvertAll(operands, o => make(o));
        if (gradients)
            for (var i = 0; i < bases.Length; i++)
                if (operands[i].Varies) require(bases[i], true);
        return (bases, call([.. operands.Zip(bases, view)]));
    }

    private static (T Value, Exception? Error) Attempt<T>(Func<T> call)
    {
        try { return (call(), null); }
        catch (Exception e) { return (default!, e); }
    }

    private static string FirstLine(Exception e) => e.Message.Split('\n')[0];

    // ---- values ----

    private static string? Results(Ours y, Theirs t, Tolerance tolerance, string which)
    {
        if (Types.Torch(y.DType) != t.dtype) return $"{which}the type is {y.DType.Name}, PyTorch's {t.dtype}";
        if (!y.Shape.AsSpan().SequenceEqual(t.shape)) return $"{which}the shape is {y.Shape}, PyTorch's [{string.Join(", ", t.shape)}]";
        return Values(y, t, tolerance, which + "element");
    }

    private static string? Values(Ours y, Theirs t, Tolerance tolerance, string which)
    {
        if (y.Numel == 0) return null;
        if (y.DType == DType.Int64)
        {
            var (a, b) = (y.Detach().ToArray<long>(), t.contiguous().data<long>().ToArray());
            for (var i = 0; i < a.Length; i++)
                if (a[i] != b[i]) return $"{which} {i} is {a[i]}, PyTorch's {b[i]}";
            return null;
        }
        var (ours, theirs) = (y.Detach().ToArray<double>(), Doubles(t));
        for (var i = 0; i < ours.Length; i++)
            if (!tolerance.Allows(ours[i], theirs[i], y.DType)) return $"{which} {i} is {ours[i]:R}, PyTorch's {theirs[i]:R}";
        return null;
    }

    private static double[] Doubles(Theirs t) => t.numel() == 0 ? [] : t.detach().to(torch.ScalarType.Float64).contiguous().data<double>().ToArray();

    // ---- gradients ----

    private static Outcome Gradients(Case c, (Ours[] Bases, Ours[] Results) ours, (Theirs[] Bases, Theirs[] Results) theirs, int seed)
    {
        var draw = new Draw(seed);
        var any = false;
        for (var i = 0; i < ours.Results.Length; i++)
        {
            var (y, t) = (ours.Results[i], theirs.Results[i]);
            if (y.RequiresGrad != t.requires_grad) return new($"result {i} {(y.RequiresGrad ? "requires" : "does not require")} a gradient, PyTorch's {(t.requires_grad ? "does" : "does not")}");
            if (!y.RequiresGrad) continue;
            any = true;
            var g = new Operand(y.DType, y.Shape.ToArray(), Layout.Contiguous, 0, [], draw.Elements(y.DType, (int)y.Numel, Oracle.Operators.Values.Tame));
            // an error of the backward pass alone is no matter of refusing inputs
            try { y.Backward(g.OurBase(), retainGraph: true); }
            catch (Exception e) { return new($"backward throws {e.GetType().Name}: {FirstLine(e)}"); }
            try { t.backward([g.TheirBase()], retain_graph: true); }
            catch (Exception) { return new(null, Skipped: true); } // PyTorch has no derivative: some forward passes promote where the backward does not
        }
        if (!any || !c.Operands.All(o => !o.Type.IsFloatingPoint || o.IsTame)) return new(null);

        // rounding in the narrowest type passed through bounds what gradients can agree to
        var coarsest = c.Operands.Select(o => o.Type).Concat(ours.Results.Select(y => y.DType)).Where(t => t.IsFloatingPoint).MaxBy(Types.Epsilon);
        for (var k = 0; k < c.Operands.Length; k++)
        {
            if (!c.Operands[k].Varies) continue;
            var (a, b) = (ours.Bases[k].Grad, theirs.Bases[k].grad);
            var zero = new double[c.Operands[k].Values.Length];
            var (mine, yours) = (a is null ? zero : a.ToArray<double>(), b is null ? zero : Doubles(b));
            if (a is not null && a.DType != c.Operands[k].Type) return new($"the gradient of operand {k} has type {a.DType.Name}");
            var size = yours.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
            var tolerance = new Tolerance(GradientUlps, Math.Max(size, c.Tolerance.Floor == 0 ? 0 : Math.Max(1, c.Tolerance.Floor / 16)));
            for (var i = 0; i < mine.Length; i++)
                if (!tolerance.Allows(mine[i], yours[i], coarsest)) return new($"the gradient of operand {k} at {i} is {mine[i]:R}, PyTorch's {yours[i]:R}", HadGradients: true);
        }
        return new(null, HadGradients: true);
    }

    /// <summary>A case in words.</summary>
    public static string Describe(Case c)
    {
        var text = new StringBuilder(c.Parameters);
        for (var i = 0; i < c.Operands.Length; i++) text.Append($"\n      {(char)('x' + i % 3)}{(i > 2 ? i : "")} = {c.Operands[i]}");
        return text.ToString();
    }
}
