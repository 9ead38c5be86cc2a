// Result<T>: a value, or an Error that a person can act on.
// Failures caused by input or machine travel as Result; bugs stop at CHECK (base/check.h). No
// exception crosses a folder.
#pragma once
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace quern {

enum class Code {
  invalid_argument,  // the caller asked for something that cannot be (flag, request field, token
                     // id)
  corrupt,           // a file contradicts itself or its format
  not_found,         // a file, model name or tensor that is not there
  unsupported,       // well-formed, but not something this build can do
  out_of_memory,     // memory, pages or context ran out
  cancelled,         // the user stopped it
  unavailable,       // device or service lost, starting or shutting down
};

const char* name(Code code);

struct Error {
  Code code;
  std::string what;   // "tensor blk.3.ffn_up.weight: 7 dimensions, at most 4"
  std::string where;  // "model.gguf, byte 18432"
  std::string fix;    // "the file is damaged: download it again"; empty where there is none
};

// "what (where); fix" on one line, for logs and terminals.
std::string to_string(const Error& error);

struct Ok {};

template <class T = Ok>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    CHECK(state_.index() == 1, "error() of a Result that holds a value");
    return *std::get_if<1>(&state_);
  }

 private:
  T& value() {
    CHECK(state_.index() == 0, "value of a Result that holds an error");
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    CHECK(state_.index() == 0, "value of a Result that holds an error");
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

}  // namespace quern

// TRY(auto header, read_header(file));  returns the error to the caller, or goes on with the value.
#define TRY(declaration, expression) TRY_AT(declaration, expression, __COUNTER__)
#define TRY_AT(declaration, expression, n) TRY_AS(declaration, expression, n)
#define TRY_AS(declaration, expression, n) \
  auto try_##n = (expression);             \
  if (!try_##n) return try_##n.error();    \
  declaration = std::move(*try_##n)

// TRY_OK(verify(graph));  the same for a Result without a value.
#define TRY_OK(expression) \
  if (auto outcome = (expression); !outcome) return outcome.error()
