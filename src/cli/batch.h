// A batch file's requests through the model, many at a time; what `quern batch` does.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "cli/batch_output.h"
#include "cli/line_reader.h"
#include "cli/progress.h"
#include "openai/batch.h"
#include "quern/model.h"

namespace quern::cli {

inline constexpr size_t kMostBatchLine = size_t{16} << 20;  // bytes of a request

struct BatchCounts {
  int64_t answered = 0, failed = 0;  // lines written by this process
  int64_t skipped = 0;               // lines answered before
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  double seconds = 0;
  bool interrupted = false;
};

struct BatchOptions {
  GenerateOptions defaults;        // what bodies leave out
  int concurrency = 16;            // answers at a time
  std::optional<int64_t> n_lines;  // for the progress bar
};

// Not thread-safe. Refers to all it is given.
class Batch {
 public:
  Batch(const Model& model, LineReader& input, BatchOutput& output, BatchOptions options);

  // To the end of the input. Ctrl-C (cli/signals.h) reads no more requests and finishes those that
  // run; a second one drops them. Errors: of the files, and what a machine or model failed with;
  // what has been written is kept.
  Result<BatchCounts> run();

 private:
  struct Job {
    openai::BatchKey key;
    openai::Request request;
    std::vector<int64_t> prompt_tokens;  // of each prompt
    std::vector<Stream> streams;         // of each prompt options.n
    int answers() const;
  };

  void take_signals();
  Result<> fill();
  Result<std::optional<Job>> next_job();
  Result<std::optional<Job>> read(const InputLine& line);
  Result<bool> start(Job& job);  // false: there is no room now
  Result<> advance();
  Result<> finish(Job& job);
  Result<> fail(const openai::BatchKey& key, const Error& error);
  Result<> write(const openai::Json& line);
  openai::BatchKey key_of(std::string custom_id, int64_t line);
  void show_progress();
  double seconds() const;

  using Clock = std::chrono::steady_clock;
  const Model& model_;
  LineReader& input_;
  BatchOutput& output_;
  const BatchOptions options_;
  const std::string run_;  // makes ids unique
  std::string model_name_;
  Progress progress_;
  Clock::time_point begin_ = Clock::now();

  std::deque<Job> jobs_;        // that run
  std::optional<Job> waiting_;  // read, without room yet
  std::unordered_set<std::string> seen_;
  BatchCounts counts_;
  int64_t n_keys_ = 0, n_tokens_ = 0;  // n_tokens_: generated so far, those of running answers too
  bool draining_ = false, dropped_ = false;
};

}  // namespace quern::cli
