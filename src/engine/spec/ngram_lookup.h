// N-gram lookup: drafts the next tokens from what followed the same few tokens before: in this
// prompt, in this answer, and in other requests.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace quern {

// One table for all requests of an engine, of a fixed size: a hash of the last kOrder tokens gives
// the token that followed last. A collision gives a wrong draft token, never a wrong answer: draft
// tokens are verified. Requests of different salts never share entries. Not thread-safe.
class NgramLookup {
 public:
  static constexpr int kOrder =
      3;  // tokens that must be the same: with fewer there are more drafts, and worse ones

  // entries: a power of two; 8 bytes each.
  explicit NgramLookup(size_t entries = size_t{1} << 18);

  // Learns what follows what in tokens[from - kOrder..]; those before were learned already.
  void learn(std::string_view salt, std::span<const int32_t> tokens, size_t from);

  // At most `most` tokens that may follow `tokens`, appended to `drafts`.
  void draft(std::string_view salt, std::span<const int32_t> tokens, int most,
             std::vector<int32_t>& drafts) const;

 private:
  struct Entry {
    uint32_t check = 0;  // another part of the hash
    int32_t next = -1;   // -1: empty
  };
  std::vector<Entry> table_;
};

}  // namespace quern
