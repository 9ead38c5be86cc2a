#include "engine/spec/ngram_lookup.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace quern {
namespace {

uint64_t mixed(uint64_t x) {  // the finisher of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t hash_of(uint64_t salt, const int32_t* tokens) {
  uint64_t hash = salt;
  for (int i = 0; i < NgramLookup::kOrder; ++i)
    hash = mixed(hash ^ static_cast<uint32_t>(tokens[i])) + 0x9e3779b97f4a7c15u;
  return hash;
}

uint64_t salt_of(std::string_view salt) { return std::hash<std::string_view>()(salt); }

}  // namespace

NgramLookup::NgramLookup(size_t entries) : table_(entries) {
  CHECK(std::has_single_bit(entries), "a power of two");
}

void NgramLookup::learn(std::string_view salt, std::span<const int32_t> tokens, size_t from) {
  const uint64_t seed = salt_of(salt);
  for (size_t i = std::max<size_t>(from, kOrder); i < tokens.size(); ++i) {
    const uint64_t hash = hash_of(seed, &tokens[i - kOrder]);
    table_[hash & (table_.size() - 1)] = {static_cast<uint32_t>(hash >> 32), tokens[i]};
  }
}

void NgramLookup::draft(std::string_view salt, std::span<const int32_t> tokens, int most,
                        std::vector<int32_t>& drafts) const {
  if (tokens.size() < kOrder) return;
  const uint64_t seed = salt_of(salt);
  int32_t last[kOrder];
  std::copy(tokens.end() - kOrder, tokens.end(), last);
  for (int n = 0; n < most; ++n) {
    const uint64_t hash = hash_of(seed, last);
    const Entry& entry = table_[hash & (table_.size() - 1)];
    if (entry.next < 0 || entry.check != static_cast<uint32_t>(hash >> 32)) return;
    drafts.push_back(entry.next);
    std::copy(last + 1, last + kOrder, last);
    last[kOrder - 1] = entry.next;
  }
}

}  // namespace quern
