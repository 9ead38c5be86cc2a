#include "openai/request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <span>
#include <string>

namespace quern::openai {
namespace {

constexpr const char* kHello = R"("messages": [{"role": "user", "content": "Hello"}])";

Result<Request> read(const std::string& body, Endpoint endpoint = Endpoint::chat_completions,
                     const GenerateOptions& defaults = {}) {
  const auto json = parse_json(body);
  if (!json) return json.error();
  return read_request(endpoint, *json, defaults);
}

Result<Request> chat(const std::string& fields) {
  return read(std::string("{") + kHello + fields + "}");
}
Result<Request> text(const std::string& fields) {
  return read("{\"prompt\": \"Hello\"" + fields + "}", Endpoint::completions);
}

TEST(OpenaiRequest, TakesWhatTheBodySaysAndTheDefaultsForTheRest) {
  GenerateOptions defaults;
  defaults.max_tokens = 77;
  defaults.sampling.top_k = 5;
  const auto request = read(std::string("{") + kHello +
                                R"(, "model": "m", "temperature": 0.25, "top_p": null, "seed": -1,
                                "stop": "x", "n": 3, "logit_bias": {"7": -100, "9": 1.5},
                                "user": "someone", "metadata": {"a": 1}, "top_k": 6.0})",
                            Endpoint::chat_completions, defaults);
  ASSERT_TRUE(request) << to_string(request.error());
  EXPECT_EQ(request->model, "m");
  ASSERT_EQ(request->messages.size(), 1u);
  EXPECT_EQ(request->messages[0].role, "user");
  EXPECT_EQ(request->messages[0].content, "Hello");
  EXPECT_EQ(request->options.max_tokens, 77);
  EXPECT_EQ(request->options.n, 3);
  EXPECT_EQ(request->options.stop, std::vector<std::string>{"x"});
  const SamplingOptions& sampling = request->options.sampling;
  EXPECT_EQ(sampling.temperature, 0.25f);
  EXPECT_EQ(sampling.top_p, SamplingOptions().top_p);
  EXPECT_EQ(sampling.top_k, 6);
  EXPECT_EQ(sampling.seed, UINT64_MAX);
  EXPECT_EQ(sampling.n_probs, -1);
  ASSERT_EQ(sampling.logit_bias.size(), 2u);
  EXPECT_EQ(sampling.logit_bias[1].id, 9);
  EXPECT_EQ(sampling.logit_bias[1].bias, 1.5f);
}

TEST(OpenaiRequest, JoinsPartsAndKnowsTheRolesOfTemplates) {
  const auto request = read(R"({"messages": [{"role": "developer", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]})");
  ASSERT_TRUE(request) << to_string(request.error());
  EXPECT_EQ(request->messages[0].role, "system");
  EXPECT_EQ(request->messages[1].content, "ab");
}

TEST(OpenaiRequest, TakesPromptsInAllShapes) {
  const auto one = read(R"({"prompt": [1, 2, 3]})", Endpoint::completions);
  ASSERT_TRUE(one);
  EXPECT_EQ(std::get<1>(one->prompts.at(0)), (std::vector<int32_t>{1, 2, 3}));
  const auto both = read(R"({"prompt": ["a", [4]]})", Endpoint::completions);
  ASSERT_TRUE(both);
  EXPECT_EQ(std::get<0>(both->prompts.at(0)), "a");
  EXPECT_EQ(std::get<1>(both->prompts.at(1)), (std::vector<int32_t>{4}));
}

TEST(OpenaiRequest, CountsLogProbabilitiesByEndpoint) {
  EXPECT_EQ(chat(R"(, "logprobs": true)")->options.sampling.n_probs, 0);
  EXPECT_EQ(chat(R"(, "top_logprobs": 4, "logprobs": true)")->options.sampling.n_probs, 4);
  EXPECT_EQ(chat(R"(, "logprobs": false, "top_logprobs": 0)")->options.sampling.n_probs, -1);
  EXPECT_EQ(text(R"(, "logprobs": 2)")->options.sampling.n_probs, 2);
}

struct Wrong {
  const char* fields;
  const char* named;
};

