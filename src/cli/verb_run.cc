// quern run: one prompt, one answer.
#include <fmt/format.h>

#include <optional>

#include "api/known_models.h"
#include "cli/answer.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "cli/verbs.h"
#include "formats/weight_source.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Generate once from a prompt and leave.\n"
    "The prompt is one user message of the model's chat template, unless --raw or --tokens is "
    "given. It is taken byte for\nbyte. The text streams to standard output; with --json one "
    "object "
    "comes at the end. Ctrl-C ends the text early\n(exit code 130).";

constexpr const char* kExamples =
    "Sampling: a flag comes before the model file's own default (general.sampling.*), that before "
    "the value in [brackets].\n\n"
    "Examples:\n"
    "  quern run -p 'What is the capital of France?'\n"
    "  quern run model.gguf -f question.txt -n 200 --temperature 0 --json\n"
    "  echo 'Once upon a time' | quern run --raw -n 50 --seed 7\n"
    "  quern run --tokens ids.txt -n 16 --temperature 0 --exact --json";

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  std::optional<std::string> prompt, file, tokens, system;
  bool raw = false, special = false, json = false;
};

Result<std::string> read_prompt(const Flags& flags) {
  if (flags.tokens) return std::string();
  return read_text(flags.prompt, flags.file);
}

// A word that is no model may be a question typed without its flag.
Result<Model> load(const Flags& flags) {
  auto model = load_model(flags.model);
  if (model || model.error().code != Code::not_found || flags.model.model.empty()) return model;
  Error error = model.error();
  error.fix += "; a prompt goes behind -p";
  return error;
}

Result<std::vector<int32_t>> prompt_ids(const Model& model, const Flags& flags,
                                        const std::string& text) {
  if (flags.tokens) return read_ids(*flags.tokens);
  if (flags.raw) return model.tokenize(text, flags.special);
  std::vector<Message> messages;
  if (flags.system) messages.push_back({"system", *flags.system});
  messages.push_back({"user", text});
  return model.chat_prompt(messages, flags.special);
}

void add_flags(Arguments& args, Flags& flags) {
  add_model(args, flags.model.model);
  args.text("-p,--prompt", flags.prompt, "The prompt [standard input]");
  args.text("-f,--file", flags.file, "Read the prompt from this file; - is standard input", "FILE");
  args.text("--tokens", flags.tokens, "Token ids from this file as the prompt, just as they are",
            "FILE");
  args.text("--system", flags.system, "A system message before the prompt");
  args.flag("--raw", flags.raw, "Continue the text; no chat template");
  args.flag("--special", flags.special, "Special tokens typed in the prompt count as such");
  args.flag("--json", flags.json, "Print one object: ids, text, finish_reason, timings");
  flags.sampling.add_to(args);
  add_machine_flags(args, flags.model);
  args.exclusive({"--prompt", "--file", "--tokens"});
  args.exclusive({"--system", "--raw"});
  args.exclusive({"--system", "--tokens"});
}

}  // namespace

Result<int> run_run(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("run", kSummary, kExamples);
  add_flags(args, flags);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;

  catch_interrupts();
  TRY(const std::string text, read_prompt(flags));
  TRY(const Model model, load(flags));
  TRY(const std::vector<int32_t> prompt, prompt_ids(model, flags, text));
  TRY(const GenerateOptions options, flags.sampling.options(model.info().path));
  TRY(const Generation generation, answer(model, prompt, options, !flags.json));
  if (flags.json)
    print_json({{"prompt_ids", prompt},
                {"ids", generation.ids},
                {"text", generation.text},
                {"finish_reason", name(generation.finish)},
                {"timings", timings_json(generation.timings)},
                {"seed", options.sampling.seed}});
  flags.sampling.note_cut(generation);
  return generation.finish == Finish::cancelled ? kInterrupted : kDone;
}

}  // namespace quern::cli
