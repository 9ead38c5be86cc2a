// The graph of every model in tests/data/tiny, and what the compiler makes of some, is read back
// from its text.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "compile/compile.h"
#include "formats/weight_source.h"
#include "models/family.h"
#include "support/same_graph.h"

namespace quern {
namespace {

using testing::parsed;
using testing::same;

void expect_read_back(const Graph& graph) {
  const std::string text = print(graph);
  const Graph back = parsed(text);
  EXPECT_EQ(print(back), text);
  EXPECT_TRUE(same(graph, back));
}

TEST(GraphText, IsReadBackForEveryModel) {
  int n_models = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(QUERN_SOURCE_DIR "/tests/data/tiny")) {
    if (entry.path().extension() != ".gguf") continue;
    SCOPED_TRACE(entry.path().filename());
    const auto source = open_model(entry.path().string());
    ASSERT_TRUE(source) << to_string(source.error());
    const auto config = read_config(**source);
    ASSERT_TRUE(config) << to_string(config.error());
    const auto graph = build_graph(**source, *config);
    ASSERT_TRUE(graph) << to_string(graph.error());
    expect_read_back(*graph);
    ++n_models;
  }
  EXPECT_GT(n_models, 30);
}

TEST(GraphText, IsReadBackAfterEveryStep) {
  for (const std::string name : {"llama_bias", "llama_rope3", "mistral_window", "bitnet_25_i2_s"}) {
    SCOPED_TRACE(name);
    auto source = open_model(QUERN_SOURCE_DIR "/tests/data/tiny/" + name + ".gguf");
    ASSERT_TRUE(source) << to_string(source.error());
    std::map<std::string, std::string> texts;
    CompileOptions options = {.threads = 1, .max_rows = 4, .cache_tokens = 64, .dump = "all"};
    options.dump_out = [&](std::string_view step, std::string_view text) {
      texts[std::string(step)] = text;
    };
    const auto executor = compile(std::move(*source), options);
    ASSERT_TRUE(executor) << to_string(executor.error());
    for (const std::string step : {"bind", "fuse", "choose"}) {
      SCOPED_TRACE(step);
      EXPECT_EQ(print(parsed(texts.at(step))), texts.at(step));
    }
  }
}

}  // namespace
}  // namespace quern
