#include "quern/stream.h"

#include <utility>

#include "api/stream_state.h"

namespace quern {

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

std::optional<Delta> Stream::State::keep(Output output) {
  over = output.finished();
  if (output.error) {
    result = *output.error;
    return std::nullopt;
  }
  Generation& all = *result;
  all.text += output.text;
  all.ids.insert(all.ids.end(), output.ids.begin(), output.ids.end());
  all.logprobs.insert(all.logprobs.end(), output.logprobs.begin(), output.logprobs.end());
  if (over) all.finish = *output.finish, all.timings = output.timings;
  if (output.text.empty() && output.ids.empty()) return std::nullopt;
  return Delta(std::move(output));
}

template <class Take>
std::optional<Delta> Stream::State::read(Take take) {
  while (!over) {
    std::optional<Output> output = take(ticket);
    if (!output) break;  // nothing yet
    if (auto delta = keep(std::move(*output))) return delta;
  }
  return std::nullopt;
}

std::optional<Delta> Stream::next() {
  return state_->read([](EngineThread::Ticket& ticket) { return ticket.take(); });
}

std::optional<Delta> Stream::next(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  return state_->read([&](EngineThread::Ticket& ticket) { return ticket.take(until); });
}

std::optional<Delta> Stream::try_next() {
  return state_->read([](EngineThread::Ticket& ticket) { return ticket.try_take(); });
}

bool Stream::over() const { return state_->over; }

void Stream::on_ready(std::function<void()> ready) { state_->ticket.on_ready(std::move(ready)); }

const Result<Generation>& Stream::result() {
  while (next()) {
  }
  return state_->result;
}

void Stream::cancel() { state_->ticket.cancel(); }

}  // namespace quern
