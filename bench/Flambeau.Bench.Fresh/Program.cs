using System.Runtime.CompilerServices;
using Flambeau.Bench.Fresh;

// Flambeau.Bench.Fresh nothing              .NET alone
// Flambeau.Bench.Fresh add                  makes a tensor, adds it, prints a number: for timing whole processes
// Flambeau.Bench.Fresh cold NAME            nanoseconds of the first, the second and the thousandth call
// Flambeau.Bench.Fresh steps N              nanoseconds from the start of the process until the model is there, and of each training step of the GPT: forward, backward, update
// Flambeau.Bench.Fresh long N              a tiny model's training steps, one by one, beside a plain loop
// Flambeau.Bench.Fresh memory NAME [STEPS]  bytes; GC settings come by environment variables
switch (args)
{
    case ["nothing"]: Console.WriteLine(32); break;
    case ["add"]: Add(); break;
    case ["cold", var name]: Cold.Run(name); break;
    case ["steps", var count]: Cold.Steps(int.Parse(count)); break;
    case ["long", var count]: LongRun.Run(int.Parse(count)); break;
    case ["memory", var name, var steps]: Memory.Run(name, int.Parse(steps)); break;
    default: throw new ArgumentException("expected nothing, add, cold NAME, steps N, long N or memory NAME STEPS");
}

// a method of its own, so that `nothing` does not load the library
[MethodImpl(MethodImplOptions.NoInlining)]
static void Add() => Once.Add();
