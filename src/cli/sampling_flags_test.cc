#include "cli/sampling_flags.h"

#include <gtest/gtest.h>

namespace quern::cli {
namespace {

GenerateOptions parse(std::vector<const char*> words, const Metadata& file = {}) {
  SamplingFlags flags;
  Arguments args("test", "", "");
  flags.add_to(args);
  words.insert(words.begin(), "test");
  const auto outcome = args.parse(static_cast<int>(words.size()), words.data());
  EXPECT_TRUE(outcome) << to_string(outcome.error());
  return flags.options(file);
}

TEST(SamplingFlags, HaveDefaults) {
  const GenerateOptions options = parse({});
  EXPECT_EQ(options.max_tokens, kDefaultTokens);
  EXPECT_EQ(options.sampling.temperature, kSamplingDefaults.temperature);
  EXPECT_EQ(options.sampling.top_k, kSamplingDefaults.top_k);
  EXPECT_EQ(options.sampling.repeat_penalty, 1);
  EXPECT_TRUE(options.stop.empty());
}

TEST(SamplingFlags, EachReachesItsField) {
  const GenerateOptions options = parse({"-n",
                                         "7",
                                         "--temperature",
                                         "0",
                                         "--top-k",
                                         "3",
                                         "--top-p",
                                         "0.5",
                                         "--min-p",
                                         "0.25",
                                         "--repeat-penalty",
                                         "1.5",
                                         "--presence-penalty",
                                         "-1",
                                         "--frequency-penalty",
                                         "2",
                                         "--penalty-window",
                                         "-1",
                                         "--seed",
                                         "9",
                                         "--stop",
                                         "a",
                                         "--stop",
                                         "b"});
  EXPECT_EQ(options.max_tokens, 7);
  EXPECT_EQ(options.sampling.temperature, 0);
  EXPECT_EQ(options.sampling.top_k, 3);
  EXPECT_EQ(options.sampling.top_p, 0.5f);
  EXPECT_EQ(options.sampling.min_p, 0.25f);
  EXPECT_EQ(options.sampling.repeat_penalty, 1.5f);
  EXPECT_EQ(options.sampling.presence_penalty, -1);
  EXPECT_EQ(options.sampling.frequency_penalty, 2);
  EXPECT_EQ(options.sampling.penalty_window, -1);
  EXPECT_EQ(options.sampling.seed, 9u);
  EXPECT_EQ(options.stop, (std::vector<std::string>{"a", "b"}));
}

TEST(SamplingFlags, FlagBeforeFileBeforeDefault) {
  Metadata file;
  file.entries["general.sampling.temp"] = 0.2;
  file.entries["general.sampling.top_k"] = int64_t{5};
  file.entries["general.sampling.top_p"] = 7.0;  // cannot be: passed over
  const GenerateOptions options = parse({"--top-k", "11"}, file);
  EXPECT_EQ(options.sampling.temperature, 0.2f);
  EXPECT_EQ(options.sampling.top_k, 11);
  EXPECT_EQ(options.sampling.top_p, kSamplingDefaults.top_p);
}

TEST(SamplingFlags, SeedIsRandomWithoutAFlag) {
  EXPECT_NE(parse({}).sampling.seed, parse({}).sampling.seed);
  EXPECT_LT(parse({}).sampling.seed, 1ull << 53);
}

}  // namespace
}  // namespace quern::cli