TEST(OpenaiRequest, NamesTheFieldThatCannotBe) {
  constexpr Wrong kWrong[] = {
      {R"(, "temperature": -1)", "temperature"},
      {R"(, "temperature": "hot")", "temperature"},
      {R"(, "temperature": 1e300)", "temperature"},
      {R"(, "top_p": 1.01)", "top_p"},
      {R"(, "n": 0)", "n"},
      {R"(, "n": 129)", "n"},
      {R"(, "n": 1.5)", "n"},
      {R"(, "max_tokens": -1)", "max_tokens"},
      {R"(, "max_completion_tokens": 1e30)", "max_completion_tokens"},
      {R"(, "seed": 1.5)", "seed"},
      {R"(, "seed": 18446744073709551616)", "seed"},
      {R"(, "stop": 3)", "stop"},
      {R"(, "stop": ["a", ""])", "stop"},
      {R"(, "stream": 1)", "stream"},
      {R"(, "model": 1)", "model"},
      {R"(, "logit_bias": {"x": 1})", "logit_bias"},
      {R"(, "logit_bias": {"1": 101})", "logit_bias"},
      {R"(, "logit_bias": [1])", "logit_bias"},
      {R"(, "logprobs": 1)", "logprobs"},
      {R"(, "top_logprobs": 2)", "top_logprobs"},
      {R"(, "logprobs": true, "top_logprobs": 21)", "top_logprobs"},
      {R"(, "response_format": "json")", "response_format"},
      {R"(, "response_format": {"type": "xml"})", "response_format"},
      {R"(, "response_format": {"type": "json_schema", "json_schema": {}})", "response_format"},
      {R"(, "prompt": "x")", "prompt"},
      {R"(, "tools": [])", "tools"},
      {R"(, "frob": null)", "frob"},
  };
  for (const Wrong& wrong : kWrong) {
    const auto request = chat(wrong.fields);
    ASSERT_FALSE(request) << wrong.fields;
    EXPECT_EQ(request.error().code, Code::invalid_argument);
    EXPECT_EQ(request.error().where, wrong.named) << wrong.fields;
    EXPECT_NE(request.error().what.find(wrong.named), std::string::npos);
  }
}

TEST(OpenaiRequest, RefusesMessagesThatCannotBe) {
  for (const char* messages :
       {"[]", "3", "[3]", R"([{"role": "user"}])", R"([{"content": "x"}])",
        R"([{"role": "robot", "content": "x"}])", R"([{"role": "user", "content": null}])",
        R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])",
        R"([{"role": "user", "content": "x", "tool_calls": {}}])",
        R"([{"role": "user", "content": "x", "tool_calls": [{"id": "a"}]}])",
        R"([{"role": "user", "content": "x", "tool_calls": [{"type": "custom"}]}])",
        R"([{"role": "user", "content": "x", "tool_calls": [{"function": {"name": 1}}]}])",
        R"([{"role": "user", "content": "x", "tool_calls": [{"function": {"name": "f",
            "arguments": "{"}}]}])",
        R"([{"role": "user", "content": "x", "tool_calls": [{"function": {"name": "f",
            "arguments": [1]}}]}])",
        R"([{"role": "assistant", "content": null, "tool_calls": []}])",
        R"([{"role": "tool", "content": "x", "tool_call_id": 1}])",
        R"([{"role": "user", "content": "x", "name": ["n"]}])"}) {
    const auto request = read(std::string(R"({"messages": )") + messages + "}");
    ASSERT_FALSE(request) << messages;
    EXPECT_EQ(request.error().where, "messages") << messages;
  }
  EXPECT_EQ(read("{}").error().where, "messages");
  EXPECT_EQ(read("[]").error().where, "body");
  EXPECT_EQ(read("{}", Endpoint::completions).error().where, "prompt");
  for (const char* prompt : {"[]", "[1, -1]", "[1, \"a\"]", "[\"a\", 1]", "{}", "[[1], [\"a\"]]"})
    EXPECT_EQ(
        read(std::string(R"({"prompt": )") + prompt + "}", Endpoint::completions).error().where,
        "prompt");
}

