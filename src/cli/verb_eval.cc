// quern eval: how well a model foretells a text, and its logits as a numpy file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "api/known_models.h"
#include "api/load_text.h"
#include "cli/arguments.h"
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
    "1 GiB, in several, which give the same bits. --chunk N feeds N tokens a pass.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern eval --text book.txt\n"
    "  quern eval model.gguf --text book.txt --exact --json\n"
    "  quern eval --tokens ids.txt --logits out.npy   # float32 (n_tokens, n_vocab), row i: after "
    "token i";

constexpr int64_t kMaxRows = 4096;
constexpr int64_t kMaxLogitBytes = int64_t{1} << 30;

struct Flags {
  ModelFlags model;
  std::optional<std::string> text, tokens, logits;
  int chunk = 0;
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

Result<Score> score_tokens(const Model& model, const std::vector<int32_t>& tokens,
                           const Flags& flags) {
  const auto n_tokens = static_cast<int64_t>(tokens.size());
  std::optional<NpyWriter> npy;
  if (flags.logits) {
    TRY(NpyWriter writer, NpyWriter::create(*flags.logits, n_tokens, model.info().n_vocab));
    npy.emplace(std::move(writer));
  }
  Score score;
  std::optional<Error> error;
  Progress bar;
  const auto on_logits = [&](int64_t i, std::span<const float> logits) {
    if (i + 1 < n_tokens) score.add(logits, tokens[static_cast<size_t>(i + 1)]);
    if (!std::isfinite(score.sum())) error = not_finite(i);
    if (npy)
      if (const auto written = npy->append(logits); !written) error = written.error();
    bar.update(static_cast<double>(i + 1) / static_cast<double>(n_tokens), "scoring");
    return !error && !interrupted();
  };
  const auto scored = model.score(tokens, chunk_of(flags, model.info().n_vocab), on_logits);
  bar.clear();
  if (error) return *error;
  if (!scored) return scored.error();
  if (npy) TRY_OK(npy->finish());
  return score;
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
  args.flag("--json", flags.json, "Print {\"tokens\",\"nll\",\"perplexity\",\"top1\"}");
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
  if (tokens.size() < 2)
    return Error{Code::invalid_argument,
                 fmt::format("the text has {} tokens, at least 2 are needed", tokens.size()),
                 flags.text ? *flags.text : *flags.tokens, "there is nothing to foretell in it"};
  if (tokens.size() > INT32_MAX)
    return Error{Code::invalid_argument, "the text has more than 2^31 - 1 tokens", {}, "cut it"};

  LoadOptions options;
  const auto n_tokens = static_cast<int64_t>(tokens.size());
  options.context = n_tokens;
  options.max_batch = static_cast<int>(rows_per_pass(flags, n_tokens));
  TRY(const Model model, load_model(flags.model, options));
  if (model.info().context > 0 && n_tokens > model.info().context)
    return Error{Code::out_of_memory,
                 fmt::format("the text has {} tokens, the model was trained for {}", n_tokens,
                             model.info().context),
                 flags.text ? *flags.text : *flags.tokens, "cut the text"};
  TRY(const Score score, score_tokens(model, tokens, flags));

  if (flags.json) {
    print_json({{"tokens", n_tokens},
                {"nll", score.nll()},
                {"perplexity", score.perplexity()},
                {"top1", score.top1()}});
    return kDone;
  }
  fmt::print("tokens      {}\nnll         {:.6f}\nperplexity  {:.4f}\ntop1        {:.4f}\n",
             n_tokens, score.nll(), score.perplexity(), score.top1());
  return kDone;
}

}  // namespace quern::cli
