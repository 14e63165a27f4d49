using Flambeau.Bench.Torch;
using Flambeau.Bench.Torch.Native;

// Flambeau.Bench.Torch [--intel]             serves requests, one JSON object a line, until its input ends
// Flambeau.Bench.Torch [--intel] --once add  makes a tensor, adds it, prints a number, exits: for timing whole processes
// Flambeau.Bench.Torch [--intel] --once steps  nanoseconds of the first four training steps of the GPT
TorchLibrary.Prepare();
if (args.Contains("--intel")) MklVendor.SayIntel();

if (args.Contains("--once")) Once.Run(args[^1]);
else Server.Run(ProtocolStream.Take());
