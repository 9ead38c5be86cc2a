// quern/quern.h: models, tokens and whole answers.
#include <functional>
#include <string>
#include <utility>

#include "api/c_api/handles.h"
#include "api/c_api/request_json.h"
#include "api/c_api/result_json.h"
#include "api/c_api/start_request.h"

using namespace quern;
using c_api::guarded;
using c_api::IdsOut;
using c_api::needed;

namespace {

LoadOptions with_callbacks(LoadOptions options, quern_progress_fn on_progress,
                           quern_note_fn on_note, void* user) {
  if (on_progress != nullptr) {
    options.progress = [=](double done, std::string_view what) {
      on_progress(user, done, std::string(what).c_str());
    };
  }
  if (on_note != nullptr)
    options.note = [=](const std::string& text) { on_note(user, text.c_str()); };
  return options;
}

// Hands a piece to the program; false: it wants no more.
using Tell = std::function<bool(const Delta&, bool with_logprobs)>;

quern_code generate(const quern_model* model, const char* request, const Tell& tell, char** result,
                    quern_error** error) {
  if (result != nullptr) *result = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(request, "request"));
    TRY_OK(needed(result, "result"));
    const Model used = model->model;  // stays should a callback free the handle
    TRY(const c_api::Started started, c_api::start_request(used, request));
    if (started.options.n != 1) {
      return Error{Code::invalid_argument, "n is " + std::to_string(started.options.n), "request.n",
                   "quern_generate gives one answer; quern_submit gives several"};
    }
    Result<> told = Ok{};
    std::function<bool(const Delta&)> on_delta;
    if (tell) {
      on_delta = [&](const Delta& delta) {
        try {
          return tell(delta, started.with_logprobs());
        } catch (...) {  // none may cross the engine
          told = c_api::caught_error();
          return false;
        }
      };
    }
    TRY(const Generation answer, used.generate(started.prompt, started.options, on_delta));
    TRY_OK(told);
    *result = c_api::given_text(c_api::generation_json(answer, started.with_logprobs()));
    return Ok{};
  });
}

}  // namespace

quern_code quern_model_load(const char* path, const char* options, quern_progress_fn on_progress,
                            quern_note_fn on_note, void* user, quern_model** model,
                            quern_error** error) {
  if (model != nullptr) *model = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(path, "path"));
    TRY_OK(needed(model, "model"));
    TRY(LoadOptions read, c_api::read_load_options(options == nullptr ? "{}" : options));
    TRY(Model loaded,
        Model::load(path, with_callbacks(std::move(read), on_progress, on_note, user)));
    *model = new quern_model{std::move(loaded)};
    return Ok{};
  });
}

void quern_model_free(quern_model* model) { delete model; }

quern_code quern_model_info(const quern_model* model, char** json, quern_error** error) {
  if (json != nullptr) *json = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(json, "json"));
    *json = c_api::given_text(c_api::info_json(model->model.info()));
    return Ok{};
  });
}

quern_code quern_model_counts(const quern_model* model, char** json, quern_error** error) {
  if (json != nullptr) *json = nullptr;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(json, "json"));
    *json = c_api::given_text(c_api::counts_json(model->model.counts()));
    return Ok{};
  });
}

quern_code quern_tokenize(const quern_model* model, const char* text, size_t n_bytes,
                          int32_t special, int32_t** ids, size_t* n_ids, quern_error** error) {
  const IdsOut out(ids, n_ids);
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    if (n_bytes > 0) TRY_OK(needed(text, "text"));
    TRY_OK(out.check());
    TRY(const auto all, model->model.tokenize({text, n_bytes}, special != 0));
    out.give(all);
    return Ok{};
  });
}

quern_code quern_detokenize(const quern_model* model, const int32_t* ids, size_t n_ids, char** text,
                            size_t* n_bytes, quern_error** error) {
  if (text != nullptr) *text = nullptr;
  if (n_bytes != nullptr) *n_bytes = 0;
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    if (n_ids > 0) TRY_OK(needed(ids, "ids"));
    TRY_OK(needed(text, "text"));
    TRY_OK(model->model.tokenize(""));  // says why where there is no tokenizer
    const int n_vocab = model->model.info().n_vocab;
    for (size_t i = 0; i < n_ids; ++i) {
      if (ids[i] >= 0 && ids[i] < n_vocab) continue;
      return Error{Code::invalid_argument,
                   "token id " + std::to_string(ids[i]) + " is out of range",
                   "ids[" + std::to_string(i) + "]", "ids are 0 to " + std::to_string(n_vocab - 1)};
    }
    const std::string all = model->model.detokenize({ids, n_ids});
    *text = c_api::given_text(all);
    if (n_bytes != nullptr) *n_bytes = all.size();
    return Ok{};
  });
}

quern_code quern_chat_prompt(const quern_model* model, const char* messages, int32_t special,
                             int32_t** ids, size_t* n_ids, quern_error** error) {
  const IdsOut out(ids, n_ids);
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(messages, "messages"));
    TRY_OK(out.check());
    TRY(const auto conversation, c_api::read_messages(messages));
    TRY(const auto all, model->model.chat_prompt(conversation, {.special = special != 0}));
    out.give(all);
    return Ok{};
  });
}

quern_code quern_chat_prompt_json(const quern_model* model, const char* request, int32_t** ids,
                                  size_t* n_ids, quern_error** error) {
  const IdsOut out(ids, n_ids);
  return guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(request, "request"));
    TRY_OK(out.check());
    TRY(const c_api::Conversation read, c_api::read_conversation(request));
    TRY(const auto all, model->model.chat_prompt(read.messages, read.options));
    out.give(all);
    return Ok{};
  });
}

quern_code quern_generate(const quern_model* model, const char* request, quern_piece_fn on_piece,
                          void* user, char** result, quern_error** error) {
  Tell tell;
  if (on_piece != nullptr) {
    tell = [=](const Delta& delta, bool with_logprobs) {
      return on_piece(user, c_api::piece_json(delta, with_logprobs).c_str()) != 0;
    };
  }
  return generate(model, request, tell, result, error);
}

quern_code quern_generate_pieces(const quern_model* model, const char* request,
                                 quern_piece_data_fn on_piece, void* user, char** result,
                                 quern_error** error) {
  Tell tell;
  if (on_piece != nullptr) {
    tell = [=](const Delta& delta, bool /*with_logprobs*/) {
      const quern_piece piece(delta.text, delta.ids, delta.logprobs);
      return on_piece(user, &piece) != 0;
    };
  }
  return generate(model, request, tell, result, error);
}
