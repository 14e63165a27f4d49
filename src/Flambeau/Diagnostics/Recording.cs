using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Flambeau.Compile.Graphs;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Diagnostics;

/// <summary>
/// Where the framework tells an open profile what runs. While none is open each place costs the test of one static field: this class has no initializer that would have to be asked for.
/// </summary>
internal static class Recording
{
    /// <summary>The profile that is open; null if there is none.</summary>
    public static Profile? Open;

    /// <summary>The user's line of what runs on this thread; null unless lines are recorded.</summary>
    public static string? Line => Open is { Options.Lines: true } profile ? ThreadLog.Of(profile).Line ?? Errors.UserPlace() : null;

    // ---- operators ----

    /// <summary>Runs an operator on concrete tensors and puts it on the tape.</summary>
    public static Tensor Apply(Op op, ReadOnlySpan<Tensor> x)
    {
        using var scope = Operator(op.Name, x);
        var y = op.Run(x);
        if (GradMode.Enabled) Tape.Record(op, x, y);
        if (scope.IsRecorded) scope.Made(Stopwatch.GetTimestamp(), y, IsView(y, x) ? default : op.CostOf(x, y));
        return y;
    }

    static bool IsView(Tensor y, ReadOnlySpan<Tensor> x)
    {
        foreach (var t in x) if (ReferenceEquals(t.Store, y.Store)) return true;
        return false;
    }

    /// <summary>An operator that is not applied by <see cref="Op.Apply"/>, or a composite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Operator(string name, scoped ReadOnlySpan<Tensor> x) => Open is { } profile ? Begin(profile, name, ProfileKind.Operator, x) : default;

    /// <summary>An operator that writes into its first operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope InPlace(Op op, scoped ReadOnlySpan<Tensor> x) => Open is { } profile ? BeginInPlace(profile, op, x) : default;

    /// <summary>What fills a new tensor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Fill(string name, Tensor y) => Open is { } profile ? BeginCopy(profile, name, y, 1) : default;

    /// <summary>What reads a tensor and writes as much: a copy that is no operator.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Copy(string name, Tensor x) => Open is { } profile ? BeginCopy(profile, name, x, 2) : default;

    /// <summary>A composite's program; the innermost open event, a composite or its gradient, bears the cost.</summary>
    public static Tensor[] Run(GraphProgram program, Tensor[] x, Draw first)
    {
        var y = program.Run(x, first);
        if (Open is { } profile) SpendOnProgram(profile, program, x, y);
        return y;
    }

    // ---- what is around operators ----

    /// <summary>A part of the framework's work that is no operator.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Part(string name, ProfileKind kind) => Open is { } profile ? Begin(profile, name, kind, []) : default;

    /// <summary>As <see cref="Part(string, ProfileKind)"/>, named <c>Owner.Member</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Part(string owner, string member, ProfileKind kind) => Open is { } profile ? Begin(profile, Names.Join(owner, "." + member), kind, []) : default;

    /// <summary>The gradient of one operator on the tape.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Backward(Node node) => Open is { } profile ? BeginBackward(profile, node) : default;

    /// <summary>Updates of parameters and their states in one region that moves so many bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProfileScope Update(string name, long bytes, DType type) => Open is { } profile ? BeginUpdate(profile, name, bytes, type) : default;

    /// <summary>A module's forward pass begins.</summary>
    public static void Enter(NN.Module module)
    {
        if (Open is { Options.Modules: true } profile) Begin(profile, Names.Of(module.GetType()), ProfileKind.Module, []);
    }

    /// <summary>The module entered last is left.</summary>
    public static void Leave()
    {
        if (Open is { Options.Modules: true } profile) ThreadLog.Of(profile).EndModule();
    }

    // ---- off the hot path ----

    static ProfileScope Begin(Profile profile, string name, ProfileKind kind, scoped ReadOnlySpan<Tensor> x, string? line = null) => ThreadLog.Of(profile).Begin(name, kind, x, line);

    static ProfileScope BeginInPlace(Profile profile, Op op, scoped ReadOnlySpan<Tensor> x)
    {
        var log = ThreadLog.Of(profile);
        var scope = log.Begin(Names.Join(op.Name, "_"), ProfileKind.Operator, x, null);
        log.Spend(op.CostOf(x, x[0]), x[0].DType);
        return scope;
    }

    static ProfileScope BeginCopy(Profile profile, string name, Tensor x, int times)
    {
        var log = ThreadLog.Of(profile);
        var scope = log.Begin(name, ProfileKind.Operator, [x], null);
        log.Spend(new(Cost.BytesOf(x) * times), x.DType);
        return scope;
    }

    static ProfileScope BeginUpdate(Profile profile, string name, long bytes, DType type)
    {
        var log = ThreadLog.Of(profile);
        var scope = log.Begin(name, ProfileKind.Optimizer, [], null);
        log.Spend(new(bytes), type);
        return scope;
    }

    static ProfileScope BeginBackward(Profile profile, Node node)
    {
        string name = Names.Join(node.Name, ".Backward");
        string? line = profile.Options.Lines ? node.UserLine : null;
        return node.Result(0).Arrived is { } g ? Begin(profile, name, ProfileKind.Backward, [g], line) : Begin(profile, name, ProfileKind.Backward, [], line);
    }

    // a backward pass is given more than it needs
    static void SpendOnProgram(Profile profile, GraphProgram program, Tensor[] x, Tensor[] y)
    {
        long bytes = 0;
        foreach (var t in y) bytes += Cost.BytesOf(t);
        for (int i = 0; i < x.Length; i++)
            if (program.Reads(i)) bytes += Cost.BytesOf(x[i]);
        ThreadLog.Of(profile).Spend(new(bytes), y[0].DType);
    }

    /// <summary>Names made of others, each once.</summary>
    static class Names
    {
        static readonly ConcurrentDictionary<(string, string), string> s_joined = new();
        static readonly ConditionalWeakTable<Type, string> s_types = [];

        public static string Join(string name, string suffix) => s_joined.GetOrAdd((name, suffix), static parts => parts.Item1 + parts.Item2);

        public static string Of(Type type) => s_types.GetValue(type, static t => t.Name.Split('`')[0]);
    }
}
