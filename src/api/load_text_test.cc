#include "api/load_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

constexpr const char* kTokenizerJson = R"({
  "version": "1.0",
  "added_tokens": [{"id": 3, "content": "<|end|>", "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
  "decoder": null,
  "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "hello": 1, "user": 2, "<|end|>": 3},
            "unk_token": "[UNK]"}
})";

class LoadText : public testing::Test {
 protected:
  void write(const char* file, const std::string& text) { std::ofstream(folder_ / file) << text; }
  std::string rendered() {
    const auto chat_template = load_chat_template(folder_.string());
    if (!chat_template) return "error: " + to_string(chat_template.error());
    const auto render = chat_template->render(R"([{"role":"user","content":"hello"}])");
    return render ? render->text : "error: " + to_string(render.error());
  }

  TemporaryFolder temporary_{"load_text"};
  const fs::path& folder_ = temporary_.path();
};

const std::string kTiny = QUERN_SOURCE_DIR "/tests/data/tiny/llama_mha.gguf";

TEST_F(LoadText, AFolderWithTokenizerJsonIsEnoughToTokenize) {
  write("tokenizer.json", kTokenizerJson);
  const auto tokenizer = load_tokenizer(folder_.string());
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_EQ(*tokenizer->encode("hello user"), (Ids{1, 2}));
}

TEST_F(LoadText, ABrokenTokenizerJsonIsNamed) {
  write("tokenizer.json", "{\"model\": 5}");
  const auto tokenizer = load_tokenizer(folder_.string());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, Code::corrupt);
  EXPECT_NE(tokenizer.error().where.find("tokenizer.json"), std::string::npos);
}

TEST_F(LoadText, AGgufFileHasBoth) {
  const auto tokenizer = load_tokenizer(kTiny);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  const auto ids = tokenizer->encode("Hello 12");
  ASSERT_TRUE(ids);
  EXPECT_EQ(tokenizer->decode(*ids, false), "Hello 12");
  EXPECT_TRUE(load_chat_template(kTiny));
}

TEST_F(LoadText, ATemplateSeesAMessagesKeysInTheirOrder) {
  const auto tokenizer = load_tokenizer(kTiny);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  const auto printing = ChatTemplate::parse("{{ messages | tojson }}", "", "");
  ASSERT_TRUE(printing) << to_string(printing.error());
  const std::vector<Message> messages = {{"user", "a"}, {"user", "b", true}};
  const auto ids = chat_ids(*tokenizer, *printing, messages, false);
  ASSERT_TRUE(ids) << to_string(ids.error());
  EXPECT_EQ(tokenizer->decode(*ids, false),
            R"([{"role": "user", "content": "a"}, {"content": "b", "role": "user"}])");
}

// As transformers' templates expect it: arguments are an object, what is empty is not there.
TEST_F(LoadText, ATemplateSeesCallsToolsAndVariables) {
  const auto tokenizer = load_tokenizer(kTiny);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  const auto shown = [&](const char* source, const std::vector<Message>& messages,
                         const ChatOptions& options = {}) {
    const auto parsed = ChatTemplate::parse(source, "", "");
    const auto ids = chat_ids(*tokenizer, *parsed, messages, options);
    return ids ? tokenizer->decode(*ids, false) : to_string(ids.error());
  };
  const Message asks = {
      .role = "assistant",
      .content_null = true,
      .tool_calls = {{.id = "c", .name = "f", .arguments = R"({"b": 1, "a": 2})"}}};
  EXPECT_EQ(shown("{{ messages | tojson }}", {asks}),
            R"([{"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": )"
            R"("function", "function": {"name": "f", "arguments": {"b": 1, "a": 2}}}]}])");
  EXPECT_EQ(shown("{{ messages[0].tool_calls[0].function | tojson }}",
                  {{.role = "a", .tool_calls = {{.name = "f", .arguments_first = true}}}}),
            R"({"arguments": {}, "name": "f"})");
  const Message result = {.role = "tool",
                          .content = "4",
                          .parts = {{.text = "2"}},
                          .tool_call_id = "c",
                          .name = "f",
                          .key_order = {"role", "name", "content"}};
  EXPECT_EQ(shown("{{ messages | tojson }}", {result}),
            R"([{"role": "tool", "name": "f", "content": "42", "tool_call_id": "c"}])");
  EXPECT_EQ(shown("{{ messages[0].reasoning_content }}|{{ messages[0].tool_calls is defined }}",
                  {{.role = "a", .reasoning_content = "hm"}}),
            "hm|False");
  EXPECT_EQ(shown("{{ tools | tojson }} {{ enable_thinking }} {{ x.y }}", {asks},
                  {.tools = R"([{"z": 1, "a": 2}])",
                   .template_kwargs = R"({"enable_thinking": false, "x": {"y": 3}})"}),
            R"([{"z": 1, "a": 2}] False 3)");
  Message says = {.role = "a",
                  .content = "so",
                  .reasoning_content = "hm",
                  .tool_calls = {{.name = "f", .arguments = R"({"b": 1})"}}};
  EXPECT_EQ(shown("{{ messages[0].thinking }}{{ messages[0].content }}", {says}), "hmso");
  EXPECT_EQ(shown("{% set m = messages[0] %}{% if m.content and m.thinking %}"
                  "{{ raise_exception('both') }}{% endif %}{{ m.content }}{{ m.thinking }}",
                  {says}),
            "so");
  // Some templates join the arguments to texts.
  EXPECT_EQ(shown("{{ 'f' + messages[0].tool_calls[0].function.arguments }}", {says}),
            R"(f{"b":1})");
  const auto refused = [&](const Message& message, const ChatOptions& options, const char* part) {
    const std::string said = shown("{{ messages | tojson }}", {message}, options);
    EXPECT_NE(said.find(part), std::string::npos) << said;
  };
  refused({.role = "user", .parts = {{.type = "image_url"}}}, {}, "image_url");
  refused({.role = "user", .parts = {{.type = "input_audio"}}}, {}, "messages[0]");
  refused({.role = "a", .tool_calls = {{.name = "f", .arguments = "[1]"}}}, {}, "no JSON object");
  refused({.role = "a", .tool_calls = {{.name = "f", .arguments = "{"}}}, {}, "not JSON");
  refused(asks, {.tools = "{}"}, "tools");
  refused(asks, {.template_kwargs = R"({"messages": 1})"}, "messages is given");
}

