#include "options/names.h"

#include "quern/model.h"

namespace quern {
namespace {

constexpr const char* kPoolings[] = {"auto", "mean", "last", "cls"};
constexpr const char* kKvKinds[] = {"auto", "bf16", "f16", "int8", "int4"};
constexpr const char* kPackedUses[] = {"auto", "on", "off"};
constexpr const char* kNumerics[] = {"exact", "fine", "auto", "fast"};
constexpr const char* kFinishes[] = {"stop", "length", "cancelled", "deadline"};
constexpr const char* kGrammars[] = {"none", "json_object", "json_schema", "regex",
                                     "lark", "choice",      "tools"};

}  // namespace

const char* name(Pooling pooling) { return kPoolings[static_cast<int>(pooling)]; }
const char* name(KvKind kind) { return kKvKinds[static_cast<int>(kind)]; }
const char* name(PackedUse use) { return kPackedUses[static_cast<int>(use)]; }
const char* name(Numerics numerics) { return kNumerics[static_cast<int>(numerics)]; }
const char* name(Finish finish) { return kFinishes[static_cast<int>(finish)]; }

namespace options {

NameList numerics_names() { return kNumerics; }
NameList kv_names() { return kKvKinds; }
NameList packed_names() { return kPackedUses; }
NameList pooling_names() { return kPoolings; }
NameList grammar_names() { return kGrammars; }

}  // namespace options
}  // namespace quern
