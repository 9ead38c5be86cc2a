// Stop strings in a text that arrives in pieces: a stop may lie across any number of tokens.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// A stop string in which the texts of control tokens stand for these tokens: its bytes, 0 to 255,
// and kStopToken + id for a token.
using StopSymbols = std::vector<int32_t>;
constexpr int32_t kStopToken = 256;

// The patterns of several stops as one tree; constant work per symbol (Aho-Corasick).
class StopTree {
 public:
  StopTree() : nodes_(1) {}
  // Empty patterns are ignored: they would stop before the first symbol. `index`: what found()
  // says.
  void add(const StopSymbols& pattern, size_t index);
  void link();  // once, behind the last add

  bool empty() const { return nodes_.size() == 1; }
  bool knows(int32_t token) const { return tokens_.contains(token); }
  void advance(int32_t symbol) { state_ = next(state_, symbol); }
  void restart() { state_ = 0; }

  // Bytes of what could still become a stop, without its tokens.
  size_t held() const { return static_cast<size_t>(nodes_[state_].bytes); }
  // The stop that ends here, of several the longest, and its bytes.
  struct Found {
    size_t index, bytes;
  };
  std::optional<Found> found() const;

 private:
  struct Node {
    std::map<int32_t, int32_t> next;
    int32_t fallback = 0;  // the longest proper suffix that is also in the tree
    int32_t bytes = 0;     // on the way here
    int32_t stop = -1;     // the longest pattern that ends here; -1: none
  };
  struct Pattern {
    size_t index, bytes;
  };
  int32_t next(int32_t node, int32_t symbol) const;

  std::vector<Node> nodes_;
  std::vector<Pattern> patterns_;
  std::set<int32_t> tokens_;  // in patterns
  int32_t state_ = 0;
};

// Finds the first stop to be complete; of several that end at the same byte, the one that starts
// first. Text before it is let through, the stop itself and what follows are not. What could still
// become a stop is held back, and nothing else is, so the output is the same however the text was
// cut. Feed whole characters (text/utf8_stream.h) to get whole characters. Not thread-safe; copies
// are independent.
//
// Control tokens are no part of the text. A stop that spells some is looked for in two forms: as
// text, and with all of them as tokens. In both, control tokens that no stop spells are skipped.
class StopStrings {
 public:
  // Empty strings are ignored. with_tokens: by stop, its form with tokens; empty where it spells
  // none, and where the list ends.
  explicit StopStrings(const std::vector<std::string>& stops,
                       const std::vector<StopSymbols>& with_tokens = {});

  struct Step {
    std::string text;            // let through now
    std::optional<size_t> stop;  // index into `stops` of the one found; then nothing follows
  };

  // After a stop was found further pushes give nothing.
  Step push(std::string_view text);
  // A control token came, behind what was pushed.
  Step push_token(int32_t id);
  // The end of the text: what was held back. Ready for a new text afterwards.
  std::string flush();
  // Bytes held back now.
  size_t held() const { return held_.size(); }

 private:
  void settle(Step& step);

  StopTree texts_, tokens_;
  std::string held_;  // always as long as the longer of what the two trees hold
  bool stopped_ = false;
};

}  // namespace quern
