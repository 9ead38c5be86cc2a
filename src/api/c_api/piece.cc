// quern/quern.h: pieces that are read in place.
#include <span>
#include <utility>
#include <vector>

#include "api/c_api/handles.h"

namespace {

// Not null where there are none either.
template <class T>
const T* given(std::span<const T> elements, size_t* count) {
  static constexpr T kNone{};
  if (count != nullptr) *count = elements.size();
  return elements.empty() ? &kNone : elements.data();
}

// The elements of a column for the id of this index.
template <class T>
std::span<const T> top(const quern_piece* piece, std::vector<T> quern_piece::*column,
                       size_t index) {
  if (piece == nullptr || index >= piece->logprobs.size()) return {};
  const size_t begin = piece->top_begin[index], end = piece->top_begin[index + 1];
  return std::span<const T>(piece->*column).subspan(begin, end - begin);
}

}  // namespace

quern_piece::quern_piece(std::string piece_text, std::vector<int32_t> piece_ids,
                         std::span<const quern::TokenLogprobs> of_ids)
    : text(std::move(piece_text)), ids(std::move(piece_ids)), top_begin{0} {
  for (const quern::TokenLogprobs& one : of_ids) {
    logprobs.push_back(one.logprob);
    for (const quern::TokenProb& other : one.top) {
      top_ids.push_back(other.id);
      top_logprobs.push_back(other.logprob);
    }
    top_begin.push_back(top_ids.size());
  }
}

const char* quern_piece_text(const quern_piece* piece, size_t* n_bytes) {
  if (n_bytes != nullptr) *n_bytes = piece == nullptr ? 0 : piece->text.size();
  return piece == nullptr ? "" : piece->text.c_str();
}

const int32_t* quern_piece_ids(const quern_piece* piece, size_t* n_ids) {
  return given<int32_t>(piece == nullptr ? std::span<const int32_t>() : piece->ids, n_ids);
}

const float* quern_piece_logprobs(const quern_piece* piece, size_t* n_logprobs) {
  return given<float>(piece == nullptr ? std::span<const float>() : piece->logprobs, n_logprobs);
}

const int32_t* quern_piece_top_ids(const quern_piece* piece, size_t index, size_t* n_top) {
  return given(top(piece, &quern_piece::top_ids, index), n_top);
}

const float* quern_piece_top_logprobs(const quern_piece* piece, size_t index, size_t* n_top) {
  return given(top(piece, &quern_piece::top_logprobs, index), n_top);
}

void quern_piece_free(quern_piece* piece) { delete piece; }
