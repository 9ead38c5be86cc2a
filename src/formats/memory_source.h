// A model that lives in memory: for random weights of a real shape (quern bench --shape) and for
// tests.
#pragma once
#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "formats/weight_source.h"

namespace quern {

// Fill it first: add() must not run beside readers. Names are unique (CHECK).
class MemorySource final : public WeightSource {
 public:
  MemorySource(std::string name, std::string architecture)
      : path_(std::move(name)), architecture_(std::move(architecture)) {}

  Metadata& metadata() { return metadata_; }
  // bytes: the tensor in its format, exactly matrix_bytes(...) of them (CHECK).
  void add(std::string name, Dtype dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes);

  const std::string& path() const override { return path_; }
  std::string_view format() const override { return "memory"; }
  const std::string& architecture() const override { return architecture_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const Weight> weights() const override { return weights_; }
  int64_t file_bytes() const override { return bytes_; }

 private:
  std::string path_, architecture_;
  Metadata metadata_;
  std::vector<Weight> weights_;               // sorted by name
  std::deque<std::vector<std::byte>> owned_;  // never moves what it holds
  int64_t bytes_ = 0;
};

}  // namespace quern
