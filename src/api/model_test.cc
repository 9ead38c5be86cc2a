// The public API on tiny random models: its contract, not the texts.
#include "quern/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

std::string tiny(const std::string& name) {
  return QUERN_SOURCE_DIR "/tests/data/tiny/" + name + ".gguf";
}

Model loaded(const std::string& name = "llama_gqa3_tied", LoadOptions options = {}) {
  auto model = Model::load(tiny(name), options);
  if (!model) throw std::runtime_error(to_string(model.error()));  // the test's, not Quern's
  return *model;
}

GenerateOptions greedy(int max_tokens) {
  GenerateOptions o;
  o.max_tokens = max_tokens;
  o.sampling.temperature = 0;
  o.ignore_eos = true;
  return o;
}

TEST(Model, DescribesItself) {
  const Model model = loaded();
  const ModelInfo& info = model.info();
  EXPECT_EQ(info.path, tiny("llama_gqa3_tied"));
  EXPECT_EQ(info.format, "GGUF v3");
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "llama_gqa3_tied");
  EXPECT_GT(info.n_vocab, 0);
  EXPECT_GT(info.n_layers, 0);
  EXPECT_GT(info.width, 0);
  EXPECT_GT(info.context, 0);
  EXPECT_GT(info.file_bytes, info.n_parameters);
  EXPECT_TRUE(info.has_chat_template);
}

TEST(Model, TokenizesTextByteForByte) {
  const Model model = loaded();
  for (const char* text :
       {"", " ", "  two  spaces \n\n", "caf\xc3\xa9 \xf0\x9f\x98\x80", "\t\x01"}) {
    const auto ids = model.tokenize(text);
    ASSERT_TRUE(ids) << to_string(ids.error());
    EXPECT_EQ(model.detokenize(*ids), text);
  }
}

TEST(Model, AConversationIsReadyForTheAnswer) {
  const Model model = loaded();
  const auto short_one = model.chat_prompt({{"user", "hi"}});
  const auto long_one = model.chat_prompt({{"user", "hi"}, {"assistant", "ho"}, {"user", "hi"}});
  ASSERT_TRUE(short_one) << to_string(short_one.error());
  ASSERT_TRUE(long_one);
  EXPECT_GT(long_one->size(), short_one->size());
}

TEST(Model, GeneratesAndStreamsTheSame) {
  const Model model = loaded();
  const Ids prompt = *model.tokenize("Once upon a time");
  Ids ids;
  std::string text;
  const auto g = model.generate(prompt, greedy(20), [&](const Delta& d) {
    ids.insert(ids.end(), d.ids.begin(), d.ids.end());
    text += d.text;
    return true;
  });
  ASSERT_TRUE(g) << to_string(g.error());
  EXPECT_EQ(g->ids.size(), 20u);
  EXPECT_EQ(g->ids, ids);
  EXPECT_EQ(g->text, text);
  EXPECT_EQ(g->finish, Finish::length);
  EXPECT_EQ(g->timings.prompt_n, static_cast<int>(prompt.size()));
  EXPECT_EQ(g->timings.predicted_n, 20);
  EXPECT_GT(g->timings.prompt_ms, 0);
}

TEST(Model, ReuseOfAConversationChangesNoToken) {
  const Model model = loaded();
  Ids history = *model.tokenize("First turn of a conversation.");
  for (int turn = 0; turn < 4; ++turn) {
    const auto reused = model.generate(history, greedy(30));
    const auto fresh = loaded().generate(history, greedy(30));
    ASSERT_TRUE(reused && fresh);
    EXPECT_EQ(reused->ids, fresh->ids) << "turn " << turn;
    EXPECT_EQ(fresh->timings.cached_n, 0);
    if (turn > 0) {
      EXPECT_GT(reused->timings.cached_n, 30);
    }
    history.insert(history.end(), reused->ids.begin(), reused->ids.end());
    const Ids more = *model.tokenize(" And another turn.");
    history.insert(history.end(), more.begin(), more.end());
  }
}

