// How a family of models writes tool calls and reasoning: one row per family.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// What stands in a call.
enum class CallShape : uint8_t {
  json,    // an object with the name and the arguments, or a list of such
  named,   // the name, then the arguments as JSON
  tagged,  // the name, then each argument between tags
  python,  // f(a=1), or a list of such
};

// One way of writing a call. Texts may be control tokens of the vocabulary or plain text: a parser
// takes both, and a grammar asks for the token where there is one. Between parts white space may
// stand.
struct CallForm {
  CallShape shape = CallShape::json;
  // What a call begins with. Empty: nothing; then only an answer's first bytes can be one, and only
  // a tool of the request is called.
  std::string begin = {};
  std::string end = {};  // empty: where the JSON ends
  // json: names of the members; the first ones are what grammars write.
  std::vector<std::string> name_keys = {"name"}, argument_keys = {"arguments", "parameters"};
  bool list = false;    // json, python: grammars write a list, since the template does
  bool python = false;  // json: a list may be one of Python calls
  std::string open = {}, close = {};  // json, named: around the JSON: "```json", "```"
  std::string name_prefix = {};       // named: before the name, no part of it: "functions."
  std::string name_end = {};          // named, tagged: behind the name
  std::string id_begin = {};          // named: behind the name, then an id: "[CALL_ID]"
  bool number = false;                // named: ":0" behind the name, which with it is the id
  std::string quote = {};             // named: stands for a quote in the JSON
  std::string user = {};              // named: the "tool" that is the user: text follows
  std::string key_begin = {}, key_end = {}, value_begin = {}, value_end = {};  // tagged
  std::string outer_end = {};  // tagged: of the section, in place of an `end` that is missing
  // What grammars write between the parts where a parser takes any white space.
  std::string space = {};
  bool string_mark = false;  // tagged: ` string="true"` behind the key says that it is one
  bool lines = false;        // tagged: a line end on both sides of a value is none of it
  bool known_only = false;   // only a tool of the request is called, as where `begin` is empty
};

enum class CallIds : uint8_t {
  openai,   // "call_" and 24 characters
  mistral,  // 9 letters and digits, as its templates insist on
  model,    // the model's own, as its template wants them back
};

// What stands around reasoning; empty: there is none.
struct ReasoningFormat {
  std::string start = {}, end = {};
  bool operator==(const ReasoningFormat&) const = default;
};

struct ToolDialect {
  std::string name;
  // It is this one if the template has one of these sets of texts, all of a set.
  std::vector<std::vector<std::string>> signs = {};
  std::vector<CallForm> forms = {};                  // the first one is what grammars write
  std::string section_begin = {}, section_end = {};  // around all calls of an answer
  bool section_each = false;                         // templates write it around each call
  std::string separator = {};  // what grammars write between calls or elements of a list
  bool channels = false;       // harmony: messages with headers (harmony.h)
  bool name_first = false;     // the prompt ends with what a call begins with, in forms[0]
  CallIds ids = CallIds::openai;
  std::vector<std::string> dropped = {};  // marks that are no text
  ReasoningFormat reasoning = {};         // "": by the marks in the template (reasoning_of)
};

// All rows, in the order in which they are tried.
std::span<const ToolDialect> tool_dialects();
const ToolDialect* find_dialect(std::string_view name);  // null: there is none

// The first row whose signs the template has; null: none.
const ToolDialect* recognize_dialect(std::string_view template_source);

// The marks of reasoning that a template has; start is empty where it has none.
ReasoningFormat reasoning_of(std::string_view template_source);
// Of the marks, `start` and `end` of all that are known.
std::span<const ReasoningFormat> reasoning_formats();

// Whether a prompt ends inside reasoning: templates may open it themselves. `prompt_end`: the last
// part of the prompt, control tokens spelled.
bool opens_reasoning(std::string_view prompt_end, const ReasoningFormat& format);

}  // namespace quern
