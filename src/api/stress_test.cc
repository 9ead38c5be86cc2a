// All of the API, from many threads at once on one model whose cache is far too small for them,
// while others load and free models. Every answer is the one it is alone, nothing waits forever,
// and at the end the whole cache is free. `./dev test tsan` runs it too.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quern/model.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;
using std::chrono::milliseconds;

constexpr int kContext = 512;  // the model's own, shared by all: eight pages
constexpr int kLongest = 300;  // tokens of an answer: more than a reader may leave unread
constexpr int kAnswers = 3;    // of one request that is asked for several

std::string tiny(const std::string& name) {
  return QUERN_SOURCE_DIR "/tests/data/tiny/" + name + ".gguf";
}

Model loaded(const std::string& name, const LoadOptions& options) {
  auto model = Model::load(tiny(name), options);
  if (!model) throw std::runtime_error(to_string(model.error()));  // the test's, not Quern's
  return *model;
}

Model loaded_model(const std::string& draft = "") {
  return loaded("llama_gqa3_tied", {.threads = 2,
                                    .context = kContext,
                                    .max_batch = 64,
                                    .draft_model = draft,
                                    .max_waiting = 150});
}

GenerateOptions asking(int max_tokens, float temperature = 0, uint64_t seed = 0) {
  GenerateOptions o;
  o.max_tokens = max_tokens;
  o.ignore_eos = true;
  o.sampling.temperature = temperature;
  o.sampling.seed = seed;
  return o;
}

GenerateOptions choosing() {
  GenerateOptions o = asking(20);
  o.ignore_eos = false;
  o.grammar = {.kind = GrammarKind::choice, .text = R"(["the first one","another","none"])"};
  return o;
}

