#include "tool_calls/tool_dialect.h"

#include <algorithm>

namespace quern {
namespace {

// Names of forms are of the templates that define them; docs/tool-calls.md has an example of each.
CallForm json_form(std::string begin, std::string end) {
  return {.shape = CallShape::json, .begin = std::move(begin), .end = std::move(end)};
}

CallForm in_lines(CallForm form) {
  form.space = "\n";
  return form;
}

CallForm json_list(std::string begin, std::string end) {
  CallForm form = json_form(std::move(begin), std::move(end));
  form.list = true;
  return form;
}

CallForm function_tag() {
  return {.shape = CallShape::named, .begin = "<function=", .end = "</function>", .name_end = ">"};
}

CallForm python_form(std::string begin, std::string end) {
  return {.shape = CallShape::python,
          .begin = std::move(begin),
          .end = std::move(end),
          .known_only = true};
}

CallForm xml_function(std::string outer_end, bool lines) {
  return {.shape = CallShape::tagged,
          .begin = "<function=",
          .end = "</function>",
          .name_end = ">",
          .key_begin = "<parameter=",
          .key_end = ">",
          .value_end = "</parameter>",
          .outer_end = std::move(outer_end),
          .space = "\n",
          .lines = lines};
}

CallForm python_list() {
  CallForm form = python_form("", "");
  form.list = true;
  return form;
}

ToolDialect harmony() {
  return {.name = "harmony",
          .signs = {{"<|channel|>", "<|message|>"}},
          .forms = {{.shape = CallShape::named, .begin = "<|message|>", .end = "<|call|>"}},
          .channels = true};
}

ToolDialect deepseek_v32() {
  return {.name = "deepseek-v3.2",
          .signs = {{"｜DSML｜"}},
          .forms = {{.shape = CallShape::tagged,
                     .begin = "<｜DSML｜invoke name=\"",
                     .end = "</｜DSML｜invoke>",
                     .name_end = "\">",
                     .key_begin = "<｜DSML｜parameter name=\"",
                     .key_end = "\"",
                     .value_begin = ">",
                     .value_end = "</｜DSML｜parameter>",
                     .outer_end = "</｜DSML｜function_calls>",
                     .space = "\n",
                     .string_mark = true}},
          .section_begin = "<｜DSML｜function_calls>",
          .section_end = "</｜DSML｜function_calls>",
          .separator = "\n"};
}

// V2.5, V3 and R1: the type of the tool, the name on the same line, JSON in a fence.
ToolDialect deepseek_v3() {
  return {.name = "deepseek-v3",
          .signs = {{"<｜tool▁calls▁begin｜>", "```json"}},
          .forms = {{.shape = CallShape::named,
                     .begin = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                     .end = "<｜tool▁call▁end｜>",
                     .open = "```json",
                     .close = "```",
                     .space = "\n"}},
          .section_begin = "<｜tool▁calls▁begin｜>",
          .section_end = "<｜tool▁calls▁end｜>",
          .separator = "\n"};
}

ToolDialect deepseek_v31() {
  return {.name = "deepseek-v3.1",
          .signs = {{"<｜tool▁calls▁begin｜>"}},
          .forms = {{.shape = CallShape::named,
                     .begin = "<｜tool▁call▁begin｜>",
                     .end = "<｜tool▁call▁end｜>",
                     .name_end = "<｜tool▁sep｜>"}},
          .section_begin = "<｜tool▁calls▁begin｜>",
          .section_end = "<｜tool▁calls▁end｜>"};
}

ToolDialect kimi() {
  return {.name = "kimi-k2",
          .signs = {{"<|tool_calls_section_begin|>"}},
          .forms = {{.shape = CallShape::named,
                     .begin = "<|tool_call_begin|>",
                     .end = "<|tool_call_end|>",
                     .name_prefix = "functions.",
                     .name_end = "<|tool_call_argument_begin|>",
                     .number = true}},
          .section_begin = "<|tool_calls_section_begin|>",
          .section_end = "<|tool_calls_section_end|>",
          .ids = CallIds::model};
}

ToolDialect command_r7b() {
  CallForm form = json_list("<|START_ACTION|>", "<|END_ACTION|>");
  form.name_keys = {"tool_name", "name"};
  form.argument_keys = {"parameters", "arguments"};
  return {.name = "command-r7b",
          .signs = {{"<|START_ACTION|>"}},
          .forms = {form},
          .separator = ", ",
          .dropped = {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"},
          .reasoning = {"<|START_THINKING|>", "<|END_THINKING|>"}};
}

ToolDialect command_r() {
  CallForm form = json_list("Action:", "");
  form.name_keys = {"tool_name", "name"};
  form.argument_keys = {"parameters", "arguments"};
  form.open = "```json", form.close = "```", form.space = "\n";
  form.known_only = true;  // "Action:" is a text like others
  return {
      .name = "command-r", .signs = {{"Action:", "tool_name"}}, .forms = {form}, .separator = ", "};
}

ToolDialect glm() {
  return {.name = "glm",
          .signs = {{"<arg_key>", "<tool_call>"}},
          .forms = {{.shape = CallShape::tagged,
                     .begin = "<tool_call>",
                     .end = "</tool_call>",
                     .key_begin = "<arg_key>",
                     .key_end = "</arg_key>",
                     .value_begin = "<arg_value>",
                     .value_end = "</arg_value>",
                     .space = "\n"}},
          .separator = "\n"};
}

ToolDialect seed() {
  return {.name = "seed",
          .signs = {{"<seed:tool_call>"}},
          .forms = {xml_function("</seed:tool_call>", false)},
          .section_begin = "<seed:tool_call>",
          .section_end = "</seed:tool_call>",
          .section_each = true,
          .separator = "\n",
          .dropped = {"<seed:cot_budget_reflect>", "</seed:cot_budget_reflect>"},
          .reasoning = {"<seed:think>", "</seed:think>"}};
}

ToolDialect qwen3_coder() {
  return {.name = "qwen3-coder",
          .signs = {{"<function=", "<parameter="}},
          .forms = {xml_function("</tool_call>", true)},
          .section_begin = "<tool_call>",
          .section_end = "</tool_call>",
          .section_each = true,
          .separator = "\n"};
}

ToolDialect minimax() {
  return {.name = "minimax",
          .signs = {{"<minimax:tool_call>", "<invoke name="}},
          .forms = {{.shape = CallShape::tagged,
                     .begin = "<invoke name=\"",
                     .end = "</invoke>",
                     .name_end = "\">",
                     .key_begin = "<parameter name=\"",
                     .key_end = "\">",
                     .value_end = "</parameter>",
                     .outer_end = "</minimax:tool_call>",
                     .space = "\n"}},
          .section_begin = "<minimax:tool_call>",
          .section_end = "</minimax:tool_call>",
          .separator = "\n"};
}

// Version 3.2: a recipient on a line of its own; "all" is the user.
ToolDialect functionary_recipient() {
  return {.name = "functionary-3.2",
          .signs = {{">>>${recipient}"}, {"'>>>all"}, {">>>all\\n"}},
          .forms = {{.shape = CallShape::named, .begin = ">>>", .user = "all", .known_only = true}},
          .name_first = true};
}

ToolDialect functionary() {
  return {.name = "functionary-3.1",
          .signs = {{"<function=", "</function>"}},
          .forms = {function_tag()}};
}

// [TOOL_CALLS] with a list, or with a name and [ARGS], for each call anew.
ToolDialect mistral(std::string name, std::vector<std::vector<std::string>> signs, bool named) {
  CallForm list = json_list("[TOOL_CALLS]", "");
  CallForm name_and_json{.shape = CallShape::named,
                         .begin = "[TOOL_CALLS]",
                         .name_end = "[ARGS]",
                         .id_begin = "[CALL_ID]"};
  std::vector<CallForm> forms = {named ? name_and_json : list, named ? list : name_and_json};
  return {.name = std::move(name),
          .signs = std::move(signs),
          .forms = std::move(forms),
          .separator = named ? "" : ", ",
          .ids = CallIds::mistral};
}

ToolDialect nemotron() {
  return {.name = "nemotron",
          .signs = {{"<TOOLCALL>"}},
          .forms = {json_list("<TOOLCALL>", "</TOOLCALL>")},
          .separator = ", "};
}

ToolDialect lfm2() {
  CallForm form = json_list("<|tool_call_start|>", "<|tool_call_end|>");
  form.python = true;
  return {.name = "lfm2",
          .signs = {{"<|tool_call_start|>"}, {"<|tool_list_start|>"}},
          .forms = {form},
          .separator = ", "};
}

ToolDialect gemma4() {
  return {.name = "gemma4",
          .signs = {{"<|tool_call>call:"}},
          .forms = {{.shape = CallShape::named,
                     .begin = "<|tool_call>call:",
                     .end = "<tool_call|>",
                     .quote = "<|\"|>"}},
          .reasoning = {"<|channel>thought", "<channel|>"}};
}

ToolDialect phi4() {
  return {.name = "phi4",
          .signs = {{"<|tool_call|>", "<|/tool_call|>"}},
          .forms = {json_form("<|tool_call|>", "<|/tool_call|>")}};
}

ToolDialect granite() {
  return {.name = "granite",
          .signs = {{"<|tool_call|>"}},
          .forms = {json_list("<|tool_call|>", "")},
          .separator = ", ",
          .dropped = {"<response>", "</response>"}};
}

ToolDialect hermes() {
  return {.name = "hermes",
          .signs = {{"<tool_call>"}},
          .forms = {in_lines(json_form("<tool_call>", "</tool_call>"))},
          .separator = "\n"};
}

ToolDialect llama3() {
  CallForm bare = json_form("", "");
  bare.argument_keys = {"parameters", "arguments"};
  bare.python = true;
  CallForm tagged = bare;
  tagged.begin = "<|python_tag|>";
  return {.name = "llama3",
          .signs = {{"<|python_tag|>"}, {"<|start_header_id|>", "\"parameters\""}},
          .forms = {bare, tagged, python_form("<|python_tag|>", ""), function_tag()},
          .separator = "; "};
}

ToolDialect gemma() {
  CallForm bare = json_form("", "");
  bare.python = true;
  CallForm fenced = json_form("```json", "```");
  fenced.known_only = true;
  return {.name = "gemma",
          .signs = {{"tool_code"}},
          .forms = {in_lines(python_form("```tool_code", "```")), fenced, bare},
          .separator = "\n"};
}

ToolDialect pythonic() {
  return {.name = "pythonic",
          .signs = {{"[func_name1("}, {"python list of the function calls"}},
          .forms = {python_list(), python_form("<|python_start|>", "<|python_end|>")},
          .separator = ", "};
}

// A sign of a row may stand in templates of rows behind it, not of those before it.
const std::vector<ToolDialect>& rows() {
  static const std::vector<ToolDialect> kRows = {
      harmony(),
      deepseek_v32(),
      deepseek_v3(),
      deepseek_v31(),
      kimi(),
      command_r7b(),
      command_r(),
      glm(),
      seed(),
      minimax(),
      qwen3_coder(),
      functionary_recipient(),
      functionary(),
      mistral("mistral-args", {{"[TOOL_CALLS]", "[ARGS]"}}, true),
      mistral("mistral", {{"[TOOL_CALLS]"}}, false),
      nemotron(),
      lfm2(),
      gemma4(),
      phi4(),
      granite(),
      hermes(),
      llama3(),
      gemma(),
      pythonic(),
  };
  return kRows;
}

const std::vector<ReasoningFormat>& formats() {
  static const std::vector<ReasoningFormat> kFormats = {
      {"<seed:think>", "</seed:think>"},
      {"<|START_THINKING|>", "<|END_THINKING|>"},
      {"<|channel>thought", "<channel|>"},
      {"[THINK]", "[/THINK]"},
      {"<think>", "</think>"},
      {"<thinking>", "</thinking>"},
      {"<reasoning>", "</reasoning>"},
      {"Here is my thought process:", "Here is my response:"},  // Granite 3.2
  };
  return kFormats;
}

std::string_view without_space(std::string_view text) {
  const size_t last = text.find_last_not_of(" \n\r\t");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

std::span<const ToolDialect> tool_dialects() { return rows(); }

const ToolDialect* find_dialect(std::string_view name) {
  const auto at = std::ranges::find(rows(), name, &ToolDialect::name);
  return at == rows().end() ? nullptr : &*at;
}

const ToolDialect* recognize_dialect(std::string_view source) {
  const auto has_all = [&](const std::vector<std::string>& set) {
    return std::ranges::all_of(
        set, [&](const auto& sign) { return source.find(sign) != std::string_view::npos; });
  };
  for (const ToolDialect& row : rows())
    if (std::ranges::any_of(row.signs, has_all)) return &row;
  return nullptr;
}

std::span<const ReasoningFormat> reasoning_formats() { return formats(); }

ReasoningFormat reasoning_of(std::string_view source) {
  const auto in_source = [&](const ReasoningFormat& format) {
    return source.find(format.end) != std::string_view::npos;
  };
  const auto at = std::ranges::find_if(formats(), in_source);
  return at == formats().end() ? ReasoningFormat() : *at;
}

bool opens_reasoning(std::string_view prompt_end, const ReasoningFormat& format) {
  return !format.start.empty() && without_space(prompt_end).ends_with(format.start);
}

}  // namespace quern
