using Flambeau.Cli;

return await Entry.Run(args);
