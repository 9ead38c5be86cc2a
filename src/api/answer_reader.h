// What an AnswerReader is made of.
#pragma once
#include "quern/tools.h"
#include "tool_calls/marked_text.h"
#include "tool_calls/tool_call_parser.h"

namespace quern {

struct AnswerReader::State {
  MarkedText text;
  ToolCallParser parser;
};

}  // namespace quern
