namespace Flambeau;

/// <summary>What a process fixes for all its tensors.</summary>
public static class Settings
{
    /// <summary>How many threads share the work of one operator, the caller included; by default the processor's physical cores. Results have the same bits at any number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1 or more than 1024.</exception>
    public static int Threads
    {
        get => Runtime.Team.Threads;
        set => Runtime.Team.Threads = value;
    }

    /// <summary>Bytes of large tensors that are in use now, the most ever in use, and what was taken from the operating system.</summary>
    public static (long Live, long Peak, long Reserved) Memory => (Runtime.StoragePool.LiveBytes, Runtime.StoragePool.PeakBytes, Runtime.StoragePool.CreatedBytes);

    /// <summary>
    /// False runs what would be compiled to machine code with loops that are compiled ahead of time: the same bits, slower. By default true where the runtime can compile at run time.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">Set to true where the runtime cannot (a program compiled ahead of time).</exception>
    public static bool CodeGeneration
    {
        get;
        set => field = !value || System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? value
            : throw new PlatformNotSupportedException("Settings.CodeGeneration: this program was compiled ahead of time and cannot compile loops; leave it false.");
    } = System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported;

    /// <summary>
    /// True has a second core compile what a first training step needs, by a small step of its own, when the process makes its first parameter: a first step ends sooner, a program that never trains computes some tenths of a
    /// second for nothing. Set it before that. Results do not depend on it.
    /// </summary>
    public static bool WarmUp { get; set; } = true;

    /// <summary>How many loops were compiled in this process, and how long that took.</summary>
    public static (long Loops, TimeSpan Time) Compiled => Compile.Emit.EmittedPass.Compiled;

    /// <summary>False runs composites (softmax, norms) operator by operator instead of in one pass over their rows: the same bits, slower. For comparing and for finding errors.</summary>
    public static bool Fusion { get; set; } = true;
}
