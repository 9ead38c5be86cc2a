// Shared by the kernels of quantized products: the rows, and the conversion of sums to outputs.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// Rows of activations, the matrix, and where the product is stored.
struct QuantizedRows {
  const PackedMatrix* w;
  const std::byte* records;
  int64_t record_stride;
  bool pairs;  // record 2i + 1 is the residual of row i, whose int8 codes are record 2i
  int n_records;
  Epilogue epilogue;

  QUERN_INLINE int n_rows() const { return pairs ? n_records / 2 : n_records; }
  // `n` of them from record `first` on, both even for pairs.
  QUERN_INLINE QuantizedRows from(int first, int n) const {
    QuantizedRows some = *this;
    some.records += first * record_stride;
    some.n_records = n;
    some.epilogue.out += (pairs ? first / 2 : first) * epilogue.out_stride;
    return some;
  }
  QUERN_INLINE const ActivationGroup* group(int record, int64_t g) const {
    return reinterpret_cast<const ActivationGroup*>(records + record * record_stride) + g;
  }
  QUERN_INLINE float factor(int record) const {
    const auto* end = group(record, activation_groups(w->n_in));
    return reinterpret_cast<const ActivationFactor*>(end)->factor;
  }
};

// 16 outputs' dot products with one row become f32.
template <class V>
QUERN_SIMD typename V::F32x16 add_dots(typename V::I32x16 dots, typename V::I32x16 weight_scale,
                                       const ActivationGroup& group, typename V::F32x16 sum) {
  const auto scale = V::as_float(V::add(weight_scale, V::broadcast_i32(&group.exponent)));
  return V::fma(V::to_float(dots), scale, sum);
}

// Stores 16 outputs, those of vector `s` of panel `p`, in `row`.
template <class V>
QUERN_SIMD void store_sums(const Epilogue& epilogue, int64_t row, int64_t p, int s,
                           typename V::F32x16 v) {
  const int64_t at = kPanelRows * p + kStripRows * s;
  float* out = epilogue.out + row * epilogue.out_stride + at;
  if (epilogue.bias) v = V::add(v, V::load(epilogue.bias + at));
  if (epilogue.add) v = V::add(V::load(out), v);
  V::store(out, v);
}

// Sums of 16 outputs, `kRecords` records from `first` on, become outputs of rows.
template <class V, int kRecords>
QUERN_SIMD void finish_sums(const QuantizedRows& rows, int first, int64_t p, int s,
                            const float* row_scales, typename V::F32x16 (&sum)[kRecords]) {
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
    if (row_scales) sum[m] = V::mul(sum[m], V::load(row_scales + kStripRows * s));
    sum[m] = V::mul(sum[m], V::fill(rows.factor(first + m)));
  }
  if constexpr (kRecords % 2 == 0) {
    if (rows.pairs) {
      QUERN_UNROLL for (int m = 0; m < kRecords; m += 2) {
        store_sums<V>(rows.epilogue, (first + m) / 2, p, s, V::add(sum[m], sum[m + 1]));
      }
      return;
    }
  }
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
    store_sums<V>(rows.epilogue, first + m, p, s, sum[m]);
  }
}

}  // namespace quern::cpu
