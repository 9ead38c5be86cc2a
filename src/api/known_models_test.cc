#include "api/known_models.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

// A home and a cache folder of the test's own; the process's environment comes back afterwards.
class KnownModels : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* key : {"HOME", "XDG_CACHE_HOME"}) {
      const char* value = std::getenv(key);
      saved_.emplace_back(key, value ? std::optional<std::string>(value) : std::nullopt);
    }
    ::setenv("HOME", root_.c_str(), 1);
    ::unsetenv("XDG_CACHE_HOME");
  }
  void TearDown() override {
    for (const auto& [key, value] : saved_)
      value ? ::setenv(key, value->c_str(), 1) : ::unsetenv(key);
  }
  std::string touch(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "x";
    return path.string();
  }

  TemporaryFolder temporary_{"known_models"};
  const fs::path& root_ = temporary_.path();
  std::vector<std::pair<const char*, std::optional<std::string>>> saved_;
};

constexpr const char* kFile = "quern/models/smollm2-135m-instruct-q4_1.gguf";

TEST_F(KnownModels, LieInTheCacheOfTheUser) {
  EXPECT_EQ(default_model_path(), (root_ / ".cache" / kFile).string());
  ::setenv("XDG_CACHE_HOME", (root_ / "xdg").c_str(), 1);
  EXPECT_EQ(default_model_path(), (root_ / "xdg" / kFile).string());
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(default_model_path(), (root_ / ".cache" / kFile).string());
}

TEST_F(KnownModels, AMissingOneSaysHowToGetIt) {
  for (const char* name : {"", "smollm2"}) {
    const auto path = resolve_model(name);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::not_found);
    EXPECT_EQ(path.error().where, default_model_path());
    EXPECT_NE(path.error().fix.find("./dev setup"), std::string::npos);
  }
}

TEST_F(KnownModels, NamesPathsAndNothing) {
  const std::string model = touch(root_ / ".cache" / kFile);
  EXPECT_EQ(*resolve_model(""), model);
  EXPECT_EQ(*resolve_model("smollm2"), model);
  const std::string other = touch(root_ / "other.gguf");
  EXPECT_EQ(*resolve_model(other), other);
  EXPECT_EQ(*resolve_model(root_.string()), root_.string());
  const auto missing = resolve_model("smollm3");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_NE(to_string(missing.error()).find("known models: smollm2"), std::string::npos);
}

TEST_F(KnownModels, AreListed) {
  ASSERT_FALSE(known_model_names().empty());
  EXPECT_EQ(known_model_names()[0], "smollm2");
  EXPECT_TRUE(is_known_model("smollm2"));
  EXPECT_FALSE(is_known_model("smollm2.gguf"));
  EXPECT_FALSE(is_known_model(""));
}

}  // namespace
}  // namespace quern
