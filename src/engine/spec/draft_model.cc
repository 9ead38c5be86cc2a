#include "engine/spec/draft_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

// A pass of so many rows takes little longer than one of a single row.
constexpr int kFewRows = 64;

int context_of(const Executor& executor, int context) {
  const int most = max_context(executor);
  return context > 0 ? std::min(context, most) : most;
}

}  // namespace

DraftModel::DraftModel(Executor& executor, int n_tokens, int context)
    : executor_(executor),
      n_tokens_(std::min(n_tokens, executor.n_vocab())),
      context_(context_of(executor, context)),
      most_unread_(std::min(kFewRows, executor.max_rows())),
      pools_(executor),
      prefixes_(pools_, executor, INT32_MAX) {
  CHECK(!pools_.has_states(), "guesses are taken back, and states cannot be");
}

int DraftModel::n_free_pages() const {
  int least = INT32_MAX;
  for (int group = 0; group < pools_.n_groups(); ++group)
    least = std::min(least, pools_[group].n_free() + prefixes_.n_evictable(group));
  return least;
}

// A text of which it has nothing begins with what is cached of it. Its last token's row is always
// computed: the guesses come from it.
DraftModel::Reader& DraftModel::reader(const Text& text) {
  Reader& reader = readers_.try_emplace(text.id, PageTable(pools_)).first->second;
  if (usable(reader) && reader.pages.empty()) {
    reader.n_read = prefixes_.take(std::string(text.salt), text.tokens,
                                   static_cast<int>(text.tokens.size()) - 1, reader.pages);
  }
  follow(reader, text.tokens);
  return reader;
}

// Of what it guessed ahead, what came true was read; the rest will be written over.
void DraftModel::follow(Reader& reader, std::span<const int32_t> tokens) {
  for (const int32_t guess : reader.ahead) {
    if (reader.n_read == std::ssize(tokens) || tokens[reader.n_read] != guess) break;
    ++reader.n_read;
  }
  reader.ahead.clear();
  reader.n_read = std::min(reader.n_read, static_cast<int>(tokens.size()) - 1);
}

int DraftModel::n_unread(const Text& text) {
  const auto size = static_cast<int>(text.tokens.size());
  const Reader& its = reader(text);
  return usable(its) && size <= context_ ? size - its.n_read : -1;
}

// Whether the text may go on to n_tokens in all, its own up to `end` and guesses. Where pages are
// lacking it lets go of those it has, lest half-read texts keep each other from being read.
bool DraftModel::prepare(Reader& reader, const Text& text, int end, int n_tokens) {
  const auto known = [&](int32_t token) { return token < executor_.n_vocab(); };
  const auto unread = text.tokens.subspan(reader.n_read, end - reader.n_read);
  if (!std::all_of(unread.begin(), unread.end(), known)) {
    reader.off = true;
  } else if (const int missing = reader.pages.missing(n_tokens); missing <= n_free_pages()) {
    prefixes_.make_room(missing);
    reader.pages.grow(n_tokens);
    return true;
  }
  reader.lacked_pages_at = n_forgotten_;
  let_go(reader, text);
  return false;
}

void DraftModel::let_go(Reader& reader, const Text& text) {
  reader.pages.shrink(reader.n_read);
  prefixes_.keep(std::string(text.salt), text.tokens.first(reader.n_read), reader.pages);
  reader.n_read = 0;
}

// `tokens` come behind what the pages hold. used: the last one's logits are wanted.
void DraftModel::add(Reader& reader, std::span<const int32_t> tokens, bool used) {
  const auto n = static_cast<int>(tokens.size());
  pass_.chunks.push_back({.first_row = static_cast<int>(pass_.tokens.size()),
                          .n_rows = n,
                          .position = reader.n_read + static_cast<int>(reader.ahead.size()),
                          .pages = reader.pages.lists(),
                          .n_used = used ? 1 : 0});
  pass_.tokens.insert(pass_.tokens.end(), tokens.begin(), tokens.end());
  if (used) pass_.used.push_back(static_cast<int32_t>(pass_.tokens.size()) - 1);
  pass_.readers.push_back(&reader);
}

