// Answers chosen at random under a grammar's masks, for oracles that check them (oracle.mjs), and
// the time masks take. Reads JSON lines {"kind": "json_schema", "text": "...", "n": 5, "accept":
// [...]} from standard input, writes one line each: {"code": "ok", "compile_us": 1, "outputs":
// [...], "unfinished": 0, "error": "", "accepts": [...]}. At the end, to standard error, a line of
// mask times. Usage: grammar_walk VOCABULARY (a name in tests/data/text) < in > out
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "support/reference_tokenizer.h"
#include "text/grammar.h"
#include "text/utf8_stream.h"

namespace quern {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr int kMaxTokens = 400;  // of one answer
constexpr int kFreeTokens = 60;  // then what closes is preferred

double microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

GrammarKind kind_of(const std::string& name) {
  static const std::map<std::string, GrammarKind> kKinds = {
      {"json_object", GrammarKind::json_object},
      {"json_schema", GrammarKind::json_schema},
      {"regex", GrammarKind::regex},
      {"lark", GrammarKind::lark},
      {"choice", GrammarKind::choice},
      {"tools", GrammarKind::tools}};
  const auto found = kKinds.find(name);
  return found == kKinds.end() ? GrammarKind::none : found->second;
}

struct Walk {
  std::string text;
  std::string error;  // the matcher's, where it failed
  bool ended = false;
};

class Walker {
 public:
  Walker(Tokenizer tokenizer, int32_t end, GrammarEngine engine)
      : tokenizer_(std::move(tokenizer)), end_(end), engine_(std::move(engine)) {
    for (int32_t id = 0; id < tokenizer_.n_vocab(); ++id) {
      const std::string bytes = tokenizer_.bytes(id, false);
      const bool short_one = bytes.size() == 1;
      if (short_one && std::string("\"}],:0").find(bytes[0]) != std::string::npos)
        closers_.push_back(id);
      if (short_one) bytes_.push_back(id);
    }
    bits_.resize(static_cast<size_t>(tokenizer_.n_vocab()) / 32 + 1);
  }

  Json answer(const Json& in);
  std::vector<double> mask_us;

 private:
  bool is_allowed(int32_t id) const {
    return bits_[static_cast<size_t>(id) / 32] >> (id % 32) & 1u;
  }
  int32_t any_of(const std::vector<int32_t>& ids);
  int32_t any();
  int32_t choose(int n, bool may_end);
  Walk walk(const Grammar& grammar);
  bool accepts(const Grammar& grammar, const std::string& text);

