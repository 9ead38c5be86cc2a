// One connection: requests one after the other, each answered before the next is read.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/http/checks.h"
#include "server/http/router.h"

namespace quern::http {

// What connections share with the server.
struct Shared {
  ServerOptions options;
  Router router;
  bool loopback = false;
  bool draining = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, std::string peer, Shared& shared);

  // Until the client or the server has had enough.
  Task<void> run();
  // At once.
  void close();
  bool idle() const { return idle_; }  // between two requests

 private:
  class Answer;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  Task<bool> serve_one();
  Task<bool> wait_for_request();
  Task<std::optional<Refusal>> read_body(Parser& parser);
  Task<bool> dispatch(Request request, bool keep_alive, unsigned version);
  Task<void> run_handler(std::shared_ptr<Answer> answer, const Route& route);
  static Task<void> watch(std::shared_ptr<Connection> self, std::shared_ptr<Answer> answer);
  Task<bool> refuse(const Refusal& refusal, const Request& request);
  Task<bool> send(std::string bytes);
  Task<void> linger();
  std::string error_body(int status, const std::string& message, std::string_view path) const;
  std::string cors(const Request& request) const;

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  const std::string peer_;
  Shared& shared_;
  bool idle_ = true;
};

}  // namespace quern::http