// Where it fails the pages are undefined: these texts are given up.
bool DraftModel::run() {
  const Pass pass = std::exchange(pass_, {});
  if (pass.readers.empty()) return false;
  logits_.resize(pass.used.size() * executor_.n_vocab());
  n_rows_ += static_cast<int64_t>(pass.tokens.size());
  const auto outcome = executor_.forward({pass.tokens, pass.chunks, pass.used}, logits_);
  if (outcome) return true;
  ++n_failed_;
  for (Reader* reader : pass.readers) {
    reader->off = true;
    reader->pages.shrink(0);
    reader->n_read = 0;
    reader->ahead.clear();
  }
  return false;
}

// The last token stays out: its row may be computed again, and a shared page is never written.
void DraftModel::share(Reader& reader, const Text& text) {
  const int n = std::min(reader.n_read, static_cast<int>(text.tokens.size()) - 1);
  if (n / executor_.page_tokens() > reader.pages.n_shared())
    prefixes_.share(std::string(text.salt), text.tokens.first(n), reader.pages);
  reader.pages.give_back(
      n);  // what may be written over sees what the next row sees, and a row more
}

int32_t DraftModel::likeliest(size_t row) const {
  const auto first = logits_.begin() + static_cast<std::ptrdiff_t>(row * executor_.n_vocab());
  return static_cast<int32_t>(std::max_element(first, first + n_tokens_) - first);
}

int DraftModel::read(std::span<const Text> texts, int n_rows) {
  n_rows = std::min(n_rows, executor_.max_rows());
  std::vector<std::pair<const Text*, int>> reading;
  int left = n_rows;
  for (const Text& text : texts) {
    Reader& its = reader(text);
    const int end = std::min(static_cast<int>(text.tokens.size()) - 1, context_);
    const int n = std::min(end - its.n_read, left);
    if (n <= 0 || !usable(its)) continue;
    if (!prepare(its, text, its.n_read + n, its.n_read + n)) continue;
    add(its, text.tokens.subspan(its.n_read, n), false);
    reading.emplace_back(&text, n);
    left -= n;
  }
  if (!run()) return n_rows - left;
  for (const auto& [text, n] : reading) {
    Reader& its = readers_.at(text->id);
    its.n_read += n;
    share(its, *text);
  }
  return n_rows - left;
}

int DraftModel::guess(std::span<const Wish> wishes) {
  struct Guessing {
    Reader* reader;
    const Wish* wish;
    int most, n = 0;
  };
  std::vector<Guessing> all;
  int left = executor_.max_rows();
  for (const Wish& wish : wishes) {
    const auto size = static_cast<int>(wish.text.tokens.size());
    Reader& its = reader(wish.text);
    const int unread = size - its.n_read;
    const int most = std::min(wish.most, context_ - size + 1);  // the last guess is not read
    if (!usable(its) || unread > std::min(most_unread_, left) || most <= 0) continue;
    if (!prepare(its, wish.text, size, size + most - 1)) continue;
    add(its, wish.text.tokens.last(unread), true);
    all.push_back({&its, &wish, most});
    left -= unread;
  }
  int n_guesses = 0;
  for (bool first = true; run(); first = false) {
    size_t row = 0;
    for (Guessing& g : all) {
      if (g.n == g.most) continue;
      if (first) {
        g.reader->n_read = static_cast<int>(g.wish->text.tokens.size());
        share(*g.reader, g.wish->text);
      } else {
        g.reader->ahead.push_back(g.wish->drafts->back());
      }
      g.wish->drafts->push_back(likeliest(row++));
      ++g.n, ++n_guesses;
    }
    for (Guessing& g : all)
      if (g.n < g.most) add(*g.reader, std::span(g.wish->drafts->end() - 1, 1), true);
  }
  return n_guesses;
}

void DraftModel::forget(const Text& text) {
  const auto at = readers_.find(text.id);
  if (at == readers_.end()) return;
  Reader& reader = at->second;
  follow(reader, text.tokens);
  let_go(reader, text);
  readers_.erase(at);
  ++n_forgotten_;
}

}  // namespace quern
