#include "text/rust_error.h"

#include <utility>

namespace quern {
namespace {

// A panic of the library becomes `corrupt`: it was caused by input the library did not foresee, and
// the program continues.
Code code_of(quern_text_code code) {
  switch (code) {
    case QUERN_TEXT_CORRUPT:
      return Code::corrupt;
    case QUERN_TEXT_UNSUPPORTED:
      return Code::unsupported;
    case QUERN_TEXT_INVALID:
      return Code::invalid_argument;
    case QUERN_TEXT_LIMIT:
      return Code::out_of_memory;
    case QUERN_TEXT_OK:
    case QUERN_TEXT_INTERNAL:
      break;
  }
  return Code::corrupt;
}

}  // namespace

std::string take(quern_text_bytes bytes) {
  std::string text(bytes.data, bytes.size);
  quern_text_free_bytes(bytes);
  return text;
}

Error rust_error(quern_text_code code, quern_text_bytes message, std::string where) {
  return {code_of(code), take(message), std::move(where), ""};
}

}  // namespace quern
