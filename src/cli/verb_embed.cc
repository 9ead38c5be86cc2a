// quern embed: vectors of texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "api/known_models.h"
#include "api/load_text.h"
#include "base/same_name.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "cli/verbs.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Turn texts into embedding vectors.\n"
    "A vector is pooled from the model's final hidden states: the mean of all tokens, the last "
    "one or the first one (cls).\nBy default the model file says which; if it does not, it is "
    "last, the token that has seen the whole text.\nOne line is printed per text, in their order: "
    "its numbers, or with --json one object. The vector of a text does not\ndepend on the other "
    "texts.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern embed -p 'A cat sleeps' -p 'A kitten naps'\n"
    "  quern embed model.gguf -f lines.txt --pooling mean --json > vectors.jsonl\n"
    "  head -1 lines.txt | quern embed --dimensions 256\n"
    "  quern embed --tokens ids.txt --exact --no-normalize";

// Texts whose vectors are printed together: enough for passes of short ones to be full.
constexpr size_t kTextsAtOnce = 256;
// Tokens the cache holds at least: a pass of 512 rows may be of many short texts, of a page each.
constexpr int64_t kMinContext = 8192;

struct Flags {
  ModelFlags model;
  std::vector<std::string> texts;
  std::optional<std::string> file, tokens;
  std::string pooling = "auto";
  int dimensions = 0;
  bool raw = false, special = false, json = false;
};

struct Texts {
  std::vector<std::vector<int32_t>> ids;
  std::string source;  // where they come from: "lines.txt, line "; the number follows, from 1
  std::string where(size_t i) const { return source + std::to_string(i + 1); }
};

// Without their ends, which may be those of Windows. A last line may go without one.
std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const bool returns = end > from && end < text.size() && text[end - 1] == '\r';
    lines.push_back(text.substr(from, end - from - (returns ? 1 : 0)));
    from = end + 1;
  }
  return lines;
}

Result<std::vector<std::string>> read_lines(const Flags& flags, std::string& source) {
  if (!flags.texts.empty()) {
    source = "-p number ";
    return flags.texts;
  }
  const std::optional<std::string>& file = flags.tokens ? flags.tokens : flags.file;
  source = (file && *file != "-" ? *file : "standard input") + ", line ";
  TRY(const std::string text, read_text(std::nullopt, file));
  return split_lines(text);
}

Result<Texts> read_texts(const Flags& flags) {
  Texts texts;
  TRY(const std::vector<std::string> lines, read_lines(flags, texts.source));
  std::optional<Tokenizer> tokenizer;
  if (!flags.tokens) {
    TRY(const std::string path, resolve_model(flags.model.model));
    TRY(tokenizer, load_tokenizer(path));
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    auto ids = tokenizer ? tokenizer->encode(lines[i],
                                             {.parse_special = flags.special, .add_special = true})
                         : parse_ids(lines[i], texts.where(i));
    if (!ids) return ids.error();
    if (lines[i].empty() || ids->empty())
      return Error{Code::invalid_argument, "a text is empty", texts.where(i),
                   "leave it out: every line is a text"};
    texts.ids.push_back(std::move(*ids));
  }
  if (texts.ids.empty())
    return Error{
        Code::invalid_argument, "there is no text", {}, "give one: quern embed -p 'A text'"};
  return texts;
}

Result<Pooling> pooling_named(const std::string& wanted) {
  for (const auto pooling : {Pooling::automatic, Pooling::mean, Pooling::last, Pooling::cls})
    if (same_name(wanted, name(pooling))) return pooling;
  return Error{Code::invalid_argument,
               fmt::format("no pooling '{}'", wanted),
               {},
               "there are: auto, mean, last, cls"};
}

Result<Model> load(const Flags& flags, const Texts& texts) {
  const auto longest =
      std::ranges::max_element(texts.ids, {}, [](auto& ids) { return ids.size(); });
  ModelFlags wanted = flags.model;
  wanted.load.context = std::max(kMinContext, static_cast<int64_t>(longest->size()));
  TRY(Model model, load_model(wanted));
  const int most = model.info().context;
  if (most > 0 && longest->size() > static_cast<size_t>(most))
    return Error{
        Code::context_too_long,
        fmt::format("a text has {} tokens, the model was trained for {}", longest->size(), most),
        texts.where(longest - texts.ids.begin()), "split it"};
  return model;
}

// first: the number of its first text.
void print(const Embeddings& embeddings, size_t first, bool json) {
  for (size_t i = 0; i < embeddings.size(); ++i) {
    const auto vector = embeddings[i];
    if (json) {
      fmt::print("{{\"index\":{},\"tokens\":{},\"pooling\":\"{}\",\"embedding\":[{}]}}\n",
                 first + i, embeddings.n_tokens[i], name(embeddings.pooling),
                 fmt::join(vector, ","));
    } else {
      fmt::print("{}\n", fmt::join(vector, " "));
    }
  }
}

void add_flags(Arguments& args, Flags& flags) {
  add_model(args, flags.model.model);
  args.texts("-p,--text", flags.texts, "A text; may be given several times [standard input]");
  args.text("-f,--file", flags.file, "Texts from this file, one a line; - is standard input",
            "FILE");
  args.text("--tokens", flags.tokens, "Token ids from this file instead, those of a text a line",
            "FILE");
  args.text("--pooling", flags.pooling, "mean, last, cls, or auto: as the file says [auto]",
            "NAME");
  args.flag("--no-normalize", flags.raw,
            "Leave the vectors their lengths, rather than make them 1");
  args.integer("--dimensions", flags.dimensions, 1, 1 << 20,
               "Only so many numbers of each vector, for models trained for it [all]");
  args.flag("--special", flags.special, "Special tokens typed in the texts count as such");
  args.flag("--json", flags.json,
            "Print a line {\"index\",\"tokens\",\"pooling\",\"embedding\":[...]} for each text");
  add_machine_flags(args, flags.model);
  args.exclusive({"--text", "--file", "--tokens"});
}

}  // namespace

Result<int> run_embed(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("embed", kSummary, kExamples);
  add_flags(args, flags);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;

  catch_interrupts();
  EmbedOptions options;
  TRY(options.pooling, pooling_named(flags.pooling));
  options.normalize = !flags.raw;
  options.dimensions = flags.dimensions;
  options.keep_going = [] { return !interrupted(); };
  TRY(const Texts texts, read_texts(flags));
  TRY(const Model model, load(flags, texts));
  Progress bar;
  const std::span<const std::vector<int32_t>> all = texts.ids;
  for (size_t done = 0; done < all.size(); done += kTextsAtOnce) {
    bar.update(static_cast<double>(done) / static_cast<double>(all.size()), "embedding");
    const auto some =
        model.embed(all.subspan(done, std::min(kTextsAtOnce, all.size() - done)), options);
    bar.clear();
    if (!some) return some.error();
    print(*some, done, flags.json);
  }
  return kDone;
}

}  // namespace quern::cli
