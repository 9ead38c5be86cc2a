// The opaque types of quern/quern.h, and the conversion of results for C.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quern/model.h"
#include "quern/quern.h"

struct quern_error {
  quern::Error error;
  std::string text;  // quern::to_string(error)
};

struct quern_model {
  quern::Model model;
};

struct quern_stream {
  quern::Stream stream;
  bool with_logprobs;
};

// Columns rather than the rows of TokenLogprobs, so that a program reads them in place.
struct quern_piece {
  quern_piece(std::string piece_text, std::vector<int32_t> piece_ids,
              std::span<const quern::TokenLogprobs> of_ids);

  std::string text;
  std::vector<int32_t> ids;
  std::vector<float> logprobs;  // of ids, or none
  // The most probable tokens in the place of id i: top_begin[i] to top_begin[i + 1].
  std::vector<int32_t> top_ids;
  std::vector<float> top_logprobs;
  std::vector<size_t> top_begin;
};

namespace quern::c_api {

// Sets *error (where there is one) to a new error, or to null for success. Never throws: without
// memory *error is null.
quern_code finish(const Result<>& outcome, quern_error** error) noexcept;
// The exception that is being handled, as an error.
Error caught_error();

// Runs `body` (-> Result<>) and hands its outcome to C; no exception leaves.
template <class Body>
quern_code guarded(quern_error** error, Body&& body) noexcept {
  try {
    return finish(body(), error);
  } catch (...) {
    return finish(caught_error(), error);
  }
}

// invalid_argument where `pointer` is null; `what` is the parameter's name.
Result<> needed(const void* pointer, std::string_view what);

// A copy with a zero byte behind it, freed by quern_string_free. Throws std::bad_alloc.
char* given_text(std::string_view text);
// Copies freed by quern_ids_free and quern_floats_free; not null for empty ones either. Throw
// std::bad_alloc.
int32_t* given_ids(std::span<const int32_t> ids);
float* given_floats(std::span<const float> floats);

// Where a call for tokens puts them; empty until it succeeds.
struct IdsOut {
  IdsOut(int32_t** into, size_t* n_into) : ids(into), n_ids(n_into) {
    if (ids != nullptr) *ids = nullptr;
    if (n_ids != nullptr) *n_ids = 0;
  }
  Result<> check() const {
    TRY_OK(needed(ids, "ids"));
    return needed(n_ids, "n_ids");
  }
  void give(std::span<const int32_t> all) const {
    *ids = given_ids(all);
    *n_ids = all.size();
  }

  int32_t** ids;
  size_t* n_ids;
};

}  // namespace quern::c_api
