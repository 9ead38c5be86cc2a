#include "openai/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/checksum.h"
#include "openai/response.h"

namespace quern::openai {

namespace {

constexpr size_t kMaxIdBytes = 512;
constexpr const char* kKeys[] = {"custom_id", "method", "url", "body"};

Error about(const char* field, std::string what) {
  return {Code::invalid_argument, field + (" " + std::move(what)), field, {}};
}

std::string text_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

uint64_t seed_of(uint64_t seed, const std::string& id) {
  // Spread over all bits, of which the lowest go: below 2^53, as the program's other seeds.
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  return (checksum(std::as_bytes(std::span(id))) ^ (seed * kGolden)) >> 11;
}

Result<Request> read_line_request(const Json& line, GenerateOptions defaults,
                                  const std::string& custom_id) {
  for (const auto& [key, unused] : line.items())
    if (std::ranges::find(kKeys, key) == std::end(kKeys))
      return about(key.c_str(), "is not a field of a batch's line");
  if (text_of(line, "method") != "POST") return about("method", "must be POST");
  const auto endpoint = endpoint_of(text_of(line, "url"));
  if (!endpoint)
    return about("url", fmt::format("must be one of {}, {}", path(Endpoint::chat_completions),
                                    path(Endpoint::completions)));
  const auto body = line.find("body");
  if (body == line.end()) return about("body", "is missing");
  defaults.sampling.seed = seed_of(defaults.sampling.seed, custom_id);
  TRY(Request request, read_request(*endpoint, *body, defaults));
  if (request.stream) return about("stream", "must be false: a batch gives whole answers");
  return request;
}

Json with_key(const BatchKey& key) {
  Json line = {{"id", key.id}, {"custom_id", nullptr}};
  if (key.custom_id.empty())
    line["line"] = key.line;
  else
    line["custom_id"] = key.custom_id;
  return line;
}

}  // namespace

Result<BatchLine> read_batch_line(std::string_view text, const GenerateOptions& defaults) {
  TRY(const Json line, parse_json(text));
  if (!line.is_object()) return about("line", "must be a JSON object");
  std::string id = text_of(line, "custom_id");
  if (id.empty() || id.size() > kMaxIdBytes)
    return about("custom_id", fmt::format("must be a text of 1 to {} bytes", kMaxIdBytes));
  auto request = read_line_request(line, defaults, id);
  return BatchLine{std::move(id), std::move(request)};
}

Json batch_answer(const BatchKey& key, Json body) {
  Json line = with_key(key);
  line["response"] = {
      {"status_code", 200}, {"request_id", key.request_id}, {"body", std::move(body)}};
  line["error"] = nullptr;
  return line;
}

Json batch_failure(const BatchKey& key, const Error& error) {
  Json line = with_key(key);
  const Json told = error_json(error);
  line["response"] = {{"status_code", http_status(error.code)},
                      {"request_id", key.request_id},
                      {"body", {{"error", told}}}};
  line["error"] = {{"code", told["code"]}, {"message", told["message"]}};
  return line;
}

Result<BatchFound> read_batch_output(std::string_view text) {
  TRY(const Json line, parse_json(text));
  const Error none{Code::invalid_argument, "not an answer of a batch", {}, {}};
  if (!line.is_object() || !line.contains("response") || !line.contains("error")) return none;
  BatchFound found{.custom_id = text_of(line, "custom_id"), .failed = !line["error"].is_null()};
  if (!found.custom_id.empty()) return found;
  const auto number = line.find("line");
  if (number == line.end() || !number->is_number_integer()) return none;
  found.line = number->get<int64_t>();
  return found;
}

}  // namespace quern::openai
