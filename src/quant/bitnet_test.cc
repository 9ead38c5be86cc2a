// bitnet.cpp's layouts, written here as the loops that pack them and read back by position.
#include "quant/bitnet.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace quern {
namespace {

constexpr float kScale = 0.37f;

struct Ternary {
  int64_t n_rows, n_cols;
  std::vector<int> w;  // -1, 0, 1
  int at(int64_t r, int64_t c) const { return w[r * n_cols + c]; }
};

Ternary random_ternary(int64_t n_rows, int64_t n_cols) {
  Ternary t{n_rows, n_cols, std::vector<int>(n_rows * n_cols)};
  std::mt19937 random(static_cast<unsigned>(n_rows + n_cols));
  for (int& w : t.w) w = static_cast<int>(random() % 3) - 1;
  return t;
}

Ternary constant(int64_t n_rows, int64_t n_cols, int w) {
  return {n_rows, n_cols, std::vector<int>(n_rows * n_cols, w)};
}

using Bytes = std::vector<uint8_t>;

void finish(Bytes& bytes, int64_t scale_at) {
  ASSERT_LE(static_cast<int64_t>(bytes.size()), scale_at);
  bytes.resize(scale_at + 32);
  std::memcpy(&bytes[scale_at], &kScale, 4);
}

uint8_t pair(const Ternary& t, int64_t row, int64_t col) {
  return static_cast<uint8_t>(3 * (t.at(row, col) + 1) + t.at(row, col + 1) + 1);
}

int triplet(const Ternary& t, int64_t row, int64_t col) {
  return 9 * t.at(row, col) + 3 * t.at(row, col + 1) + t.at(row, col + 2);
}

Bytes pack_i2_s(const Ternary& t) {
  Bytes out;
  for (size_t block = 0; block < t.w.size(); block += 128)
    for (int p = 0; p < 32; ++p) {
      int byte = 0;
      for (int g = 0; g < 4; ++g) byte = byte << 2 | (t.w[block + 32 * g + p] + 1);
      out.push_back(static_cast<uint8_t>(byte));
    }
  finish(out, static_cast<int64_t>(t.w.size() / 4));
  return out;
}

Bytes pack_tl1(const Ternary& t) {
  const LutTiling tiling = *tl1_tiling(t.n_rows, t.n_cols);
  const int BM = tiling.tile_rows, BK = tiling.tile_cols, bm = tiling.group_rows, by = 256 / bm;
  Bytes out;
  for (int64_t tile = 0; tile < t.n_rows; tile += BM)
    for (int64_t block = 0; block < t.n_cols; block += BK)
      for (int group = 0; group < BM; group += bm)
        for (int cols = 0; cols < BK; cols += by)
          for (int sixteen = 0; sixteen < bm; sixteen += 16)
            for (int quad = 0; quad < by; quad += 4)
              for (int lane = 0; lane < 16; ++lane) {
                const int64_t row = tile + group + sixteen + lane, col = block + cols + quad;
                out.push_back(static_cast<uint8_t>(pair(t, row, col) << 4 | pair(t, row, col + 2)));
              }
  finish(out, static_cast<int64_t>(t.w.size() / 4));
  return out;
}

// Row of the group that stands at position p of 32.
int row_at(int p) { return (p / 8 == 1 ? 16 : p / 8 == 2 ? 8 : p / 8 * 8) + p % 8; }

struct Tl2Parts {
  Bytes indices, signs, pairs;
};

Tl2Parts pack_tl2_parts(const Ternary& t) {
  const LutTiling tiling = *tl2_tiling(t.n_rows, t.n_cols);
  const int BM = tiling.tile_rows, BK = tiling.tile_cols;
  const int64_t k3 = t.n_cols / BK * BK;
  Tl2Parts parts;
  for (int64_t tile = 0; tile < t.n_rows; tile += BM) {
    for (int64_t block = 0; block < k3; block += BK)
      for (int64_t group = tile; group < tile + BM; group += 32) {
        for (int64_t col = block; col < block + BK; col += 6)
          for (int p = 0; p < 32; ++p) {
            const int64_t row = group + row_at(p);
            parts.indices.push_back(static_cast<uint8_t>(std::abs(triplet(t, row, col)) << 4 |
                                                         std::abs(triplet(t, row, col + 3))));
          }
        for (int64_t col = block; col < block + BK; col += 24)
          for (int lane = 0; lane < 16; ++lane) {
            int word = 0;
            for (int z = 0; z < 8; ++z)
              for (int h = 0; h < 2; ++h)
                word |= (triplet(t, group + 16 * h + lane, col + 3 * z) < 0) << (15 - (2 * z + h));
            parts.signs.push_back(static_cast<uint8_t>(word & 255));
            parts.signs.push_back(static_cast<uint8_t>(word >> 8));
          }
      }
    for (int64_t block = k3; block < t.n_cols; block += 32)
      for (int64_t group = tile; group < tile + BM; group += 32)
        for (int64_t col = block; col < block + 32; col += 4)
          for (int p = 0; p < 32; ++p) {
            const int64_t row = group + row_at(p);
            parts.pairs.push_back(
                static_cast<uint8_t>(pair(t, row, col) << 4 | pair(t, row, col + 2)));
          }
  }
  return parts;
}

Bytes pack_tl2(const Ternary& t) {
  Tl2Parts parts = pack_tl2_parts(t);
  Bytes out = std::move(parts.indices);
  out.insert(out.end(), parts.signs.begin(), parts.signs.end());
  out.insert(out.end(), parts.pairs.begin(), parts.pairs.end());
  const int64_t M = t.n_rows, K = t.n_cols;
  const int64_t size = (K - 256) * M / 3 * 5 / 8 + 256 * M / 2 * 4 / 8;
  finish(out, (size + 31) / 32 * 32);
  return out;
}

void expect_decodes(Dtype dtype, const Ternary& t, const Bytes& bytes) {
  ASSERT_EQ(matrix_bytes(dtype, t.n_rows, t.n_cols), static_cast<int64_t>(bytes.size()));
  const QuantMatrix m{dtype, t.n_rows, t.n_cols, std::as_bytes(std::span(bytes))};
  std::vector<float> row(t.n_cols);
  for (int64_t r = 0; r < t.n_rows; ++r) {
    find_format(dtype)->decode(m, r, 1, row.data());
    for (int64_t c = 0; c < t.n_cols; ++c)
      ASSERT_EQ(row[c], kScale * static_cast<float>(t.at(r, c))) << r << " " << c;
  }
}

TEST(Bitnet, I2s) {
  for (const auto& [rows, cols] : {std::pair{1, 128}, {3, 384}, {64, 2560}}) {
    const Ternary t = random_ternary(rows, cols);
    expect_decodes(Dtype::i2_s, t, pack_i2_s(t));
  }
}

TEST(Bitnet, I2sEncodesATernaryMatrixExactly) {
  const Ternary t = random_ternary(4, 256);
  std::vector<float> weights;
  for (const int w : t.w) weights.push_back(kScale * static_cast<float>(w));
  Bytes bytes(matrix_bytes(Dtype::i2_s, 4, 256));
  find_format(Dtype::i2_s)
      ->encode(weights.data(), 4 * 256, reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_EQ(bytes, pack_i2_s(t));
}

// One shape of every preset, among them each tiling, rows of pairs (tl2) and none.
TEST(Bitnet, LutFormats) {
  for (const auto& [rows, cols] :
       {std::pair{1536, 4096}, {1536, 1536}, {4096, 1536}, {3200, 3200}, {1024, 4096}}) {
    const Ternary t = random_ternary(rows, cols);
    expect_decodes(Dtype::tl1, t, pack_tl1(t));
    expect_decodes(Dtype::tl2, t, pack_tl2(t));
  }
}

TEST(Bitnet, EveryPresetTilesItsShape) {
  for (const auto& [rows, cols] : {std::pair{1536, 4096},
                                   {1536, 1536},
                                   {4096, 1536},
                                   {3200, 8640},
                                   {3200, 3200},
                                   {8640, 3200},
                                   {14336, 4096},
                                   {4096, 14336},
                                   {1024, 4096},
                                   {4096, 4096}}) {
    const LutTiling one = *tl1_tiling(rows, cols), two = *tl2_tiling(rows, cols);
    EXPECT_EQ(rows % one.tile_rows, 0);
    EXPECT_EQ(cols % one.tile_cols, 0);
    EXPECT_EQ(one.tile_rows % one.group_rows, 0);
    EXPECT_EQ(rows % two.tile_rows, 0);
    EXPECT_EQ(two.tile_rows % 32, 0);
    EXPECT_EQ(two.tile_cols % 24, 0);
    const int64_t k3 = cols / two.tile_cols * two.tile_cols, k2 = cols - k3;
    EXPECT_EQ(k2 % 32, 0);
    const int64_t packed = int64_t{rows} * k3 * 5 / 24 + int64_t{rows} * k2 / 4;
    EXPECT_LE(packed, bitnet_scale_at(Dtype::tl2, rows, cols));
  }
}

// Bytes that a matrix of equal weights packs to, as bitnet.cpp's own packers give them.
TEST(Bitnet, SanityBytes) {
  const struct {
    int w;
    uint8_t i2_s, pairs, triplets, signs;
  } kCases[] = {
      {0, 0x55, 0x44, 0x00, 0x00}, {1, 0xaa, 0x88, 0xdd, 0x00}, {-1, 0x00, 0x00, 0xdd, 0xff}};
  for (const auto& c : kCases) {
    const Ternary t = constant(1536, 4096, c.w);
    EXPECT_EQ(pack_i2_s(t)[0], c.i2_s);
    EXPECT_EQ(pack_tl1(t)[0], c.pairs);
    const Tl2Parts parts = pack_tl2_parts(t);
    EXPECT_EQ(parts.indices[0], c.triplets);
    EXPECT_EQ(parts.signs[0], c.signs);
    EXPECT_EQ(parts.pairs[0], c.pairs);
    expect_decodes(Dtype::i2_s, t, pack_i2_s(t));
    expect_decodes(Dtype::tl1, t, pack_tl1(t));
    expect_decodes(Dtype::tl2, t, pack_tl2(t));
  }
}

}  // namespace
}  // namespace quern
