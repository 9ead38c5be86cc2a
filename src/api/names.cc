// What options and results are called, on command lines and in JSON.
#include "quern/model.h"

namespace quern {

const char* name(Pooling pooling) {
  constexpr const char* kNames[] = {"auto", "mean", "last", "cls"};
  return kNames[static_cast<int>(pooling)];
}

const char* name(KvKind kind) {
  constexpr const char* kNames[] = {"auto", "bf16", "f16", "int8", "int4"};
  return kNames[static_cast<int>(kind)];
}

const char* name(PackedUse use) {
  constexpr const char* kNames[] = {"auto", "on", "off"};
  return kNames[static_cast<int>(use)];
}

const char* name(Numerics numerics) {
  constexpr const char* kNames[] = {"exact", "fine", "auto", "fast"};
  return kNames[static_cast<int>(numerics)];
}

const char* name(Finish finish) {
  constexpr const char* kNames[] = {"stop", "length", "cancelled", "deadline"};
  return kNames[static_cast<int>(finish)];
}

}  // namespace quern
