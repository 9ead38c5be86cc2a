#include "api/load_text.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/message_json.h"
#include "api/user_cache.h"
#include "api/vocabulary_from_gguf.h"
#include "base/mapped_file.h"
#include "base/utf8.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

// Tokenizers of large vocabularies take some 30 MB; beyond this it is something else.
constexpr size_t kMostBytes = size_t{512} << 20;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

Result<std::string> read_text_file(const fs::path& path) {
  TRY(const MappedFile file, MappedFile::open(path.string()));
  if (file.bytes().size() > kMostBytes)
    return Error{Code::corrupt, "larger than any tokenizer", path.string(), ""};
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  return std::string(without_mark(text));
}

Error no_template(const std::string& path) {
  return {Code::unsupported, "the model has no chat template", path,
          "it may be a base model: give the prompt as raw text"};
}

// tokenizer_config.json: a special token is a string, or an object with its text as "content".
std::string token_text(const Json& config, const char* key) {
  const auto at = config.find(key);
  if (at == config.end()) return "";
  if (at->is_string()) return at->get<std::string>();
  if (at->is_object() && at->contains("content") && (*at)["content"].is_string())
    return (*at)["content"].get<std::string>();
  return "";
}

// A string, or a list of {"name", "template"}: the one named "default" is the conversation's.
std::optional<std::string> template_text(const Json& config) {
  const auto at = config.find("chat_template");
  if (at == config.end()) return std::nullopt;
  if (at->is_string()) return at->get<std::string>();
  if (!at->is_array()) return std::nullopt;
  for (const Json& entry : *at) {
    if (entry.is_object() && token_text(entry, "name") == "default" && entry.contains("template"))
      return token_text(entry, "template");
  }
  return std::nullopt;
}

Result<ChatTemplate> template_of_folder(const fs::path& folder) {
  Json config = Json::object();
  const fs::path config_path = folder / "tokenizer_config.json";
  if (is_file(config_path)) {
    TRY(const std::string text, read_text_file(config_path));
    config = Json::parse(text, nullptr, false);
    if (!config.is_object())
      return Error{Code::corrupt, "not a JSON object", config_path.string(), ""};
  }
  std::optional<std::string> source = template_text(config);
  const fs::path jinja = folder / "chat_template.jinja";
  if (is_file(jinja)) {  // the newer place goes first, as in transformers
    TRY(source, read_text_file(jinja));
  }
  if (!source) return no_template(folder.string());
  return ChatTemplate::parse(*source, token_text(config, "bos_token"),
                             token_text(config, "eos_token"), token_text(config, "unk_token"),
                             token_text(config, "pad_token"));
}

// Nothing where there is none that can be used; a file that cannot be gives a note.
std::optional<Tokenizer> find_kept(const std::string& folder, const std::string& key,
                                   std::vector<std::string>* notes) {
  auto found = TokenizerCache(folder).find(key);
  if (found) return std::move(*found);
  if (found.error().code != Code::not_found && notes)
    notes->push_back("the tokenizer is made anew: " + to_string(found.error()));
  return std::nullopt;
}

// Tried where a history with calls fails: DeepSeek's templates join the arguments to texts, and
// gpt-oss's refuses a message that says something and has thought.
constexpr TemplateForm kOtherForms[] = {{.arguments_as_text = true}, {.one_before_calls = true}};

bool has_calls(const Message& message) { return !message.tool_calls.empty(); }

Error with_place(Error error, const std::string& path) {
  if (error.where.empty()) error.where = path;
  return error;
}

}  // namespace

Result<Tokenizer> load_tokenizer(const std::string& path,
                                 const std::function<void(const std::string&)>& note) {
  const fs::path json = fs::path(path) / "tokenizer.json";
  if (is_file(json)) {
    TRY(const std::string text, read_text_file(json));
    auto tokenizer = Tokenizer::from_json(text);
    if (!tokenizer) return with_place(tokenizer.error(), json.string());
    return tokenizer;
  }
  TRY(const auto source, open_model(path));
  std::vector<std::string> notes;
  TRY(const Vocabulary vocabulary, read_vocabulary(*source, &notes));
  auto tokenizer = make_tokenizer(*source, vocabulary, &notes, packed_cache_folder());
  if (note) std::ranges::for_each(notes, note);
  return tokenizer;
}

Result<ChatTemplate> load_chat_template(const std::string& path) {
  const fs::path folder = path;
  if (is_file(folder / "tokenizer.json") || is_file(folder / "tokenizer_config.json"))
    return template_of_folder(folder);
  TRY(const auto source, open_model(path));
  TRY(const Vocabulary vocabulary, read_vocabulary(*source));
  return make_chat_template(*source, vocabulary);
}

Result<Tokenizer> make_tokenizer(const WeightSource& source, const Vocabulary& vocabulary,
                                 std::vector<std::string>* notes, const std::string& cache_folder,
                                 std::optional<TokenizerToKeep>* to_keep) {
  const auto key = cache_folder.empty() ? std::nullopt : tokenizer_key(source, vocabulary);
  auto tokenizer = key ? find_kept(cache_folder, *key, notes) : std::nullopt;
  if (!tokenizer) {
    auto made = Tokenizer::from_vocabulary(vocabulary);
    if (!made) return with_place(made.error(), source.path());
    tokenizer = std::move(*made);
    if (to_keep && key && !tokenizer->tables().empty())
      *to_keep = TokenizerToKeep{cache_folder, *key, source.path(), *tokenizer};
  }
  if (const size_t n = tokenizer->n_skipped_merges(); n > 0 && notes) {
    notes->push_back(fs::path(source.path()).filename().string() + ": " + std::to_string(n) +
                     (n == 1 ? " merge is" : " merges are") +
                     " passed over: a part or the result is no token");
  }
  return *std::move(tokenizer);
}

Result<ChatTemplate> make_chat_template(const WeightSource& source, const Vocabulary& v) {
  const auto text = source.metadata().text("tokenizer.chat_template");
  if (!text) return no_template(source.path());
  const auto token = [&](int32_t id) { return id < 0 ? std::string() : v.tokens[id]; };
  auto parsed =
      ChatTemplate::parse(*text, token(v.bos), token(v.eos), token(v.unknown), token(v.padding));
  if (!parsed) return with_place(parsed.error(), source.path());
  return parsed;
}

Result<std::vector<int32_t>> chat_ids(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                                      std::span<const Message> messages,
                                      const ChatOptions& options) {
  TRY(const std::string list, template_messages(messages));
  if (!options.template_kwargs.empty()) TRY_OK(check_template_kwargs(options.template_kwargs));
  RenderOptions given;
  given.tools_json = options.tools;
  given.kwargs_json = options.template_kwargs;
  auto rendered = chat_template.render(list, given);
  for (const TemplateForm& form : kOtherForms) {
    if (rendered || std::ranges::none_of(messages, has_calls)) break;
    TRY(const std::string other, template_messages(messages, form));
    if (auto again = chat_template.render(other, given)) rendered = std::move(again);
  }
  if (!rendered) return rendered.error();
  if (options.special) return tokenizer.encode(rendered->text, {.parse_special = true});
  return tokenizer.encode_mixed(rendered->text, rendered->typed, false);
}

}  // namespace quern
