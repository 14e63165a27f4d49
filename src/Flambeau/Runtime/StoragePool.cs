using System.Numerics;
using System.Runtime;
using System.Runtime.InteropServices;

namespace Flambeau.Runtime;

/// <summary>
/// Native blocks without <c>Dispose</c>. A block goes back when neither a living <c>Tensor</c> nor the tape needs it. The tape's needs are counted exactly;
/// handles are watched by weak references, which a forced young collection clears at the moments when it pays: when leases outgrow a budget, and at the entry of <c>Backward</c>,
/// where the locals of the forward pass are dead. docs/design/memory.md has the measurements behind each rule.
/// </summary>
internal static unsafe class StoragePool
{
    const long MB = 1 << 20;
    const int Page = 4096;
    const int SmallestClassBits = 16;
    const int Staggered = 32 * Page; // blocks from this size

    /// <summary>One watched holder of a storage: a tensor (a handle) or a tape node.</summary>
    internal sealed class Watch
    {
        internal GCHandle Weak;
        internal Storage? Storage; // null once dropped
        internal bool OfTape;
    }

    static readonly object s_lock = new();
    static readonly Stack<nint>[] s_free = NewLists(); // one list a size class
    static readonly long[] s_lastUse = new long[s_free.Length]; // of a size class, in leases
    static readonly Stack<GCHandle> s_spareHandles = new();
    static Watch[] s_watches = new Watch[1024];
    static int s_watchCount;

    static long s_live, s_created, s_freeBytes, s_peak, s_leases;
    static long s_untaped;     // bytes held by handles alone: what a collection could free
    static long s_tape;        // bytes held by the tape
    // what was left after the last young and the last full collection
    static long s_untapedAfterYoung, s_tapeAfterYoung, s_untapedAfterFull, s_tapeAfterFull;
    static long s_learnedTape; // the tape's usual peak: a training forward forces nothing
    static int s_lastSweepGeneration0 = -1;
    static int s_fullRunning;
    static uint s_stagger;

    static Stack<nint>[] NewLists()
    {
        var lists = new Stack<nint>[200];
        for (int i = 0; i < lists.Length; i++) lists[i] = new();
        return lists;
    }

    /// <summary>Bytes leased now.</summary>
    public static long LiveBytes => Volatile.Read(ref s_live);
    /// <summary>The most bytes ever leased at once.</summary>
    public static long PeakBytes => Volatile.Read(ref s_peak);
    /// <summary>Room for those who need a storage: some multiple of how many there are, however many there were.</summary>
    internal static int WatchRoom { get { lock (s_lock) return s_watches.Length; } }
    /// <summary>Bytes got from the operating system, leased or free.</summary>
    public static long CreatedBytes => Volatile.Read(ref s_created);

    // four size classes an octave: at most a quarter is wasted
    static int ClassOf(long bytes, out long rounded)
    {
        int exponent = 63 - BitOperations.LeadingZeroCount((ulong)(bytes - 1));
        long quantum = 1L << (exponent - 2);
        rounded = (bytes + quantum - 1) / quantum * quantum;
        int quarter = (int)((rounded >> (exponent - 2)) & 3) + (rounded == 2L << exponent ? 4 : 0);
        return (exponent - SmallestClassBits + 1) * 4 + quarter;
    }

    // the size of a class's blocks
    internal static long BytesOf(int sizeClass)
    {
        int exponent = (sizeClass >> 2) + SmallestClassBits - 1;
        return (4L + (sizeClass & 3)) << (exponent - 2);
    }

    public static Storage Lease(long bytes)
    {
        int sizeClass = ClassOf(bytes, out long rounded);
        nint block;
        lock (s_lock)
        {
            MakeRoom();
            s_lastUse[sizeClass] = ++s_leases;
            s_live += rounded;
            s_peak = Math.Max(s_peak, s_live);
            if (s_free[sizeClass].TryPop(out block)) s_freeBytes -= rounded;
            else
            {
                s_created += rounded;
                if (s_givenBack[sizeClass] > 0)
                {
                    s_givenBack[sizeClass]--;
                    s_regretted = Math.Min(s_regretted + rounded, s_peak / 8);
                }
                GiveBack();
            }
        }
        if (block == 0) block = NewBlock(rounded);
        return new((void*)block, sizeClass);
    }

    // Equal offsets of several arrays within a page cost up to a third of the bandwidth: successive blocks start 576 bytes further into theirs.
    static nint NewBlock(long bytes)
    {
        uint offset = bytes >= Staggered ? Interlocked.Add(ref s_stagger, 576) % Page / 64 * 64 : 0;
        nuint size = (nuint)bytes + offset;
        var block = (nint)NativeMemory.AlignedAlloc(size, (nuint)AlignmentOf(bytes));
        if (HugePages.Suit(bytes)) HugePages.Ask(block, size);
        return block + (nint)offset;
    }

