#include "cli/arguments.h"

#include <gtest/gtest.h>

namespace quern::cli {
namespace {

struct Values {
  std::string model = "default";
  std::optional<std::string> text;
  std::vector<std::string> stops;
  int threads = 0;
  std::optional<uint64_t> seed;
  std::optional<double> heat, k;
  std::vector<int> sizes{7};
  bool json = false;
};

Result<bool> parse(Values& values, std::vector<const char*> words) {
  Arguments args("test", "summary", "examples");
  args.text("MODEL,-m,--model", values.model, "a model");
  args.text("--text,-p", values.text, "a text");
  args.texts("--stop", values.stops, "stops");
  args.integer("--threads", values.threads, 1, 1024, "threads");
  args.integer("--seed", values.seed, "seed");
  args.number("--heat", values.heat, 0, 2, "heat");
  args.whole_number("--top-k", values.k, -1, 1e9, "k");
  args.integers("--sizes", values.sizes, 0, 4096, "sizes");
  args.flag("--json", values.json, "json");
  args.exclusive({"--text", "--json"});
  words.insert(words.begin(), "test");
  return args.parse(static_cast<int>(words.size()), words.data());
}

TEST(Arguments, LeavesTargetsAloneWithoutFlags) {
  Values values;
  ASSERT_TRUE(*parse(values, {}));
  EXPECT_EQ(values.model, "default");
  EXPECT_FALSE(values.text || values.seed || values.heat || values.json);
  EXPECT_EQ(values.sizes, std::vector<int>{7});
}

TEST(Arguments, TakesEveryKind) {
  Values values;
  ASSERT_TRUE(*parse(values, {"m.gguf", "--stop", "a,b", "--stop", "", "--threads", "010", "--seed",
                              "18446744073709551615", "--heat", "0.25", "--top-k", "-1", "--sizes",
                              "1,20,300", "--text", " -x\n"}));
  EXPECT_EQ(values.model, "m.gguf");
  EXPECT_EQ(values.text, " -x\n");
  EXPECT_EQ(values.stops, (std::vector<std::string>{"a,b", ""}));
  EXPECT_EQ(values.threads, 10);  // decimal, not octal
  EXPECT_EQ(values.seed, 18446744073709551615ull);
  EXPECT_EQ(values.heat, 0.25);
  EXPECT_EQ(values.k, -1);
  EXPECT_EQ(values.sizes, (std::vector<int>{1, 20, 300}));
}

TEST(Arguments, StopsDoNotEatThePositional) {
  Values values;
  ASSERT_TRUE(*parse(values, {"--stop", "x", "m.gguf"}));
  EXPECT_EQ(values.stops, std::vector<std::string>{"x"});
  EXPECT_EQ(values.model, "m.gguf");
}

TEST(Arguments, TakesTextAsItWasTyped) {
  for (const char* text : {"", "[1,2]", "\"quoted\"", "--json", "a=b", "%%", "{}"}) {
    Values values;
    ASSERT_TRUE(*parse(values, {"-p", text})) << text;
    EXPECT_EQ(values.text, text);
    EXPECT_FALSE(values.json);
  }
}

TEST(Arguments, LastOfARepeatedFlagCounts) {
  Values values;
  ASSERT_TRUE(*parse(values, {"--threads", "3", "--threads", "4"}));
  EXPECT_EQ(values.threads, 4);
}

TEST(Arguments, ASeedIsAny64Bits) {
  const std::pair<const char*, uint64_t> rows[] = {
      {"0", 0},
      {"-1", UINT64_MAX},
      {"18446744073709551615", UINT64_MAX},
      {"-2", UINT64_MAX - 1},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775808", 1ull << 63},
      {"-9223372036854775808", 1ull << 63},
  };
  for (const auto& [typed, seed] : rows) {
    Values values;
    ASSERT_TRUE(*parse(values, {"--seed", typed})) << typed;
    EXPECT_EQ(values.seed, seed) << typed;
  }
}

TEST(Arguments, RefusalsNameTheFlag) {
  const std::vector<std::vector<const char*>> cases = {
      {"--threads", "0"},
      {"--threads", "-2"},
      {"--threads", "1025"},
      {"--threads", "2x"},
      {"--threads", ""},
      {"--threads", "99999999999999999999"},
      {"--threads", "1.5"},
      {"--threads", " 1"},
      {"--seed", "-9223372036854775809"},
      {"--seed", "18446744073709551616"},
      {"--seed", "1.0"},
      {"--seed", ""},
      {"--seed", "+1"},
      {"--seed", "1e3"},
      {"--heat", "nan"},
      {"--heat", "inf"},
      {"--heat", "-0.1"},
      {"--heat", "2.5"},
      {"--heat", "1e999"},
      {"--top-k", "0.5"},
      {"--top-k", "-2"},
      {"--sizes", "1,,2"},
      {"--sizes", "1,"},
      {"--sizes", "5000"},
      {"--nonsense", "1"},
      {"--threads"},
  };
  for (const auto& words : cases) {
    Values values;
    const auto outcome = parse(values, words);
    ASSERT_FALSE(outcome) << words[0] << " " << (words.size() > 1 ? words[1] : "");
    EXPECT_EQ(outcome.error().code, Code::invalid_argument);
    EXPECT_NE(outcome.error().what.find(words[0]), std::string::npos) << outcome.error().what;
    EXPECT_NE(outcome.error().fix.find("quern test --help"), std::string::npos);
  }
}

TEST(Arguments, RefusesExclusiveFlagsTogether) {
  Values values;
  const auto outcome = parse(values, {"--text", "a", "--json"});
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().what.find("--json"), std::string::npos) << outcome.error().what;
}

TEST(Arguments, RefusesWordsTooMany) {
  Values values;
  EXPECT_FALSE(parse(values, {"one", "two"}));
}

}  // namespace
}  // namespace quern::cli
