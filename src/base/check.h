// CHECK: a promise between pieces of Quern. Always on; a broken one is a bug and stops the program.
#pragma once

namespace quern {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* message);

}  // namespace quern

// The message says which promise was broken, for whoever mends the caller.
#define CHECK(condition, message)                      \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::quern::check_failed(__FILE__, __LINE__, #condition, message))
