using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Models;
using Flambeau.Bench.Torch.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>
/// Optimizer steps over fixed gradients: <c>optim.adamw</c>, <c>optim.adamw_masters</c> (of parameters in half precision), <c>optim.sgd</c> (momentum 0.9) and <c>optim.clip_norm</c>, over <c>count</c> tensors of <c>elements</c> elements, or over
/// the shapes of GPT-2 if <c>gpt2</c> is true. Optimizers are the fused ones: one C++ call a step.
/// </summary>
internal static class OptimizerCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("optim.adamw", r => Step(r, AdamW)),
        new("optim.adamw_masters", r => Step(r, AdamWWithMasters)),
        new("optim.sgd", r => Step(r, Sgd)),
        new("optim.clip_norm", r => Step(r, Clip)),
    ];

    private static JsonObject Step(Request r, Func<Parameter[], Tensor[], Action> make)
    {
        using var scope = NewDisposeScope();
        var parameters = Shapes(r).Select(shape => new Parameter(randn(shape, dtype: r.DType))).ToArray();
        var gradients = Array.ConvertAll(parameters, p => randn(p.shape, dtype: r.DType) * 0.01);
        for (var i = 0; i < parameters.Length; i++) parameters[i].grad = gradients[i];
        return r.Time(make(parameters, gradients));
    }

    private static Action AdamW(Parameter[] parameters, Tensor[] gradients)
    {
        var optimizer = new FusedAdamW(parameters, 1e-3);
        return () => optimizer.Step(gradients);
    }

    private static Action AdamWWithMasters(Parameter[] parameters, Tensor[] gradients)
    {
        var optimizer = new MasterAdamW(parameters, 1e-3);
        return () => optimizer.Step(gradients);
    }

    private static Action Sgd(Parameter[] parameters, Tensor[] gradients)
    {
        var optimizer = new FusedSgd(parameters, 1e-3, 0.9);
        return () => optimizer.Step(gradients);
    }

    // a bound that sinks by a little each call, so that every call scales
    private static Action Clip(Parameter[] parameters, Tensor[] gradients)
    {
        var bound = 1.0;
        return () => nn.utils.clip_grad_norm_(parameters, bound *= 0.99999);
    }

    private static IEnumerable<long[]> Shapes(Request r) =>
        r.Flag("gpt2") ? Gpt2.Shapes : Enumerable.Repeat<long[]>([r.Integer("elements", 64)], (int)r.Integer("count", 1000));
}