    static int AlignmentOf(long bytes) => HugePages.Suit(bytes) ? HugePages.Size : bytes >= Staggered ? Page : 64;

    static void DeleteBlock(nint block, long bytes) => NativeMemory.AlignedFree((void*)(block / AlignmentOf(bytes) * AlignmentOf(bytes)));

    static readonly int[] s_givenBack = new int[s_free.Length]; // blocks of a size class that went back and were not missed so far
    static long s_regretted; // bytes that went back and were needed again

    // A new block was needed while others lie unused: what was longest without use goes back to the system, so that sizes of the past (initialization, another batch) do not add up.
    // What is needed again is kept from then on: a step whose sizes come and go would else fetch and clear the same memory every time.
    static void GiveBack()
    {
        while (s_created > s_peak + Math.Max(16 * MB, s_peak / 8) + s_regretted && LongestUnused() is >= 0 and int unused)
        {
            s_givenBack[unused]++;
            DeleteBlock(s_free[unused].Pop(), BytesOf(unused));
            s_freeBytes -= BytesOf(unused);
            s_created -= BytesOf(unused);
        }
    }

    static int LongestUnused()
    {
        int found = -1;
        for (int i = 0; i < s_free.Length; i++)
            if (s_free[i].Count > 0 && (found < 0 || s_lastUse[i] < s_lastUse[found])) found = i;
        return found;
    }

    static void Free(Storage storage)
    {
        var block = storage.TakeBlock();
        if (block == null) return;
        s_live -= storage.Bytes;
        s_freeBytes += storage.Bytes;
        s_free[storage.SizeClass].Push((nint)block);
    }

    // ---- who needs a storage ----

    /// <summary>Counts <paramref name="holder"/>, a tensor, as needing the storage until it is collected or <see cref="Drop"/> is called.</summary>
    public static Watch AddHandle(object holder, Storage storage)
    {
        lock (s_lock)
        {
            if (storage.Handles++ == 0 && storage.Tape == 0) s_untaped += storage.Bytes;
            return Register(holder, storage, ofTape: false);
        }
    }

    /// <summary>Counts <paramref name="holder"/>, a tape node, as needing the storage.</summary>
    public static Watch AddTape(object holder, Storage storage)
    {
        lock (s_lock)
        {
            if (storage.Tape++ == 0)
            {
                s_tape += storage.Bytes;
                if (storage.Handles > 0) s_untaped -= storage.Bytes;
            }
            return Register(holder, storage, ofTape: true);
        }
    }

    public static void Drop(Watch watch)
    {
        lock (s_lock) DropLocked(watch);
    }

    static void DropLocked(Watch watch)
    {
        if (watch.Storage is not { } s) return;
        watch.Storage = null;
        if (watch.OfTape)
        {
            if (--s.Tape > 0) return;
            s_tape -= s.Bytes;
            if (s_tape == 0) s_tapeEnded = Environment.TickCount64;
            if (s.Handles == 0) Free(s);
            else s_untaped += s.Bytes;
        }
        else if (--s.Handles == 0 && s.Tape == 0)
        {
            s_untaped -= s.Bytes;
            Free(s);
        }
    }

    static Watch Register(object holder, Storage storage, bool ofTape)
    {
        if (s_spareHandles.TryPop(out var weak)) weak.Target = holder;
        else weak = GCHandle.Alloc(holder, GCHandleType.Weak);
        var watch = new Watch { Weak = weak, Storage = storage, OfTape = ofTape };
        if (s_watchCount == s_watches.Length)
        {
            Compact();
            if (s_watchCount > s_watches.Length / 2) Array.Resize(ref s_watches, s_watches.Length * 2);
        }
        s_watches[s_watchCount++] = watch;
        return watch;
    }

    static void Retire(Watch watch)
    {
        watch.Weak.Target = null;
        s_spareHandles.Push(watch.Weak);
    }

    // forgets watches already dropped, without asking who lives
    static void Compact()
    {
        int kept = 0;
        for (int i = 0; i < s_watchCount; i++)
        {
            var watch = s_watches[i];
            if (watch.Storage is null) Retire(watch);
            else s_watches[kept++] = watch;
        }
        Array.Clear(s_watches, kept, s_watchCount - kept);
        s_watchCount = kept;
    }

    static void Sweep()
    {
        s_lastSweepGeneration0 = GC.CollectionCount(0);
        for (int i = 0; i < s_watchCount; i++)
            if (s_watches[i] is { Storage: not null } watch && watch.Weak.Target is null) DropLocked(watch);
        Compact();
    }

    // ---- when to collect ----

    static long Quantum => Math.Max(256 * MB, s_live / 4);

