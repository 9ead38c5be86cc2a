#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "server/http/exchange.h"

namespace quern::http {

void Signal::raise() const {
  boost::asio::post(state_->timer.get_executor(), [state = state_] {
    state->raised = true;
    state->timer.cancel();
  });
}

Task<void> Signal::wait() const {
  const auto state = state_;
  if (!state->raised) {
    boost::system::error_code ignored;
    state->timer.expires_at(boost::asio::steady_timer::time_point::max());
    co_await state->timer.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
  state->raised = false;
}

}  // namespace quern::http
