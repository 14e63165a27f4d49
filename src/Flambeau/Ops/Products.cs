using Flambeau.Ops;

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// The matrix product of the last two dimensions; leading ones broadcast as a batch; vectors are rows on the left and columns on the right (PyTorch: <c>matmul</c>).
            /// [B…, m, k] · [B…, k, n] → [B…, m, n].
            /// </summary>
            /// <exception cref="FlambeauException">Inner sizes differ, batch dims do not broadcast, or an operand is 0-dim.</exception>
            public Tensor MatMul(Tensor y)
            {
                CheckInner("MatMul", x, y);
                using var cast = Autocast.Enter<Ops.MatMul>();
                return BatchedProduct(cast.Of(x), cast.Of(y));
            }

            /// <summary>
            /// The product of int8 with int8, or of uint8 with int8, as int32: every sum is exact (PyTorch: <c>torch._int_mm</c>). Shapes are those of <see cref="MatMul"/>, which itself keeps int8 and wraps around.
            /// No sum can leave int32 up to 131,071 inner elements, or 65,793 if the left is uint8; beyond them those that do are taken modulo 2³².
            /// </summary>
            /// <exception cref="FlambeauException">The left is neither int8 nor uint8, the right is not int8, or shapes that <see cref="MatMul"/> refuses.</exception>
            public Tensor IntMm(Tensor y)
            {
                if (x.DType is not (DType.Int8 or DType.UInt8) || y.DType != DType.Int8)
                    throw Errors.Make("IntMm", $"needs int8 · int8 or uint8 · int8, got {x.DType.Name} · {y.DType.Name}; convert with To, or swap the operands: x·y = (yᵀ·xᵀ)ᵀ", ("left", x), ("right", y));
                CheckInner("IntMm", x, y);
                return BatchedProduct(x, y, ofBytes: true);
            }

            /// <summary>The product of two matrices (PyTorch: <c>mm</c>).</summary>
            public Tensor Mm(Tensor y) => x.Rank == 2 && y.Rank == 2 ? x.MatMul(y) : throw Errors.Make("Mm", "needs two matrices", ("left", x), ("right", y));

            /// <summary>The products of two stacks of matrices, [b, m, k] · [b, k, n] (PyTorch: <c>bmm</c>).</summary>
            public Tensor Bmm(Tensor y) => x.Rank == 3 && y.Rank == 3 && x.Shape[0] == y.Shape[0] ? x.MatMul(y) : throw Errors.Make("Bmm", "needs two stacks of matrices of one batch size", ("left", x), ("right", y));

            /// <summary>A matrix times a vector (PyTorch: <c>mv</c>).</summary>
            public Tensor Mv(Tensor y) => x.Rank == 2 && y.Rank == 1 ? x.MatMul(y) : throw Errors.Make("Mv", "needs a matrix and a vector", ("left", x), ("right", y));

            /// <summary>Σ x·y of two vectors (PyTorch: <c>dot</c>).</summary>
            public Tensor Dot(Tensor y) => x.Rank == 1 && y.Rank == 1 ? x.MatMul(y) : throw Errors.Make("Dot", "needs two vectors", ("left", x), ("right", y));

            /// <summary>x[i] · y[j] of two vectors (PyTorch: <c>outer</c>).</summary>
            public Tensor Outer(Tensor y) => x.Rank == 1 && y.Rank == 1 ? x.Unsqueeze(1) * y : throw Errors.Make("Outer", "needs two vectors", ("left", x), ("right", y));

            /// <summary>β · x + α · (y · z), x broadcast to the product's shape (PyTorch: <c>addmm</c>).</summary>
            public Tensor AddMm(Tensor y, Tensor z, Scalar? beta = null, Scalar? alpha = null)
            {
                using var cast = Autocast.Enter<Ops.MatMul>();
                (x, y, z) = (cast.Of(x), cast.Of(y), cast.Of(z));
                var product = alpha is { } a ? y.Mm(z) * a : y.Mm(z);
                if (Shapes.TryBroadcast(x.Shape, product.Shape, out _) is not { } shape || !shape.Equals(product.Shape))
                    throw Errors.Make("AddMm", $"the summand of shape {x.Shape} does not broadcast to the product's shape {product.Shape}", ("x", x), ("y", y), ("z", z));
                return (beta is { } b ? x * b : x) + product;
            }

            /// <summary>x · Wᵀ + b over the last dimension: [.., in] → [.., out], weight [out, in], bias [out] (PyTorch: <c>F.linear</c>).</summary>
            /// <exception cref="FlambeauException">The last size of x is not the weight's second.</exception>
            public Tensor Linear(Tensor weight, Tensor? bias = null)
            {
                if (weight.Rank != 2) throw Errors.Make("Linear", "the weight must be a matrix [out, in]", ("x", x), ("weight", weight));
                if (x.Rank == 0 || x.Shape[^1] != weight.Shape[1])
                    throw Errors.Make("Linear", $"the last size of the input must be {weight.Shape[1]}, the weight's second, got {(x.Rank == 0 ? "a 0-dim tensor" : x.Shape[^1])}", ("x", x), ("weight", weight));
                using var cast = Autocast.Enter<Ops.Linear>();
                (x, weight, bias) = (cast.Of(x), cast.Of(weight), cast.Of(bias));
                var y = LinearOp(x.Rank).Apply(x, weight);
                if (bias is null) return y;
                // nobody has seen the product yet, and no gradient needs it: the bias is added in its own memory
                bool inPlace = y.Level is null && bias.Level is null && bias.DType == y.DType && bias.Rank == 1 && bias.Shape[0] == weight.Shape[0];
                return inPlace ? y.Add_(bias) : y + bias;
            }
        }

        extension(Tensor)
        {
            /// <summary>
            /// Products and sums named by indices, <c>Tensor.Einsum("bhtd,bhsd->bhts", q, k)</c>: an index that the result lacks is summed over; <c>...</c> stands for leading dims, which broadcast.
            /// Without an arrow the result has the indices that occur once, in alphabetical order (PyTorch: <c>torch.einsum</c>).
            /// </summary>
            /// <exception cref="FlambeauException">The equation does not fit the operands, or one index has two sizes.</exception>
            public static Tensor Einsum(string equation, params Tensor[] operands)
            {
                using var cast = Autocast.Enter<Ops.Einsum>();
                return EinsumPlan.Run(equation, cast.Of(operands));
            }
        }

        // letters for leading dims; the last three of the alphabet are the products' own
        internal const string Alphabet = "abcdefghijklmnopqrstuvw";

        static readonly ContractOp?[] s_linear = new ContractOp?[Alphabet.Length + 2];

        static ContractOp LinearOp(int rank) => s_linear[rank] ??= ContractOp.Of(Alphabet[..(rank - 1)] + "y", "zy", Alphabet[..(rank - 1)] + "z");

        static void CheckInner(string operation, Tensor x, Tensor y)
        {
            if (x.Rank == 0 || y.Rank == 0) throw Errors.Make(operation, "both operands need at least one dim; use * for numbers", ("left", x), ("right", y));
            long inner = x.Shape[^1], rows = y.Rank == 1 ? y.Shape[0] : y.Shape[^2];
            if (inner != rows)
                throw Errors.Make(operation, $"inner sizes differ, {inner} ≠ {rows}: the last size of the left must equal the {(y.Rank == 1 ? "" : "second to ")}last of the right", ("left", x), ("right", y));
        }

        static Tensor BatchedProduct(Tensor x, Tensor y, bool ofBytes = false)
        {
            if (x.Rank == 2 && y.Rank == 2) return (ofBytes ? ContractOp.MatricesOfBytes : ContractOp.Matrices).Apply(x, y);
            bool row = x.Rank == 1, column = y.Rank == 1;
            int batchX = Math.Max(0, x.Rank - 2), batchY = Math.Max(0, y.Rank - 2), batch = Math.Max(batchX, batchY);
            string left = "", right = "", result = "";
            Tensor a = x, b = y;
            for (int i = 0; i < batch; i++)
            {
                int dx = i - (batch - batchX), dy = i - (batch - batchY);
                long sx = dx < 0 ? 1 : x.Shape.Sizes[dx], sy = dy < 0 ? 1 : y.Shape.Sizes[dy];
                if (sx != sy && sx != 1 && sy != 1) throw Errors.Make(ofBytes ? "IntMm" : "MatMul", $"batch dims do not broadcast: {sx} and {sy}", ("left", x), ("right", y));
                char label = Alphabet[i];
                result += label;
                // a size of 1 that broadcasts is no index of its side: the other's rows just become more
                if (dx >= 0)
                    if (sx == 1 && sy != 1) a = a.Select(left.Length, 0);
                    else left += label;
                if (dy >= 0)
                    if (sy == 1 && (sx != 1 || dx >= 0)) b = b.Select(right.Length, 0);
                    else right += label;
                if (!left.Contains(label) && !right.Contains(label)) left += label;
            }
            left += row ? "z" : "xz";
            right += column ? "z" : "zy";
            result += (row ? "" : "x") + (column ? "" : "y");
            return ContractOp.Of(left, right, result, ofBytes).Apply(a, b);
        }
    }
}

