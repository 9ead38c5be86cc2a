#include "tool_calls/value_reader.h"

#include <array>

namespace quern {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_quote(char c) { return c == '"' || c == '\'' || c == ValueReader::kMarkQuote; }
bool in_words(char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; }

void append_unicode(unsigned char byte, std::string& out) {
  constexpr const char* kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[byte >> 4u];
  out += kDigits[byte & 15u];
}

struct Word {
  std::string_view written, json;
};
constexpr std::array kWords = {Word{"true", "true"}, Word{"false", "false"}, Word{"null", "null"},
                               Word{"True", "true"}, Word{"False", "false"}, Word{"None", "null"}};

// As JSON has the number; empty: it is none.
std::string number_of(std::string_view word) {
  if (!word.empty() && word.front() == '+') word.remove_prefix(1);
  std::string number(word);
  const size_t sign = number.starts_with('-') ? 1 : 0;
  if (number.size() > sign && number[sign] == '.') number.insert(sign, "0");
  if (number.ends_with('.')) number += '0';
  return is_json_number(number) ? number : std::string();
}

}  // namespace

void append_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          append_unicode(static_cast<unsigned char>(c), out);
        } else {
          out += c;
        }
    }
  }
}

bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    size_t n = 0;
    while (n < text.size() && is_digit(text[n])) ++n;
    text.remove_prefix(n);
    return n;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool zero = text.starts_with('0');
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

void ValueReader::write_comma(std::string& out) {
  if (comma_) out += ',';
  comma_ = false;
}

void ValueReader::begin_string(char quote, bool name, std::string& out) {
  write_comma(out);
  out += '"';
  quote_ = quote;
  is_name_ = name;
  state_ = State::string;
}

ValueReader::Step ValueReader::open(char closer, std::string& out) {
  if (closers_.size() == kMostDepth) return Step::bad;
  write_comma(out);
  out += closer == '}' ? '{' : '[';
  closers_ += closer;
  state_ = closer == '}' ? State::name : State::first;
  return Step::more;
}

ValueReader::Step ValueReader::close(std::string& out) {
  out += closers_.back() == '}' ? '}' : ']';
  closers_.pop_back();
  comma_ = false;
  return ended();
}

ValueReader::Step ValueReader::ended() {
  state_ = State::after;
  return closers_.empty() ? Step::done : Step::more;
}

ValueReader::Step ValueReader::begin_value(char c, std::string& out) {
  if (is_space(c)) return Step::more;
  if (state_ == State::first && c == closers_.back()) return close(out);
  if (kind_ == 0) kind_ = is_quote(c) ? '"' : c == '{' || c == '[' ? c : c == '(' ? '[' : 'w';
  if (c == '{') return open('}', out);
  if (c == '[') return open(']', out);
  if (c == '(') return open(')', out);
  if (is_quote(c)) return begin_string(c, false, out), Step::more;
  if (!in_words(c)) return Step::bad;
  word_.assign(1, c);
  state_ = State::word;
  return Step::more;
}

ValueReader::Step ValueReader::begin_name(char c, std::string& out) {
  if (is_space(c)) return Step::more;
  if (c == '}') return close(out);
  if (is_quote(c)) return begin_string(c, true, out), Step::more;
  if (!is_letter(c)) return Step::bad;
  word_.assign(1, c);
  state_ = State::bare_name;
  return Step::more;
}

ValueReader::Step ValueReader::after(char c, std::string& out) {
  if (is_space(c)) return Step::more;
  if (c == closers_.back()) return close(out);
  if (c != ',') return Step::bad;
  comma_ = true;
  state_ = closers_.back() == '}' ? State::name : State::first;
  return Step::more;
}

ValueReader::Step ValueReader::in_word(char c, std::string& out) {
  if (in_words(c)) {
    word_ += c;
    return word_.size() > kMostWord ? Step::bad : Step::more;
  }
  std::string json;
  for (const Word& word : kWords)
    if (word.written == word_) json = word.json;
  if (json.empty()) json = number_of(word_);
  if (json.empty()) return Step::bad;
  write_comma(out);
  out += json;
  if (ended() == Step::done) return Step::before;
  return after(c, out);
}

ValueReader::Step ValueReader::string_ended(std::string& out) {
  out += '"';
  if (!is_name_) return ended();
  state_ = State::colon;
  return Step::more;
}

ValueReader::Step ValueReader::in_text(char c, std::string& out) {
  if (c == quote_) return string_ended(out);
  if (c == '\\' && quote_ != kMarkQuote) {
    state_ = State::escape;
    return Step::more;
  }
  append_escaped({&c, 1}, out);
  return Step::more;
}

ValueReader::Step ValueReader::escaped(char c, std::string& out) {
  state_ = State::string;
  switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      out += '\\';
      out += c;
      return Step::more;
    case '\'':
      out += c;
      return Step::more;
    case 'u':
    case 'x':
      state_ = State::unicode;
      n_hex_ = c == 'u' ? 4 : 2;
      word_.clear();
      return Step::more;
    default:  // the backslash was meant as one
      out += "\\\\";
      return in_text(c, out);
  }
}

// Half of a pair alone is no character.
void ValueReader::drop_half(std::string& out) {
  if (half_) out += "\\ufffd";
  half_ = false;
}

ValueReader::Step ValueReader::hex(char c, std::string& out) {
  if (!is_hex(c)) {  // no escape after all
    drop_half(out);
    out += n_hex_ == 4 ? "\\\\u" : "\\\\x";
    out += word_;
    state_ = State::string;
    return in_text(c, out);
  }
  word_ += c;
  if (word_.size() < n_hex_) return Step::more;
  state_ = State::string;
  const int value = std::stoi(word_, nullptr, 16);
  const bool first = value >= 0xD800 && value < 0xDC00, second = value >= 0xDC00 && value < 0xE000;
  if (half_ && second) {
    out += half_text_ + "\\u" + word_;
    half_ = false;
    return Step::more;
  }
  drop_half(out);
  if (first) {
    half_ = true;
    half_text_ = "\\u" + word_;
    state_ = State::second_half;
    word_.clear();
  } else if (second) {
    out += "\\ufffd";
  } else {
    out += (n_hex_ == 4 ? "\\u" : "\\u00") + word_;
  }
  return Step::more;
}

ValueReader::Step ValueReader::second_half(char c, std::string& out) {
  if (word_.empty() && c == '\\') {
    word_ = c;
    return Step::more;
  }
  const bool escape = !word_.empty();
  word_.clear();
  if (escape && c == 'u') {
    state_ = State::unicode;
    n_hex_ = 4;
    return Step::more;
  }
  drop_half(out);
  state_ = State::string;
  return escape ? escaped(c, out) : in_text(c, out);
}

ValueReader::Step ValueReader::feed(char c, std::string& out) {
  switch (state_) {
    case State::value:
    case State::first:
      return begin_value(c, out);
    case State::name:
      return begin_name(c, out);
    case State::bare_name:
      if (is_letter(c) || is_digit(c) || c == '-' || c == '.') {
        word_ += c;
        return word_.size() > kMostWord ? Step::bad : Step::more;
      }
      write_comma(out);
      out += '"' + word_ + '"';
      state_ = State::colon;
      [[fallthrough]];
    case State::colon:
      if (is_space(c)) return Step::more;
      if (c != ':') return Step::bad;
      out += ':';
      state_ = State::value;
      return Step::more;
    case State::after:
      return after(c, out);
    case State::word:
      return in_word(c, out);
    case State::string:
      return in_text(c, out);
    case State::escape:
      return escaped(c, out);
    case State::unicode:
      return hex(c, out);
    case State::second_half:
      return second_half(c, out);
  }
  return Step::bad;
}

ValueReader::Step ValueReader::finish(std::string& out) {
  if (state_ == State::word && closers_.empty()) return in_word(' ', out);
  return state_ == State::after && closers_.empty() ? Step::before : Step::bad;
}

}  // namespace quern
