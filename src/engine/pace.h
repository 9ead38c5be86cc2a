// The cost of prompt rows and draft tokens beside running streams, by the times of earlier steps.
#pragma once
#include <array>

namespace quern {

// Chunked prefill: learns from the times of steps what prompt rows cost beside streams, and allows
// as many as make steps, in the mean of a few, at most `stretch` times as long as if every waiting
// prompt were already a stream. So one long prompt leaves streams half of the time, and many
// prompts do not wait for a few streams. Prompt rows have a fixed cost as well (they use other
// kernels than streams): where a step has no time for many, some steps have none and the next one
// has more, up to kLongest times the streams' own time. Times decide only how prompts are chunked
// and how many tokens are drafted, which changes no bit. Not thread-safe.
class Pace {
 public:
  // max_rows: upper bound of the rows allowed.
  Pace(double stretch, int max_rows) : stretch_(stretch), max_rows_(max_rows) {}

  static constexpr double kLongest = 4;
  static constexpr int kMaxHeld = 16;  // steps without prompt rows in a row

  struct Step {
    int n_streams;  // at least 1
    int n_prompt_rows = 0;
    int n_drafts = 0;  // rows of streams beyond one each
  };
  void note(const Step& step, double seconds);
  // A draft model proposed n_drafted tokens, or read n_rows, in this time.
  void note_drafts(int n_drafted, double seconds);
  void note_reading(int n_rows, double seconds);
  // Whether the next step should have no drafts, since the time of such a step is unknown or old.
  bool wants_plain_step(int n_streams) const;
  struct Prompts {
    int n = 0;       // still in prefill
    int n_rows = 0;  // that they still need
  };
  // Rows of prompts and drafts allowed in the next step, where `spent` seconds of it are gone
  // already; 0 now and then, where there are prompts.
  int rows(int n_streams, Prompts prompts, double spent = 0);
  // Rows a draft model may read in the next step, at least 1: half the time that prompts may take.
  int reading_rows(int n_streams) const;
  // The cost of a draft token in a step of n_streams, in tokens that the streams would have
  // generated in that time: of the row that verifies it, and of the draft model's work on it.
  double draft_cost(int n_streams) const;
  double draft_model_cost(int n_streams) const;

 private:
  static constexpr int kSizes = 16;       // numbers of streams by their logarithm
  static constexpr int kPlainEvery = 64;  // steps
  static constexpr int kHalfEvery = 8;    // of those with prompt rows
  static int size_of(int n_streams);
  double alone(int n_streams) const;  // seconds; 0: not known yet
  double share(double seconds, int n_streams) const;
  int rows_in(double seconds, double row) const;
  void learn_rows(int n_rows, double seconds);
  double worthwhile(double base) const;

  // Seconds that n prompt rows add: fixed + n * row, by the steps so far, the older the less.
  struct Line {
    double weight = 0, n = 0, y = 0, nn = 0, ny = 0;  // sums
    double fixed = 0, row = 0;                        // row 0: not known yet
    bool fitted = false;                              // from steps of two sizes
  };

  double stretch_;
  int max_rows_;
  Line line_;
  double granted_ = 0;                     // seconds for prompts in the next step
  double credit_ = 0;                      // and of those before, not used; negative: used ahead
  int n_held_ = 0, n_mixed_ = 0;           // steps
  std::array<double, kSizes> alone_{};     // seconds of a step without prompt rows, smoothed
  std::array<int, kSizes> since_alone_{};  // steps with more
  double draft_ = 0;                       // seconds a draft adds, smoothed
  double drafting_ = 0;                    // seconds of a draft model for each draft token
  double reading_ = 0;                     // and for each row it reads
};

}  // namespace quern
