#include "engine/sequence.h"

#include <utility>

namespace quern {
namespace {

double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

Sequence::Sequence(RequestId id, Request request, PageTable pages)
    : id_(id),
      request_(std::move(request)),
      n_prompt_(static_cast<int>(request_.prompt.size())),
      tokens_(std::move(request_.prompt)),
      pages_(std::move(pages)),
      stops_(request_.options.stop) {}

void Sequence::reuse(int n_cached) { n_cached_ = n_reused_ = n_cached; }

void Sequence::lose_cache() {
  pages_.shrink(0);
  n_cached_ = 0;
  if (started_ == Clock::time_point{}) n_reused_ = 0;
}

void Sequence::started() {
  if (started_ == Clock::time_point{}) started_ = Clock::now();
}

void Sequence::append(int32_t token, std::string_view bytes) {
  if (n_generated() == 0) first_token_ = Clock::now();
  tokens_.push_back(token);
  output_.ids.push_back(token);
  const StopStrings::Step step = stops_.push(characters_.push(bytes));
  output_.text += step.text;
  if (!step.stop) return;
  output_.finish = Finish::stop;
  note_end();
}

void Sequence::finish(Finish how) {
  const StopStrings::Step step = stops_.push(characters_.flush());
  output_.text += step.text;
  if (!step.stop) output_.text += stops_.flush();
  output_.finish = step.stop ? Finish::stop : how;
  note_end();
}

void Sequence::fail(Error error) {
  output_.error = std::move(error);
  note_end();
}

void Sequence::note_end() {
  Timings& t = output_.timings;
  t.prompt_n = n_prompt_ - n_reused_;
  t.cached_n = n_reused_;
  t.predicted_n = n_generated();
  if (started_ == Clock::time_point{}) return;
  const auto now = Clock::now();
  const bool any = n_generated() > 0;
  t.prompt_ms = milliseconds((any ? first_token_ : now) - started_);
  t.predicted_ms = any ? milliseconds(now - first_token_) : 0;
}

}  // namespace quern
