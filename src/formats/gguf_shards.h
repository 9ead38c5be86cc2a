// Names of the files of a sharded model: <model>-00001-of-00003.gguf, ...
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace quern {

struct ShardName {
  std::string stem;  // "folder/model"
  int number;        // counts from 1
  int count;
};

std::optional<ShardName> parse_shard_name(std::string_view path);
std::string shard_path(const std::string& stem, int number, int count);

}  // namespace quern
