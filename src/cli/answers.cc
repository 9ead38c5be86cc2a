#include "cli/answers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "cli/signals.h"
#include "cli/terminal.h"

namespace quern::cli {

namespace {

constexpr auto kLook = std::chrono::milliseconds(20);

// Prints the texts in order as they arrive: the new part of the one being printed, nothing yet of
// later ones.
class InOrder {
 public:
  explicit InOrder(size_t n) : texts_(n) {}

  void add(size_t i, const std::string& text) { texts_[i] += text; }

  void show(const std::vector<Stream>& streams) {
    for (; at_ < texts_.size(); ++at_) {
      if (std::exchange(heading_, false)) print_heading();
      const std::string news = texts_[at_].substr(printed_);
      const std::string safe = terminal_ ? without_controls(news) : news;
      std::fwrite(safe.data(), 1, safe.size(), stdout);
      printed_ = texts_[at_].size();
      if (!streams[at_].over()) break;
      if (!texts_[at_].ends_with('\n')) std::fputc('\n', stdout);
      printed_ = 0;
      heading_ = true;
    }
    std::fflush(stdout);
  }

 private:
  void print_heading() const {
    const Palette& colours = palette(STDOUT_FILENO);
    if (terminal_)
      fmt::print("{}-- answer {} of {}{}\n", colours.bold, at_ + 1, texts_.size(), colours.reset);
    else if (at_ > 0)
      fmt::print("\n");
  }

  const bool terminal_ = is_terminal(STDOUT_FILENO);
  std::vector<std::string> texts_;
  size_t at_ = 0, printed_ = 0;  // the text that is being printed, and how much of it is
  bool heading_ = true;          // of the next text
};

}  // namespace

Result<std::vector<Generation>> answers(const Model& model, std::span<const int32_t> prompt,
                                        const GenerateOptions& options, bool show) {
  TRY(std::vector<Stream> streams, model.submit(prompt, options));
  InOrder shown(streams.size());
  while (!std::ranges::all_of(streams, &Stream::over)) {
    auto most = kLook;  // for the first stream that runs: all advance together
    for (size_t i = 0; i < streams.size(); ++i)
      while (!streams[i].over()) {
        const auto piece = streams[i].next(std::exchange(most, {}));
        if (!piece) break;
        shown.add(i, piece->text);
      }
    if (show) shown.show(streams);
    if (take_interrupt())
      for (Stream& stream : streams) stream.cancel();
  }
  std::vector<Generation> generations;
  for (Stream& stream : streams) {
    TRY(Generation generation, Result<Generation>(stream.result()));
    generations.push_back(std::move(generation));
  }
  return generations;
}

}  // namespace quern::cli
