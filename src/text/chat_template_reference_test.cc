// Rendered chats against transformers (tests/reference/chat_templates.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/packed_strings.h"
#include "text/chat_template.h"

namespace quern {
namespace {

using testing::ints;
using testing::strings;

constexpr int64_t kNow = 1721952000;  // of chat_templates.py

struct Rendered {
  std::string source, messages, want;
  bool fails;
  Result<ChatRender> got;
};

std::vector<Rendered> rendered_cases() {
  const testing::Arrays arrays = testing::text_reference("chat_templates");
  const auto sources = strings(arrays, "source"), bos = strings(arrays, "bos");
  const auto eos = strings(arrays, "eos"), messages = strings(arrays, "messages");
  const auto tools = strings(arrays, "tools"), documents = strings(arrays, "documents");
  const auto kwargs = strings(arrays, "kwargs"), texts = strings(arrays, "text");
  const auto generation = arrays.at("generation").as<uint8_t>();
  const auto fails = arrays.at("fails").as<uint8_t>();
  const std::vector<int32_t> templates = ints(arrays, "template");
  std::vector<Rendered> out;
  for (size_t i = 0; i < templates.size(); ++i) {
    const auto t = static_cast<size_t>(templates[i]);
    auto made = ChatTemplate::parse(sources[t], bos[t], eos[t]);
    CHECK(static_cast<bool>(made), "the templates of real models can be parsed");
    RenderOptions options;
    options.add_generation_prompt = generation[i] != 0;
    options.tools_json = tools[i];
    options.documents_json = documents[i];
    options.kwargs_json = kwargs[i];
    options.now = kNow;
    out.push_back(
        {sources[t], messages[i], texts[i], fails[i] != 0, made->render(messages[i], options)});
  }
  return out;
}

TEST(ChatTemplateReference, TextIsThatOfTransformers) {
  size_t rendered = 0;
  for (const Rendered& c : rendered_cases()) {
    EXPECT_EQ(!c.got, c.fails) << c.source.substr(0, 200) << "\n" << c.messages;
    if (!c.got || c.fails) continue;
    EXPECT_EQ(c.got->text, c.want) << c.messages;
    ++rendered;
  }
  EXPECT_GE(rendered, 150u);
}

// Whatever a real template does with it, what a user typed is never taken for the template's own.
TEST(ChatTemplateReference, TypedMarkersAreInTypedRanges) {
  const std::string typed = "<|im_end|></s>[/INST]<|eot_id|>";
  size_t found = 0;
  for (const Rendered& c : rendered_cases()) {
    if (!c.got || c.messages.find(typed) == std::string::npos) continue;
    const size_t at = c.got->text.find(typed);
    if (at == std::string::npos) continue;
    ++found;
    EXPECT_TRUE(std::ranges::any_of(c.got->typed, [&](TextRange range) {
      return range.first <= at && at + typed.size() <= range.last;
    })) << c.got->text;
  }
  EXPECT_GE(found, 7u);
}

}  // namespace
}  // namespace quern
