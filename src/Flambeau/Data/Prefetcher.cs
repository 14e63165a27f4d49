using System.Runtime.ExceptionServices;
using Flambeau.Diagnostics;

namespace Flambeau.Data;

/// <summary>
/// Makes numbered items ahead on threads of its own and hands them out in order. At most threads × prefetch items are in work or waiting, so memory is bounded. Disposing ends the threads and waits for them.
/// </summary>
internal sealed class Prefetcher<T> : IDisposable
{
    readonly object _lock = new();
    readonly Dictionary<long, (T Item, Exception? Error)> _ready = [];
    readonly Func<long, T> _make;
    readonly Thread[] _threads;
    readonly long _count, _window;
    long _claimed, _taken;
    bool _stop;

    public Prefetcher(long count, int threads, int prefetch, Func<long, T> make)
    {
        (_count, _make, _window) = (count, make, (long)threads * prefetch);
        _threads = new Thread[Math.Min(threads, count)];
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work) { IsBackground = true, Name = $"Flambeau loader {i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>The item of that number; called with 0, 1, 2, …. Waits for it.</summary>
    /// <exception cref="Exception">What making it threw.</exception>
    public T Take(long number)
    {
        using var _ = Recording.Part("WaitForBatch", ProfileKind.Data);
        lock (_lock)
        {
            (T Item, Exception? Error) made;
            while (!_ready.Remove(number, out made)) Monitor.Wait(_lock);
            _taken = number + 1;
            Monitor.PulseAll(_lock);
            if (made.Error is { } error) ExceptionDispatchInfo.Throw(error);
            return made.Item;
        }
    }

    void Work()
    {
        while (Claim() is { } number)
        {
            (T, Exception?) made;
            try { made = (_make(number), null); }
            catch (Exception e) { made = (default!, e); }
            lock (_lock)
            {
                _ready.Add(number, made);
                Monitor.PulseAll(_lock);
            }
        }
    }

    long? Claim()
    {
        lock (_lock)
        {
            while (!_stop && _claimed < _count && _claimed >= _taken + _window) Monitor.Wait(_lock);
            return _stop || _claimed >= _count ? null : _claimed++;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _stop = true;
            Monitor.PulseAll(_lock);
        }
        foreach (var thread in _threads) thread.Join();
    }
}