// Refused by their size, their fuel or their words, before anything is generated.
const GrammarSpec kPoison[] = {
    {.kind = GrammarKind::regex, .text = std::string(30000, '(')},
    {.kind = GrammarKind::json_schema, .text = std::string(100000, '[')},
    {.kind = GrammarKind::json_schema, .text = R"({"$ref":"#/$defs/a","$defs":{}})"},
    {.kind = GrammarKind::lark, .text = "start: start"},
    {.kind = GrammarKind::choice, .text = "[]"},
};

// Many states, made one by one as they are needed: it costs what is read of it.
const GrammarSpec kBomb = {.kind = GrammarKind::regex, .text = "((a{1,9999}){1,9999}){1,9999}"};

std::vector<float> last_logits(const Model& model, const Ids& prompt) {
  std::vector<float> last;
  const auto outcome = model.score(prompt, 7, [&](int64_t, std::span<const float> logits) {
    last.assign(logits.begin(), logits.end());
    return true;
  });
  EXPECT_TRUE(outcome);
  return last;
}

std::vector<float> vector_of(const Model& model, const Ids& prompt) {
  const auto made = model.embed(std::span(&prompt, 1));
  return made ? made->values : std::vector<float>();
}

// A prompt, and what a model of its own makes of it.
struct Question {
  explicit Question(int number) {
    const int n = 5 + number * 23;  // of one page or two
    for (int i = 0; i < n; ++i) prompt.push_back(5 + (number * 40 + i * (number + 3)) % 250);
    greedy = ask(asking(kLongest)).ids;
    for (int i = 0; i < kAnswers; ++i)
      sampled.push_back(ask(asking(30, 1, number + static_cast<uint64_t>(i))).ids);
    chosen = ask(choosing()).text;
    const Model model = loaded_model();
    vector = vector_of(model, prompt);
    logits = last_logits(model, prompt);
  }
  Generation ask(const GenerateOptions& options) const {
    return *loaded_model().generate(prompt, options);
  }

  Ids prompt, greedy;
  std::vector<Ids> sampled;
  std::string chosen;
  std::vector<float> vector, logits;
};

const std::vector<Question>& questions() {
  static const std::vector<Question> all = [] {
    std::vector<Question> made;
    for (int i = 0; i < 5; ++i) made.emplace_back(i);
    return made;
  }();
  return all;
}

// The queue may be full for a moment.
template <class F>
auto until_taken(F ask) {
  for (;;) {
    auto answer = ask();
    if (answer || answer.error().code != Code::queue_full) return answer;
    std::this_thread::sleep_for(milliseconds(1));
  }
}

bool begins(const Ids& all, const Ids& ids) {
  return ids.size() <= all.size() && std::equal(ids.begin(), ids.end(), all.begin());
}

// One thread among many: one random action after the other.
class Caller {
 public:
  Caller(Model model, int number, std::filesystem::path folder)
      : model_(std::move(model)),
        random_(number),
        session_((folder / ("session" + std::to_string(number))).string()) {}

  void run(int n_acts) {
    static constexpr void (Caller::*kActs[])() = {&Caller::reads_to_the_end,
                                                  &Caller::stops_in_its_callback,
                                                  &Caller::cancels_from_outside,
                                                  &Caller::drops_what_it_asks,
                                                  &Caller::reads_late,
                                                  &Caller::asks_for_several,
                                                  &Caller::is_in_a_hurry,
                                                  &Caller::embeds,
                                                  &Caller::scores,
                                                  &Caller::keeps_a_session,
                                                  &Caller::follows_a_grammar,
                                                  &Caller::brings_poison,
                                                  &Caller::floods};
    const int first = below(std::size(kActs));
    for (int i = 0; i < n_acts && !testing::Test::HasFailure(); ++i) {
      question_ = &questions()[below(questions().size())];
      (this->*kActs[(first + i) % std::size(kActs)])();
    }
  }

 private:
  int below(size_t n) { return static_cast<int>(random_() % n); }

  std::vector<Stream> streams(const GenerateOptions& options) {
    auto made = until_taken([&] { return model_.submit(question_->prompt, options); });
    EXPECT_TRUE(made) << to_string(made.error());
    return std::move(*made);
  }

  void reads_to_the_end() {
    const int n = 1 + below(60);
    GenerateOptions o = asking(n);
    o.priority = below(3);
    o.client = std::string(1, static_cast<char>('a' + below(3)));
    o.cache_salt = below(4) == 0 ? "other" : "";
    Ids ids;
    const auto g = until_taken([&] {
      return model_.generate(question_->prompt, o, [&](const Delta& d) {
        ids.insert(ids.end(), d.ids.begin(), d.ids.end());
        EXPECT_TRUE(model_.tokenize(d.text));  // it may use the model
        return true;
      });
    });
    ASSERT_TRUE(g) << to_string(g.error());
    EXPECT_EQ(std::ssize(g->ids), n);
    EXPECT_EQ(g->ids, ids);
    EXPECT_TRUE(begins(question_->greedy, ids));
  }

  void stops_in_its_callback() {
    const int most = below(20);
    int n = 0;
    const auto g = until_taken([&] {
      return model_.generate(question_->prompt, asking(100),
                             [&](const Delta& d) { return (n += std::ssize(d.ids)) < most; });
    });
    ASSERT_TRUE(g) << to_string(g.error());
    EXPECT_EQ(g->finish, Finish::cancelled);
    EXPECT_TRUE(begins(question_->greedy, g->ids));
  }

  void cancels_from_outside() {
    Stream stream = std::move(streams(asking(200))[0]);
    std::thread other([&, pause = below(5)] {
      std::this_thread::sleep_for(milliseconds(pause));
      stream.cancel();
    });
    const auto& g = stream.result();
    other.join();
    ASSERT_TRUE(g) << to_string(g.error());
    EXPECT_TRUE(g->finish == Finish::cancelled || g->finish == Finish::length);
    EXPECT_TRUE(begins(question_->greedy, g->ids));
  }

  void drops_what_it_asks() {
    for (int i = 0; i < 10; ++i) {
      auto made = streams(asking(1 + below(100)));
      if (below(2)) (void)made[0].next();
    }
  }

  // The answer waits for its reader, and other answers do not.
  void reads_late() {
    Stream stream = std::move(streams(asking(kLongest))[0]);
    std::this_thread::sleep_for(milliseconds(10));
    Ids ids;
    while (!stream.over()) {
      if (const auto piece = stream.next(milliseconds(1 + below(3))))
        ids.insert(ids.end(), piece->ids.begin(), piece->ids.end());
    }
    EXPECT_EQ(ids, question_->greedy);
    ASSERT_TRUE(stream.result());
    EXPECT_EQ(stream.result()->ids, ids);
  }

  void asks_for_several() {
    const auto number = static_cast<uint64_t>(question_ - questions().data());
    GenerateOptions o = asking(30, 1, number);
    o.n = kAnswers;
    auto made = streams(o);
    ASSERT_EQ(std::ssize(made), kAnswers);
    for (int i = kAnswers - 1; i >= 0; --i) {
      ASSERT_TRUE(made[i].result());
      EXPECT_EQ(made[i].result()->ids, question_->sampled[i]) << "answer " << i;
    }
  }

  void is_in_a_hurry() {
    GenerateOptions o = asking(kLongest);
    o.deadline_ms = 1 + below(20);
    Stream stream = std::move(streams(o)[0]);
    const auto& g = stream.result();
    ASSERT_TRUE(g) << to_string(g.error());
    EXPECT_TRUE(g->finish == Finish::deadline || g->finish == Finish::length);
    EXPECT_TRUE(begins(question_->greedy, g->ids));
  }

  void embeds() { EXPECT_EQ(vector_of(model_, question_->prompt), question_->vector); }
  void scores() { EXPECT_EQ(last_logits(model_, question_->prompt), question_->logits); }

  void keeps_a_session() {
    const auto n = model_.save_session(session_, question_->prompt);
    ASSERT_TRUE(n) << to_string(n.error());
    const auto tokens = model_.load_session(session_);
    if (!tokens) {  // others hold the pages
      EXPECT_EQ(tokens.error().code, Code::out_of_memory) << to_string(tokens.error());
      return;
    }
    EXPECT_EQ(std::ssize(*tokens), *n);
    EXPECT_TRUE(begins(question_->prompt, *tokens));
  }

  void follows_a_grammar() {
    const auto g = until_taken([&] { return model_.generate(question_->prompt, choosing()); });
    ASSERT_TRUE(g) << to_string(g.error());
    EXPECT_EQ(g->text, question_->chosen);
  }

  void brings_poison() {
    GenerateOptions o = asking(5);
    o.grammar = kPoison[below(std::size(kPoison))];
    const auto g = model_.generate(question_->prompt, o);
    ASSERT_FALSE(g) << o.grammar.text.substr(0, 40);
    EXPECT_NE(g.error().code, Code::queue_full) << to_string(g.error());
    o.grammar = kBomb;
    const auto held = until_taken([&] { return model_.generate(question_->prompt, o); });
    ASSERT_TRUE(held) << to_string(held.error());
    EXPECT_EQ(held->text.find_first_not_of('a'), std::string::npos) << held->text;
  }

  void floods() {
    GenerateOptions o = asking(100);
    o.n = 128;
    for (int i = 0; i < 3; ++i) {
      const auto made = model_.submit(question_->prompt, o);
      EXPECT_TRUE(made || made.error().code == Code::queue_full) << to_string(made.error());
    }
  }

  const Model model_;
  std::mt19937 random_;
  const std::string session_;
  const Question* question_ = nullptr;
};

// Models that are loaded and freed: idle ones, one whose streams outlive it, one that answers while
// it is freed, and files that are not models.
void come_and_go(int number, int n_rounds, const std::filesystem::path& folder) {
  const std::array<std::string, 3> names = {"qwen2_untied", "bitnet_b158", "mistral_window"};
  const std::string& name = names[number % names.size()];
  const LoadOptions options = {.threads = 2,
                               .context = 256,
                               .prefix_folder = (folder / "prompts").string(),
                               .packed_cache = PackedUse::off};
  const Ids prompt(70, 7);
  const Ids alone = loaded(name, options).generate(prompt, asking(20))->ids;
  const std::string broken = (folder / ("broken" + std::to_string(number))).string();
  std::filesystem::copy_file(tiny(name), broken);
  std::filesystem::resize_file(broken, 5000);
  for (int i = 0; i < n_rounds; ++i) {
    EXPECT_EQ(Model::load(broken).error().code, Code::corrupt);
    std::vector<Stream> streams;
    {
      const Model model = loaded(name, options);
      if (i % 3 > 0) {
        GenerateOptions o = asking(20);
        o.n = 2;
        streams = std::move(*model.submit(prompt, o));
      }
      if (i % 2 == 0) {
        EXPECT_EQ(model.generate(prompt, asking(20))->ids, alone);
      }
    }
    if (i % 3 == 1) {
      EXPECT_EQ(streams[0].result()->ids, alone);
    }
  }
}

TEST(Stress, EveryAnswerIsTheOneItGivesAlone) {
  constexpr int kCallers = 6, kActs = 78;
  const TemporaryFolder folder("stress");
  (void)questions();
  const Model model = loaded_model(tiny("llama_gqa3_tied"));  // its own draft
  std::vector<std::thread> threads;
  for (int i = 0; i < kCallers; ++i)
    threads.emplace_back([&, i] { Caller(model, i, folder.path()).run(kActs); });
  for (int i = 0; i < 2; ++i) threads.emplace_back([&, i] { come_and_go(i, 12, folder.path()); });
  for (std::thread& thread : threads) thread.join();

  // The whole cache at once: a page that were still held would be missing, and CHECK stops.
  const Ids everything(kContext, 9);
  EXPECT_TRUE(model.score(everything, 0, [](int64_t, std::span<const float>) { return true; }));
  for (const Question& q : questions())
    EXPECT_EQ(model.generate(q.prompt, asking(kLongest))->ids, q.greedy);
}

}  // namespace
}  // namespace quern