// All fields of OpenAI's API reference but messages and prompt, and some of Quern's own.
constexpr const char* kOptionalOfBoth[] = {
    "model",       "frequency_penalty", "logit_bias", "logprobs",       "max_tokens", "n",
    "seed",        "presence_penalty",  "stop",       "stream",         "user",       "temperature",
    "top_p",       "stream_options",    "top_k",      "repeat_penalty", "priority",   "cache_salt",
    "deadline_ms",
};
constexpr const char* kOptionalOfChat[] = {
    "audio",
    "function_call",
    "functions",
    "max_completion_tokens",
    "metadata",
    "modalities",
    "tools",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "reasoning_effort",
    "prompt_cache_retention",
    "store",
    "response_format",
    "safety_identifier",
    "service_tier",
    "tool_choice",
    "top_logprobs",
    "verbosity",
    "web_search_options",
};
constexpr const char* kOptionalOfText[] = {"best_of", "echo", "suffix"};

TEST(OpenaiRequest, TakesNullForEveryFieldThatMayBeLeftOut) {
  GenerateOptions defaults;
  defaults.max_tokens = 7;
  defaults.stop = {"x"};
  defaults.sampling.seed = 3;
  defaults.sampling.logit_bias = {{3, 1}};
  defaults.sampling.n_probs = 2;
  const auto same = [&](const char* head, const char* name, Endpoint endpoint) {
    const auto request = read(std::string(head) + ", \"" + name + "\": null}", endpoint, defaults);
    ASSERT_TRUE(request) << name << ": " << to_string(request.error());
    EXPECT_EQ(options_json(request->options), options_json(defaults)) << name;
    EXPECT_EQ(request->options.sampling.n_probs, 2) << name;
    EXPECT_FALSE(request->stream);
  };
  const std::string chat_head = std::string("{") + kHello;
  for (const auto& names : {std::span<const char* const>(kOptionalOfBoth),
                            std::span<const char* const>(kOptionalOfChat)})
    for (const char* name : names) same(chat_head.c_str(), name, Endpoint::chat_completions);
  for (const auto& names : {std::span<const char* const>(kOptionalOfBoth),
                            std::span<const char* const>(kOptionalOfText)})
    for (const char* name : names) same(R"({"prompt": "Hello")", name, Endpoint::completions);
}

TEST(OpenaiRequest, TakesNullInsideOfFields) {
  for (const char* format :
       {R"({"type": "text", "json_schema": null})",
        R"({"type": "json_object", "json_schema": null})",
        R"({"type": "json_schema", "json_schema": {"name": "x", "description": null, "strict": null,
            "schema": {"type": "object", "description": null}}})",
        R"({"type": "json_schema", "json_schema": {"name": null, "schema": {}}})"}) {
    const auto request = chat(std::string(R"(, "response_format": )") + format);
    EXPECT_TRUE(request) << format << ": " << to_string(request.error());
  }
}

// What openai-python, openai-node, LangChain, LiteLLM, the Vercel AI SDK and vLLM make of an answer
// that is sent back.
TEST(OpenaiRequest, TakesAnswersAsSdksSendThemBack) {
  constexpr const char* kAnswers[] = {
      R"("refusal": null, "annotations": [], "audio": null, "function_call": null,
         "tool_calls": null)",
      R"("refusal": null, "annotations": [], "audio": null, "function_call": null,
         "tool_calls": null, "reasoning_content": null)",
      R"("refusal": null, "annotations": null, "audio": null, "function_call": null,
         "tool_calls": null, "parsed": null)",
      R"("refusal": null, "parsed": {"a": [1]}, "annotations": [{"type": "url_citation"}])",
      R"("name": null, "tool_call_id": null)",
      R"("name": "me")",
      R"("function_call": null, "tool_calls": null, "images": null, "thinking_blocks": null,
         "provider_specific_fields": {"refusal": null})",
      R"("provider_specific_fields": null, "reasoning": null, "reasoning_details": null)",
      R"("prefix": null, "partial": null, "weight": null, "cache_control": null)",
  };
  for (const char* members : kAnswers) {
    const auto request = read(std::string(R"({"messages": [{"role": "user", "content": "a",
        "name": null}, {"role": "assistant", "content": "b", )") +
                              members + R"(}, {"role": "user", "content": [{"type": "text",
        "text": "c", "cache_control": null}]}]})");
    ASSERT_TRUE(request) << members << ": " << to_string(request.error());
    ASSERT_EQ(request->messages.size(), 3u);
    EXPECT_EQ(request->messages[1].content, "b");
    EXPECT_EQ(request->messages[2].content, "c");
  }
}

