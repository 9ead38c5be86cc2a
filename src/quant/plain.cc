// f32, f16, bf16: no blocks, no integer form.
#include <cstring>

#include "quant/blocked.h"

namespace quern {
namespace {

template <class Stored, float (*to_f32)(Stored)>
void decode(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  CHECK(static_cast<int64_t>(m.data.size() / sizeof(Stored)) >= m.n_rows * m.n_cols,
        "matrix data is shorter than its shape");
  const std::byte* at = m.data.data() + first * m.n_cols * sizeof(Stored);
  for (int64_t i = 0; i < n * m.n_cols; ++i, at += sizeof(Stored)) {
    Stored stored;
    std::memcpy(&stored, at, sizeof stored);
    out[i] = to_f32(stored);
  }
}

template <class Stored, Stored (*from_f32)(float)>
void encode(const float* in, int64_t n, std::byte* blocks) {
  for (int64_t i = 0; i < n; ++i) {
    const Stored stored = from_f32(in[i]);
    std::memcpy(blocks + i * sizeof(Stored), &stored, sizeof stored);
  }
}

float same(float f) { return f; }

}  // namespace

extern const Format kF32 = {Dtype::f32, decode<float, same>, encode<float, same>, {}, nullptr};
extern const Format kF16 = {
    Dtype::f16, decode<uint16_t, f16_to_f32>, encode<uint16_t, f32_to_f16>, {}, nullptr};
extern const Format kBf16 = {
    Dtype::bf16, decode<uint16_t, bf16_to_f32>, encode<uint16_t, f32_to_bf16>, {}, nullptr};

}  // namespace quern
