using System.Diagnostics;
using System.Text.Json;

namespace Flambeau.Diagnostics;

/// <summary>
/// Writes a profile in the Trace Event Format (Google, "Trace Event Format", 2016): a complete event ("ph": "X") for each, its time and duration in microseconds, shapes, costs and line as its arguments.
/// </summary>
internal static class TraceFile
{
    const int FlushAt = 1 << 16;

    public static void Write(Profile profile, Stream stream)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartArray("traceEvents");
        Name(json, "process_name", 0, "Flambeau");
        foreach (var log in profile.Logs) Name(json, "thread_name", log.Thread, log.ThreadName ?? $"thread {log.Thread}");
        foreach (var e in profile.Events)
        {
            Write(json, e);
            if (json.BytesPending > FlushAt) json.Flush();
        }
        json.WriteEndArray();
        json.WriteStartObject("otherData");
        json.WriteNumber("eventsLeftOut", profile.EventsLeftOut);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void Name(Utf8JsonWriter json, string what, int thread, string name)
    {
        json.WriteStartObject();
        json.WriteString("ph", "M");
        json.WriteString("name", what);
        Place(json, thread);
        json.WriteStartObject("args");
        json.WriteString("name", name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void Place(Utf8JsonWriter json, int thread)
    {
        json.WriteNumber("pid", Environment.ProcessId);
        json.WriteNumber("tid", thread);
    }

    static void Write(Utf8JsonWriter json, ProfileEvent e)
    {
        // both ends are rounded, not the duration: what lies inside stays inside
        long start = Nanoseconds(e.StartTicks), end = Nanoseconds(e.StartTicks + e.Ticks);
        json.WriteStartObject();
        json.WriteString("ph", "X");
        json.WriteString("name", e.Name);
        json.WriteString("cat", Category(e.Kind));
        Place(json, e.Thread);
        json.WriteNumber("ts", start / 1000m);
        json.WriteNumber("dur", (end - start) / 1000m);
        json.WriteStartObject("args");
        if (e.Operands.Count > 0)
        {
            json.WriteStartArray("operands");
            foreach (var x in e.Operands) json.WriteStringValue(x.ToString());
            json.WriteEndArray();
        }
        if (e.Result is { } result) json.WriteString("result", result.ToString());
        if (e.Bytes > 0) json.WriteNumber("bytes", e.Bytes);
        if (e.Operations > 0) json.WriteNumber("flops", e.Operations);
        if (e.Line is { } line) json.WriteString("line", line);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static string Category(ProfileKind kind) => kind switch
    {
        ProfileKind.Operator => "operator",
        ProfileKind.Backward => "backward",
        ProfileKind.Optimizer => "optimizer",
        ProfileKind.Data => "data",
        ProfileKind.Module => "module",
        _ => "range",
    };

    static long Nanoseconds(long ticks) => (long)((Int128)ticks * 1_000_000_000 / Stopwatch.Frequency);
}
