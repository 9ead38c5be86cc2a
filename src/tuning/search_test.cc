#include "tuning/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "compile/targets.h"
#include "support/tiny_llama.h"
#include "tuning/recorded.h"

namespace quern {
namespace {

using testing::make_tiny_llama;

std::shared_ptr<MemorySource> source_of(Dtype linears) {
  return make_tiny_llama(
      {.n_layers = 1, .width = 256, .ffn = 512, .n_heads = 4, .linears = linears});
}

TEST(Search, GoesThroughAllProductsAndReportsOnlyGains) {
  double last = 0;
  SearchOptions options{.quick = true};
  options.compile.threads = 2;
  options.keep_going = [&](double done, std::string_view) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, 1.0);
    last = done;
    return true;
  };
  const auto found = search_tuning(source_of(Dtype::q4_0), options);
  ASSERT_TRUE(found) << to_string(found.error());
  ASSERT_GE(found->size(), 4u);  // q/k/v, out, gate/up, down
  EXPECT_GT(last, 0.9);
  for (const ProductFindings& product : *found) {
    EXPECT_EQ(product.product.rfind("product ", 0), 0u);
    EXPECT_EQ(product.best == usual_tuning(default_target()), product.findings.empty());
    for (const Finding& finding : product.findings) EXPECT_GT(finding.gain, 0);
  }
  const Target& target = default_target();
  const auto records = records_of(target, tuning_key(target, "", 2), *found);
  EXPECT_EQ(table_of(target, records).products.size(),
            static_cast<size_t>(std::ranges::count_if(
                *found, [](const ProductFindings& p) { return !p.findings.empty(); })));
}

TEST(Search, StopsWhenAsked) {
  SearchOptions options;
  options.compile.threads = 1;
  options.keep_going = [](double, std::string_view) { return false; };
  const auto found = search_tuning(source_of(Dtype::q4_0), options);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::cancelled);
}

// A prompt and then tokens of two sequences, under this table.
std::vector<float> logits_of(Dtype linears, std::string_view isa,
                             std::shared_ptr<TuningTable> table) {
  constexpr int kRows = 80;
  CompileOptions options{
      .threads = 2, .max_rows = kRows, .cache_tokens = 384, .isa = std::string(isa)};
  options.tuning = std::move(table);
  auto executor = compile(source_of(linears), options);
  EXPECT_TRUE(executor);
  std::vector<int32_t> tokens, used;
  for (int i = 0; i < kRows; ++i) tokens.push_back(i % 96);
  for (int i = 40; i < kRows; ++i) used.push_back(i);
  const std::vector<int32_t> pages[] = {{0, 1, 2}, {3, 4, 5}};
  const Chunk chunks[] = {{0, 65, 0, pages[0], 25}, {65, 15, 0, pages[1], 15}};
  std::vector<float> logits(used.size() * 96);
  EXPECT_TRUE((*executor)->forward({tokens, chunks, used}, logits));
  return logits;
}

// Every value of every parameter, on every instruction set: not a bit changes.
TEST(Tuning, ChangesNoBit) {
  const Target& target = default_target();
  for (const Dtype linears : {Dtype::q4_0, Dtype::q8_0}) {
    for (const InstructionSet& set : target.instruction_sets()) {
      if (!set.runs_here) continue;
      auto table = std::make_shared<TuningTable>();
      const std::vector<float> expected = logits_of(linears, set.name, table);
      ASSERT_GE(table->products.size(), 4u);
      for (size_t p = 0; p < target.tuning_parameters().size(); ++p) {
        const TuningParameter& parameter = target.tuning_parameters()[p];
        for (const int value : parameter.values) {
          for (auto& [product, tuning] : table->products) {
            tuning = usual_tuning(target);
            tuning[p] = value;
          }
          const std::vector<float> logits = logits_of(linears, set.name, table);
          EXPECT_EQ(std::memcmp(logits.data(), expected.data(), logits.size() * sizeof(float)), 0)
              << set.name << " " << parameter.name << " " << value;
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern
