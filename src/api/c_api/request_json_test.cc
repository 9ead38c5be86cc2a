// Requests as JSON: what is understood, and what is refused by which name.
#include "api/c_api/request_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace quern::c_api {
namespace {

TEST(RequestJson, PromptsAreTextTokensOrMessages) {
  const auto text = read_request(R"({"prompt": "caf\u00e9 \u0000"})");
  ASSERT_TRUE(text) << to_string(text.error());
  EXPECT_EQ(std::get<std::string>(text->prompt), std::string("caf\xc3\xa9 \0", 7));
  const auto ids = read_request(R"({"prompt": [1, 2, 2147483647, -1]})");
  ASSERT_TRUE(ids) << to_string(ids.error());
  EXPECT_EQ(std::get<Ids>(ids->prompt), (Ids{1, 2, 2147483647, -1}));
  const auto turns =
      read_request(R"({"messages": [{"role": "user", "content": "hi"}], "special": true})");
  ASSERT_TRUE(turns) << to_string(turns.error());
  const auto& messages = std::get<Messages>(turns->prompt);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, "hi");
  EXPECT_TRUE(turns->special);
}

TEST(RequestJson, FieldsReachTheirOptions) {
  const auto read = read_request(R"({"prompt": [], "max_tokens": 7, "stop": ["a", "b"],
      "stop_ids": [3], "ignore_eos": true, "n": 4, "grammar": {"kind": "regex", "text": "a+"}, "speculate": false, "priority": -2,
      "client": "me", "deadline_ms": 9000000000, "cache_salt": "s", "temperature": 0.25,
      "top_k": 5, "seed": 18446744073709551615, "logit_bias": [{"id": 7, "bias": -2.5}],
      "reasoning": {"budget": 9, "end": "</r>"}, "banned": [1], "dry_breakers": [], "samplers": ["top_k"], "n_probs": 0,
      "post_sampling_probs": true})");
  ASSERT_TRUE(read) << to_string(read.error());
  const GenerateOptions& options = read->options;
  EXPECT_EQ(options.max_tokens, 7);
  EXPECT_EQ(options.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.stop_ids, (Ids{3}));
  EXPECT_TRUE(options.ignore_eos);
  EXPECT_EQ(options.n, 4);
  EXPECT_EQ(options.grammar, (GrammarSpec{GrammarKind::regex, "a+"}));
  EXPECT_FALSE(options.speculate);
  EXPECT_EQ(options.reasoning.budget, 9);
  EXPECT_EQ(options.reasoning.start, "<think>");
  EXPECT_EQ(options.reasoning.end, "</r>");
  EXPECT_EQ(options.priority, -2);
  EXPECT_EQ(options.client, "me");
  EXPECT_EQ(options.deadline_ms, 9000000000);
  EXPECT_EQ(options.cache_salt, "s");
  EXPECT_EQ(options.sampling.temperature, 0.25f);
  EXPECT_EQ(options.sampling.top_k, 5);
  EXPECT_EQ(options.sampling.seed, std::numeric_limits<uint64_t>::max());
  ASSERT_EQ(options.sampling.logit_bias.size(), 1u);
  EXPECT_EQ(options.sampling.logit_bias[0].id, 7);
  EXPECT_EQ(options.sampling.logit_bias[0].bias, -2.5f);
  EXPECT_EQ(options.sampling.banned, (Ids{1}));
  EXPECT_TRUE(options.sampling.dry_breakers.empty());
  EXPECT_EQ(options.sampling.samplers, (std::vector<std::string>{"top_k"}));
  EXPECT_EQ(options.sampling.n_probs, 0);
  EXPECT_TRUE(options.sampling.post_sampling_probs);
  EXPECT_EQ(options.sampling.top_p, SamplingOptions().top_p)
      << "what is not named keeps its default";
}

