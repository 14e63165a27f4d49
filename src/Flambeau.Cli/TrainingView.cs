using System.Globalization;
using Flambeau.Models.Training;
using Spectre.Console;

namespace Flambeau.Cli;

/// <summary>Shows a run: on a terminal one line that renews itself, with a sparkline of the losses; redirected, a line every few seconds.</summary>
internal sealed class TrainingView(IAnsiConsole console, RunFolder folder) : IProgress<TrainingEvent>
{
    const string Blocks = "▁▂▃▄▅▆▇█";
    const int SparkWidth = 24;

    readonly bool _live = console.Profile.Capabilities.Ansi && !Console.IsOutputRedirected;
    readonly List<double> _losses = [];
    readonly System.Diagnostics.Stopwatch _clock = System.Diagnostics.Stopwatch.StartNew();
    double _lastShown = double.NegativeInfinity, _bits = double.NaN;
    long _step;
    bool _open; // a line that renews itself is on the screen

    public void Report(TrainingEvent e)
    {
        switch (e)
        {
            case TrainingEvent.Preparing p: Line($"[grey]{Seconds()}  {p.What}[/]"); break;
            case TrainingEvent.Started s:
                Line($"[grey]{Seconds()}[/]  {s.Parameters:N0} parameters, vocabulary {s.Vocabulary:N0}, {s.TrainingTokens:N0} tokens of {Markup.Escape(s.Source)}");
                if (s.Done > 0) Line($"[grey]{Seconds()}[/]  going on after step {s.Done:N0}");
                break;
            case TrainingEvent.Planned p: Line($"[grey]{Seconds()}[/]  the speed is known: {p.Steps:N0} steps"); break;
            case TrainingEvent.Stepped s: Stepped(s); break;
            case TrainingEvent.HeldOut h:
                _bits = h.BitsPerByte;
                Line(string.Create(CultureInfo.InvariantCulture, $"[grey]{Seconds()}[/]  step {h.Step:N0}: held out [bold]{h.BitsPerByte:F4}[/] bits per byte"));
                break;
        }
    }

    string Seconds() => string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds,6:F1} s");

    void Stepped(TrainingEvent.Stepped s)
    {
        _losses.Add(s.Loss);
        _step = s.Step;
        double now = _clock.Elapsed.TotalSeconds;
        if (now - _lastShown < (_live ? 0.1 : 5) && _losses.Count > 1) return;
        _lastShown = now;
        string left = s.Steps is { } steps ? $"  {TimeSpan.FromSeconds(s.Elapsed.TotalSeconds / s.Step * (steps - s.Step)):m\\:ss} left" : "";
        string text = string.Create(CultureInfo.InvariantCulture,
            $"step {s.Step:N0}{(s.Steps is { } n ? $"/{n:N0}" : "")}  loss {s.Loss:F3}  {s.TokensPerSecond:N0} tokens/s{left}  {Spark()}");
        if (!_live) { Line($"[grey]{Seconds()}[/]  {text}"); return; }
        Console.Write($"\r{text}\u001b[K");
        _open = true;
    }

    // the losses so far in equal parts, each the mean of its part
    string Spark()
    {
        int parts = Math.Min(SparkWidth, _losses.Count);
        var means = Enumerable.Range(0, parts).Select(i => _losses.Skip(_losses.Count * i / parts).Take(Math.Max(1, _losses.Count * (i + 1) / parts - _losses.Count * i / parts)).Average()).ToArray();
        double low = means.Min(), high = means.Max();
        return string.Concat(means.Select(m => Blocks[high == low ? 0 : (int)Math.Round((m - low) / (high - low) * (Blocks.Length - 1))]));
    }

    void Line(string markup)
    {
        if (_open) Console.Write("\r\u001b[K");
        _open = false;
        console.MarkupLine(markup);
    }

    public void Finish(bool stopped)
    {
        if (stopped) Line($"saved after step {_step:N0}; go on with [bold]flambeau train --resume --out {Markup.Escape(folder.Path)}[/]");
        else
        {
            if (!double.IsNaN(_bits)) Line(string.Create(CultureInfo.InvariantCulture, $"[green]done[/]: {_step:N0} steps in {_clock.Elapsed.TotalMinutes:F1} minutes, held out [bold]{_bits:F3}[/] bits per byte"));
            Line($"the model is in {Markup.Escape(folder.Path)}; try [bold]flambeau generate --run {Markup.Escape(folder.Path)} --prompt \"Returns the\"[/]");
        }
    }
}
