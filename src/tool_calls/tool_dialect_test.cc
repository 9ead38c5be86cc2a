#include "tool_calls/tool_dialect.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/packed_strings.h"
#include "support/reference_tokenizer.h"

namespace quern {
namespace {

std::string recognized(std::string_view source) {
  const ToolDialect* row = recognize_dialect(source);
  return row ? row->name : "";
}

// As the templates of these families write what is before a call, in our own words.
TEST(ToolDialect, IsKnownByTheTemplatesMarks) {
  const struct {
    const char *source, *name;
  } kCases[] = {
      {"{{ '<|start|>assistant<|channel|>analysis<|message|>' }}", "harmony"},
      {"{%- set dsml = '｜DSML｜' -%}<{{ dsml }}invoke", "deepseek-v3.2"},
      {"{{'<｜tool▁calls▁begin｜>' + type + '\\n```json\\n'}}", "deepseek-v3"},
      {"{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>'}}",
       "deepseek-v3.1"},
      {"<|tool_calls_section_begin|>{{ id }}", "kimi-k2"},
      {"<|START_ACTION|>[{\"tool_name\"", "command-r7b"},
      {"{{ '\\nAction:\\n```json' }} \"tool_name\": ", "command-r"},
      {"<tool_call>{function-name}<arg_key>k</arg_key>", "glm"},
      {"'<seed:tool_call>' <function=f><parameter=p>", "seed"},
      {"'<minimax:tool_call>' <invoke name=\"f\">", "minimax"},
      {"<tool_call>\\n<function=' + name + '>\\n<parameter=", "qwen3-coder"},
      {"Respond in this format:\\n>>>${recipient}\\n", "functionary-3.2"},
      {"'<function=' + name + '>' + arguments + '</function>'", "functionary-3.1"},
      {"'[TOOL_CALLS]' + name + '[ARGS]' + arguments", "mistral-args"},
      {"'[TOOL_CALLS] [' + calls", "mistral"},
      {"'<TOOLCALL>['", "nemotron"},
      {"'<|tool_call_start|>['", "lfm2"},
      {"'<|tool_call>call:' + name", "gemma4"},
      {"<|tool_call|>{\"name\"}<|/tool_call|>", "phi4"},
      {"respond only with <|tool_call|> and a list", "granite"},
      {"'<tool_call>\\n{\"name\": \"'", "hermes"},
      {"<|start_header_id|>ipython '{\"name\": ' + '\"parameters\": '", "llama3"},
      {"in a ```tool_code fence", "gemma"},
      {"Example: [func_name1(params)]", "pythonic"},
      {"{% for m in messages %}{{ m.content }}{% endfor %}", ""},
  };
  std::vector<std::string> seen;
  for (const auto& c : kCases) {
    EXPECT_EQ(recognized(c.source), c.name) << c.source;
    seen.push_back(c.name);
  }
  for (const ToolDialect& row : tool_dialects())
    EXPECT_NE(std::ranges::count(seen, row.name), 0) << row.name << " has no template here";
}

TEST(ToolDialect, TemplatesOfRealModels) {
  const auto sources = testing::strings(testing::text_reference("chat_templates"), "source");
  int hermes = 0, deepseek = 0, mistral = 0, none = 0;
  for (const std::string& source : sources) {
    const std::string name = recognized(source);
    hermes += name == "hermes", deepseek += name == "deepseek-v3", mistral += name == "mistral";
    none += name.empty();
  }
  EXPECT_EQ(hermes, 2);  // Qwen 2.5 and 3
  EXPECT_EQ(deepseek, 1);
  EXPECT_EQ(mistral, 1);
  EXPECT_EQ(hermes + deepseek + mistral + none, static_cast<int>(sources.size()));
}

// A parser looks for all marks at once: none may be the beginning of another.
TEST(ToolDialect, NoMarkBeginsAnother) {
  for (const ToolDialect& row : tool_dialects()) {
    std::vector<std::string> marks = row.dropped;
    for (const CallForm& form : row.forms) marks.push_back(form.begin);
    marks.insert(marks.end(),
                 {row.section_begin, row.section_end, row.reasoning.start, row.reasoning.end});
    for (const std::string& a : marks)
      for (const std::string& b : marks)
        EXPECT_FALSE(!a.empty() && a != b && b.starts_with(a))
            << row.name << ": " << a << ", " << b;
  }
}

TEST(ToolDialect, FormsAreWhole) {
  for (const ToolDialect& row : tool_dialects()) {
    ASSERT_FALSE(row.forms.empty()) << row.name;
    EXPECT_EQ(find_dialect(row.name), &row);
    for (const CallForm& form : row.forms) {
      EXPECT_EQ(form.shape == CallShape::tagged, !form.key_begin.empty()) << row.name;
      EXPECT_EQ(form.shape == CallShape::tagged, !form.value_end.empty()) << row.name;
    }
  }
}

TEST(Reasoning, IsKnownByItsMarks) {
  EXPECT_EQ(reasoning_of("{{ '<think>' }} </think>").end, "</think>");
  EXPECT_EQ(reasoning_of("[THINK]..[/THINK]").start, "[THINK]");
  EXPECT_EQ(reasoning_of("<|START_THINKING|><|END_THINKING|>").start, "<|START_THINKING|>");
  EXPECT_EQ(reasoning_of("<seed:think></seed:think>").start, "<seed:think>");
  EXPECT_TRUE(reasoning_of("{{ messages }}").start.empty());
}

TEST(Reasoning, MayBeOpenedByThePrompt) {
  const ReasoningFormat think = {"<think>", "</think>"};
  EXPECT_TRUE(opens_reasoning("<|im_start|>assistant\n<think>\n", think));
  EXPECT_FALSE(opens_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n", think));
  EXPECT_FALSE(opens_reasoning("<think> typed<|im_end|>\n<|im_start|>assistant\n", think));
  EXPECT_FALSE(opens_reasoning("assistant\n", ReasoningFormat()));
}

}  // namespace
}  // namespace quern
