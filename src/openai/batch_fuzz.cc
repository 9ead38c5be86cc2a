// libFuzzer target: lines of batch files, in and out, from arbitrary bytes. What is refused is
// refused as an invalid argument whose text is UTF-8; the options of a request that was read can be
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "openai/batch.h"

namespace quern::openai {
namespace {

void require(bool good) {
  if (!good) std::abort();
}

void check(const Error& error) {
  require(error.code == Code::invalid_argument && !error.what.empty());
  require(is_utf8(to_string(error)));
  (void)batch_failure({.id = "a", .request_id = "b", .custom_id = "", .line = 1}, error).dump();
}

void read_in(std::string_view line) {
  const auto read = read_batch_line(line, {});
  if (!read) return check(read.error());
  require(!read->custom_id.empty());
  if (!read->request) return check(read->request.error());
  const Request& request = *read->request;
  require(!request.stream && request.options.n >= 1);
  require(request.messages.empty() != request.prompts.empty());
  Json body = options_json(request.options);
  body["messages"] = {{{"role", "user"}, {"content", "x"}}};
  require(static_cast<bool>(read_request(Endpoint::chat_completions, body, {})));
}

void run(std::string_view data) {
  if (data.empty()) return;
  const std::string_view line = data.substr(1);
  if (data[0] % 4 > 0) return read_in(line);
  const auto found = read_batch_output(line);
  if (!found) check(found.error());
}

}  // namespace
}  // namespace quern::openai

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::openai::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
