#include "server/http/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <cerrno>
#include <exception>
#include <utility>

namespace quern::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Failure = boost::system::error_code;
using Clock = std::chrono::steady_clock;

auto no_throw(Failure& failure) { return asio::redirect_error(asio::use_awaitable, failure); }

// What a parser says, as a status; nothing: the connection is over.
std::optional<Refusal> refusal_of(const Failure& failure) {
  using beast::http::error;
  if (failure == error::header_limit || failure == error::buffer_overflow)
    return Refusal{431, "the header is too long"};
  if (failure == error::body_limit) return Refusal{413, "the body is too long"};
  if (failure == error::bad_version) return Refusal{505, "HTTP/1.0 and HTTP/1.1 are served"};
  if (failure == error::end_of_stream || failure == error::partial_message) return std::nullopt;
  if (failure.category() == make_error_code(error::bad_method).category())
    return Refusal{400, "malformed HTTP: " + failure.message()};
  return std::nullopt;
}

// Cancels what a socket waits for at a moment, and leaves it open: the client hears why. (A timeout
// of tcp_stream closes it.)
class Deadline {
 public:
  Deadline(beast::tcp_stream& stream, Clock::time_point when)
      : timer_(stream.get_executor(), when) {
    timer_.async_wait([&stream, passed = passed_](const Failure& cancelled) {
      if (cancelled) return;
      *passed = true;
      Failure ignored;
      stream.socket().cancel(ignored);
    });
  }
  bool passed() const { return *passed_; }

 private:
  const std::shared_ptr<bool> passed_ = std::make_shared<bool>(false);
  asio::steady_timer timer_;  // destroying it cancels it
};

const Refusal kTooSlow{408, "the request did not come in the time that there is"};
const Refusal kGone{0, ""};  // the client left: there is nobody to be told

// HEAD is GET without a body.
std::string method_of(const Request& request) {
  return request.method == "HEAD" ? "GET" : request.method;
}

// Of so many bytes at the least rate.
std::chrono::milliseconds time_of(uint64_t n, const Limits& limits) {
  return std::chrono::milliseconds(n * 1000 / std::max<uint64_t>(limits.body_rate, 1));
}

// A header's value from a handler or a client: no line ends.
std::string one_line(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return text;
}

}  // namespace

// The exchange that a handler sees.
class Connection::Answer final : public Exchange {
 public:
  Answer(Connection& connection, Request request, bool keep_alive, unsigned version)
      : connection_(connection),
        request_(std::move(request)),
        signal_(connection.stream_.get_executor()),
        keep_alive_(keep_alive),
        version_(version) {}

  const Request& request() const override { return request_; }
  const Signal& signal() const override { return signal_; }
  bool gone() const override { return gone_; }
  bool answered() const override { return status_ != 0; }
  // The handler returned: the watch leaves it alone.
  bool over() const { return over_; }
  void finish() { over_ = true; }
  void fail() { keep_alive_ = false; }
  bool keep_alive() const { return keep_alive_ && ended_ && !gone_; }
  void leave() {
    gone_ = true;
    signal_.raise();
  }
  Access access() const {
    Access access;
    access.id = request_.id, access.peer = request_.peer;
    access.method = request_.method, access.path = request_.path;
    access.status = status_, access.bytes = n_bytes_, access.gone = gone_;
    access.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    return access;
  }

  Task<void> respond(Response response) override {
    if (answered()) co_return;
    std::string bytes = head(response, fmt::format("Content-Length: {}\r\n", response.body.size()));
    if (!is_head()) bytes += response.body;
    n_bytes_ = response.body.size();
    ended_ = co_await connection_.send(std::move(bytes));
    if (!ended_) leave();
  }

  Task<bool> begin(Response response) override {
    if (answered() || gone_) co_return false;
    chunked_ = version_ >= 11 && !is_head();
    if (version_ < 11) keep_alive_ = false;
    std::string framing = "Cache-Control: no-store\r\n";
    if (chunked_) framing += "Transfer-Encoding: chunked\r\n";
    std::string text = head(response, framing);
    const bool sent = co_await connection_.send(std::move(text));
    if (!sent) leave();
    co_return sent;
  }
  Task<bool> write(std::string_view bytes) override {
    if (gone_ || bytes.empty() || is_head()) co_return !gone_;
    n_bytes_ += bytes.size();
    std::string text(bytes);
    if (chunked_) text = fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
    const bool sent = co_await connection_.send(std::move(text));
    if (!sent) leave();
    co_return sent;
  }
  Task<bool> end() override {
    if (gone_) co_return false;
    ended_ = true;
    if (!chunked_) co_return true;
    std::string last = "0\r\n\r\n";
    const bool sent = co_await connection_.send(std::move(last));
    if (!sent) leave();
    co_return sent;
  }

