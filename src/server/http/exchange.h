// One request while it is answered.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/types.h"

namespace quern::http {

template <class T>
using Task = boost::asio::awaitable<T>;

// Wakes a coroutine of the I/O thread from any thread.
class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor)
      : state_(std::make_shared<State>(executor)) {}

  // Any thread, also when the exchange is over, while the server exists. Copies raise the same
  // signal.
  void raise() const;
  // Returns when it was raised since the last wait. One coroutine waits.
  Task<void> wait() const;

 private:
  struct State {
    explicit State(const boost::asio::any_io_executor& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    bool raised = false;
  };
  std::shared_ptr<State> state_;
};

// A handler answers once: respond(), or begin(), any number of write() and end(). Everything but
// signal().raise() is for the I/O thread, on which the handler runs: work that takes long goes to
// run_on_worker (worker.h).
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;

  // The whole answer.
  virtual Task<void> respond(Response response) = 0;
  // A streamed one: `head` without its body. False, here and below: the client is gone.
  virtual Task<bool> begin(Response head) = 0;
  // Returns when the socket has taken it, so that a slow reader slows its writer down and nobody
  // else.
  virtual Task<bool> write(std::string_view bytes) = 0;
  virtual Task<bool> end() = 0;

  // The client closed its connection. It raises the signal as well.
  virtual bool gone() const = 0;
  virtual const Signal& signal() const = 0;
  // Whether begin() or respond() was called.
  virtual bool answered() const = 0;
};

}  // namespace quern::http
