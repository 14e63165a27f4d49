using System.Text;
using TorchSharp;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>What became of a case.</summary>
internal sealed class Outcome
{
    /// <summary>The first disagreement, if there is one.</summary>
    public Complaint? Complaint { get; set; }

    /// <summary>The disagreements on purpose: one of each reason.</summary>
    public Dictionary<string, Complaint> Deliberate { get; } = [];

    public bool Skipped { get; set; }
    public bool Threw { get; set; }
    public bool HadGradients { get; set; }
}

/// <summary>Calls an operator in both libraries and holds results, types, shapes, errors and gradients against each other.</summary>
internal sealed class Comparison
{
    /// <summary>Gradients pass through several roundings: this many more ulps, of the largest gradient.</summary>
    private const double GradientUlps = 128;

    private readonly string _name;
    private readonly Case _case;
    private readonly int _seed;
    private readonly Outcome _outcome = new();
    private Everything? _wide;

    private readonly bool _isInstead;

    private Comparison(string name, Case c, int seed, bool isInstead) => (_name, _case, _seed, _isInstead) = (name, c, seed, isInstead);

    /// <summary>Everything that a library makes of a case.</summary>
    private sealed record Everything(double[][]? Results, double[][]? Gradients);

    public static Outcome Of(string name, Case c, int seed) => Of(name, c, seed, isInstead: false);

    private static Outcome Of(string name, Case c, int seed, bool isInstead)
    {
        using var scope = torch.NewDisposeScope();
        var comparison = new Comparison(name, c, seed, isInstead);
        comparison.Compare();
        return comparison._outcome;
    }

    private void Compare()
    {
        var ours = Attempt(() => Call(_case, o => o.OurBase(), (o, b) => o.View(b), (b, on) => b.RequiresGrad = on, _case.Ours));
        var theirs = Attempt(() => CallTheirs(_case));
        if (theirs.Error is { } refusal)
        {
            _outcome.Threw = true;
            // PyTorch has no kernel of that type on this device: nothing to compare with
            if (refusal.Message.Contains("not implemented for", StringComparison.Ordinal)) (_outcome.Skipped, _outcome.Threw) = (true, false);
            else if (ours.Error is null)
            {
                var complaint = new Complaint(Difference.Refused, $"PyTorch refuses it: {FirstLine(refusal)}");
                Complain(complaint, hasInstead: true);
            }
            else if (ours.Error is not FlambeauException) Complain(new(Difference.Throws, $"throws {ours.Error.GetType().Name}, no FlambeauException: {FirstLine(ours.Error)}"));
            return;
        }
        if (ours.Error is { } error)
        {
            _outcome.Threw = true;
            Complain(new(Difference.Throws, $"throws, PyTorch does not: {(error is FlambeauException ? "" : error.GetType().Name + " ")}{FirstLine(error)}"));
            return;
        }
        var (y, t) = (ours.Value.Results, theirs.Value.Results);
        if (y.Length != t.Length) Complain(new(Difference.Form, $"{y.Length} results, PyTorch has {t.Length}"));
        for (var i = 0; i < y.Length && _outcome.Complaint is null; i++)
            if (!Results(y[i], t[i], i, y.Length > 1 ? $"result {i}: " : "")) return;
        if (_outcome.Complaint is null && _case.Gradients && _case.Operands.Any(o => o.Varies)) Gradients(ours.Value, theirs.Value);
    }

    /// <summary>True if the disagreement is none on purpose, which ends the comparison.</summary>
    private bool Complain(Complaint complaint, bool hasInstead = false)
    {
        var instead = hasInstead ? Differences.Instead(_name, _case, complaint) : null;
        // what PyTorch takes instead has to agree: a second difference of that kind is an error
        if (instead is not null && _isInstead) { _outcome.Complaint ??= complaint; return true; }
        if (instead is not null) Merge(Of(_name, instead, _seed, isInstead: true));
        if (Differences.Reason(_name, _case, complaint) is { } reason) { _outcome.Deliberate.TryAdd(reason, complaint); return false; }
        _outcome.Complaint ??= complaint;
        return true;
    }

    private void Merge(Outcome other)
    {
        _outcome.Complaint ??= other.Complaint;
        foreach (var (reason, complaint) in other.Deliberate) _outcome.Deliberate.TryAdd(reason, complaint);
        _outcome.HadGradients |= other.HadGradients;
    }

