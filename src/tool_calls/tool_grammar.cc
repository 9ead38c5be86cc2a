#include "tool_calls/tool_grammar.h"

#include <algorithm>

#include "tool_calls/tool_parts.h"

namespace quern {
namespace {

Error wrong(std::string what) {
  return {Code::invalid_argument, std::move(what), "tool_choice", ""};
}

Result<std::vector<const Tool*>> tools_to_call(const ToolSet& tools, const ToolRules& rules) {
  std::vector<const Tool*> chosen;
  for (const std::string& name : rules.names) {
    const Tool* tool = tools.find(name);
    if (!tool) return wrong("\"" + name + "\" is none of the tools");
    if (std::ranges::count(chosen, tool) == 0) chosen.push_back(tool);
  }
  if (rules.names.empty())
    for (const Tool& tool : tools.tools()) chosen.push_back(&tool);
  if (chosen.empty() && rules.required) return wrong("a call is required, and there are no tools");
  return chosen;
}

// Whether its schema is enforced. Errors: it is strict and cannot be.
Result<bool> is_enforced(const Tool& tool, const CheckSchema& check) {
  const Result<> can = check(tool.parameters.dump());
  if (can) return true;
  if (!tool.strict) return false;
  Error error = can.error();
  error.what = "tool \"" + tool.name + "\" is strict: " + error.what;
  error.where = "tools";
  return error;
}

// Around calls that stand in one list.
ToolJson section_of(const ToolDialect& dialect) {
  const CallForm& form = dialect.forms[0];
  std::string open, close;
  if (form.shape == CallShape::json || form.shape == CallShape::python) {
    const std::string fence = form.open.empty() ? form.space : form.space + form.open + form.space;
    const std::string fence_end = form.close.empty() ? form.space : form.space + form.close;
    open = form.begin + (form.begin.empty() ? "" : fence) + (form.list ? "[" : "");
    close = (form.list ? "]" : "") + (form.begin.empty() ? "" : fence_end) + form.end;
  } else {
    const std::string line = form.shape == CallShape::tagged ? form.space : "";
    open = dialect.section_begin + line;
    close = line + dialect.section_end;
  }
  return {{"open", open}, {"separator", dialect.separator}, {"close", close}};
}

// What is around each call where they stand apart.
void wrap_each(const ToolDialect& dialect, ToolJson& tag) {
  const CallForm& form = dialect.forms[0];
  std::string begin, end;
  if (form.shape == CallShape::json) begin = form.begin + form.space, end = form.space + form.end;
  if (dialect.section_each) {
    begin = dialect.section_begin + form.space;
    end = form.space + dialect.section_end;
  }
  tag["begin"] = begin + tag["begin"].get<std::string>();
  tag["end"] = tag["end"].get<std::string>() + end;
}

// Messages have headers: another message takes the place of text.
void use_channels(const ToolRules& rules, ToolJson& grammar) {
  for (ToolJson& tag : grammar["tags"]) {
    std::string begin = tag["begin"];
    begin = begin.substr(std::string_view("<|message|>").size());
    tag["begin"] = "<|channel|>commentary to=functions." + begin + " <|constrain|>json<|message|>";
    tag["end"] = "";  // <|call|> ends the answer
  }
  if (!rules.required)
    grammar["tags"].push_back({{"begin", "<|channel|>final<|message|>"},
                               {"parts", ToolJson::array({{{"rest", nullptr}}})}});
  grammar["text"] = false, grammar["min_calls"] = 1, grammar["max_calls"] = 1;
  grammar["reasoning"] = {{"start", "<|channel|>analysis<|message|>"},
                          {"end", "<|end|><|start|>assistant"}};
}

// The prompt ends with the mark before the first recipient.
void use_recipients(const ToolDialect& dialect, const ToolRules& rules, ToolJson& grammar) {
  const CallForm& form = dialect.forms[0];
  for (ToolJson& tag : grammar["tags"])
    tag["begin"] = tag["begin"].get<std::string>().substr(form.begin.size());
  grammar["section"] = {{"separator", form.begin}};
  if (rules.required) return;
  grammar["tags"].push_back(
      {{"begin", form.user + form.space}, {"parts", ToolJson::array({{{"rest", nullptr}}})}});
  grammar["text"] = false, grammar["min_calls"] = 1;
}

}  // namespace

Result<GrammarSpec> tool_grammar(const ToolDialect& dialect, const ToolSet& tools,
                                 const ToolRules& rules, const CheckSchema& check) {
  TRY(const std::vector<const Tool*> chosen, tools_to_call(tools, rules));
  const bool strict = std::ranges::any_of(chosen, &Tool::strict);
  const bool held = rules.required || strict || !rules.names.empty() || !rules.parallel;
  if (chosen.empty() || !held) return GrammarSpec();
  const CallForm& form = dialect.forms[0];
  const bool section = form.list || form.begin.empty() || form.shape == CallShape::python ||
                       (!dialect.section_begin.empty() && !dialect.section_each);
  ToolJson grammar = {{"tags", ToolJson::array()}, {"text", !rules.required}};
  if (rules.required) grammar["min_calls"] = 1;
  if (!rules.parallel) grammar["max_calls"] = 1;
  for (const Tool* tool : chosen) {
    TRY(const bool enforced, is_enforced(*tool, check));
    TRY(ToolJson tag, tag_of(form, *tool, enforced));
    if (!section) wrap_each(dialect, tag);
    grammar["tags"].push_back(std::move(tag));
  }
  if (!rules.reasoning.start.empty())
    grammar["reasoning"] = {{"start", rules.reasoning.start},
                            {"end", rules.reasoning.end},
                            {"open", rules.reasoning_open}};
  if (section) {
    grammar["section"] = section_of(dialect);
    grammar["bare"] = form.begin.empty();
  } else if (!dialect.channels && !dialect.name_first) {
    grammar["triggers"] = {dialect.section_each ? dialect.section_begin : form.begin};
  }
  if (dialect.channels) use_channels(rules, grammar);
  if (dialect.name_first) use_recipients(dialect, rules, grammar);
  return GrammarSpec{.kind = GrammarKind::tools, .text = grammar.dump()};
}

}  // namespace quern
