// Five weights of -1, 0, 1 in a byte. Codes t = weight + 1 are 0..2; v = t0 + 3 t1 + 9 t2 + 27 t3
// is 0..80. A byte below 192 is 64 t4 + v; the 17 larger v take the bytes from 192 on, as
// 192 + 3 (v - 64) + t4. So two tables of 64 entries give four codes as fields of two bits each, t0
// lowest, and the fifth is the top two bits or a third table: cheaper than dividing by 3, and a
// code lost to none.
#pragma once
#include <array>
#include <cstdint>

namespace quern::cpu {

inline constexpr int kTrits = 5;  // codes in a byte

constexpr uint8_t ternary_byte(const int (&t)[kTrits]) {
  const int v = t[0] + 3 * t[1] + 9 * t[2] + 27 * t[3];
  return static_cast<uint8_t>(v < 64 ? 64 * t[4] + v : 192 + 3 * (v - 64) + t[4]);
}

struct TernaryTables {
  alignas(64) std::array<uint8_t, 64> small{};  // of v < 64: t0 | t1 << 2 | t2 << 4 | t3 << 6
  alignas(64) std::array<uint8_t, 64> large{};  // of byte - 192: the same
  alignas(64) std::array<uint8_t, 64> fifth{};  // of byte - 192: t4
};

constexpr TernaryTables make_ternary_tables() {
  constexpr auto fields = [](int v) {
    return static_cast<uint8_t>(v % 3 | v / 3 % 3 << 2 | v / 9 % 3 << 4 | v / 27 << 6);
  };
  TernaryTables tables;
  for (int i = 0; i < 64; ++i) {
    tables.small[i] = fields(i);
    if (i >= 51) continue;  // bytes 243..255 are not used
    tables.large[i] = fields(64 + i / 3);
    tables.fifth[i] = static_cast<uint8_t>(i % 3);
  }
  return tables;
}
inline constexpr TernaryTables kTernaryTables = make_ternary_tables();

}  // namespace quern::cpu