TEST(RequestJson, LoadOptionsAreReadByName) {
  const auto read = read_load_options(R"({"threads": 3, "numerics": "exact", "kv": "int8",
      "context": 4096, "max_batch": 32, "isa": "scalar", "pin": "cores", "deterministic": true,
      "prefix_folder": "/p", "prefix_bytes": 5000000000, "max_waiting": 5, "tuning": false, "packed_cache": "off"})");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->threads, 3);
  EXPECT_EQ(read->numerics, Numerics::exact);
  EXPECT_EQ(read->kv, KvKind::int8);
  EXPECT_EQ(read->context, 4096);
  EXPECT_EQ(read->max_batch, 32);
  EXPECT_EQ(read->isa, "scalar");
  EXPECT_EQ(read->pin, "cores");
  EXPECT_TRUE(read->deterministic);
  EXPECT_EQ(read->prefix_folder, "/p");
  EXPECT_EQ(read->prefix_bytes, 5000000000);
  EXPECT_EQ(read->max_waiting, 5);
  EXPECT_FALSE(read->tuning);
  EXPECT_EQ(read->packed_cache, PackedUse::off);
}

struct BadText {
  const char* json;
  const char* where;
  const char* what;  // part of it
};

constexpr BadText kBadRequests[] = {
    {"", "request", "not JSON"},
    {"{", "request", "not JSON"},
    {"{\"prompt\": \"\xff\"}", "request", "not JSON"},
    {R"({"prompt": "a"} x)", "request", "not JSON"},
    {"[]", "request", "array, not an object"},
    {"null", "request", "null, not an object"},
    {"{}", "request", "either"},
    {R"({"prompt": "a", "messages": []})", "request", "either"},
    {R"({"prompt": "a", "prompt": "b"})", "request", "\"prompt\" is there twice"},
    {R"({"prompt": 7})", "request.prompt", "number, not text or an array"},
    {R"({"prompt": ["a"]})", "request.prompt[0]", "element 0 is a value of type string"},
    {R"({"prompt": [1, 2147483648]})", "request.prompt[1]", "is 2147483648, must be"},
    {R"({"prompt": [1.5]})", "request.prompt[0]", "not a whole number"},
    {R"({"prompt": "a", "max_token": 7})", "request.max_token", "no field max_token"},
    {R"({"prompt": "a", "max_tokens": "7"})", "request.max_tokens", "not a whole number"},
    {R"({"prompt": "a", "max_tokens": 7.0})", "request.max_tokens", "not a whole number"},
    {R"({"prompt": "a", "max_tokens": 2147483648})", "request.max_tokens", "must be at least -1"},
    {R"({"prompt": "a", "max_tokens": -99999999999})", "request.max_tokens", "must be at least"},
    {R"({"prompt": "a", "max_tokens": -2})", "request.max_tokens", "is -2, must be at least -1"},
    {R"({"prompt": "a", "stop": ["x", ""]})", "request.stop", "string 1 is empty"},
    {R"({"prompt": "a", "n": 129})", "request.n", "at least 1 and at most 128"},
    {R"({"prompt": "a", "reasoning": {"budget": -2}})", "request.reasoning.budget", "is -2, must"},
    {R"({"prompt": "a", "seed": 1.5})", "request.seed", "not a whole number"},
    {R"({"prompt": "a", "seed": "1"})", "request.seed", "not a whole number"},
    {R"({"prompt": "a", "seed": -9223372036854775809})", "request.seed", "not a whole number"},
    {R"({"prompt": "a", "seed": 18446744073709551616})", "request.seed", "not a whole number"},
    {R"({"prompt": "a", "temperature": true})", "request.temperature", "not a number"},
    {R"({"prompt": "a", "temperature": 1e39})", "request.temperature", "at most 100"},
    {R"({"prompt": "a", "temperature": 1e400})", "request", "too large"},
    {R"({"prompt": "a", "ignore_eos": 1})", "request.ignore_eos", "not true or false"},
    {R"({"prompt": "a", "stop": "x"})", "request.stop", "not an array"},
    {R"({"prompt": "a", "stop": ["x", 1]})", "request.stop[1]", "not text"},
    {R"({"prompt": "a", "client": {}})", "request.client", "not text"},
    {R"({"prompt": "a", "sampling": {}})", "request.sampling", "no field"},
    {R"({"prompt": "a", "grammar": {"kind": "yaml"}})", "request.grammar.kind", "no such value"},
    {R"({"prompt": "a", "grammar": {"text": 1}})", "request.grammar.text", "not text"},
    {R"({"prompt": "a", "grammar": "regex"})", "request.grammar", "not an object"},
    {R"({"prompt": "a", "logit_bias": {"7": 1}})", "request.logit_bias", "not an array"},
    {R"({"prompt": "a", "logit_bias": [{"id": 7}]})", "request.logit_bias[0]", "no \"bias\""},
    {R"({"prompt": "a", "logit_bias": [{"id": 7, "bias": 1, "x": 2}]})", "request.logit_bias[0].x",
     "no field x"},
    {R"({"prompt": "a", "logit_bias": [{"id": 7, "bias": "-inf"}]})", "request.logit_bias[0].bias",
     "not a number"},
    {R"({"messages": {}})", "request.messages", "not an array"},
    {R"({"messages": ["hi"]})", "request.messages[0]", "not an object"},
    {R"({"messages": [{"role": "user"}]})", "request.messages[0]", "no \"content\""},
    {R"({"messages": [{"role": "user", "content": null}]})", "request.messages[0].content",
     "not text"},
    {R"({"messages": null})", "request", "either"},
    {R"({"prompt": null, "messages": null})", "request", "either"},
    {R"({"prompt": [null]})", "request.prompt[0]", "null, not a whole"},
    {R"({"prompt": "a", "max_token": null})", "request.max_token", "no field max_token"},
    {R"({"prompt": "a", "stop": [null]})", "request.stop[0]", "null, not text"},
    {R"({"prompt": "a", "grammar": {"kinds": null}})", "request.grammar.kinds", "no field"},
    {R"({"prompt": "a", "logit_bias": [{"id": null, "bias": 1}]})", "request.logit_bias[0].id",
     "null, not a whole"},
    {R"({"messages": [null]})", "request.messages[0]", "null, not an object"},
    {R"({"messages": [{"role": null, "content": "a"}]})", "request.messages[0].role",
     "null, not text"},
    {R"({"messages": [{"role": "a", "content": "", "tool_calls": [{}]}]})",
     "request.messages[0].tool_calls[0].function", "no function"},
    {R"({"messages": [{"role": "a", "content": "", "tool_calls": [{"function": {"name": "f",
        "arguments": "[]"}}]}]})",
     "request.messages[0].tool_calls[0].function.arguments", "no JSON object"},
    {R"({"messages": [{"role": "a", "content": "", "name": 1}]})", "request.messages[0].name",
     "number, not text"},
    {R"({"messages": [{"role": "a", "content": "", "names": ""}]})", "request.messages[0].names",
     "no field names"},
    {R"({"messages": [{"role": "a", "content": "b"}, {"role": "a", "content": [{"type": "text",
        "text": "c"}, {"type": "image_url"}]}]})",
     "request.messages[1].content[1]", "image_url"},
    {R"({"messages": [{"role": "a", "content": [{"text": "c"}]}]})",
     "request.messages[0].content[0]", "no type"},
    {R"({"messages": [], "tools": [{}]})", "request.tools", "tools"},
    {R"({"messages": [], "chat_template_kwargs": 1})", "request.chat_template_kwargs", "object"},
    {R"({"messages": [], "chat_template_kwargs": {"tools": []}})", "request.chat_template_kwargs",
     "tools is given"},
    {R"({"prompt": "a", "chat_template_kwargs": {}})", "request", "of a conversation"},
};

