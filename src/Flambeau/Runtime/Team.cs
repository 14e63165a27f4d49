using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Flambeau.Runtime;

/// <summary>Work cut into numbered parts. A part does the same whoever runs it, so results never depend on the number of threads.</summary>
internal interface IPart
{
    /// <summary>Does part <paramref name="part"/>.</summary>
    void Run(int part);
}

/// <summary>
/// The one spinning team of threads of the process. A job is a fixed number of parts; whoever is free claims the next part, and the caller takes its share,
/// so a worker that lost its core delays nothing but the part it holds. A caller that finds the team busy (another thread's job, or a part that starts a job itself)
/// runs all its parts alone: the same parts, so the same bits.
/// </summary>
internal static unsafe class Team
{
    /// <summary>From this many cheap element operations a job pays while the workers still spin.</summary>
    public const long PaysFrom = 16_384;
    /// <summary>From this many cheap element operations a job pays even when it must wake parked workers (30–50 µs).</summary>
    public const long PaysFromParked = 262_144;

    /// <summary>From this many on a caller that brings them again and again is worth waking workers for.</summary>
    const long MissedFrom = 65_536;

    const int MaxThreads = 1024;
    const double SpinMicroseconds = 150;

    static readonly Lock Starting = new();
    static readonly Worker[] Workers = new Worker[MaxThreads];
    static volatile int started;
    static volatile int threads = Processor.Cores;

    // The job. `ticket` holds its number above and the parts not yet claimed below: only a live job has unclaimed parts, so a claim that succeeds has read the fields of that job.
    static delegate*<int, void*, void> job;
    static void* jobState;
    static int jobParts;
    static Exception? failure;
    static Line busy, ticket, finished, parked;
    [ThreadStatic] static bool inside;

    /// <summary>How many threads share a job, the caller included. At least 1; by default the processor's physical cores. Never changes a result.</summary>
    public static int Threads
    {
        get => threads;
        set
        {
            if (value is < 1 or > MaxThreads)
                throw new ArgumentOutOfRangeException(nameof(value), value, $"Threads: {value} is not between 1 and {MaxThreads}; use 1 to stay on the calling thread.");
            threads = value;
        }
    }

    /// <summary>How many threads a job started here and now would share: 1 inside a part. Only for cuts that cannot change a result.</summary>
    public static int Share => inside ? 1 : threads;

    /// <summary>This thread runs all parts of its jobs itself from now on: the team is for others.</summary>
    public static void StayAlone() => inside = true;

    /// <summary>True while workers spin, so that a job costs them well under a microsecond to begin; false once they are parked or before the first job.</summary>
    public static bool Awake => started > 0 && Volatile.Read(ref parked.Value) < started && !Crowded;

    // several callers have the cores busy already: what is small is not shared, and the workers go to sleep
    static bool Crowded => Stopwatch.GetTimestamp() - Volatile.Read(ref crowdedAt) < Stopwatch.Frequency / 500;
    static long crowdedAt = -Stopwatch.Frequency;

    /// <summary>True if a job of so many cheap element operations pays now. Small ones, by far the most, are answered without a look at the machine; large ones that only an awake team would have shared count as <see cref="Missed"/>.</summary>
    public static bool Pays(long operations)
    {
        if (operations < PaysFrom) return false;
        if (operations >= Threshold) return true;
        if (operations >= MissedFrom && Share > 1) Missed();
        return false;
    }

    /// <summary>From how many cheap element operations a job pays now.</summary>
    public static long Threshold => Share == 1 ? long.MaxValue : Awake ? PaysFrom : PaysFromParked;

    const int MissesToWake = 3;
    const double MissesWithin = 1000; // microseconds
    static int missed, missedBy;
    static long missedSince;

    /// <summary>
    /// Told of work that an awake team would have shared and a parked one would not. A caller that brings several such pieces in quick succession, as the steps of a small model do, wakes the workers for the
    /// next; several callers in turn do not, since they have the cores busy already. Fields are read and written without care: a lost count delays a waking, no more.
    /// </summary>
    public static void Missed()
    {
        int me = Environment.CurrentManagedThreadId;
        long now = Stopwatch.GetTimestamp();
        bool recent = now - missedSince <= MissesWithin * Stopwatch.Frequency / 1e6;
        if (missedBy != me && recent) crowdedAt = now;
        if (missedBy != me || !recent) (missedBy, missedSince, missed) = (me, now, 0);
        if (++missed < MissesToWake || threads == 1 || inside || Crowded) return;
        missed = 0;
        int others = threads - 1;
        if (started < others) Start(others);
        for (int i = 0; i < others; i++) Workers[i].Wake();
    }

