// libFuzzer target: what C programs ask for (requests, load options, conversations, texts to
// embed), from arbitrary bytes. What is refused is refused as an invalid argument, by a short text
// that is UTF-8, with the place.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/c_api/request_json.h"
#include "base/utf8.h"

namespace quern::c_api {
namespace {

constexpr size_t kMostText = 4096;  // a name of 64 bytes a level, and the known names

template <class T>
void check(const Result<T>& read) {
  if (read) return;
  const Error& error = read.error();
  const std::string text = to_string(error);
  if (error.code != Code::invalid_argument || error.what.empty() || error.where.empty() ||
      text.size() > kMostText || !is_utf8(text)) {
    std::abort();
  }
}

void run(std::string_view data) {
  if (data.empty()) return;
  const std::string_view json = data.substr(1);
  switch (static_cast<unsigned char>(data[0] - '0') % 5) {
    case 0:
      return check(read_request(json));
    case 1:
      return check(read_load_options(json));
    case 2:
      return check(read_messages(json));
    case 3:
      return check(read_embed_request(json));
    default:
      return check(read_conversation(json));
  }
}

}  // namespace
}  // namespace quern::c_api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::c_api::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
