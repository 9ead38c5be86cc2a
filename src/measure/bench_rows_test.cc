#include "measure/bench_rows.h"

#include <gtest/gtest.h>

namespace quern::measure {
namespace {

const BenchSetup kSetup{.isa = "scalar", .numerics = "fast", .model = "a.gguf", .n_threads = 2};

Json row_of(SpeedTest test, std::vector<Sample> samples = {{10, {1, 1}}},
            Traffic traffic = {.bytes = 1, .operations = 1}) {
  return bench_row(kSetup, test, traffic, samples);
}

TEST(BenchRow, SharesAreMediansOfSharesAtTheirMoment) {
  // One run is 10 tokens and 4e9 bytes; the machine halves its bandwidth for the second run, which
  // is half as fast: the same share.
  const std::vector<Sample> samples{{10, {8, 100}}, {5, {4, 50}}, {20, {8, 400}}};
  const Json row = row_of({.n_gen = 10}, samples, {.bytes = 4e9, .operations = 40e9});
  EXPECT_DOUBLE_EQ(row["share_dram"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(row["share_int8"].get<double>(), 0.4);
  EXPECT_DOUBLE_EQ(row["gbps"].get<double>(), 4);
  EXPECT_DOUBLE_EQ(row["gops"].get<double>(), 40);
  EXPECT_DOUBLE_EQ(row["dram_gbps"].get<double>(), 8);
  EXPECT_DOUBLE_EQ(row["median_ts"].get<double>(), 10);
  EXPECT_DOUBLE_EQ(row["avg_ts"].get<double>(), 35.0 / 3);
  EXPECT_EQ(row["samples_ts"].size(), 3u);
}

TEST(BenchRow, TokensOfAllSequencesCount) {
  const Json row = row_of({.n_prompt = 8, .n_gen = 5, .n_seqs = 4}, {{40, {1, 1}}},
                          {.bytes = 1e9, .operations = 1e9});
  EXPECT_DOUBLE_EQ(row["gbps"].get<double>(), 2);  // two runs of 20 tokens a second
}

TEST(BenchRow, SaysWhatTheCacheCosts) {
  BenchSetup setup = kSetup;
  setup.page_tokens = 64;
  setup.cache = {{.name = "full", .n_pages = 5, .page_bytes = 640},
                 {.name = "window 8", .window = 8, .n_pages = 3, .page_bytes = 128}};
  const Json row = bench_row(setup, {.n_prompt = 8}, {}, {{40, {1, 1}}});
  EXPECT_EQ(row["cache"], Json::parse(R"([
      {"group": "full", "window": 0, "bytes_per_token": 10, "bytes": 3200},
      {"group": "window 8", "window": 8, "bytes_per_token": 2, "bytes": 384}])"));
}

TEST(BenchRow, IsNamed) {
  EXPECT_EQ(test_name(row_of({.n_prompt = 512})), "pp512");
  EXPECT_EQ(test_name(row_of({.n_gen = 128})), "tg128");
  EXPECT_EQ(test_name(row_of({.n_gen = 128, .n_depth = 4096})), "tg128 at 4096");
  EXPECT_EQ(test_name(row_of({128, 32, 8, 0})), "tg32 x 8 after pp128");
}

TEST(Compare, FindsTheSameTest) {
  Json rows = Json::array(
      {row_of({.n_gen = 8}), row_of({.n_gen = 8, .n_depth = 64}), row_of({.n_prompt = 8})});
  // As files of before sequences and depth were known have it.
  const Json earlier = Json::parse(
      R"([{"n_threads":2,"n_prompt":0,"n_gen":8,"avg_ts":4.0},
          {"n_threads":1,"n_prompt":8,"n_gen":0,"avg_ts":4.0}])");
  compare(rows, earlier);
  EXPECT_EQ(rows[0]["earlier_ts"], 4.0);
  EXPECT_EQ(rows[0]["ratio"], 2.5);
  EXPECT_FALSE(rows[1].contains("ratio"));
  EXPECT_FALSE(rows[2].contains("ratio"));
}

TEST(Compare, PrefersTheSameModelThenTheSameNumerics) {
  const auto earlier_row = [](const char* model, const char* numerics, double speed) {
    Json row = row_of({.n_gen = 8});
    row["model_filename"] = model;
    row["numerics"] = numerics;
    row["median_ts"] = speed;
    return row;
  };
  Json rows = Json::array({row_of({.n_gen = 8})});
  compare(rows, {earlier_row("b.gguf", "fast", 1), earlier_row("a.gguf", "fine", 2),
                 earlier_row("a.gguf", "fast", 5), earlier_row("a.gguf", "exact", 3)});
  EXPECT_EQ(rows[0]["ratio"], 2.0);
}

TEST(ParseRows, TakesWhatBenchWrote) {
  const auto rows = parse_rows(Json::array({row_of({.n_gen = 8})}).dump(), "rows.json");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 1u);
}

TEST(ParseRows, RefusesEverythingElse) {
  for (const char* text :
       {"", "{", "{}", "[]", "[1]", R"([{"n_threads":2}])", R"([{"n_threads":2,"avg_ts":0}])",
        R"([{"n_threads":2,"avg_ts":"x"}])"}) {
    const auto rows = parse_rows(text, "rows.json");
    ASSERT_FALSE(rows) << text;
    EXPECT_EQ(rows.error().code, Code::invalid_argument);
  }
}

}  // namespace
}  // namespace quern::measure
