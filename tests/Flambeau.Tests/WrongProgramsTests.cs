using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.Models.Tokenizers;
using Flambeau.Models.Training;
using Flambeau.NN;

namespace Flambeau.Tests;

/// <summary>Programs that are wrong: each gets a message that names the operation, the operands and the line, and changes nothing.</summary>
public class WrongProgramsTests
{
    static string MessageOf(Action wrong) => Assert.ThrowsAny<FlambeauException>(wrong).Message;

    // the operation, what each operand was, and this file with a line
    static void Says(Action wrong, params string[] parts)
    {
        string message = MessageOf(wrong);
        foreach (string part in parts) Assert.Contains(part, message);
        Assert.Contains("WrongProgramsTests.cs:", message);
    }

    static Tensor T(params long[] shape) => Tensor.Ones(shape);

    [Fact]
    public void A_matrix_product_of_sizes_that_differ() => Says(() => T(2, 3).MatMul(T(4, 5)), "MatMul", "3 ≠ 4", "float32[2, 3]", "float32[4, 5]");

    [Fact]
    public void An_addition_that_cannot_broadcast() => Says(() => _ = T(2, 3) + T(2, 4), "Add", "float32[2, 3]", "float32[2, 4]", "broadcast");

    [Fact]
    public void A_concatenation_of_different_ranks() => Says(() => Tensor.Cat([T(2, 3), T(3)], 0), "Cat", "[3]");

    [Fact]
    public void An_index_out_of_range() => Says(() => _ = T(2, 3)[2], "2", "[2, 3]");

    [Fact]
    public void A_negative_size() => Says(() => Tensor.Zeros(2, -1), "negative", "-1");

    [Fact]
    public void A_float_index() => Says(() => _ = T(4)[Tensor.Of(0, 1)], "float32");

    [Fact]
    public void Whole_numbers_asked_for_gradients() => Says(() => Tensor.Arange(3).RequiresGrad = true, "RequiresGrad", "int64[3]");

    [Fact]
    public void Backward_of_a_tensor_with_several_elements() => Says(() => (T(3).RequiresGrad_() * 2).Backward(), "Backward", "float32[3]", "3");

    [Fact]
    public void A_second_backward_without_retainGraph()
    {
        var x = T(3).RequiresGrad_();
        var y = (x * x).Sum();
        y.Backward();
        Says(() => y.Backward(), "Backward", "retainGraph: true", "Mul");
        Assert.Equal([2, 2, 2], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void In_place_on_a_saved_tensor()
    {
        var x = T(3).RequiresGrad_();
        var h = x * 2;
        var y = h * h;
        h.Add_(1);
        Says(() => y.Sum().Backward(), "Backward", "Mul", "float32[3]", "AnomalyMode");
        Assert.Null(x.Grad);
    }

    [Fact]
    public void In_place_on_a_saved_tensor_names_both_lines_in_anomaly_mode()
    {
        Autograd.AnomalyMode = true;
        try
        {
            var x = T(3).RequiresGrad_();
            var h = x * 2;
            var y = h * h;
            h.Add_(1);
            string message = MessageOf(() => y.Sum().Backward());
            Assert.Contains("Mul was called at WrongProgramsTests.cs:", message);
            Assert.Contains("\n  at WrongProgramsTests.cs:", message);
        }
        finally { Autograd.AnomalyMode = false; }
    }

    [Fact]
    public void In_place_on_a_leaf()
    {
        var x = T(3).RequiresGrad_();
        Says(() => x.Add_(1), "Add", "leaf", "NoGrad");
        Assert.Equal([1, 1, 1], x.ToArray<float>());
        Assert.Equal(0, x.Version);
    }

    [Fact]
    public void A_write_to_a_view_of_a_leaf()
    {
        var x = T(3).RequiresGrad_();
        Says(() => x.Narrow(0, 0, 2).Zero_(), "view of a leaf", "float32[2]");
        Assert.Equal([1, 1, 1], x.ToArray<float>());
    }

    [Fact]
    public void A_type_that_an_operator_lacks() => Says(() => T(3).BitwiseAnd(T(3)), "BitwiseAnd", "float32[3]");

    [Fact]
    public void A_wrong_input_width_names_the_module()
    {
        var model = new Sequential(new Linear(4, 3), new ReLU(), new Linear(5, 2));
        string message = MessageOf(() => model.Call(T(2, 4)));
        Assert.Contains("Linear", message);
        Assert.Contains("float32[2, 3]", message);
        Assert.Contains("5", message);
        Assert.Contains("2", message);
    }

    // ---- files ----

    static string Folder() => Directory.CreateTempSubdirectory("flambeau").FullName;

    [Fact]
    public void A_state_lists_all_that_is_missing_unexpected_or_of_another_shape_and_changes_nothing()
    {
        var model = new Linear(3, 2);
        var before = model.Weight.ToArray<float>();
        string message = MessageOf(() => model.LoadStateDict(new Dictionary<string, Tensor> { ["weight"] = Tensor.Zeros(3, 3), ["extra"] = Tensor.Zeros(1) }));
        Assert.Contains("bias", message);
        Assert.Contains("extra", message);
        Assert.Contains("float32[3, 3]", message);
        Assert.Equal(before, model.Weight.ToArray<float>());
    }

    [Fact]
    public void A_corrupt_safetensors_header()
    {
        string file = Path.Combine(Folder(), "bad.safetensors");
        File.WriteAllBytes(file, [9, 0, 0, 0, 0, 0, 0, 0, .. "{\"a\":nope"u8]);
        Assert.Contains(file, MessageOf(() => SafeTensors.Load(file)));
    }

    [Fact]
    public void A_truncated_safetensors_file()
    {
        string file = Path.Combine(Folder(), "cut.safetensors");
        SafeTensors.Save(file, [("a", T(100))]);
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^50]);
        string message = MessageOf(() => SafeTensors.Load(file));
        Assert.Contains(file, message);
    }

    [Fact]
    public void A_missing_text()
    {
        string missing = Path.Combine(Folder(), "no.txt");
        var e = Assert.ThrowsAny<IOException>(() => LanguageModelTrainer.Start(new RunFolder(Folder()), new TrainingOptions { Data = missing, Steps = 1 }, new Progress<TrainingEvent>(), default));
        Assert.Contains(missing, e.Message);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_to()
    {
        string file = Path.Combine(Folder(), "file");
        File.WriteAllText(file, "");
        var e = Assert.ThrowsAny<IOException>(() => new RunFolder(Path.Combine(file, "run")).Create());
        Assert.Contains("--out", e.Message);
    }

    [Fact]
    public void Nothing_to_resume()
    {
        var e = Assert.ThrowsAny<IOException>(() => LanguageModelTrainer.Resume(new RunFolder(Folder()), new Progress<TrainingEvent>(), default));
        Assert.Contains("nothing to resume", e.Message);
    }

    [Fact]
    public void A_prompt_longer_than_the_context()
    {
        var tokenizer = new ByteTokenizer();
        var model = new Llama(new LlamaConfig
        {
            VocabularySize = tokenizer.VocabularySize, HiddenSize = 8, IntermediateSize = 16, Layers = 1, Heads = 2, KeyValueHeads = 2, HeadSize = 4, Context = 8, EndOfText = tokenizer.EndOfText,
        });
        string message = MessageOf(() => new TextGenerator(model, tokenizer).Continue("far more than eight bytes", new SamplingOptions()));
        Assert.Contains("26", message);
        Assert.Contains("8", message);
    }
}