    /// <summary>Runs parts 0 … <paramref name="parts"/> − 1 of <paramref name="body"/>, in no order, and returns when all are done. No allocation.</summary>
    /// <exception cref="Exception">The first exception of a part; the other parts may or may not have run.</exception>
    public static void Run<TBody>(int parts, ref TBody body) where TBody : struct, IPart
    {
        if (parts <= 1 || threads == 1 || inside)
        {
            for (int i = 0; i < parts; i++) body.Run(i);
            return;
        }
        fixed (byte* state = &Unsafe.As<TBody, byte>(ref body)) Run(parts, &Call<TBody>, state);
    }

    static void Call<TBody>(int part, void* state) where TBody : struct, IPart => Unsafe.AsRef<TBody>(state).Run(part);

    /// <summary>As the generic form, with a function and its state; <paramref name="state"/> must stay in place until the return.</summary>
    public static void Run(int parts, delegate*<int, void*, void> body, void* state)
    {
        bool alone = parts <= 1 || threads == 1 || inside;
        if (alone || Interlocked.CompareExchange(ref busy.Value, 1, 0) != 0)
        {
            if (!alone) Volatile.Write(ref crowdedAt, Stopwatch.GetTimestamp());
            for (int i = 0; i < parts; i++) body(i, state);
            return;
        }
        Exception? thrown;
        inside = true;
        try
        {
            Publish(parts, body, state);
            int mine = 0;
            while (Claim()) mine++;
            Join(parts - mine);
            thrown = failure;
            failure = null;
        }
        finally
        {
            inside = false;
            Volatile.Write(ref busy.Value, 0);
        }
        if (thrown is not null) ExceptionDispatchInfo.Throw(thrown);
    }

    static void Publish(int parts, delegate*<int, void*, void> body, void* state)
    {
        int others = Math.Min(threads, parts) - 1;
        if (started < others) Start(others);
        job = body;
        jobState = state;
        jobParts = parts;
        finished.Value = 0;
        Interlocked.Exchange(ref ticket.Value, ((ticket.Value >> 32) + 1) << 32 | (uint)parts); // a full fence: a worker about to park sees the job, or we see it parked
        if (Volatile.Read(ref parked.Value) == 0) return;
        for (int i = 0; i < others; i++) Workers[i].Wake();
    }

    /// <summary>Claims the next part of the current job and does it; false if none is left.</summary>
    static bool Claim()
    {
        for (; ; )
        {
            long seen = Volatile.Read(ref ticket.Value);
            uint left = (uint)seen;
            if (left == 0) return false;
            var body = job;
            void* state = jobState;
            int part = jobParts - (int)left;
            if (Interlocked.CompareExchange(ref ticket.Value, seen - 1, seen) != seen) continue;
            try
            {
                body(part, state);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
            return true;
        }
    }

    /// <summary>Waits for the parts the workers hold: spins, and after a while offers this core to whoever needs it.</summary>
    static void Join(int theirs)
    {
        for (int spins = 0; Volatile.Read(ref finished.Value) != theirs; spins++)
        {
            if (spins < 1000) Thread.SpinWait(1);
            else Thread.Yield();
        }
    }

    static void Start(int count)
    {
        lock (Starting)
            while (started < count)
            {
                Workers[started] = new Worker(started);
                started++;
            }
    }

    sealed class Worker
    {
        readonly int index;
        readonly SemaphoreSlim wake = new(0);
        int asleep;

        public Worker(int index)
        {
            this.index = index;
            new Thread(Work) { IsBackground = true, Name = $"Flambeau team {index + 1}" }.Start();
        }

        void Work()
        {
            inside = true;
            for (; ; )
            {
                if (index < threads - 1 && Claim()) Interlocked.Increment(ref finished.Value);
                else if (!Spin()) Park();
            }
        }

        /// <summary>Waits a little for a job with unclaimed parts, yielding often so that a busy core goes to others.</summary>
        bool Spin()
        {
            long end = Stopwatch.GetTimestamp() + (long)(SpinMicroseconds * Stopwatch.Frequency / 1e6);
            if (index >= threads - 1) return false;
            do
            {
                for (int i = 0; i < 128; i++)
                {
                    if ((uint)Volatile.Read(ref ticket.Value) != 0) return true;
                    Thread.SpinWait(1);
                }
                Thread.Yield();
            }
            while (Stopwatch.GetTimestamp() < end);
            return false;
        }

        void Park()
        {
            Interlocked.Increment(ref parked.Value);
            Interlocked.Exchange(ref asleep, 1);
            bool work = index < threads - 1 && (uint)Volatile.Read(ref ticket.Value) != 0;
            // Whoever resets `asleep` decides: if a caller did, its permit is on the way and must be taken.
            if (!work || Interlocked.CompareExchange(ref asleep, 0, 1) == 0) wake.Wait();
            Interlocked.Decrement(ref parked.Value);
        }

        public void Wake()
        {
            if (Volatile.Read(ref asleep) == 1 && Interlocked.CompareExchange(ref asleep, 0, 1) == 1) wake.Release();
        }
    }

    /// <summary>A counter alone on its cache lines.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    struct Line
    {
        [System.Runtime.InteropServices.FieldOffset(128)] public long Value;
    }
}
