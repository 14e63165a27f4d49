using System.Runtime.Loader;
using Flambeau.Generators;
using Flambeau.Ops;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Flambeau.Tests.Compile;

/// <summary>The generator behind [Fuse], run on programs of its own.</summary>
public class FuseGeneratorTests
{
    const string Usings = "using System; using System.Collections.Generic; using Flambeau;\n";

    // what the running program is made of, Flambeau among it
    static readonly MetadataReference[] s_references =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Where(p => Path.GetFileName(p) is var n && (n.StartsWith("System.", StringComparison.Ordinal) || n == "Flambeau.dll")).Select(p => MetadataReference.CreateFromFile(p))];

    static (Compilation Result, Diagnostic[] Said, string Text) Generate(string name, string source, params MetadataReference[] more)
    {
        var options = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.CSharp14).WithFeatures([new("InterceptorsNamespaces", "Flambeau.Generated")]);
        var compilation = CSharpCompilation.Create(name, [CSharpSyntaxTree.ParseText(Usings + source, options, name + ".cs", System.Text.Encoding.UTF8)], [.. s_references, .. more],
            new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        var driver = CSharpGeneratorDriver.Create([new FuseGenerator().AsSourceGenerator()], parseOptions: options).RunGeneratorsAndUpdateCompilation(compilation, out var result, out var said);
        return (result, [.. said], string.Concat(driver.GetRunResult().GeneratedTrees));
    }

    static byte[] Emit(Compilation compilation)
    {
        using var stream = new MemoryStream();
        var emitted = compilation.Emit(stream);
        Assert.True(emitted.Success, string.Join('\n', emitted.Diagnostics));
        return stream.ToArray();
    }

    static void Says(string id, string member, params string[] parts)
    {
        var (_, said, text) = Generate("Wrong", $"public partial class C {{ {member} }}");
        var diagnostic = Assert.Single(said);
        Assert.Equal(id, diagnostic.Id);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.Equal("Wrong.cs", diagnostic.Location.GetLineSpan().Path);
        foreach (string part in parts) Assert.Contains(part, diagnostic.GetMessage());
        Assert.Equal("", text); // a call of what is wrong is left alone
    }

    [Theory]
    [InlineData("[Fuse] public Tensor F(Tensor x) => x; Tensor G(Tensor x) => F(x);", "[Fuse] on 'F'", "not an instance method", "make it static")]
    [InlineData("public Tensor G(Tensor x) { return F(x); [Fuse] static Tensor F(Tensor x) => x; }", "'F'", "not a local function", "move it into a class")]
    [InlineData("public static Tensor One { [Fuse] get => Tensor.Ones(1); }", "not an accessor")]
    [InlineData("[Fuse] public static Tensor operator +(C c, Tensor x) => x;", "not an accessor, operator")]
    [InlineData("public interface I<T> where T : I<T> { [Fuse] static abstract Tensor F(Tensor x); }", "not an abstract", "mark the methods that have the bodies")]
    public void It_wants_static_methods_with_a_body(string member, params string[] parts) => Says("FLAM001", member, parts);

    [Theory]
    [InlineData("[Fuse] static Tensor F(Tensor x) => x; Tensor G(Tensor x) => F(x);", "'F', private,", "make it internal or public")]
    [InlineData("[Fuse] protected static Tensor F(Tensor x) => x;", "'F', protected,")]
    [InlineData("class D { [Fuse] public static Tensor F(Tensor x) => x; }", "'D', private,")]
    [InlineData("} file static class D { [Fuse] public static Tensor F(Tensor x) => x;", "'D', file,")]
    public void It_wants_methods_that_generated_code_can_see(string member, params string[] parts) => Says("FLAM002", member, parts);

    [Theory]
    [InlineData("[Fuse] public static Tensor F<T>(Tensor x, T y) => x; Tensor G(Tensor x) => F(x, 1);", "'F' is generic", "a method for each type")]
    [InlineData("public static class D<T> { [Fuse] public static Tensor F(Tensor x) => x; }", "'D' is generic")]
    public void It_wants_methods_that_are_not_generic(string member, params string[] parts) => Says("FLAM003", member, parts);

    [Theory]
    [InlineData("[Fuse] public static Tensor F(ref Tensor x) => x; Tensor G(Tensor x) => F(ref x);", "'x' is passed by 'ref'", "return it")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, out Tensor y) => y = x;", "'y' is passed by 'out'")]
    [InlineData("[Fuse] public static Tensor F(in Tensor x) => x;", "'x' is passed by 'in'")]
    [InlineData("[Fuse] public static Tensor F(ref readonly Tensor x) => x;", "'x' is passed by 'ref readonly'")]
    public void It_wants_parameters_by_value(string member, params string[] parts) => Says("FLAM004", member, parts);

    [Theory]
    [InlineData("[Fuse] public static (Tensor, Tensor) F(Tensor x) => (x, x);", "got (Tensor, Tensor)", "a method for each result", "Tensor.Cat")]
    [InlineData("[Fuse] public static void F(Tensor x) { }", "got void")]
    [InlineData("[Fuse] public static Tensor? F(Tensor x) => null;", "got Tensor?")]
    [InlineData("[Fuse] public static ref Tensor F(Tensor[] x) => ref x[0];", "got a reference to Tensor")]
    [InlineData("[Fuse] public static async System.Threading.Tasks.Task<Tensor> F(Tensor x) => x;", "got Task<Tensor>")]
    public void It_wants_one_tensor_as_the_result(string member, params string[] parts) => Says("FLAM005", member, parts);

    [Fact]
    public void It_wants_an_operand() => Says("FLAM006", "[Fuse] public static Tensor F(double x) => Tensor.Ones(1); Tensor G() => F(1);", "got none", "remove [Fuse]");

    [Theory]
    [InlineData("[Fuse] public static Tensor F(Tensor x, params long[] dims) => x; Tensor G(Tensor x) => F(x, 1, 2);", "'dims'", "long[] has none", "a tuple, or sizes as a Shape")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, ReadOnlySpan<long> dims) => x;", "ReadOnlySpan<long>", "a Shape")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, Func<double, double> f) => x;", "Func<double, double>", "a method for each function")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, Generator g) => x;", "Generator has none", "draw the random numbers first")]
    [InlineData("public struct S { public int A; } [Fuse] public static Tensor F(Tensor x, S s) => x;", "'s'", "record struct")]
    [InlineData("public class S { public int A; } [Fuse] public static Tensor F(Tensor x, S s) => x;", "C.S has none", "take what the method reads of it")]
    [InlineData("public record S(int[] A); [Fuse] public static Tensor F(Tensor x, S s) => x;", "C.S has none")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, (int, long[]) s) => x;", "(int, long[]) has none")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, object o) => x;", "object has none")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, List<Tensor> o) => x;", "List<Tensor> has none", "Tensor[] or ReadOnlySpan<Tensor>")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, Tensor?[] o) => x;", "Tensor?[] has none", "Tensor[] or ReadOnlySpan<Tensor>")]
    [InlineData("[Fuse] public static Tensor F(Tensor x, (Tensor, Tensor) o) => x;", "(Tensor, Tensor) has none", "Tensor[] or ReadOnlySpan<Tensor>")]
    public void It_wants_attributes_with_equality(string member, params string[] parts) => Says("FLAM007", member, parts);

    [Theory]
    [InlineData("int a, bool b, string c, DType d, Shape e, Scalar f, decimal g, char h, nint i, Half j, BFloat16 k")]
    [InlineData("int? a, string? b, DType? c, (int, (double, string?)) d, DateTime e, Range f, Guid g")]
    [InlineData("R a, S b, N? c, Own d")]
    [InlineData("(int @in, double y) a, (float, (Half, double?), int, int, int, int, int, float?) b")]
    public void Values_with_equality_are_attributes(string parameters)
    {
        string names = string.Join(", ", Enumerable.Range('a', 26).Select(c => $"{(char)c}").Where(n => parameters.Split(' ', ',').Contains(n)));
        var (result, said, text) = Generate("Right", $$"""
            public record R(int A, S B); public record struct S(double A, string B); public record N(int A, N? Next);
            public record Own(int[] A) { public virtual bool Equals(Own? other) => true; public override int GetHashCode() => 0; }
            public static class C
            {
                [Fuse] public static Tensor F(Tensor x, {{parameters}}) => x.Exp();
                public static Tensor G(Tensor x, {{parameters}}) => F(x, {{names}});
            }
            """);
        Assert.Empty(said);
        Assert.Contains("F_0(", text);
        Emit(result);
    }

    [Fact]
    public void Calls_are_found_wherever_they_stand()
    {
        var (result, said, text) = Generate("Places", """
            public static class C { [Fuse] public static Tensor F(this Tensor x, double by = 1) => (x * by).Exp(); }
            public class D(Tensor x)
            {
                readonly Tensor _field = C.F(x);
                public Tensor Conditional(Tensor? y) => y?.F() ?? C.F(_field, by: 2);
                public Func<Tensor, Tensor> Lambda => y => y.F(3);
                public System.Linq.Expressions.Expression<Func<Tensor, Tensor>> Tree => y => y.F(3);
                public IEnumerable<Tensor> Iterator() { yield return _field.F().F(); }
                public async System.Threading.Tasks.Task<Tensor> Later() => (await System.Threading.Tasks.Task.FromResult(_field)).F();
            }
            """);
        Assert.Empty(said);
        Assert.Equal(8, text.Split("InterceptsLocationAttribute(1, ").Length - 1);
        Assert.Single(text.Split('\n'), l => l.Contains("Composite.Apply", StringComparison.Ordinal));
        Emit(result);
    }

    [Fact]
    public void Without_nullable_annotations_any_operand_may_be_absent()
    {
        var (result, said, text) = Generate("Oblivious", "#nullable disable\npublic static class C { [Fuse] public static Tensor F(Tensor x, Tensor y = null) => x.Exp(); public static Tensor G(Tensor x) => F(x); }");
        Assert.Empty(said);
        Assert.Contains("p1 is null", text);
        Emit(result);
    }

    [Fact]
    public void Programs_without_calls_get_no_file() => Assert.Equal("", Generate("None", "public static class C { [Fuse] public static Tensor F(Tensor x) => x.Exp(); public static Func<Tensor, Tensor> G = F; }").Text);

    [Fact]
    public void Calls_of_a_method_in_another_assembly_are_fused_there()
    {
        var library = Emit(Generate("Library", """
            public static class Ops
            {
                [Fuse] public static Tensor Scaled(this Tensor x, double by, params ReadOnlySpan<Tensor> more) => (x * by).Tanh() * more[0];
                [Fuse] internal static Tensor Hidden(Tensor x) => x.Exp();
                extension(Tensor x) { [Fuse] public Tensor Squashed(Tensor? by = null) => by is null ? x.Tanh() : (x * by).Tanh(); }
            }
            """).Result);
        var (result, said, text) = Generate("Program", """
            public static class Program
            {
                public static Tensor Members(Tensor x) => x.Scaled(2, x, x) + x.Squashed();
                public static Tensor Methods(Tensor x) => Ops.Scaled(x, by: 3, x) + Ops.Squashed(x, x);
            }
            """, MetadataReference.CreateFromImage(library));
        Assert.Empty(said);
        var program = Emit(result);
        var context = new AssemblyLoadContext("fuse", true);
        context.LoadFromStream(new MemoryStream(library));
        var type = context.LoadFromStream(new MemoryStream(program)).GetType("Program")!;
        var x = Tensor.RandN([4, 9]).RequiresGrad_();
        foreach (string name in new[] { "Members", "Methods" })
        {
            var explained = Composite.Explain(() => type.GetMethod(name)!.Invoke(null, [x]));
            Assert.Equal(["Scaled", "Squashed"], explained.Select(e => e.Split('\n')[0]));
            Assert.All(explained, e => Assert.Matches(@"backward: \d+ rows of", e));
        }
        context.Unload();
    }
}
