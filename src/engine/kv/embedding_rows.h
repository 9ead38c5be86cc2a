// Rows that callers give in place of tokens (images and audio, as embeddings), numbered so that
// equal rows have one number: what the prefix tree compares is then as certain as for tokens.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace quern {

// In token lists row n stands as -1 - n.
constexpr bool is_embedding(int32_t token) { return token < 0; }
constexpr int32_t embedding_token(int32_t row) { return -1 - row; }
constexpr int32_t embedding_row(int32_t token) { return -1 - token; }

// Found by a hash of their bytes, compared in full. A row is there as long as somebody holds it,
// and then its number is free for another. That is memory of 4 bytes a number beside the pages of
// the same tokens. Not thread-safe.
class EmbeddingRows {
 public:
  using Hash = std::function<uint64_t(std::span<const float>)>;
  explicit EmbeddingRows(Hash hash = {});  // empty: a 64-bit checksum

  int32_t intern(std::span<const float> row);  // its number; one holder more
  void hold(int32_t row);
  void release(int32_t row);
  std::span<const float> operator[](int32_t row) const { return rows_[row].numbers; }
  int n_rows() const { return static_cast<int>(by_hash_.size()); }

  // Those among keys of the prefix tree (a token and a role in the last bit).
  void hold_keys(std::span<const int32_t> keys);
  void release_keys(std::span<const int32_t> keys);

 private:
  struct Row {
    std::vector<float> numbers;
    uint64_t hash = 0;
    int64_t n_holders = 0;
  };
  Hash hash_;
  std::vector<Row> rows_;
  std::vector<int32_t> unused_;
  std::unordered_multimap<uint64_t, int32_t> by_hash_;
};

// Those of one sequence: its prompt's, in their order. Gives them back when it goes.
class EmbeddingUse {
 public:
  EmbeddingUse() = default;
  ~EmbeddingUse() { clear(); }
  EmbeddingUse(EmbeddingUse&& other) noexcept
      : rows_(std::exchange(other.rows_, nullptr)), used_(std::exchange(other.used_, {})) {}
  EmbeddingUse& operator=(EmbeddingUse&& other) noexcept {
    std::swap(rows_, other.rows_);
    std::swap(used_, other.used_);
    return *this;
  }
  // Tokens that name rows of `embeddings` (.., width) name their numbers in `rows` from now on.
  void intern(EmbeddingRows& rows, std::span<const float> embeddings, int width,
              std::span<int32_t> tokens);
  bool any() const { return !used_.empty(); }

 private:
  void clear();
  EmbeddingRows* rows_ = nullptr;
  std::vector<int32_t> used_;
};

}  // namespace quern
