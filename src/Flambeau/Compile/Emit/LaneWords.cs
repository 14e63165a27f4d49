using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Compile.Emit;

/// <summary>Operations on words of 64 bits that the machine has no instruction for at this width, as the lanes do them, over vectors as emitted loops hold them.</summary>
/// <typeparam name="V">The vector.</typeparam>
/// <typeparam name="L">The lanes that are this vector and nothing else.</typeparam>
internal static class LaneWords<V, L> where V : struct where L : struct, IWords<L>
{
    public static V MultiplyHalves(V x, V y) => From(L.MultiplyHalves(To(x), To(y)));
    public static V First(V x, V y) => From(L.Interleave(To(x), To(y)).First);
    public static V Second(V x, V y) => From(L.Interleave(To(x), To(y)).Second);

    static L To(V x) => Unsafe.BitCast<V, L>(x);
    static V From(L x) => Unsafe.BitCast<L, V>(x);
}
