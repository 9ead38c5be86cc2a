// All weight formats: one row each, in the order of Dtype.
#include "quant/format.h"

namespace quern {

extern const Format kF32, kF16, kBf16;
extern const Format kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0;
extern const Format kQ2K, kQ3K, kQ4K, kQ5K, kQ6K, kQ8K;

namespace {

constexpr const Format* kFormats[] = {
    &kF32,  &kF16, &kBf16, &kQ4_0, &kQ4_1, &kQ5_0, &kQ5_1,
    &kQ8_0, &kQ2K, &kQ3K,  &kQ4K,  &kQ5K,  &kQ6K,  &kQ8K,
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
  if (n_rows < 0 || n_cols < 0 || n_cols % row.block != 0 || row.bytes == 0) return -1;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(n_cols / row.block, row.bytes, &bytes) ||
      __builtin_mul_overflow(bytes, n_rows, &bytes) || bytes > int64_t{1} << 62)
    return -1;
  return bytes;
}

}  // namespace quern
