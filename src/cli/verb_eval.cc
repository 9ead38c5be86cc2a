// quern eval: how well a model predicts a text, and its logits as a numpy file.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/known_models.h"
#include "api/load_text.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "cli/verbs.h"
#include "measure/eval.h"
#include "options/names.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Measure perplexity and token accuracy over a text; write the logits.\n"
    "nll is the mean of -log p(token i+1 | tokens up to i) in nats, perplexity is exp(nll), top1 "
    "the share of tokens the\nmodel itself would have chosen. The whole text goes through the "
    "model "
    "in one forward pass; beyond 4096 tokens, or where\nthe logits of a pass would take more than "
    "1 GiB, in several, which give the same bits. --chunk N feeds N tokens a pass.\n"
    "--context N reads the first N tokens as a prompt, in a prompt's numerics, and scores the rest "
    "as "
    "if it had been\ngenerated; without it all tokens count as generated. --against exact measures "
    "the logits against those of other\nnumerics: KL(theirs || these) in nats, and the share of "
    "tokens whose best successor is the same.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern eval --text book.txt\n"
    "  quern eval model.gguf --text book.txt --exact --json\n"
    "  quern eval --text book.txt --context 256 --numerics fast --against exact\n"
    "  quern eval --tokens ids.txt --logits out.npy   # float32 (n_tokens, n_vocab), row i: after "
    "token i";

struct Flags {
  ModelFlags model;
  std::optional<std::string> text, tokens;
  measure::EvalOptions eval;
  std::string against;  // numerics; empty: none
  bool special = false, json = false;
};

Result<std::vector<int32_t>> read_tokens(const Flags& flags) {
  if (flags.tokens) return read_ids(*flags.tokens);
  TRY(const std::string text, read_text(std::nullopt, flags.text));
  TRY(const std::string path, resolve_model(flags.model.model));
  TRY(const Tokenizer tokenizer, load_tokenizer(path));
  return tokenizer.encode(text, {.parse_special = flags.special, .add_special = true});
}

Result<Model> load(const Flags& flags, int64_t n_tokens) {
  ModelFlags wanted = flags.model;
  wanted.load.context = n_tokens;
  wanted.load.max_batch = static_cast<int>(measure::rows_per_pass(flags.eval, n_tokens));
  TRY(Model model, load_model(wanted));
  if (model.info().context > 0 && n_tokens > model.info().context)
    return Error{Code::context_too_long,
                 fmt::format("the text has {} tokens, the model was trained for {}", n_tokens,
                             model.info().context),
                 flags.text ? *flags.text : *flags.tokens, "shorten the text"};
  return model;
}

// Moves the bar while tokens are scored.
measure::KeepScoring progress_of(Progress& bar, std::string what) {
  return [&bar, what = std::move(what)](double done) {
    bar.update(done, what);
    return !interrupted();
  };
}

// The logits in the numerics to compare with. That model is freed before the other one is loaded.
Result<measure::LogitStore> reference_logits(const std::vector<int32_t>& tokens, Flags flags) {
  flags.model.exact = false;
  TRY(const int numerics,
      options::read_name("--against", flags.against, options::numerics_names()));
  flags.model.load.numerics = static_cast<Numerics>(numerics);
  flags.model.load.kv = KvKind::automatic;
  TRY(const Model model, load(flags, std::ssize(tokens)));
  Progress bar;
  return measure::keep_logits(model, tokens, flags.eval,
                              progress_of(bar, "scoring " + flags.against));
}

Json as_json(const measure::Scores& m, int64_t n_tokens, bool compared) {
  Json json = {{"tokens", n_tokens},
               {"nll", m.score.nll()},
               {"perplexity", m.score.perplexity()},
               {"top1", m.score.top1()}};
  if (!compared) return json;
  json["kl"] = m.divergence.mean();
  json["kl_p99"] = m.divergence.percentile(0.99);
  json["same_top1"] = m.divergence.agreement();
  return json;
}

Result<> check_flags(const Flags& flags, const std::vector<int32_t>& tokens) {
  const std::string where = flags.text ? *flags.text : *flags.tokens;
  if (tokens.size() < 2)
    return Error{Code::invalid_argument,
                 fmt::format("the text has {} tokens, at least 2 are needed", tokens.size()), where,
                 "there is nothing to predict in it"};
  if (tokens.size() > INT32_MAX)
    return Error{
        Code::invalid_argument, "the text has more than 2^31 - 1 tokens", {}, "shorten it"};
  if (flags.eval.context >= std::ssize(tokens))
    return Error{Code::invalid_argument,
                 fmt::format("--context {} of a text of {} tokens leaves none to score",
                             flags.eval.context, tokens.size()),
                 where, "choose a smaller one"};
  return Ok{};
}

}  // namespace

Result<int> run_eval(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("eval", kSummary, kExamples);
  add_model(args, flags.model.model);
  args.text("--text,-f", flags.text, "The text; - is standard input", "FILE");
  args.text("--tokens", flags.tokens, "Token ids instead, with whitespace between", "FILE");
  args.text("--logits", flags.eval.logits, "Write the logits of every token to this .npy file",
            "FILE");
  args.integer("--chunk", flags.eval.chunk, 1, 1 << 16, "Tokens per forward pass [see above]");
  args.flag("--special", flags.special, "Special tokens typed in the text count as such");
  args.integer("--context", flags.eval.context, 0, 1 << 30,
               "Read this many tokens as a prompt and score the rest [0]");
  args.text("--against", flags.against,
            "Compare with the logits of these numerics, e.g. exact: KL and agreement", "NAME");
  args.flag("--json", flags.json,
            "Print {\"tokens\",\"nll\",\"perplexity\",\"top1\"}; with --against \"kl\", "
            "\"kl_p99\", \"same_top1\" as well");
  add_machine_flags(args, flags.model);
  args.exclusive({"--text", "--tokens"});
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  if (!flags.text && !flags.tokens)
    return Error{Code::invalid_argument,
                 "neither --text nor --tokens is given",
                 {},
                 "name a file: quern eval --text book.txt"};

  catch_interrupts();
  TRY(const std::vector<int32_t> tokens, read_tokens(flags));
  TRY_OK(check_flags(flags, tokens));
  std::optional<measure::LogitStore> reference;
  if (!flags.against.empty()) {
    TRY(measure::LogitStore store, reference_logits(tokens, flags));
    reference.emplace(std::move(store));
  }
  const auto n_tokens = std::ssize(tokens);
  TRY(const Model model, load(flags, n_tokens));
  Progress bar;
  TRY(const measure::Scores m,
      measure::score_tokens(model, tokens, flags.eval, reference ? &*reference : nullptr,
                            progress_of(bar, "scoring")));
  bar.clear();

  if (flags.json) {
    print_json(as_json(m, n_tokens, reference.has_value()));
    return kDone;
  }
  fmt::print("tokens      {}\nnll         {:.6f}\nperplexity  {:.4f}\ntop1        {:.4f}\n",
             n_tokens, m.score.nll(), m.score.perplexity(), m.score.top1());
  if (reference)
    fmt::print("against {}: KL {:.6f} nats, p99 {:.6f}, same best token {:.4f}\n", flags.against,
               m.divergence.mean(), m.divergence.percentile(0.99), m.divergence.agreement());
  return kDone;
}

}  // namespace quern::cli
