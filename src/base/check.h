// CHECK: an assertion of a contract inside Quern. Always on; a failed one is a bug and stops the
// program.
#pragma once

namespace quern {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* message);

}  // namespace quern

// The message says which contract was broken.
#define CHECK(condition, message)                      \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::quern::check_failed(__FILE__, __LINE__, #condition, message))
