// quern/quern.h: answers that are read while they are written.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "api/c_api/handles.h"
#include "api/c_api/result_json.h"
#include "api/c_api/start_request.h"

using namespace quern;
using c_api::guarded;
using c_api::needed;

namespace {

// Longer waits are cut to this: a clock's time point plus a larger one overflows.
constexpr int64_t kLongestWait = int64_t{1000} * 60 * 60 * 24 * 365;  // ms

Result<> check_places(quern_stream** streams, size_t n_streams, int wanted) {
  if (std::cmp_equal(n_streams, wanted)) return needed(streams, "streams");
  return Error{Code::invalid_argument,
               "n is " + std::to_string(wanted) + ", but there is room for " +
                   std::to_string(n_streams) + " streams",
               "request.n", "give as many places as answers are asked for"};
}

std::optional<Delta> next_piece(Stream& stream, int64_t timeout_ms) {
  if (timeout_ms < 0) return stream.next();
  if (timeout_ms == 0) return stream.try_next();
  return stream.next(std::chrono::milliseconds(std::min(timeout_ms, kLongestWait)));
}

// The next piece in the form that `made` gives it.
template <class Form, class Made>
quern_code next_as(quern_stream* stream, int64_t timeout_ms, Form** piece, quern_error** error,
                   Made&& made) {
  if (piece != nullptr) *piece = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(stream, "stream"));
    TRY_OK(needed(piece, "piece"));
    std::optional<Delta> next = next_piece(stream->stream, timeout_ms);
    if (next) *piece = made(*next);
    return Ok{};
  });
}

}  // namespace

quern_code quern_submit(const quern_model* model, const char* request, quern_stream** streams,
                        size_t n_streams, quern_error** error) {
  if (streams != nullptr) std::fill_n(streams, n_streams, nullptr);
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(request, "request"));
    TRY(const c_api::Started started, c_api::start_request(model->model, request));
    TRY_OK(check_places(streams, n_streams, started.options.n));
    TRY(std::vector<Stream> begun, model->model.submit(started.prompt, started.options));
    std::vector<std::unique_ptr<quern_stream>> handles;
    for (Stream& one : begun)
      handles.push_back(
          std::make_unique<quern_stream>(quern_stream{std::move(one), started.with_logprobs()}));
    for (size_t i = 0; i < n_streams; ++i) streams[i] = handles[i].release();
    return Ok{};
  });
}

quern_code quern_stream_next(quern_stream* stream, int64_t timeout_ms, char** piece,
                             quern_error** error) {
  return next_as(stream, timeout_ms, piece, error, [&](const Delta& next) {
    return c_api::given_text(c_api::piece_json(next, stream->with_logprobs));
  });
}

quern_code quern_stream_next_piece(quern_stream* stream, int64_t timeout_ms, quern_piece** piece,
                                   quern_error** error) {
  return next_as(stream, timeout_ms, piece, error, [](Delta& next) {
    return new quern_piece(std::move(next.text), std::move(next.ids), next.logprobs);
  });
}

quern_code quern_stream_on_ready(quern_stream* stream, quern_ready_fn on_ready, void* user,
                                 quern_error** error) {
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(stream, "stream"));
    std::function<void()> ready;
    if (on_ready != nullptr) ready = [=] { on_ready(user); };
    stream->stream.on_ready(std::move(ready));
    return Ok{};
  });
}

int32_t quern_stream_over(const quern_stream* stream) {
  return stream == nullptr || stream->stream.over() ? 1 : 0;
}

quern_code quern_stream_result(quern_stream* stream, char** result, quern_error** error) {
  if (result != nullptr) *result = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(stream, "stream"));
    TRY_OK(needed(result, "result"));
    const Result<Generation>& answer = stream->stream.result();
    if (!answer) return answer.error();
    *result = c_api::given_text(c_api::generation_json(*answer, stream->with_logprobs));
    return Ok{};
  });
}

quern_code quern_stream_cancel(quern_stream* stream, quern_error** error) {
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(stream, "stream"));
    stream->stream.cancel();
    return Ok{};
  });
}

void quern_stream_free(quern_stream* stream) { delete stream; }
