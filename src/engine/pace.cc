#include "engine/pace.h"

#include <algorithm>
#include <bit>

namespace quern {
namespace {

constexpr double kNew = 0.25;   // weight of the latest time: one slow step is no news
constexpr int kFirstGuess = 8;  // rows, while times are not known
constexpr double kDraftGuess = 0.25;

void blend(double& mean, double value) { mean = mean == 0 ? value : mean + kNew * (value - mean); }

}  // namespace

int Pace::size_of(int n_streams) {
  return std::min(static_cast<int>(std::bit_width(static_cast<unsigned>(n_streams))), kSizes) - 1;
}

// Of fewer streams, where none of as many is known: less than the truth, so streams lose nothing.
double Pace::alone(int n_streams) const {
  for (int size = size_of(n_streams); size >= 0; --size)
    if (alone_[size] > 0) return alone_[size];
  return 0;
}

void Pace::note(const Step& step, double seconds) {
  constexpr double kLeast = 1e-9;
  if (step.n_prompt_rows == 0 && step.n_drafts == 0)
    return blend(alone_[size_of(step.n_streams)], seconds);
  const double base = alone(step.n_streams);
  if (base == 0) return;
  if (step.n_drafts == 0) blend(row_, std::max((seconds - base) / step.n_prompt_rows, kLeast));
  if (step.n_prompt_rows == 0) blend(draft_, std::max((seconds - base) / step.n_drafts, kLeast));
}

double Pace::draft_cost(int n_streams) const {
  const double base = alone(n_streams);
  return base == 0 || draft_ == 0 ? kDraftGuess : draft_ / base;
}

int Pace::prompt_rows(int n_streams) const {
  const double base = alone(n_streams);
  if (base == 0 || row_ == 0) return std::min(kFirstGuess, most_);
  const double rows = (stretch_ - 1) * base / row_;
  return rows < most_ ? std::max(static_cast<int>(rows), 1) : most_;
}

}  // namespace quern
