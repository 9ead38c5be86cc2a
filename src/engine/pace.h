// How many prompt rows fit beside running streams without holding them up.
#pragma once
#include <array>

namespace quern {

// Learns from the times of steps what a prompt row costs beside streams, and allows as many as make
// a step at most `stretch` times as long as one of the streams alone. Times steer only how prompts
// are cut, which changes no bit. Not thread-safe.
class Pace {
 public:
  // most: rows allowed at best.
  Pace(double stretch, int most) : stretch_(stretch), most_(most) {}

  struct Step {
    int n_streams;  // at least 1
    int n_prompt_rows = 0;
    int n_drafts = 0;  // rows of streams beyond one each
  };
  void note(const Step& step, double seconds);
  // Rows allowed in the next step, at least 1.
  int prompt_rows(int n_streams) const;
  // What a draft adds to a step of n_streams, as a share of it.
  double draft_cost(int n_streams) const;

 private:
  static constexpr int kSizes = 16;  // numbers of streams by their logarithm
  static int size_of(int n_streams);
  double alone(int n_streams) const;  // seconds; 0: not known yet

  double stretch_;
  int most_;
  std::array<double, kSizes> alone_{};  // seconds of a step without prompt rows, smoothed
  double row_ = 0;                      // seconds a prompt row adds, smoothed
  double draft_ = 0;                    // and a draft
};

}  // namespace quern
