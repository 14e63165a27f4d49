using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>The table as theory data: a row by its name, a sample by the row's name and its number.</summary>
public static class Rows
{
    static readonly Dictionary<string, OperatorRow> s_byName = OperatorTable.All.ToDictionary(r => r.Name);

    /// <summary>The seed of every random operand: a failure repeats.</summary>
    public const ulong Seed = 20_260;

    public static OperatorRow Find(string name) => s_byName[name];

    public static Sample Find(string name, int sample) => s_byName[name].Samples[sample];

    /// <summary>A generator for one test of one row.</summary>
    public static Generator Draws(string name, ulong salt = 0)
    {
        ulong seed = Seed + salt;
        foreach (char c in name) seed = seed * 31 + c;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return new Generator(seed);
    }

    static IEnumerable<OperatorRow> OfKind(Type kind) => s_byName.Values.Where(r => r.Type.IsAssignableTo(kind));

    static TheoryData<string> Names(IEnumerable<OperatorRow> rows) => [.. rows.Select(r => r.Name)];

    public static TheoryData<string> Elementwise => Names(OfKind(typeof(IElementwise)));
    public static TheoryData<string> Real => Names(OfKind(typeof(IElementwise)).Where(r => !IsInteger(r)));
    public static TheoryData<string> Integer => Names(OfKind(typeof(IElementwise)).Where(IsInteger));
    public static TheoryData<string> Unary => Names(OfKind(typeof(IUnary)));
    public static TheoryData<string> DifferentiableUnary => Names(OfKind(typeof(IUnary)).Where(r => Truth.Of(r).Promotion != Promotion.Bool));
    public static TheoryData<string> StatedDerivatives => Names(OfKind(typeof(IUnary)).Where(r => Truth.Of(r).StatedDerivative is not null));

    public static TheoryData<string, int> Samples
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var row in s_byName.Values)
                for (int i = 0; i < row.Samples.Count; i++) data.Add(row.Name, i);
            return data;
        }
    }

    static bool IsInteger(OperatorRow row) => row.Type.IsAssignableTo(typeof(IIntegerUnary)) || row.Type.IsAssignableTo(typeof(IIntegerBinary));
}
