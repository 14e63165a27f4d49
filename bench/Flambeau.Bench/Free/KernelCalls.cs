namespace Flambeau.Kernels;

/// <summary>The kernels on tensors, without what an operator adds. Free.targets copies this file along with them.</summary>
internal static unsafe class KernelCalls
{
    /// <summary>c = a · b; [m, k] · [k, n] of float32 or bfloat16, any strides.</summary>
    public static void Multiply(Tensor a, Tensor b, Tensor c)
    {
        if (a.DType == DType.BFloat16) Multiply<BFloat16>(a, b, c);
        else Multiply<float>(a, b, c);
    }

    static void Multiply<T>(Tensor a, Tensor b, Tensor c) where T : unmanaged
    {
        fixed (byte* atA = a.Store!, atB = b.Store!, atC = c.Store!)
            Gemm.Multiply(a.Shape[0], b.Shape[1], a.Shape[1], (T*)atA + a.Offset, a.Strides[0], a.Strides[1], (T*)atB + b.Offset, b.Strides[0], b.Strides[1], (T*)atC + c.Offset, c.Strides[0], c.Strides[1]);
    }

    /// <summary>o = softmax(q · kᵀ / √d) · v, contiguous [heads, tokens, d].</summary>
    public static void Attend(Tensor q, Tensor k, Tensor v, Tensor o, bool isCausal)
    {
        if (q.DType == DType.BFloat16) Attend<BFloat16>(q, k, v, o, isCausal);
        else Attend<float>(q, k, v, o, isCausal);
    }

    static void Attend<E>(Tensor q, Tensor k, Tensor v, Tensor o, bool isCausal) where E : unmanaged
    {
        fixed (byte* atQ = q.Store!, atK = k.Store!, atV = v.Store!, atO = o.Store!)
        {
            var x = new AttentionOf<E, float>
            {
                Sizes = [q.Shape[0]], Items = q.Shape[0], Groups = 1, Queries = q.Shape[1], Keys = k.Shape[1], Size = (int)q.Shape[2], ValueSize = (int)v.Shape[2],
                Scale = 1 / Math.Sqrt(q.Shape[2]), IsCausal = isCausal, Q = Of(q, (E*)atQ), K = Of(k, (E*)atK), V = Of(v, (E*)atV), O = Of(o, (E*)atO),
            };
            Attention.Forward<E, float>([x]);
        }
    }

    static Heads<E> Of<E>(Tensor x, E* at) where E : unmanaged => new() { At = at + x.Offset, Strides = [x.Strides[0]], Row = x.Strides[1], Column = x.Strides[2] };
}
