// A weight format: its blocks, their meaning, and the integer form in which fast kernels compute
// with it. A new format is one file with one of these and one row in quant/list.cc; every backend
// then runs it through `decode`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"

namespace quern {

// A matrix of weights in its file's format: rows contiguous, every size checked by the reader that
// made it.
struct QuantMatrix {
  Dtype dtype = Dtype::f32;
  int64_t n_rows = 0, n_cols = 0;
  std::span<const std::byte> data;
};

// Where the scales of an integer form come from.
enum class ScaleKind : uint8_t {
  f32,    // any number
  f16,    // every scale and offset is exactly an f16 number
  power,  // a power of two, without offsets
  steps,  // SuperScale: small integers times one or two f16 numbers per 256 weights
  one,    // one f32 for the whole matrix
};

// Scales and offsets of 256 weights in groups: scale = d * step_unit * scale_steps[g], offset =
// -(dmin * offset_steps[g]), all exact in f32.
struct SuperScale {
  static constexpr int kWeights = 256;
  uint16_t d = 0, dmin = 0;                            // f16
  int8_t scale_steps[16] = {}, offset_steps[16] = {};  // offset steps are at least 0
};

// The integer form: weight[i] = scale[g] * (code[i] - zero_point) + offset[g] with g = i / group,
// computed in f32 in that order (difference exact, product rounded, then sum), which is bit for bit
// what `decode` gives. Without offsets nothing is added, so that a zero keeps its sign.
struct IntegerForm {
  int group = 0;  // weights that share scale and offset, 16 or 32 (a divisor of the block); 0: no
                  // integer form
  int bits = 0;   // 2..6: codes are in [0, 2^bits); 8: codes are in [-128, 127]
  int zero_point = 0;       // the code that means 0 (before the offset), e.g. 8 for q4_0
  bool has_offset = false;  // false: every offset is 0
  ScaleKind scales = ScaleKind::f32;
  float step_unit = 1;             // of ScaleKind::steps: a power of two
  int step_bits = 8;               // 4: scale and offset steps are in [0, 15]; 0: scale steps are 1
  const int8_t* values = nullptr;  // of 8-bit codes: if not null, each is one of these 16
};

struct Format {
  Dtype dtype;

  // The specification: rows [first, first + n) of the matrix to f32, (n, n_cols) row-major.
  // Thread-safe. Every fast path is tested against it.
  void (*decode)(const QuantMatrix& m, int64_t first, int64_t n, float* out);

  // n weights (a multiple of the block) of f32 to blocks; null for formats that Quern reads only.
  // A format laid out over the whole tensor takes the whole tensor at once.
  void (*encode)(const float* in, int64_t n, std::byte* blocks);

  IntegerForm integer;
  // Rows [first, first + n) in integer form: codes (n, n_cols), scales and offsets (n, n_cols /
  // group), row-major. offsets may be null when has_offset is false. Null exactly when
  // integer.group == 0.
  void (*split)(const QuantMatrix& m, int64_t first, int64_t n, int8_t* codes, float* scales,
                float* offsets);
  // Of ScaleKind::steps, otherwise null: the scales that `split` gives, as they are made, (n,
  // n_cols / 256).
  void (*split_steps)(const QuantMatrix& m, int64_t first, int64_t n, SuperScale* out) = nullptr;

  // Of formats without integer form: the type that f32 kernels read the weights in, f32, f16 or
  // bf16. It must hold every weight of the format exactly.
  Dtype plain = Dtype::f32;
};

// Null for types that hold no weights (i8..i64, f64).
const Format* find_format(Dtype dtype);
std::span<const Format* const> formats();

// Bytes that n_rows x n_cols weights of this type take in a file, or -1: the shape does not fit the
// type's blocks, the type's layout of that shape is not known, or the size exceeds 2^62.
int64_t matrix_bytes(Dtype dtype, int64_t n_rows, int64_t n_cols);

}  // namespace quern