    private static (T[] Bases, T[] Results) Call<T>(Case c, Func<Operand, T> make, Func<Operand, T, T> view, Action<T, bool> require, Func<T[], T[]> call)
    {
        var bases = Array.ConvertAll(c.Operands, o => make(o));
        if (c.Gradients)
            for (var i = 0; i < bases.Length; i++)
                if (c.Operands[i].Varies) require(bases[i], true);
        return (bases, call([.. c.Operands.Zip(bases, view)]));
    }

    private static (Theirs[] Bases, Theirs[] Results) CallTheirs(Case c) => Call(c, o => o.TheirBase(), (o, b) => o.View(b), (b, on) => b.requires_grad = on, c.Theirs);

    private static (T Value, Exception? Error) Attempt<T>(Func<T> call)
    {
        try { return (call(), null); }
        catch (Exception e) { return (default!, e); }
    }

    private static string FirstLine(Exception e) => e.Message.Split('\n')[0];

    // ---- values ----

    // false ends the comparison
    private bool Results(Ours y, Theirs t, int result, string which)
    {
        if (Types.Torch(y.DType) != t.dtype)
        {
            var complaint = new Complaint(Difference.Form, $"{which}the type is {y.DType.Name}, PyTorch's {t.dtype}");
            Complain(complaint, hasInstead: true);
            return false;
        }
        if (!y.Shape.AsSpan().SequenceEqual(t.shape)) return !Complain(new(Difference.Form, $"{which}the shape is {y.Shape}, PyTorch's [{string.Join(", ", t.shape)}]"));
        return Values(y, t, result, which + "element");
    }

    private bool Values(Ours y, Theirs t, int result, string which)
    {
        if (y.Numel == 0) return true;
        if (y.DType == DType.Int64)
        {
            var (a, b) = (y.Detach().ToArray<long>(), t.contiguous().data<long>().ToArray());
            for (var i = 0; i < a.Length; i++)
                if (a[i] != b[i] && Complain(new(Difference.Value, $"{which} {i} is {a[i]}, PyTorch's {b[i]}") { Element = i, Shape = t.shape, Ours = a[i], Theirs = b[i] })) return false;
            return true;
        }
        var (ours, theirs) = (y.Detach().ToArray<double>(), Doubles(t));
        for (var i = 0; i < ours.Length; i++)
        {
            if (_case.Tolerance.Allows(ours[i], theirs[i], y.DType) || y.DType.IsFloatingPoint && IsRight(Wide().Results?[result], i, ours[i], theirs[i], _case.Tolerance, y.DType)) continue;
            if (Complain(new(Difference.Value, $"{which} {i} is {ours[i]:R}, PyTorch's {theirs[i]:R}") { Element = i, Shape = t.shape, Ours = ours[i], Theirs = theirs[i] })) return false;
        }
        return true;
    }

    private static double[] Doubles(Theirs t) => t.numel() == 0 ? [] : t.detach().to(torch.ScalarType.Float64).contiguous().data<double>().ToArray();

    // ---- PyTorch in float64 decides where the libraries round differently ----

    private bool IsRight(double[]? wide, int i, double ours, double theirs, Tolerance tolerance, DType type) =>
        wide is not null && i < wide.Length && double.IsFinite(theirs) && double.IsFinite(wide[i])
        && Math.Abs(ours - wide[i]) < Math.Abs(theirs - wide[i]) && tolerance.Allows(ours, wide[i], type) && _case.Operands.Any(o => o.Type.IsFloatingPoint && o.Type != DType.Float64);

    private Everything Wide()
    {
        if (_wide is not null) return _wide;
        var c = _case.Wide;
        var wide = Attempt(() => CallTheirs(c));
        if (wide.Error is not null) return _wide = new(null, null);
        var results = Array.ConvertAll(wide.Value.Results, Doubles);
        if (!c.Gradients) return _wide = new(results, null);
        var backward = Attempt(() =>
        {
            for (var i = 0; i < results.Length; i++)
                if (wide.Value.Results[i].requires_grad) wide.Value.Results[i].backward([Seed(i, wide.Value.Results[i].shape).With(DType.Float64).TheirBase()], retain_graph: true);
            return true;
        });
        var gradients = Array.ConvertAll(wide.Value.Bases, b => b.grad is { } g ? Doubles(g) : []);
        return _wide = new(results, backward.Error is null ? gradients : null);
    }

    // ---- gradients ----

    private readonly Dictionary<int, Operand> _seeds = [];

