// quern/quern.h: versions, errors, freeing.
#include <cstdlib>

#include "api/c_api/handles.h"
#include "api/c_api/request_json.h"

using namespace quern;

int32_t quern_abi_version(void) { return QUERN_ABI_VERSION; }

const char* quern_version(void) { return QUERN_VERSION; }

quern_code quern_default_options_json(char** json, quern_error** error) {
  if (json != nullptr) *json = nullptr;
  return c_api::guarded(error, [&]() -> Result<> {
    TRY_OK(c_api::needed(json, "json"));
    *json = c_api::given_text(c_api::to_text(c_api::default_options()));
    return Ok{};
  });
}

void quern_string_free(char* string) { std::free(string); }

void quern_ids_free(int32_t* ids) { std::free(ids); }

void quern_floats_free(float* floats) { std::free(floats); }

quern_code quern_error_code(const quern_error* error) {
  return error == nullptr ? QUERN_OK : static_cast<quern_code>(error->error.code) + 1;
}

const char* quern_error_message(const quern_error* error) {
  return error == nullptr ? "" : error->error.what.c_str();
}

const char* quern_error_where(const quern_error* error) {
  return error == nullptr ? "" : error->error.where.c_str();
}

const char* quern_error_fix(const quern_error* error) {
  return error == nullptr ? "" : error->error.fix.c_str();
}

const char* quern_error_text(const quern_error* error) {
  return error == nullptr ? "" : error->text.c_str();
}

void quern_error_free(quern_error* error) { delete error; }

const char* quern_code_name(quern_code code) {
  if (code == QUERN_OK) return "ok";
  if (code < QUERN_INVALID_ARGUMENT || code > QUERN_QUEUE_FULL) return "unknown";
  return name(static_cast<Code>(code - 1));
}
