// The form of calls of a template that no row of the table knows.
#pragma once
#include <optional>

#include "text/chat_template.h"
#include "tool_calls/tool_dialect.h"

namespace quern {

// Renders a conversation in which a made-up tool is called, and the same one without the call: what
// differs is how the template writes calls. Nothing where it writes none, or in no form that
// CallShape has.
std::optional<ToolDialect> derive_dialect(const ChatTemplate& chat_template);

}  // namespace quern
