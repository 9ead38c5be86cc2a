// Products of activations with weight matrices: y (n_rows, n_out) = x (n_rows, n_in) * W^T, W
// (n_out, n_in).
//
// Weights are packed once into strips of 16 output rows, two strips a panel, purely sequential in
// memory (reference: docs/kernels.md). Activations of a row are quantized to int8 in groups of 32.
// One output element is one chain of f32 operations over ascending k, whatever the tile, the number
// of rows, the panel range or the ISA: its bits depend on its row and column alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cpu/tuning.h"
#include "base/result.h"
#include "quant/format.h"

namespace quern::cpu {

inline constexpr int kStripRows = 16;  // output rows of one vector of int32
inline constexpr int kPanelRows =
    32;  // output rows a kernel computes together; n_out is padded to it

// Integer codes of some width, two kinds of codes that are looked up, and plain numbers.
enum class Layout : uint8_t {
  int2,
  int3,
  int4,
  int5,
  int6,
  int8,
  table4,   // 4 bits, one of 16 values
  ternary,  // five weights of -1, 0, 1 in a byte
  f32,      // also the exact path of every format: decoded panel by panel
  f16,
  bf16,
};
constexpr bool is_plain(Layout layout) { return layout >= Layout::f32; }

// The packed form of a matrix. Owns nothing: `data` is memory of the Program (or a mapped package),
// aligned to 64 bytes.
struct PackedMatrix {
  Layout layout = Layout::f32;
  IntegerForm form;  // of integer layouts
  int64_t n_out = 0, n_in = 0;
  std::span<const std::byte> data;
  const ProductTuning* tuning = &kDefaultTuning;  // outlives the matrix

  int64_t n_panels() const { return (n_out + kPanelRows - 1) / kPanelRows; }
};

// Which layout a format is packed into for the fast path, and the bytes it takes: about those of
// the file. The plain formats keep their type; others without integer form take Format::plain.
Layout layout_of(const Format& format);
int64_t packed_bytes(const Format& format, int64_t n_out, int64_t n_in);
// Packs panels [first, last) of `m` into `out`, the start of the whole packed matrix; ranges may be
// packed in parallel.
void pack(const QuantMatrix& m, int64_t first_panel, int64_t last_panel, std::byte* out);

// Quantized activations of one row are an opaque record of activation_bytes(n_in) bytes, a multiple
// of 64, aligned to 64. A row as int8 plus int8 residual has a second record behind the first: the
// rounding error of the first one as int8, 254 times finer.
int64_t activation_bytes(int64_t n_in);

// The form in which a product reads a row of activations. int8: one record. int8_residual: a second
// record holds the rounding error of the first; a reader of `int8` may be given it and reads the
// first. int8_already: the int8 record of a row that the model itself has rounded to int8, without
// loss. rounded: to bf16, for Bf16Kernels. int8_for_tiles: the codes of an int8_already row, for
// Bf16Kernels.
enum class RowForm : uint8_t { none, int8, int8_residual, int8_already, rounded, int8_for_tiles };
constexpr bool is_for_tiles(RowForm form) { return form >= RowForm::rounded; }
constexpr int records_per_row(RowForm form) { return form == RowForm::int8_residual ? 2 : 1; }

// The epilogue of a product, before it is stored. T: of the activations, double on the exact path.
template <class T>
struct EpilogueOf {
  T* out = nullptr;        // (n_rows, out_stride); room for n_out padded to kPanelRows in every row
  int64_t out_stride = 0;  // numbers
  const float* bias = nullptr;  // (n_out padded), added to the product
  bool add = false;             // out += product instead of out = product (the residual stream)
};
using Epilogue = EpilogueOf<float>;

// One table per ISA. Every function is pure: no state, no allocation, safe on any number of
// threads.
struct LinearKernels {
  // x (n_in) f32 -> 1 or 2 activation records; n_in is padded with zeros. form: any that is not for
  // tiles, and not none.
  void (*quantize_row)(const float* x, int64_t n_in, RowForm form, std::byte* records);
  // Panels [first, last) of the product of n_rows rows, of row_records (1 or 2) records each, with
  // an integer matrix. Rows are row_stride bytes apart; with 2 records that is 2 *
  // activation_bytes(n_in).
  void (*multiply_quantized)(const PackedMatrix& w, const std::byte* records, int64_t row_stride,
                             int n_rows, int row_records, int64_t first_panel, int64_t last_panel,
                             const Epilogue& epilogue);
  // The same with f32 activations (n_rows, x_stride) and an f32/f16/bf16 matrix. Products and sums
  // in f32 with fma.
  void (*multiply_float)(const PackedMatrix& w, const float* x, int64_t x_stride, int n_rows,
                         int64_t first_panel, int64_t last_panel, const Epilogue& epilogue);
};
// f32 weights of a panel, decoded row by row, then in the order in which the exact product reads
// them (exact.h).
int64_t exact_scratch_bytes(int64_t n_in);

// Products of bf16 activations with weights rounded to bf16, sums in f32: for prompt rows, on ISAs
// that have tiles. Closer to the exact path than int8, but its bits are this instruction's: within
// an ISA they depend on row and column alone, as everywhere.
struct Bf16Kernels {
  // x (n_in) f32 -> a record of activation_bytes(n_in) that holds the row in bf16, rounded to
  // nearest even; inputs past n_in are zero.
  void (*round_row)(const float* x, int64_t n_in, std::byte* record);
  // Panels [first, last) of the product of n_rows such records, record_stride bytes apart (best an
  // odd multiple of 64, which spreads rows over the cache), with a packed matrix of any layout.
  // scratch: scratch_bytes(n_in, n_rows or more) of the calling thread, aligned to 64. Activations
  // are read anew for every call: it is worth having many panels in one.
  void (*multiply)(const PackedMatrix& w, const std::byte* records, int64_t record_stride,
                   int n_rows, int64_t first_panel, int64_t last_panel, const Epilogue& epilogue,
                   std::byte* scratch);
  int64_t (*scratch_bytes)(int64_t n_in, int n_rows);
  // The same for rows that are int8 already: records hold their codes, which bf16 holds exactly,
  // and the row's factor. Ternary weights then count as -1, 0 and 1 until the end, so that sums are
  // exact integers and the product has the bits of multiply_quantized on RowForm::int8_already.
  void (*take_int8_row)(const float* x, int64_t n_in, std::byte* record);
  void (*multiply_int8)(const PackedMatrix& w, const std::byte* records, int64_t record_stride,
                        int n_rows, int64_t first_panel, int64_t last_panel,
                        const Epilogue& epilogue, std::byte* scratch);
};

}  // namespace quern::cpu
