// Number formats of tensors, plain and blocked: one row each. src/quant defines what a block means.
#pragma once
#include <cstdint>
#include <string_view>

namespace quern {

enum class Dtype : uint8_t {
  f32,
  f16,
  bf16,
  f64,
  i8,
  i16,
  i32,
  i64,  // plain
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,  // 32 weights, one scale
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,  // 256 weights, scaled scales
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq4_nl,
  iq4_xs,  // codebooks
  mxfp4,
  tq1_0,
  tq2_0,  // microscaling, ternary
  i2_s,
  tl1,
  tl2,  // bitnet.cpp: whole-tensor layouts
  f8_e4m3,
  f8_e5m2,  // 8-bit floats, as in safetensors
  count
};

// How many bytes n elements take: plain and blocked formats have fixed blocks along the row; the
// bitnet.cpp formats are laid out over the whole tensor (quant/bitnet.h computes their size).
struct DtypeInfo {
  std::string_view name;
  int block;  // elements per block, along the row
  int bytes;  // bytes per block; 0: laid out over the whole tensor
  int gguf;   // ggml type id, -1 where GGUF has none
};

inline constexpr DtypeInfo kDtypes[] = {
    {"f32", 1, 4, 0},         {"f16", 1, 2, 1},        {"bf16", 1, 2, 30},
    {"f64", 1, 8, 28},        {"i8", 1, 1, 24},        {"i16", 1, 2, 25},
    {"i32", 1, 4, 26},        {"i64", 1, 8, 27},       {"q4_0", 32, 18, 2},
    {"q4_1", 32, 20, 3},      {"q5_0", 32, 22, 6},     {"q5_1", 32, 24, 7},
    {"q8_0", 32, 34, 8},      {"q2_k", 256, 84, 10},   {"q3_k", 256, 110, 11},
    {"q4_k", 256, 144, 12},   {"q5_k", 256, 176, 13},  {"q6_k", 256, 210, 14},
    {"q8_k", 256, 292, 15},   {"iq1_s", 256, 50, 19},  {"iq1_m", 256, 56, 29},
    {"iq2_xxs", 256, 66, 16}, {"iq2_xs", 256, 74, 17}, {"iq2_s", 256, 82, 22},
    {"iq3_xxs", 256, 98, 18}, {"iq3_s", 256, 110, 21}, {"iq4_nl", 32, 18, 20},
    {"iq4_xs", 256, 136, 23}, {"mxfp4", 32, 17, 39},   {"tq1_0", 256, 54, 34},
    {"tq2_0", 256, 66, 35},   {"i2_s", 128, 0, 36},    {"tl1", 4, 0, 38},
    {"tl2", 3, 0, 42},        {"f8_e4m3", 1, 1, -1},   {"f8_e5m2", 1, 1, -1},
};
static_assert(sizeof kDtypes / sizeof kDtypes[0] == static_cast<int>(Dtype::count));

constexpr const DtypeInfo& info(Dtype d) { return kDtypes[static_cast<int>(d)]; }

}  // namespace quern
