// quern run: one prompt, one answer.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "api/known_models.h"
#include "cli/answer.h"
#include "cli/answers.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/grammar_flags.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "cli/verbs.h"
#include "formats/weight_source.h"
#include "openai/logprobs.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Generate once from a prompt.\n"
    "The prompt is one user message of the model's chat template, unless --raw or --tokens is "
    "given. It is taken byte for\nbyte. The text streams to standard output; with --json one "
    "object is printed at the end. Ctrl-C ends the text early\n(exit code 130).";

constexpr const char* kExamples =
    "Sampling: a flag overrides the model's files (general.sampling.*, "
    "generation_config.json), these override the\nvalue in [brackets].\n\n"
    "Examples:\n"
    "  quern run -p 'What is the capital of France?'\n"
    "  quern run model.gguf -f question.txt -n 200 --temperature 0 --json\n"
    "  echo 'Once upon a time' | quern run --raw -n 50 --seed 7\n"
    "  quern run -p 'Name a river.' --n 4 --temperature 1 --json\n"
    "  quern run -p 'Is the sky green?' --choice yes --choice no\n"
    "  quern run -p 'Invent a person.' --schema person.json\n"
    "  quern run --tokens ids.txt -n 16 --temperature 0 --exact --json";

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  GrammarFlags grammar;
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
  return model.chat_prompt(messages, {.special = flags.special});
}

Result<GenerateOptions> options_of(const Flags& flags, const Model& model) {
  GenerateOptions options = flags.sampling.options(model);
  TRY(options.grammar, grammar_of(flags.grammar));
  return options;
}

// bytes tell what token cannot: a part of a character.
Json token_json(const Model& model, int32_t id, float logprob) {
  const std::string bytes = model.token_bytes(id);
  return {{"id", id}, {"token", bytes}, {"logprob", logprob}, {"bytes", openai::bytes_json(bytes)}};
}

Json logprobs_json(const Model& model, const Generation& generation) {
  Json rows = Json::array();
  for (const TokenLogprobs& token : generation.logprobs) {
    Json row = token_json(model, token.id, token.logprob);
    row["top"] = Json::array();
    for (const TokenProb& other : token.top)
      row["top"].push_back(token_json(model, other.id, other.logprob));
    rows.push_back(std::move(row));
  }
  return rows;
}

Json answer_json(const Model& model, const GenerateOptions& options, const Generation& generation) {
  Json json = {{"ids", generation.ids},
               {"text", generation.text},
               {"finish_reason", name(generation.finish)},
               {"timings", timings_json(generation.timings)},
               {"latency", latency_json(generation.timings)}};
  if (options.sampling.n_probs >= 0) json["logprobs"] = logprobs_json(model, generation);
  return json;
}

// Of several answers the first stands where a single one would.
Json run_json(const Model& model, const std::vector<int32_t>& prompt,
              const GenerateOptions& options, const std::vector<Generation>& generations) {
  Json json = {{"prompt_ids", prompt}};
  json.update(answer_json(model, options, generations.front()));
  json["seed"] = options.sampling.seed;
  if (!generations.front().notes.empty()) json["notes"] = generations.front().notes;
  if (generations.size() == 1) return json;
  for (size_t i = 0; i < generations.size(); ++i) {
    Json choice = {{"index", i}, {"seed", options.sampling.seed + i}};
    choice.update(answer_json(model, options, generations[i]));
    json["choices"].push_back(std::move(choice));
  }
  return json;
}

// What a reader of the text could not know; returns the exit code.
int notes(const Flags& flags, const std::vector<Generation>& generations) {
  const auto any = [&](Finish finish) {
    return std::ranges::find(generations, finish, &Generation::finish);
  };
  for (const std::string& note : generations.front().notes) warn(note);
  if (any(Finish::deadline) != generations.end()) warn("the answer was cut at its deadline");
  if (const auto cut = any(Finish::length); cut != generations.end()) flags.sampling.note_cut(*cut);
  return any(Finish::cancelled) != generations.end() ? kInterrupted : kDone;
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
  for (const char* option : {"n", "n_probs", "deadline_ms"}) flags.sampling.add(args, option);
  args.flag(
      "--json", flags.json,
      "Print one object: ids, text, finish_reason, timings; of several answers the first, and "
      "all as choices");
  add_grammar_flags(args, flags.grammar);
  flags.sampling.add_to(args);
  add_machine_flags(args, flags.model);
  add_cache_flags(args, flags.model);
  add_draft_flags(args, flags.model);
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
  if (flags.sampling.given("n_probs") && !flags.json)
    return Error{Code::invalid_argument, "--logprobs without --json", {}, "add --json"};

  catch_interrupts();
  TRY(const std::string text, read_prompt(flags));
  TRY(const Model model, load(flags));
  TRY(const std::vector<int32_t> prompt, prompt_ids(model, flags, text));
  TRY(const GenerateOptions options, options_of(flags, model));
  std::vector<Generation> generations;
  if (options.n > 1) {
    TRY(generations, answers(model, prompt, options, !flags.json));
  } else {
    TRY(Generation generation, answer(model, prompt, options, !flags.json));
    generations.push_back(std::move(generation));
  }
  if (flags.json) print_json(run_json(model, prompt, options, generations));
  return notes(flags, generations);
}

}  // namespace quern::cli
