// Fixed texts in a text that comes byte by byte.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// Which of several texts comes next. None is the beginning of another one.
class NextOf {
 public:
  explicit NextOf(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  enum class Step { more, found, none };
  // none: no text continues with c; `length` bytes before it had matched, and nothing has now.
  Step feed(char c);
  size_t index() const { return index_; }    // of the one found
  size_t length() const { return length_; }  // matched so far, and of the one found or missed
  bool any() const { return active_; }       // a text has begun

 private:
  std::vector<std::string> texts_;
  size_t index_ = 0, length_ = 0;
  bool active_ = false;
};

// The first place where a text stands, after however much else (Knuth, Morris, Pratt).
class FirstPlace {
 public:
  explicit FirstPlace(std::string text);
  // Whether the text ends with c. Bytes that cannot be part of it any more go to `passed`.
  bool feed(char c, std::string& passed);
  // What is held back; nothing is afterwards.
  std::string flush();

 private:
  std::string text_;
  std::vector<size_t> fallback_;
  size_t n_matched_ = 0;
};

}  // namespace quern
