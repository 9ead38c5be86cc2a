// What may be chosen for the machine at hand without changing a bit of any result: how a product is
// cut into pieces. The defaults are good on all machines they were tried on; `quern tune` looks for
// better ones.
#pragma once

namespace quern::cpu {

// Goes with the records of earlier searches: those of other kernels count for nothing. To be raised
// when kernels or parameters change.
inline constexpr int kKernelVersion = 1;

// Of products of one shape and format.
struct ProductTuning {
  // Packed weights a thread takes at a time, if it meets 16 rows or fewer; of more rows the less.
  int chunk_kib = 256;
  // Panels a thread takes at a time where rows of prompts go through tiles, at most.
  int tile_panels = 16;
  // Records of activations up to which packed codes are read as they lie; 0: what suits the kernel.
  int small_m_records = 0;
  // How far ahead that kernel asks for weights, bytes.
  int ahead = 5120;
  // Records of a tile of registers over expanded weights; 0, or more than the kernel has: its most.
  int tile_rows = 0;
  // Such tiles that share a stretch of expanded weights, at most.
  int block_tiles = 20;
  bool operator==(const ProductTuning&) const = default;
};
inline constexpr int kMaxBlockTiles = 40;
inline constexpr ProductTuning kDefaultTuning;

// The parameters by name, with the values worth trying; the default is among them.
struct ProductParameter {
  const char* name;
  int ProductTuning::*member;
  int values[6];
  int n_values;
  int n_rows;  // of the passes it matters for: 1, a few (8) or a prompt's (512)
};
inline constexpr ProductParameter kProductParameters[] = {
    {"chunk_kib", &ProductTuning::chunk_kib, {64, 128, 256, 512, 1024}, 5, 1},
    {"ahead", &ProductTuning::ahead, {1280, 2560, 5120, 10240}, 4, 1},
    {"few_records", &ProductTuning::small_m_records, {0, 16}, 2, 8},
    {"tile_panels", &ProductTuning::tile_panels, {4, 8, 16, 32, 64}, 5, 512},
    {"tile_rows", &ProductTuning::tile_rows, {0, 4, 5}, 3, 512},
    {"block_tiles", &ProductTuning::block_tiles, {5, 10, 20, 40}, 4, 512},
};

}  // namespace quern::cpu
