// quern inspect: what a model file is.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "api/known_models.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/json_output.h"
#include "cli/memory.h"
#include "cli/model_flags.h"
#include "cli/model_summary.h"
#include "cli/readable.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "text/utf8_stream.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Show what a model file contains: architecture, shapes, number formats, tokenizer, chat "
    "template, and whether it fits in memory.\nOnly the file's head is read; models this build "
    "cannot run are described too.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern inspect\n"
    "  quern inspect model.gguf --tensors\n"
    "  quern inspect model.gguf --context 32768 --json";

constexpr int kDefaultContext = 8192;  // as LoadOptions::context

struct Fit {
  int64_t context, weights, cache, available;
  int64_t needed() const { return weights + cache; }
  bool fits() const { return available == 0 || needed() <= available; }
};

Fit fit_of(const ModelSummary& model, int context) {
  Fit fit{};
  const int64_t own = model.context > 0 ? model.context : kDefaultContext;
  fit.context = context > 0 ? context : std::min<int64_t>(own, kDefaultContext);
  fit.weights = model.weight_bytes;
  constexpr int64_t kMax = INT64_MAX / 2;  // so that the sum stays a number
  if (__builtin_mul_overflow(model.cache_bytes_per_token, fit.context, &fit.cache))
    fit.cache = kMax;
  fit.cache = std::min(fit.cache, kMax);
  fit.available = machine_memory().available;
  return fit;
}

std::string shape_text(const Weight& weight) {
  std::string text;
  for (const int64_t dim : weight.dims) text += fmt::format("{}{}", text.empty() ? "" : " x ", dim);
  return text;
}

Json types_json(const ModelSummary& model) {
  Json list = Json::array();
  for (const TypeUse& use : model.types)
    list.push_back({{"type", info(use.dtype).name},
                    {"tensors", use.tensors},
                    {"elements", use.elements},
                    {"bytes", use.bytes}});
  return list;
}

Json tensors_json(const WeightSource& source) {
  Json list = Json::array();
  for (const Weight& weight : source.weights())
    list.push_back({{"name", weight.name},
                    {"type", info(weight.dtype).name},
                    {"shape", weight.dims},
                    {"bytes", weight.data.size()}});
  return list;
}

Json ends_json(const ModelSummary& model) {
  Json list = Json::array();
  for (const EndSummary& end : model.tokenizer.ends)
    list.push_back({{"id", end.id}, {"text", end.text}, {"why", end.why}});
  return list;
}

Json model_json(const ModelSummary& model, const Fit& fit) {
  Json chat{{"present", !model.chat_template.source.empty()}};
  if (!model.chat_template.source.empty()) {
    chat["parses"] = model.chat_template.error.empty();
    if (!model.chat_template.error.empty()) chat["error"] = model.chat_template.error;
    chat["source"] = model.chat_template.source;
  }
  return {{"path", model.path},
          {"format", model.format},
          {"file_bytes", model.file_bytes},
          {"architecture", model.architecture},
          {"name", model.name},
          {"runs", model.runs},
          {"why_not", model.why_not},
          {"parameters", model.n_parameters},
          {"context", model.context},
          {"layers", model.n_layers},
          {"width", model.width},
          {"ffn", model.ffn},
          {"heads", model.n_heads},
          {"kv_heads", model.n_kv_heads},
          {"head_dim", model.head_dim},
          {"experts", model.n_experts},
          {"bits_per_weight", model.bits_per_weight()},
          {"types", types_json(model)},
          {"tokenizer",
           {{"kind", model.tokenizer.kind},
            {"pre", model.tokenizer.pre},
            {"tokens", model.tokenizer.n_tokens},
            {"merges", model.tokenizer.n_merges},
            {"special", model.tokenizer.special},
            {"ends", ends_json(model)}}},
          {"chat_template", std::move(chat)},
          {"memory",
           {{"context", fit.context},
            {"weights", fit.weights},
            {"cache", fit.cache},
            {"needed", fit.needed()},
            {"available", fit.available},
            {"fits", fit.fits()}}}};
}

// One line of the table; untrusted text of the file must not control the terminal.
void row(const char* name, const std::string& value) {
  const Palette& colours = palette(STDOUT_FILENO);
  fmt::print("{}{:<13}{} {}\n", colours.bold, name, colours.reset, shown(value));
}

void print_types(const ModelSummary& model) {
  for (const TypeUse& use : model.types)
    row(&use == model.types.data() ? "tensors" : "",
        fmt::format("{:<8} {:>5}  {:>10}  {:.2f} bits a weight", info(use.dtype).name, use.tensors,
                    bytes_text(use.bytes),
                    8.0 * static_cast<double>(use.bytes) / static_cast<double>(use.elements)));
}

