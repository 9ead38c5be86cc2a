// quern eval: how well a model foretells a text, and its logits as a numpy file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>

#include "api/known_models.h"
#include "api/load_text.h"
#include "cli/arguments.h"
#include "cli/divergence.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/npy_writer.h"
#include "cli/progress.h"
#include "cli/scoring.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "cli/verbs.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Measure perplexity and token accuracy over a text; write the logits.\n"
    "nll is the mean of -log p(token i+1 | tokens up to i) in nats, perplexity is exp(nll), top1 "
    "the share of tokens the\nmodel would have picked itself. The whole text goes through the "
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

constexpr int64_t kMaxRows = 4096;
constexpr int64_t kMaxLogitBytes = int64_t{1} << 30;

struct Flags {
  ModelFlags model;
  std::optional<std::string> text, tokens, logits;
  int chunk = 0, context = 0;
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

int64_t rows_per_pass(const Flags& flags, int64_t n_tokens) {
  if (flags.chunk > 0) return std::min<int64_t>(flags.chunk, n_tokens);
  return std::min(n_tokens, kMaxRows);
}

// Rows whose logits fit the bound, for a model whose vocabulary is known only once it is loaded.
int chunk_of(const Flags& flags, int n_vocab) {
  if (flags.chunk > 0) return flags.chunk;
  const int64_t row = int64_t{n_vocab} * static_cast<int64_t>(sizeof(float));
  return static_cast<int>(std::clamp<int64_t>(kMaxLogitBytes / row, 1, kMaxRows));
}

Error not_finite(int64_t i) {
  return {Code::corrupt,
          fmt::format("the logits after token {} are not finite numbers", i),
          {},
          "the model's weights are damaged, or this build has a bug: try --exact"};
}

// The first token whose logits are scored: the prompt's last.
int64_t first_scored(const Flags& flags) { return std::max(flags.context - 1, 0); }

// What to do with a row of logits; an error ends the pass.
using TakeLogits = std::function<Result<>(int64_t i, std::span<const float> logits)>;

Result<> each_logits(const Model& model, const std::vector<int32_t>& tokens, const Flags& flags,
                     std::string_view what, const TakeLogits& take) {
  std::optional<Error> error;
  Progress bar;
  const auto on_logits = [&](int64_t i, std::span<const float> logits) {
    if (const auto taken = take(i, logits); !taken) error = taken.error();
    bar.update(static_cast<double>(i + 1) / static_cast<double>(tokens.size()), what);
    return !error && !interrupted();
  };
  const auto scored =
      model.score(tokens, chunk_of(flags, model.info().n_vocab), on_logits, flags.context);
  bar.clear();
  if (error) return *error;
  return scored;
}

struct Measured {
  Score score;
  Divergence divergence;
};

// reference: the rows of the other numerics, or null.
Result<Measured> score_tokens(const Model& model, const std::vector<int32_t>& tokens,
                              const Flags& flags, LogitStore* reference) {
  const auto n_tokens = static_cast<int64_t>(tokens.size());
  const int n_vocab = model.info().n_vocab;
  std::optional<NpyWriter> npy;
  if (flags.logits) {
    TRY(NpyWriter writer,
        NpyWriter::create(*flags.logits, n_tokens - first_scored(flags), n_vocab));
    npy.emplace(std::move(writer));
  }
  Measured measured;
  std::vector<float> theirs(reference ? static_cast<size_t>(n_vocab) : 0);
  const auto take = [&](int64_t i, std::span<const float> logits) -> Result<> {
    if (i + 1 < n_tokens) measured.score.add(logits, tokens[static_cast<size_t>(i + 1)]);
    if (!std::isfinite(measured.score.sum())) return not_finite(i);
    if (reference) {
      TRY_OK(reference->next(theirs));
      measured.divergence.add(theirs, logits);
    }
    return npy ? npy->append(logits) : Result<>(Ok{});
  };
  TRY_OK(each_logits(model, tokens, flags, "scoring", take));
  if (npy) TRY_OK(npy->finish());
  return measured;
}

Result<Model> load(const Flags& flags, int64_t n_tokens) {
  LoadOptions options;
  options.context = n_tokens;
  options.max_batch = static_cast<int>(rows_per_pass(flags, n_tokens));
  TRY(Model model, load_model(flags.model, options));
  if (model.info().context > 0 && n_tokens > model.info().context)
    return Error{Code::out_of_memory,
                 fmt::format("the text has {} tokens, the model was trained for {}", n_tokens,
                             model.info().context),
                 flags.text ? *flags.text : *flags.tokens, "cut the text"};
  return model;
}

// The logits in the numerics to compare with. That model is gone before the other one is loaded.
Result<LogitStore> reference_logits(const std::vector<int32_t>& tokens, Flags flags) {
  flags.model.exact = false;
  flags.model.numerics = flags.against;
  flags.model.kv = "auto";
  TRY(LogitStore store, LogitStore::create());
  TRY(const Model model, load(flags, std::ssize(tokens)));
  TRY_OK(each_logits(model, tokens, flags, "scoring " + flags.against,
                     [&](int64_t, std::span<const float> logits) { return store.append(logits); }));
  TRY_OK(store.rewind());
  return store;
}

Json as_json(const Measured& m, int64_t n_tokens, bool compared) {
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
                 "there is nothing to foretell in it"};
  if (tokens.size() > INT32_MAX)
    return Error{Code::invalid_argument, "the text has more than 2^31 - 1 tokens", {}, "cut it"};
  if (flags.context >= std::ssize(tokens))
    return Error{Code::invalid_argument,
                 fmt::format("--context {} of a text of {} tokens leaves none to score",
                             flags.context, tokens.size()),
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
  args.text("--logits", flags.logits, "Write the logits of every token to this .npy file", "FILE");
  args.integer("--chunk", flags.chunk, 1, 1 << 16, "Tokens per forward pass [see above]");
  args.flag("--special", flags.special, "Special tokens typed in the text count as such");
  args.integer("--context", flags.context, 0, 1 << 30,
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
  TRY_OK(numerics_of(flags.model));
  TRY_OK(kv_of(flags.model));
  std::optional<LogitStore> reference;
  if (!flags.against.empty()) {
    TRY(LogitStore store, reference_logits(tokens, flags));
    reference.emplace(std::move(store));
  }
  const auto n_tokens = std::ssize(tokens);
  TRY(const Model model, load(flags, n_tokens));
  TRY(const Measured m, score_tokens(model, tokens, flags, reference ? &*reference : nullptr));

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
