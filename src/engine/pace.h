// What rows and guesses cost beside running streams, by the times of earlier steps.
#pragma once
#include <array>

namespace quern {

// Learns from the times of steps what a prompt row costs beside streams, and allows as many as make
// a step at most `stretch` times as long as one of the streams alone. Times steer only how prompts
// are cut and what is guessed, which changes no bit. Not thread-safe.
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
  // A draft model made n_guesses, or read n_rows, in so long.
  void note_guesses(int n_guesses, double seconds);
  void note_reading(int n_rows, double seconds);
  // Whether the next step should have no drafts: how long one takes without is not known, or of
  // long ago.
  bool wants_plain_step(int n_streams) const;
  // Rows of prompts and drafts allowed in the next step, at least 1, where `spent` seconds of it
  // are gone already.
  int prompt_rows(int n_streams, double spent = 0) const;
  // Rows a draft model may read in the next step, at least 1: half the time that prompts may take.
  int reading_rows(int n_streams) const;
  // What a guess costs in a step of n_streams, in tokens that the streams would have had in that
  // time: the row that checks it, and the draft model's work on it.
  double draft_cost(int n_streams) const;
  double guess_cost(int n_streams) const;

 private:
  static constexpr int kSizes = 16;       // numbers of streams by their logarithm
  static constexpr int kPlainEvery = 64;  // steps
  static int size_of(int n_streams);
  double alone(int n_streams) const;  // seconds; 0: not known yet
  double share(double seconds, int n_streams) const;
  int rows_in(double seconds, double row) const;

  double stretch_;
  int most_;
  std::array<double, kSizes> alone_{};     // seconds of a step without prompt rows, smoothed
  std::array<int, kSizes> since_alone_{};  // steps with drafts and no prompts
  double row_ = 0;                         // seconds a prompt row adds, smoothed
  double draft_ = 0;                       // and a draft
  double guess_ = 0;                       // seconds of a draft model for each guess
  double reading_ = 0;                     // and for each row it reads
};

}  // namespace quern
