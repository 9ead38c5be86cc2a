// Small random Llamas in memory, for tests that need a whole model but no particular one.
#pragma once
#include <memory>

#include "base/dtype.h"
#include "formats/memory_source.h"

namespace quern::testing {

struct TinyLlama {
  int n_vocab = 96, n_layers = 2, width = 64, ffn = 96, n_heads = 4, n_kv_heads = 2, head_dim = 16;
  bool biases = false, tied_head = false, rope_factors = false;
  Dtype linears = Dtype::f32;  // type of the layers' matrices; must have an encoder
  Dtype embedding = Dtype::f32;
  int window = 0;
  unsigned seed = 1;
};

std::shared_ptr<MemorySource> make_tiny_llama(const TinyLlama& shape);

}  // namespace quern::testing
