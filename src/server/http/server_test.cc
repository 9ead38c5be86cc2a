// The server against raw sockets: what strangers may send, and what they get.
#include "server/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/http/worker.h"

namespace quern::http {
namespace {

using namespace std::chrono_literals;

// One connection of a client; reads give up after ten seconds, lest a hang stop the test.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval most{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  }
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), got_(std::move(other.got_)) {}
  Client& operator=(Client&&) = delete;
  ~Client() { leave(); }
  void leave() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  Client& send(const std::string& bytes) {
    (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return *this;
  }
  // Everything until the server closes.
  std::string all() {
    while (more()) {
    }
    return std::exchange(got_, {});
  }
  // One response with a Content-Length.
  std::string one() {
    for (;;) {
      const size_t end = got_.find("\r\n\r\n");
      const size_t at = got_.find("Content-Length: ");
      if (end != std::string::npos) {
        const size_t n = at < end ? std::stoul(got_.substr(at + 16)) : 0;
        if (got_.size() >= end + 4 + n) {
          std::string response = got_.substr(0, end + 4 + n);
          got_.erase(0, response.size());
          return response;
        }
      }
      if (!more()) return std::exchange(got_, {});
    }
  }
  // Until this has come.
  bool until(const std::string& text) {
    while (got_.find(text) == std::string::npos)
      if (!more()) return false;
    return true;
  }

 private:
  bool more() {
    char buffer[4096];
    const auto n = recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) got_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  int fd_;
  std::string got_;
};

int status_of(const std::string& response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

// A server with a few routes, on a thread of its own.
class Running {
 public:
  explicit Running(ServerOptions options = {}) {
    Router router;
    router.add({"GET", "/health", [](Exchange& e) { return say(e, "well"); }, true});
    router.add({"POST", "/echo", [](Exchange& e) { return say(e, e.request().body); }});
    router.add({"GET", "/echo", [](Exchange& e) { return describe(e); }});
    router.add({"GET", "/models/{name...}",
                [](Exchange& e) { return say(e, std::string(e.request().parameter("name"))); }});
    router.add({"GET", "/stream", [this](Exchange& e) { return stream(e); }});
    router.add({"GET", "/worker", [this](Exchange& e) { return work(e); }});
    router.add({"GET", "/slow", [](Exchange& e) { return slow(e); }});
    router.add({"GET", "/throws", [](Exchange& e) { return throws(e); }});
    router.add({"GET", "/silent", [](Exchange&) -> Task<void> { co_return; }});
    options.log = [this](const Access& access) {
      const std::lock_guard lock(mutex_);
      log_.push_back(access);
    };
    auto server = Server::listen(std::move(options), std::move(router));
    EXPECT_TRUE(server) << to_string(server.error());
    server_ = std::move(*server);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~Running() {
    stop(0ms);
    workers_.join();
  }
  void stop(std::chrono::milliseconds time) {
    if (!thread_.joinable()) return;
    server_->drain(time);
    thread_.join();
  }
  Client client() const { return Client(server_->port()); }
  std::string ask(const std::string& bytes) const { return client().send(bytes).all(); }
  int status(const std::string& bytes) const { return status_of(ask(bytes)); }
  std::vector<Access> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  Server& server() { return *server_; }
  std::promise<void> left;  // of a client of /stream

 private:
  static Task<void> say(Exchange& exchange, std::string text) {
    Response response;
    response.body = std::move(text);
    co_await exchange.respond(std::move(response));
  }
  static Task<void> describe(Exchange& exchange) {
    std::string text;
    for (const auto& [name, value] : exchange.request().query) text += name + "=" + value + ";";
    co_await say(exchange, text);
  }
  // Pieces for as long as the client is there.
  Task<void> stream(Exchange& exchange) {
    Response head;
    head.type = "text/event-stream";
    if (!co_await exchange.begin(head)) co_return;
    co_await exchange.write("data: first\n\n");
    if (exchange.request().query.empty()) {
      while (!exchange.gone()) co_await exchange.signal().wait();
      left.set_value();
      co_return;
    }
    co_await exchange.write("data: second\n\n");
    co_await exchange.end();
  }
  Task<void> work(Exchange& exchange) {
    const auto io = std::this_thread::get_id();
    const auto other = co_await run_on_worker(workers_, [] { return std::this_thread::get_id(); });
    const bool back = std::this_thread::get_id() == io;
    co_await say(exchange, other != io && back ? "elsewhere" : "here");
  }
  static Task<void> slow(Exchange& exchange) {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 400ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
    if (exchange.gone()) co_return;
    co_await say(exchange, "well");
  }
  static Task<void> throws(Exchange&) {
    throw std::runtime_error("a bug");
    co_return;
  }

  Workers workers_{2};
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<Access> log_;
};

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n";
}
std::string post(const std::string& body, const std::string& fields = "") {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

struct Malformed {
  const char* name;
  std::string request;
  int status;
};

TEST(Server, AnswersWhatIsMalformedByItsStatus) {
  ServerOptions options;
  options.limits.body_bytes = 1000;
  Running server(options);
  const std::string host = "Host: localhost\r\n";
  const auto head = [&](const std::string& fields) {
    return "POST /echo HTTP/1.1\r\n" + host + fields + "\r\n";
  };
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  const Malformed cases[] = {
      {"no HTTP", "hello\r\n\r\n", 400},
      {"a method of no token", "G(T / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"another version", "GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"version 1.2", "GET /health HTTP/1.2\r\n" + host + "\r\n", 505},
      {"no host", "GET /health HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET /health HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"a field without a name", "GET /health HTTP/1.1\r\n: 1\r\n\r\n", 400},
      {"a header without end", "GET /health HTTP/1.1\r\nX: " + std::string(40000, 'x'), 431},
      {"many fields", "GET /health HTTP/1.1\r\n" + host + many + "\r\n", 431},
      {"a long URI", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"a bad escape", get("/he%zzlth"), 400},
      {"an escape cut short", get("/health%2"), 400},
      {"a NUL in the path", get("/health%00"), 400},
      {"a NUL in the query", get("/echo?a=%00"), 400},
      {"two lengths", head("Content-Length: 1\r\nContent-Length: 2\r\n") + "ab", 400},
      {"two equal lengths", head("Content-Length: 1\r\nContent-Length: 1\r\n") + "a", 400},
      {"length and chunks",
       head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
      {"a negative length", head("Content-Length: -1\r\n"), 400},
      {"a length beyond 64 bits", head("Content-Length: 99999999999999999999\r\n"), 400},
      {"a length of letters", head("Content-Length: x\r\n"), 400},
      {"a body too long, not sent", head("Content-Length: 1001\r\n"), 413},
      {"chunks too long",
       head("Transfer-Encoding: chunked\r\n") + "3e9\r\n" + std::string(1001, 'x') +
           "\r\n0\r\n\r\n",
       413},
      {"another coding", head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", 501},
      {"a last coding that is not chunked", head("Transfer-Encoding: chunked, gzip\r\n"), 501},
      {"two codings", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {"a chunk of letters", head("Transfer-Encoding: chunked\r\n") + "xyz\r\n", 400},
      {"a chunk size beyond 64 bits",
       head("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n", 400},
      {"an encoded body", head("Content-Length: 1\r\nContent-Encoding: gzip\r\n") + "x", 415},
      {"an expectation", head("Content-Length: 1\r\nExpect: tea\r\n"), 417},
      {"no such path", get("/nowhere"), 404},
      {"an empty segment", get("/models/"), 404},
      {"a method that the path does not take",
       "DELETE /echo HTTP/1.1\r\nConnection: close\r\n" + host + "\r\n", 405},
  };
  for (const Malformed& c : cases) {
    EXPECT_EQ(server.status(c.request), c.status) << c.name;
  }
  EXPECT_EQ(server.status(get("/health")), 200);
}

TEST(Server, AnswersWhatIsWellFormed) {
  Running server;
  EXPECT_TRUE(server.ask(post("hello")).ends_with("\r\n\r\nhello"));
  EXPECT_TRUE(server.ask(get("/models/a/b%20c")).ends_with("\r\n\r\na/b c"));
  EXPECT_TRUE(server.ask(get("/echo?a=1&b=x+%2B&c")).ends_with("a=1;b=x +;c=;"));
  EXPECT_TRUE(server.ask(get("http://localhost/health")).ends_with("well"));
  EXPECT_TRUE(server.ask(get("/worker")).ends_with("elsewhere"));
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  EXPECT_TRUE(server.ask(chunked).ends_with("\r\n\r\nabcde"));
  const std::string head =
      server.ask("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(head), 200);
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  const std::string stream =
      server.ask("HEAD /stream?to=end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(stream), 200);
  EXPECT_TRUE(stream.ends_with("\r\n\r\n")) << stream;
  // HTTP/1.0 needs no host and ends with the connection.
  EXPECT_TRUE(server.ask("GET /health HTTP/1.0\r\n\r\n").ends_with("well"));
  Client expects = server.client();
  expects.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(status_of(expects.one()), 100);
  EXPECT_TRUE(expects.send("ok").one().ends_with("ok"));
}

TEST(Server, KeepsAConnectionAndTakesPipelinedRequests) {
  Running server;
  const std::string request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  Client client = server.client();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.send(request).one().ends_with("well"));
  client.send(request + request + post("last"));
  EXPECT_TRUE(client.one().ends_with("well"));
  EXPECT_TRUE(client.one().ends_with("well"));
  EXPECT_TRUE(client.all().ends_with("last"));
}

TEST(Server, StreamsAndSeesAClientThatLeaves) {
  Running server;
  const std::string whole = server.ask(get("/stream?to=end"));
  EXPECT_NE(whole.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(whole.find("d\r\ndata: first\n\n\r\n"), std::string::npos);
  EXPECT_TRUE(whole.ends_with("0\r\n\r\n"));
  auto left = server.left.get_future();
  Client client = server.client();
  client.send(get("/stream"));
  EXPECT_TRUE(client.until("first"));
  EXPECT_EQ(left.wait_for(0s), std::future_status::timeout);
  client.leave();
  EXPECT_EQ(left.wait_for(10s), std::future_status::ready);
}

TEST(Server, ABugInAHandlerIsItsClientsTroubleAlone) {
  Running server;
  for (const char* path : {"/throws", "/silent"}) EXPECT_EQ(server.status(get(path)), 500) << path;
  EXPECT_EQ(server.status(get("/health")), 200);
}

TEST(Server, LetsNoOtherSiteAskOnLoopback) {
  ServerOptions options;
  options.cors_origins = {"https://mine.example"};
  options.hosts = {"box.local"};
  Running server(options);
  const auto status = [&](const std::string& host, const std::string& fields = "") {
    return server.status("GET /health HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" +
                         fields + "\r\n");
  };
  for (const char* host : {"localhost:8080", "127.0.0.1", "[::1]:80", "LOCALHOST", "box.local:1"})
    EXPECT_EQ(status(host), 200) << host;
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]"})
    EXPECT_EQ(status(host), 403) << host;
  EXPECT_EQ(status("localhost", "Origin: https://evil.example\r\n"), 403);
  EXPECT_EQ(status("localhost", "Origin: null\r\n"), 403);
  EXPECT_EQ(status("localhost:8080", "Origin: http://localhost:8080\r\n"), 200);
  const std::string mine = server.ask(get("/health", "Origin: https://mine.example\r\n"));
  EXPECT_NE(mine.find("Access-Control-Allow-Origin: https://mine.example\r\n"), std::string::npos);
  const std::string preflight = server.ask(
      "OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Origin: https://mine.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(status_of(preflight), 204);
  EXPECT_NE(preflight.find("Allow: POST, GET"), std::string::npos) << preflight;
}

TEST(Server, AsksForAKey) {
  ServerOptions options;
  options.keys = {"first", "second"};
  Running server(options);
  EXPECT_EQ(server.status(get("/health")), 200);  // an open route
  EXPECT_EQ(server.status("HEAD" + get("/health").substr(3)), 200);
  for (const char* path : {"/echo", "/models/x", "/nowhere", "/stream"})
    EXPECT_EQ(server.status(get(path)), 401) << path;
  EXPECT_EQ(server.status(get("/echo", "Authorization: Bearer second\r\n")), 200);
  EXPECT_EQ(server.status(get("/echo", "authorization: bearer first\r\n")), 200);
  EXPECT_EQ(server.status(get("/echo", "X-Api-Key: first\r\n")), 200);
  for (const char* bad : {"Bearer ", "Bearer firs", "Bearer firstx", "first", "Basic first"})
    EXPECT_EQ(server.status(get("/echo", std::string("Authorization: ") + bad + "\r\n")), 401)
        << bad;
}

TEST(Server, NamesRequestsAndLogsThem) {
  Running server;
  EXPECT_NE(server.ask(get("/health", "X-Request-Id: mine-1\r\n")).find("X-Request-Id: mine-1\r\n"),
            std::string::npos);
  EXPECT_EQ(server.ask(get("/health", "X-Request-Id: a b\r\n")).find("a b"), std::string::npos);
  server.ask(get("/nowhere"));
  server.stop(1s);
  const auto log = server.log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[0].id, "mine-1");
  EXPECT_EQ(log[0].peer, "127.0.0.1");
  EXPECT_EQ(log[0].status, 200);
  EXPECT_EQ(log[0].bytes, 4u);
  EXPECT_NE(log[1].id, log[2].id);
  EXPECT_EQ(log[2].status, 404);
}

TEST(Server, WaitsForNobodyForEver) {
  ServerOptions options;
  options.limits.header_time = 100ms;
  options.limits.body_time = 100ms;
  options.limits.idle_time = 300ms;
  Running server(options);
  EXPECT_EQ(server.status("GET /health HTTP/1.1\r\nHost:"), 408);
  EXPECT_EQ(server.status("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab"),
            408);
  EXPECT_TRUE(server.ask(get("/slow")).ends_with("well"));  // a handler has its own time
  EXPECT_EQ(server.ask(""), "");                            // idle: closed without a word
}

TEST(Server, BoundsItsConnections) {
  ServerOptions options;
  options.limits.connections = 3;
  options.limits.connections_per_address = 2;
  Running server(options);
  std::vector<Client> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(server.client());
    EXPECT_EQ(status_of(held[i].send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").one()),
              200);
  }
  const std::string refused = server.client().all();
  EXPECT_EQ(status_of(refused), 429);
  EXPECT_NE(refused.find("Retry-After: 1"), std::string::npos);
  held.clear();
  for (int i = 0; i < 100 && status_of(server.ask(get("/health"))) != 200; ++i)
    std::this_thread::sleep_for(20ms);
  EXPECT_EQ(server.status(get("/health")), 200);
}

TEST(Server, DrainsWhatRunsAndClosesWhatIsIdle) {
  Running server;
  Client idle = server.client(), busy = server.client();
  EXPECT_EQ(status_of(idle.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").one()), 200);
  EXPECT_TRUE(busy.send(get("/stream")).until("first"));
  server.server().drain(60s);
  EXPECT_EQ(idle.all(), "");
  busy.leave();  // what runs has ended
  server.stop(60s);
}

TEST(Server, ADrainEndsAtItsDeadline) {
  Running server;
  Client busy = server.client();
  EXPECT_TRUE(busy.send(get("/stream")).until("first"));
  server.stop(50ms);
  busy.all();
}

TEST(Server, SaysWhyItCannotListen) {
  Running server;
  ServerOptions options;
  options.port = server.server().port();
  EXPECT_EQ(Server::listen(options, Router()).error().code, Code::unavailable);
  options.address = "nowhere";
  EXPECT_EQ(Server::listen(options, Router()).error().code, Code::invalid_argument);
}

TEST(Secrets, AreEqualOrNot) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("key", "key"));
  for (const char* other : {"", "ke", "kez", "keyy", "xey"})
    EXPECT_FALSE(same_secret("key", other));
}

}  // namespace
}  // namespace quern::http
