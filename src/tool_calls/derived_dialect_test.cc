#include "tool_calls/derived_dialect.h"

#include <gtest/gtest.h>

#include "tool_calls/case_tools.h"
#include "tool_calls/tool_call_parser.h"

namespace quern {
namespace {

// A template that writes calls as `call` does.
ChatTemplate template_of(const std::string& call) {
  auto made = ChatTemplate::parse(
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for c in m.tool_calls or [] "
      "%}"
      "{% set f = c.function %}" +
          call + "{% endfor %}<|end|>\n{% endfor %}",
      "", "");
  CHECK(static_cast<bool>(made), "a template of a test is good");
  return *made;
}

constexpr const char* kArguments =
    "{% for k, v in f.arguments | items %}"
    "[arg {{ k }}]{{ v if v is string else v | tojson }}[/arg]\n{% endfor %}";

struct Row {
  const char* name;
  std::string call;
  CallShape shape;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {"JSON between tags",
       R"([call]{"tool": "{{ f.name }}", "input": {{ f.arguments | tojson }}}[/call])",
       CallShape::json},
      {"a list of JSON",
       R"(<<TOOLS>>[{"name": "{{ f.name }}", "args": {{ f.arguments | tojson }}}])",
       CallShape::json},
      {"OpenAI's own JSON", "CALL: {{ c | tojson }}", CallShape::json},
      {"bare JSON", R"({"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}})",
       CallShape::json},
      {"a name and JSON", "[use {{ f.name }}]{{ f.arguments | tojson }}[/use]", CallShape::named},
      {"arguments as text", "[use {{ f.name }}]{{ f.arguments + '[/use]' }}", CallShape::named},
      {"tags", std::string("[run {{ f.name }}]\n") + kArguments + "[/run]", CallShape::tagged},
      {"Python",
       "[[{{ f.name }}({% for k, v in f.arguments | items %}{{ k }}={{ v | tojson }}"
       "{{ ', ' if not loop.last }}{% endfor %})]]",
       CallShape::python},
  };
  return kRows;
}

// What the template writes is read back.
TEST(DerivedDialect, ReadsWhatTheTemplateWrites) {
  for (const Row& row : rows()) {
    const ChatTemplate chat_template = template_of(row.call);
    const auto dialect = derive_dialect(chat_template);
    ASSERT_TRUE(dialect) << row.name;
    EXPECT_EQ(dialect->forms[0].shape, row.shape) << row.name;
    for (const char* arguments : {R"({"city": "Pa\"ris", "days": 3})", R"({"city": "x"})"}) {
      const std::string given = row.call.find("arguments + ") == std::string::npos
                                    ? arguments
                                    : ToolJson(arguments).dump();
      const auto text = chat_template.render(
          R"([{"role": "assistant", "content": "", "tool_calls": [{"id": "abcdef123", "type": "function",
              "function": {"name": "get_weather", "arguments": )" +
              given + "}}]}]",
          {.add_generation_prompt = false});
      ASSERT_TRUE(text) << row.name << ": " << text.error().what;
      std::string answer = text->text.substr(std::string_view("<|assistant|>").size());
      answer.resize(answer.find("<|end|>"));
      ToolCallParser parser(std::make_shared<ToolDialect>(*dialect), {}, testing::case_tools(), {});
      Answer read;
      for (const AnswerEvent& event : parser.take_all(answer)) read.add(event);
      ASSERT_EQ(read.calls.size(), 1u) << row.name << ": " << answer;
      EXPECT_EQ(read.calls[0].name, "get_weather") << row.name;
      EXPECT_EQ(ToolJson::parse(read.calls[0].arguments), ToolJson::parse(arguments)) << row.name;
      EXPECT_EQ(read.text, "") << row.name;
    }
  }
}

TEST(DerivedDialect, NothingWhereATemplateWritesNoCalls) {
  EXPECT_FALSE(derive_dialect(template_of("")));
  EXPECT_FALSE(derive_dialect(template_of("(a call of {{ f.name }})")));
  EXPECT_FALSE(derive_dialect(template_of("{{ raise_exception('no tools') }}")));
}

}  // namespace
}  // namespace quern
