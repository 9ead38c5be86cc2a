#include "api/c_api/handles.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

namespace quern::c_api {
namespace {

static_assert(static_cast<int>(Code::invalid_argument) + 1 == QUERN_INVALID_ARGUMENT);
static_assert(static_cast<int>(Code::corrupt) + 1 == QUERN_CORRUPT);
static_assert(static_cast<int>(Code::not_found) + 1 == QUERN_NOT_FOUND);
static_assert(static_cast<int>(Code::unsupported) + 1 == QUERN_UNSUPPORTED);
static_assert(static_cast<int>(Code::out_of_memory) + 1 == QUERN_OUT_OF_MEMORY);
static_assert(static_cast<int>(Code::cancelled) + 1 == QUERN_CANCELLED);
static_assert(static_cast<int>(Code::unavailable) + 1 == QUERN_UNAVAILABLE);
static_assert(static_cast<int>(Code::context_too_long) + 1 == QUERN_CONTEXT_TOO_LONG);
static_assert(static_cast<int>(Code::queue_full) + 1 == QUERN_QUEUE_FULL);

quern_code code_of(Code code) { return static_cast<quern_code>(code) + 1; }

void* allocated(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

template <class T>
T* copied(std::span<const T> all) {
  T* out = static_cast<T*>(allocated(std::max<size_t>(all.size(), 1) * sizeof(T)));
  std::ranges::copy(all, out);
  return out;
}

}  // namespace

quern_code finish(const Result<>& outcome, quern_error** error) noexcept {
  if (error != nullptr) *error = nullptr;
  if (outcome) return QUERN_OK;
  if (error != nullptr) {
    try {
      *error = new quern_error{outcome.error(), to_string(outcome.error())};
    } catch (...) {
      return QUERN_OUT_OF_MEMORY;
    }
  }
  return code_of(outcome.error().code);
}

Error caught_error() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory, "memory ran out", "", ""};
  } catch (const std::length_error&) {
    return {Code::out_of_memory, "memory ran out", "", ""};
  } catch (const std::exception& other) {
    return {Code::unavailable, other.what(), "", ""};
  } catch (...) {
    return {Code::unavailable, "an unknown exception", "", ""};
  }
}

Result<> needed(const void* pointer, std::string_view what) {
  if (pointer != nullptr) return Ok{};
  return Error{Code::invalid_argument, std::string(what) + " is NULL", "", ""};
}

char* given_text(std::string_view text) {
  char* out = static_cast<char*>(allocated(text.size() + 1));
  std::copy(text.begin(), text.end(), out);
  out[text.size()] = '\0';
  return out;
}

int32_t* given_ids(std::span<const int32_t> ids) { return copied(ids); }
float* given_floats(std::span<const float> floats) { return copied(floats); }

}  // namespace quern::c_api
