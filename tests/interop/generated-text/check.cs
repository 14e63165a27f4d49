#:project ../../../src/Flambeau.Models/Flambeau.Models.csproj
// How much of a generated text is made of the corpus's words, and whether it copies it.
//   flambeau generate --run RUN --prompt "Returns the" --tokens 2000 > text.txt
//   dotnet run tests/interop/generated-text/check.cs text.txt
// Exits with 1 if fewer than 90 % of the words occur in the corpus, or 200 bytes stand in it word for word.

using System.Text;
using System.Text.RegularExpressions;
using Flambeau.Models.Data;

string text = File.ReadAllText(args[0]);
string corpus = (args.Length > 1 ? Corpus.FromFile(args[1]) : ReferenceCorpus.Load()).Text;

static string[] Words(string s) => [.. Regex.Matches(s, "[A-Za-z]+").Select(m => m.Value)];
var known = Words(corpus).ToHashSet(StringComparer.Ordinal);
var words = Words(text);
double share = (double)words.Count(known.Contains) / words.Length;

const int copy = 200;
byte[] made = Encoding.UTF8.GetBytes(text), source = Encoding.UTF8.GetBytes(corpus);
int longest = 0;
for (int start = 0; start + copy <= made.Length; start += 20)
    if (source.AsSpan().IndexOf(made.AsSpan(start, copy)) >= 0) longest = copy;

Console.WriteLine($"{words.Length} words, {share:P1} of them in the corpus; unknown: {string.Join(", ", words.Where(w => !known.Contains(w)).Distinct().Take(12))}");
Console.WriteLine(longest >= copy ? $"{copy} bytes or more are copied" : $"no copy of {copy} bytes");
return share >= 0.9 && longest < copy ? 0 : 1;
