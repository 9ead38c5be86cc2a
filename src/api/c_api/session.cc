// quern/quern.h: what is cached of a conversation, in a file.
#include "api/c_api/handles.h"

using namespace quern;
using c_api::guarded;
using c_api::IdsOut;
using c_api::needed;

quern_code quern_session_save(const quern_model* model, const char* path, const int32_t* ids,
                              size_t n_ids, const char* cache_salt, size_t* n_saved,
                              quern_error** error) {
  if (n_saved != nullptr) *n_saved = 0;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(path, "path"));
    if (n_ids > 0) TRY_OK(needed(ids, "ids"));
    TRY(const int n,
        model->model.save_session(path, {ids, n_ids}, cache_salt == nullptr ? "" : cache_salt));
    if (n_saved != nullptr) *n_saved = static_cast<size_t>(n);
    return Ok{};
  });
}

quern_code quern_session_load(const quern_model* model, const char* path, int32_t** ids,
                              size_t* n_ids, quern_error** error) {
  const IdsOut out(ids, n_ids);
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(path, "path"));
    TRY_OK(out.check());
    TRY(const auto all, model->model.load_session(path));
    out.give(all);
    return Ok{};
  });
}
