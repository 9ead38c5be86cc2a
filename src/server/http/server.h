// The HTTP/1.1 server: connections, limits, and who may ask. It knows no model.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/http/router.h"
#include "server/http/types.h"

namespace quern::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any that is free
  Limits limits;
  std::vector<std::string> keys;  // of which a request must bring one; none: no key is asked
  std::vector<std::string> cors_origins;  // web pages that may ask, or "*"; none: no CORS headers
  // Host names that requests may be for, beside the address itself and, on a loopback address, the
  // names of this machine for itself. Where the server listens on another address and this is
  // empty, all are allowed.
  std::vector<std::string> hosts;
  std::function<void(const Access&)> log;  // empty: no access log
  // The body of an error that the transport gives, in the shape of the API that has the path.
  std::function<std::string(int status, std::string_view message, std::string_view path)>
      error_body;
};

// Runs on the thread that calls run(). Members are for that thread, but for drain().
class Server {
 public:
  // Listens from now on. Errors: invalid_argument (no address), unavailable (in use, no
  // permission).
  static Result<std::unique_ptr<Server>> listen(ServerOptions options, Router router);
  virtual ~Server() = default;

  virtual uint16_t port() const = 0;
  // Until drain() is through.
  virtual void run() = 0;
  // Takes no more connections, closes idle ones, lets requests end, and drops those that run when
  // the time is up: their handlers do not go on, and what they hold is destroyed with the server. A
  // second call drops them at once. Any thread; not for signal handlers.
  virtual void drain(std::chrono::milliseconds time) = 0;
  virtual bool draining() const = 0;
  virtual int n_connections() const = 0;
};

}  // namespace quern::http
