// Result<T>: a value, or an Error with what, where and what to do. No exception crosses Quern's
// API.
#pragma once
#include <string>
#include <utility>
#include <variant>

namespace quern {

enum class Code {
  invalid_argument,  // the caller asked for something that cannot be (flag, request field, token
                     // id)
  corrupt,           // a file contradicts itself or its format
  not_found,         // a file, model name or tensor that is not there
  unsupported,       // well-formed, but not something this build can do
  out_of_memory,     // memory or pages ran out, or a limit on what a request may cost
  cancelled,         // the user stopped it
  unavailable,       // a disk, file, thread or device cannot be used now
  context_too_long,  // more tokens than the context holds
  queue_full,        // so many answers wait already: try again
};

const char* name(Code code);

struct Error {
  Code code;
  std::string what;   // "tensor blk.3.ffn_up.weight: 7 dimensions, at most 4"
  std::string where;  // "model.gguf, byte 18432"; empty where what says it all
  std::string fix;    // "the file is damaged: download it again"; empty where there is none
};

// "what (where); fix" on one line, for logs and terminals.
std::string to_string(const Error& error);

struct Ok {};

[[noreturn]] void wrong_result_side();

// Reading the value of a failed Result, or the error of a good one, is a bug and stops the program.
template <class T = Ok>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return *checked(std::get_if<0>(&state_)); }
  const T& operator*() const { return *checked(std::get_if<0>(&state_)); }
  T* operator->() { return checked(std::get_if<0>(&state_)); }
  const T* operator->() const { return checked(std::get_if<0>(&state_)); }
  const Error& error() const { return *checked(std::get_if<1>(&state_)); }

 private:
  template <class P>
  static P* checked(P* p) {
    if (!p) wrong_result_side();
    return p;
  }
  std::variant<T, Error> state_;
};

}  // namespace quern
