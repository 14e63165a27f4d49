using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// PyTorch's operators that write into a tensor given to them (<c>out=</c>). TorchSharp binds almost none, so these call the C++ functions
/// <c>at::_ops::NAME_out::call</c> themselves: the least PyTorch can cost, without a binding's handles and finalizers.
/// </summary>
/// <remarks>
/// A TorchSharp handle is an <c>at::Tensor*</c>, which is also how the C++ ABI passes <c>const at::Tensor&amp;</c> (Itanium C++ ABI §3.1.2).
/// Views, optional numbers and strings go by value in registers (System V AMD64 ABI §3.2.3): a string view as length and address, an array
/// reference as address and length, an absent optional of an 8-bit enumeration as zero.
/// </remarks>
internal sealed unsafe class OutOperators
{
    private const string X = "RKNS_6TensorE";

    private static readonly delegate* unmanaged<nint, nint, nint, nint, nint> AddOut =
        (delegate* unmanaged<nint, nint, nint, nint, nint>)Find("7add_out", X + "S4_RKN3c106ScalarERS2_");
    private static readonly delegate* unmanaged<nint, nint, nint, nint> MmOut =
        (delegate* unmanaged<nint, nint, nint, nint>)Find("6mm_out", X + "S4_RS2_");
    private static readonly delegate* unmanaged<nint, nint, nint, nint> BmmOut =
        (delegate* unmanaged<nint, nint, nint, nint>)Find("7bmm_out", X + "S4_RS2_");
    private static readonly delegate* unmanaged<nint, nint, nint, nint> IntMmOut =
        (delegate* unmanaged<nint, nint, nint, nint>)Find("11_int_mm_out", X + "S4_RS2_");
    private static readonly delegate* unmanaged<nint, nint, nint> SiluOut =
        (delegate* unmanaged<nint, nint, nint>)Find("8silu_out", X + "RS2_");
    private static readonly delegate* unmanaged<nint, nint, nint> ExpOut =
        (delegate* unmanaged<nint, nint, nint>)Find("7exp_out", X + "RS2_");
    private static readonly delegate* unmanaged<nint, nint, byte*, nint, nint> GeluOut =
        (delegate* unmanaged<nint, nint, byte*, nint, nint>)Find("8gelu_out", X + "St17basic_string_viewIcSt11char_traitsIcEERS2_");
    private static readonly delegate* unmanaged<nint, nint, nint, nint> SumOut =
        (delegate* unmanaged<nint, nint, nint, nint>)Find("7sum_out", X + "St8optionalIN3c1010ScalarTypeEERS2_");
    private static readonly delegate* unmanaged<nint, long, byte, nint, nint> SoftmaxOut =
        (delegate* unmanaged<nint, long, byte, nint, nint>)Find("12_softmax_out", X + "lbRS2_");

    private readonly nint _one = ((delegate* unmanaged<long, nint>)TorchLibrary.BindingFunction("THSTorch_int64_to_scalar"))(1);

    public void Add(Tensor left, Tensor right, Tensor output) => AddOut(left.Handle, right.Handle, _one, output.Handle);
    public void Mm(Tensor left, Tensor right, Tensor output) => MmOut(left.Handle, right.Handle, output.Handle);
    public void IntMm(Tensor left, Tensor right, Tensor output) => IntMmOut(left.Handle, right.Handle, output.Handle);
    public void Bmm(Tensor left, Tensor right, Tensor output) => BmmOut(left.Handle, right.Handle, output.Handle);
    public void Silu(Tensor x, Tensor output) => SiluOut(x.Handle, output.Handle);
    public void Exp(Tensor x, Tensor output) => ExpOut(x.Handle, output.Handle);
    public void Sum(Tensor x, Tensor output) => SumOut(x.Handle, 0, output.Handle);
    public void Softmax(Tensor x, Tensor output) => SoftmaxOut(x.Handle, -1, 0, output.Handle);

    public void Gelu(Tensor x, Tensor output)
    {
        fixed (byte* none = "none"u8) GeluOut(x.Handle, 4, none, output.Handle);
    }

    private static nint Find(string name, string parameters) => TorchLibrary.Function($"_ZN2at4_ops{name}4callE{parameters}");
}
