#include "openai/batch_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <random>
#include <utility>

#include "openai/answer_json.h"
#include "openai/response.h"

namespace quern::openai {

namespace {

constexpr auto kWait = std::chrono::milliseconds(20);

std::string random_name() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

bool blank(const std::string& text) { return text.find_first_not_of(" \t\r") == std::string::npos; }

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// Errors of the machine or the program, not of the request: the next request would fail too.
bool ends_batch(Code code) {
  return code == Code::unavailable || code == Code::queue_full || code == Code::cancelled;
}

}  // namespace

int BatchRunner::Job::answers() const {
  return static_cast<int>(prompt_tokens.size()) * request.options.n;
}

BatchRunner::BatchRunner(const Model& model, LineReader& input, BatchOutput& output,
                         BatchOptions options, BatchHost host)
    : model_(model),
      input_(input),
      output_(output),
      options_(std::move(options)),
      host_(std::move(host)),
      run_(random_name()),
      model_name_(std::filesystem::path(model.info().path).filename()) {}

double BatchRunner::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

BatchKey BatchRunner::key_of(std::string custom_id, int64_t line) {
  const int64_t number = ++n_keys_;
  return {.id = fmt::format("batch_req_{}_{}", run_, number),
          .request_id = fmt::format("req_{}_{}", run_, number),
          .custom_id = std::move(custom_id),
          .line = line};
}

Result<BatchCounts> BatchRunner::run() {
  begin_ = Clock::now();
  while (!dropped_) {
    take_signals();
    TRY_OK(fill());
    if (jobs_.empty() && !waiting_ && (draining_ || input_.at_end())) break;
    TRY_OK(advance());
    TRY_OK(output_.sync_when_due());
    show_progress();
  }
  jobs_.clear();
  TRY_OK(output_.sync());
  counts_.seconds = seconds();
  counts_.interrupted = draining_;
  return counts_;
}

void BatchRunner::take_signals() {
  if (!host_.take_interrupt()) return;
  dropped_ = draining_;
  if (draining_) return;
  draining_ = true;
  waiting_.reset();
  if (!jobs_.empty())
    host_.note(
        fmt::format("finishing the {} requests that run; Ctrl-C again drops them", jobs_.size()));
}

// Starts requests while there are any and there is room.
Result<> BatchRunner::fill() {
  while (!draining_) {
    if (!waiting_) {
      TRY(waiting_, next_job());
    }
    if (!waiting_) return Ok{};
    int running = 0;
    for (const Job& job : jobs_) running += job.answers();
    if (running > 0 && running + waiting_->answers() > options_.concurrency) return Ok{};
    TRY(const bool started, start(*waiting_));
    if (!started) return Ok{};
    if (!waiting_->streams.empty()) jobs_.push_back(std::move(*waiting_));
    waiting_.reset();
  }
  return Ok{};
}

// The next request to be answered; nothing: none now.
Result<std::optional<BatchRunner::Job>> BatchRunner::next_job() {
  while (!host_.interrupted()) {
    TRY(const auto line, input_.next(jobs_.empty()));
    if (!line) break;
    if (!line->too_long && blank(line->text)) continue;
    TRY(auto job, read(*line));
    if (job) return job;
    show_progress();
  }
  return std::optional<Job>();
}

Result<std::optional<BatchRunner::Job>> BatchRunner::read(const InputLine& line) {
  std::optional<Error> error;
  std::optional<BatchLine> found;
  if (line.too_long) {
    error = Error{Code::invalid_argument,
                  fmt::format("the line is longer than {} MiB", kMaxBatchLine >> 20),
                  "line",
                  {}};
  } else if (auto read = read_batch_line(line.text, options_.defaults); !read) {
    error = read.error();
  } else if (!seen_.insert(read->custom_id).second) {
    error = Error{Code::invalid_argument,
                  fmt::format("custom_id '{}' is that of an earlier line too", read->custom_id),
                  "custom_id",
                  {}};
  } else {
    found = std::move(*read);
  }
  const bool had = error ? output_.has_line(line.number) : output_.has(found->custom_id);
  if (had) {
    ++counts_.skipped;
    return std::optional<Job>();
  }
  if (error) {
    TRY_OK(fail(key_of({}, line.number), *error));
    return std::optional<Job>();
  }
  BatchKey key = key_of(std::move(found->custom_id), line.number);
  if (!found->request) {
    TRY_OK(fail(key, found->request.error()));
    return std::optional<Job>();
  }
  const auto prompts = std::max<size_t>(1, found->request->prompts.size());
  Job job{.key = std::move(key), .request = std::move(*found->request)};
  job.prompt_tokens.resize(prompts);
  return std::optional(std::move(job));
}

Result<bool> BatchRunner::start(Job& job) {
  job.streams.clear(), job.readers.clear();
  const auto prompts = prompt_ids(model_, job.request);
  if (!prompts) {
    TRY_OK(fail(job.key, prompts.error()));
    return true;
  }
  for (size_t i = 0; i < prompts->size(); ++i) {
    job.prompt_tokens[i] = std::ssize((*prompts)[i]);
    const auto options = answer_options(model_, job.request, (*prompts)[i]);
    auto streams = options ? model_.submit((*prompts)[i], *options) : options.error();
    if (!streams) {
      job.streams.clear();
      if (streams.error().code == Code::queue_full && !jobs_.empty()) return false;
      if (ends_batch(streams.error().code)) return streams.error();
      TRY_OK(fail(job.key, streams.error()));
      return true;
    }
    std::ranges::move(*streams, std::back_inserter(job.streams));
    TRY_OK(add_readers(job, (*prompts)[i]));
  }
  return true;
}

// Ids of calls follow from the request's.
Result<> BatchRunner::add_readers(Job& job, std::span<const int32_t> prompt) {
  if (job.request.endpoint != Endpoint::chat_completions) return Ok{};
  while (job.readers.size() < job.streams.size()) {
    const std::string id = job.key.id + "_" + std::to_string(job.readers.size());
    TRY(AnswerReader reader,
        answer_reader(model_, job.request, prompt, std::hash<std::string>()(id)));
    job.readers.push_back(std::move(reader));
  }
  return Ok{};
}

// Reads the new tokens of every stream, and writes the answers that are complete.
Result<> BatchRunner::advance() {
  auto wait = kWait;  // for the first stream only: all streams advance together
  for (Job& job : jobs_)
    for (Stream& stream : job.streams) {
      while (!stream.over()) {
        const auto piece = stream.next(std::exchange(wait, {}));
        if (!piece) break;
        n_tokens_ += std::ssize(piece->ids);
      }
    }
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    if (!std::ranges::all_of(job->streams, &Stream::over)) {
      ++job;
      continue;
    }
    TRY_OK(finish(*job));
    job = jobs_.erase(job);
  }
  return Ok{};
}