void print_ends(const ModelSummary& model) {
  if (model.tokenizer.ends.empty()) return row("ends a turn", "no token");
  for (const EndSummary& end : model.tokenizer.ends)
    row(&end == model.tokenizer.ends.data() ? "ends a turn" : "",
        fmt::format("{} {}: {}", end.id, to_valid_utf8(end.text), end.why));
}

void print_template(const TemplateSummary& chat) {
  if (chat.source.empty()) return row("template", "none: `quern run --raw` continues text");
  row("template", chat.error.empty() ? fmt::format("{} bytes, parses", chat.source.size())
                                     : "does not parse: " + chat.error);
  constexpr int kLines = 3;
  size_t begin = 0;
  for (int i = 0; i < kLines && begin < chat.source.size(); ++i) {
    const size_t end = std::min(chat.source.find('\n', begin), chat.source.size());
    const std::string line =
        to_valid_utf8(chat.source.substr(begin, std::min<size_t>(end - begin, 90)));
    row("", "  " + line + (end - begin > 90 ? " ..." : ""));
    begin = end + 1;
  }
}

void print_memory(const ModelSummary& model, const Fit& fit) {
  row("memory", fmt::format("{} weights + {} cache for {} tokens = {}", bytes_text(fit.weights),
                            bytes_text(fit.cache), fit.context, bytes_text(fit.needed())));
  if (fit.available > 0)
    row("", fmt::format("{} ({} available)", fit.fits() ? "fits" : "does not fit",
                        bytes_text(fit.available)));
}

void print_model(const ModelSummary& model, const Fit& fit) {
  row("file", model.path);
  row("size", fmt::format("{}, {}", bytes_text(model.file_bytes), model.format));
  row("architecture", model.architecture.empty() ? "not said" : model.architecture);
  if (!model.name.empty()) row("name", model.name);
  row("runs here", model.runs ? "yes" : "no: " + model.why_not);
  row("parameters", fmt::format("{} ({:.2f} bits a weight)", count_text(model.n_parameters),
                                model.bits_per_weight()));
  row("context", fmt::format("{} tokens", model.context));
  row("shape", fmt::format("{} layers, width {}, ffn {}", model.n_layers, model.width, model.ffn) +
                   (model.n_experts > 0 ? fmt::format(", {} experts", model.n_experts) : ""));
  row("attention", fmt::format("{} heads of {}, {} for keys and values", model.n_heads,
                               model.head_dim, model.n_kv_heads));
  print_types(model);
  row("tokenizer", fmt::format("{}{}{}, {} tokens, {} merges", model.tokenizer.kind,
                               model.tokenizer.pre.empty() ? "" : "/", model.tokenizer.pre,
                               model.tokenizer.n_tokens, model.tokenizer.n_merges));
  std::string special;
  for (const auto& [name, id] : model.tokenizer.special)
    special += fmt::format("{}{} {}", special.empty() ? "" : ", ", name, id);
  if (!special.empty()) row("", special);
  print_ends(model);
  print_template(model.chat_template);
  print_memory(model, fit);
}

void print_tensors(const WeightSource& source) {
  fmt::print("\n");
  for (const Weight& weight : source.weights())
    fmt::print("{:<40} {:<8} {:<20} {:>10}\n", shown(weight.name), info(weight.dtype).name,
               shape_text(weight), bytes_text(static_cast<int64_t>(weight.data.size())));
}

}  // namespace

Result<int> run_inspect(int argc, const char* const* argv) {
  std::string model;
  int context = 0;
  bool tensors = false, json = false;
  Arguments args("inspect", kSummary, kExamples);
  add_model(args, model);
  args.flag("--tensors", tensors, "List every tensor");
  args.integer("--context", context, 1, INT32_MAX,
               "Tokens the memory estimate counts with [the model's own, at most 8192]");
  args.flag("--json", json, "Print one JSON object");
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;

  TRY(const std::string path, resolve_model(model));
  TRY(const auto source, open_model(path, warn));
  const ModelSummary summary = summarize(*source);
  const Fit fit = fit_of(summary, context);
  if (json) {
    Json value = model_json(summary, fit);
    if (tensors) value["tensors"] = tensors_json(*source);
    print_json(value, 2);
    return kDone;
  }
  print_model(summary, fit);
  if (tensors) print_tensors(*source);
  return kDone;
}

}  // namespace quern::cli
