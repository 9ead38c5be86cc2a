#include "api/generation_defaults.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "options/json.h"
#include "options/text.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using options::Option;

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 20;  // such files have some hundred

}  // namespace

struct GenerationDefaults::Reader {
  const options::Schema& schema;
  GenerationDefaults& defaults;
  std::vector<std::string>& notes;
  std::string file;

  void pass_over(const std::string& what, const std::string& why) {
    notes.push_back(file + ": " + what + " is passed over: " + why);
  }

  // key: what the file calls the option.
  void take(const Option<SamplingOptions>& option, const std::string& key, options::Json value) {
    if (option.names.file_minus_one && value == -1) value = 0;
    const options::At at{.name = option.name};
    const auto outcome =
        options::read_json(option, value, at, defaults.values_, options::Shape::openai);
    outcome ? defaults.given_.push_back(&option) : pass_over(key, outcome.error().what);
  }

  void read_metadata(const Metadata& metadata) {
    for (const Option<SamplingOptions>& option : schema.sampling) {
      if (!option.names.gguf) continue;
      const std::string key = std::string("general.sampling.") + option.names.gguf;
      if (const auto whole = metadata.integer(key)) {
        take(option, key, *whole);
      } else if (const auto number = metadata.number(key)) {
        take(option, key, *number);
      } else if (const auto text = metadata.text(key); text && !text->empty()) {
        std::vector<std::string> names = options::split_names(*text);
        if (names.back().empty()) names.pop_back();
        take(option, key, names);
      }
    }
  }

  void read_json(const Json& config) {
    for (const Option<SamplingOptions>& option : schema.sampling) {
      if (!option.names.generation_config) continue;
      const auto at = config.find(option.names.generation_config);
      if (at != config.end() && !at->is_null()) take(option, at.key(), options::Json(*at));
    }
    if (const auto at = config.find("do_sample"); at != config.end() && at->is_boolean())
      if (!at->get<bool>()) take(*options::find(schema.sampling, "temperature"), "do_sample", 0);
    if (const auto at = config.find("eos_token_id"); at != config.end() && !at->is_null())
      read_ends(*at);
  }

  void read_ends(const Json& ids) {
    constexpr size_t kMostEnds = 64;
    const Json list = ids.is_array() ? ids : Json::array({ids});
    const bool good =
        list.size() <= kMostEnds && std::all_of(list.begin(), list.end(), [](const Json& id) {
          return id.is_number_integer() && id >= 0 && id <= INT32_MAX;
        });
    if (!good) return pass_over("eos_token_id", "must be a token or a list of them");
    for (const Json& id : list) defaults.ends_.push_back(id.get<int32_t>());
  }

  void read_file(const fs::path& path) {
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) return;
    file = path.filename().string();
    if (fs::file_size(path, failed) > kMostBytes || failed)
      return pass_over("all of it", "more than 1 MiB");
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in) return pass_over("all of it", "it cannot be read");
    const Json config = Json::parse(without_mark(text), nullptr, false);
    if (!config.is_object()) return pass_over("all of it", "it is no JSON object");
    read_json(config);
  }
};

GenerationDefaults GenerationDefaults::read(const Metadata& file, const std::string& model_path,
                                            std::vector<std::string>& notes,
                                            const options::Schema& schema) {
  GenerationDefaults defaults;
  const fs::path path = model_path;
  Reader reader{schema, defaults, notes, path.filename().string()};
  reader.read_metadata(file);
  reader.read_file(path.parent_path() / "generation_config.json");
  return defaults;
}

SamplingOptions GenerationDefaults::over(SamplingOptions base) const {
  for (const auto* option : given_) options::copy(*option, values_, base);
  return base;
}

std::vector<int32_t> GenerationDefaults::end_ids(const Vocabulary& vocabulary) const {
  std::vector<int32_t> ids;
  for (const int32_t id : ends_) {
    if (static_cast<size_t>(id) >= vocabulary.tokens.size()) continue;
    if (!vocabulary.types.empty() && vocabulary.types[id] != TokenType::control) continue;
    ids.push_back(id);
  }
  return ids;
}

}  // namespace quern
