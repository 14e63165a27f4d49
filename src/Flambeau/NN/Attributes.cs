namespace Flambeau.NN;

/// <summary>
/// Marks a tensor member of a module as a buffer: state that is saved and moved with the module but not trained (PyTorch: <c>register_buffer</c>).
/// The member may be assigned a new tensor at any time.
/// </summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class BufferAttribute : Attribute
{
    /// <summary>False keeps the buffer out of <c>StateDict</c>: it can be computed again (PyTorch: <c>persistent=False</c>).</summary>
    public bool Persistent { get; init; } = true;
}

/// <summary>The name of a member in <c>StateDict</c> and in paths, where it differs from the member's own in snake case.</summary>
/// <param name="name">The name as the state has it, for example <c>c_attn</c>.</param>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NameAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;
}

/// <summary>A member that a module refers to and does not own: it is neither saved, trained nor moved with it (a teacher model, a back reference).</summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class UnregisteredAttribute : Attribute;
