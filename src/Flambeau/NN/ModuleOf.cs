namespace Flambeau.NN;

/// <summary>
/// A module that maps one value to another. Subclasses override <see cref="Forward"/>; users write <see cref="Call"/>, which runs the hooks too and lets errors name the module
/// (PyTorch: <c>forward</c> and <c>__call__</c>).
/// </summary>
/// <typeparam name="TIn">What goes in: a tensor, a tuple, a record.</typeparam>
/// <typeparam name="TOut">What comes out.</typeparam>
public abstract class Module<TIn, TOut> : Module
{
    Hooks<Func<TIn, TIn>>? _before;
    Hooks<Func<TIn, TOut, TOut>>? _after;

    /// <summary>The computation. Call it through <see cref="Call"/>.</summary>
    protected abstract TOut Forward(TIn x);

    /// <summary>True if a call leaves neither its input nor its output with anybody else: the framework's own modules without hooks.</summary>
    internal virtual bool KeepsNothing => _before is null && _after is null && _isOurs;
    readonly bool _isOurs;

    /// <summary>A module.</summary>
    protected Module() => _isOurs = GetType().Assembly == typeof(Module).Assembly;

    /// <summary>Runs the module: hooks before, <see cref="Forward"/>, hooks after.</summary>
    /// <exception cref="FlambeauException">As thrown inside, with the path of the module it happened in.</exception>
    public TOut Call(TIn x)
    {
        Calls.Enter(this);
        try
        {
            if (_before is not null) foreach (var hook in _before.All) x = hook(x);
            var y = Forward(x);
            if (_after is not null) foreach (var hook in _after.All) y = hook(x, y);
            return y;
        }
        catch (FlambeauException e) when (!Calls.IsNoted(e)) { throw Calls.Note(e, this); }
        finally { Calls.Leave(); }
    }

    /// <summary>Calls <paramref name="hook"/> before each forward pass with the input; what it returns goes in instead (PyTorch: <c>register_forward_pre_hook</c>). Dispose of the result to remove it.</summary>
    public IDisposable RegisterForwardPreHook(Func<TIn, TIn> hook) => (_before ??= new()).Add(hook);

    /// <summary>Calls <paramref name="hook"/> after each forward pass with input and output; what it returns comes out instead (PyTorch: <c>register_forward_hook</c>). Dispose of the result to remove it.</summary>
    public IDisposable RegisterForwardHook(Func<TIn, TOut, TOut> hook) => (_after ??= new()).Add(hook);
}

/// <summary>A module of two inputs: an input and a target, a query and its context. As <see cref="Module{TIn, TOut}"/>.</summary>
/// <typeparam name="TIn1">The first input.</typeparam>
/// <typeparam name="TIn2">The second input.</typeparam>
/// <typeparam name="TOut">What comes out.</typeparam>
public abstract class Module<TIn1, TIn2, TOut> : Module
{
    Hooks<Func<TIn1, TIn2, (TIn1, TIn2)>>? _before;
    Hooks<Func<TIn1, TIn2, TOut, TOut>>? _after;

    /// <summary>The computation. Call it through <see cref="Call"/>.</summary>
    protected abstract TOut Forward(TIn1 x, TIn2 y);

    /// <summary>Runs the module: hooks before, <see cref="Forward"/>, hooks after.</summary>
    /// <exception cref="FlambeauException">As thrown inside, with the path of the module it happened in.</exception>
    public TOut Call(TIn1 x, TIn2 y)
    {
        Calls.Enter(this);
        try
        {
            if (_before is not null) foreach (var hook in _before.All) (x, y) = hook(x, y);
            var z = Forward(x, y);
            if (_after is not null) foreach (var hook in _after.All) z = hook(x, y, z);
            return z;
        }
        catch (FlambeauException e) when (!Calls.IsNoted(e)) { throw Calls.Note(e, this); }
        finally { Calls.Leave(); }
    }

    /// <summary>Calls <paramref name="hook"/> before each forward pass; what it returns goes in instead. Dispose of the result to remove it.</summary>
    public IDisposable RegisterForwardPreHook(Func<TIn1, TIn2, (TIn1, TIn2)> hook) => (_before ??= new()).Add(hook);

    /// <summary>Calls <paramref name="hook"/> after each forward pass; what it returns comes out instead. Dispose of the result to remove it.</summary>
    public IDisposable RegisterForwardHook(Func<TIn1, TIn2, TOut, TOut> hook) => (_after ??= new()).Add(hook);
}
