using Flambeau.Ops;

namespace Flambeau.Compile.Graphs;

/// <summary>
/// Algebra on gradients. What the user wrote stays as it is; what was derived from it may be computed in another way that is as exact, by the named rules below and no others. It happens once, on the graph, so that
/// every executor of the graph gives the same bits (docs/design/fusion.md).
/// </summary>
/// <param name="trace">Where the graph lives.</param>
/// <param name="forward">Nodes with smaller numbers are the user's.</param>
internal sealed class Rewriter(Trace trace, int forward)
{
    static readonly ElementwiseOp s_add = BinaryOp<Add>.Instance, s_sub = BinaryOp<Sub>.Instance, s_mul = BinaryOp<Mul>.Instance, s_div = BinaryOp<Div>.Instance, s_neg = UnaryOp<Neg>.Instance;

    readonly Dictionary<GraphNode, GraphNode> _known = [];

    /// <summary>A rule: the node instead of <paramref name="node"/>, or null.</summary>
    delegate GraphNode? Rule(GraphNode node);

    // in the order in which they are tried
    Rule[] Rules => [ImplicitExpansion, PiecesAmongZeros, SignOutside, DifferenceOfNegative, SumOfDeviations, SumOfMultiples, SumOfProducts, SumOfQuotients, CommonDivisor, ThroughQuotient];

    /// <summary>The node that stands for <paramref name="node"/>.</summary>
    public GraphNode Rewrite(GraphNode node)
    {
        if (node.Id < forward || node.Operands.Length == 0) return node;
        if (_known.TryGetValue(node, out var known)) return known;
        var operands = Array.ConvertAll(node.Operands, Rewrite);
        var now = operands.AsSpan().SequenceEqual(node.Operands) ? node : trace.With(node, operands);
        foreach (var rule in Rules)
            if (rule(now) is { } better)
            {
                // what it is made of may be simplified further; rules only ever move towards fewer operations
                now = Rewrite(better);
                break;
            }
        return _known[node] = now;
    }

    static bool Is(GraphNode node, ElementwiseOp op) => node.Step is Step.Map(var map, _) && ReferenceEquals(map, op);

    static bool IsSum(GraphNode node) => node.Step is Step.Fold(ReduceOp<Sum> { KeepDim: true });

    GraphNode Make(ElementwiseOp op, params GraphNode[] operands) => trace.Apply(op, operands[0].Type, operands);

    /// <summary>Exact: elementwise operators expand their operands themselves.</summary>
    GraphNode? ImplicitExpansion(GraphNode node)
    {
        if (node.Step is not Step.Map(var op, var compute)) return null;
        for (int k = 0; k < node.Operands.Length; k++)
        {
            if (node.Operands[k].Step is not Step.Relabel relabel || !relabel.OnlyExpands(node.Operands[k].Operands[0].Shape.Rank)) continue;
            var operands = (GraphNode[])node.Operands.Clone();
            operands[k] = operands[k].Operands[0];
            if (trace.Apply(op, compute, operands) is { } direct && direct.Shape.Equals(node.Shape)) return direct;
        }
        return null;
    }

    /// <summary>Exact but for the sign of a zero: pieces that are added up, each among zeros and together whole, stand side by side.</summary>
    GraphNode? PiecesAmongZeros(GraphNode node)
    {
        if (!Is(node, s_add) || node.Operands[0].Step is not Step.Pad(var x) || node.Operands[1].Step is not Step.Pad(var y) || !node.Operands[0].Shape.Equals(node.Operands[1].Shape)) return null;
        var (first, second) = x < y ? (node.Operands[0].Operands[0], node.Operands[1].Operands[0]) : (node.Operands[1].Operands[0], node.Operands[0].Operands[0]);
        return Math.Min(x, y) == 0 && Math.Max(x, y) == first.Shape.Sizes[^1] && first.Shape.Sizes[^1] + second.Shape.Sizes[^1] == node.Shape.Sizes[^1] ? trace.SideBySide([first, second]) : null;
    }

    /// <summary>Exact: (−a) ÷ b = −(a ÷ b), (−a) · b = −(a · b), Σ(−a) = −Σa.</summary>
    GraphNode? SignOutside(GraphNode node)
    {
        if (Is(node, s_div) || Is(node, s_mul))
        {
            for (int k = 0; k < 2; k++)
                if (Is(node.Operands[k], s_neg))
                {
                    var operands = (GraphNode[])node.Operands.Clone();
                    operands[k] = operands[k].Operands[0];
                    return Make(s_neg, Make(Is(node, s_div) ? s_div : s_mul, operands));
                }
        }
        return IsSum(node) && Is(node.Operands[0], s_neg) ? Make(s_neg, trace.With(node, node.Operands[0].Operands)) : null;
    }

    /// <summary>Exact: a + (−b) = a − b.</summary>
    GraphNode? DifferenceOfNegative(GraphNode node)
    {
        if (!Is(node, s_add)) return null;
        var (a, b) = (node.Operands[0], node.Operands[1]);
        return Is(b, s_neg) ? Make(s_sub, a, b.Operands[0]) : Is(a, s_neg) ? Make(s_sub, b, a.Operands[0]) : null;
    }

    /// <summary>
    /// Σ(a ÷ r) = Σa ÷ r where r is the same along what is summed. One rounding instead of one an element; Σa overflows where the quotients' sum would not only if r is above 1 and the sum within r of the largest number.
    /// </summary>
    GraphNode? SumOfQuotients(GraphNode node)
    {
        if (!IsSum(node) || !Is(node.Operands[0], s_div)) return null;
        var (a, r) = (node.Operands[0].Operands[0], node.Operands[0].Operands[1]);
        return a.Shape.Equals(node.Operands[0].Shape) && IsSameAlong(r, node) ? Make(s_div, trace.With(node, [a]), r) : null;
    }

