// i2_s: 2 bits per weight and one f32 scale for the whole matrix. weight = scale * (code - 1),
// codes 0, 1, 2. The matrix is taken row after row in blocks of 128 weights = 32 bytes: byte p
// holds weights p, p + 32, p + 64, p + 96 of its block from the HIGH bits down. The scale follows
// the last block, then 28 bytes of padding. Builds of bitnet.cpp for ARM since November 2025 write
// blocks of 64 weights = 16 bytes instead; nothing in the file tells, and the published files have
// blocks of 128, which is what is read.
#include "quant/bitnet.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/blocked.h"

namespace quern {

namespace {

constexpr int kBlock = 128, kBlockBytes = 32;

int field(const std::byte* block, int i) {  // code of weight i of a block; 3 is not used: a zero
  const int code = std::to_integer<int>(block[i % 32]) >> (6 - i / 32 * 2) & 3;
  return code == 3 ? 1 : code;
}

void split(const QuantMatrix& m, int64_t first, int64_t n, int8_t* codes, float* scales, float*) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  std::fill_n(scales, n * (m.n_cols / 32), bitnet_scale(m));
  const std::byte* block = m.data.data() + first * m.n_cols / 4;
  for (int64_t b = 0; b < n * (m.n_cols / kBlock); ++b, block += kBlockBytes, codes += kBlock)
    for (int i = 0; i < kBlock; ++i) codes[i] = static_cast<int8_t>(field(block, i));
}

void decode(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  const float scale = bitnet_scale(m);
  const std::byte* block = m.data.data() + first * m.n_cols / 4;
  for (int64_t b = 0; b < n * (m.n_cols / kBlock); ++b, block += kBlockBytes, out += kBlock)
    for (int i = 0; i < kBlock; ++i) out[i] = scale * static_cast<float>(field(block, i) - 1);
}

// A whole matrix of n weights; meant for weights that are ternary already (-s, 0, s).
void encode(const float* in, int64_t n, std::byte* out) {
  CHECK(n % kBlock == 0, "encode needs whole blocks");
  std::memset(out, 0, n / 4 + 32);
  float scale = 0;
  for (int64_t i = 0; i < n; ++i) scale = std::fmax(scale, std::fabs(in[i]));
  const float inverse = scale == 0 ? 0 : 1 / scale;
  for (int64_t i = 0; i < n; ++i) {
    const int code = to_code(std::round(in[i] * inverse), -1, 1) + 1;
    const int at = static_cast<int>(i % kBlock);
    out[i / kBlock * kBlockBytes + at % 32] |= static_cast<std::byte>(code << (6 - at / 32 * 2));
  }
  std::memcpy(out + n / 4, &scale, sizeof scale);
}

}  // namespace

extern const Format kI2S = {Dtype::i2_s,
                            decode,
                            encode,
                            {.group = 32, .bits = 2, .zero_point = 1, .scales = ScaleKind::one},
                            split};

int64_t bitnet_scale_at(Dtype dtype, int64_t n_rows, int64_t n_cols) {
  int64_t n = 0;
  if (n_rows < 0 || n_cols < 0 || __builtin_mul_overflow(n_rows, n_cols, &n) ||
      n > int64_t{1} << 62)
    return -1;
  if (dtype == Dtype::i2_s) return n_cols % kBlock == 0 ? n / 4 : -1;
  if (dtype == Dtype::tl1) return tl1_tiling(n_rows, n_cols) ? n / 4 : -1;
  CHECK(dtype == Dtype::tl2, "not a bitnet.cpp format");
  if (!tl2_tiling(n_rows, n_cols)) return -1;
  // Their allocation, which is never below the packed size; the order of the divisions is theirs.
  const int64_t size = (n_cols - 256) * n_rows / 3 * 5 / 8 + 256 * n_rows / 2 * 4 / 8;
  return (size + 31) / 32 * 32;
}

float bitnet_scale(const QuantMatrix& m) {
  const int64_t at = bitnet_scale_at(m.dtype, m.n_rows, m.n_cols);
  CHECK(at >= 0, "a shape that the format cannot have");
  CHECK(static_cast<int64_t>(m.data.size()) >= at + 4, "matrix data is shorter than its shape");
  float scale = 0;
  std::memcpy(&scale, m.data.data() + at, sizeof scale);
  return scale;
}

}  // namespace quern