TEST(RequestJson, MessagesHaveCallsAndTheirResults) {
  const auto read = read_conversation(R"({"messages": [
      {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function":
          {"arguments": {"b": 2, "a": 1}, "name": "f"}}]},
      {"role": "tool", "name": "f", "tool_call_id": "1", "content": [{"type": "text", "text": "x"},
          {"type": "text", "text": "y"}]},
      {"reasoning": "hm", "role": "assistant", "content": "z", "tool_calls": []}],
      "tools": [{"type": "function", "function": {"name": "f"}}], "special": true,
      "chat_template_kwargs": {"enable_thinking": false}})");
  ASSERT_TRUE(read) << to_string(read.error());
  ASSERT_EQ(read->messages.size(), 3u);
  EXPECT_TRUE(read->messages[0].content_null);
  EXPECT_TRUE(read->messages[0].tool_calls.at(0).arguments_first);
  EXPECT_EQ(read->messages[0].tool_calls[0].arguments, R"({"b":2,"a":1})");
  EXPECT_EQ(read->messages[1].content, "xy");
  EXPECT_EQ(read->messages[1].name, "f");
  EXPECT_EQ(read->messages[1].key_order,
            (std::vector<std::string>{"role", "name", "tool_call_id", "content"}));
  EXPECT_EQ(read->messages[2].reasoning_content, "hm");
  EXPECT_TRUE(read->options.special);
  EXPECT_EQ(read->options.tools, R"([{"type":"function","function":{"name":"f"}}])");
  EXPECT_EQ(read->options.template_kwargs, R"({"enable_thinking":false})");
  EXPECT_EQ(read_conversation("{}").error().what, "request has no \"messages\"");
  EXPECT_EQ(read_conversation(R"({"messages": [], "prompt": "a"})").error().where,
            "request.prompt");
}

