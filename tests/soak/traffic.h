// What clients do to a server: requests of every kind and length, read, cut short, left unread.
#pragma once
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "quern/model.h"

namespace quern::soak {

using Ids = std::vector<int32_t>;

// What was asked, and what was wrong with it. Thread-safe.
class Journal {
 public:
  void count(const std::string& act);
  void blame(const std::string& what);

  std::string counts() const;  // "embeds 12, generates 80, ..."
  std::string faults() const;  // a line each, the first ones
  int64_t n_acts() const;
  bool clean() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, int64_t>> counts_;
  std::vector<std::string> faults_;
};

// Prompts whose greedy answers are known from the start.
struct Canary {
  Ids prompt, answer;
  std::vector<float> vector;  // its embedding
};
Canary make_canary(const Model& model, Ids prompt);
// The same bits again?
bool sings_alike(const Model& model, const Canary& canary);

// One client after the other. Of one thread.
class Client {
 public:
  Client(Model model, const std::string& text, const std::vector<Canary>& canaries, uint32_t seed,
         const std::string& folder, Journal& journal);
  // One thing of many.
  void act();

 private:
  int below(size_t n) { return static_cast<int>(random_() % n); }
  std::string some_text(int max_bytes);
  Ids some_prompt(int max_tokens);
  GenerateOptions some_options();
  void check(const Result<Generation>& got, const std::string& streamed, const char* what);

  void generates();
  void streams();
  void reads_late();
  void leaves();
  void constrains();
  void embeds();
  void talks();
  void keeps_a_session();
  void listens();

  const Model model_;
  const std::string& text_;
  const std::vector<Canary>& canaries_;
  std::mt19937 random_;
  const std::string session_;
  Journal& journal_;
};

}  // namespace quern::soak
