namespace Flambeau;

/// <summary>Whether operators are recorded for differentiation on this thread.</summary>
internal static class GradMode
{
    [ThreadStatic] static int t_disabled;

    public static bool Enabled => t_disabled == 0;

    internal static int Exchange(int disabled)
    {
        int before = t_disabled;
        t_disabled = disabled;
        return before;
    }
}

/// <summary>
/// A scope in which nothing is recorded for differentiation: <c>using var _ = Autograd.NoGrad();</c> (PyTorch: <c>torch.no_grad()</c>).
/// A <c>ref struct</c>: it cannot cross an <c>await</c> and leak onto another thread.
/// </summary>
public readonly ref struct GradScope
{
    readonly int _before;
    internal GradScope(bool enable) => _before = GradMode.Exchange(enable ? 0 : 1);
    /// <summary>Restores what was before.</summary>
    public void Dispose() => GradMode.Exchange(_before);
}
