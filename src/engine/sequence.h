// One request while the engine works on it: its tokens, its pages, its running text.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/pages.h"
#include "engine/request.h"
#include "text/stop_strings.h"
#include "text/utf8_stream.h"

namespace quern {

class Sequence {
 public:
  Sequence(RequestId id, Request request, PageTable pages);

  RequestId id() const { return id_; }
  int priority() const { return request_.priority; }
  const GenerateOptions& options() const { return request_.options; }
  std::span<const int32_t> tokens() const { return tokens_; }  // prompt, then generated
  int n_tokens() const { return static_cast<int>(tokens_.size()); }
  int n_generated() const { return n_tokens() - n_prompt_; }
  int n_pending() const { return n_tokens() - n_cached_; }
  // How many of the next n_rows pending tokens are used for their logits, or were when they were
  // computed first: the prompt's last one and what was generated.
  int n_used(int n_rows) const { return std::clamp(n_cached_ + n_rows - n_prompt_ + 1, 0, n_rows); }
  bool generating() const { return n_generated() > 0 && n_pending() == 1; }
  bool live() const { return !output_.finished(); }

  int n_cached() const { return n_cached_; }
  PageTable& pages() { return pages_; }
  void reuse(int n_cached);  // the pages hold the first n_cached tokens of the prompt
  void computed(int n_rows) { n_cached_ += n_rows; }
  void lose_cache();  // preempted: tokens stay, pages go back

  // Marks the time of its first row; later calls do nothing.
  void started();
  // Takes a token that goes on, with its bytes; the text may contain a stop string: then it
  // finishes.
  void append(int32_t token, std::string_view bytes);
  // Lets out held-back text, unless a stop string ended it.
  void finish(Finish how);
  void fail(Error error);

  Output take_output() { return std::exchange(output_, {}); }

 private:
  using Clock = std::chrono::steady_clock;
  void note_end();

  RequestId id_;
  Request request_;
  int n_prompt_;
  std::vector<int32_t> tokens_;
  PageTable pages_;
  int n_cached_ = 0;
  Utf8Stream characters_;
  StopStrings stops_;
  Output output_;
  int n_reused_ = 0;
  Clock::time_point started_{}, first_token_{};
};

}  // namespace quern