TEST(OpenaiRequest, NamesARequiredFieldThatIsNull) {
  constexpr Wrong kNull[] = {
      {R"({"messages": null})", "messages"},
      {R"({"messages": [null]})", "messages"},
      {R"({"messages": [{"role": null, "content": "x"}]})", "role"},
      {R"({"messages": [{"role": "user", "content": null}]})", "content"},
      {R"({"messages": [{"role": "assistant", "content": null, "tool_calls": null}]})", "content"},
      {R"({"messages": [{"role": "assistant", "content": null, "tool_calls": [{}]}]})",
       "tool_calls"},
      {R"({"messages": [{"role": "user", "content": [null]}]})", "content"},
      {R"({"messages": [{"role": "user", "content": [{"type": null, "text": "a"}]}]})", "content"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text", "text": null}]}]})",
       "content"},
  };
  for (const Wrong& wrong : kNull) {
    const auto request = read(wrong.fields);
    ASSERT_FALSE(request) << wrong.fields;
    EXPECT_EQ(request.error().where, "messages") << wrong.fields;
    EXPECT_NE(request.error().what.find(wrong.named), std::string::npos)
        << wrong.fields << ": " << request.error().what;
  }
  constexpr Wrong kFormats[] = {
      {R"({"type": null})", "type"},
      {R"({"type": "json_schema", "json_schema": null})", "json_schema.schema"},
      {R"({"type": "json_schema", "json_schema": {"name": "x", "schema": null}})",
       "json_schema.schema"},
      {R"({"type": "json_schema", "json_schema": [null]})", "json_schema.schema"},
  };
  for (const Wrong& wrong : kFormats) {
    const auto request = chat(std::string(R"(, "response_format": )") + wrong.fields);
    ASSERT_FALSE(request) << wrong.fields;
    EXPECT_EQ(request.error().where, "response_format");
    EXPECT_NE(request.error().what.find(wrong.named), std::string::npos) << request.error().what;
  }
  EXPECT_EQ(read(R"({"prompt": null})", Endpoint::completions).error().where, "prompt");
  EXPECT_EQ(read(R"({"prompt": [null]})", Endpoint::completions).error().where, "prompt");
  EXPECT_EQ(chat(R"(, "stop": ["a", null])").error().where, "stop");
  EXPECT_EQ(chat(R"(, "logit_bias": {"1": null})").error().where, "logit_bias");
}

// A template may print its messages, and a schema's properties come in its order.
TEST(OpenaiRequest, KeepsTheOrderOfKeys) {
  const auto request = read(R"({"messages": [{"role": "user", "content": "a"},
      {"content": "b", "role": "assistant"}, {"name": "n", "content": [], "role": "user"},
      {"content": null, "role": "user", "content": "c"}, {"refusal": null, "role": "assistant",
      "content": "d"}]})");
  ASSERT_TRUE(request) << to_string(request.error());
  const bool kContentFirst[] = {false, true, true, true, false};
  for (size_t i = 0; i < std::size(kContentFirst); ++i)
    EXPECT_EQ(request->messages[i].content_first, kContentFirst[i]) << i;
  EXPECT_EQ(messages_json(request->messages)[1].dump(), R"({"content":"b","role":"assistant"})");
  EXPECT_EQ(messages_json(request->messages)[0].dump(), R"({"role":"user","content":"a"})");
  const std::string schema =
      R"({"type":"object","properties":{"z":{"minimum":1,"type":"integer"},"a":{},"m":{"enum":)"
      R"([{"y":1,"b":2}]}},"required":["z","a"],"$defs":{"x":{},"c":{}}})";
  const auto held = chat(R"(, "response_format": {"json_schema": {"schema": )" + schema +
                         R"(}, "type": "json_schema"})");
  EXPECT_EQ(held->options.grammar.text, schema);
  EXPECT_EQ(options_json(held->options)["response_format"]["json_schema"]["schema"].dump(), schema);
}

