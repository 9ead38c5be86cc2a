#include "server/http/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <set>
#include <utility>

#include "server/http/connection.h"

namespace quern::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

auto no_throw(Failure& failure) { return asio::redirect_error(asio::use_awaitable, failure); }

class BeastServer final : public Server {
 public:
  BeastServer(ServerOptions options, Router router)
      : shared_{.options = std::move(options), .router = std::move(router)},
        acceptor_(io_),
        deadline_(io_) {
    shared_.loopback = is_loopback(shared_.options.address);
  }

  Result<> open() {
    Failure failure;
    const auto address = asio::ip::make_address(shared_.options.address, failure);
    if (failure) {
      return Error{Code::invalid_argument, "no IP address: '" + shared_.options.address + "'",
                   "--host", "127.0.0.1 is this machine alone, 0.0.0.0 all its networks"};
    }
    const tcp::endpoint where(address, shared_.options.port);
    acceptor_.open(where.protocol(), failure);
    if (!failure) acceptor_.set_option(asio::socket_base::reuse_address(true), failure);
    if (!failure) acceptor_.bind(where, failure);
    if (!failure) acceptor_.listen(1024, failure);
    if (!failure) return Ok{};
    return Error{Code::unavailable,
                 "cannot listen on " + shared_.options.address + ":" +
                     std::to_string(shared_.options.port) + ": " + failure.message(),
                 "--port", "choose another port; 0 takes any that is free"};
  }

  uint16_t port() const override { return acceptor_.local_endpoint().port(); }
  bool draining() const override { return draining_; }
  int n_connections() const override { return static_cast<int>(connections_.size()); }

  void run() override {
    asio::co_spawn(io_, accept(), asio::detached);
    const auto work = asio::make_work_guard(io_);
    io_.run();
  }

  void drain(std::chrono::milliseconds time) override {
    asio::post(io_, [this, time] {
      if (draining_) return close_all();
      draining_ = shared_.draining = true;
      Failure ignored;
      acceptor_.close(ignored);
      for (const auto& connection : connections_)
        if (connection->idle()) connection->close();
      if (connections_.empty()) return io_.stop();
      deadline_.expires_after(time);
      deadline_.async_wait([this](const Failure& failure) {
        if (!failure) close_all();
      });
    });
  }

 private:
  void close_all() {
    for (const auto& connection : connections_) connection->close();
    io_.stop();
  }

  Task<void> accept() {
    while (!draining_) {
      Failure failure;
      tcp::socket socket(io_);
      co_await acceptor_.async_accept(socket, no_throw(failure));
      if (draining_) co_return;
      if (failure) {  // no descriptors left: a moment later there may be
        asio::steady_timer pause(io_, std::chrono::milliseconds(50));
        co_await pause.async_wait(no_throw(failure));
        continue;
      }
      const std::string peer = socket.remote_endpoint(failure).address().to_string();
      if (!failure) admit(std::move(socket), peer);
    }
  }

  void admit(tcp::socket socket, const std::string& peer) {
    const Limits& limits = shared_.options.limits;
    const bool full = n_connections() >= limits.connections;
    if (full || per_address_[peer] >= limits.connections_per_address) {
      if (per_address_[peer] == 0) per_address_.erase(peer);
      asio::co_spawn(io_, turn_away(std::move(socket), full), asio::detached);
      return;
    }
    Failure ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ++per_address_[peer];
    const auto connection = std::make_shared<Connection>(std::move(socket), peer, shared_);
    connections_.insert(connection);
    asio::co_spawn(io_, connection->run(), [this, connection, peer](std::exception_ptr) {
      connections_.erase(connection);
      if (--per_address_[peer] == 0) per_address_.erase(peer);
      if (draining_ && connections_.empty()) io_.stop();
    });
  }

  // Without reading anything, and without waiting for a slow reader.
  static Task<void> turn_away(tcp::socket socket, bool full) {
    const std::string_view answer =
        full ? "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
               "Connection: close\r\n\r\n"
             : "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
               "Connection: close\r\n\r\n";
    Failure failure;
    socket.non_blocking(true, failure);
    socket.write_some(asio::buffer(answer.data(), answer.size()), failure);
    socket.shutdown(tcp::socket::shutdown_send, failure);
    co_return;
  }

  Shared shared_;  // before io_: handlers that were dropped go with it, and may look here
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer deadline_;
  std::atomic<bool> draining_ = false;
  std::set<std::shared_ptr<Connection>> connections_;
  std::map<std::string, int> per_address_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, Router router) {
  auto server = std::make_unique<BeastServer>(std::move(options), std::move(router));
  TRY_OK(server->open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace quern::http
