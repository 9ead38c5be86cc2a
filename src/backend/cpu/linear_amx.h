// Products by tiles: rows of bf16 activations with packed weights turned to bf16, sums in f32.
//
// A panel's weights are decoded once for many rows, which then meet them two tiles of 16 rows at a
// time (2 x 2 tiles of sums, so each tile read is used twice). All inputs go through the tiles in
// ascending order; where sums are put aside between two blocks of inputs they come back as they
// were. So an output's bits depend on its row and column alone: not on other rows, the place in a
// tile, or how the product is cut. Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/bf16_panel.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/quantize_kernel.h"
#include "backend/cpu/simd/amx.h"

namespace quern::cpu {

// The tiling of a product. Rows are taken in blocks, and inputs in K-blocks, such that the
// activations of both stay in the L2 cache while panels pass; where one K-block is not all inputs,
// the sums of a few panels are kept until the next. A block is the part of a panel that is decoded
// at a time.
struct TileCut {
  static constexpr int kBlockSteps = 64;
  static constexpr int kMaxTiles = 16;                // of 16 rows, in a block of rows
  static constexpr int64_t kCacheBytes = 1024 << 10;  // of activations
  static constexpr int kPanelsKept = 8;

  int64_t n_steps, k_block;  // steps of all inputs, and of a K-block
  int n_tiles, row_tiles;    // of all rows, and of a block of rows
  int panels;                // whose sums are kept

  TileCut(int64_t n_in, int n_rows)
      : n_steps((n_in + kStepInputs - 1) / kStepInputs), n_tiles((n_rows + 15) / 16) {
    const int blocks = (n_tiles + kMaxTiles - 1) / kMaxTiles;
    const int pairs = ((n_tiles + blocks - 1) / blocks + 1) / 2;  // blocks of equal size
    row_tiles = 2 * pairs;
    k_block = k_block_of(row_tiles);
    panels = k_block < n_steps ? kPanelsKept : 1;
  }
  int64_t weight_bytes() const { return smaller(n_steps, kBlockSteps) * kStepBytes; }
  // Enough for fewer rows too, although blocks of equal size may be larger for those.
  int64_t sums_bytes() const {
    const int64_t most = smaller((n_tiles + 1) / 2 * 2, kMaxTiles);
    return (k_block_of(most) < n_steps ? kPanelsKept : 1) * most * kStepBytes;
  }
  int64_t k_block_of(int64_t tiles) const {
    const int64_t whole_blocks = kCacheBytes / (tiles * kTileBytes) / kBlockSteps;
    return smaller(whole_blocks * kBlockSteps, n_steps);
  }
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
};

class TileLinear {
 public:
  static void round_row(const float* x, int64_t n_in, std::byte* record) {
    auto* out = reinterpret_cast<uint16_t*>(record);
    const int64_t end = activation_groups(n_in) * kGroup;
    for (int64_t k = 0; k < end; k += Avx512::kLanes) {
      const int64_t left = n_in - k;
      const bool whole = left >= Avx512::kLanes;
      Avx512::store_bf16(
          out + k, whole ? Avx512::load(x + k) : Avx512::load_part(x + (left > 0 ? k : 0), left));
    }
  }

  // The factor is where quantized records have it, and is the same number.
  static void take_int8_row(const float* x, int64_t n_in, std::byte* record) {
    __m512 most = Avx512::fill(0);
    for (int64_t k = 0; k < n_in; k += Avx512::kLanes) {
      most = Avx512::max(Avx512::abs(Avx512::load_part(x + k, n_in - k)), most);
    }
    const float largest = Avx512::largest(most);
    const bool zero = !(largest >= kSmallestActivation);
    const __m512 inverse = Avx512::fill(zero ? 0.0f : 127.0f / largest);
    auto* out = reinterpret_cast<uint16_t*>(record);
    const int64_t end = activation_groups(n_in) * kGroup;
    for (int64_t k = 0; k < end; k += Avx512::kLanes) {
      const int64_t left = n_in - k;
      const __m512 v = Avx512::load_part(x + (left > 0 ? k : 0), left);
      Avx512::store_bf16(out + k, Avx512::to_float(Avx512::round_to_int(Avx512::mul(v, inverse))));
    }
    reinterpret_cast<ActivationFactor*>(out + end)->factor = zero ? 0.0f : largest / 127.0f;
  }

  static int64_t scratch_bytes(int64_t n_in, int n_rows) {
    const TileCut cut(n_in, n_rows);
    return cut.weight_bytes() + cut.sums_bytes();
  }

