// The rate of tile products. Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/simd/amx.h"

namespace quern::cpu {

// Products of bf16 tiles on registers, four chains; returns the operations done. A matrix product
// must also load a tile for each, which costs it 5 % where a core has one busy thread and more than
// half where it has two.
inline int64_t probe_tile_products(int64_t rounds) {
  Tiles::configure();
  Tiles::zero<0>(), Tiles::zero<1>(), Tiles::zero<2>(), Tiles::zero<3>();
  Tiles::zero<4>(), Tiles::zero<5>(), Tiles::zero<6>(), Tiles::zero<7>();
  for (int64_t r = 0; r < rounds; ++r) {
    Tiles::add_bf16_product<0, 4, 6>();
    Tiles::add_bf16_product<1, 4, 7>();
    Tiles::add_bf16_product<2, 5, 6>();
    Tiles::add_bf16_product<3, 5, 7>();
  }
  Tiles::release();
  return rounds * 4 * 2 * 16 * 16 * 32;
}

}  // namespace quern::cpu
