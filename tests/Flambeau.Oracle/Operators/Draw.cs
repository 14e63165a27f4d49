namespace Flambeau.Oracle.Operators;

/// <summary>What an operand's elements are drawn from.</summary>
internal enum Values
{
    /// <summary>Anything: now and then infinities, NaN, the largest numbers.</summary>
    Any,
    /// <summary>Within ±4.</summary>
    Tame,
    /// <summary>From 1/16 to 4.</summary>
    Positive,
    /// <summary>From 1/16 to 15/16.</summary>
    Unit,
}

/// <summary>The choices of one random case. The same seed makes the same choices.</summary>
internal sealed class Draw(int seed)
{
    private static readonly int[] Sizes = [1, 2, 2, 3, 3, 4, 5, 7];

    public Random Random { get; } = new(seed);

    /// <summary>True draws no wrong dimensions: the binding to some functions of PyTorch ends the process where it should throw.</summary>
    public bool Careful { get; set; }

    public int Next(int count) => Random.Next(count);
    public int Next(int low, int high) => Random.Next(low, high + 1);
    public bool Chance(double p) => Random.NextDouble() < p;
    public T Of<T>(params ReadOnlySpan<T> choices) => choices[Random.Next(choices.Length)];

    // ---- shapes ----

    public long Size() => Chance(0.04) ? 0 : Of(Sizes);

    public long[] Shape(int minRank = 0, int maxRank = 4)
    {
        // long rows meet the vector loops' bodies and tails, and several threads
        if (maxRank > 0 && Chance(0.06)) return minRank > 1 ? [.. Enumerable.Repeat(1L, minRank - 2), Next(1, 9), Next(20, 140)] : [Next(20, Chance(0.2) ? 40_000 : 600)];
        var shape = new long[Next(minRank, maxRank)];
        for (var i = 0; i < shape.Length; i++) shape[i] = Size();
        return shape;
    }

    /// <summary>A shape that usually broadcasts with another.</summary>
    public long[] Partner(long[] shape)
    {
        var partner = shape[(Chance(0.3) ? Next(shape.Length + 1) : 0)..];
        for (var i = 0; i < partner.Length; i++)
            if (Chance(0.25)) partner[i] = 1;
        if (!Careful && partner.Length > 0 && Chance(0.04)) partner[Next(partner.Length)] += 1;
        return Chance(0.05) && (!Careful || partner.Length == shape.Length) ? [.. Shape(1, 2), .. partner] : partner;
    }

    /// <summary>A dimension of a tensor of some rank, counted from either end; now and then none of its own.</summary>
    public int Dim(int rank) => !Careful && Chance(0.03) ? Of(rank, -rank - 1, rank + 3) : rank == 0 ? Of(0, -1) : Next(-rank, rank - 1);

    /// <summary>Some dimensions, each once; now and then one twice.</summary>
    public int[] Dims(int rank, int least = 1)
    {
        if (rank == 0) return least == 0 || Chance(0.5) ? [] : [Dim(0)];
        int[] dims = [.. Order(rank).Take(Next(Math.Min(least, rank), rank)).Select(d => Chance(0.4) ? d - rank : d)];
        return Careful ? dims : Chance(0.02) && dims.Length > 0 ? [.. dims, dims[0]] : Chance(0.02) ? [.. dims, Dim(rank)] : dims;
    }

    public int[] Order(int rank)
    {
        var order = Enumerable.Range(0, rank).ToArray();
        Random.Shuffle(order);
        return order;
    }

    // ---- types ----

    public DType Type() => Next(20) switch
    {
        < 7 => DType.Float32,
        < 11 => DType.Float64,
        < 13 => DType.BFloat16,
        < 14 => DType.Float16,
        < 16 => DType.Int64,
        16 => DType.Int32,
        17 => Of(DType.Int16, DType.Int8),
        18 => DType.UInt8,
        _ => DType.Bool,
    };

    public DType FloatType() => Chance(0.5) ? DType.Float32 : Chance(0.6) ? DType.Float64 : Of(DType.BFloat16, DType.Float16);

    public DType WholeType() => Of(DType.Int64, DType.Int64, DType.Int32, DType.Int16, DType.Int8, DType.UInt8, DType.Bool);

    public DType PartnerType(DType type) => Chance(0.6) ? type : Type();

    public Number Number()
    {
        var category = Of(DType.Bool, DType.Int64, DType.Int64, DType.Float64, DType.Float64, DType.Float64);
        return new(category, category switch { DType.Bool => Next(2), DType.Int64 => Next(-3, 5), _ => Chance(0.2) ? Of(0.1, -0.3, 1.7, 2.3) : Next(-40, 60) / 16.0 });
    }

    // ---- operands ----

    public Operand Operand(DType type, long[] shape, Values values = Values.Any)
    {
        var layout = shape.Length == 0 || Chance(0.5) ? Layout.Contiguous : Of(Layout.Permuted, Layout.Stepped, Layout.Narrowed, Layout.Expanded);
        var dim = shape.Length == 0 ? 0 : Next(shape.Length);
        if (layout == Layout.Expanded && shape[dim] == 0) layout = Layout.Contiguous;
        var order = Order(shape.Length);
        var count = Oracle.Operators.Operand.BaseShape(shape, layout, dim, order).Aggregate(1L, (a, b) => a * b);
        return new(type, shape, layout, dim, order, Elements(type, (int)count, values));
    }

    /// <summary>Positions: whole numbers below a bound, now and then from the end or out of range.</summary>
    public Operand Index(long[] shape, long bound, bool negative = false, DType type = DType.Int64)
    {
        var count = (int)shape.Aggregate(1L, (a, b) => a * b);
        var values = new double[count];
        for (var i = 0; i < count; i++) values[i] = bound == 0 ? 0 : negative && Chance(0.3) ? -Next(1, (int)bound) : Next((int)bound);
        if (count > 0 && Chance(0.03)) values[Next(count)] = Of(bound, -bound - 1);
        return new(type, shape, Layout.Contiguous, 0, [], values);
    }

    public double[] Elements(DType type, int count, Values values)
    {
        var elements = new double[count];
        // sixteenths are exact in every type and make ties; others fill the mantissa
        var coarse = type is DType.BFloat16 or DType.Float16 || Chance(0.4);
        for (var i = 0; i < count; i++)
            elements[i] = type == DType.Bool ? Next(2)
                : !type.IsFloatingPoint ? Whole(type, values)
                : Real(type, values, coarse);
        if (values == Values.Any && Chance(0.15))
            for (var i = 0; i < count; i++)
                if (Chance(0.15)) elements[i] = Special(type);
        return elements;
    }

    private double Whole(DType type, Values values) => values is Values.Positive or Values.Unit ? Next(1, 6) : type == DType.UInt8 ? Next(14) : Next(-7, 7);

    private double Real(DType type, Values values, bool coarse)
    {
        var (low, high) = values switch { Values.Positive => (1, 64), Values.Unit => (1, 15), _ => (-64, 64) };
        if (coarse) return Next(low, high) / 16.0;
        var x = (low + Random.NextDouble() * (high - low)) / 16;
        return type == DType.Float32 ? (float)x : x;
    }

    private double Special(DType type)
    {
        var (low, high) = Types.Range(type);
        return type.IsFloatingPoint ? Of(double.PositiveInfinity, double.NegativeInfinity, double.NaN, 0, -0.0, 1, -1, low, high) : Of(low, high, 0, 1);
    }
}
