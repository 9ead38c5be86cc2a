#include "api/generation_defaults.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "engine/sample/check_options.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Options = SamplingOptions;

struct Row {
  const char* gguf;  // behind "general.sampling."; null: no such key
  const char* json;
  bool whole;
  void (*set)(Options&, double);
};

template <auto kField>
void set_field(Options& o, double value) {
  o.*kField = static_cast<std::remove_reference_t<decltype(o.*kField)>>(value);
}

// transformers and vLLM write -1 where they mean all tokens.
void set_top_k(Options& o, double k) { o.top_k = k == -1 ? 0 : static_cast<int>(k); }

constexpr Row kRows[] = {
    {"temp", "temperature", false, set_field<&Options::temperature>},
    {"top_k", "top_k", true, set_top_k},
    {"top_p", "top_p", false, set_field<&Options::top_p>},
    {"min_p", "min_p", false, set_field<&Options::min_p>},
    {nullptr, "typical_p", false, set_field<&Options::typical_p>},
    {"penalty_repeat", "repetition_penalty", false, set_field<&Options::repeat_penalty>},
    {"penalty_last_n", nullptr, true, set_field<&Options::penalty_window>},
    {"xtc_probability", nullptr, false, set_field<&Options::xtc_probability>},
    {"xtc_threshold", nullptr, false, set_field<&Options::xtc_threshold>},
    {"mirostat", nullptr, true, set_field<&Options::mirostat>},
    {"mirostat_tau", nullptr, false, set_field<&Options::mirostat_tau>},
    {"mirostat_eta", nullptr, false, set_field<&Options::mirostat_eta>},
};

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 20;  // such files have some hundred

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

// Why it cannot be; empty: it can.
std::string objection(const Row& row, double value) {
  constexpr double kMostWhole = INT32_MAX;
  if (row.whole && (value != std::floor(value) || std::abs(value) > kMostWhole))
    return "is " + number(value) + ", must be an integer";
  if (!(std::abs(value) < 1e30)) return "is " + number(value);  // would not fit a float
  Options options;
  row.set(options, value);
  const auto outcome = check_options(options);
  return outcome ? "" : outcome.error().what;
}

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> list;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(';', begin), names.size());
    list.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

}  // namespace

struct GenerationDefaults::Reader {
  GenerationDefaults& defaults;
  std::vector<std::string>& notes;
  std::string file;

  void pass_over(const std::string& what, const std::string& why) {
    notes.push_back(file + ": " + what + " is passed over: " + why);
  }

  void take(const Row& row, const std::string& key, double value) {
    if (const std::string why = objection(row, value); !why.empty()) return pass_over(key, why);
    defaults.values_.emplace_back(row.set, value);
  }

  void read_metadata(const Metadata& metadata) {
    const std::string prefix = "general.sampling.";
    for (const Row& row : kRows) {
      if (!row.gguf) continue;
      const std::string key = prefix + row.gguf;
      if (const auto value = metadata.number(key)) take(row, key, *value);
    }
    const auto sequence = metadata.text(prefix + "sequence");
    if (!sequence) return;
    Options options;
    options.samplers = split(*sequence);
    if (const auto outcome = check_options(options); !outcome)
      return pass_over(prefix + "sequence", outcome.error().what);
    defaults.samplers_ = options.samplers;
  }

  void read_json(const Json& config) {
    for (const Row& row : kRows) {
      if (!row.json) continue;
      const auto at = config.find(row.json);
      if (at == config.end() || at->is_null()) continue;
      at->is_number() ? take(row, row.json, at->get<double>())
                      : pass_over(row.json, "is no number");
    }
    if (const auto at = config.find("do_sample"); at != config.end() && at->is_boolean()) {
      if (!at->get<bool>()) defaults.values_.emplace_back(set_field<&Options::temperature>, 0.0);
    }
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
                                            std::vector<std::string>& notes) {
  GenerationDefaults defaults;
  const fs::path path = model_path;
  Reader reader{defaults, notes, path.filename().string()};
  reader.read_metadata(file);
  reader.read_file(path.parent_path() / "generation_config.json");
  return defaults;
}

SamplingOptions GenerationDefaults::over(SamplingOptions base) const {
  for (const auto& [set, value] : values_) set(base, value);
  if (!samplers_.empty()) base.samplers = samplers_;
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
