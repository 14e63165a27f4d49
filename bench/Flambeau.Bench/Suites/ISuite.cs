namespace Flambeau.Bench.Suites;

/// <summary>A family of cases. Give a new one to the list in Program.cs.</summary>
internal interface ISuite
{
    string Name { get; }

    /// <summary>Cheap: a case prepares its operands when it is measured.</summary>
    IEnumerable<Case> Cases(Options options);
}
