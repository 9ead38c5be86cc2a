// From one block's layout to a Format. A format of fixed blocks writes down its block as a struct
// and how a block unpacks to integer form; rows, decode and split follow from that here.
#pragma once
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/float16.h"
#include "quant/format.h"

namespace quern {

static_assert(std::endian::native == std::endian::little,
              "blocks are read as they lie in the file");

// A Block is a plain struct that equals the bytes of the file and has
//   static constexpr int kWeights;            weights per block
//   static constexpr IntegerForm kForm;
//   void unpack(int8_t* codes, float* scales, float* offsets) const;
// unpack writes kWeights codes, kWeights / kForm.group scales and, where kForm.has_offset, as many
// offsets (otherwise offsets must not be touched). With ScaleKind::steps the block has
//   SuperScale super() const;
// as well, and unpack writes scales and offsets by spread().

// Scales and offsets of a block with ScaleKind::steps.
template <class Block>
void spread(const Block& block, float* scales, float* offsets) {
  constexpr IntegerForm form = Block::kForm;
  const SuperScale super = block.super();
  for (int g = 0; g < SuperScale::kWeights / form.group; ++g) {
    scales[g] = f16_to_f32(super.d) * form.step_unit * static_cast<float>(super.scale_steps[g]);
    if (form.has_offset)
      offsets[g] = -(f16_to_f32(super.dmin) * static_cast<float>(super.offset_steps[g]));
  }
}

template <class Block>
struct Blocked {
  static constexpr int kGroups = Block::kWeights / Block::kForm.group;

  static void split(const QuantMatrix& m, int64_t first, int64_t n, int8_t* codes, float* scales,
                    float* offsets) {
    for_each_block(m, first, n, [&](const Block& block) {
      block.unpack(codes, scales, offsets);
      codes += Block::kWeights;
      scales += kGroups;
      if (Block::kForm.has_offset) offsets += kGroups;
    });
  }

  static void split_steps(const QuantMatrix& m, int64_t first, int64_t n, SuperScale* out) {
    for_each_block(m, first, n, [&](const Block& block) { *out++ = block.super(); });
  }

  static void decode(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
    constexpr IntegerForm form = Block::kForm;
    for_each_block(m, first, n, [&](const Block& block) {
      int8_t codes[Block::kWeights];
      float scales[kGroups], offsets[kGroups];
      block.unpack(codes, scales, offsets);
      for (int i = 0; i < Block::kWeights; ++i) {
        const int g = i / form.group;
        const float product = scales[g] * static_cast<float>(codes[i] - form.zero_point);
        out[i] = form.has_offset ? product + offsets[g] : product;
      }
      out += Block::kWeights;
    });
  }

 private:
  template <class Use>
  static void for_each_block(const QuantMatrix& m, int64_t first, int64_t n, Use use) {
    const int64_t per_row = m.n_cols / Block::kWeights;
    CHECK(m.n_cols % Block::kWeights == 0 && first >= 0 && n >= 0 && first + n <= m.n_rows,
          "rows outside the matrix");
    CHECK(static_cast<int64_t>(m.data.size() / sizeof(Block)) >= m.n_rows * per_row,
          "matrix data is shorter than its shape");
    const std::byte* at = m.data.data() + first * per_row * sizeof(Block);
    for (int64_t b = 0; b < n * per_row; ++b, at += sizeof(Block)) {
      Block block;  // a copy: the file promises no alignment
      std::memcpy(&block, at, sizeof(Block));
      use(block);
    }
  }
};

// A weight's code from its real-valued one, which may be anything: cut to [low, high], NaN to low.
inline int to_code(float x, int low, int high) {
  if (!(x > static_cast<float>(low))) return low;
  if (x >= static_cast<float>(high)) return high;
  return static_cast<int>(x);  // towards zero
}

// encode of a Block that has `static Block pack(const float* weights)`.
template <class Block>
void encode_blocks(const float* in, int64_t n, std::byte* blocks) {
  CHECK(n % Block::kWeights == 0, "encode needs whole blocks");
  for (; n > 0; n -= Block::kWeights, in += Block::kWeights, blocks += sizeof(Block)) {
    const Block block = Block::pack(in);
    std::memcpy(blocks, &block, sizeof(Block));
  }
}

template <class Block>
constexpr Format blocked_format(Dtype dtype) {
  Format format{dtype, Blocked<Block>::decode, nullptr, Block::kForm, Blocked<Block>::split};
  if constexpr (requires(const float* w) { Block::pack(w); }) format.encode = encode_blocks<Block>;
  if constexpr (Block::kForm.scales == ScaleKind::steps)
    format.split_steps = Blocked<Block>::split_steps;
  return format;
}

// Every format file ends with this: the block is what the dtype table says it is.
template <class Block>
constexpr bool matches(Dtype dtype) {
  return sizeof(Block) == static_cast<size_t>(info(dtype).bytes) &&
         Block::kWeights == info(dtype).block && Block::kWeights % Block::kForm.group == 0;
}

}  // namespace quern
