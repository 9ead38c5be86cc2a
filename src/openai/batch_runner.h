// Runs the requests of a batch file, many at a time; what `quern batch` does.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "openai/batch.h"
#include "openai/batch_output.h"
#include "openai/line_reader.h"
#include "quern/model.h"

namespace quern::openai {

inline constexpr size_t kMaxBatchLine = size_t{16} << 20;  // bytes of a request

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
  std::optional<int64_t> n_lines;  // requests of the input, where known: progress says what is left
};

// What the program around the runner brings. All are called by the thread in run().
struct BatchHost {
  std::function<bool()> interrupted;     // an interrupt waits to be taken
  std::function<bool()> take_interrupt;  // whether one did; it no longer waits
  std::function<void(const std::string&)> note;
  std::function<void(double done, std::string_view what)> progress;  // done: 0 to 1
};

// Not thread-safe. Refers to all it is given.
class BatchRunner {
 public:
  BatchRunner(const Model& model, LineReader& input, BatchOutput& output, BatchOptions options,
              BatchHost host);

  // To the end of the input. After an interrupt it reads no more requests and finishes those that
  // run; a second one drops them. Errors: of the files, and of the machine or model; what has been
  // written is kept.
  Result<BatchCounts> run();

 private:
  struct Job {
    BatchKey key;
    Request request;
    std::vector<int64_t> prompt_tokens;  // of each prompt
    std::vector<Stream> streams;         // of each prompt options.n
    std::vector<AnswerReader> readers;   // of a chat, one a stream
    int answers() const;
  };

  void take_signals();
  Result<> fill();
  Result<std::optional<Job>> next_job();
  Result<std::optional<Job>> read(const InputLine& line);
  Result<bool> start(Job& job);  // false: there is no room now
  Result<> add_readers(Job& job, std::span<const int32_t> prompt);
  Result<> advance();
  Result<> finish(Job& job);
  Result<> fail(const BatchKey& key, const Error& error);
  Result<> write(const Json& line);
  BatchKey key_of(std::string custom_id, int64_t line);
  void show_progress();
  double seconds() const;

  using Clock = std::chrono::steady_clock;
  const Model& model_;
  LineReader& input_;
  BatchOutput& output_;
  const BatchOptions options_;
  const BatchHost host_;
  const std::string run_;  // makes ids unique
  std::string model_name_;
  Clock::time_point begin_ = Clock::now();

  std::deque<Job> jobs_;        // that run
  std::optional<Job> waiting_;  // read, without room yet
  std::unordered_set<std::string> seen_;
  BatchCounts counts_;
  int64_t n_keys_ = 0, n_tokens_ = 0;  // n_tokens_: generated so far, those of running answers too
  bool draining_ = false, dropped_ = false;
};

}  // namespace quern::openai