// A conversation with a call, as OpenAI's API has it, and what becomes of its messages.
TEST(OpenaiRequest, TakesToolCallsAndTheirResults) {
  const std::string call =
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{\"b\": 1, \"a\": [2]}"}})";
  const std::string turned =
      R"({"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[)" + call + "]}";
  const auto request = read(R"({"messages": [{"role": "user", "content": "x"}, )" + turned + R"(,
      {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4"}]},
      {"role": "assistant", "content": "so", "tool_calls": []},
      {"role": "assistant", "tool_calls": [{"function": {"arguments": {}, "name": "g"}}]}]})");
  ASSERT_TRUE(request) << to_string(request.error());
  ASSERT_EQ(request->messages.size(), 5u);
  const Message& asks = request->messages[1];
  EXPECT_TRUE(asks.content_null);
  EXPECT_EQ(asks.reasoning_content, "hm");
  ASSERT_EQ(asks.tool_calls.size(), 1u);
  EXPECT_EQ(asks.tool_calls[0].id, "c1");
  EXPECT_EQ(asks.tool_calls[0].name, "f");
  EXPECT_EQ(asks.tool_calls[0].arguments, R"({"b": 1, "a": [2]})");
  EXPECT_EQ(request->messages[2].role, "tool");
  EXPECT_EQ(request->messages[2].tool_call_id, "c1");
  EXPECT_EQ(request->messages[2].content, "4");
  EXPECT_FALSE(request->messages[3].content_null);
  EXPECT_TRUE(request->messages[3].tool_calls.empty());
  EXPECT_TRUE(request->messages[4].content_null);
  EXPECT_EQ(request->messages[4].tool_calls[0].arguments, "{}");
  const Json again = messages_json(request->messages);
  EXPECT_EQ(again[1].dump(), turned);
  EXPECT_EQ(again[2].dump(), R"({"role":"tool","tool_call_id":"c1","content":"4"})");
  EXPECT_EQ(again[3].dump(), R"({"role":"assistant","content":"so"})");
  EXPECT_EQ(read(Json{{"messages", again}}.dump())->messages[1].tool_calls[0].arguments,
            asks.tool_calls[0].arguments);
}

TEST(OpenaiRequest, RefusesWhatIsNoTextByItsType) {
  for (const char* type : {"image_url", "input_audio", "file"}) {
    const auto request = read(std::string(R"({"messages": [{"role": "user", "content": "x"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": ")") +
                              type + R"("}]}]})");
    ASSERT_FALSE(request);
    EXPECT_NE(request.error().what.find(type), std::string::npos) << request.error().what;
    EXPECT_NE(request.error().what.find("number 1"), std::string::npos) << request.error().what;
  }
}

TEST(OpenaiRequest, ToolsAndVariablesGoToTheTemplate) {
  constexpr const char* kTools =
      R"(, "tools": [{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2}}}])";
  const auto request = chat(std::string(kTools) +
                            R"(, "chat_template_kwargs": {"enable_thinking": false, "k": [1]})");
  ASSERT_TRUE(request) << to_string(request.error());
  EXPECT_EQ(request->chat.tools,
            R"([{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2}}}])");
  EXPECT_EQ(request->chat.template_kwargs, R"({"enable_thinking":false,"k":[1]})");
  EXPECT_FALSE(chat(std::string(kTools) + R"(, "tool_choice": "auto")")->chat.tools.empty());
  // Before its tools in the body too.
  EXPECT_TRUE(chat(R"(, "tool_choice": "none")" + std::string(kTools))->chat.tools.empty());
  for (const char* choice : {R"("any")", "1", R"({"type": "function"})", R"({"type": "x"})",
                             R"({"type": "allowed_tools", "allowed_tools": {"mode": "auto"}})",
                             R"({"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools":
                                [{"type": "function", "function": {"name": "f"}}]}})"}) {
    const auto refused = chat(std::string(kTools) + R"(, "tool_choice": )" + choice);
    ASSERT_FALSE(refused) << choice;
    EXPECT_EQ(refused.error().where, "tool_choice");
  }
  for (const char* tools : {R"({})", R"([1])", R"([{"type": "function"}])", R"([{}])",
                            R"([{"type": "custom"}])", R"([{"type": "namespace"}])"})
    EXPECT_EQ(chat(std::string(R"(, "tools": )") + tools).error().where, "tools") << tools;
  for (const char* kwargs : {"[]", R"({"messages": []})", R"({"add_generation_prompt": false})"})
    EXPECT_EQ(chat(std::string(R"(, "chat_template_kwargs": )") + kwargs).error().where,
              "chat_template_kwargs")
        << kwargs;
}

