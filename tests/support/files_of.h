// A model in memory that claims to come from files of given identities.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/weight_source.h"

namespace quern::testing {

class FilesOf final : public WeightSource {
 public:
  FilesOf(std::shared_ptr<const WeightSource> inner, std::vector<FileIdentity> files)
      : inner_(std::move(inner)), files_(std::move(files)) {}

  const std::string& path() const override { return inner_->path(); }
  std::string_view format() const override { return inner_->format(); }
  const std::string& architecture() const override { return inner_->architecture(); }
  const Metadata& metadata() const override { return inner_->metadata(); }
  std::span<const Weight> weights() const override { return inner_->weights(); }
  int64_t file_bytes() const override { return inner_->file_bytes(); }
  std::vector<FileIdentity> files() const override { return files_; }

 private:
  std::shared_ptr<const WeightSource> inner_;
  std::vector<FileIdentity> files_;
};

}  // namespace quern::testing
