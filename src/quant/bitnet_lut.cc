// tl1 and tl2: bitnet.cpp's layouts for kernels that look sums of two or three activations up in a
// table. weight = scale * w with w in -1, 0, 1 and one f32 scale for the whole matrix (its place:
// bitnet_scale_at).
//
// A matrix of M rows and K columns is cut into tiles of BM rows, a tile into blocks of BK columns,
// and a block into groups of bm rows; see LutTiling.
//
// tl1 (2 bits per weight). by = 256 / bm columns belong together. From outermost to innermost:
//   tile | block | group of bm rows | by columns | 16 rows | 4 columns | row: one byte
// The byte has pair (w0, w1) of the first two columns in its high half and of the next two in its
// low half, as 3 (w0 + 1) + (w1 + 1).
//
// tl2 (1.67 bits per weight). K3 = K / BK * BK columns go by threes, the K2 = K - K3 last ones by
// twos. Three parts follow each other:
//   A  indices of triplets: tile | block | 32 rows | 6 columns | 32 bytes, one per row
//      high half: |v| of columns 0..2, low half: of columns 3..5, with v = 9 w0 + 3 w1 + w2
//   B  signs of triplets: tile | block | 32 rows | 24 columns | 16 little-endian words, l for rows
//      l and l + 16: bit 15 - 2 z is the sign of triplet z of row l, the bit below it of row l + 16
//   C  pairs, as in tl1 with blocks of 32 and 4 columns:
//      tile | block | 32 rows | 4 columns | 32 bytes
// In A and C, rows 8..15 and 16..23 of each 32 have changed places in memory.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "quant/bitnet.h"
#include "quant/format.h"

namespace quern {
namespace {

struct Preset {
  int64_t n_rows, n_cols;
  LutTiling tl1, tl2;
};
// The settings bitnet.cpp's setup gave its code generators, by model.
constexpr Preset kPresets[] = {
    {1536, 4096, {256, 128, 32}, {256, 96, 32}},  // bitnet_b1_58-large
    {1536, 1536, {128, 64, 64}, {128, 192, 32}},  {4096, 1536, {256, 128, 32}, {256, 96, 32}},
    {3200, 8640, {160, 64, 32}, {160, 96, 32}},  // bitnet_b1_58-3B
    {3200, 3200, {320, 128, 64}, {320, 96, 32}},  {8640, 3200, {320, 64, 32}, {320, 96, 32}},
    {14336, 4096, {256, 128, 32}, {256, 96, 32}},  // Llama3-8B-1.58
    {4096, 14336, {128, 64, 64}, {128, 96, 32}},  {1024, 4096, {256, 128, 32}, {256, 96, 32}},
    {4096, 4096, {128, 64, 64}, {128, 96, 32}},
};

const Preset* find_preset(int64_t n_rows, int64_t n_cols) {
  for (const Preset& preset : kPresets)
    if (preset.n_rows == n_rows && preset.n_cols == n_cols) return &preset;
  return nullptr;
}

int byte_at(const QuantMatrix& m, int64_t at) { return std::to_integer<int>(m.data[at]); }

// Codes (w + 1) of a pair's index; the indices 9..15 are not used and stand for zeros in the tables
// of the kernels.
void put_pair(int index, int8_t* codes) {
  codes[0] = static_cast<int8_t>(index < 9 ? index / 3 : 1);
  codes[1] = static_cast<int8_t>(index < 9 ? index % 3 : 1);
}

void put_triplet(int magnitude, bool minus, int8_t* codes) {
  if (magnitude > 13) magnitude = 0;  // 14 and 15 are not used
  const int v = 13 + (minus ? -magnitude : magnitude);
  codes[0] = static_cast<int8_t>(v / 9);
  codes[1] = static_cast<int8_t>(v / 3 % 3);
  codes[2] = static_cast<int8_t>(v % 3);
}

// Codes of one row of a tl1 matrix.
void tl1_row(const QuantMatrix& m, int64_t row, int8_t* codes) {
  const LutTiling t = *tl1_tiling(m.n_rows, m.n_cols);
  const int by = 256 / t.group_rows;
  const int64_t tile = row / t.tile_rows, group = row % t.tile_rows / t.group_rows;
  const int64_t sixteen = row % t.group_rows / 16, lane = row % 16;
  for (int64_t col = 0; col < m.n_cols; col += 4) {
    const int64_t block = col / t.tile_cols, together = col % t.tile_cols / by;
    int64_t at = tile * (m.n_cols / t.tile_cols) + block;
    at = at * (t.tile_rows / t.group_rows) + group;
    at = at * (t.tile_cols / by) + together;
    at = at * (t.group_rows / 16) + sixteen;
    at = at * (by / 4) + col % by / 4;
    const int byte = byte_at(m, at * 16 + lane);
    put_pair(byte >> 4, codes + col);
    put_pair(byte & 15, codes + col + 2);
  }
}

// Codes of one row of a tl2 matrix.
struct Tl2Row {
  const QuantMatrix& m;
  LutTiling t;
  int64_t tile, group, place, lane;  // place: of the row among its 32 in memory
  bool upper;                        // rows 16..31 of the 32

