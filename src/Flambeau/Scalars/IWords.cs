namespace Flambeau.Scalars;

/// <summary>A vector read as words of 64 bits, whatever its lanes are: exact products of 32-bit numbers, and what puts their halves in order.</summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
internal interface IWords<S> where S : IWords<S>
{
    /// <summary>The numbers first, first + n/2, first + 1, first + n/2 + 1, … in the n words: the order that <see cref="Interleave"/> undoes.</summary>
    static abstract S Blocks(ulong first);
    /// <summary>Each word the product of x's and y's lower halves.</summary>
    static abstract S MultiplyHalves(S x, S y);
    /// <summary>x ⊕ y ⊕ z, bit by bit; of whole numbers the JIT makes one instruction where the machine has it.</summary>
    static abstract S Xor(S x, S y, S z);
    /// <summary>Each word's upper half in the lower one's place, above it zeros.</summary>
    static abstract S UpperHalves(S x);
    /// <summary>Each word x's lower half, and above it y's.</summary>
    static abstract S PairHalves(S x, S y);
    /// <summary>Words x₀ y₀ x₂ y₂ …, and words x₁ y₁ x₃ y₃ ….</summary>
    static abstract (S First, S Second) Interleave(S x, S y);
}
