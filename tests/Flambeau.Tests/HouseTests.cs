namespace Flambeau.Tests;

public class HouseTests
{
    [Fact]
    public void DTypes_are_ordered_from_bool_to_float64() => Assert.True(DType.Bool < DType.Int64 && DType.Int64 < DType.Float64);

    // what tests/faults/run.sh would say of each entry, without building anything
    [Fact]
    public void Every_planted_fault_finds_the_text_that_it_changes()
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Flambeau.slnx"))) root = Path.GetDirectoryName(root);
        Assert.SkipWhen(root is null, "not run from the repository");
        string name = "", below = "";
        string[] lines = [];
        int faults = 0;
        var wrong = new List<string>();
        foreach (string entry in File.ReadLines(Path.Combine(root!, "tests", "faults", "faults.txt")))
        {
            string key = entry.Split(' ')[0], text = entry[key.Length..].Trim();
            switch (key)
            {
                case "fault": (name, below) = (text, ""); faults++; break;
                case "file": lines = File.ReadAllLines(Path.Combine(root!, text)); break;
                case "below": below = text; break;
                case "-":
                    int start = below.Length > 0 ? Array.FindIndex(lines, l => l.Contains(below)) + 1 : 0, found = lines.Skip(start).Count(l => l.Contains(text));
                    if (below.Length > 0 && start == 0) wrong.Add($"{name}: \"{below}\" is not there");
                    else if (found == 0 || below.Length == 0 && found > 1) wrong.Add($"{name}: \"{text}\" stands in {found} lines");
                    below = "";
                    break;
            }
        }
        Assert.True(faults > 100, $"{faults} faults");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