  Tokenizer tokenizer_;
  int32_t end_;
  GrammarEngine engine_;
  std::vector<int32_t> closers_, bytes_;
  std::vector<uint32_t> bits_;
  std::mt19937_64 random_{1};
};

// An allowed one of these, or -1.
int32_t Walker::any_of(const std::vector<int32_t>& ids) {
  std::vector<int32_t> found;
  for (const int32_t id : ids) {
    if (is_allowed(id)) found.push_back(id);
  }
  return found.empty() ? -1 : found[random_() % found.size()];
}

// Every allowed token with the same chance.
int32_t Walker::any() {
  size_t n = 0;
  for (const uint32_t word : bits_) n += static_cast<size_t>(__builtin_popcount(word));
  if (n == 0) return -1;
  size_t wanted = random_() % n;
  for (size_t i = 0;; ++i) {
    const auto here = static_cast<size_t>(__builtin_popcount(bits_[i]));
    if (wanted >= here) {
      wanted -= here;
      continue;
    }
    uint32_t word = bits_[i];
    for (; wanted > 0; --wanted) word &= word - 1;
    return static_cast<int32_t>(i * 32) + __builtin_ctz(word);
  }
}

// Even choices alone would seldom end a string: half are of single bytes, and what closes gains
// weight with length.
int32_t Walker::choose(int n, bool may_end) {
  if (may_end && (random_() % 4 == 0 || n > kFreeTokens)) return end_;
  const uint64_t draw = random_() % 100;
  int32_t id = -1;
  if (n > kFreeTokens ? draw < 90 : draw < 25) id = any_of(closers_);
  if (id < 0 && draw % 2 == 0) id = any_of(bytes_);
  return id < 0 ? any() : id;
}

Walk Walker::walk(const Grammar& grammar) {
  Walk out;
  auto matcher = GrammarMatcher::make(grammar);
  if (!matcher) return {"", matcher.error().what};
  for (int n = 0; n < kMaxTokens; ++n) {
    if (matcher->stopped()) {
      out.ended = true;
      return out;
    }
    const auto start = Clock::now();
    if (auto done = matcher->mask(bits_); !done) return {"", done.error().what};
    mask_us.push_back(microseconds(start));
    const bool may_end = is_allowed(end_);
    if (may_end != matcher->may_end()) return {"", "the end and may_end() differ"};
    const int32_t id = choose(n, may_end);
    if (id < 0) return {"", "no token is allowed"};
    if (auto done = matcher->consume(id); !done)
      return {"", "allowed, but refused: " + done.error().what};
    out.text += tokenizer_.bytes(id, false);
  }
  return out;
}

bool Walker::accepts(const Grammar& grammar, const std::string& text) {
  auto matcher = GrammarMatcher::make(grammar);
  auto ids = tokenizer_.encode(text);
  if (!matcher || !ids) return false;
  for (const int32_t id : *ids) {
    if (!matcher->consume(id)) return false;
  }
  return matcher->may_end();
}

Json Walker::answer(const Json& in) {
  const auto start = Clock::now();
  auto grammar =
      engine_.compile({kind_of(in.at("kind")), in.at("text"), in.value("compact", false)});
  Json out = {{"code", "ok"}, {"compile_us", microseconds(start)}};
  if (!grammar) {
    out["code"] = name(grammar.error().code);
    out["error"] = to_valid_utf8(grammar.error().what);
    return out;
  }
  Json outputs = Json::array(), errors = Json::array(), accepted = Json::array();
  int unfinished = 0;
  for (int i = 0; i < in.value("n", 5); ++i) {
    const Walk one = walk(*grammar);
    if (!one.error.empty()) {
      errors.push_back(to_valid_utf8(one.error));
    } else if (one.ended && !is_valid_utf8(one.text)) {
      errors.push_back("not UTF-8: " + to_valid_utf8(one.text));
    } else if (one.ended) {
      outputs.push_back(one.text);
    } else {
      ++unfinished;
    }
  }
  for (const auto& text : in.value("accept", Json::array()))
    accepted.push_back(accepts(*grammar, text));
  out["outputs"] = outputs, out["errors"] = errors, out["unfinished"] = unfinished;
  out["accepts"] = accepted;
  return out;
}

double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print_times(std::vector<double> times, double made_ms) {
  if (times.empty()) return;
  std::ranges::sort(times);
  double sum = 0;
  for (const double time : times) sum += time;
  std::fprintf(
      stderr, "engine %.0f ms; %zu masks, us: mean %.1f p50 %.1f p90 %.1f p99 %.1f max %.0f\n",
      made_ms, times.size(), sum / static_cast<double>(times.size()), percentile(times, 0.5),
      percentile(times, 0.9), percentile(times, 0.99), times.back());
}

int run(const char* name) {
  const auto arrays = testing::text_reference(name);
  const Vocabulary vocabulary = testing::vocabulary_of(arrays, testing::unpacked(arrays));
  auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  if (!tokenizer) return 1;
  int32_t end = -1;
  for (const char* piece : {"<|im_end|>", "</s>", "<|endoftext|>"}) {
    if (end < 0) end = tokenizer->id_of(piece).value_or(-1);
  }
  const auto start = Clock::now();
  auto engine = GrammarEngine::make(*tokenizer, {&end, 1});
  const double made_ms = microseconds(start) / 1000;
  if (!engine) return 1;
  Walker walker(*tokenizer, end, std::move(*engine));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << walker.answer(Json::parse(line)).dump() << std::endl;
  }
  print_times(walker.mask_us, made_ms);
  return 0;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: grammar_walk VOCABULARY < in.jsonl > out.jsonl\n");
    return 2;
  }
  return quern::run(argv[1]);
}
