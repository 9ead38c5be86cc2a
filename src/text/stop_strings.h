// Stop strings in a text that arrives in pieces: a stop may lie across any number of tokens.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// Finds the first stop to be complete; of several that end at the same byte, the one that starts
// first. Text before it is let through, the stop itself and what follows are not. What could still
// become a stop is held back, and nothing else is, so the output is the same however the text was
// cut. Feed whole characters (text/utf8_stream.h) to get whole characters. One pass, constant work
// per byte (Aho-Corasick). Not thread-safe; copies are independent.
class StopStrings {
 public:
  // Empty strings are ignored: they would stop before the first byte.
  explicit StopStrings(const std::vector<std::string>& stops);

  struct Step {
    std::string text;            // let through now
    std::optional<size_t> stop;  // index into `stops` of the one found; then nothing follows
  };

  // After a stop was found further pushes give nothing.
  Step push(std::string_view text);
  // The end of the text: what was held back. Ready for a new text afterwards.
  std::string flush();
  // Bytes held back now.
  size_t held() const { return held_.size(); }

 private:
  struct Node {
    std::map<char, int32_t> next;
    int32_t fallback = 0;  // the longest proper suffix that is also in the tree
    int32_t depth = 0;
    int32_t stop = -1;  // the longest stop that ends here, -1: none
  };
  void add(const std::string& stop, int32_t index);
  void link();
  int32_t advance(int32_t node, char byte) const;

  std::vector<Node> nodes_;
  std::vector<size_t> lengths_;
  int32_t state_ = 0;
  std::string held_;  // always as long as the depth of state_
  bool stopped_ = false;
};

}  // namespace quern
