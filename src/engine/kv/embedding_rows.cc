#include "engine/kv/embedding_rows.h"

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"

namespace quern {

EmbeddingRows::EmbeddingRows(Hash hash) : hash_(std::move(hash)) {
  if (!hash_) hash_ = [](std::span<const float> row) { return checksum(std::as_bytes(row)); };
}

int32_t EmbeddingRows::intern(std::span<const float> row) {
  const uint64_t hash = hash_(row);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    Row& known = rows_[at->second];
    if (known.numbers.size() != row.size() ||
        std::memcmp(known.numbers.data(), row.data(), row.size_bytes()) != 0)
      continue;
    ++known.n_holders;
    return at->second;
  }
  if (unused_.empty()) {
    unused_.push_back(static_cast<int32_t>(rows_.size()));
    rows_.emplace_back();
  }
  const int32_t number = unused_.back();
  unused_.pop_back();
  rows_[number] = {{row.begin(), row.end()}, hash, 1};
  by_hash_.emplace(hash, number);
  return number;
}

void EmbeddingRows::hold(int32_t row) {
  CHECK(rows_[row].n_holders > 0, "a row that is there");
  ++rows_[row].n_holders;
}

void EmbeddingRows::release(int32_t row) {
  Row& its = rows_[row];
  CHECK(its.n_holders > 0, "a row that is there");
  if (--its.n_holders > 0) return;
  const auto [first, last] = by_hash_.equal_range(its.hash);
  for (auto at = first; at != last; ++at) {
    if (at->second != row) continue;
    by_hash_.erase(at);
    break;
  }
  its = {};
  unused_.push_back(row);
}

void EmbeddingRows::hold_keys(std::span<const int32_t> keys) {
  for (const int32_t key : keys)
    if (is_embedding(key >> 1)) hold(embedding_row(key >> 1));
}

void EmbeddingRows::release_keys(std::span<const int32_t> keys) {
  for (const int32_t key : keys)
    if (is_embedding(key >> 1)) release(embedding_row(key >> 1));
}

void EmbeddingUse::intern(EmbeddingRows& rows, std::span<const float> embeddings, int width,
                          std::span<int32_t> tokens) {
  CHECK(!rows_, "a sequence has one prompt");
  rows_ = &rows;
  for (int32_t& token : tokens) {
    if (!is_embedding(token)) continue;
    const size_t at = static_cast<size_t>(embedding_row(token)) * width;
    used_.push_back(rows.intern(embeddings.subspan(at, width)));
    token = embedding_token(used_.back());
  }
}

void EmbeddingUse::clear() {
  for (const int32_t row : used_) rows_->release(row);
  used_.clear();
}

}  // namespace quern
