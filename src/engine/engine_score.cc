// What runs beside the requests: teacher-forced passes, and embeddings.
#include <algorithm>
#include <numeric>

#include "engine/engine.h"

namespace quern {
namespace {

// Memory for the logits of one pass: 4096 tokens of a vocabulary of 65,536.
constexpr int64_t kScoreLogitBytes = int64_t{1} << 30;

}  // namespace

bool Engine::has_room(const PageTable& pages, int n_tokens) const {
  for (int group = 0; group < pools_.n_groups(); ++group)
    if (n_free_pages(group) < pages.missing(n_tokens)) return false;
  return !pools_.has_states() || pages.state() >= 0 || pools_.n_free_states() > 0;
}

// The latest requests lose their pages first.
void Engine::make_room(const PageTable& pages, int n_tokens) {
  for (auto last = sequences_.rbegin(); !has_room(pages, n_tokens) && last != sequences_.rend();
       ++last) {
    if (last->second->live()) lose_cache(*last->second);
  }
}

Result<> Engine::advance(Embedding& embedding) {
  return embedding.advance(pools_, [this](PageTable& pages, int n_tokens, bool must) {
    if (must) make_room(pages, n_tokens);
    if (!has_room(pages, n_tokens)) return false;
    reserve(pages, n_tokens);
    load_state(pages);
    return true;
  });
}

Result<> Engine::score(std::span<const int32_t> tokens, int chunk,
                       const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                       int64_t n_prompt) {
  TRY_OK(check_tokens(tokens));
  if (n_prompt < 0 || n_prompt > std::ssize(tokens)) {
    return Error{Code::invalid_argument,
                 "a prompt of " + std::to_string(n_prompt) + " of " +
                     std::to_string(tokens.size()) + " tokens",
                 "", "choose 0 to the number of tokens"};
  }
  if (chunk < 0) {
    return Error{Code::invalid_argument, "chunk is " + std::to_string(chunk) + ", must be positive",
                 "", "0 takes as many tokens as fit"};
  }
  const size_t n_vocab = executor_.n_vocab();
  int rows = static_cast<int>(
      std::clamp<int64_t>(kScoreLogitBytes / (4 * n_vocab), 1, executor_.max_rows()));
  if (chunk > 0) rows = std::min(rows, chunk);

  const int n_tokens = static_cast<int>(tokens.size());
  rows = std::min(rows, n_tokens);
  PageTable pages(pools_);
  std::vector<float> logits(n_vocab * rows);
  std::vector<int32_t> used;
  for (int done = 0; done < n_tokens;) {
    const int n = std::min(rows, n_tokens - done);
    const int first_used = static_cast<int>(std::clamp<int64_t>(n_prompt - 1 - done, 0, n));
    used.resize(n - first_used);
    std::iota(used.begin(), used.end(), first_used);
    pages.give_back(done);
    make_room(pages, done + n);
    reserve(pages, done + n);
    load_state(pages);
    const Chunk whole = {.first_row = 0,
                         .n_rows = n,
                         .position = done,
                         .pages = pages.lists(),
                         .n_used = n - first_used,
                         .state = pages.state()};
    TRY_OK(executor_.forward({tokens.subspan(done, n), std::span(&whole, 1), used},
                             std::span(logits).first(n_vocab * used.size())));
    for (size_t i = 0; i < used.size(); ++i) {
      if (!on_logits(done + used[i], std::span(logits).subspan(n_vocab * i, n_vocab)))
        return Error{Code::cancelled, "scoring was stopped", "", ""};
    }
    done += n;
  }
  return Ok{};
}

}  // namespace quern