    private Operand Seed(int result, long[] shape, DType type = DType.Float64)
    {
        if (_seeds.TryGetValue(result, out var known)) return known;
        var count = (int)shape.Aggregate(1L, (a, b) => a * b);
        return _seeds[result] = new(type, shape, Layout.Contiguous, 0, [], new Draw(_seed + result).Elements(type, count, Oracle.Operators.Values.Tame));
    }

    private void Gradients((Ours[] Bases, Ours[] Results) ours, (Theirs[] Bases, Theirs[] Results) theirs)
    {
        // a value may have asked for float64 before the seeds had their type
        (_wide, var any) = (null, false);
        _seeds.Clear();
        for (var i = 0; i < ours.Results.Length; i++)
        {
            var (y, t) = (ours.Results[i], theirs.Results[i]);
            if (y.RequiresGrad != t.requires_grad)
            {
                if (Complain(new(Difference.RequiresGrad, $"result {i} {(y.RequiresGrad ? "requires" : "does not require")} a gradient, PyTorch's {(t.requires_grad ? "does" : "does not")}"))) return;
                continue;
            }
            if (!y.RequiresGrad) continue;
            any = true;
            var g = Seed(i, t.shape, y.DType);
            // an error of the backward pass alone is no matter of refusing inputs
            try { y.Backward(g.OurBase(), retainGraph: true); }
            catch (Exception e) { _outcome.Complaint = new(Difference.Throws, $"backward throws {e.GetType().Name}: {FirstLine(e)}"); return; }
            try { t.backward([g.TheirBase()], retain_graph: true); }
            catch (Exception) { _outcome.Skipped = true; return; } // PyTorch has no derivative: some forward passes promote where the backward does not
        }
        if (!any || !_case.Operands.All(o => o.IsTame)) return;
        _outcome.HadGradients = true;

        // rounding in the narrowest type passed through bounds what gradients can agree to
        var coarsest = _case.Operands.Select(o => o.Type).Concat(ours.Results.Select(y => y.DType)).Where(t => t.IsFloatingPoint).MaxBy(Types.Epsilon);
        var most = theirs.Results.Max(t => t.numel());
        for (var k = 0; k < _case.Operands.Length; k++)
            if (_case.Operands[k].Varies && !Gradient(k, ours.Bases[k].Grad, theirs.Bases[k].grad, coarsest, most)) return;
    }

    // false ends the comparison
    private bool Gradient(int k, Ours? a, Theirs? b, DType coarsest, long results)
    {
        var operand = _case.Operands[k];
        var zero = new double[operand.Values.Length];
        var (mine, yours) = (a is null ? zero : a.ToArray<double>(), b is null ? zero : Doubles(b));
        if (a is not null && a.DType != operand.Type) { _outcome.Complaint = new(Difference.Form, $"the gradient of operand {k} has type {a.DType.Name}"); return false; }
        var size = yours.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        // an element that meets many is the sum of as many, each times a seed of up to 4, which may cancel
        var terms = (double)results / Math.Max(1, mine.Length);
        var floor = Math.Max(size, terms > 1 ? 4 * Math.Sqrt(terms) : 0);
        // equal terms round alike, and their errors add up
        var ulps = GradientUlps + (operand.Layout == Layout.Expanded ? terms / 16 : 0);
        var tolerance = new Tolerance(ulps, Math.Max(floor, _case.Tolerance.Floor == 0 ? 0 : Math.Max(1, _case.Tolerance.Floor / 16)));
        for (var i = 0; i < mine.Length; i++)
        {
            if (tolerance.Allows(mine[i], yours[i], coarsest) || IsRight(Wide().Gradients?[k], i, mine[i], yours[i], tolerance, coarsest)) continue;
            var complaint = new Complaint(Difference.Gradient, $"the gradient of operand {k} at {i} is {mine[i]:R}, PyTorch's {yours[i]:R}")
            {
                Operand = k, Element = i, Ours = mine[i], Theirs = yours[i], Seeds = [.. _seeds.Values.SelectMany(s => s.Values)],
            };
            if (Complain(complaint)) return false;
        }
        return true;
    }

    /// <summary>A case in words.</summary>
    public static string Describe(Case c)
    {
        var text = new StringBuilder(c.Parameters);
        for (var i = 0; i < c.Operands.Length; i++) text.Append($"\n      {(char)('x' + i % 3)}{(i > 2 ? i : "")} = {c.Operands[i]}");
        return text.ToString();
    }
}