 private:
  bool is_head() const { return request_.method == "HEAD"; }
  std::string head(const Response& response, const std::string& framing) {
    status_ = response.status;
    if (connection_.shared_.draining || status_ >= 500) keep_alive_ = false;
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nServer: quern\r\nX-Request-Id: {}\r\n",
                                   status_, reason(status_), request_.id);
    if (!response.type.empty()) text += "Content-Type: " + response.type + "\r\n";
    for (const auto& [name, value] : response.headers)
      text += name + ": " + one_line(value) + "\r\n";
    text += connection_.cors(request_);
    return text + framing +
           (keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  }

  Connection& connection_;
  const Request request_;
  const Signal signal_;
  const Clock::time_point began_ = Clock::now();
  bool keep_alive_, chunked_ = false, gone_ = false, ended_ = false, over_ = false;
  const unsigned version_;
  int status_ = 0;
  uint64_t n_bytes_ = 0;
};

Connection::Connection(asio::ip::tcp::socket socket, std::string peer, Shared& shared)
    : stream_(std::move(socket)),
      buffer_(shared.options.limits.header_bytes + (16 << 10)),
      peer_(std::move(peer)),
      shared_(shared) {}

void Connection::close() {
  Failure ignored;
  stream_.socket().close(ignored);
}

Task<void> Connection::run() {
  const auto self = shared_from_this();
  while (co_await serve_one()) {
  }
  Failure ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
}

// True: another request may come.
Task<bool> Connection::serve_one() {
  const Limits& limits = shared_.options.limits;
  if (!co_await wait_for_request()) co_return false;
  Parser parser;
  parser.header_limit(static_cast<uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  Failure failure;
  stream_.expires_never();
  std::optional<Deadline> deadline(std::in_place, stream_, Clock::now() + limits.header_time);
  co_await beast::http::async_read_header(stream_, buffer_, parser, no_throw(failure));
  Request request;
  request.peer = peer_;
  if (failure) {
    auto refusal = refusal_of(failure);
    if (deadline->passed()) refusal = kTooSlow;
    if (refusal) request.id = request_id({});
    co_return refusal&& co_await refuse(*refusal, request);
  }
  deadline.reset();  // the handler has its own time
  const Header& header = parser.get().base();
  const bool well_formed = read_header(header, request);
  auto refusal = check_header(header, limits);
  if (!refusal && !well_formed) refusal = Refusal{400, "a malformed URI"};
  if (!refusal) refusal = check_origin(header, shared_.options, shared_.loopback);
  if (!refusal && parser.content_length() && *parser.content_length() > limits.body_bytes)
    refusal = Refusal{413, fmt::format("the body is longer than {} bytes", limits.body_bytes)};
  if (refusal) co_return co_await refuse(*refusal, request);
  const bool has_its_key = has_key(header, shared_.options);
  const auto found = shared_.router.find(method_of(request), request.path);
  const bool preflight = request.method == "OPTIONS" && !request.header("origin").empty();
  if (!has_its_key && !preflight && !(found.route && found.route->open)) {
    const Refusal no_key{401, "the API key is missing or wrong"};
    co_return co_await refuse(no_key, request);
  }
  refusal = co_await read_body(parser);
  if (refusal && refusal->status == 0) co_return false;
  if (refusal) co_return co_await refuse(*refusal, request);
  request.body = std::move(parser.get().body());
  co_return co_await dispatch(std::move(request), parser.get().keep_alive(),
                              parser.get().version());
}

// Time for the first byte of a request is that of an idle connection.
Task<bool> Connection::wait_for_request() {
  idle_ = true;
  if (buffer_.size() > 0) {
    idle_ = false;
    co_return true;
  }
  if (shared_.draining) co_return false;
  Failure failure;
  stream_.expires_after(shared_.options.limits.idle_time);
  const size_t n = co_await stream_.async_read_some(buffer_.prepare(4096), no_throw(failure));
  buffer_.commit(n);
  idle_ = false;
  co_return !failure;
}

// Status 0: the client is gone.
Task<std::optional<Refusal>> Connection::read_body(Parser& parser) {
  const Limits& limits = shared_.options.limits;
  const bool expects = beast::iequals(parser.get()[beast::http::field::expect], "100-continue");
  if (expects && !parser.is_done()) {
    std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool sent = co_await send(std::move(go_on));
    if (!sent) co_return kGone;
  }
  const auto began = Clock::now();
  while (!parser.is_done()) {
    const uint64_t n = parser.get().body().size();
    const auto allowed = limits.body_time + time_of(n, limits);
    const Deadline deadline(stream_, began + allowed);
    Failure failure;
    co_await beast::http::async_read_some(stream_, buffer_, parser, no_throw(failure));
    if (failure && deadline.passed()) co_return kTooSlow;
    if (failure) co_return refusal_of(failure).value_or(kGone);
  }
  co_return std::nullopt;
}

Task<bool> Connection::dispatch(Request request, bool keep_alive, unsigned version) {
  auto found = shared_.router.find(method_of(request), request.path);
  const bool preflight = request.method == "OPTIONS" && !found.allowed.empty();
  request.parameters = std::move(found.parameters);
  const auto answer = std::make_shared<Answer>(*this, std::move(request), keep_alive, version);
  if (found.route) {
    co_await run_handler(answer, *found.route);
  } else {
    Response response;
    if (!found.allowed.empty()) response.headers.emplace_back("Allow", found.allowed);
    const std::string& path = answer->request().path;
    if (preflight) {
      response.status = 204;
      response.type.clear();
    } else {
      const bool no_path = found.allowed.empty();
      response.status = no_path ? 404 : 405;
      response.body = error_body(
          response.status,
          no_path ? "no such path: " + path.substr(0, 200) : "this path takes " + found.allowed,
          path);
    }
    co_await answer->respond(std::move(response));
  }
  if (shared_.options.log) shared_.options.log(answer->access());
  co_return answer->keep_alive();
}

// Sees that the client leaves while a handler works: the socket is readable without a request
// having been asked for. That may also be the next request: then nothing more is watched, and only
// a write finds that the client is gone. A client that closes its sending side alone counts as
// gone.
Task<void> Connection::watch(std::shared_ptr<Connection> self, std::shared_ptr<Answer> answer) {
  Failure failure;
  co_await self->stream_.socket().async_wait(asio::socket_base::wait_read, no_throw(failure));
  if (answer->over()) co_return;
  char byte;
  const auto n = ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool nothing_yet = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if (failure || (n <= 0 && !nothing_yet)) answer->leave();
}

// A handler that throws is a bug: its client hears of it, and the others go on.
Task<void> Connection::run_handler(std::shared_ptr<Answer> answer, const Route& route) {
  asio::co_spawn(stream_.get_executor(), watch(shared_from_this(), answer), asio::detached);
  try {
    co_await route.handler(*answer);
  } catch (const std::exception&) {
    answer->fail();
  }
  if (!answer->answered() && !answer->gone()) {
    Response response;
    response.status = 500;
    response.body = error_body(500, "the server has a bug", answer->request().path);
    co_await answer->respond(std::move(response));
  }
  answer->finish();
  Failure ignored;
  stream_.socket().cancel(ignored);  // the watch's wait
}

Task<bool> Connection::refuse(const Refusal& refusal, const Request& request) {
  const std::string body = error_body(refusal.status, refusal.message, request.path);
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nServer: quern\r\nX-Request-Id: {}\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n{}{}Connection: close\r\n\r\n",
      refusal.status, reason(refusal.status), request.id, body.size(),
      refusal.status == 401 ? "WWW-Authenticate: Bearer\r\n" : "", cors(request));
  if (request.method != "HEAD") text += body;
  Access access;
  access.id = request.id, access.peer = peer_;
  access.method = request.method, access.path = request.path;
  access.status = refusal.status, access.bytes = body.size();
  if (shared_.options.log) shared_.options.log(access);
  if (co_await send(std::move(text))) co_await linger();
  co_return false;
}

