namespace Flambeau.Bench.Fresh;

/// <summary>The rest of an application: a gigabyte of living objects, and a thread that makes fifty megabytes of garbage a second.</summary>
internal sealed class Crowd : IDisposable
{
    private const int Objects = 8_000_000; // of 128 bytes with their header and the reference to them
    private const int GarbagePerSecond = 50_000_000, Burst = 500_000, ObjectSize = 100;

    private readonly byte[][] _living = new byte[Objects][];
    private volatile bool _over;

    public Crowd()
    {
        for (var i = 0; i < Objects; i++) _living[i] = new byte[104];
        new Thread(Litter) { IsBackground = true }.Start();
    }

    public void Dispose()
    {
        _over = true;
        GC.KeepAlive(_living);
    }

    private void Litter()
    {
        while (!_over)
        {
            for (var made = 0; made < Burst; made += ObjectSize) GC.KeepAlive(new byte[ObjectSize - 24]);
            Thread.Sleep(1000 / (GarbagePerSecond / Burst));
        }
    }
}
