using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Flambeau.Scalars;

namespace Flambeau.Compile.Emit;

/// <summary>Writes lane operations as calls of the runtime's vector intrinsics, each of which the JIT turns into an instruction: for one width and one element type, the same choices as in the lanes of that width.</summary>
internal sealed class VectorCode
{
    static readonly Dictionary<(Type Holder, string Name, Type, Type?, Type?), MethodInfo> s_methods = []; // one name means different things: Avx.Min keeps no NaN

    readonly ILGenerator _il;
    readonly Type _element, _integer, _holder, _vectors;
    readonly Stack<LocalBuilder> _freeIntegers = [];

    // what is found by name below, kept when a program is trimmed
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Vector128)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Vector256)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Vector512))]
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicProperties, typeof(Vector128<>)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicProperties, typeof(Vector256<>)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicProperties, typeof(Vector512<>))]
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Avx512F)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Avx512F.VL)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Avx512DQ)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Avx)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Avx2))]
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Sse)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Sse2)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(Sse41))]
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(LaneMemory)), DynamicDependency(DynamicallyAccessedMemberTypes.PublicMethods, typeof(LaneWords<,>))]
    public VectorCode(ILGenerator il, int width, Type element)
    {
        (_il, Width, _element) = (il, width, element);
        _integer = element == typeof(double) ? typeof(long) : typeof(int);
        (_holder, _vectors) = width switch { 512 => (typeof(Vector512), typeof(Vector512<>)), 256 => (typeof(Vector256), typeof(Vector256<>)), _ => (typeof(Vector128), typeof(Vector128<>)) };
        Vector = VectorOf(element);
    }

    /// <summary>In bits.</summary>
    public int Width { get; }
    /// <summary>The type of a vector of lanes.</summary>
    public Type Vector { get; }
    /// <summary>Bytes of a lane.</summary>
    public int Size => _element == typeof(double) ? 8 : 4;
    /// <summary>Lanes of a vector.</summary>
    public int Count => Width / 8 / Size;

    bool IsDouble => _element == typeof(double);

    /// <summary>Writes the operation; <paramref name="push"/> writes an argument.</summary>
    public void Emit(LaneNode node, Action<LaneNode> push)
    {
        switch (node.Op)
        {
            case LaneOp.Constant: Constant(node.Value); break;
            case LaneOp.Bits: IntegerConstant(node.Payload); FromInteger(); break;
            case LaneOp.FusedMultiplyAdd: push(node.Args[0]); push(node.Args[1]); push(node.Args[2]); Call("FusedMultiplyAdd", Vector, Vector, Vector); break;
            case LaneOp.Select: Select(node, push); break;
            case LaneOp.Bound: Bound(node, push); break;
            case LaneOp.Scale or LaneOp.ScaleByFloor: Scale(node, push); break;
            case LaneOp.Table8 or LaneOp.Table16: Table(node); break;
            case LaneOp.Lookup8 or LaneOp.Lookup16: Lookup(node, push); break;
            case LaneOp.MultiplyHalves: MultiplyHalves(node, push); break;
            case LaneOp.XorWords: XorWords(node, push); break;
            case LaneOp.UpperHalves: Words(node.Args[0], push); MoveHalves("ShiftRightLogical"); FromWords(); break;
            case LaneOp.PairHalves: PairHalves(node, push); break;
            case LaneOp.ToIntegerBits: push(node.Args[0]); ToIntegerBits(); FromInteger(); break;
            case LaneOp.FromIntegerBits: push(node.Args[0]); FromIntegerBits(); break;
            case LaneOp.AddBits or LaneOp.SubtractBits or LaneOp.GreaterBits or LaneOp.EqualBits: Bits(node, push); break;
            case LaneOp.ShiftLeftBits or LaneOp.ShiftRightBits or LaneOp.ShiftRightSignBits: Shift(node, push); break;
            default:
                foreach (var arg in node.Args) push(arg);
                if (node.Args.Length == 1) Call(NameOf(node.Op), Vector);
                else Call(NameOf(node.Op), Vector, Vector);
                break;
        }
    }

    static string NameOf(LaneOp op) => op switch
    {
        LaneOp.Less => "LessThan",
        LaneOp.LessOrEqual => "LessThanOrEqual",
        LaneOp.Equal or LaneOp.EqualBits => "Equals",
        LaneOp.And => "BitwiseAnd",
        LaneOp.Or => "BitwiseOr",
        LaneOp.Not => "OnesComplement",
        LaneOp.AddBits => "Add",
        LaneOp.SubtractBits => "Subtract",
        LaneOp.GreaterBits => "GreaterThan",
        LaneOp.ShiftLeftBits => "ShiftLeft",
        LaneOp.ShiftRightBits => "ShiftRightLogical",
        LaneOp.ShiftRightSignBits => "ShiftRightArithmetic",
        _ => op.ToString(),
    };

    public void Constant(double value)
    {
        if (IsDouble) _il.Emit(OpCodes.Ldc_R8, value);
        else _il.Emit(OpCodes.Ldc_R4, (float)value);
        Create(_element);
    }

    /// <summary>The scalar on the stack in every lane.</summary>
    public void Create(Type scalar) => Call("Create", scalar);

    /// <summary>An address on the stack becomes the vector there.</summary>
    public void Load() => Call("Load", _element.MakePointerType());

    /// <summary>A vector and an address on the stack are consumed.</summary>
    public void Store() => Call("Store", Vector, _element.MakePointerType());

    /// <summary>The numbers 0, 1, 2, … in the lanes.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The runtime's own vectors.")]
    public void Indices() => _il.Emit(OpCodes.Call, Vector.GetProperty("Indices", BindingFlags.Public | BindingFlags.Static)!.GetMethod!);

    /// <summary>Two vectors on the stack become the mask of less.</summary>
    public void Less() => Call("LessThan", Vector, Vector);

    public void Add() => Call("Add", Vector, Vector);

    /// <summary>A vector on the stack becomes its lower or upper half.</summary>
    public void Half(string name) => Call(name, Vector);

    /// <summary>A vector of 128 bits on the stack: lane i gets what lane i + <paramref name="distance"/> has, around the end.</summary>
    public void Rotate(int distance)
    {
        for (int i = 0; i < Count; i++)
            if (IsDouble) _il.Emit(OpCodes.Ldc_I8, (long)(i + distance) % Count);
            else _il.Emit(OpCodes.Ldc_I4, (i + distance) % Count);
        _il.Emit(OpCodes.Call, typeof(Vector128).GetMethod("Create", [.. Enumerable.Repeat(_integer, Count)])!);
        Call("Shuffle", Vector, VectorOf(_integer));
    }

    /// <summary>A vector on the stack becomes its first lane.</summary>
    public void First() => Call("ToScalar", Vector);

    /// <summary>The same as a whole number of 32 bits: the lane's bits, their lower half where it has 64.</summary>
    public void FirstBits()
    {
        ToInteger();
        Call("ToScalar", VectorOf(_integer));
        if (IsDouble) _il.Emit(OpCodes.Conv_I4);
    }

    /// <summary>A vector of whole numbers becomes the same bits as lanes.</summary>
    public void FromInteger() => As(_integer, _element);

    /// <summary>Lanes become the same bits as whole numbers.</summary>
    public void ToInteger() => As(_element, _integer);

    void IntegerConstant(long bits)
    {
        if (IsDouble) _il.Emit(OpCodes.Ldc_I8, bits);
        else _il.Emit(OpCodes.Ldc_I4, (int)bits);
        Create(_integer);
    }

    void Bits(LaneNode node, Action<LaneNode> push)
    {
        foreach (var arg in node.Args)
        {
            push(arg);
            As(_element, _integer);
        }
        Call(NameOf(node.Op), VectorOf(_integer), VectorOf(_integer));
        FromInteger();
    }

    void Shift(LaneNode node, Action<LaneNode> push)
    {
        push(node.Args[0]);
        As(_element, _integer);
        Shift(NameOf(node.Op), _integer, (int)node.Payload);
        FromInteger();
    }

    void Shift(string name, Type lanes, int count)
    {
        _il.Emit(OpCodes.Ldc_I4, count);
        Call(name, VectorOf(lanes), typeof(int));
    }

    // without AVX-512 the JIT would take three instructions for what the blend does by the mask's sign bits
    void Select(LaneNode node, Action<LaneNode> push)
    {
        if (Blends is { } blends)
        {
            push(node.Args[2]); push(node.Args[1]); push(node.Args[0]);
            _il.Emit(OpCodes.Call, Method(blends, "BlendVariable", Vector, Vector, Vector));
            return;
        }
        push(node.Args[0]); push(node.Args[1]); push(node.Args[2]);
        Call("ConditionalSelect", Vector, Vector, Vector);
    }

    Type? Blends => Width == 512 || Avx512F.VL.IsSupported ? null : Width == 256 ? Avx.IsSupported ? typeof(Avx) : null : Sse41.IsSupported ? typeof(Sse41) : null;

    // x64's minimum and maximum yield the second operand if either is NaN: NaN passes
    void Bound(LaneNode node, Action<LaneNode> push)
    {
        var (x, min, max) = (node.Args[0], node.Args[1], node.Args[2]);
        if (Extremes is { } extremes)
        {
            bool isBelow = min.Op != LaneOp.Constant || min.Value != double.NegativeInfinity;
            if (isBelow) push(min);
            push(max); push(x);
            _il.Emit(OpCodes.Call, Method(extremes, "Min", Vector, Vector));
            if (isBelow) _il.Emit(OpCodes.Call, Method(extremes, "Max", Vector, Vector));
            return;
        }
        // x < min ? min : x > max ? max : x
        push(x); push(min); Less();
        push(min);
        push(max); push(x); Less();
        push(max); push(x);
        Call("ConditionalSelect", Vector, Vector, Vector);
        Call("ConditionalSelect", Vector, Vector, Vector);
    }

    Type? Extremes => Width switch { 512 => Avx512F.IsSupported ? typeof(Avx512F) : null, 256 => Avx.IsSupported ? typeof(Avx) : null, _ => !Sse2.IsSupported ? null : IsDouble ? typeof(Sse2) : typeof(Sse) };

    void ToIntegerBits()
    {
        if (!IsDouble)
        {
            Call("Round", Vector);
            Call("ConvertToInt32Native", Vector);
            return;
        }
        Constant(Kind.Shift);
        Add();
        As(_element, _integer);
        IntegerConstant(BitConverter.DoubleToInt64Bits(Kind.Shift));
        Call("Subtract", VectorOf(_integer), VectorOf(_integer));
    }

    void FromIntegerBits()
    {
        As(_element, _integer);
        if (!IsDouble) { Call("ConvertToSingle", VectorOf(_integer)); return; }
        IntegerConstant(BitConverter.DoubleToInt64Bits(Kind.Shift));
        Call("Add", VectorOf(_integer), VectorOf(_integer));
        FromInteger();
        Constant(Kind.Shift);
        Call("Subtract", Vector, Vector);
    }

    void Scale(LaneNode node, Action<LaneNode> push)
    {
        if (Width == 512 ? Avx512F.IsSupported : Avx512F.VL.IsSupported)
        {
            push(node.Args[0]); push(node.Args[1]);
            _il.Emit(OpCodes.Call, Method(Width == 512 ? typeof(Avx512F) : typeof(Avx512F.VL), "Scale", Vector, Vector));
            return;
        }
        LocalBuilder whole = RentInteger(), half = RentInteger();
        push(node.Args[1]);
        if (node.Op == LaneOp.ScaleByFloor) Call("Floor", Vector);
        if (IsDouble) ToIntegerBits();
        else Call("ConvertToInt32Native", Vector);
        _il.Emit(OpCodes.Stloc, whole);
        _il.Emit(OpCodes.Ldloc, whole);
        if (IsDouble) As(typeof(long), typeof(int)); // the count fits 32 bits, and AVX2 lacks the 64-bit arithmetic shift
        Shift("ShiftRightArithmetic", typeof(int), 1);
        if (IsDouble) As(typeof(int), typeof(long));
        _il.Emit(OpCodes.Stloc, half);
        push(node.Args[0]);
        _il.Emit(OpCodes.Ldloc, half);
        PowerOfTwo();
        Call("Multiply", Vector, Vector);
        _il.Emit(OpCodes.Ldloc, whole);
        _il.Emit(OpCodes.Ldloc, half);
        Call("Subtract", VectorOf(_integer), VectorOf(_integer));
        PowerOfTwo();
        Call("Multiply", Vector, Vector);
        _freeIntegers.Push(whole);
        _freeIntegers.Push(half);
    }

    void PowerOfTwo()
    {
        IntegerConstant(IsDouble ? 1023 : 127);
        Call("Add", VectorOf(_integer), VectorOf(_integer));
        Shift("ShiftLeft", _integer, IsDouble ? 52 : 23);
        FromInteger();
    }

    // ---- tables ----

    void Table(LaneNode node)
    {
        Address(node.Payload);
        if (Width < 512 || node.Op == LaneOp.Table16) Load();
        else if (Avx512DQ.IsSupported) _il.Emit(OpCodes.Call, Method(typeof(Avx512DQ), "BroadcastVector256ToVector512", typeof(float*)));
        else _il.Emit(OpCodes.Call, typeof(LaneMemory).GetMethod("Twice")!);
    }

    void At(long address)
    {
        Address(address);
        Load();
    }

    void Address(long address)
    {
        _il.Emit(OpCodes.Ldc_I8, address);
        _il.Emit(OpCodes.Conv_U);
    }

    void Lookup(LaneNode node, Action<LaneNode> push)
    {
        var (index, table) = (node.Args[0], node.Args[1]);
        bool isLong = node.Op == LaneOp.Lookup16;
        if (Width == 512 && Avx512DQ.IsSupported) Permute(typeof(Avx512F), "PermuteVar16x32", index, table, push);
        else if (Width == 256 && !isLong && Avx2.IsSupported) Permute(typeof(Avx2), "PermuteVar8x32", index, table, push);
        else if (Width == 256 && Avx512F.VL.IsSupported)
        {
            push(table); Index(index, push); At(table.Payload + 32);
            _il.Emit(OpCodes.Call, Method(typeof(Avx512F.VL), "PermuteVar8x32x2", Vector, VectorOf(_integer), Vector));
        }
        else if (Width == 256 && Avx2.IsSupported)
        {
            // the index's fourth bit, as the sign, takes from the upper half
            Permute(typeof(Avx2), "PermuteVar8x32", index, table, push);
            At(table.Payload + 32); Index(index, push);
            _il.Emit(OpCodes.Call, Method(typeof(Avx2), "PermuteVar8x32", Vector, VectorOf(_integer)));
            Index(index, push); Shift("ShiftLeft", _integer, 28); FromInteger();
            _il.Emit(OpCodes.Call, Method(typeof(Avx), "BlendVariable", Vector, Vector, Vector));
        }
        else
        {
            push(index); Address(table.Payload);
            _il.Emit(OpCodes.Call, typeof(LaneMemory).GetMethod($"Lookup{(isLong ? 16 : 8)}", [Vector, typeof(float*)])!);
        }
    }

    void Permute(Type holder, string name, LaneNode index, LaneNode table, Action<LaneNode> push)
    {
        push(table); Index(index, push);
        _il.Emit(OpCodes.Call, Method(holder, name, Vector, VectorOf(_integer)));
    }

    void Index(LaneNode index, Action<LaneNode> push)
    {
        push(index);
        ToInteger();
    }

    // ---- words of 64 bits ----

    // As the lanes do it, but without their methods: a loop has so many of these operations that the JIT would leave calls.

    /// <summary>The number of a block on the stack becomes those of as many as there are words (<see cref="IWords{S}.Blocks"/>).</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2080", Justification = "The intrinsics' classes are those that the lanes use; where dynamic code is supported they are whole.")]
    public void Blocks()
    {
        int words = Width / 64;
        Create(typeof(ulong));
        for (int i = 0; i < words; i++) _il.Emit(OpCodes.Ldc_I8, (long)(i % 2 * (words / 2) + i / 2));
        _il.Emit(OpCodes.Call, _holder.GetMethod("Create", [.. Enumerable.Repeat(typeof(ulong), words)])!);
        Call("Add", VectorOf(typeof(ulong)), VectorOf(typeof(ulong)));
        FromWords();
    }

    /// <summary>Writes the first or the second of two vectors interleaved.</summary>
    public void Interleave(LaneNode node, Action<LaneNode> push, bool second)
    {
        if (Products is not { } holder) { Fallback(node, push, second ? "Second" : "First"); return; }
        foreach (var arg in node.Args) Words(arg, push);
        _il.Emit(OpCodes.Call, Method(holder, second ? "UnpackHigh" : "UnpackLow", VectorOf(typeof(ulong)), VectorOf(typeof(ulong))));
        FromWords();
    }

    void MultiplyHalves(LaneNode node, Action<LaneNode> push)
    {
        if (Products is not { } holder) { Fallback(node, push, "MultiplyHalves"); return; }
        foreach (var arg in node.Args)
        {
            push(arg);
            As(_element, typeof(uint));
        }
        _il.Emit(OpCodes.Call, Method(holder, "Multiply", VectorOf(typeof(uint)), VectorOf(typeof(uint))));
        FromWords();
    }

    void XorWords(LaneNode node, Action<LaneNode> push)
    {
        foreach (var arg in node.Args)
        {
            Words(arg, push);
            if (arg != node.Args[0]) Call("Xor", VectorOf(typeof(ulong)), VectorOf(typeof(ulong)));
        }
        FromWords();
    }

    void PairHalves(LaneNode node, Action<LaneNode> push)
    {
        Words(node.Args[0], push);
        _il.Emit(OpCodes.Ldc_I8, (long)uint.MaxValue);
        Create(typeof(ulong));
        Call("BitwiseAnd", VectorOf(typeof(ulong)), VectorOf(typeof(ulong)));
        Words(node.Args[1], push);
        MoveHalves("ShiftLeft");
        Call("BitwiseOr", VectorOf(typeof(ulong)), VectorOf(typeof(ulong)));
        FromWords();
    }

    Type? Products => Width switch { 512 => Avx512F.IsSupported ? typeof(Avx512F) : null, 256 => Avx2.IsSupported ? typeof(Avx2) : null, _ => Sse2.IsSupported ? typeof(Sse2) : null };

    void Words(LaneNode arg, Action<LaneNode> push)
    {
        push(arg);
        As(_element, typeof(ulong));
    }

    void FromWords() => As(typeof(ulong), _element);

    void MoveHalves(string name) => Shift(name, typeof(ulong), 32);

    void Fallback(LaneNode node, Action<LaneNode> push, string name)
    {
        foreach (var arg in node.Args) push(arg);
        _il.Emit(OpCodes.Call, (Width switch
        {
            512 => typeof(LaneWords<Vector512<float>, Lanes512<float>>).GetMethod(name),
            256 => typeof(LaneWords<Vector256<float>, Lanes256<float>>).GetMethod(name),
            _ => typeof(LaneWords<Vector128<float>, Lanes128<float>>).GetMethod(name),
        })!);
    }

    LocalBuilder RentInteger() => _freeIntegers.TryPop(out var local) ? local : _il.DeclareLocal(VectorOf(_integer));

    // ---- the runtime's methods ----

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Code is emitted only where dynamic code is supported.")]
    [UnconditionalSuppressMessage("Trimming", "IL2055", Justification = "Vectors of the lanes' types are used by the lanes themselves.")]
    Type VectorOf(Type element) => _vectors.MakeGenericType(element);

    void Call(string name, Type a, Type? b = null, Type? c = null) => _il.Emit(OpCodes.Call, Method(_holder, name, a, b, c));

    void As(Type from, Type to)
    {
        if (from == to) return;
        var key = (_holder, "As", from, to, (Type?)null);
        lock (s_methods)
        {
            if (!s_methods.TryGetValue(key, out var method)) s_methods.Add(key, method = Made(Find(_holder, "As", m => m.GetGenericArguments().Length == 2), from, to));
            _il.Emit(OpCodes.Call, method);
        }
    }

    MethodInfo Method(Type holder, string name, Type a, Type? b = null, Type? c = null)
    {
        var key = (holder, name, a, b, c);
        lock (s_methods)
        {
            if (s_methods.TryGetValue(key, out var known)) return known;
            Type[] wanted = c is not null ? [a, b!, c] : b is not null ? [a, b] : [a];
            var element = a.IsGenericType ? a.GenericTypeArguments[0] : a.IsPointer ? a.GetElementType()! : a;
            var method = Find(holder, name, m => Matches(m, wanted, element));
            return s_methods[key] = method.IsGenericMethodDefinition ? Made(method, element) : method;
        }
    }

    static bool Matches(MethodInfo method, Type[] wanted, Type element)
    {
        if (method.GetParameters().Length != wanted.Length) return false;
        if (!method.IsGenericMethodDefinition) return method.GetParameters().Select(p => p.ParameterType).SequenceEqual(wanted);
        return method.GetGenericArguments().Length == 1 && Made(method, element).GetParameters().Select(p => p.ParameterType).SequenceEqual(wanted);
    }

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Code is emitted only where dynamic code is supported.")]
    [UnconditionalSuppressMessage("Trimming", "IL2060", Justification = "The intrinsics' type arguments have no requirements.")]
    static MethodInfo Made(MethodInfo method, params Type[] arguments) => method.MakeGenericMethod(arguments);

    // by exact types first: a generic overload may fit too
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The intrinsics' classes are those that the lanes use; where dynamic code is supported they are whole: the constructor's dependencies.")]
    static MethodInfo Find(Type holder, string name, Func<MethodInfo, bool> fits)
    {
        var found = holder.GetMember(name, MemberTypes.Method, BindingFlags.Public | BindingFlags.Static).Cast<MethodInfo>().Where(fits).ToList();
        return found.Find(m => !m.IsGenericMethodDefinition) ?? found.FirstOrDefault() ?? throw new MissingMethodException(holder.Name, name);
    }
}