// A reader may be as slow as a body's sender.
Task<bool> Connection::send(std::string bytes) {
  const Limits& limits = shared_.options.limits;
  Failure failure;
  stream_.expires_after(limits.write_time + time_of(bytes.size(), limits));
  for (size_t at = 0; at < bytes.size() && !failure;)
    at += co_await stream_.async_write_some(asio::buffer(bytes.data() + at, bytes.size() - at),
                                            no_throw(failure));
  stream_.expires_never();
  co_return !failure;
}

// A client that still sends would get a reset in place of the answer: what comes is thrown away for
// a moment.
Task<void> Connection::linger() {
  Failure failure;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, failure);
  constexpr size_t kMostBytes = 256 << 10;
  std::string sink(16 << 10, '\0');
  stream_.expires_after(std::chrono::seconds(1));
  for (size_t n = 0; !failure && n < kMostBytes;)
    n += co_await stream_.async_read_some(asio::buffer(sink), no_throw(failure));
}

std::string Connection::error_body(int status, const std::string& message,
                                   std::string_view path) const {
  const auto& make = shared_.options.error_body;
  return make ? make(status, message, path) : message + "\n";
}

// CORS, for the pages that may ask.
std::string Connection::cors(const Request& request) const {
  const std::string_view origin = request.header("origin");
  const auto& allowed = shared_.options.cors_origins;
  const bool all = std::ranges::find(allowed, "*") != allowed.end();
  if (origin.empty() || (!all && std::ranges::find(allowed, origin) == allowed.end())) return "";
  return "Access-Control-Allow-Origin: " + (all ? "*" : one_line(std::string(origin))) +
         "\r\nVary: Origin\r\nAccess-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n"
         "Access-Control-Allow-Headers: Authorization, Content-Type, X-Api-Key, X-Request-Id\r\n"
         "Access-Control-Max-Age: 600\r\n";
}

}  // namespace quern::http
