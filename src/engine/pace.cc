#include "engine/pace.h"

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <utility>

namespace quern {
namespace {

constexpr double kNew = 0.25;  // weight of the latest time: one slow step changes little
constexpr int kFirstRows = 8;  // rows, while times are not known
constexpr double kFirstDraftCost = 0.25;

void blend(double& mean, double value) { mean = mean == 0 ? value : mean + kNew * (value - mean); }

}  // namespace

int Pace::size_of(int n_streams) {
  return std::min(static_cast<int>(std::bit_width(static_cast<unsigned>(n_streams))), kSizes) - 1;
}

// The time with fewer streams, where none with as many is known: an underestimate, so streams lose
// nothing.
double Pace::alone(int n_streams) const {
  for (int size = size_of(n_streams); size >= 0; --size)
    if (alone_[size] > 0) return alone_[size];
  return 0;
}

void Pace::note(const Step& step, double seconds) {
  constexpr double kMin = 1e-9;
  const int size = size_of(step.n_streams);
  const bool plain = step.n_prompt_rows == 0 && step.n_drafts == 0;
  since_alone_[size] = plain ? 0 : since_alone_[size] + 1;
  if (plain) blend(alone_[size], seconds);
  const double base = alone(step.n_streams);
  if (base == 0) return;
  const double added = plain ? 0 : std::max(seconds - base, kMin);
  // One slow step does not delay prompts for long.
  credit_ = std::clamp(credit_ + granted_ - (step.n_prompt_rows > 0 ? added : 0), -worthwhile(base),
                       std::max(worthwhile(base) - granted_, granted_ / 2));
  if (plain) return;
  if (step.n_prompt_rows == 0) return blend(draft_, added / step.n_drafts);
  if (step.n_drafts == 0) learn_rows(step.n_prompt_rows, added);
}

// Least squares of the steps so far. Where all had about as many rows, what a row costs stays.
void Pace::learn_rows(int n_rows, double seconds) {
  constexpr double kKept = 0.9, kSpread = 0.01;  // of the mean, squared
  Line& l = line_;
  const double n = n_rows;
  for (const auto& [sum, value] : std::initializer_list<std::pair<double*, double>>{
           {&l.weight, 1}, {&l.n, n}, {&l.y, seconds}, {&l.nn, n * n}, {&l.ny, n * seconds}})
    *sum = kKept * *sum + value;
  const double mean_n = l.n / l.weight, mean_y = l.y / l.weight;
  const double spread = l.nn / l.weight - mean_n * mean_n;
  double row = l.row > 0 ? l.row : mean_y / mean_n;
  if (spread > kSpread * mean_n * mean_n) {
    row = (l.ny / l.weight - mean_n * mean_y) / spread;
    l.fitted = true;
  }
  l.row = std::clamp(row, 0.02 * mean_y / mean_n, mean_y / mean_n);
  l.fixed = mean_y - l.row * mean_n;
}

// Time for prompt rows in a step that has any: twice as much for the rows as for having them.
double Pace::worthwhile(double base) const {
  return std::max(granted_, std::min(3 * line_.fixed, kLongest * base));
}

void Pace::note_drafts(int n_drafted, double seconds) { blend(drafting_, seconds / n_drafted); }
void Pace::note_reading(int n_rows, double seconds) { blend(reading_, seconds / n_rows); }

bool Pace::wants_plain_step(int n_streams) const {
  return alone(n_streams) == 0 || since_alone_[size_of(n_streams)] >= kPlainEvery;
}

// A stream that verifies draft tokens delays all streams, so its gain must be worth the time of
// all.
double Pace::share(double seconds, int n_streams) const {
  const double base = alone(n_streams);
  return base == 0 || seconds == 0 ? kFirstDraftCost : n_streams * seconds / base;
}

double Pace::draft_cost(int n_streams) const { return share(draft_, n_streams); }
double Pace::draft_model_cost(int n_streams) const { return share(drafting_, n_streams); }

int Pace::rows_in(double seconds, double row) const {
  const double n = seconds / row;
  return n < max_rows_ ? std::max(static_cast<int>(n), 1) : max_rows_;
}

int Pace::rows(int n_streams, Prompts prompts, double spent) {
  const double base = alone(n_streams);
  granted_ = (stretch_ - 1) * base + stretch_ * prompts.n * line_.row;
  if (prompts.n == 0) {
    const double row = draft_ > 0 ? draft_ : line_.row;  // which costs about as much
    return base == 0 || row == 0 ? std::min(kFirstRows, max_rows_) : rows_in(granted_ - spent, row);
  }
  const double time = credit_ + granted_ - spent;
  const double needed = std::min(worthwhile(base), line_.fixed + prompts.n_rows * line_.row);
  constexpr double kEnough = 0.75;  // times are not that exact
  const bool hold = wants_plain_step(n_streams) || time < kEnough * needed;
  if (hold && n_held_ < kMaxHeld) return ++n_held_, 0;
  // No step with this number of streams yet: use a neighbouring one.
  if (n_held_ == kMaxHeld) since_alone_[size_of(n_streams)] = 0;
  n_held_ = 0;
  if (line_.row == 0 || base == 0) return std::min(kFirstRows, max_rows_);
  if (!line_.fitted) return std::min(kFirstRows / 2, max_rows_);
  // Not far beyond the sizes seen; and from time to time half as many, to measure again what a row
  // costs.
  const double known = 4 * line_.n / line_.weight;
  const int n = std::min(rows_in(time - line_.fixed, line_.row), static_cast<int>(known) + 1);
  return ++n_mixed_ % kHalfEvery == 0 ? (n + 1) / 2 : n;
}

int Pace::reading_rows(int n_streams) const {
  const double base = alone(n_streams);
  if (base == 0 || reading_ == 0) return std::min(kFirstRows, max_rows_);
  return rows_in((stretch_ - 1) * base / 2, reading_);
}

}  // namespace quern
