// Work that takes long, beside the I/O thread.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "server/http/exchange.h"

namespace quern::http {

using Workers = boost::asio::thread_pool;

// What f returns, computed by a worker; the coroutine goes on on its own thread. f does not throw.
template <class F>
auto run_on_worker(Workers& workers, F f) -> Task<decltype(f())> {
  using T = decltype(f());
  co_return co_await boost::asio::co_spawn(
      workers, [f = std::move(f)]() mutable -> Task<T> { co_return f(); },
      boost::asio::use_awaitable);
}

}  // namespace quern::http
