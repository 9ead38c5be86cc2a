// quern batch: a file of requests, a file of answers.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/progress.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "openai/batch_runner.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Answer a file of requests, many at a time.\n"
    "IN has one request a line, in the shape of OpenAI's batch files:\n"
    "  {\"custom_id\": \"a\", \"method\": \"POST\", \"url\": \"/v1/chat/completions\",\n"
    "   \"body\": {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": "
    "50}}\n"
    "or /v1/completions with \"prompt\"; at most 16 MiB a line. OUT gets a line for each, as "
    "answers\n"
    "are complete: custom_id tells whose. A line that cannot be answered gets one with an error.\n"
    "If OUT is there already, what it answers is not asked again: start the same command again "
    "after\n"
    "whatever ended it. Ctrl-C finishes the requests that run, a second one drops them.";

constexpr const char* kExamples =
    "What a body leaves out is as these flags say; without a seed each request gets one made of "
    "--seed and its custom_id.\n\n"
    "Examples:\n"
    "  quern batch questions.jsonl answers.jsonl\n"
    "  quern batch questions.jsonl answers.jsonl model.gguf --concurrency 32 --temperature 0\n"
    "  make-requests | quern batch - answers.jsonl --json";

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  std::string in, out;
  int concurrency = 16;
  bool json = false;
};

// Closes what it opened.
class Input {
 public:
  static Result<Input> open(const std::string& path) {
    if (path == "-") return Input(STDIN_FILENO);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return Error{Code::not_found, std::string("cannot open: ") + std::strerror(errno), path, {}};
    return Input(fd);
  }
  Input(Input&& other) noexcept : fd_(std::exchange(other.fd_, STDIN_FILENO)) {}
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (fd_ != STDIN_FILENO) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  explicit Input(int fd) : fd_(fd) {}
  int fd_;
};

Json counts_json(const openai::BatchCounts& counts) {
  return {{"answered", counts.answered},
          {"failed", counts.failed},
          {"skipped", counts.skipped},
          {"prompt_tokens", counts.prompt_tokens},
          {"cached_tokens", counts.cached_tokens},
          {"completion_tokens", counts.completion_tokens},
          {"seconds", counts.seconds},
          {"tokens_per_second",
           static_cast<double>(counts.completion_tokens) / std::max(counts.seconds, 1e-3)},
          {"interrupted", counts.interrupted}};
}

void print_counts(const openai::BatchCounts& counts) {
  fmt::print("{} answered, {} failed", counts.answered, counts.failed);
  if (counts.skipped > 0) fmt::print(", {} answered before", counts.skipped);
  fmt::print("; {} tokens read ({} reused), {} generated in {:.1f} s, {:.0f} tok/s\n",
             counts.prompt_tokens, counts.cached_tokens, counts.completion_tokens, counts.seconds,
             static_cast<double>(counts.completion_tokens) / std::max(counts.seconds, 1e-3));
}

void add_flags(Arguments& args, Flags& flags) {
  args.text("IN", flags.in, "The requests; - is standard input", "IN.jsonl");
  args.text("OUT", flags.out, "The answers; made, or gone on with", "OUT.jsonl");
  add_model(args, flags.model.model);
  args.integer("--concurrency", flags.concurrency, 1, 512, "Answers at a time [16]");
  add_context_flag(args, flags.model);
  args.flag("--json", flags.json, "Print the summary as one object");
  flags.sampling.add_to(args);
  add_machine_flags(args, flags.model);
  add_cache_flags(args, flags.model);
  add_draft_flags(args, flags.model);
}

openai::BatchHost host_of(Progress& bar) {
  return {.interrupted = interrupted,
          .take_interrupt = take_interrupt,
          .note =
              [&bar](const std::string& text) {
                bar.clear();
                warn(text);
              },
          .progress = [&bar](double done, std::string_view what) { bar.update(done, what); }};
}

Result<> check(const Flags& flags) {
  if (!flags.in.empty() && !flags.out.empty()) return Ok{};
  return Error{Code::invalid_argument,
               flags.in.empty() ? "IN is missing" : "OUT is missing",
               {},
               "quern batch IN.jsonl OUT.jsonl"};
}

}  // namespace

Result<int> run_batch(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("batch", kSummary, kExamples);
  add_flags(args, flags);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  TRY_OK(check(flags));

  catch_interrupts();
  TRY(const Input in, Input::open(flags.in));
  TRY(openai::BatchOutput out, openai::BatchOutput::open(flags.out));
  if (out.is_file(in.fd()))
    return Error{Code::invalid_argument, "IN and OUT are the same file", flags.out, {}};
  if (out.n_found() > 0)
    warn(fmt::format("{} has {} answers already; they are not asked for again", flags.out,
                     out.n_found()));
  flags.model.load.max_waiting = 1024;  // concurrency, and the answers of one request: never full
  TRY(const Model model, load_model(flags.model));
  openai::BatchOptions options{.concurrency = flags.concurrency};
  options.defaults = flags.sampling.options(model);
  if (is_terminal(STDERR_FILENO)) options.n_lines = openai::count_lines(in.fd());

  openai::LineReader lines(in.fd(), flags.in == "-" ? "standard input" : flags.in,
                           openai::kMaxBatchLine, wait_readable);
  Progress bar;
  openai::BatchRunner runner(model, lines, out, std::move(options), host_of(bar));
  TRY(const openai::BatchCounts counts, runner.run());
  bar.clear();
  if (flags.json)
    print_json(counts_json(counts));
  else
    print_counts(counts);
  return counts.interrupted ? kInterrupted : kDone;
}

}  // namespace quern::cli
