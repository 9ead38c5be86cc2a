#include "engine/embed.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace quern {

Result<> check_texts(std::span<const std::vector<int32_t>> texts, int n_vocab, int context) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = "text " + std::to_string(i);
    if (texts[i].empty()) {
      return Error{Code::invalid_argument, "a text is empty", text, "give at least one token"};
    }
    if (texts[i].size() > static_cast<size_t>(context)) {
      return Error{Code::context_too_long,
                   "a text has " + std::to_string(texts[i].size()) + " tokens, the context holds " +
                       std::to_string(context),
                   text, "cut it in pieces, or load the model with a larger context"};
    }
    const auto bad = std::ranges::find_if(
        texts[i], [&](int32_t token) { return token < 0 || token >= n_vocab; });
    if (bad == texts[i].end()) continue;
    return Error{Code::invalid_argument,
                 "token id " + std::to_string(*bad) + " is not in the vocabulary of " +
                     std::to_string(n_vocab),
                 text + ", token " + std::to_string(bad - texts[i].begin()), ""};
  }
  return Ok{};
}

Embedding::Embedding(Executor& executor, std::span<const std::vector<int32_t>> texts, How how,
                     std::span<float> out)
    : executor_(executor),
      texts_(texts),
      how_(std::move(how)),
      out_(out),
      dimensions_(texts.empty() ? 0 : out.size() / texts.size()) {
  CHECK(how_.pooling != Pooling::automatic, "whoever knows the model's file has chosen");
  CHECK(out.size() == texts.size() * dimensions_, "a row for each text");
  CHECK(dimensions_ <= static_cast<size_t>(executor.width()), "as long as a hidden state at most");
}

// Attention looks backwards in every family there is: the first token's state depends on no other.
int Embedding::n_rows(size_t text) const {
  return how_.pooling == Pooling::cls ? 1 : static_cast<int>(texts_[text].size());
}

Result<> Embedding::advance(CachePools& pools, const ReservePages& reserve) {
  Result<> outcome = Ok{};
  do {
    take_more(pools, reserve);
    outcome = run_pass(reserve);
  } while (outcome && !readings_.empty());
  readings_.clear();
  return outcome;
}

// Texts that the next pass reads to their ends; one that is too long for any pass comes alone.
void Embedding::take_more(CachePools& pools, const ReservePages& reserve) {
  int rows_left = executor_.max_rows();
  for (const Reading& reading : readings_) rows_left -= n_rows(reading.text) - reading.n_done;
  for (; !done(); ++next_) {
    const bool alone = readings_.empty();
    if (!alone && n_rows(next_) > rows_left) return;
    PageTable pages(pools);
    const bool room = reserve(pages, std::min(n_rows(next_), executor_.max_rows()), alone);
    CHECK(room || !alone, "a text that fits the context gets its pages");
    if (!room) return;
    rows_left -= n_rows(next_);
    readings_.push_back({next_, std::move(pages), PooledRows(executor_.width())});
  }
}

// Its next tokens, as many as fit, and which of their rows are wanted.
Chunk Embedding::next_chunk(Reading& reading, int rows_left) {
  const int left = n_rows(reading.text) - reading.n_done;
  const int n = std::min(left, rows_left);
  const int n_used = how_.pooling == Pooling::last ? (n == left ? 1 : 0) : n;
  const Chunk chunk = {.first_row = static_cast<int>(tokens_.size()),
                       .n_rows = n,
                       .position = reading.n_done,
                       .pages = reading.pages.lists(),
                       .n_used = n_used,
                       .state = reading.pages.state()};
  const auto rows = std::span(texts_[reading.text]).subspan(reading.n_done, n);
  tokens_.insert(tokens_.end(), rows.begin(), rows.end());
  for (int i = n_used; i > 0; --i) used_.push_back(static_cast<int32_t>(tokens_.size()) - i);
  reading.n_done += n;
  return chunk;
}

Result<> Embedding::run_pass(const ReservePages& reserve) {
  if (how_.keep_going && !how_.keep_going()) {
    return Error{Code::cancelled, "making embeddings was stopped", "", ""};
  }
  tokens_.clear();
  used_.clear();
  std::vector<Chunk> chunks;
  int rows_left = executor_.max_rows();
  for (Reading& reading : readings_) {
    // Only a text that is alone takes more than a pass.
    const int end = std::min(n_rows(reading.text), reading.n_done + rows_left);
    reading.pages.give_back(reading.n_done);
    CHECK(reserve(reading.pages, end, true), "a text that fits the context gets its pages");
    chunks.push_back(next_chunk(reading, rows_left));
    rows_left -= chunks.back().n_rows;
  }
  hidden_.resize(used_.size() * executor_.width());
  TRY_OK(executor_.embed({tokens_, chunks, used_}, hidden_));
  return pool(chunks);
}

Result<> Embedding::pool(std::span<const Chunk> chunks) {
  std::span<const float> rows = hidden_;
  for (size_t i = 0; i < chunks.size(); ++i) {
    Reading& reading = readings_[i];
    for (int n = chunks[i].n_used; n > 0; --n, rows = rows.subspan(executor_.width()))
      reading.rows.add(rows.first(executor_.width()));
    if (reading.n_done < n_rows(reading.text)) continue;
    TRY_OK(
        reading.rows.write(how_.normalize, out_.subspan(reading.text * dimensions_, dimensions_)));
  }
  std::erase_if(readings_, [&](const Reading& r) { return r.n_done == n_rows(r.text); });
  return Ok{};
}

}  // namespace quern
