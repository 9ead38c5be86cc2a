// One JSON value as models write it, a byte at a time, turned into valid JSON without white space.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern {

// Reads JSON and what models confuse with it, in one pass and without recursion, and writes JSON.
// Repaired: strings in single quotes, control characters and unknown escapes in strings, halves of
// surrogate pairs, names without quotes, commas before a closing bracket, Python's True, False,
// None and tuples, numbers such as ".5", "5." and "+1". Everything else that is no JSON is bad, and
// what was written before it stays the beginning of a JSON value. Holds at most one word.
class ValueReader {
 public:
  static constexpr size_t kMostDepth = 256;  // of brackets
  static constexpr size_t kMostWord = 512;   // bytes of a number or a name without quotes

  // Instead of a quote: what a parser feeds for a template's own quoting mark. Ends where it began.
  static constexpr char kMarkQuote = '\x01';

  enum class Step : uint8_t {
    more,    // the value goes on
    done,    // this byte was its last one
    before,  // the byte before was its last one; this one is not part of it
    bad,     // no value; nothing more may be fed
  };
  // Appends to `out`.
  Step feed(char c, std::string& out);
  // The text ends here: `before` where the value is complete, `bad` where it is not.
  Step finish(std::string& out);

  bool in_string() const { return state_ >= State::string; }
  // What was fed and could not be written yet: a word's beginning.
  std::string unwritten() const { return (comma_ ? "," : "") + word(); }
  // What the value begins with, as JSON has it: '{', '[', '"', or 'w' of a number or word. 0: it
  // has not begun.
  char kind() const { return kind_; }

 private:
  enum class State : uint8_t {
    value,        // one must come
    first,        // of an array: one may come
    name,         // of an object: one may come
    bare_name,    // without quotes, has begun
    colon,        // must come
    after,        // a comma or a closing bracket
    word,         // a number, true, ...
    string,       // these four inside a string
    escape,       // behind a backslash
    unicode,      // in \u or \x
    second_half,  // of a surrogate pair must come: in "\u"
  };
  std::string word() const {
    return state_ == State::word || state_ == State::bare_name ? word_ : std::string();
  }
  Step begin_value(char c, std::string& out);
  Step begin_name(char c, std::string& out);
  Step after(char c, std::string& out);
  Step in_word(char c, std::string& out);
  Step in_text(char c, std::string& out);
  Step escaped(char c, std::string& out);
  Step hex(char c, std::string& out);
  Step second_half(char c, std::string& out);
  Step open(char closer, std::string& out);
  Step close(std::string& out);
  Step ended();
  Step string_ended(std::string& out);
  void begin_string(char quote, bool name, std::string& out);
  void write_comma(std::string& out);
  void drop_half(std::string& out);

  State state_ = State::value;
  std::string closers_;  // of the brackets that are open
  std::string word_;     // or the digits of an escape
  char quote_ = 0, kind_ = 0;
  size_t n_hex_ = 0;  // digits that an escape has
  bool comma_ = false, is_name_ = false;
  bool half_ = false;  // the first half of a surrogate pair is in half_text_
  std::string half_text_;
};

// "text" as JSON writes it inside quotes; `text` may be cut anywhere between bytes.
void append_escaped(std::string_view text, std::string& out);

// A number by JSON's grammar.
bool is_json_number(std::string_view text);

}  // namespace quern
