// What the transport and those who answer requests share: plain requests and responses.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method, path;  // path: percent-decoded, without the query
  Headers parameters;        // of the route's pattern: {name} -> value
  Headers query;             // decoded, in order
  Headers headers;           // names in lower case
  std::string body;
  std::string peer;  // the client's address
  std::string id;    // of this request: the client's X-Request-Id, or made here
  // The first of this name (lower case); empty: none.
  std::string_view header(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  Headers headers;
};

// What a server takes from clients that it does not know.
struct Limits {
  size_t header_bytes = 16 << 10;                 // 431
  int headers = 100;                              // 431
  size_t target_bytes = 8 << 10;                  // 414
  uint64_t body_bytes = uint64_t{32} << 20;       // 413, said before a byte of the body is read
  int connections = 4096;                         // 503
  int connections_per_address = 2048;             // 429
  std::chrono::milliseconds header_time{10'000};  // from the first byte to the last of the header
  std::chrono::milliseconds body_time{15'000};    // for the body, beside its bytes over body_rate
  uint64_t body_rate = 16 << 10;                  // bytes a second, in the mean
  std::chrono::milliseconds idle_time{60'000};    // between two requests of a connection
  std::chrono::milliseconds write_time{
      30'000};  // for what is written, beside its bytes over body_rate
};

// One line of the access log.
struct Access {
  std::string id, peer, method, path;
  int status = 0;
  uint64_t bytes = 0;  // of the response's body
  double seconds = 0;
  bool gone = false;  // the client left before the end
};

std::string_view reason(int status);  // "Not Found"
// %xx as bytes; false: a bad escape, or a NUL.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out);
// Whether two secrets are equal, in time that depends on their lengths alone.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace quern::http