    static bool OverBudget => s_untaped - s_untapedAfterYoung > Quantum || s_tape - s_tapeAfterYoung > Math.Max(Quantum, s_learnedTape);

    static readonly long NearBytes = Math.Max(Processor.L3 / 2, 16 * MB);
    const int MillisecondsBetween = 20;
    const int MillisecondsUntaped = 100;
    static long s_untapedAfterNear, s_lastNear, s_tapeEnded; // bytes; milliseconds

    // Without a tape, blocks dropped since the last collection are still in the last cache while they are few, and a result in one of them costs no trip to memory.
    // The time between keeps the pauses at a hundredth. A tape that ended just now is training's, and the next step's will pin what this would free.
    static bool Near => s_tape == 0 && s_untaped - s_untapedAfterNear > NearBytes && Environment.TickCount64 is var now
        && now - s_lastNear >= MillisecondsBetween && now - s_tapeEnded >= MillisecondsUntaped && !GCSettings.IsServerGC;

    static void MakeRoom()
    {
        if (!OverBudget && !Near) return;
        SweepIfCollected();
        if (OverBudget) CollectYoung();
        else if (Near) CollectNear();
    }

    // the youngest generation alone: what lives now is collected by the next young collection, and not promoted by every one of these
    static void CollectNear()
    {
        CollectYoungest();
        Sweep();
        (s_untapedAfterNear, s_lastNear) = (s_untaped, Environment.TickCount64);
    }

    static void SweepIfCollected()
    {
        if (GC.CollectionCount(0) == s_lastSweepGeneration0) return;
        Sweep();
        s_untapedAfterYoung = Math.Min(s_untapedAfterYoung, s_untaped);
        s_untapedAfterNear = Math.Min(s_untapedAfterNear, s_untaped);
        s_tapeAfterYoung = Math.Min(s_tapeAfterYoung, s_tape);
    }

    /// <summary>Called where the forward pass's locals are dead. Blocks: nothing happens below 64 MB. Small memory: what a thread allocates stays where its caches have it.</summary>
    public static void AtBackward()
    {
        if (!GCSettings.IsServerGC) KeepYoungSmall();
        lock (s_lock)
        {
            s_learnedTape = Math.Max(s_learnedTape / 10 * 9, s_tape);
            if (s_tape + s_untaped - s_untapedAfterYoung <= Math.Max(64 * MB, s_live / 8)) return;
            SweepIfCollected();
            if (s_tape + s_untaped - s_untapedAfterYoung > Math.Max(64 * MB, s_live / 8)) CollectYoung();
        }
    }

    const long YoungBytes = 4 * MB;
    [ThreadStatic] static long t_allocated; // by this thread, when it noticed the collection t_young
    [ThreadStatic] static int t_young;

    // The collector hands out as much as the last cache holds before it starts again at the front: cold memory that a small step's every object must first fetch. The server collector's pauses are too long for this.
    static void KeepYoungSmall()
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        if (allocated - t_allocated < YoungBytes) return;
        if (GC.CollectionCount(0) == t_young) CollectYoungest();
        (t_allocated, t_young) = (allocated, GC.CollectionCount(0));
    }

    static void CollectYoungest() => GC.Collect(0, GCCollectionMode.Forced, blocking: false, compacting: false);

    static void CollectYoung()
    {
        // not blocking: with a background collection in progress a blocking one would hold its caller for hundreds of milliseconds
        GC.Collect(1, GCCollectionMode.Forced, blocking: false, compacting: false);
        Sweep();
        s_untapedAfterYoung = s_untapedAfterNear = s_untaped;
        s_tapeAfterYoung = s_tape;
        s_untapedAfterFull = Math.Min(s_untapedAfterFull, s_untaped);
        s_tapeAfterFull = Math.Min(s_tapeAfterFull, s_tape);
        bool outgrown = s_untaped > s_untapedAfterFull + Quantum || s_tape > s_tapeAfterFull + Math.Max(Quantum, 2 * s_learnedTape);
        if (outgrown && Interlocked.Exchange(ref s_fullRunning, 1) == 0)
            new Thread(CollectFull) { IsBackground = true, Name = "Flambeau full collection" }.Start();
    }

    static void CollectFull()
    {
        long before = GC.GetGCMemoryInfo(GCKind.Background).Index;
        GC.Collect(2, GCCollectionMode.Forced, blocking: false, compacting: false);
        for (int i = 0; i < 1000 && GC.GetGCMemoryInfo(GCKind.Background).Index == before; i++) Thread.Sleep(2);
        lock (s_lock)
        {
            Sweep();
            s_untapedAfterFull = s_untapedAfterYoung = s_untapedAfterNear = s_untaped;
            s_tapeAfterFull = s_tapeAfterYoung = s_tape;
        }
        Volatile.Write(ref s_fullRunning, 0);
    }
}
