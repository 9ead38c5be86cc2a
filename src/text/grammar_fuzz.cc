// libFuzzer target: a grammar of any kind from arbitrary bytes, compiled under its limits, and some
// tokens chosen under its masks. Nothing may crash, hang or leak; a token that a mask allows is
// consumed, one that it does not is refused.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "text/grammar.h"
#include "text/tokenizer.h"

namespace quern {
namespace {

constexpr int kControl = 128;  // after the 128 ASCII characters
constexpr int kEnd = 129;

Tokenizer ascii_tokenizer() {
  Vocabulary v;
  v.kind = "llama";
  for (int byte = 0; byte < 128; ++byte) {
    const char* digits = "0123456789ABCDEF";
    v.tokens.push_back(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">");
    v.types.push_back(TokenType::byte);
    v.scores.push_back(0);
  }
  v.tokens.insert(v.tokens.end(), {"<call>", "</s>", "true", "\":"});
  v.types.insert(v.types.end(),
                 {TokenType::control, TokenType::control, TokenType::normal, TokenType::normal});
  v.scores.resize(v.tokens.size());
  v.eos = kEnd;
  auto made = Tokenizer::from_vocabulary(v);
  if (!made) std::abort();
  return *made;
}

void walk(GrammarMatcher matcher, const Tokenizer& tokenizer, uint8_t seed) {
  uint32_t bits[5] = {};
  uint32_t random = seed;
  for (int step = 0; step < 40 && !matcher.stopped(); ++step) {
    if (!matcher.mask(bits)) return;
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < tokenizer.n_vocab(); ++id) {
      if (bits[id / 32] >> (id % 32) & 1u) allowed.push_back(id);
    }
    if (allowed.empty()) std::abort();
    random = random * 1664525u + 1013904223u;
    const auto any = static_cast<int32_t>((random >> 8u) % 132u);
    if (!(bits[any / 32] >> (any % 32) & 1u) && any == kControl && matcher.consume(any)) {
      std::abort();
    }
    if (!matcher.consume(allowed[(random >> 16u) % allowed.size()])) return;
  }
}

void run(const uint8_t* data, size_t size) {
  static const Tokenizer tokenizer = ascii_tokenizer();
  static const GrammarEngine engine = [] {
    const int32_t ends[] = {kEnd};
    auto made = GrammarEngine::make(tokenizer, ends, {.kept = 0, .kept_bytes = 0});
    if (!made) std::abort();
    return std::move(*made);
  }();
  if (size < 2) return;
  const auto kind = static_cast<GrammarKind>(data[0] % 7);
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto grammar = engine.compile({kind, text, data[1] % 2 == 1});
  if (!grammar) return;
  auto matcher = GrammarMatcher::make(*grammar);
  if (!matcher) std::abort();
  walk(std::move(*matcher), tokenizer, data[1]);
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::run(data, size);
  return 0;
}
