#include "api/known_models.h"

#include <algorithm>
#include <filesystem>

#include "api/user_cache.h"
#include "base/same_name.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

struct KnownModel {
  std::string_view name, file;
};

// Files as tools/fetch_model.py names them.
constexpr KnownModel kKnownModels[] = {
    {"smollm2", "smollm2-135m-instruct-q4_1.gguf"},
};

const KnownModel* find(std::string_view name) {
  const auto at =
      std::find_if(std::begin(kKnownModels), std::end(kKnownModels),
                   [&](const KnownModel& known) { return same_name(known.name, name); });
  return at == std::end(kKnownModels) ? nullptr : at;
}

std::string path_of(const KnownModel& known) {
  return (fs::path(user_cache_folder()) / "models" / known.file).string();
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

std::vector<std::string_view> known_model_names() {
  std::vector<std::string_view> names;
  for (const KnownModel& known : kKnownModels) names.push_back(known.name);
  return names;
}

bool is_known_model(std::string_view name) { return find(name) != nullptr; }

std::string default_model_path() { return path_of(kKnownModels[0]); }

Result<std::string> resolve_model(const std::string& model) {
  if (const KnownModel* known = model.empty() ? &kKnownModels[0] : find(model)) {
    const std::string path = path_of(*known);
    if (exists(path)) return path;
    return Error{Code::not_found,
                 "the " + std::string(model.empty() ? "default model" : "model") + " " +
                     std::string(known->name) + " is not on this machine",
                 path, "./dev setup fetches it"};
  }
  if (exists(model)) return model;
  std::string names;
  for (const std::string_view name : known_model_names())
    names += (names.empty() ? "" : ", ") + std::string(name);
  return Error{Code::not_found, "there is no file, folder or known model of this name", model,
               "known models: " + names};
}

}  // namespace quern
