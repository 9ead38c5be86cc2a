#include "options/document.h"

#include "options/text.h"

namespace quern::options {
namespace {

using namespace std::string_literals;

constexpr const char* kHead =
    R"(# Options

<!-- Made by `build/bin/write_options_document > docs/options.md` from the tables in src/options. A test compares. -->

Every option of a request and of loading a model, by its C++ member, which is its name in quern.h's JSON as well. A value
out of its range is refused on every surface, by the name it has there, with the value and the range. The default is that
of the API; `quern run`, `chat` and `batch` have calmer ones, named where they differ. A flag comes before what the
model's files say, and that before the default. "File keys" are what these files may have: `general.sampling.*` of GGUF,
then generation_config.json, which goes first.
)";

// One cell; a bar would end it.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }
std::string code(const char* text) { return text ? code(std::string(text)) : ""; }

std::string flags_cell(const Names& names) {
  std::string all;
  if (!names.flags) return all;
  const std::string_view flags = names.flags;
  for (size_t begin = 0; begin < flags.size();) {
    const size_t end = std::min(flags.find(',', begin), flags.size());
    all += (all.empty() ? "" : ", ") + code(std::string(flags.substr(begin, end - begin)));
    begin = end + 1;
  }
  return all;
}

std::string both(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + ", " + b;
}

std::string file_keys(const Names& names) {
  return both(names.gguf ? code("general.sampling."s + names.gguf) : "",
              code(names.generation_config));
}

std::string numbers_cell(const Limits& limits) {
  return number_text(limits.least) + " to " + number_text(limits.most);
}

std::string bytes_cell(const Limits& limits) {
  if (limits.most_bytes == SIZE_MAX) return "";
  return std::to_string(limits.least_bytes) + " to " + std::to_string(limits.most_bytes) + " bytes";
}

template <class T>
std::string range_cell(const Option<T>& option) {
  const Limits& limits = option.limits;
  const std::string entries = std::to_string(limits.most_entries) + " at most";
  if (const auto* choice = std::get_if<Choice<T>>(&option.member)) {
    std::string all;
    for (const char* name : choice->names) all = both(all, code(name));
    return all;
  }
  if (std::holds_alternative<bool T::*>(option.member)) return "";
  if (std::holds_alternative<uint64_t T::*>(option.member)) return "-2^63 to 2^64 - 1";
  if (std::holds_alternative<std::string T::*>(option.member)) return bytes_cell(limits);
  if (std::holds_alternative<std::vector<int32_t> T::*>(option.member)) return entries;
  if (std::holds_alternative<std::vector<LogitBias> T::*>(option.member))
    return entries + ", biases " + numbers_cell(limits) + " or minus infinity";
  if (std::holds_alternative<std::vector<std::string> T::*>(option.member)) {
    std::string names;
    for (const KnownName& one : limits.names) names = both(names, code(one.name));
    return names.empty() ? entries + ", of " + bytes_cell(limits) : "each once: " + names;
  }
  return numbers_cell(limits);
}

// Where a surface takes less than the option may have.
template <class T>
std::string narrower(const Option<T>& option) {
  std::string notes;
  if (option.names.flag_least > option.limits.least)
    notes += "; the flag from " + number_text(option.names.flag_least / option.names.flag_unit);
  if (const Limits* limits = option.names.openai_limits) {
    notes += "; OpenAI's " + numbers_cell(*limits);
  }
  return notes;
}

template <class T>
std::string type_cell(const Option<T>& option) {
  constexpr const char* kTypes[] = {"true or false", "integer", "integer",   "64 bits", "number",
                                    "text",          "texts",   "token ids", "biases",  "name"};
  static_assert(std::size(kTypes) == std::variant_size_v<Member<T>>);
  return kTypes[option.member.index()];
}

template <class T>
std::string row(const Option<T>& option, const T& defaults, const T& of_program,
                const std::string& prefix) {
  const std::string value = shown_default(option, defaults);
  const std::string other = shown_default(option, of_program);
  const bool yes_or_no = std::holds_alternative<bool T::*>(option.member);
  std::string shown = yes_or_no             ? code(value == "on" ? "true" : "false")
                      : value.empty()       ? ""
                      : option.default_text ? cell(value)
                                            : code(value);
  if (value != other) shown += "; program " + code(other);
  const auto& names = option.names;
  const std::string name = prefix + std::string(option.name);
  std::string line = "|";
  for (const std::string& text :
       {code(name), type_cell(option), range_cell(option) + narrower(option), shown,
        flags_cell(names), option.c_json ? code(name) : "",
        both(code(names.openai), code(names.openai_chat)), file_keys(names), cell(option.help)})
    line += text.empty() ? " |" : " " + text + " |";
  return line + "\n";
}

template <class T>
std::string table(const char* title, std::span<const Option<T>> rows, const T& defaults,
                  const T& of_program, const std::string& prefix = "") {
  std::string text = "\n## "s + title +
                     "\n\n| option | type | range | default | flag | C JSON | OpenAI | file keys | "
                     "what it does |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const Option<T>& option : rows) text += row(option, defaults, of_program, prefix);
  return text;
}

template <class T>
std::string others(std::span<const Option<T>> rows) {
  std::string text;
  for (const Option<T>& option : rows)
    if (option.names.llama_server || option.names.ollama)
      text += "| " + code(std::string(option.name)) + " | " + code(option.names.llama_server) +
              " | " + code(option.names.ollama) + " |\n";
  return text;
}

}  // namespace

std::string options_document(const Schema& schema) {
  const GenerateOptions api, program = program_defaults();
  std::string text = kHead;
  text += table("Requests", schema.generate, api, program);
  text += table("Sampling", schema.sampling, api.sampling, program.sampling);
  text += table("Reasoning", schema.reasoning, api.reasoning, program.reasoning, "reasoning.");
  text += table("Grammars", schema.grammar, api.grammar, program.grammar, "grammar.");
  text += table("Loading", schema.load, LoadOptions(), LoadOptions());
  text += table("Embeddings", schema.embed, EmbedOptions(), EmbedOptions());
  text +=
      "\n## Names elsewhere\n\nWhat llama-server calls an option in the body of `/completion`, and "
      "Ollama in `options`.\n\n| option | llama-server | Ollama |\n|---|---|---|\n";
  return text + others(schema.generate) + others(schema.sampling) + others(schema.load);
}

}  // namespace quern::options