TEST(OpenaiRequest, ToolChoiceSaysWhatMayBeCalled) {
  const std::string tools = R"(, "tools": [{"type":"function","function":{"name":"f"}}])";
  const auto chosen = [&](const char* choice) {
    const auto request = chat(tools + R"(, "tool_choice": )" + choice);
    EXPECT_TRUE(request) << choice;
    return request->tools;
  };
  EXPECT_TRUE(chosen(R"("required")").required);
  EXPECT_FALSE(chosen(R"("auto")").required);
  for (const char* named :
       {R"({"type": "function", "function": {"name": "f"}})",
        R"({"type": "function", "name": "f"})", R"({"type": "custom", "custom": {"name": "f"}})",
        R"({"type": "allowed_tools", "allowed_tools": {"mode": "required",
                               "tools": [{"type": "function", "function": {"name": "f"}}]}})"}) {
    EXPECT_TRUE(chosen(named).required) << named;
    EXPECT_EQ(chosen(named).names, std::vector<std::string>{"f"}) << named;
  }
  const auto may = chosen(R"({"type": "allowed_tools", "mode": "auto", "tools":
                             [{"type": "function", "name": "f"}]})");
  EXPECT_FALSE(may.required);
  EXPECT_EQ(may.names, std::vector<std::string>{"f"});
  EXPECT_TRUE(chat(tools)->tools.parallel);
  EXPECT_FALSE(chat(tools + R"(, "parallel_tool_calls": false)")->tools.parallel);
  EXPECT_EQ(chat(tools + R"(, "parallel_tool_calls": 1)").error().where, "parallel_tool_calls");
}

// Agents send them to whoever answers.
TEST(OpenaiRequest, ToolsThatAServerWouldRunAreLeftOut) {
  const auto request = chat(R"(, "tools": [{"type": "web_search"}, {"type": "local_shell"},
    {"type": "namespace", "name": "n", "tools": [{"type":"function","function":{"name":"f"}}]},
    {"type": "custom", "custom": {"name": "c", "description": "d"}}])");
  ASSERT_TRUE(request) << to_string(request.error());
  EXPECT_EQ(request->chat.tools,
            R"([{"type":"function","function":{"name":"f"}},{"type":"function","function":)"
            R"({"name":"c","description":"d","parameters":{"type":"object","properties":)"
            R"({"input":{"type":"string"}},"required":["input"],"additionalProperties":false}}}])");
  EXPECT_EQ(request->custom_tools, std::vector<std::string>{"c"});
  ASSERT_EQ(request->notes.size(), 2u);
  EXPECT_NE(request->notes[0].find("web_search"), std::string::npos);
  EXPECT_TRUE(chat(R"(, "tool_choice": "auto", "tools": [{"type": "mcp"}])"));
  EXPECT_EQ(chat(R"(, "tool_choice": "required", "tools": [{"type": "mcp"}])").error().where,
            "tool_choice");
}

TEST(OpenaiRequest, NamesWhatOpenaiKnowsAndQuernDoesNot) {
  for (const char* fields : {R"(, "stream_options": {"include_usage": null})", R"(, "audio": {})",
                             R"(, "tool_choice": "auto")", R"(, "modalities": ["text"])"})
    EXPECT_NE(chat(fields).error().what.find("supports"), std::string::npos) << fields;
  for (const char* fields : {R"(, "echo": true)", R"(, "suffix": "")", R"(, "best_of": 1)"})
    EXPECT_NE(text(fields).error().what.find("supports"), std::string::npos) << fields;
}