namespace Flambeau.Ops
{
    /// <summary>Matrix products; leading dims broadcast.</summary>
    public readonly struct MatMul : IContraction
    {
        /// <inheritdoc/>
        public static string? TorchName => "matmul";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.MatMul(y)", g => [Tensor.RandN([5, 7], generator: g), Tensor.RandN([7, 3], generator: g)], t => t[0].MatMul(t[1])),
            new("batch", g => [Tensor.RandN([2, 3, 4], generator: g), Tensor.RandN([2, 4, 5], generator: g)], t => t[0].MatMul(t[1])),
            new("broadcast batch", g => [Tensor.RandN([2, 1, 3, 4], generator: g), Tensor.RandN([5, 4, 2], generator: g)], t => t[0].MatMul(t[1])),
            new("vector · matrix", g => [Tensor.RandN([4], generator: g), Tensor.RandN([4, 3], generator: g)], t => t[0].MatMul(t[1])),
            new("matrix · vector", g => [Tensor.RandN([3, 4], generator: g), Tensor.RandN([4], generator: g)], t => t[0].MatMul(t[1])),
            new("vector · vector", g => [Tensor.RandN([4], generator: g), Tensor.RandN([4], generator: g)], t => t[0].MatMul(t[1])),
            new("no inner elements", g => [Tensor.RandN([3, 0], generator: g), Tensor.RandN([0, 2], generator: g)], t => t[0].MatMul(t[1])),
            new("longer than a block of the order", g => [Tensor.RandN([2, 600], generator: g), Tensor.RandN([600, 3], generator: g)], t => t[0].MatMul(t[1])),
        ];
    }

    /// <summary>Products of bytes that add up in int32.</summary>
    public readonly struct IntMm : IContraction
    {
        /// <inheritdoc/>
        public static string? TorchName => "_int_mm";
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.AsIs;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("int8 · int8", g => [Bytes(g, DType.Int8, 5, 70), Bytes(g, DType.Int8, 70, 9)], t => t[0].IntMm(t[1])),
            new("uint8 · int8", g => [Bytes(g, DType.UInt8, 3, 18), Bytes(g, DType.Int8, 18, 4)], t => t[0].IntMm(t[1])),
            new("batch", g => [Bytes(g, DType.Int8, 2, 1, 3, 5), Bytes(g, DType.Int8, 4, 5, 2)], t => t[0].IntMm(t[1])),
            new("no inner elements", g => [Bytes(g, DType.Int8, 3, 0), Bytes(g, DType.Int8, 0, 2)], t => t[0].IntMm(t[1])),
        ];

        static Tensor Bytes(Generator g, DType type, params long[] shape) =>
            Tensor.RandInt(type == DType.UInt8 ? 0 : -128, type == DType.UInt8 ? 256 : 128, shape, type, generator: g);
    }

    /// <summary>x · Wᵀ + b.</summary>
    public readonly struct Linear : IContraction
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Linear(w, b)", g => [Tensor.RandN([6, 5], generator: g), Tensor.RandN([3, 5], generator: g), Tensor.RandN([3], generator: g)], t => t[0].Linear(t[1], t[2])),
            new("x.Linear(w) of 3 dims", g => [Tensor.RandN([2, 3, 5], generator: g), Tensor.RandN([4, 5], generator: g)], t => t[0].Linear(t[1])),
        ];
    }

    /// <summary>Products and sums named by indices.</summary>
    public readonly struct Einsum : IContraction
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("bhtd,bhsd->bhts", g => [Tensor.RandN([2, 2, 3, 4], generator: g), Tensor.RandN([2, 2, 5, 4], generator: g)], t => Tensor.Einsum("bhtd,bhsd->bhts", t[0], t[1])),
            new("ii->i", g => [Tensor.RandN([4, 4], generator: g)], t => Tensor.Einsum("ii->i", t[0])),
            new("ij->", g => [Tensor.RandN([3, 4], generator: g)], t => Tensor.Einsum("ij->", t[0])),
            new("three operands", g => [Tensor.RandN([2, 3], generator: g), Tensor.RandN([3, 4], generator: g), Tensor.RandN([4, 5], generator: g)], t => Tensor.Einsum("ij,jk,kl->il", t[0], t[1], t[2])),
            new("...ij,jk", g => [Tensor.RandN([2, 2, 3], generator: g), Tensor.RandN([3, 4], generator: g)], t => Tensor.Einsum("...ij,jk->...ik", t[0], t[1])),
        ];
    }

    /// <summary>Einsum as contractions of two operands at a time, the cheapest pair first.</summary>
    internal static class EinsumPlan
    {
        public static Tensor Run(string equation, Tensor[] operands)
        {
            var (inputs, output) = Parse(equation, operands);
            var terms = new List<(Tensor X, string Labels)>();
            for (int i = 0; i < operands.Length; i++) terms.Add(Diagonals(operands[i], inputs[i]));
            CheckSizes(equation, terms);
            while (terms.Count > 1)
            {
                var (i, j) = Cheapest(terms);
                var rest = output + string.Concat(terms.Where((_, k) => k != i && k != j).Select(t => t.Labels));
                var made = Pair(terms[i], terms[j], rest);
                terms.RemoveAt(j);
                terms.RemoveAt(i);
                terms.Add(made);
            }
            var (x, labels) = SumAway(terms[0], output);
            return x.Permute([.. output.Select(l => labels.IndexOf(l))]);
        }

        static (string[] Inputs, string Output) Parse(string equation, Tensor[] operands)
        {
            string text = equation.Replace(" ", "");
            int arrow = text.IndexOf("->", StringComparison.Ordinal);
            var inputs = (arrow < 0 ? text : text[..arrow]).Split(',');
            FlambeauException Bad(string why) => Errors.Make("Einsum", $"\"{equation}\": {why}");
            if (inputs.Length != operands.Length) throw Bad($"names {inputs.Length} operands, got {operands.Length}");
            // dims under the ellipsis get the letters that the equation does not use, the same for all operands, aligned at the right
            int broadcast = 0;
            for (int i = 0; i < inputs.Length; i++)
            {
                int named = inputs[i].Replace("...", "").Length;
                if (!inputs[i].Contains("...") && named != operands[i].Rank) throw Bad($"operand {i} has {operands[i].Rank} dims, \"{inputs[i]}\" names {named}");
                if (named > operands[i].Rank) throw Bad($"operand {i} has {operands[i].Rank} dims, \"{inputs[i]}\" names {named}");
                if (inputs[i].Contains("...")) broadcast = Math.Max(broadcast, operands[i].Rank - named);
            }
            string spare = "";
            for (char c = 'A'; spare.Length < broadcast && c < 'z'; c++) if (char.IsLetter(c) && !text.Contains(c)) spare += c;
            for (int i = 0; i < inputs.Length; i++)
            {
                int own = operands[i].Rank - inputs[i].Replace("...", "").Length;
                inputs[i] = inputs[i].Replace("...", spare[(broadcast - own)..]);
                if (inputs[i].Any(c => !char.IsLetter(c))) throw Bad($"\"{inputs[i]}\" may hold letters and one ... only");
            }
            string all = string.Concat(inputs);
            string output = arrow >= 0 ? text[(arrow + 2)..].Replace("...", spare)
                : spare + string.Concat(all.Where(c => !spare.Contains(c)).Distinct().Where(c => all.Count(o => o == c) == 1).Order());
            if (output.Distinct().Count() != output.Length) throw Bad("the result names an index twice");
            if (output.FirstOrDefault(c => !all.Contains(c)) is var missing && missing != 0) throw Bad($"the result's index {missing} is in no operand");
            return (inputs, output);
        }

        static void CheckSizes(string equation, List<(Tensor X, string Labels)> terms)
        {
            var sizes = new Dictionary<char, long>();
            for (int t = 0; t < terms.Count; t++)
            {
                var (x, labels) = terms[t];
                for (int i = 0; i < labels.Length; i++)
                    if (!sizes.TryGetValue(labels[i], out long known) || known == 1) sizes[labels[i]] = x.Shape.Sizes[i];
                    else if (known != x.Shape.Sizes[i] && x.Shape.Sizes[i] != 1) throw Errors.Make("Einsum", $"\"{equation}\": index {labels[i]} has sizes {known} and {x.Shape.Sizes[i]}", ("operand", x));
            }
            // an index of size 1 in one operand broadcasts: it is no index there
            for (int t = 0; t < terms.Count; t++)
                for (int i = terms[t].Labels.Length - 1; i >= 0; i--)
                    if (terms[t].X.Shape.Sizes[i] == 1 && sizes[terms[t].Labels[i]] != 1) terms[t] = (terms[t].X.Select(i, 0), terms[t].Labels.Remove(i, 1));
        }

        // an index named twice in one operand walks its diagonal
        static (Tensor, string) Diagonals(Tensor x, string labels)
        {
            for (int i = 0; i < labels.Length; i++)
            {
                int j = labels.IndexOf(labels[i], i + 1);
                if (j < 0) continue;
                if (x.Shape.Sizes[i] != x.Shape.Sizes[j]) throw Errors.Make("Einsum", $"index {labels[i]} names dims of sizes {x.Shape.Sizes[i]} and {x.Shape.Sizes[j]}", ("operand", x));
                return Diagonals(x.Diagonal(0, i, j), labels.Remove(j, 1).Remove(i, 1) + labels[i]);
            }
            return (x, labels);
        }

        static (Tensor X, string Labels) SumAway((Tensor X, string Labels) term, string needed)
        {
            int[] dims = [.. Enumerable.Range(0, term.Labels.Length).Where(i => !needed.Contains(term.Labels[i]))];
            return dims.Length == 0 ? term : (term.X.Sum(dims), new string([.. term.Labels.Where(needed.Contains)]));
        }

        static (Tensor X, string Labels) Pair((Tensor X, string Labels) a, (Tensor X, string Labels) b, string needed)
        {
            a = SumAway(a, needed + b.Labels);
            b = SumAway(b, needed + a.Labels);
            // what both have and the rest needs is the batch; then rows of the left, columns of the right
            string both = new([.. a.Labels.Where(l => b.Labels.Contains(l) && needed.Contains(l))]);
            string result = both + new string([.. a.Labels.Where(l => !b.Labels.Contains(l))]) + new string([.. b.Labels.Where(l => !a.Labels.Contains(l))]);
            return (ContractOp.Of(a.Labels, b.Labels, result).Apply(a.X, b.X), result);
        }

        // the pair with the fewest multiplications; the first of ties
        static (int, int) Cheapest(List<(Tensor X, string Labels)> terms)
        {
            (int, int) best = (0, 1);
            double least = double.PositiveInfinity;
            for (int i = 0; i < terms.Count; i++)
                for (int j = i + 1; j < terms.Count; j++)
                {
                    double cost = 1;
                    foreach (char l in (terms[i].Labels + terms[j].Labels).Distinct())
                        cost *= terms[i].Labels.Contains(l) ? terms[i].X.Shape.Sizes[terms[i].Labels.IndexOf(l)] : terms[j].X.Shape.Sizes[terms[j].Labels.IndexOf(l)];
                    if (cost < least) (least, best) = (cost, (i, j));
                }
            return best;
        }
    }
}
