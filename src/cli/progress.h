// A progress bar on stderr, for work that takes longer than a second. Draws nothing where stderr is
// no terminal, and nothing in the first second.
#pragma once
#include <chrono>
#include <string_view>

namespace quern::cli {

class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done: 0..1; `what` names the work ("packing weights"). May be called often: the line is drawn
  // at most 10 times a second.
  void update(double done, std::string_view what);
  // Erases the line; the next update draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool enabled_, drawn_ = false;
  Clock::time_point begin_, last_;
};

}  // namespace quern::cli
