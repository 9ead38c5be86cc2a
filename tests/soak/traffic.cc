#include "soak/traffic.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include "base/utf8.h"

namespace quern::soak {
namespace {

constexpr int kCanaryTokens = 24;
constexpr size_t kMaxFaults = 20;

GenerateOptions greedy(int max_tokens) {
  GenerateOptions o;
  o.max_tokens = max_tokens;
  o.sampling.temperature = 0;
  return o;
}

const GrammarSpec kGrammars[] = {
    {.kind = GrammarKind::json_object},
    {.kind = GrammarKind::choice, .text = R"(["yes","no","perhaps"])"},
    {.kind = GrammarKind::regex, .text = "[0-9]{4}-[0-9]{2}-[0-9]{2}"},
    {.kind = GrammarKind::json_schema,
     .text = R"({"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":99}},)"
             R"("required":["n"],"additionalProperties":false})",
     .compact = true},
};

// Every one another grammar: nothing that is kept of them may pile up.
GrammarSpec new_grammar(uint32_t number) {
  return {.kind = GrammarKind::regex, .text = "[a-z ]{1,20}" + std::to_string(number)};
}

}  // namespace

void Journal::count(const std::string& act) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, n] : counts_) {
    if (name == act) {
      ++n;
      return;
    }
  }
  counts_.emplace_back(act, 1);
}

void Journal::blame(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (faults_.size() < kMaxFaults) faults_.push_back(what);
}

std::string Journal::counts() const {
  const std::lock_guard lock(mutex_);
  std::string all;
  for (const auto& [name, n] : counts_)
    all += (all.empty() ? "" : ", ") + name + " " + std::to_string(n);
  return all;
}

std::string Journal::faults() const {
  const std::lock_guard lock(mutex_);
  std::string all;
  for (const std::string& fault : faults_) all += fault + "\n";
  return all;
}

int64_t Journal::n_acts() const {
  const std::lock_guard lock(mutex_);
  int64_t n = 0;
  for (const auto& [name, times] : counts_) n += times;
  return n;
}

bool Journal::clean() const {
  const std::lock_guard lock(mutex_);
  return faults_.empty();
}

Canary make_canary(const Model& model, Ids prompt) {
  Canary made{.prompt = std::move(prompt)};
  if (const auto g = model.generate(made.prompt, greedy(kCanaryTokens))) made.answer = g->ids;
  if (const auto e = model.embed(std::span(&made.prompt, 1))) made.vector = e->values;
  return made;
}

bool sings_alike(const Model& model, const Canary& canary) {
  const Canary now = make_canary(model, canary.prompt);
  return !now.vector.empty() && now.answer == canary.answer && now.vector == canary.vector;
}

Client::Client(Model model, const std::string& text, const std::vector<Canary>& canaries,
               uint32_t seed, const std::string& folder, Journal& journal)
    : model_(std::move(model)),
      text_(text),
      canaries_(canaries),
      random_(seed),
      session_(folder + "/session" + std::to_string(seed)),
      journal_(journal) {}

void Client::act() {
  struct Act {
    const char* name;
    void (Client::*run)();
    int weight;
  };
  static constexpr Act kActs[] = {
      {"generates", &Client::generates, 4},   {"streams", &Client::streams, 4},
      {"reads late", &Client::reads_late, 1}, {"leaves", &Client::leaves, 3},
      {"constrains", &Client::constrains, 3}, {"embeds", &Client::embeds, 2},
      {"talks", &Client::talks, 2},           {"keeps a session", &Client::keeps_a_session, 1},
      {"listens", &Client::listens, 1}};
  int sum = 0;
  for (const Act& one : kActs) sum += one.weight;
  int at = below(sum);
  const Act* chosen = kActs;
  while (at >= chosen->weight) at -= (chosen++)->weight;
  journal_.count(chosen->name);
  (this->*chosen->run)();
}

// Bytes from anywhere: it may begin and end inside a character.
std::string Client::some_text(int max_bytes) {
  const int n = 1 + below(std::min<size_t>(max_bytes, text_.size()));
  return text_.substr(below(text_.size() - n + 1), n);
}

Ids Client::some_prompt(int max_tokens) {
  Ids ids = *model_.tokenize(some_text(4 * max_tokens));
  if (std::ssize(ids) > max_tokens) ids.resize(max_tokens);
  if (ids.empty()) ids.push_back(1);
  return ids;
}

