// What grammars write of one call: parts as a grammar of kind `tools` takes them.
#pragma once
#include "base/result.h"
#include "tool_calls/tool_dialect.h"
#include "tool_calls/tool_set.h"

namespace quern {

// One tag: {"begin", "parts", "end"}. `enforced`: the tool's schema can be; else any object is
// taken. Errors: unsupported (a strict tool: what the form cannot hold it to).
Result<ToolJson> tag_of(const CallForm& form, const Tool& tool, bool enforced);

}  // namespace quern
