#include "server/http/checks.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/string.hpp>
#include <cstdio>
#include <random>

namespace quern::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool same_name(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

// "[::1]:8080" -> "[::1]"
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_name_of_loopback(std::string_view host) {
  return same_name(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace

bool is_loopback(std::string_view address) {
  boost::system::error_code failed;
  const auto parsed = boost::asio::ip::make_address(std::string(address), failed);
  return !failed && parsed.is_loopback();
}

std::optional<Refusal> check_header(const Header& header, const Limits& limits) {
  const auto n_fields = std::distance(header.begin(), header.end());
  if (n_fields > limits.headers) return Refusal{431, "too many header fields"};
  if (header.target().size() > limits.target_bytes) return Refusal{414, "the URI is too long"};
  if (header.version() == 11 && header.count(field::host) != 1)
    return Refusal{400, "a request has one Host"};
  const auto lengths = header.count(field::content_length);
  if (lengths > 1) return Refusal{400, "more than one Content-Length"};
  const auto n_codings = header.count(field::transfer_encoding);
  if (lengths > 0 && n_codings > 0) return Refusal{400, "Content-Length beside Transfer-Encoding"};
  // Of any other coding the parser takes no body, and what follows would be the next request.
  if (n_codings > 1 ||
      (n_codings == 1 && !same_name(view(header[field::transfer_encoding]), "chunked")))
    return Refusal{501, "a transfer coding other than chunked"};
  const auto encoding = view(header[field::content_encoding]);
  if (!encoding.empty() && !same_name(encoding, "identity"))
    return Refusal{415, "an encoded body; send it as it is"};
  const auto expect = view(header[field::expect]);
  if (!expect.empty() && !same_name(expect, "100-continue"))
    return Refusal{417, "an expectation that is not known"};
  return std::nullopt;
}

std::optional<Refusal> check_origin(const Header& header, const ServerOptions& options,
                                    bool loopback) {
  const auto host = without_port(view(header[field::host]));
  const auto allowed = [&](std::string_view name) {
    return same_name(name, options.address) || (loopback && is_name_of_loopback(name)) ||
           std::ranges::any_of(options.hosts,
                               [&](const std::string& one) { return same_name(name, one); });
  };
  const bool any_host = !loopback && options.hosts.empty();
  if (!host.empty() && !any_host && !allowed(host))
    return Refusal{403, "this server is not '" + std::string(host.substr(0, 100)) +
                            "'; quern serve --host-name allows a name"};
  const auto origin = view(header[field::origin]);
  if (origin.empty()) return std::nullopt;
  const auto& cors = options.cors_origins;
  if (std::ranges::any_of(cors,
                          [&](const std::string& one) { return one == "*" || one == origin; }))
    return std::nullopt;
  const size_t scheme = origin.find("://");
  const auto page = scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
  if (page == view(header[field::host])) return std::nullopt;  // a page of this server
  return Refusal{403, "pages of other sites may not ask; quern serve --cors-origin allows one"};
}

bool has_key(const Header& header, const ServerOptions& options) {
  std::string_view given = view(header[field::authorization]);
  constexpr std::string_view kBearer = "Bearer ";
  if (given.size() >= kBearer.size() && same_name(given.substr(0, kBearer.size()), kBearer))
    given.remove_prefix(kBearer.size());
  else
    given = view(header["X-Api-Key"]);
  bool any = options.keys.empty();
  for (const std::string& key : options.keys) any = same_secret(key, given) || any;
  return any;
}

bool read_header(const Header& header, Request& request) {
  request.method = std::string(view(header.method_string()));
  std::string_view target = view(header.target());
  // The absolute form, "http://host/path".
  if (const size_t scheme = target.find("://");
      scheme != std::string_view::npos && !target.starts_with('/')) {
    const size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  const size_t question = target.find('?');
  if (!percent_decode(target.substr(0, question), false, request.path)) return false;
  for (auto rest = question == std::string_view::npos ? "" : target.substr(question + 1);
       !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    std::string name, value;
    if (!percent_decode(pair.substr(0, equals), true, name)) return false;
    if (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), true, value))
      return false;
    request.query.emplace_back(std::move(name), std::move(value));
  }
  for (const auto& one : header) {
    std::string name(view(one.name_string()));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    request.headers.emplace_back(std::move(name), view(one.value()));
  }
  request.id = request_id(request.header("x-request-id"));
  return true;
}

std::string request_id(std::string_view given) {
  constexpr size_t kMostBytes = 128;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!given.empty() && given.size() <= kMostBytes && std::ranges::all_of(given, plain))
    return std::string(given);
  static const uint32_t run = std::random_device{}();
  static std::atomic<uint64_t> next = 0;
  char text[40];
  std::snprintf(text, sizeof text, "req-%08x-%llu", run,
                static_cast<unsigned long long>(next.fetch_add(1) + 1));
  return text;
}

}  // namespace quern::http
