// The numerics modes of a model, and the type of its keys and values.
#pragma once
#include <cstdint>

namespace quern {

// How exactly a row of activations is multiplied. It follows from the row's role, never from the
// rest of the batch: rows whose logits are used (generated tokens, the last one of a prompt), and
// other rows of a prompt.
enum class Numerics : uint8_t {
  exact,      // weights decoded to f32, all else f64, the cache too: slow, the oracle
  fine,       // int8 plus int8 residual throughout: as good as f32 activations
  automatic,  // prompts int8; their keys and values, and rows that are used, int8 plus residual
  fast,       // int8 throughout: the highest throughput in large batches
};
const char* name(Numerics numerics);  // "exact", "fine", "auto", "fast"

// The type of keys and values in the cache. Exact numerics keep f64.
enum class KvKind : uint8_t {
  automatic,  // f16 for Numerics::fine, else bf16
  bf16,       // the fastest
  f16,        // as good as f32; attention computes in f32
  int8,       // half the memory; 8.25 bits a number, keys rotated
  int4,       // 5 bits a number; clearly coarser, most of all in small models
};
const char* name(KvKind kind);  // "auto", "bf16", "f16", "int8", "int4"

}  // namespace quern