  Tl2Row(const QuantMatrix& matrix, int64_t row)
      : m(matrix),
        t(*tl2_tiling(matrix.n_rows, matrix.n_cols)),
        tile(row / t.tile_rows),
        group(row % t.tile_rows / 32),
        place(row % 32),
        lane(row % 16),
        upper(row % 32 >= 16) {
    if (place >= 8 && place < 24) place += place < 16 ? 8 : -8;
  }

  // Number of the (tile, block, group, run) that column `col` of a part lies in; the part has
  // blocks of `block` columns and runs of `run` columns.
  int64_t run_at(int64_t part_cols, int64_t col, int block, int run) const {
    int64_t at = tile * (part_cols / block) + col / block;
    at = at * (t.tile_rows / 32) + group;
    return at * (block / run) + col % block / run;
  }

  void unpack(int8_t* codes) const {
    const int64_t k3 = m.n_cols / t.tile_cols * t.tile_cols, k2 = m.n_cols - k3;
    const int64_t signs_at = m.n_rows * k3 / 6, pairs_at = signs_at + m.n_rows * k3 / 24;
    for (int64_t col = 0; col < k3; col += 3) {
      const int indices = byte_at(m, run_at(k3, col, t.tile_cols, 6) * 32 + place);
      const int64_t word = signs_at + run_at(k3, col, t.tile_cols, 24) * 32 + lane * 2;
      const int signs = byte_at(m, word) | byte_at(m, word + 1) << 8;
      const int triplet = static_cast<int>(col % 24 / 3);
      put_triplet(col % 6 == 0 ? indices >> 4 : indices & 15,
                  signs >> (15 - 2 * triplet - upper) & 1, codes + col);
    }
    for (int64_t col = 0; col < k2; col += 4) {
      const int byte = byte_at(m, pairs_at + run_at(k2, col, 32, 4) * 32 + place);
      put_pair(byte >> 4, codes + k3 + col);
      put_pair(byte & 15, codes + k3 + col + 2);
    }
  }
};

void tl2_row(const QuantMatrix& m, int64_t row, int8_t* codes) { Tl2Row(m, row).unpack(codes); }

using RowCodes = void (*)(const QuantMatrix&, int64_t row, int8_t* codes);

template <RowCodes row_codes>
void split(const QuantMatrix& m, int64_t first, int64_t n, int8_t* codes, float* scales, float*) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  std::fill_n(scales, n * (m.n_cols / 32), bitnet_scale(m));
  for (int64_t r = 0; r < n; ++r) row_codes(m, first + r, codes + r * m.n_cols);
}

template <RowCodes row_codes>
void decode(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  const float scale = bitnet_scale(m);
  std::vector<int8_t> codes(m.n_cols);
  for (int64_t r = 0; r < n; ++r, out += m.n_cols) {
    row_codes(m, first + r, codes.data());
    for (int64_t c = 0; c < m.n_cols; ++c) out[c] = scale * static_cast<float>(codes[c] - 1);
  }
}

constexpr IntegerForm kForm{.group = 32, .bits = 2, .zero_point = 1, .scales = ScaleKind::one};

}  // namespace

extern const Format kTl1 = {Dtype::tl1, decode<tl1_row>, nullptr, kForm, split<tl1_row>};
extern const Format kTl2 = {Dtype::tl2, decode<tl2_row>, nullptr, kForm, split<tl2_row>};

std::optional<LutTiling> tl1_tiling(int64_t n_rows, int64_t n_cols) {
  const Preset* preset = find_preset(n_rows, n_cols);
  return preset ? std::optional(preset->tl1) : std::nullopt;
}

std::optional<LutTiling> tl2_tiling(int64_t n_rows, int64_t n_cols) {
  const Preset* preset = find_preset(n_rows, n_cols);
  return preset ? std::optional(preset->tl2) : std::nullopt;
}

}  // namespace quern
