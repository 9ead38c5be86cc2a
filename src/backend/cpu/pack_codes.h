// The codes of one row and unit into the lines that packed_layout.h describes. A row owns one dword
// of every pair of lines, so rows are packed one after the other without touching each other's.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "backend/cpu/packed_layout.h"
#include "backend/cpu/ternary_code.h"
#include "base/enum_table.h"

namespace quern::cpu {

// codes: of the unit's inputs, in their order. out: the row's dword of the unit's first pair.
using PackRow = void(const uint8_t* codes, std::byte* out);

// Where `count` bits of the codes of a quad, from bit `from` on, are packed: at bit `to` of a pair.
struct CodePiece {
  int pair, from, count, to;
};

// Where a layout puts quad q of a unit: in one piece or two; with one, the second has count 0.
constexpr std::array<CodePiece, 2> pieces_of(Layout layout, int q) {
  const CodePiece none{}, nibble{q % 8, 0, 4, q / 8 * 4}, low_two{q / 4, 0, 2, q % 4 * 2};
  switch (layout) {
    case Layout::int2:
      return {low_two, none};
    case Layout::int3:
      return {low_two, {4 + q / 8, 2, 1, q % 8}};
    case Layout::int5:
      return {nibble, {8 + q / 8, 4, 1, q % 8}};
    case Layout::int6:
      return {nibble, {8 + q / 4, 4, 2, q % 4 * 2}};
    case Layout::int8:
      return {CodePiece{q, 0, 8, 0}, none};
    default:
      return {nibble, none};  // int4, table4
  }
}

template <CodePiece kPiece>
void put_piece(uint32_t word, uint32_t* packed) {
  if constexpr (kPiece.count > 0) {
    constexpr uint32_t kMask = ((1u << kPiece.count) - 1) * 0x01010101u;
    packed[kPiece.pair] |= (word >> kPiece.from & kMask) << kPiece.to;
  }
}

template <Layout kLayout, int... kQuads>
void pack_quads(const uint32_t* words, uint32_t* packed, std::integer_sequence<int, kQuads...>) {
  ((put_piece<pieces_of(kLayout, kQuads)[0]>(words[kQuads], packed),
    put_piece<pieces_of(kLayout, kQuads)[1]>(words[kQuads], packed)),
   ...);
}

template <Layout kLayout>
void pack_row(const uint8_t* codes, std::byte* out) {
  constexpr int kQuads = unit_inputs(kLayout) / kQuad, kPairs = code_pairs(kLayout);
  uint32_t words[kQuads], packed[kPairs] = {};
  std::memcpy(words, codes, sizeof words);
  if constexpr (kLayout == Layout::int8)
    for (uint32_t& word : words) word ^= 0x80808080u;  // code + 128 of each
  pack_quads<kLayout>(words, packed, std::make_integer_sequence<int, kQuads>{});
  for (int pair = 0; pair < kPairs; ++pair)
    std::memcpy(out + 2 * pair * kLine, packed + pair, sizeof *packed);
}

template <>
inline void pack_row<Layout::ternary>(const uint8_t* codes, std::byte* out) {
  constexpr int kPairs = code_pairs(Layout::ternary), kStep = kQuad * kPairs;
  for (int i = 0; i < kStep; ++i) {
    int trits[kTrits];
    for (int t = 0; t < kTrits; ++t) trits[t] = codes[t * kStep + i];
    out[i / kQuad * 2 * kLine + i % kQuad] = static_cast<std::byte>(ternary_byte(trits));
  }
}

// Null for plain layouts, which have no codes.
inline PackRow* row_packer(Layout layout) {
  struct Packer {
    Layout of;
    PackRow* pack;
  };
  constexpr Packer kPackers[] = {
      {Layout::int2, pack_row<Layout::int2>},
      {Layout::int3, pack_row<Layout::int3>},
      {Layout::int4, pack_row<Layout::int4>},
      {Layout::int5, pack_row<Layout::int5>},
      {Layout::int6, pack_row<Layout::int6>},
      {Layout::int8, pack_row<Layout::int8>},
      {Layout::table4, pack_row<Layout::int4>},
      {Layout::ternary, pack_row<Layout::ternary>},
      {Layout::f32, nullptr},
      {Layout::f16, nullptr},
      {Layout::bf16, nullptr},
  };
  static_assert(has_row_for_each(kPackers));
  return row_of(kPackers, layout).pack;
}

}  // namespace quern::cpu