TEST(OpenaiRequest, HoldsAnswersToAFormat) {
  EXPECT_EQ(chat("")->options.grammar.kind, GrammarKind::none);
  EXPECT_EQ(chat(R"(, "response_format": {"type": "text"})")->options.grammar.kind,
            GrammarKind::none);
  EXPECT_EQ(chat(R"(, "response_format": {"type": "json_object"})")->options.grammar.kind,
            GrammarKind::json_object);
  const auto held = chat(R"(, "response_format": {"type": "json_schema",
      "json_schema": {"name": "x", "strict": true, "schema": {"z": 1, "a": 2}}})");
  ASSERT_TRUE(held) << to_string(held.error());
  EXPECT_EQ(held->options.grammar.kind, GrammarKind::json_schema);
  EXPECT_EQ(held->options.grammar.text, R"({"z":1,"a":2})");
  Json body = options_json(held->options);
  body["messages"] = messages_json({{"user", "Hello"}});
  EXPECT_EQ(read(body.dump())->options.grammar, held->options.grammar);
}

TEST(OpenaiRequest, BoundsAnswersOfOneRequest) {
  EXPECT_TRUE(read(R"({"prompt": ["a", "b"], "n": 64})", Endpoint::completions));
  EXPECT_EQ(read(R"({"prompt": ["a", "b"], "n": 65})", Endpoint::completions).error().where, "n");
}

TEST(OpenaiRequest, ReadsBackTheOptionsItWrote) {
  GenerateOptions options;
  options.max_tokens = 12;
  options.stop = {"a", "b"};
  options.sampling.temperature = 0.1f;
  options.sampling.top_p = 0.37f;
  options.sampling.top_k = 3;
  options.sampling.penalty_window = -1;
  options.sampling.seed = UINT64_MAX - 1;
  options.sampling.logit_bias = {{3, -0.3f}};
  Json body = options_json(options);
  body["messages"] = messages_json({{"user", "Hello"}});
  EXPECT_EQ(body["temperature"].dump(), "0.1");
  const auto request = read(body.dump());
  ASSERT_TRUE(request) << to_string(request.error());
  EXPECT_EQ(options_json(request->options), options_json(options));
  EXPECT_EQ(request->options.sampling.temperature, 0.1f);
  EXPECT_EQ(request->options.sampling.seed, UINT64_MAX - 1);
  EXPECT_EQ(request->options.sampling.logit_bias.at(0).bias, -0.3f);
}

TEST(OpenaiJson, IsBounded) {
  EXPECT_TRUE(parse_json(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')));
  EXPECT_FALSE(parse_json(std::string(kMaxDepth + 1, '[') + std::string(kMaxDepth + 1, ']')));
  EXPECT_FALSE(parse_json(std::string(1 << 20, '[')));
  EXPECT_TRUE(parse_json('"' + std::string(1000, '[') + "\\\"[" + '"'));
  std::string members = "{\"a\":[" + std::string(10000, ' ');
  for (int i = 0; i < 2 * kMaxMembers; ++i) members += "1,";
  EXPECT_TRUE(parse_json(members + "1]}"));
  std::string object = "{";
  for (int i = 0; i < kMaxMembers; ++i) object += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_FALSE(parse_json(object + "\"last\":1}"));
}

TEST(OpenaiJson, SaysWhatIsWrong) {
  EXPECT_NE(parse_json("{\"a\": \"\xff\"}").error().what.find("UTF-8"), std::string::npos);
  EXPECT_NE(parse_json("{\"a\": }").error().what.find("byte 7"), std::string::npos);
  for (const char* text : {"", "{", "}", "{}{}", "nul", "1e999", "\"\\ud800\"", "]", ",", "[1,]"})
    EXPECT_FALSE(parse_json(text)) << text;
}

}  // namespace
}  // namespace quern::openai