GenerateOptions Client::some_options() {
  GenerateOptions o = greedy(below(40));
  o.sampling.temperature = static_cast<float>(below(3)) / 2;
  o.sampling.seed = random_();
  o.sampling.n_probs = below(5) == 0 ? below(5) : -1;
  o.ignore_eos = below(2) == 0;
  o.priority = below(3);
  o.client = std::string(1, static_cast<char>('a' + below(5)));
  o.deadline_ms = below(4) == 0 ? 1 + below(300) : 0;
  o.cache_salt = below(5) == 0 ? std::to_string(random_()) : "";
  if (below(4) == 0) o.stop = {"the", "\n\n", "\xc3\xa9"};
  return o;
}

void Client::check(const Result<Generation>& got, const std::string& streamed, const char* what) {
  if (!got) return journal_.blame(std::string(what) + ": " + to_string(got.error()));
  if (got->text != streamed) journal_.blame(std::string(what) + ": streamed another text");
  if (!is_utf8(got->text)) journal_.blame(std::string(what) + ": not UTF-8");
}

void Client::generates() {
  std::string text;
  int left = below(3) == 0 ? below(10) : 1000;  // some hang up
  const auto g = model_.generate(some_prompt(300), some_options(), [&](const Delta& d) {
    text += d.text;
    if (!is_utf8(d.text)) journal_.blame("generate: a piece that is not UTF-8");
    return --left > 0;
  });
  check(g, text, "generate");
}

void Client::streams() {
  GenerateOptions o = some_options();
  o.n = 1 + below(4);
  auto made = model_.submit(some_prompt(200), o);
  if (!made) return journal_.blame("submit: " + to_string(made.error()));
  for (Stream& stream : *made) {
    std::string text;
    while (auto piece = stream.next()) {
      text += piece->text;
      if (below(60) == 0) stream.cancel();
    }
    check(stream.result(), text, "stream");
  }
}

void Client::reads_late() {
  GenerateOptions o = some_options();
  o.max_tokens = 300;
  o.ignore_eos = true;
  o.deadline_ms = 2000;
  auto made = model_.submit(some_prompt(20), o);
  if (!made) return journal_.blame("submit: " + to_string(made.error()));
  Stream& stream = made->front();
  std::string text;
  while (!stream.over()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(below(100)));
    while (auto piece = stream.next(std::chrono::milliseconds(1))) text += piece->text;
  }
  check(stream.result(), text, "a late reader");
}

void Client::leaves() {
  for (int i = 0; i < 5; ++i) {
    GenerateOptions o = some_options();
    o.n = 1 + below(8);
    auto made = model_.submit(some_prompt(400), o);
    if (!made) return journal_.blame("submit: " + to_string(made.error()));
    if (below(2)) (void)made->front().next(std::chrono::milliseconds(below(20)));
  }
}

void Client::constrains() {
  GenerateOptions o = some_options();
  o.max_tokens = 24;
  o.grammar = below(3) ? kGrammars[below(std::size(kGrammars))] : new_grammar(random_());
  o.stop.clear();
  std::string text;
  const auto g = model_.generate(some_prompt(60), o, [&](const Delta& d) {
    text += d.text;
    return true;
  });
  check(g, text, "a grammar");
}

void Client::embeds() {
  std::vector<Ids> texts(1 + below(6));
  for (Ids& text : texts) text = some_prompt(120);
  if (const auto made = model_.embed(texts, {.pooling = Pooling::mean}); !made)
    journal_.blame("embed: " + to_string(made.error()));
}

void Client::talks() {
  std::vector<Message> talk;
  for (int i = 0; i < 3; ++i) {
    talk.push_back({"user", some_text(60)});
    const auto prompt = model_.chat_prompt(talk);
    if (!prompt) return journal_.blame("chat_prompt: " + to_string(prompt.error()));
    const auto g = model_.generate(*prompt, greedy(12));
    if (!g) return journal_.blame("a talk: " + to_string(g.error()));
    talk.push_back({"assistant", g->text});
  }
}

// Others may hold all pages just then.
void Client::keeps_a_session() {
  const Ids prompt = some_prompt(100);
  (void)model_.generate(prompt, greedy(2));
  const auto n = model_.save_session(session_, prompt);
  if (!n) return journal_.blame("save_session: " + to_string(n.error()));
  const auto tokens = model_.load_session(session_);
  if (!tokens && tokens.error().code != Code::out_of_memory)
    journal_.blame("load_session: " + to_string(tokens.error()));
}

void Client::listens() {
  if (!sings_alike(model_, canaries_[below(canaries_.size())]))
    journal_.blame("a greedy answer or an embedding is not what it was");
}

}  // namespace quern::soak
