// open_model: chooses the reader by the content at the path.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/mapped_file.h"
#include "formats/companion.h"
#include "formats/gguf.h"
#include "formats/gguf_shards.h"
#include "formats/weight_source.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGgufOnly = "use a .gguf file of the model";

// Files often mistaken for GGUF, by their first bytes.
struct Lookalike {
  std::string_view first_bytes;
  size_t at;
  Code code;
  const char* what;
  const char* fix;
};
constexpr Lookalike kLookalikes[] = {
    {"version https://git-lfs", 0, Code::corrupt, "a Git LFS pointer, not the file itself",
     "fetch the file itself: git lfs pull"},
    {"<!DOCTYPE", 0, Code::corrupt, "a web page, not a model", "download the file itself"},
    {"<html", 0, Code::corrupt, "a web page, not a model", "download the file itself"},
    {"PK\x03\x04", 0, Code::unsupported, "a zip archive or PyTorch checkpoint", kGgufOnly},
    {"{\"", 8, Code::unsupported, "a safetensors file, which this version does not read yet",
     kGgufOnly},
    {"lmgg", 0, Code::unsupported, "a ggml file from before GGUF", kGgufOnly},
    {"fmgg", 0, Code::unsupported, "a ggml file from before GGUF", kGgufOnly},
    {"tjgg", 0, Code::unsupported, "a ggml file from before GGUF", kGgufOnly},
};

Result<Ok> check_lookalikes(const MappedFile& file) {
  const std::string_view head(reinterpret_cast<const char*>(file.bytes().data()),
                              std::min<size_t>(file.bytes().size(), 64));
  for (const Lookalike& like : kLookalikes)
    if (head.size() >= like.at && head.substr(like.at).starts_with(like.first_bytes))
      return Error{like.code, like.what, file.path(), like.fix};
  return Ok{};
}

struct Folder {
  std::vector<std::string> ggufs;  // paths of whole models and first shards, sorted
  std::string later_shard;         // a file of a sharded model that is not its first; empty: none
  bool safetensors = false, mlc = false;
};

Result<Folder> scan(const std::string& path) {
  Folder found;
  bool config = false;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string file = at->path().filename().string();
    const auto shard = parse_shard_name(file);
    if (file.ends_with(".gguf") && (!shard || shard->number == 1))
      found.ggufs.push_back(at->path().string());
    if (shard && shard->number > 1) found.later_shard = at->path().string();
    config |= file == "config.json";
    found.safetensors |= file.ends_with(".safetensors");
    found.mlc |= file == "mlc-chat-config.json" || file == "ndarray-cache.json";
  }
  if (error)
    return Error{Code::unavailable, "cannot read the folder: " + error.message(), path, ""};
  found.safetensors |= config && !found.mlc;
  std::sort(found.ggufs.begin(), found.ggufs.end());
  return found;
}

std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

// The one file of several that is a model. A file that cannot be read counts as one: the error then
// names it.
Result<std::unique_ptr<WeightSource>> pick_model(const std::string& folder,
                                                 const std::vector<std::string>& files,
                                                 const OpenNote& note) {
  std::vector<std::string> models, others;
  for (const std::string& file : files) {
    const auto source = open_gguf(file);
    const Companion* other = source ? find_companion((*source)->metadata()) : nullptr;
    if (other)
      others.push_back(file_name(file) + " is " + other->what);
    else
      models.push_back(file);
  }
  std::string list;
  for (const std::string& file : models) list += (list.empty() ? "" : ", ") + file_name(file);
  for (const std::string& other : others)
    if (models.empty()) list += (list.empty() ? "" : "; ") + other;
  if (models.empty())
    return Error{Code::not_found, "no model in this folder: " + list, folder,
                 "give the path of a model's .gguf file"};
  if (models.size() > 1)
    return Error{Code::invalid_argument,
                 "the folder holds " + std::to_string(models.size()) + " models: " + list, folder,
                 "give the path of one of them"};
  for (const std::string& other : others)
    if (note) note("not used: " + other);
  return open_gguf(models[0]);
}

Result<std::unique_ptr<WeightSource>> open_folder(const std::string& path, const OpenNote& note) {
  TRY(const Folder found, scan(path));
  if (found.ggufs.size() == 1) return open_gguf(found.ggufs[0]);
  if (found.ggufs.size() > 1) return pick_model(path, found.ggufs, note);
  if (!found.later_shard.empty()) {
    const auto shard = parse_shard_name(found.later_shard);
    return Error{Code::not_found, "the first file of a sharded model is missing",
                 shard_path(shard->stem, 1, shard->count), "put all its files side by side"};
  }
  if (found.mlc)
    return Error{Code::unsupported, "an MLC model folder, which this version does not read yet",
                 path, kGgufOnly};
  if (found.safetensors)
    return Error{Code::unsupported,
                 "a Hugging Face model folder, which this version does not read yet", path,
                 kGgufOnly};
  return Error{Code::not_found, "no model in this folder", path, "give the path of a .gguf file"};
}

}  // namespace

Result<std::unique_ptr<WeightSource>> open_model(const std::string& path, const OpenNote& note) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return open_folder(path, note);
  {
    TRY(const MappedFile file, MappedFile::open(path));
    TRY_OK(check_lookalikes(file));
  }
  return open_gguf(path);
}

}  // namespace quern
