// What is wrong with a request before anybody reads its body.
#pragma once
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/server.h"

namespace quern::http {

using Header = boost::beast::http::request_header<>;

struct Refusal {
  int status;
  std::string message;
};

// Header fields that do not fit together or the limits: two lengths, a length beside a transfer
// coding (request smuggling), an encoded body, no Host, too many fields, too long a target.
std::optional<Refusal> check_header(const Header& header, const Limits& limits);
// A page of another site, or a name that somebody's DNS points here: browsers send Origin and Host.
std::optional<Refusal> check_origin(const Header& header, const ServerOptions& options,
                                    bool loopback);
// Whether one of the keys came, as Bearer or X-Api-Key. Every key is compared.
bool has_key(const Header& header, const ServerOptions& options);
bool is_loopback(std::string_view address);
// The target as path and query, decoded, and the fields. False: the target is malformed.
bool read_header(const Header& header, Request& request);
// The client's id of its request where it is short and plain, else a new one.
std::string request_id(std::string_view given);

}  // namespace quern::http
