#include "tuning/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/kernels.h"
#include "base/cpu_features.h"
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
    EXPECT_EQ(product.best == cpu::kDefaultTuning, product.findings.empty());
    for (const Finding& finding : product.findings) EXPECT_GT(finding.gain, 0);
  }
  EXPECT_EQ(table_of(records_of(tuning_key("", 2), *found)).size(),
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
                             std::shared_ptr<cpu::TuningTable> table) {
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
  const CpuFeatures features = detect_cpu_features();
  for (const Dtype linears : {Dtype::q4_0, Dtype::q8_0}) {
    for (const cpu::Kernels* kernels : cpu::all_kernels()) {
      if (!kernels->supported(features)) continue;
      auto table = std::make_shared<cpu::TuningTable>();
      const std::vector<float> expected = logits_of(linears, kernels->isa, table);
      ASSERT_GE(table->size(), 4u);
      for (const cpu::TuningParameter& parameter : cpu::kTuningParameters) {
        for (int i = 0; i < parameter.n_values; ++i) {
          for (auto& [product, tuning] : *table) {
            tuning = cpu::kDefaultTuning;
            tuning.*parameter.member = parameter.values[i];
          }
          const std::vector<float> logits = logits_of(linears, kernels->isa, table);
          EXPECT_EQ(std::memcmp(logits.data(), expected.data(), logits.size() * sizeof(float)), 0)
              << kernels->isa << " " << parameter.name << " " << parameter.values[i];
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern
