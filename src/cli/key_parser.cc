#include "cli/key_parser.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace quern::cli {

namespace {

constexpr uint8_t kBell = 0x07, kCancel = 0x18, kSubstitute = 0x1a, kEscape = 0x1b, kDelete = 0x7f;
constexpr size_t kMaxParameters = 64;  // of a key; longer ones are reports

// With Alt the line editor knows these alone (in its emacs mode, which is the usual one).
constexpr std::string_view kAltKeys = "bcdflnpuwBCDFLNPUW\x7f\x08";

struct Row {
  std::string_view sequence;  // parameters and final byte
  std::string_view command;   // what the line editor binds
};
// Without modifiers: with them, and for all other keys, there is no meaning.
constexpr Row kCsi[] = {
    {"A", "\033[A"},    {"B", "\033[B"},    {"C", "\033[C"},    {"D", "\033[D"},
    {"H", "\033[H"},    {"F", "\033[F"},    {"1A", "\033[A"},   {"1B", "\033[B"},
    {"1C", "\033[C"},   {"1D", "\033[D"},   {"1H", "\033[H"},   {"1F", "\033[F"},
    {"1;1A", "\033[A"}, {"1;1B", "\033[B"}, {"1;1C", "\033[C"}, {"1;1D", "\033[D"},
    {"1;1H", "\033[H"}, {"1;1F", "\033[F"}, {"1~", "\033[H"},   {"7~", "\033[H"},
    {"4~", "\033[F"},   {"8~", "\033[F"},   {"3~", "\033[3~"},  {"3;1~", "\033[3~"},
};
constexpr std::string_view kSs3 = "ABCDHF";  // as CSI

// The first bytes of strings and sequences: behind ESC, and as one character of C1.
struct Introducer {
  uint8_t after_escape, c1;
};
constexpr uint8_t kCsiC1 = 0x9b, kSs3C1 = 0x8f;
constexpr Introducer kStrings[] = {{'P', 0x90}, {'X', 0x98}, {']', 0x9d}, {'^', 0x9e}, {'_', 0x9f}};

bool begins_string(uint8_t byte, uint8_t Introducer::*form) {
  return std::ranges::any_of(kStrings, [&](const Introducer& row) { return row.*form == byte; });
}

bool is_control(uint8_t byte) { return byte < 0x20 || byte == kDelete; }

void append_utf8(std::string& text, char32_t code) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

}  // namespace

std::optional<Key> KeyParser::next() {
  if (keys_.empty()) return std::nullopt;
  Key key = std::move(keys_.front());
  keys_.pop_front();
  return key;
}

void KeyParser::press(KeyKind kind, std::string text) {
  if (!pasting_) keys_.push_back({kind, 0, std::move(text)});
}

void KeyParser::begin(State state) {
  state_ = state;
  parameters_.clear();
  intermediates_ = false;
}

void KeyParser::begin_again(uint8_t byte) {
  begin(State::ground);
  feed(byte);
}

void KeyParser::feed(uint8_t byte) {
  switch (state_) {
    case State::ground:
      return ground(byte);
    case State::escape:
      return escape(byte);
    case State::intermediate:
      if (is_control(byte)) return begin_again(byte);
      if (byte >= 0x30) begin(State::ground);
      return;
    case State::csi:
      return csi(byte);
    case State::ss3:
      return ss3(byte);
    case State::console:
      return is_control(byte) ? begin_again(byte) : begin(State::ground);
    case State::mouse:
      return mouse(byte);
    case State::string:
    case State::string_escape:
    case State::string_c1:
      return string(byte);
  }
}

void KeyParser::silence() {
  if (state_ == State::escape && vi_) press(KeyKind::character), keys_.back().character = kEscape;
  begin(State::ground);
  n_missing_ = 0;
  drop_character_ = false;
  if (!std::exchange(pasting_, false)) return;
  press(KeyKind::paste, std::exchange(paste_, {}));
}

void KeyParser::ground(uint8_t byte) {
  if (n_missing_ > 0) {
    if ((byte & 0xc0) == 0x80) {
      code_ = code_ << 6 | (byte & 0x3f);
      if (--n_missing_ == 0) character(code_);
      return;
    }
    n_missing_ = 0;  // not UTF-8: what came is dropped
    drop_character_ = false;
  }
  if (is_control(byte)) return control(byte);
  if (byte < 0x80) return character(byte);
  if (byte < 0xa0) return c1(byte);
  if (byte >= 0xc2 && byte < 0xe0) {
    n_missing_ = 1, code_ = byte & 0x1f, least_ = 0x80;
  } else if (byte >= 0xe0 && byte < 0xf0) {
    n_missing_ = 2, code_ = byte & 0x0f, least_ = 0x800;
  } else if (byte >= 0xf0 && byte < 0xf5) {
    n_missing_ = 3, code_ = byte & 0x07, least_ = 0x10000;
  }
}