TEST(RequestJson, BadRequestsAreRefusedByPlace) {
  for (const BadText& bad : kBadRequests) {
    const auto read = read_request(bad.json);
    ASSERT_FALSE(read) << bad.json;
    EXPECT_EQ(read.error().code, Code::invalid_argument);
    EXPECT_EQ(read.error().where, bad.where) << bad.json;
    EXPECT_NE(read.error().what.find(bad.what), std::string::npos)
        << bad.json << ": " << to_string(read.error());
  }
}

// Every field that has a default: with null it keeps that.
TEST(RequestJson, NullIsAsAFieldThatIsNotThere) {
  const Json defaults = default_options();
  for (const auto& [name, unused] : defaults["request"].items()) {
    const auto read = read_request(to_text({{"prompt", "a"}, {name, nullptr}}));
    EXPECT_TRUE(read) << name << ": " << to_string(read.error());
  }
  for (const auto& [name, unused] : defaults["load"].items())
    EXPECT_TRUE(read_load_options(to_text({{name, nullptr}}))) << name;
  for (const auto& [name, unused] : defaults["embed"].items())
    EXPECT_TRUE(read_embed_request(to_text({{"texts", {"a"}}, {name, nullptr}}))) << name;
  const auto read = read_request(R"({"prompt": "a", "messages": null, "temperature": null,
      "top_k": 5, "special": null, "stop": null, "grammar": {"kind": "regex", "text": "a",
      "compact": null}, "reasoning": {"budget": null}})");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->options.sampling.temperature, SamplingOptions().temperature);
  EXPECT_EQ(read->options.sampling.top_k, 5);
  EXPECT_EQ(read->options.grammar, (GrammarSpec{GrammarKind::regex, "a"}));
  EXPECT_EQ(read_embed_request(R"({"texts": null})").error().where, "request");
  const auto messages = read_messages(R"([{"role": "assistant", "content": "b", "refusal": null,
      "annotations": [], "audio": null, "function_call": null, "tool_calls": null,
      "reasoning_content": null}])");
  ASSERT_TRUE(messages) << to_string(messages.error());
  EXPECT_EQ(messages->at(0).content, "b");
}

TEST(RequestJson, BadLoadOptionsAreRefusedByPlace) {
  constexpr BadText kBad[] = {
      {"7", "options", "not an object"},
      {R"({"thread": 1})", "options.thread", "no field thread"},
      {R"({"numerics": "best"})", "options.numerics", "no such value"},
      {R"({"numerics": 1})", "options.numerics", "not a name"},
      {R"({"kv": "f32"})", "options.kv", "no such value"},
      {R"({"packed_cache": true})", "options.packed_cache", "not a name"},
      {R"({"progress": null})", "options.progress", "no field progress"},
  };
  for (const BadText& bad : kBad) {
    const auto read = read_load_options(bad.json);
    ASSERT_FALSE(read) << bad.json;
    EXPECT_EQ(read.error().where, bad.where) << bad.json;
    EXPECT_NE(read.error().what.find(bad.what), std::string::npos) << to_string(read.error());
  }
  EXPECT_NE(read_load_options(R"({"kv": "f32"})").error().fix.find("auto, bf16, f16, int8, int4"),
            std::string::npos);
}