TEST(Model, OverlappingCallsGiveWhatEachGivesAlone) {
  const Model model = loaded();
  constexpr int kCalls = 6;
  std::vector<Ids> prompts;
  std::vector<Ids> alone;
  for (int i = 0; i < kCalls; ++i) {
    prompts.push_back(*model.tokenize("Prompt number " + std::to_string(i * i * 37)));
    GenerateOptions o = greedy(24);
    o.sampling.temperature = i % 2 ? 1 : 0;
    o.sampling.seed = i;
    alone.push_back(loaded().generate(prompts[i], o)->ids);
  }
  std::atomic<int> n_started = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCalls; ++i) {
    threads.emplace_back([&, i] {
      GenerateOptions o = greedy(24);
      o.sampling.temperature = i % 2 ? 1 : 0;
      o.sampling.seed = i;
      bool first = true;
      const auto g = model.generate(prompts[i], o, [&](const Delta&) {
        if (std::exchange(first, false)) {
          ++n_started;
          while (n_started < kCalls) std::this_thread::yield();
        }
        return true;
      });
      ASSERT_TRUE(g);
      EXPECT_EQ(g->ids, alone[i]) << "call " << i;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Model, ScoringStartsWhereGenerationStarts) {
  const Model model = loaded();
  const Ids prompt = *model.tokenize("The logits after the last token");
  std::vector<float> last;
  ASSERT_TRUE(model.score(prompt, 0, [&](int64_t, std::span<const float> logits) {
    last.assign(logits.begin(), logits.end());
    return true;
  }));
  ASSERT_EQ(static_cast<int>(last.size()), model.info().n_vocab);
  EXPECT_EQ(model.generate(prompt, greedy(1))->ids[0],
            std::max_element(last.begin(), last.end()) - last.begin());
}

TEST(Model, BadRequestsAreRefusedByName) {
  const Model model = loaded("llama_mha", {.context = 64});
  GenerateOptions hot;
  hot.sampling.temperature = -1;
  const auto refused = [](const auto& result, Code code, const std::string& what) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code);
    EXPECT_NE(to_string(result.error()).find(what), std::string::npos) << to_string(result.error());
  };
  refused(model.generate({}, {}), Code::invalid_argument, "empty");
  refused(model.generate(Ids{1 << 30}, {}), Code::invalid_argument, "token id 1073741824");
  refused(model.generate(Ids{1}, hot), Code::invalid_argument, "temperature");
  refused(model.generate(Ids(65, 1), {}), Code::context_too_long, "the context holds 64");
  refused(model.score(Ids(65, 1), 0, {}), Code::context_too_long, "the context holds 64");
  refused(Model::load(tiny("llama_mha"), {.context = -1}), Code::invalid_argument, "context");
  refused(Model::load(tiny("llama_mha"), {.context = int64_t{1} << 60}), Code::invalid_argument,
          "context");
  refused(Model::load(tiny("llama_mha"), {.isa = "z80"}), Code::unsupported, "z80");
  refused(Model::load(tiny("no_such_file")), Code::not_found, "no_such_file");
}

TEST(Model, AnswersSayWhatTheyWereNotHeldTo) {
  const Model model = loaded();
  GenerateOptions options = greedy(3);
  options.grammar.kind = GrammarKind::json_schema;
  options.grammar.text = R"({"type": "string", "format": "color"})";
  const auto answer = model.generate(Ids{1, 2, 3}, options);
  ASSERT_TRUE(answer) << to_string(answer.error());
  ASSERT_EQ(answer->notes.size(), 1u);
  EXPECT_NE(answer->notes[0].find("\"color\" was not enforced"), std::string::npos);
  options.n = 2;
  auto streams = model.submit(Ids{1, 2, 3}, options);
  ASSERT_TRUE(streams) << to_string(streams.error());
  for (Stream& stream : *streams) {
    ASSERT_TRUE(stream.result());
    EXPECT_EQ(stream.result()->notes, answer->notes);
  }
  options.grammar.text = R"({"type": "string", "format": "date"})";
  const auto held = model.generate(Ids{1, 2, 3}, options);
  ASSERT_TRUE(held) << to_string(held.error());
  EXPECT_TRUE(held->notes.empty());
}

TEST(Model, AFullContextEndsTheAnswer) {
  const Model model = loaded("llama_mha", {.context = 64});
  const auto g = model.generate(Ids(60, 5), greedy(-1));
  ASSERT_TRUE(g) << to_string(g.error());
  EXPECT_EQ(g->finish, Finish::length);
  EXPECT_EQ(g->ids.size(), 5u);
}

// Every layer of this one has a window of 24: the context still bounds an answer.
TEST(Model, AWindowCostsTheSameWhateverTheContext) {
  const auto answer = [](int64_t context, int n_pages, int max_tokens) {
    const Model model = loaded("mistral_window", {.context = context, .max_batch = 16});
    EXPECT_EQ(model.counts().n_pages, n_pages);
    const auto generated = model.generate(Ids{1, 5, 9}, greedy(max_tokens));
    EXPECT_TRUE(generated);
    return generated->ids;
  };
  const Ids all = answer(128, 2, 200);
  EXPECT_EQ(all.size(), 126u);
  EXPECT_EQ(answer(4096, 32, 126), all);
  EXPECT_EQ(answer(1 << 20, 32, 126), all);
}

TEST(Model, CopiesShareTheModelAndOutliveTheFirst) {
  std::optional<Model> first = loaded();
  const Model second = *first;
  first.reset();
  EXPECT_TRUE(second.generate(Ids{1, 2, 3}, greedy(3)));
}

}  // namespace
}  // namespace quern
