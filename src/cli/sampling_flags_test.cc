#include "cli/sampling_flags.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace quern::cli {
namespace {

const SamplingOptions kDefaults = options::program_defaults().sampling;

Result<GenerateOptions> try_parse(std::vector<const char*> words, const SamplingOptions& base) {
  SamplingFlags flags;
  Arguments args("test", "", "");
  flags.add_to(args);
  words.insert(words.begin(), "test");
  TRY(const bool go, args.parse(static_cast<int>(words.size()), words.data()));
  EXPECT_TRUE(go);
  return flags.options(base);
}

GenerateOptions parse(const std::vector<const char*>& words,
                      const SamplingOptions& base = kDefaults) {
  const auto options = try_parse(words, base);
  EXPECT_TRUE(options) << to_string(options.error());
  return *options;
}

TEST(SamplingFlags, HaveDefaults) {
  const int limit = options::program_defaults().max_tokens;
  const GenerateOptions options = parse({});
  EXPECT_EQ(options.max_tokens, limit);
  EXPECT_EQ(options.sampling.temperature, kDefaults.temperature);
  EXPECT_EQ(options.sampling.top_k, kDefaults.top_k);
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

TEST(SamplingFlags, FlagBeforeBase) {
  const SamplingOptions base{.temperature = 0.2f, .top_k = 5};
  const GenerateOptions options = parse({"--top-k", "11"}, base);
  EXPECT_EQ(options.sampling.temperature, 0.2f);
  EXPECT_EQ(options.sampling.top_k, 11);
}

TEST(SamplingFlags, EachOfTheRarerOnesReachesItsField) {
  const SamplingOptions o =
      parse(
          {"--dynatemp-range",     "0.5",  "--dynatemp-exp",    "2",    "--typical-p",       "0.9",
           "--top-n-sigma",        "1.5",  "--xtc-probability", "0.25", "--xtc-threshold",   "0.2",
           "--min-keep",           "3",    "--dry-multiplier",  "0.8",  "--dry-base",        "1.5",
           "--dry-allowed-length", "4",    "--dry-window",      "-1",   "--mirostat",        "2",
           "--mirostat-tau",       "4",    "--mirostat-eta",    "0.2",  "--adaptive-target", "0.3",
           "--adaptive-decay",     "0.99", "--min-tokens",      "12"})
          .sampling;
  EXPECT_EQ(o.dynatemp_range, 0.5f);
  EXPECT_EQ(o.dynatemp_exponent, 2);
  EXPECT_EQ(o.typical_p, 0.9f);
  EXPECT_EQ(o.top_n_sigma, 1.5f);
  EXPECT_EQ(o.xtc_probability, 0.25f);
  EXPECT_EQ(o.xtc_threshold, 0.2f);
  EXPECT_EQ(o.min_keep, 3);
  EXPECT_EQ(o.dry_multiplier, 0.8f);
  EXPECT_EQ(o.dry_base, 1.5f);
  EXPECT_EQ(o.dry_allowed_length, 4);
  EXPECT_EQ(o.dry_window, -1);
  EXPECT_EQ(o.mirostat, 2);
  EXPECT_EQ(o.mirostat_tau, 4);
  EXPECT_EQ(o.mirostat_eta, 0.2f);
  EXPECT_EQ(o.adaptive_target, 0.3f);
  EXPECT_EQ(o.adaptive_decay, 0.99f);
  EXPECT_EQ(o.min_tokens, 12);
}

TEST(SamplingFlags, ListsAreReadWhole) {
  const SamplingOptions o =
      parse({"--logit-bias", "5=-1.5", "--logit-bias", "7=-inf", "--ban-tokens", "1,2",
             "--allow-tokens", "3", "--samplers", "top_k;temperature", "--dry-sequence-breaker",
             "none", "--dry-sequence-breaker", "###"})
          .sampling;
  ASSERT_EQ(o.logit_bias.size(), 2u);
  EXPECT_EQ(o.logit_bias[0].id, 5);
  EXPECT_EQ(o.logit_bias[0].bias, -1.5f);
  EXPECT_EQ(o.logit_bias[1].id, 7);
  EXPECT_EQ(o.logit_bias[1].bias, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(o.banned, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(o.allowed, (std::vector<int32_t>{3}));
  EXPECT_EQ(o.samplers, (std::vector<std::string>{"top_k", "temperature"}));
  EXPECT_EQ(o.dry_breakers, (std::vector<std::string>{"###"}));
  EXPECT_EQ(parse({}).sampling.dry_breakers.size(), 4u);
}

TEST(SamplingFlags, ABiasIsAnIdAndANumber) {
  for (const char* bad : {"", "5", "5=", "=1", "x=1", "5=x", "-1=1", "5=nan", "5=inf", "5=1e10",
                          "99999999999=1", "5=1=2"}) {
    const auto options = try_parse({"--logit-bias", bad}, kDefaults);
    ASSERT_FALSE(options) << bad;
    EXPECT_NE(options.error().what.find("--logit-bias"), std::string::npos);
  }
}

TEST(SamplingFlags, SeedIsRandomWithoutAFlag) {
  EXPECT_NE(parse({}).sampling.seed, parse({}).sampling.seed);
  EXPECT_LT(parse({}).sampling.seed, 1ull << 53);
}

}  // namespace
}  // namespace quern::cli
