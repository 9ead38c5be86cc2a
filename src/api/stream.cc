#include "quern/stream.h"

#include "api/stream_state.h"

namespace quern {

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

std::optional<Delta> Stream::State::take(
    std::optional<std::chrono::steady_clock::time_point> until) {
  while (!over) {
    auto output = ticket.take(until);
    if (!output) return std::nullopt;  // too late
    over = output->finished();
    if (output->error) {
      result = *output->error;
      return std::nullopt;
    }
    Generation& all = *result;
    all.text += output->text;
    all.ids.insert(all.ids.end(), output->ids.begin(), output->ids.end());
    all.logprobs.insert(all.logprobs.end(), output->logprobs.begin(), output->logprobs.end());
    if (over) all.finish = *output->finish, all.timings = output->timings;
    if (output->text.empty() && output->ids.empty()) continue;
    return Delta(std::move(*output));
  }
  return std::nullopt;
}

std::optional<Delta> Stream::next() { return state_->take(std::nullopt); }

std::optional<Delta> Stream::next(std::chrono::milliseconds most) {
  return state_->take(std::chrono::steady_clock::now() + most);
}

bool Stream::over() const { return state_->over; }

const Result<Generation>& Stream::result() {
  while (next()) {
  }
  return state_->result;
}

void Stream::cancel() { state_->ticket.cancel(); }

}  // namespace quern
