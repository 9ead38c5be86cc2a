// Cached prompts in files: sessions by name, and the folder that survives a restart.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "quern/model.h"
#include "support/small_files.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

class Sessions : public ::testing::Test {
 protected:
  Sessions() {
    fs::copy_file(fs::path(QUERN_SOURCE_DIR) / "tests/data/tiny/llama_gqa3_tied.gguf", path_);
    // A file that has just been written might change again without a new time.
    const auto old = fs::last_write_time(path_) - std::chrono::hours(1);
    fs::last_write_time(path_, old);
    std::this_thread::sleep_for(std::chrono::milliseconds(2100));  // nor is the change of its times
    for (int32_t i = 0; i < 150; ++i) prompt_.push_back(i * 7 % 61 + 3);
  }
  Model load(Numerics numerics = Numerics::automatic, const std::string& folder = "") {
    auto model = Model::load(path_.string(), {.threads = 1,
                                              .numerics = numerics,
                                              .deterministic = true,
                                              .prefix_folder = folder,
                                              .packed_cache = PackedUse::off});
    EXPECT_TRUE(model) << to_string(model.error());
    return *model;
  }
  Generation ask(const Model& model) {
    return *model.generate(prompt_,
                           {.max_tokens = 5, .sampling = {.temperature = 0}, .ignore_eos = true});
  }

  TemporaryFolder temporary_{"sessions"};
  const fs::path path_ = temporary_.path() / "model.gguf";
  const std::string file_ = (temporary_.path() / "talk.session").string();
  std::vector<int32_t> prompt_;
};

TEST_F(Sessions, ASessionIsThereAgainInAnotherProgram) {
  const Generation cold = ask(load());
  {
    const Model model = load();
    ask(model);
    EXPECT_EQ(*model.save_session(file_, prompt_), 150);
  }
  const Model model = load();
  const auto tokens = model.load_session(file_);
  ASSERT_TRUE(tokens) << to_string(tokens.error());
  EXPECT_TRUE(std::equal(tokens->begin(), tokens->end(), prompt_.begin()));
  const Generation warm = ask(model);
  EXPECT_EQ(warm.ids, cold.ids);
  EXPECT_GE(warm.timings.cached_n, 149);
}

TEST_F(Sessions, OtherNumericsDamageAndAFullDiskAreErrorsAndHurtNothing) {
  const Model model = load();
  const Generation cold = ask(model);
  ASSERT_TRUE(model.save_session(file_, prompt_));
  EXPECT_EQ(load(Numerics::exact).load_session(file_).error().code, Code::unsupported);
  EXPECT_EQ(model.load_session(file_ + "x").error().code, Code::not_found);
  EXPECT_EQ(model.save_session(temporary_.path() / "no" / "folder", prompt_).error().code,
            Code::unavailable);
  {
    const SmallFiles limit(10'000);
    const auto refused = model.save_session(file_, prompt_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_NE(refused.error().what.find("File too large"), std::string::npos);
    EXPECT_EQ(refused.error().where, file_);
  }
  EXPECT_TRUE(model.load_session(file_));  // the older one is still whole
  fs::resize_file(file_, fs::file_size(file_) / 2);
  EXPECT_EQ(model.load_session(file_).error().code, Code::corrupt);
  EXPECT_EQ(ask(model).ids, cold.ids);
}

TEST_F(Sessions, AFolderKeepsPromptsOverARestart) {
  const std::string folder = (temporary_.path() / "prompts").string();
  const Generation cold = ask(load(Numerics::automatic, folder));
  EXPECT_EQ(cold.timings.cached_n, 0);
  EXPECT_FALSE(fs::is_empty(folder));
  const Generation warm = ask(load(Numerics::automatic, folder));
  EXPECT_EQ(warm.ids, cold.ids);
  EXPECT_EQ(warm.timings.cached_n, 128);  // whole pages
  for (const auto& entry : fs::directory_iterator(folder)) fs::resize_file(entry.path(), 100);
  const Generation again = ask(load(Numerics::automatic, folder));
  EXPECT_EQ(again.ids, cold.ids);
  EXPECT_EQ(again.timings.cached_n, 0);
}

}  // namespace
}  // namespace quern