    /// <summary>Σ(r · a) = r · Σa where r is the same along what is summed: one rounding instead of one an element; overflow as in <see cref="SumOfQuotients"/>, for r below 1.</summary>
    GraphNode? SumOfMultiples(GraphNode node)
    {
        if (!IsSum(node) || !Is(node.Operands[0], s_mul)) return null;
        var product = node.Operands[0];
        for (int k = 0; k < 2; k++)
        {
            var (r, a) = (product.Operands[k], product.Operands[1 - k]);
            if (a.Shape.Equals(product.Shape) && IsSameAlong(r, node)) return Make(s_mul, r, trace.With(node, [a]));
        }
        return null;
    }

    /// <summary>
    /// Σ(a · (r · b)) = r · Σ(a · b) where r is the same along what is summed: as <see cref="SumOfMultiples"/>. Batch norm's three sums become two. A product of the user's is taken apart only around an operand's
    /// deviation, which is cheap to have again: else it may be the result that is saved.
    /// </summary>
    GraphNode? SumOfProducts(GraphNode node)
    {
        if (!IsSum(node) || !Is(node.Operands[0], s_mul)) return null;
        var product = node.Operands[0];
        for (int k = 0; k < 2; k++)
        {
            var (a, inner) = (product.Operands[k], product.Operands[1 - k]);
            if (!Is(inner, s_mul) || !a.Shape.Equals(product.Shape)) continue;
            for (int j = 0; j < 2; j++)
            {
                var (r, b) = (inner.Operands[j], inner.Operands[1 - j]);
                if (b.Shape.Equals(product.Shape) && IsSameAlong(r, node) && (inner.Id >= forward || IsOperandLess(b, node))) return Make(s_mul, r, trace.With(node, [Make(s_mul, a, b)]));
            }
        }
        return null;
    }

    static bool IsOperandLess(GraphNode node, GraphNode sum) => Is(node, s_sub) && IsSameAlong(node.Operands[1], sum)
        && (node.Operands[0].Step is Step.Cast ? node.Operands[0].Operands[0] : node.Operands[0]).Step is Step.Input;

    /// <summary>Σ(a + r · c) = Σa where c = v − Σv ÷ n along the same dimensions: deviations from a mean add up to zero, and what is dropped is their rounding errors.</summary>
    GraphNode? SumOfDeviations(GraphNode node)
    {
        if (!IsSum(node) || !Is(node.Operands[0], s_add)) return null;
        var sum = node.Operands[0];
        for (int k = 0; k < 2; k++)
            if (IsDeviation(sum.Operands[k], node) && sum.Operands[1 - k].Shape.Equals(sum.Shape)) return trace.With(node, [sum.Operands[1 - k]]);
        return null;
    }

    static bool IsDeviation(GraphNode node, GraphNode sum)
    {
        if (Is(node, s_mul)) return IsSameAlong(node.Operands[0], sum) ? IsDeviation(node.Operands[1], sum) : IsSameAlong(node.Operands[1], sum) && IsDeviation(node.Operands[0], sum);
        if (!Is(node, s_sub) || !Is(node.Operands[1], s_div)) return false;
        var (total, count) = (node.Operands[1].Operands[0], node.Operands[1].Operands[1]);
        return IsSum(total) && total.Operands[0] == node.Operands[0] && ((Step.Fold)total.Step).Op.Dims.AsSpan().SequenceEqual(((Step.Fold)sum.Step).Op.Dims)
            && count.Step is Step.Number(var n) && n == total.Operands[0].Shape.Count / Math.Max(1, total.Shape.Count);
    }

    static bool IsSameAlong(GraphNode r, GraphNode sum)
    {
        int rank = sum.Operands[0].Shape.Rank;
        foreach (int d in ((Step.Fold)sum.Step).Op.Dims)
            if (rank - d <= r.Shape.Rank && r.Shape.Sizes[^(rank - d)] != 1) return false;
        return r.Shape.Rank <= rank;
    }

    /// <summary>a ÷ r ± b ÷ r = (a ± b) ÷ r: two roundings instead of three. r is no larger than the sum, and not the divisor of everything that is saved.</summary>
    GraphNode? CommonDivisor(GraphNode node)
    {
        if (!Is(node, s_add) && !Is(node, s_sub)) return null;
        var (x, y) = (node.Operands[0], node.Operands[1]);
        if (!Is(x, s_div) || !Is(y, s_div) || x.Operands[1] != y.Operands[1] || x.Id < forward || y.Id < forward) return null;
        return Make(s_div, Make(Is(node, s_add) ? s_add : s_sub, x.Operands[0], y.Operands[0]), x.Operands[1]);
    }

    /// <summary>a · (b ÷ r) = (a ÷ r) · b where a ÷ r is there already: a derivative through the quotient's own value, as softmax's y · (g − Σ g·y).</summary>
    GraphNode? ThroughQuotient(GraphNode node)
    {
        if (!Is(node, s_mul)) return null;
        for (int k = 0; k < 2; k++)
        {
            var (a, quotient) = (node.Operands[k], node.Operands[1 - k]);
            if (!Is(quotient, s_div) || quotient.Id < forward) continue;
            if (trace.Find(s_div, a, quotient.Operands[1]) is { } known && known.Id < forward) return Make(s_mul, known, quotient.Operands[0]);
        }
        return null;
    }
}
