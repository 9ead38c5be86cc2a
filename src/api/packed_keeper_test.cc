// Packed weights across loads of the public API: kept after the first answer, then mapped.
#include "api/packed_keeper.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "api/user_cache.h"
#include "quern/model.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

class KeepsPacked : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv(kVariable)) saved_ = value;
    ::setenv(kVariable, folder_.c_str(), 1);
  }
  void TearDown() override {
    saved_ ? ::setenv(kVariable, saved_->c_str(), 1) : ::unsetenv(kVariable);
  }

  Model loaded(PackedUse use) {
    auto model = Model::load(
        QUERN_SOURCE_DIR "/tests/data/tiny/llama_gqa3_tied.gguf",
        {.packed_cache = use, .note = [this](const std::string& text) { notes_.push_back(text); }});
    EXPECT_TRUE(model) << to_string(model.error());
    return *model;
  }
  static std::vector<int32_t> answer(const Model& model) {
    GenerateOptions options;
    options.max_tokens = 8;
    options.sampling.temperature = 0;
    options.ignore_eos = true;
    const std::vector<int32_t> prompt{1, 2, 3};
    const auto generation = model.generate(prompt, options);
    EXPECT_TRUE(generation) << to_string(generation.error());
    return generation ? generation->ids : std::vector<int32_t>();
  }
  size_t n_kept() const { return PackedCache(folder_.string()).list().size(); }

  static constexpr const char* kVariable = "QUERN_PACKED_CACHE";
  TemporaryFolder temporary_{"packed_keeper"};
  const fs::path folder_ = temporary_.path() / "packed";
  std::optional<std::string> saved_;
  std::vector<std::string> notes_;
};

TEST_F(KeepsPacked, AfterTheFirstAnswer) {
  const auto first = answer(loaded(PackedUse::on));  // the model is gone: all is written
  ASSERT_EQ(n_kept(), 1u);
  const CachedFile file = PackedCache(folder_.string()).list()[0];
  EXPECT_TRUE(file.source.ends_with("tests/data/tiny/llama_gqa3_tied.gguf"));
  EXPECT_TRUE(PackedFile::open(file.path)->check_data());
  EXPECT_EQ(answer(loaded(PackedUse::on)), first);
  EXPECT_EQ(answer(loaded(PackedUse::off)), first);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(KeepsPacked, NotWhereNothingWasAsked) {
  loaded(PackedUse::on);
  EXPECT_EQ(n_kept(), 0u);
  answer(loaded(PackedUse::off));
  EXPECT_EQ(n_kept(), 0u);
}

TEST_F(KeepsPacked, AScoreCountsAsAnAnswer) {
  const std::vector<int32_t> tokens{1, 2, 3};
  EXPECT_TRUE(
      loaded(PackedUse::on).score(tokens, 0, [](int64_t, std::span<const float>) { return true; }));
  EXPECT_EQ(n_kept(), 1u);
}

TEST_F(KeepsPacked, WhereItCannotWriteItSaysSoAndGoesOn) {
  std::ofstream(folder_) << "a file in the folder's place";
  const auto first = answer(loaded(PackedUse::off));
  EXPECT_EQ(answer(loaded(PackedUse::on)), first);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("not kept"), std::string::npos);
  EXPECT_EQ(answer(loaded(PackedUse::automatic)), first);
  EXPECT_EQ(notes_.size(), 1u);
}

TEST_F(KeepsPacked, ADamagedFileIsSaidOnceAndMadeAgain) {
  const auto first = answer(loaded(PackedUse::on));
  const std::string path = PackedCache(folder_.string()).list()[0].path;
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_EQ(answer(loaded(PackedUse::on)), first);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("packed anew"), std::string::npos);
  EXPECT_EQ(answer(loaded(PackedUse::on)), first);
  EXPECT_EQ(notes_.size(), 1u);
}

TEST_F(KeepsPacked, TheFolderIsTheUsersOrNamed) {
  EXPECT_EQ(packed_cache_folder(), folder_.string());
  ::setenv(kVariable, "", 1);
  EXPECT_EQ(packed_cache_folder(), "");
  ::unsetenv(kVariable);
  EXPECT_EQ(packed_cache_folder(), (fs::path(user_cache_folder()) / "packed").string());
}

}  // namespace
}  // namespace quern
