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
  const int size = size_of(step.n_streams);
  if (step.n_prompt_rows == 0 && step.n_drafts == 0) {
    since_alone_[size] = 0;
    return blend(alone_[size], seconds);
  }
  if (step.n_prompt_rows == 0) ++since_alone_[size];
  const double base = alone(step.n_streams);
  if (base == 0) return;
  if (step.n_drafts == 0) blend(row_, std::max((seconds - base) / step.n_prompt_rows, kLeast));
  if (step.n_prompt_rows == 0) blend(draft_, std::max((seconds - base) / step.n_drafts, kLeast));
}

void Pace::note_guesses(int n_guesses, double seconds) { blend(guess_, seconds / n_guesses); }
void Pace::note_reading(int n_rows, double seconds) { blend(reading_, seconds / n_rows); }

bool Pace::wants_plain_step(int n_streams) const {
  return alone(n_streams) == 0 || since_alone_[size_of(n_streams)] >= kPlainEvery;
}

// A stream that checks guesses holds up all of them, so what it wins must be worth the time of all.
double Pace::share(double seconds, int n_streams) const {
  const double base = alone(n_streams);
  return base == 0 || seconds == 0 ? kDraftGuess : n_streams * seconds / base;
}

double Pace::draft_cost(int n_streams) const { return share(draft_, n_streams); }
double Pace::guess_cost(int n_streams) const { return share(guess_, n_streams); }

int Pace::rows_in(double seconds, double row) const {
  const double rows = seconds / row;
  return rows < most_ ? std::max(static_cast<int>(rows), 1) : most_;
}

int Pace::prompt_rows(int n_streams, double spent) const {
  const double base = alone(n_streams);
  const double row = row_ > 0 ? row_ : draft_;  // which costs about as much
  if (base == 0 || row == 0) return std::min(kFirstGuess, most_);
  return rows_in((stretch_ - 1) * base - spent, row);
}

int Pace::reading_rows(int n_streams) const {
  const double base = alone(n_streams);
  if (base == 0 || reading_ == 0) return std::min(kFirstGuess, most_);
  return rows_in((stretch_ - 1) * base / 2, reading_);
}

}  // namespace quern
