// Splits the input of a terminal into keys. A key or a report of the terminal may be many bytes (an
// escape sequence: ECMA-48, with what xterm, rxvt and the Linux console add); it is taken whole,
// known or not, so that no part of it is left as text. A paste between the terminal's brackets
// (CSI 200 ~, CSI 201 ~) is one key, with the text alone: its line ends as newlines, tabs, no other
// controls, no sequences.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace quern::cli {

enum class KeyKind {
  character,  // of text, or a control that the line editor knows
  command,    // of the line editor, as the bytes it is bound to
  paste,
  interrupt,  // the three that the terminal's settings name
  suspend,
  quit,
};

struct Key {
  KeyKind kind;
  char32_t character = 0;
  std::string text;  // of a command or a paste
};

// The controls that are signals, as the terminal is set; 0: none.
struct SignalKeys {
  uint8_t interrupt = 3, suspend = 26, quit = 28;
};

class KeyParser {
 public:
  // Sent to the line editor in the place of commands and pastes; typed it is nothing.
  static constexpr char32_t kPlaceholder = 0x1f;

  // vi: the escape key is a key of its own.
  explicit KeyParser(SignalKeys signals = {}, bool vi = false) : signals_(signals), vi_(vi) {}

  void feed(uint8_t byte);
  // After a pause in the input: an incomplete sequence ends here.
  void silence();
  // The bytes so far are a part of something.
  bool incomplete() const { return state_ != State::ground || pasting_ || n_missing_ > 0; }
  bool pasting() const { return pasting_; }

  std::optional<Key> next();

 private:
  enum class State {
    ground,
    escape,
    intermediate,  // ESC ( and the like: one more
    csi,           // ESC [ parameters
    ss3,           // ESC O
    console,       // ESC [ [: a function key of the Linux console
    mouse,         // ESC [ M: three bytes
    string,        // ESC ] and the like, to BEL or ESC backslash
    string_escape,
    string_c1,  // in a string, the first byte of what may be its end in UTF-8
  };

  void ground(uint8_t byte);
  void escape(uint8_t byte);
  void csi(uint8_t byte);
  void ss3(uint8_t byte);
  void mouse(uint8_t byte);
  void string(uint8_t byte);
  void begin(State state);
  void begin_again(uint8_t byte);  // what was begun is dropped; the byte is the first of something
  void control(uint8_t byte);
  void c1(uint8_t code);
  void character(char32_t code);
  void end_csi(uint8_t final);
  void press(KeyKind kind, std::string text = {});

  SignalKeys signals_;
  bool vi_;
  State state_ = State::ground;
  std::string parameters_;  // of a CSI or SS3
  bool intermediates_ = false;
  int n_mouse_ = 0;                          // bytes to come
  char32_t code_ = 0;                        // of a character in UTF-8
  int n_missing_ = 0;                        // bytes of it to come
  char32_t least_ = 0;                       // below: not its shortest form
  bool drop_character_ = false;              // Alt and a character beyond ASCII
  bool pasting_ = false, returned_ = false;  // returned: the last byte of the paste was CR
  std::string paste_;
  std::deque<Key> keys_;
};

}  // namespace quern::cli
