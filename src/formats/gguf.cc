#include "formats/gguf.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/mapped_file.h"
#include "base/utf8.h"
#include "formats/gguf_shards.h"

namespace quern {
namespace {

constexpr const char* kWholeSet = "put all files of the model side by side, from one download";

class GgufSource : public WeightSource {
 public:
  GgufSource(std::string path, GgufFile file, std::vector<MappedFile> maps, int64_t file_bytes)
      : path_(std::move(path)),
        file_(std::move(file)),
        maps_(std::move(maps)),
        file_bytes_(file_bytes),
        format_("GGUF v" + std::to_string(file_.version)),
        architecture_(file_.metadata.text("general.architecture").value_or("")) {
    if (maps_.size() > 1) format_ += ", " + std::to_string(maps_.size()) + " files";
  }

  const std::string& path() const override { return path_; }
  std::string_view format() const override { return format_; }
  const std::string& architecture() const override { return architecture_; }
  const Metadata& metadata() const override { return file_.metadata; }
  std::span<const Weight> weights() const override { return file_.weights; }
  int64_t file_bytes() const override { return file_bytes_; }
  std::vector<FileIdentity> files() const override {
    std::vector<FileIdentity> all;
    for (const MappedFile& map : maps_) all.push_back(map.identity());
    return all;
  }
  void give_back(std::span<const std::byte> data) const override {
    for (const MappedFile& map : maps_)
      if (std::less_equal{}(map.bytes().data(), data.data()) &&
          std::less{}(data.data(), map.bytes().data() + map.bytes().size()))
        map.give_back(data);
  }

 private:
  std::string path_;
  GgufFile file_;
  std::vector<MappedFile> maps_;
  int64_t file_bytes_;
  std::string format_, architecture_;
};

int64_t shard_count(const GgufFile& file) {
  return file.metadata.integer("split.count").value_or(0);
}

Error contradiction(const std::string& path, std::string what) {
  return {Code::corrupt, std::move(what), path, kWholeSet};
}

// The file that is opened must be the first of its set, by its name and by its keys.
Result<ShardName> check_first(const std::string& path, const GgufFile& file) {
  const int64_t count = shard_count(file);
  const auto name = parse_shard_name(path);
  if (!name)
    return contradiction(path, "one of " + std::to_string(count) +
                                   " files of a model, but not named <model>-00001-of-0000N.gguf");
  if (name->count != count)
    return contradiction(path, "the name says " + std::to_string(name->count) +
                                   " files, split.count says " + std::to_string(count));
  if (name->number != 1)
    return Error{
        Code::invalid_argument,
        "file " + std::to_string(name->number) + " of " + std::to_string(count) + " of a model",
        path, "open " + shard_path(name->stem, 1, name->count)};
  std::error_code ignored;
  const std::string beyond = shard_path(name->stem, name->count + 1, name->count);
  if (std::filesystem::exists(beyond, ignored))
    return contradiction(beyond, "a file beyond the last of " + std::to_string(count));
  return *name;
}

// A later shard must be of the same model, with the number in its name.
Result<Ok> check_shard(const std::string& path, const GgufFile& shard, const GgufFile& first,
                       int number) {
  if (shard_count(shard) != shard_count(first))
    return contradiction(path, "split.count is " + std::to_string(shard_count(shard)) +
                                   ", in the first file " + std::to_string(shard_count(first)));
  const int64_t index = shard.metadata.integer("split.no").value_or(-1);
  if (index != number - 1)
    return contradiction(
        path, "split.no is " + std::to_string(index) + " instead of " + std::to_string(number - 1));
  const auto architecture = shard.metadata.text("general.architecture");
  if (architecture && architecture != first.metadata.text("general.architecture"))
    return contradiction(path,
                         "architecture " + printable(*architecture) + " is not the first file's");
  return Ok{};
}

Result<Ok> merge(const std::string& path, GgufFile shard, GgufFile& into) {
  std::vector<Weight> all;
  all.reserve(into.weights.size() + shard.weights.size());
  std::merge(
      std::make_move_iterator(into.weights.begin()), std::make_move_iterator(into.weights.end()),
      std::make_move_iterator(shard.weights.begin()), std::make_move_iterator(shard.weights.end()),
      std::back_inserter(all), [](const Weight& a, const Weight& b) { return a.name < b.name; });
  into.weights = std::move(all);
  const auto twin =
      std::adjacent_find(into.weights.begin(), into.weights.end(),
                         [](const Weight& a, const Weight& b) { return a.name == b.name; });
  if (twin != into.weights.end())
    return contradiction(path, "tensor " + printable(twin->name) + " is in another file as well");
  return Ok{};
}

Result<Ok> open_rest(const ShardName& name, GgufFile& model, std::vector<MappedFile>& maps) {
  for (int number = 2; number <= name.count; ++number) {
    const std::string path = shard_path(name.stem, number, name.count);
    auto map = MappedFile::open(path);
    if (!map && map.error().code == Code::not_found)
      return Error{Code::not_found,
                   "file " + std::to_string(number) + " of " + std::to_string(name.count) +
                       " of the model is missing",
                   path, kWholeSet};
    if (!map) return map.error();
    TRY(GgufFile shard, parse_gguf(map->bytes(), path));
    TRY_OK(check_shard(path, shard, model, number));
    TRY_OK(merge(path, std::move(shard), model));
    maps.push_back(std::move(*map));
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<WeightSource>> read_gguf(std::span<const std::byte> bytes,
                                                const std::string& name) {
  TRY(GgufFile file, parse_gguf(bytes, name));
  if (shard_count(file) > 1)
    return Error{Code::unsupported,
                 "one of " + std::to_string(shard_count(file)) + " files of a model", name,
                 "open the model by the path of its first file"};
  return std::unique_ptr<WeightSource>(std::make_unique<GgufSource>(
      name, std::move(file), std::vector<MappedFile>{}, static_cast<int64_t>(bytes.size())));
}

Result<std::unique_ptr<WeightSource>> open_gguf(const std::string& path) {
  std::vector<MappedFile> maps;
  {
    TRY(MappedFile map, MappedFile::open(path));
    maps.push_back(std::move(map));
  }
  TRY(GgufFile file, parse_gguf(maps[0].bytes(), path));
  if (shard_count(file) > 1) {
    TRY(const ShardName name, check_first(path, file));
    TRY_OK(open_rest(name, file, maps));
  }
  const auto stated = file.metadata.integer("split.tensors.count");
  if (stated && *stated != static_cast<int64_t>(file.weights.size()))
    return contradiction(path, "split.tensors.count is " + std::to_string(*stated) +
                                   ", the files hold " + std::to_string(file.weights.size()));
  int64_t file_bytes = 0;
  for (const MappedFile& map : maps) file_bytes += static_cast<int64_t>(map.bytes().size());
  return std::unique_ptr<WeightSource>(
      std::make_unique<GgufSource>(path, std::move(file), std::move(maps), file_bytes));
}

}  // namespace quern