Result<> BatchRunner::finish(Job& job) {
  std::vector<Generation> generations;
  std::vector<Answer> answers;
  for (Stream& stream : job.streams) {
    const auto& result = stream.result();
    if (!result && ends_batch(result.error().code)) return result.error();
    if (!result) return fail(job.key, result.error());
    generations.push_back(*result);
  }
  for (size_t i = 0; i < job.readers.size(); ++i)
    answers.push_back(whole_answer(job.readers[i], generations[i]));
  const Json body = response_json(
      model_, job.request,
      {.id = (job.request.endpoint == Endpoint::chat_completions ? "chatcmpl-" : "cmpl-") +
             job.key.id.substr(10),
       .created = static_cast<int64_t>(std::time(nullptr)),
       .model = model_name_,
       .prompt_tokens = job.prompt_tokens,
       .generations = generations,
       .answers = answers});
  const Json& usage = body["usage"];
  counts_.prompt_tokens += usage["prompt_tokens"].get<int64_t>();
  counts_.cached_tokens += usage["prompt_tokens_details"]["cached_tokens"].get<int64_t>();
  counts_.completion_tokens += usage["completion_tokens"].get<int64_t>();
  TRY_OK(write(batch_answer(job.key, body)));
  ++counts_.answered;
  return Ok{};
}

Result<> BatchRunner::fail(const BatchKey& key, const Error& error) {
  TRY_OK(write(batch_failure(key, error)));
  ++counts_.failed;
  return Ok{};
}

Result<> BatchRunner::write(const Json& line) {
  return output_.append(line.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void BatchRunner::show_progress() {
  const int64_t here = counts_.answered + counts_.failed, done = here + counts_.skipped;
  const double speed = static_cast<double>(n_tokens_) / std::max(seconds(), 1e-3);
  if (!options_.n_lines) {
    host_.progress(0, fmt::format("{} done, {:.0f} tok/s", done, speed));
    return;
  }
  const int64_t total = std::max(*options_.n_lines, done);
  std::string left;
  if (here > 0)
    left = fmt::format(", {} left", duration_text(seconds() * static_cast<double>(total - done) /
                                                  static_cast<double>(here)));
  host_.progress(static_cast<double>(done) / static_cast<double>(std::max<int64_t>(total, 1)),
                 fmt::format("{}/{}, {:.0f} tok/s{}", done, total, speed, left));
}

}  // namespace quern::openai
