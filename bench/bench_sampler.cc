// Time from a vocabulary's logits to a token: ninja bench_sampler && bin/bench_sampler
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "engine/sample/sampler.h"

namespace quern {
namespace {

// Like a model's at an open place of a text: most far below, some dozens that stand out. The
// nucleus of 0.95 has 35 tokens.
std::vector<float> model_like(int n_vocab) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(-2, 1.8f);
  std::vector<float> logits(n_vocab);
  for (float& l : logits) l = normal(random);
  for (int i = 0; i < 30; ++i) logits[random() % n_vocab] = 14 - 0.3f * static_cast<float>(i);
  return logits;
}

struct Case {
  const char* name;
  SamplingOptions options;
};

std::vector<Case> cases() {
  const SamplingOptions plain{.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0};
  const auto with = [&](auto change) {
    SamplingOptions o = plain;
    change(o);
    return o;
  };
  return {
      {"copy_only", {}},
      {"defaults", {}},
      {"greedy", {.temperature = 0}},
      {"temperature", with([](auto& o) { o.temperature = 0.7f; })},
      {"temperature_top_p", with([](auto& o) { o.temperature = 0.7f, o.top_p = 0.95f; })},
      {"min_p", with([](auto& o) { o.min_p = 0.05f; })},
      {"typical_p", with([](auto& o) { o.typical_p = 0.9f; })},
      {"top_n_sigma", with([](auto& o) { o.top_n_sigma = 1; })},
      {"mirostat2", with([](auto& o) { o.mirostat = 2; })},
      {"defaults_logprobs_20", {.n_probs = 20}},
      {"defaults_dry_8192", {.dry_multiplier = 0.8f, .dry_window = -1}},
      {"defaults_penalties_8192", {.repeat_penalty = 1.1f, .penalty_window = -1}},
  };
}

void run(benchmark::State& state, const Case& c, int n_vocab) {
  const std::vector<float> logits = model_like(n_vocab);
  std::vector<float> copy;
  std::vector<int32_t> history(8192);
  std::mt19937 random(2);
  for (int32_t& id : history) id = static_cast<int32_t>(random() % 200);
  const Sampler sampler(c.options, {}, {}, n_vocab);
  SampleScratch scratch;
  int64_t n_prompt = 0;
  const bool only_copy = std::string_view(c.name) == "copy_only";
  for (auto _ : state) {
    copy.assign(logits.begin(), logits.end());
    if (only_copy) {
      benchmark::DoNotOptimize(copy.data());
      continue;
    }
    auto sampled = sampler.sample(copy, history, n_prompt--, {}, scratch);
    benchmark::DoNotOptimize(sampled);
  }
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const int n_vocab : {49152, 128256}) {
    for (const quern::Case& c : quern::cases()) {
      benchmark::RegisterBenchmark(
          (std::string(c.name) + "/" + std::to_string(n_vocab)).c_str(),
          [c, n_vocab](benchmark::State& state) { quern::run(state, c, n_vocab); })
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