  // kFactors: records of take_int8_row.
  template <bool kFactors>
  static void multiply(const PackedMatrix& w, const std::byte* records, int64_t record_stride,
                       int n_rows, int64_t first_panel, int64_t last_panel,
                       const Epilogue& epilogue, std::byte* scratch) {
    if (n_rows <= 0) return;
    const TileLinear product(w, records, record_stride, n_rows, kFactors, epilogue, scratch);
    Tiles::configure_rows(product.tile_rows_);
    switch (w.layout) {
      case Layout::int2:
        product.rows<Layout::int2>(first_panel, last_panel);
        break;
      case Layout::int3:
        product.rows<Layout::int3>(first_panel, last_panel);
        break;
      case Layout::int4:
        product.rows<Layout::int4>(first_panel, last_panel);
        break;
      case Layout::int5:
        product.rows<Layout::int5>(first_panel, last_panel);
        break;
      case Layout::int6:
        product.rows<Layout::int6>(first_panel, last_panel);
        break;
      case Layout::int8:
        product.rows<Layout::int8>(first_panel, last_panel);
        break;
      case Layout::table4:
        product.rows<Layout::table4>(first_panel, last_panel);
        break;
      case Layout::ternary:
        product.rows<Layout::ternary>(first_panel, last_panel);
        break;
      case Layout::f32:
        product.rows<Layout::f32>(first_panel, last_panel);
        break;
      case Layout::f16:
        product.rows<Layout::f16>(first_panel, last_panel);
        break;
      case Layout::bf16:
        product.rows<Layout::bf16>(first_panel, last_panel);
        break;
    }
    Tiles::release();
  }

 private:
  // The outputs of a panel for some rows, fetched for writing a few at a time while sums are made:
  // all at once they would keep the tiles' own reads waiting.
  class OutputLines {
   public:
    OutputLines(const Epilogue& epilogue, int first_row, int n_rows, int64_t panel, int64_t n_steps)
        : at_(epilogue.out + first_row * epilogue.out_stride + kPanelRows * panel),
          stride_(epilogue.out_stride),
          left_(n_rows),
          per_step_(static_cast<int>((n_rows + n_steps - 1) / n_steps)) {}
    void fetch() {
      for (int i = 0; i < per_step_ && left_ > 0; ++i, --left_, at_ += stride_) {
        __builtin_prefetch(at_, 1);
        __builtin_prefetch(at_ + kStripRows, 1);
      }
    }

   private:
    float* at_;
    int64_t stride_;
    int left_, per_step_;
  };

  TileLinear(const PackedMatrix& w, const std::byte* records, int64_t record_stride, int n_rows,
             bool factors, const Epilogue& epilogue, std::byte* scratch)
      : w_(w),
        panel_bytes_(static_cast<int64_t>(w.data.size()) / w.n_panels()),
        records_(records),
        record_stride_(record_stride),
        n_rows_(n_rows),
        tile_rows_(n_rows < 16 ? n_rows : 16),
        factors_(factors),
        row_scales_(factors && w.layout == Layout::ternary),
        epilogue_(epilogue),
        cut_(w.n_in, n_rows),
        weights_(scratch),
        sums_(scratch + cut_.weight_bytes()) {}

  // The last tile of rows reaches back over rows that another has too: their results are the same.
  int first_row(int tile) const {
    return 16 * tile + tile_rows_ <= n_rows_ ? 16 * tile : n_rows_ - tile_rows_;
  }

  template <Layout kLayout>
  void rows(int64_t first_panel, int64_t last_panel) const {
    for (int tile = 0; tile < cut_.n_tiles; tile += cut_.row_tiles) {
      for (int64_t p = first_panel; p < last_panel; p += cut_.panels) {
        for (int64_t step = 0; step < cut_.n_steps; step += cut_.k_block) {
          const int64_t end = TileCut::smaller(p + cut_.panels, last_panel);
          for (int64_t panel = p; panel < end; ++panel) {
            k_block<kLayout>(tile, panel, step, sums_ + (panel - p) * cut_.row_tiles * kStepBytes);
          }
        }
      }
    }
  }

  // One panel, steps [first, first + k_block), a block of rows.
  template <Layout kLayout>
  void k_block(int first_tile, int64_t panel, int64_t first, std::byte* sums) const {
    const int64_t end = TileCut::smaller(first + cut_.k_block, cut_.n_steps);
    const int last_tile =
        static_cast<int>(TileCut::smaller(first_tile + cut_.row_tiles, cut_.n_tiles));
    for (int64_t step = first; step < end; step += TileCut::kBlockSteps) {
      const int64_t last = TileCut::smaller(step + TileCut::kBlockSteps, end);
      decode_steps<kLayout>(w_, w_.data.data() + panel * panel_bytes_, step, last, row_scales_,
                            weights_);
      std::byte* at = sums;
      for (int tile = first_tile; tile < last_tile; tile += 2, at += 2 * kStepBytes) {
        const bool two = tile + 1 < last_tile, finish = last == cut_.n_steps;
        const int n_rows = finish ? (two ? 2 : 1) * tile_rows_ : 0;
        OutputLines lines(epilogue_, first_row(tile), n_rows, panel, last - step);
        if (two) {
          multiply_tiles<2>(tile, step, last, at, lines);
        } else {
          multiply_tiles<1>(tile, step, last, at, lines);
        }
        if (!finish) continue;
        if (factors_) scale_rows(tile, panel, at);
        store_rows(tile, panel, at);
        if (!two) continue;
        if (factors_) scale_rows(tile + 1, panel, at + kStepBytes);
        store_rows(tile + 1, panel, at + kStepBytes);
      }
    }
  }

  // Steps [first, last) of one or two tiles of rows with a panel: registers 0 to 3 are sums, 4 and
  // 5 activations, 6 and 7 weights. All four are loaded before the products: where another thread
  // of the core is busy, mixing them is slower.
  template <int kTiles>
  void multiply_tiles(int tile, int64_t first, int64_t last, std::byte* sums,
                      OutputLines& outputs) const {
    if (first == 0) {
      Tiles::zero<0>(), Tiles::zero<1>();
      if constexpr (kTiles == 2) Tiles::zero<2>(), Tiles::zero<3>();
    } else {
      Tiles::load<0>(sums, 64), Tiles::load<1>(sums + kTileBytes, 64);
      if constexpr (kTiles == 2) {
        Tiles::load<2>(sums + 2 * kTileBytes, 64), Tiles::load<3>(sums + 3 * kTileBytes, 64);
      }
    }
    const std::byte* a0 = records_ + first_row(tile) * record_stride_ + 64 * first;
    const std::byte* a1 = records_ + first_row(tile + kTiles - 1) * record_stride_ + 64 * first;
    const std::byte* b = weights_;
    for (int64_t i = first; i < last; ++i, a0 += 64, a1 += 64, b += kStepBytes) {
      outputs.fetch();
      Tiles::load<4>(a0, record_stride_);
      if constexpr (kTiles == 2) Tiles::load<5>(a1, record_stride_);
      Tiles::load<6>(b, 64);
      Tiles::load<7>(b + kTileBytes, 64);
      Tiles::add_bf16_product<0, 4, 6>();
      Tiles::add_bf16_product<1, 4, 7>();
      if constexpr (kTiles == 2) {
        Tiles::add_bf16_product<2, 5, 6>();
        Tiles::add_bf16_product<3, 5, 7>();
      }
    }
    Tiles::store<0>(sums, 64), Tiles::store<1>(sums + kTileBytes, 64);
    if constexpr (kTiles == 2) {
      Tiles::store<2>(sums + 2 * kTileBytes, 64), Tiles::store<3>(sums + 3 * kTileBytes, 64);
    }
  }

  // Sums by the scales that the weights were read without, and by the rows' factors.
  void scale_rows(int tile, int64_t panel, std::byte* sums) const {
    const int64_t factor_at = activation_groups(w_.n_in) * int64_t{sizeof(ActivationGroup)};
    const auto* scales = reinterpret_cast<const float*>(w_.data.data() + panel * panel_bytes_);
    for (int i = 0; i < tile_rows_; ++i, sums += 64) {
      const std::byte* record = records_ + (first_row(tile) + i) * record_stride_;
      const float factor = reinterpret_cast<const ActivationFactor*>(record + factor_at)->factor;
      for (int s = 0; s < 2; ++s) {
        auto* at = reinterpret_cast<float*>(sums + kTileBytes * s);
        __m512 v = Avx512::load(at);
        if (row_scales_) v = Avx512::mul(v, Avx512::load(scales + kStripRows * s));
        Avx512::store(at, Avx512::mul(v, Avx512::fill(factor)));
      }
    }
  }

  void store_rows(int tile, int64_t panel, const std::byte* sums) const {
    const int first = first_row(tile);
    for (int row = 16 * tile; row < first + tile_rows_; ++row) {
      store_row(row, kPanelRows * panel, sums + 64 * (row - first));
    }
  }

  void store_row(int row, int64_t at, const std::byte* sums) const {
    float* out = epilogue_.out + row * epilogue_.out_stride + at;
    for (int s = 0; s < 2; ++s) {
      __m512 v = Avx512::load(reinterpret_cast<const float*>(sums + kTileBytes * s));
      if (epilogue_.bias) v = Avx512::add(v, Avx512::load(epilogue_.bias + at + kStripRows * s));
      if (epilogue_.add) v = Avx512::add(Avx512::load(out + kStripRows * s), v);
      Avx512::store(out + kStripRows * s, v);
    }
  }

  const PackedMatrix& w_;
  int64_t panel_bytes_;
  const std::byte* records_;
  int64_t record_stride_;
  int n_rows_, tile_rows_;
  bool factors_, row_scales_;  // left to the end: of activations, of weights
  const Epilogue& epilogue_;
  TileCut cut_;
  std::byte *weights_, *sums_;  // decoded weights of a block; sums of panels
};

}  // namespace quern::cpu
