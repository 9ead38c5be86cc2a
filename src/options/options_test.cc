// The tables themselves: complete, unique, and what docs/options.md says.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "options/document.h"
#include "options/json.h"
#include "options/text.h"

namespace quern::options {
namespace {

struct Anything {
  template <class T>
  operator T() const;
};
template <class T, size_t... kI>
constexpr bool has_members(std::index_sequence<kI...>) {
  return requires { T{(static_cast<void>(kI), Anything())...}; };
}
// How many members an aggregate has.
template <class T, size_t kN = 0>
constexpr size_t n_members() {
  if constexpr (has_members<T>(std::make_index_sequence<kN + 1>()))
    return n_members<T, kN + 1>();
  else
    return kN;
}

// A member without a row has no flag, no JSON and no check: add it to the table.
TEST(Options, EveryMemberHasARow) {
  const Schema& all = schema();
  EXPECT_EQ(all.sampling.size(), n_members<SamplingOptions>());
  EXPECT_EQ(all.generate.size(), n_members<GenerateOptions>() - 3)
      << "sampling, grammar, reasoning";
  EXPECT_EQ(all.reasoning.size(), n_members<ReasoningOptions>());
  EXPECT_EQ(all.grammar.size(), n_members<GrammarSpec>());
  EXPECT_EQ(all.load.size(), n_members<LoadOptions>() - 3) << "note, progress, dump_out";
  EXPECT_EQ(all.embed.size(), n_members<EmbedOptions>() - 1) << "keep_going";
}

template <class T>
void expect_unique(std::span<const Option<T>> rows, std::set<std::string>& seen) {
  const auto once = [&](const char* surface, const char* name) {
    if (!name) return;
    EXPECT_TRUE(seen.insert(std::string(surface) + " " + name).second) << name;
  };
  for (const Option<T>& option : rows) {
    once("member", std::string(option.name).c_str());
    const Names& names = option.names;
    if (names.flags)
      for (const std::string& flag : split_names(names.flags)) once("flag", flag.c_str());
    once("OpenAI", names.openai);
    once("OpenAI", names.openai_chat);
    once("GGUF", names.gguf);
    once("generation_config", names.generation_config);
    once("llama-server", names.llama_server);
    once("Ollama", names.ollama);
    EXPECT_NE(option.help, nullptr);
    EXPECT_TRUE(option.group == Group::none || names.flags) << option.name;
  }
}

TEST(Options, NamesAreUniqueOnEachSurface) {
  std::set<std::string> request, load, reasoning, grammar;
  expect_unique(schema().sampling, request);
  expect_unique(schema().generate, request);
  expect_unique(schema().reasoning, reasoning);
  expect_unique(schema().grammar, grammar);
  expect_unique(schema().load, load);
}

template <class T>
void expect_defaults_in_range(std::span<const Option<T>> rows) {
  for (const Option<T>& option : rows) {
    const auto outcome = check(option, T());
    EXPECT_TRUE(outcome) << option.name << ": " << to_string(outcome.error());
  }
}

TEST(Options, DefaultsAreInRange) {
  expect_defaults_in_range(schema().sampling);
  expect_defaults_in_range(schema().generate);
  expect_defaults_in_range(schema().reasoning);
  expect_defaults_in_range(schema().grammar);
  expect_defaults_in_range(schema().load);
  expect_defaults_in_range(schema().embed);
  EXPECT_TRUE(check(program_defaults()));
}

TEST(Options, RequestsAreCheckedWhole) {
  const auto refused = [](auto change, const std::string& what) {
    GenerateOptions options;
    change(options);
    const auto outcome = check(options);
    ASSERT_FALSE(outcome) << what;
    EXPECT_EQ(outcome.error().code, Code::invalid_argument);
    EXPECT_EQ(outcome.error().what, what);
  };
  refused([](auto& o) { o.max_tokens = -2; },
          "max_tokens is -2, must be at least -1 and at most 2147483647");
  refused([](auto& o) { o.n = 129; }, "n is 129, must be at least 1 and at most 128");
  refused([](auto& o) { o.deadline_ms = -1; },
          "deadline_ms is -1, must be at least 0 and at most 1099511627776");
  refused([](auto& o) { o.stop.resize(257, "x"); }, "stop has 257 entries, at most 256");
  refused([](auto& o) { o.stop.resize(2, std::string(40000, 'x')); },
          "stop has 80000 bytes, at most 65536");
  refused([](auto& o) { o.stop = {"a", "\xff"}; }, "stop string 1 is not valid UTF-8");
  refused([](auto& o) { o.stop_ids.resize(1025); }, "stop_ids has 1025 entries, at most 1024");
  refused([](auto& o) { o.cache_salt.resize(1025); },
          "cache_salt has 1025 bytes, must have 0 to 1024");
  refused([](auto& o) { o.reasoning.budget = -2; },
          "budget is -2, must be at least -1 and at most 2147483647");
  refused([](auto& o) { o.grammar.kind = static_cast<GrammarKind>(99); },
          "kind has no such value: '99'");
  refused([](auto& o) { o.sampling.mirostat = 3; },
          "mirostat is 3, must be at least 0 and at most 2");
}

TEST(Options, JsonReadsBackWhatItWrote) {
  GenerateOptions options;
  options.sampling.logit_bias = {{7, -2.5f}, {9, 0.1f}};
  options.sampling.samplers = {"top_k"};
  options.stop = {"a"};
  for (const Shape shape : {Shape::c, Shape::openai}) {
    GenerateOptions read;
    for (const auto& option : schema().sampling) {
      const Json value = to_json(option, options.sampling, shape);
      const auto outcome = read_json(option, value, {.name = option.name}, read.sampling, shape);
      EXPECT_TRUE(outcome) << to_string(outcome.error());
      EXPECT_EQ(to_json(option, read.sampling), to_json(option, options.sampling)) << option.name;
    }
  }
}

TEST(Options, TheDocumentIsUpToDate) {
  std::ifstream file(QUERN_SOURCE_DIR "/docs/options.md", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_TRUE(text == options_document())
      << "build/bin/write_options_document > docs/options.md, and commit it";
}

// quern.h says of each table where all are; those that it lists are there.
TEST(Options, TheHeaderRefersToTheDocument) {
  std::ifstream file(QUERN_SOURCE_DIR "/include/quern/quern.h", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(text.find("docs/options.md"), std::string::npos);
  for (const auto& option : schema().load) {
    if (!option.c_json) continue;
    EXPECT_NE(text.find("\"" + std::string(option.name) + "\""), std::string::npos) << option.name;
  }
  for (const auto& option : schema().generate)
    EXPECT_NE(text.find("\"" + std::string(option.name) + "\""), std::string::npos) << option.name;
}

}  // namespace
}  // namespace quern::options