void KeyParser::character(char32_t code) {
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool none = code >= 0x80 && (code < least_ || surrogate || code > 0x10ffff);
  if (std::exchange(drop_character_, false) || none) return;
  if (code >= 0x80 && code < 0xa0) return c1(static_cast<uint8_t>(code));
  returned_ = false;
  if (pasting_) return append_utf8(paste_, code);
  keys_.push_back({KeyKind::character, code, {}});
}

void KeyParser::control(uint8_t byte) {
  if (byte == kEscape) return begin(State::escape);
  if (pasting_) {
    const bool ends_return = byte == '\n' && std::exchange(returned_, byte == '\r');
    if (byte == '\r') returned_ = true;
    if (byte == '\t') paste_ += '\t';
    if ((byte == '\n' && !ends_return) || byte == '\r') paste_ += '\n';
    return;
  }
  if (byte == kPlaceholder) return;
  if (byte != 0 && byte == signals_.interrupt) return press(KeyKind::interrupt);
  if (byte != 0 && byte == signals_.suspend) return press(KeyKind::suspend);
  if (byte != 0 && byte == signals_.quit) return press(KeyKind::quit);
  keys_.push_back({KeyKind::character, byte, {}});
}

void KeyParser::c1(uint8_t code) {
  if (code == kCsiC1) return begin(State::csi);
  if (code == kSs3C1) return begin(State::ss3);
  if (begins_string(code, &Introducer::c1)) begin(State::string);
}

void KeyParser::escape(uint8_t byte) {
  if (byte == '[') return begin(State::csi);
  if (byte == 'O') return begin(State::ss3);
  if (begins_string(byte, &Introducer::after_escape)) return begin(State::string);
  if (byte == kEscape && !vi_) return;  // the last one counts
  if (pasting_) {
    if (byte >= 0x20 && byte < 0x30) return begin(State::intermediate);
    return is_control(byte) || byte >= 0x80 ? begin_again(byte) : begin(State::ground);
  }
  begin(State::ground);
  if (vi_) {
    keys_.push_back({KeyKind::character, kEscape, {}});
    return feed(byte);
  }
  const bool is_signal = byte != 0 && (byte == signals_.interrupt || byte == signals_.suspend ||
                                       byte == signals_.quit);
  if (is_signal) return feed(byte);
  if (byte >= 0x80) {
    drop_character_ = true;
    return ground(byte);
  }
  if (kAltKeys.find(static_cast<char>(byte)) != kAltKeys.npos)
    press(KeyKind::command, {static_cast<char>(kEscape), static_cast<char>(byte)});
}

void KeyParser::csi(uint8_t byte) {
  if (byte == kCancel || byte == kSubstitute) return begin(State::ground);
  if (is_control(byte) || byte >= 0x80) return begin_again(byte);
  const bool first = parameters_.empty() && !intermediates_;
  if (byte >= 0x40) {
    if (first && byte == '[') return begin(State::console);
    if (first && byte == 'M' && !pasting_) {
      n_mouse_ = 3;
      return begin(State::mouse);
    }
    return end_csi(byte);
  }
  if (byte < 0x30) intermediates_ = true;
  if (parameters_.size() < kMaxParameters) parameters_ += static_cast<char>(byte);
}

void KeyParser::end_csi(uint8_t final) {
  const std::string sequence = parameters_ + static_cast<char>(final);
  begin(State::ground);
  if (sequence == "200~") {
    pasting_ = true;
    returned_ = false;
    return;
  }
  if (sequence == "201~" && std::exchange(pasting_, false))
    return press(KeyKind::paste, std::exchange(paste_, {}));
  for (const Row& row : kCsi)
    if (row.sequence == sequence) return press(KeyKind::command, std::string(row.command));
}

void KeyParser::ss3(uint8_t byte) {
  if (is_control(byte) || byte >= 0x80) return begin_again(byte);
  if (byte < 0x40) {  // xterm once put modifiers here
    parameters_ += static_cast<char>(byte);
    if (parameters_.size() > kMaxParameters) begin(State::ground);
    return;
  }
  const bool plain = parameters_.empty() && kSs3.find(static_cast<char>(byte)) != kSs3.npos;
  begin(State::ground);
  if (plain) press(KeyKind::command, {static_cast<char>(kEscape), '[', static_cast<char>(byte)});
}

void KeyParser::mouse(uint8_t byte) {
  if (is_control(byte)) return begin_again(byte);
  if (--n_mouse_ == 0) begin(State::ground);
}

void KeyParser::string(uint8_t byte) {
  const State before = std::exchange(state_, State::string);
  if (before == State::string_escape) {
    if (byte == '\\') return begin(State::ground);
    begin(State::escape);
    return escape(byte);
  }
  if (before == State::string_c1 && byte == 0x9c) return begin(State::ground);
  if (byte == 0xc2) state_ = State::string_c1;
  if (byte == kEscape) state_ = State::string_escape;
  if (byte == kBell || byte == kCancel || byte == kSubstitute) return begin(State::ground);
  // No string contains these: they are typed after Alt and a bracket.
  const bool line_end = byte == '\r' || byte == '\n';
  if (line_end || (byte != 0 && byte == signals_.interrupt)) begin_again(byte);
}

}  // namespace quern::cli
