#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace quern {

void check_failed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "%s:%d: CHECK(%s): %s\n", file, line, condition, message);
  std::abort();
}

void wrong_result_side() {
  check_failed(__FILE__, __LINE__, "Result", "the other side of a Result was read");
}

const char* name(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "invalid argument";
    case Code::corrupt:
      return "corrupt";
    case Code::not_found:
      return "not found";
    case Code::unsupported:
      return "unsupported";
    case Code::out_of_memory:
      return "out of memory";
    case Code::cancelled:
      return "cancelled";
    case Code::unavailable:
      return "unavailable";
    case Code::context_too_long:
      return "context too long";
    case Code::queue_full:
      return "queue full";
  }
  return "unknown";
}

std::string to_string(const Error& error) {
  std::string text = error.what;
  if (!error.where.empty()) text += " (" + error.where + ")";
  if (!error.fix.empty()) text += "; " + error.fix;
  return text;
}

}  // namespace quern