TEST(RequestJson, LongAndDeepTextsAreRefused) {
  const auto nested = [](int levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth), "text"));
  const auto deep = parse_json(nested(kMaxJsonDepth + 1), "text");
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().what.find("deeper than 64"), std::string::npos);
  EXPECT_FALSE(parse_json(std::string(1 << 20, '['), "text"));

  EXPECT_TRUE(parse_json("1" + std::string(kMaxJsonBytes - 1, ' '), "text"));
  const auto longer = parse_json("1" + std::string(kMaxJsonBytes, ' '), "text");
  ASSERT_FALSE(longer);
  EXPECT_NE(longer.error().what.find("at most 16777216"), std::string::npos);
}

TEST(RequestJson, KeysKeepTheirOrder) {
  const auto messages = read_messages(R"([{"role": "user", "content": "a"},
      {"content": "b", "role": "user"}, {"refusal": null, "content": "c", "role": "user"},
      {"refusal": null, "role": "user", "content": "d"}])");
  ASSERT_TRUE(messages) << to_string(messages.error());
  const bool kContentFirst[] = {false, true, true, false};
  for (size_t i = 0; i < std::size(kContentFirst); ++i)
    EXPECT_EQ(messages->at(i).content_first, kContentFirst[i]) << i;
  const std::string text =
      R"({"z":[{"y":1,"b":-2,"a":0.5},[],{}],"a":{"m":null,"k":{"d":true,"c":false}},"":"\n"})";
  const auto read = parse_json(text, "text");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(to_text(*read), text);
}

// Ten thousands of millions of comparisons, if each field were looked for among the earlier ones.
TEST(RequestJson, WideObjectsAreReadWithoutLookups) {
  constexpr int kFields = 200'000;
  std::string text = "{";
  for (int i = kFields; i > 0; --i)
    text += "\"f" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  const auto read = parse_json(text + "\"prompt\":\"a\"}", "text");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->size(), kFields + 1u);
  EXPECT_EQ(read->begin().key(), "f200000");
  EXPECT_EQ(read->back(), "a");
  const auto twice = parse_json(text + "\"f7\":1}", "text");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().what, "the field \"f7\" is there twice");
}

TEST(RequestJson, LongNamesAreCutInErrors) {
  const auto read = read_request("{\"prompt\": \"\", \"" + std::string(100000, 'x') + "\": 1}");
  ASSERT_FALSE(read);
  EXPECT_LT(to_string(read.error()).size(), 300u);
  // Between characters: 64 bytes end inside of the last one.
  const std::string name = std::string(62, 'x') + "\xe2\x82\xac";
  const auto cut = read_request("{\"prompt\": \"\", \"" + name + "\": 1}");
  EXPECT_EQ(cut.error().what, "there is no field " + std::string(62, 'x') + "...");
  const auto twice = read_request("{\"" + name + "\": 1, \"" + name + "\": 1}");
  EXPECT_EQ(twice.error().what, "the field \"" + std::string(62, 'x') + "...\" is there twice");
}

// Every default, written and read again, is the default: names, types and values of the tables.
TEST(RequestJson, DefaultsAreARequestThatChangesNothing) {
  const Json defaults = default_options();
  Json request = defaults["request"];
  EXPECT_EQ(request["temperature"].dump(), "0.8") << "as short as it was written";
  EXPECT_EQ(request["max_tokens"], -1);
  request["prompt"] = "";
  const auto again = read_request(to_text(request));
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(again->options.sampling.dry_breakers, SamplingOptions().dry_breakers);
  EXPECT_EQ(again->options.sampling.top_p, SamplingOptions().top_p);
  const auto load = read_load_options(to_text(defaults["load"]));
  ASSERT_TRUE(load) << to_string(load.error());
  EXPECT_EQ(load->pin, LoadOptions().pin);
}

TEST(RequestJson, NumbersAreWrittenAsJsonCanHoldThem) {
  EXPECT_EQ(to_text({{"text", "\xff"}}), "{\"text\":\"\xef\xbf\xbd\"}");
  EXPECT_EQ(to_text(Json(std::numeric_limits<double>::infinity())), "null");
}

}  // namespace
}  // namespace quern::c_api