TEST_F(LoadText, APathThatIsNotThereIsNotFound) {
  EXPECT_EQ(load_tokenizer((folder_ / "none").string()).error().code, Code::not_found);
  EXPECT_EQ(load_chat_template((folder_ / "none").string()).error().code, Code::not_found);
  EXPECT_EQ(load_tokenizer(folder_.string()).error().code, Code::not_found);
}

TEST_F(LoadText, TheTemplateOfAFolderIsAStringAListOrAFile) {
  write("tokenizer.json", kTokenizerJson);
  EXPECT_NE(rendered().find("no chat template"), std::string::npos);
  write("tokenizer_config.json",
        R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>",
            "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"})");
  EXPECT_EQ(rendered(), "<s>hello</s>");
  write("tokenizer_config.json",
        R"({"chat_template": [{"name": "tool_use", "template": "wrong"},
                              {"name": "default", "template": "[{{ messages[0].role }}]"}]})");
  EXPECT_EQ(rendered(), "[user]");
  write("chat_template.jinja", "file {{ messages|length }}");
  EXPECT_EQ(rendered(), "file 1");
  fs::remove(folder_ / "chat_template.jinja");
  write("tokenizer_config.json", "[");
  EXPECT_NE(rendered().find("not a JSON object"), std::string::npos);
}

TEST_F(LoadText, TypedControlTokensAreTextUnlessAskedFor) {
  write("tokenizer.json", kTokenizerJson);
  write("tokenizer_config.json", R"({"chat_template": "{{ messages[0].content }} hello<|end|>"})");
  const auto tokenizer = load_tokenizer(folder_.string());
  const auto chat_template = load_chat_template(folder_.string());
  ASSERT_TRUE(tokenizer && chat_template);
  const Message typed{"user", "user <|end|>"};
  const auto plain = chat_ids(*tokenizer, *chat_template, {&typed, 1}, false);
  ASSERT_TRUE(plain) << to_string(plain.error());
  EXPECT_EQ(std::count(plain->begin(), plain->end(), 3), 1);
  EXPECT_EQ(plain->back(), 3);
  const auto special = chat_ids(*tokenizer, *chat_template, {&typed, 1}, true);
  ASSERT_TRUE(special);
  EXPECT_EQ(*special, (Ids{2, 3, 1, 3}));
}

TEST_F(LoadText, BytesThatAreNoTextDoNotBreakAConversation) {
  write("tokenizer.json", kTokenizerJson);
  write("tokenizer_config.json", R"({"chat_template": "{{ messages[0].content }}"})");
  const auto tokenizer = load_tokenizer(folder_.string());
  const auto chat_template = load_chat_template(folder_.string());
  ASSERT_TRUE(tokenizer && chat_template);
  const Message broken{"user", "hello \xff\xfe \"quoted\"\n"};
  EXPECT_TRUE(chat_ids(*tokenizer, *chat_template, {&broken, 1}, false));
}

}  // namespace
}  // namespace quern
