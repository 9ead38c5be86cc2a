// All weight formats: one row each, in the order of Dtype.
#include "quant/bitnet.h"
#include "quant/format.h"

namespace quern {

extern const Format kF32, kF16, kBf16;
extern const Format kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0;
extern const Format kQ2K, kQ3K, kQ4K, kQ5K, kQ6K, kQ8K;
extern const Format kIq1S, kIq1M, kIq2Xxs, kIq2Xs, kIq2S, kIq3Xxs, kIq3S, kIq4Nl, kIq4Xs;
extern const Format kMxfp4, kTq1, kTq2, kI2S, kTl1, kTl2;
extern const Format kF8E4m3, kF8E5m2;

namespace {

constexpr const Format* kFormats[] = {
    &kF32,    &kF16,   &kBf16, &kQ4_0,   &kQ4_1, &kQ5_0,   &kQ5_1,   &kQ8_0,
    &kQ2K,    &kQ3K,   &kQ4K,  &kQ5K,    &kQ6K,  &kQ8K,    &kIq1S,   &kIq1M,
    &kIq2Xxs, &kIq2Xs, &kIq2S, &kIq3Xxs, &kIq3S, &kIq4Nl,  &kIq4Xs,  &kMxfp4,
    &kTq1,    &kTq2,   &kI2S,  &kTl1,    &kTl2,  &kF8E4m3, &kF8E5m2,
};

}  // namespace

std::span<const Format* const> formats() { return kFormats; }

const Format* find_format(Dtype dtype) {
  for (const Format* format : kFormats)
    if (format->dtype == dtype) return format;
  return nullptr;
}

int64_t matrix_bytes(Dtype dtype, int64_t n_rows, int64_t n_cols) {
  const DtypeInfo& row = info(dtype);
  if (row.bytes == 0) {
    const int64_t scale_at = bitnet_scale_at(dtype, n_rows, n_cols);
    return scale_at < 0 ? -1 : scale_at + 32;
  }
  if (n_rows < 0 || n_cols < 0 || n_cols % row.block != 0) return -1;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(n_cols / row.block, row.bytes, &bytes) ||
      __builtin_mul_overflow(bytes, n_rows, &bytes) || bytes > int64_t{1} << 62)
    return -1;
  return bytes;
}

}  // namespace quern
