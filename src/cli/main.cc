// quern: the program. Finds the verb, runs it, prints its error.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>

#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/out_of_memory.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"

namespace quern::cli {
namespace {

struct Verb {
  std::string_view name, summary;
  VerbFunction* run;
};

constexpr Verb kVerbs[] = {
    {"chat", "chat with a model", run_chat},
    {"run", "generate once from a prompt", run_run},
    {"embed", "turn texts into vectors", run_embed},
    {"batch", "answer a file of requests, many at a time; continue after an interruption",
     run_batch},
    {"inspect", "show what a model file contains", run_inspect},
    {"tokenize", "turn text into token ids", run_tokenize},
    {"eval", "measure perplexity and accuracy over a text, write logits", run_eval},
    {"bench", "measure tokens per second beside this machine's limits", run_bench},
    {"tune", "search for the fastest tiling on this machine and keep it", run_tune},
    {"cache", "list, check or delete the packed weights of earlier starts", run_cache},
    {"doctor", "show what this machine offers and what is missing", run_doctor},
    {"version", "print the version", run_version},
};

void print_help(std::FILE* out) {
  fmt::print(out,
             "quern COMMAND [MODEL] [FLAG...]\n\nCommands (quern COMMAND --help has details and "
             "examples):\n");
  for (const Verb& verb : kVerbs) fmt::print(out, "  {:<10} {}\n", verb.name, verb.summary);
  fmt::print(out,
             "\nMODEL is a file, a folder, or a known name (smollm2); left out, it is the default "
             "model.\nResults go to standard output, everything else to standard error.\n\n"
             "Exit codes:\n");
  for (const ExitCode& row : exit_codes()) fmt::print(out, "  {:<10} {}\n", row.code, row.meaning);
}

const Verb* find_verb(std::string_view name) {
  if (name == "--version" || name == "-V") name = "version";
  for (const Verb& verb : kVerbs)
    if (verb.name == name) return &verb;
  return nullptr;
}

int run(int argc, const char* const* argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return kDone;
  }
  const Verb* verb = find_verb(name);
  if (!verb) {
    if (name.empty()) {
      print_help(stderr);
      return kUsage;
    }
    return report({Code::invalid_argument,
                   fmt::format("unknown command '{}'", name),
                   {},
                   "quern --help lists the commands"});
  }
  const Result<int> code = verb->run(argc - 1, argv + 1);
  return code ? *code : report(code.error());
}

// fmt throws where standard output cannot be written: `output_error` is why.
int run_to_the_end(int argc, const char* const* argv, int& output_error) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return report(out_of_memory());
  } catch (const std::system_error& error) {
    if (!std::ferror(stdout)) return report({Code::unavailable, error.what(), {}, {}});
    output_error = error.code().value();
    return kDone;
  }
}

// A full disk or a closed output may show only when the buffer is written. The reason of an earlier
// failure is lost; whether the descriptor takes any bytes can still be tested.
int finish_output(int code, int error) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed) error = errno;
  if ((flushed && !std::ferror(stdout)) || code != kDone) return code;
  if (error == 0 && write(STDOUT_FILENO, "", 0) < 0) error = errno;
  return report({Code::unavailable,
                 fmt::format("cannot write the result{}{}", error ? ": " : "",
                             error ? std::strerror(error) : ""),
                 "standard output",
                 {}});
}

}  // namespace
}  // namespace quern::cli

// Before the libraries construct their statics, which allocate too.
[[gnu::constructor(101)]] static void watch_memory() { quern::cli::end_where_memory_runs_out(); }

int main(int argc, char** argv) {
  quern::cli::open_standard_streams();
  // A file that would grow beyond the user's limit (ulimit -f) is a failed write, as on a full
  // disk: the writer reports it.
  std::signal(SIGXFSZ, SIG_IGN);
  int output_error = 0;
  const int code = quern::cli::run_to_the_end(argc, argv, output_error);
  return quern::cli::finish_output(code, output_error);
}
