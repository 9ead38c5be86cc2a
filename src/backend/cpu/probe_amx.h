// The rate of tile products. Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/simd/amx.h"

namespace quern::cpu {

// Products on registers, four chains; returns the operations done. A matrix product must also load
// a tile for each, which costs it 5 % where a core has one busy thread and more than half where it
// has two. The products are assembly that the compiler neither merges nor moves.
template <bool kInt8>
int64_t probe_tile_products(int64_t rounds) {
  Tiles::configure();
  Tiles::zero<0>(), Tiles::zero<1>(), Tiles::zero<2>(), Tiles::zero<3>();
  Tiles::zero<4>(), Tiles::zero<5>(), Tiles::zero<6>(), Tiles::zero<7>();
  for (int64_t r = 0; r < rounds; ++r) {
    if constexpr (kInt8) {
      Tiles::add_int8_product<0, 4, 6>();
      Tiles::add_int8_product<1, 4, 7>();
      Tiles::add_int8_product<2, 5, 6>();
      Tiles::add_int8_product<3, 5, 7>();
    } else {
      Tiles::add_bf16_product<0, 4, 6>();
      Tiles::add_bf16_product<1, 4, 7>();
      Tiles::add_bf16_product<2, 5, 6>();
      Tiles::add_bf16_product<3, 5, 7>();
    }
  }
  Tiles::release();
  return rounds * 4 * 2 * 16 * 16 * (kInt8 ? 64 : 32);
}

}  // namespace quern::cpu
