/* The C ABI as a C program uses it, on a tiny model. usage: test_c_api MODEL.gguf
 * Prints the first failure and ends with 1. */
#include "quern/quern.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPECT(condition)                                                         \
  do {                                                                            \
    if (!(condition)) {                                                           \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);   \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

/* The call succeeds and leaves no error. */
#define EXPECT_OK(call)                                                           \
  do {                                                                            \
    const quern_code code_ = (call);                                              \
    if (code_ != QUERN_OK)                                                        \
      fprintf(stderr, "%s: %s\n", quern_code_name(code_), quern_error_text(error)); \
    EXPECT(code_ == QUERN_OK && error == NULL);                                   \
  } while (0)

/* The call fails with this code, an error of the same code that has `part` in its text. */
#define EXPECT_ERROR(call, wanted, part)                                          \
  do {                                                                            \
    const quern_code code_ = (call);                                              \
    EXPECT(code_ == (wanted) && quern_error_code(error) == (wanted));             \
    if (strstr(quern_error_text(error), part) == NULL)                            \
      fprintf(stderr, "\"%s\" is not in: %s\n", part, quern_error_text(error));   \
    EXPECT(strstr(quern_error_text(error), part) != NULL);                        \
    quern_error_free(error);                                                      \
    error = NULL;                                                                 \
  } while (0)

#define LONG_ANSWER "{\"prompt\": [1, 2, 3], \"ignore_eos\": true, \"temperature\": 0}"
#define TEN_TOKENS "\"ignore_eos\": true, \"temperature\": 0, \"max_tokens\": 10"

static const char *model_path;

static quern_model *loaded(void) {
  quern_model *model = NULL;
  quern_error *error = NULL;
  EXPECT_OK(quern_model_load(model_path, "{\"threads\": 1}", NULL, NULL, NULL, &model, &error));
  EXPECT(model != NULL);
  return model;
}

static void library_tells_what_it_is(void) {
  quern_error *error = NULL;
  char *json = NULL;
  EXPECT(quern_abi_version() == QUERN_ABI_VERSION);
  EXPECT(strchr(quern_version(), '.') != NULL);
  EXPECT_OK(quern_default_options_json(&json, &error));
  EXPECT(strstr(json, "\"load\":{\"threads\":0,") != NULL);
  EXPECT(strstr(json, "\"top_k\":40") != NULL);
  quern_string_free(json);
  EXPECT_ERROR(quern_default_options_json(NULL, &error), QUERN_INVALID_ARGUMENT, "json is NULL");
  EXPECT(strcmp(quern_code_name(QUERN_OK), "ok") == 0);
  EXPECT(strcmp(quern_code_name(QUERN_NOT_FOUND), "not found") == 0);
  EXPECT(strcmp(quern_code_name(QUERN_UNAVAILABLE), "unavailable") == 0);
  EXPECT(strcmp(quern_code_name(QUERN_CONTEXT_TOO_LONG), "context too long") == 0);
  EXPECT(strcmp(quern_code_name(QUERN_QUEUE_FULL), "queue full") == 0);
  EXPECT(strcmp(quern_code_name(10), "unknown") == 0);
  EXPECT(strcmp(quern_code_name(-1), "unknown") == 0);
}

static void null_is_freed_and_read_without_harm(void) {
  quern_string_free(NULL);
  quern_ids_free(NULL);
  quern_floats_free(NULL);
  quern_error_free(NULL);
  quern_model_free(NULL);
  quern_stream_free(NULL);
  EXPECT(quern_error_code(NULL) == QUERN_OK);
  EXPECT(*quern_error_message(NULL) == '\0' && *quern_error_where(NULL) == '\0');
  EXPECT(*quern_error_fix(NULL) == '\0' && *quern_error_text(NULL) == '\0');
  EXPECT(quern_stream_over(NULL) == 1);
}

static void errors_have_parts(void) {
  quern_error *error = NULL;
  quern_model *model = (quern_model *)&error; /* overwritten */
  EXPECT(quern_model_load(model_path, "{\"kv\": \"f64\"}", NULL, NULL, NULL, &model, &error) ==
         QUERN_INVALID_ARGUMENT);
  EXPECT(model == NULL);
  EXPECT(strcmp(quern_error_where(error), "options.kv") == 0);
  EXPECT(strstr(quern_error_message(error), "no such value") != NULL);
  EXPECT(strstr(quern_error_fix(error), "bf16") != NULL);
  EXPECT(strstr(quern_error_text(error), "options.kv") != NULL);
  quern_error_free(error);
  /* Nobody need ask for the error. */
  EXPECT(quern_model_load("no_such_file", NULL, NULL, NULL, NULL, &model, NULL) ==
         QUERN_NOT_FOUND);
}

static void load_refuses(void) {
  quern_error *error = NULL;
  quern_model *model = NULL;
  EXPECT_ERROR(quern_model_load(NULL, NULL, NULL, NULL, NULL, &model, &error),
               QUERN_INVALID_ARGUMENT, "path is NULL");
  EXPECT_ERROR(quern_model_load(model_path, NULL, NULL, NULL, NULL, NULL, &error),
               QUERN_INVALID_ARGUMENT, "model is NULL");
  EXPECT_ERROR(quern_model_load("no_such_file", NULL, NULL, NULL, NULL, &model, &error),
               QUERN_NOT_FOUND, "no_such_file");
  EXPECT_ERROR(quern_model_load(model_path, "{", NULL, NULL, NULL, &model, &error),
               QUERN_INVALID_ARGUMENT, "not JSON");
  EXPECT_ERROR(quern_model_load(model_path, "{\"thread\": 1}", NULL, NULL, NULL, &model, &error),
               QUERN_INVALID_ARGUMENT, "options.thread");
  EXPECT_ERROR(quern_model_load(model_path, "{\"context\": -1}", NULL, NULL, NULL, &model, &error),
               QUERN_INVALID_ARGUMENT, "context is -1");
}

static void on_progress(void *user, double done, const char *what) {
  double *last = user;
  EXPECT(done >= 0 && done <= 1 && what != NULL);
  *last = done;
}

static void ignore_note(void *user, const char *text) { EXPECT(user != NULL && text != NULL); }

static void loading_tells_its_progress(void) {
  quern_error *error = NULL;
  quern_model *model = NULL;
  double last = -1;
  EXPECT_OK(quern_model_load(model_path, NULL, on_progress, ignore_note, &last, &model, &error));
  EXPECT(last > 0);
  quern_model_free(model);
}

static void model_describes_itself(quern_model *model) {
  quern_error *error = NULL;
  char *json = NULL;
  EXPECT_OK(quern_model_info(model, &json, &error));
  EXPECT(strstr(json, "\"architecture\":\"llama\"") != NULL);
  EXPECT(strstr(json, "\"has_chat_template\":true") != NULL);
  quern_string_free(json);
  EXPECT_ERROR(quern_model_info(NULL, &json, &error), QUERN_INVALID_ARGUMENT, "model is NULL");
  EXPECT(json == NULL);
  EXPECT_ERROR(quern_model_info(model, NULL, &error), QUERN_INVALID_ARGUMENT, "json is NULL");
}

static void tokens_go_there_and_back(quern_model *model) {
  static const char text[] = "zero \0 byte, caf\xc3\xa9";
  const size_t n = sizeof(text) - 1;
  quern_error *error = NULL;
  int32_t *ids = NULL;
  size_t n_ids = 0, n_bytes = 0;
  char *back = NULL;
  EXPECT_OK(quern_tokenize(model, text, n, 0, &ids, &n_ids, &error));
  EXPECT(n_ids > 0);
  EXPECT_OK(quern_detokenize(model, ids, n_ids, &back, &n_bytes, &error));
  EXPECT(n_bytes == n && memcmp(back, text, n + 1) == 0);
  quern_string_free(back);
  EXPECT_OK(quern_detokenize(model, ids, n_ids, &back, NULL, &error));
  quern_string_free(back);
  quern_ids_free(ids);
  EXPECT_OK(quern_tokenize(model, NULL, 0, 0, &ids, &n_ids, &error));
  EXPECT(ids != NULL);
  quern_ids_free(ids);
  EXPECT_OK(quern_detokenize(model, NULL, 0, &back, NULL, &error));
  EXPECT(*back == '\0');
  quern_string_free(back);
}

static void tokens_refuse(quern_model *model) {
  const int32_t bad[] = {1, 1 << 30}, negative[] = {-1};
  quern_error *error = NULL;
  int32_t *ids = NULL;
  size_t n_ids = 7;
  char *text = NULL;
  EXPECT_ERROR(quern_tokenize(NULL, "a", 1, 0, &ids, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "model is NULL");
  EXPECT(n_ids == 0);
  EXPECT_ERROR(quern_tokenize(model, NULL, 1, 0, &ids, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "text is NULL");
  EXPECT_ERROR(quern_tokenize(model, "a", 1, 0, NULL, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "ids is NULL");
  EXPECT_ERROR(quern_tokenize(model, "a", 1, 0, &ids, NULL, &error), QUERN_INVALID_ARGUMENT,
               "n_ids is NULL");
  EXPECT_ERROR(quern_detokenize(NULL, bad, 1, &text, NULL, &error), QUERN_INVALID_ARGUMENT,
               "model is NULL");
  EXPECT_ERROR(quern_detokenize(model, NULL, 1, &text, NULL, &error), QUERN_INVALID_ARGUMENT,
               "ids is NULL");
  EXPECT_ERROR(quern_detokenize(model, bad, 1, NULL, NULL, &error), QUERN_INVALID_ARGUMENT,
               "text is NULL");
  EXPECT_ERROR(quern_detokenize(model, bad, 2, &text, NULL, &error), QUERN_INVALID_ARGUMENT,
               "ids[1]");
  EXPECT_ERROR(quern_detokenize(model, negative, 1, &text, NULL, &error), QUERN_INVALID_ARGUMENT,
               "token id -1");
}

static void templates_are_given_tools(quern_model *model) {
  quern_error *error = NULL;
  int32_t *ids = NULL, *plain = NULL;
  size_t n_ids = 0, n_plain = 0;
  EXPECT_OK(quern_chat_prompt_json(
      model,
      "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"hi\"}]}],"
      " \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}],"
      " \"chat_template_kwargs\": {\"enable_thinking\": false}}",
      &ids, &n_ids, &error));
  /* This model's template has no use for tools. */
  EXPECT_OK(quern_chat_prompt(model, "[{\"role\": \"user\", \"content\": \"hi\"}]", 0, &plain,
                              &n_plain, &error));
  EXPECT(n_ids == n_plain && memcmp(ids, plain, n_ids * sizeof *ids) == 0);
  quern_ids_free(ids);
  quern_ids_free(plain);
  EXPECT_ERROR(quern_chat_prompt_json(model, "{\"messages\": [{\"role\": \"user\", \"content\":"
                                             " [{\"type\": \"input_audio\"}]}]}",
                                      &ids, &n_ids, &error),
               QUERN_INVALID_ARGUMENT, "input_audio");
  EXPECT_ERROR(quern_chat_prompt_json(model, NULL, &ids, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "request is NULL");
}

static void conversations_become_tokens(quern_model *model) {
  quern_error *error = NULL;
  int32_t *ids = NULL;
  size_t n_ids = 0;
  EXPECT_OK(quern_chat_prompt(model, "[{\"role\": \"user\", \"content\": \"hi\"}]", 0, &ids,
                              &n_ids, &error));
  EXPECT(n_ids > 2);
  quern_ids_free(ids);
  EXPECT_ERROR(quern_chat_prompt(NULL, "[]", 0, &ids, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "model is NULL");
  EXPECT_ERROR(quern_chat_prompt(model, NULL, 0, &ids, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "messages is NULL");
  EXPECT_ERROR(quern_chat_prompt(model, "[]", 0, NULL, &n_ids, &error), QUERN_INVALID_ARGUMENT,
               "ids is NULL");
  EXPECT_ERROR(quern_chat_prompt(model, "[]", 0, &ids, NULL, &error), QUERN_INVALID_ARGUMENT,
               "n_ids is NULL");
  EXPECT_ERROR(quern_chat_prompt(model, "[{\"role\": 1, \"content\": \"\"}]", 0, &ids, &n_ids,
                                 &error),
               QUERN_INVALID_ARGUMENT, "messages[0].role");
}

struct pieces {
  int n, most;
};

static int32_t count_pieces(void *user, const char *piece) {
  struct pieces *pieces = user;
  EXPECT(strncmp(piece, "{\"text\":", 8) == 0);
  return ++pieces->n < pieces->most;
}

static void one_answer(quern_model *model) {
  quern_error *error = NULL;
  char *first = NULL, *again = NULL;
  struct pieces pieces = {0, 1000};
  EXPECT_OK(quern_generate(model, "{\"prompt\": \"Once\", " TEN_TOKENS "}", count_pieces, &pieces,
                           &first, &error));
  EXPECT(pieces.n > 0);
  EXPECT(strstr(first, "\"finish\":\"length\"") != NULL);
  EXPECT(strstr(first, "\"predicted_n\":10") != NULL);
  EXPECT(strstr(first, "\"queue_ms\":") != NULL && strstr(first, "\"first_token_ms\":") != NULL);
  EXPECT(strstr(first, "\"per_token_ms\":") != NULL);
  EXPECT(strstr(first, "\"logprobs\"") == NULL);
  EXPECT_OK(quern_generate(model, "{\"prompt\": \"Once\", \"n_probs\": 2, " TEN_TOKENS "}", NULL,
                           NULL, &again, &error));
  EXPECT(strstr(again, "\"logprobs\":[{\"id\":") != NULL);
  EXPECT(strstr(again, "\"notes\"") == NULL);
  char *noted = NULL;
  EXPECT_OK(quern_generate(model,
                           "{\"prompt\": \"Once\", \"max_tokens\": 2, \"grammar\": {\"kind\": "
                           "\"json_schema\", \"text\": \"{\\\"format\\\": \\\"color\\\"}\"}}",
                           NULL, NULL, &noted, &error));
  EXPECT(strstr(noted, "\"notes\":[\"JSON schema") != NULL);
  quern_string_free(noted);
  /* The same text, up to the ids' end. */
  EXPECT(strncmp(first, again, (size_t)(strchr(first, ']') - first)) == 0);
  quern_string_free(first);
  quern_string_free(again);
  pieces.n = 0;
  pieces.most = 3;
  EXPECT_OK(quern_generate(model, LONG_ANSWER, count_pieces, &pieces, &first, &error));
  EXPECT(strstr(first, "\"finish\":\"cancelled\"") != NULL && pieces.n == 3);
  quern_string_free(first);
}

static void generate_refuses(quern_model *model) {
  quern_error *error = NULL;
  char *result = NULL;
  EXPECT_ERROR(quern_generate(NULL, LONG_ANSWER, NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "model is NULL");
  EXPECT_ERROR(quern_generate(model, NULL, NULL, NULL, &result, &error), QUERN_INVALID_ARGUMENT,
               "request is NULL");
  EXPECT_ERROR(quern_generate(model, LONG_ANSWER, NULL, NULL, NULL, &error),
               QUERN_INVALID_ARGUMENT, "result is NULL");
  EXPECT_ERROR(quern_generate(model, "{\"prompt\": []}", NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "empty");
  EXPECT_ERROR(quern_generate(model, "{\"prompt\": [1073741824]}", NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "token id 1073741824");
  EXPECT_ERROR(
      quern_generate(model, "{\"prompt\": \"a\", \"temperature\": -1}", NULL, NULL, &result, &error),
      QUERN_INVALID_ARGUMENT, "temperature");
  EXPECT_ERROR(
      quern_generate(model, "{\"prompt\": \"a\", \"temperature\": \"hot\"}", NULL, NULL, &result,
                     &error),
      QUERN_INVALID_ARGUMENT, "request.temperature");
  EXPECT_ERROR(quern_generate(model, "{\"prompt\": \"a\", \"n\": 2}", NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "quern_submit");
}

/* What quern_generate says to the same request, but for "timings". */
static void expect_same_answer(quern_model *model, const char *request, quern_stream *stream) {
  quern_error *error = NULL;
  char *streamed = NULL, *whole = NULL, *cut;
  EXPECT_OK(quern_stream_result(stream, &streamed, &error));
  EXPECT_OK(quern_generate(model, request, NULL, NULL, &whole, &error));
  EXPECT((cut = strstr(whole, "\"timings\"")) != NULL);
  EXPECT(strncmp(streamed, whole, (size_t)(cut - whole)) == 0);
  quern_string_free(streamed);
  quern_string_free(whole);
}

static void several_answers_are_streamed(quern_model *model) {
  quern_error *error = NULL;
  quern_stream *streams[2] = {NULL, NULL};
  char *piece = NULL;
  int n = 0;
  EXPECT_OK(quern_submit(model,
                         "{\"prompt\": [1, 2], \"n\": 2, \"temperature\": 1, \"seed\": 5,"
                         " \"max_tokens\": 20, \"ignore_eos\": true}",
                         streams, 2, &error));
  for (;; ++n) {
    EXPECT_OK(quern_stream_next(streams[1], -1, &piece, &error));
    if (piece == NULL) break;
    EXPECT(strncmp(piece, "{\"text\":", 8) == 0);
    quern_string_free(piece);
  }
  EXPECT(n > 0 && quern_stream_over(streams[1]) == 1);
  EXPECT_OK(quern_stream_next(streams[1], 0, &piece, &error));
  EXPECT(piece == NULL);
  for (int i = 0; i < 2; ++i) {
    char request[200];
    snprintf(request, sizeof(request),
             "{\"prompt\": [1, 2], \"temperature\": 1, \"seed\": %d, \"max_tokens\": 20,"
             " \"ignore_eos\": true}",
             5 + i);
    expect_same_answer(model, request, streams[i]);
    expect_same_answer(model, request, streams[i]); /* again if asked */
    quern_stream_free(streams[i]);
  }
}

static void waiting_ends_when_time_is_up(quern_model *model) {
  quern_error *error = NULL;
  quern_stream *stream = NULL;
  char *piece = NULL;
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  while (!quern_stream_over(stream)) { /* some of these come too early */
    EXPECT_OK(quern_stream_next(stream, 0, &piece, &error));
    quern_string_free(piece);
  }
  quern_stream_free(stream);
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  EXPECT_OK(quern_stream_next(stream, INT64_MAX, &piece, &error));
  EXPECT(piece != NULL);
  quern_string_free(piece);
  quern_stream_free(stream); /* while it runs */
}

#define N_STREAMS 16

/* Which streams have something to read, for a loop that waits for any of them. */
struct ready {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int is[N_STREAMS];
};

struct ready_one {
  struct ready *all;
  int i;
};

static void tell(void *user) {
  struct ready_one *one = user;
  pthread_mutex_lock(&one->all->mutex);
  one->all->is[one->i] = 1;
  pthread_cond_signal(&one->all->changed);
  pthread_mutex_unlock(&one->all->mutex);
}

static int wait_for_one(struct ready *ready) {
  int i;
  pthread_mutex_lock(&ready->mutex);
  for (;;) {
    for (i = 0; i < N_STREAMS && !ready->is[i]; ++i) {
    }
    if (i < N_STREAMS) break;
    pthread_cond_wait(&ready->changed, &ready->mutex);
  }
  ready->is[i] = 0;
  pthread_mutex_unlock(&ready->mutex);
  return i;
}

static void one_thread_serves_many_streams(quern_model *model) {
  const char *request = "{\"prompt\": [4, 5], \"n\": 16, \"seed\": 3, \"max_tokens\": 20,"
                        " \"temperature\": 1, \"ignore_eos\": true}";
  struct ready ready = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  struct ready_one ones[N_STREAMS];
  quern_error *error = NULL;
  quern_stream *streams[N_STREAMS];
  char *piece = NULL;
  int n_over = 0;
  EXPECT_OK(quern_submit(model, request, streams, N_STREAMS, &error));
  for (int i = 0; i < N_STREAMS; ++i) {
    ones[i] = (struct ready_one){&ready, i};
    EXPECT_OK(quern_stream_on_ready(streams[i], tell, &ones[i], &error));
  }
  while (n_over < N_STREAMS) {
    const int i = wait_for_one(&ready);
    do {
      quern_string_free(piece);
      EXPECT_OK(quern_stream_next(streams[i], 0, &piece, &error));
    } while (piece != NULL);
    n_over += quern_stream_over(streams[i]);
  }
  for (int i = 0; i < N_STREAMS; ++i) {
    char single[200];
    snprintf(single, sizeof(single),
             "{\"prompt\": [4, 5], \"seed\": %d, \"max_tokens\": 20, \"temperature\": 1,"
             " \"ignore_eos\": true}",
             3 + i);
    expect_same_answer(model, single, streams[i]);
    ready.is[i] = 0;
    EXPECT_OK(quern_stream_on_ready(streams[i], tell, &ones[i], &error)); /* over: told at once */
    EXPECT(ready.is[i] == 1);
    EXPECT_OK(quern_stream_on_ready(streams[i], NULL, NULL, &error));
    quern_stream_free(streams[i]);
  }
  EXPECT_ERROR(quern_stream_on_ready(NULL, tell, NULL, &error), QUERN_INVALID_ARGUMENT,
               "stream is NULL");
}

static void model_counts(quern_model *model) {
  quern_error *error = NULL;
  char *json = NULL;
  EXPECT_OK(quern_model_counts(model, &json, &error));
  EXPECT(strncmp(json, "{\"n_steps\":", 11) == 0);
  EXPECT(strstr(json, "\"n_steps\":0,") == NULL);
  EXPECT(strstr(json, "\"n_waiting\":0,") != NULL);
  EXPECT(strstr(json, "\"n_cached_pages\":") != NULL);
  quern_string_free(json);
  EXPECT_ERROR(quern_model_counts(NULL, &json, &error), QUERN_INVALID_ARGUMENT, "model is NULL");
  EXPECT_ERROR(quern_model_counts(model, NULL, &error), QUERN_INVALID_ARGUMENT, "json is NULL");
}

/* Of the context and of the queue, by codes of their own. */
static void limits_have_codes(void) {
  quern_error *error = NULL;
  quern_model *model = NULL;
  quern_stream *streams[3];
  char *result = NULL;
  EXPECT_OK(quern_model_load(model_path, "{\"threads\": 1, \"context\": 64, \"max_waiting\": 2}",
                             NULL, NULL, NULL, &model, &error));
  char request[400] = "{\"prompt\": [1";
  for (int i = 0; i < 64; ++i) strcat(request, ", 1");
  strcat(request, "]}");
  EXPECT_ERROR(quern_generate(model, request, NULL, NULL, &result, &error), QUERN_CONTEXT_TOO_LONG,
               "the context holds 64");
  EXPECT_ERROR(quern_submit(model, "{\"prompt\": [1, 2], \"n\": 3}", streams, 3, &error),
               QUERN_QUEUE_FULL, "the queue holds 2");
  quern_model_free(model);
}

static void submit_refuses(quern_model *model) {
  quern_error *error = NULL;
  quern_stream *streams[3] = {(quern_stream *)&error, NULL, NULL};
  EXPECT_ERROR(quern_submit(NULL, LONG_ANSWER, streams, 1, &error), QUERN_INVALID_ARGUMENT,
               "model is NULL");
  EXPECT(streams[0] == NULL);
  EXPECT_ERROR(quern_submit(model, NULL, streams, 1, &error), QUERN_INVALID_ARGUMENT,
               "request is NULL");
  EXPECT_ERROR(quern_submit(model, LONG_ANSWER, NULL, 1, &error), QUERN_INVALID_ARGUMENT,
               "streams is NULL");
  EXPECT_ERROR(quern_submit(model, LONG_ANSWER, streams, 3, &error), QUERN_INVALID_ARGUMENT,
               "room for 3");
  EXPECT_ERROR(quern_submit(model, LONG_ANSWER, streams, 0, &error), QUERN_INVALID_ARGUMENT,
               "room for 0");
  EXPECT_ERROR(quern_submit(model, "{\"prompt\": \"a\", \"n\": 0}", streams, 0, &error),
               QUERN_INVALID_ARGUMENT, "n");
  EXPECT_ERROR(quern_submit(model, "[]", streams, 1, &error), QUERN_INVALID_ARGUMENT,
               "not an object");
  EXPECT(streams[0] == NULL && streams[1] == NULL && streams[2] == NULL);
}

static void streams_refuse(quern_model *model) {
  quern_error *error = NULL;
  quern_stream *stream = NULL;
  char *text = (char *)&error;
  EXPECT_ERROR(quern_stream_next(NULL, 0, &text, &error), QUERN_INVALID_ARGUMENT,
               "stream is NULL");
  EXPECT(text == NULL);
  EXPECT_ERROR(quern_stream_result(NULL, &text, &error), QUERN_INVALID_ARGUMENT,
               "stream is NULL");
  EXPECT_ERROR(quern_stream_cancel(NULL, &error), QUERN_INVALID_ARGUMENT, "stream is NULL");
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  EXPECT_ERROR(quern_stream_next(stream, 0, NULL, &error), QUERN_INVALID_ARGUMENT,
               "piece is NULL");
  EXPECT_ERROR(quern_stream_result(stream, NULL, &error), QUERN_INVALID_ARGUMENT,
               "result is NULL");
  quern_stream_free(stream);
}

/* An answer as its pieces tell it: the text, and for each id "id, logprob, top id, logprob, ..." as
 * the JSON of the result has them. */
struct told {
  char text[1024];
  double numbers[512];
  size_t n_bytes, n_numbers;
  int n_pieces, most;
};

static int32_t add_piece(void *user, const quern_piece *piece) {
  struct told *told = user;
  size_t n_bytes = 7, n_ids = 7, n_logprobs = 7, n_top = 7;
  const char *text = quern_piece_text(piece, &n_bytes);
  const int32_t *ids = quern_piece_ids(piece, &n_ids);
  const float *logprobs = quern_piece_logprobs(piece, &n_logprobs);
  EXPECT(n_ids + n_bytes > 0 && n_logprobs == n_ids);
  EXPECT(text[n_bytes] == '\0' && told->n_bytes + n_bytes < sizeof told->text);
  memcpy(told->text + told->n_bytes, text, n_bytes);
  told->n_bytes += n_bytes;
  for (size_t i = 0; i < n_ids; ++i) {
    const int32_t *top_ids = quern_piece_top_ids(piece, i, &n_top);
    const float *top = quern_piece_top_logprobs(piece, i, NULL);
    EXPECT(n_top == 2 && told->n_numbers + 6 <= sizeof told->numbers / sizeof *told->numbers);
    told->numbers[told->n_numbers++] = ids[i];
    told->numbers[told->n_numbers++] = logprobs[i];
    for (size_t j = 0; j < n_top; ++j) {
      told->numbers[told->n_numbers++] = top_ids[j];
      told->numbers[told->n_numbers++] = top[j];
    }
  }
  quern_piece_top_ids(piece, n_ids, &n_top);
  EXPECT(n_top == 0);
  return ++told->n_pieces < told->most;
}

/* The same as in the JSON of a result, number for number. */
static void expect_told(const struct told *told, const char *result) {
  const char *end = result + strlen("{\"text\":\""), *numbers = strstr(result, "\"logprobs\":[");
  EXPECT(told->n_pieces > 0 && numbers != NULL);
  for (size_t i = 0; i < told->n_bytes; ++i) { /* what is escaped is only looked at */
    if (*end == '\\')
      end += end[1] == 'u' ? 6 : 2;
    else
      EXPECT(*end++ == told->text[i]);
  }
  EXPECT(strncmp(end, "\",\"ids\":[", 9) == 0);
  for (size_t i = 0; i < told->n_numbers; ++i) {
    const char *name = i % 2 == 0 ? "\"id\":" : "\"logprob\":";
    EXPECT((numbers = strstr(numbers, name)) != NULL);
    numbers += strlen(name);
    EXPECT(strtof(numbers, NULL) == (float)told->numbers[i]);
  }
  EXPECT(strstr(numbers, "\"id\":") == NULL);
}

#define WITH_PROBS "{\"prompt\": \"Once\", \"n_probs\": 2, " TEN_TOKENS "}"

static void pieces_say_what_json_says(quern_model *model) {
  static struct told streamed = {.most = 1000}, called = {.most = 1000}, cut = {.most = 1};
  quern_error *error = NULL;
  quern_stream *stream = NULL;
  quern_piece *piece = NULL;
  char *result = NULL;
  EXPECT_OK(quern_submit(model, WITH_PROBS, &stream, 1, &error));
  for (;;) {
    EXPECT_OK(quern_stream_next_piece(stream, -1, &piece, &error));
    if (piece == NULL) break;
    add_piece(&streamed, piece);
    quern_piece_free(piece);
  }
  EXPECT(quern_stream_over(stream) == 1 && streamed.n_numbers == 60);
  EXPECT_OK(quern_stream_result(stream, &result, &error));
  expect_told(&streamed, result);
  quern_string_free(result);
  quern_stream_free(stream);
  EXPECT_OK(quern_generate_pieces(model, WITH_PROBS, add_piece, &called, &result, &error));
  expect_told(&called, result);
  EXPECT(called.n_bytes == streamed.n_bytes &&
         memcmp(called.text, streamed.text, called.n_bytes) == 0);
  quern_string_free(result);
  EXPECT_OK(quern_generate_pieces(model, WITH_PROBS, add_piece, &cut, &result, &error));
  EXPECT(strstr(result, "\"finish\":\"cancelled\"") != NULL && cut.n_pieces == 1);
  quern_string_free(result);
  EXPECT_OK(quern_generate_pieces(model, WITH_PROBS, NULL, NULL, &result, &error));
  expect_told(&called, result);
  quern_string_free(result);
}

static void pieces_outlive_their_stream(void) {
  quern_error *error = NULL;
  quern_model *model = loaded();
  quern_stream *stream = NULL;
  quern_piece *piece = NULL;
  char *json = NULL;
  size_t n_ids = 0, n = 7;
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  EXPECT_OK(quern_stream_next_piece(stream, INT64_MAX, &piece, &error));
  EXPECT_OK(quern_stream_next(stream, -1, &json, &error)); /* the other kind, in turn */
  EXPECT(json != NULL);
  quern_string_free(json);
  quern_stream_free(stream);
  quern_model_free(model);
  EXPECT(quern_piece_ids(piece, &n_ids)[0] >= 0 && n_ids > 0);
  EXPECT(quern_piece_logprobs(piece, &n) != NULL && n == 0); /* not asked for */
  EXPECT(quern_piece_top_ids(piece, 0, &n) != NULL && n == 0);
  EXPECT(quern_piece_top_logprobs(piece, 0, &n) != NULL && n == 0);
  quern_piece_free(piece);
}

static void pieces_refuse(quern_model *model) {
  quern_error *error = NULL;
  quern_piece *piece = (quern_piece *)&error;
  quern_stream *stream = NULL;
  char *result = NULL;
  size_t n = 7;
  EXPECT_ERROR(quern_stream_next_piece(NULL, 0, &piece, &error), QUERN_INVALID_ARGUMENT,
               "stream is NULL");
  EXPECT(piece == NULL);
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  EXPECT_ERROR(quern_stream_next_piece(stream, 0, NULL, &error), QUERN_INVALID_ARGUMENT,
               "piece is NULL");
  quern_stream_free(stream);
  EXPECT_ERROR(quern_generate_pieces(NULL, LONG_ANSWER, NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "model is NULL");
  EXPECT_ERROR(quern_generate_pieces(model, NULL, NULL, NULL, &result, &error),
               QUERN_INVALID_ARGUMENT, "request is NULL");
  EXPECT_ERROR(quern_generate_pieces(model, LONG_ANSWER, NULL, NULL, NULL, &error),
               QUERN_INVALID_ARGUMENT, "result is NULL");
  EXPECT(*quern_piece_text(NULL, &n) == '\0' && n == 0);
  n = 7;
  EXPECT(quern_piece_ids(NULL, &n) != NULL && n == 0);
  n = 7;
  EXPECT(quern_piece_logprobs(NULL, &n) != NULL && n == 0);
  n = 7;
  EXPECT(quern_piece_top_ids(NULL, 0, &n) != NULL && n == 0);
  n = 7;
  EXPECT(quern_piece_top_logprobs(NULL, 0, &n) != NULL && n == 0);
  EXPECT(quern_piece_text(NULL, NULL) != NULL && quern_piece_ids(NULL, NULL) != NULL);
  quern_piece_free(NULL);
}

static void *cancel(void *stream) {
  quern_error *error = NULL;
  EXPECT_OK(quern_stream_cancel(stream, &error));
  return NULL;
}

static void another_thread_cancels(quern_model *model) {
  quern_error *error = NULL;
  quern_stream *stream = NULL;
  char *result = NULL;
  pthread_t other;
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &stream, 1, &error));
  /* 256 unread tokens pause it before its end, as nothing was read: it is not over when it is
   * cancelled. */
  EXPECT(pthread_create(&other, NULL, cancel, stream) == 0);
  EXPECT(pthread_join(other, NULL) == 0);
  EXPECT_OK(quern_stream_result(stream, &result, &error));
  EXPECT(strstr(result, "\"finish\":\"cancelled\"") != NULL);
  quern_string_free(result);
  EXPECT_OK(quern_stream_cancel(stream, &error)); /* over: nothing happens */
  quern_stream_free(stream);
}

static void deadlines_end_answers(quern_model *model) {
  const struct timespec longer = {0, 60 * 1000 * 1000};
  quern_error *error = NULL;
  quern_stream *stream = NULL;
  char *result = NULL;
  EXPECT_OK(quern_submit(
      model, "{\"prompt\": [1], \"ignore_eos\": true, \"deadline_ms\": 50}", &stream, 1, &error));
  EXPECT(nanosleep(&longer, NULL) == 0); /* unread it cannot come to its end */
  EXPECT_OK(quern_stream_result(stream, &result, &error));
  EXPECT(strstr(result, "\"finish\":\"deadline\"") != NULL);
  quern_string_free(result);
  quern_stream_free(stream);
}

static void streams_outlive_the_handle(void) {
  quern_error *error = NULL;
  quern_model *model = loaded();
  quern_stream *stream = NULL, *dropped = NULL;
  char *result = NULL;
  EXPECT_OK(quern_submit(model, "{\"prompt\": [1, 2], " TEN_TOKENS "}", &stream, 1, &error));
  EXPECT_OK(quern_submit(model, LONG_ANSWER, &dropped, 1, &error));
  quern_model_free(model);
  EXPECT_OK(quern_stream_result(stream, &result, &error));
  EXPECT(strstr(result, "\"predicted_n\":10") != NULL);
  quern_string_free(result);
  quern_stream_free(stream);
  quern_stream_free(dropped);
}

static void *ask(void *shared) {
  quern_model *model = shared;
  quern_error *error = NULL;
  char *result = NULL;
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(quern_generate(model, "{\"prompt\": \"Once\", " TEN_TOKENS "}", NULL, NULL, &result,
                             &error));
    EXPECT(strstr(result, "\"predicted_n\":10") != NULL);
    quern_string_free(result);
  }
  return NULL;
}

static void threads_share_a_model(quern_model *model) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) EXPECT(pthread_create(&threads[i], NULL, ask, model) == 0);
  for (int i = 0; i < 4; ++i) EXPECT(pthread_join(threads[i], NULL) == 0);
}

static void texts_become_vectors(quern_model *model) {
  quern_error *error = NULL;
  float *both = NULL, *one = NULL;
  char *result = NULL;
  int32_t *ids = NULL;
  size_t n_ids = 0;
  char request[128];
  EXPECT_OK(quern_embed(model,
                        "{\"texts\": [\"Once\", [1, 2, 3]], \"dimensions\": 4, "
                        "\"pooling\": \"mean\"}",
                        &both, &result, &error));
  EXPECT(strstr(result, "{\"pooling\":\"mean\",\"dimensions\":4,\"n_tokens\":[") == result);
  EXPECT(strstr(result, ",3]}") != NULL);
  quern_string_free(result);
  for (int i = 0; i < 2; ++i) {
    double squares = 0;
    for (int j = 0; j < 4; ++j) squares += (double)both[4 * i + j] * both[4 * i + j];
    EXPECT(squares > 0.999 && squares < 1.001);
  }
  /* A text's tokens give what the text gives, alone as in company. */
  EXPECT_OK(quern_tokenize(model, "Once", 4, 0, &ids, &n_ids, &error));
  EXPECT(n_ids == 4);
  snprintf(request, sizeof request,
           "{\"texts\": [[%d, %d, %d, %d]], \"dimensions\": 4, \"pooling\": \"mean\"}",
           (int)ids[0], (int)ids[1], (int)ids[2], (int)ids[3]);
  EXPECT_OK(quern_embed(model, request, &one, &result, &error));
  EXPECT(memcmp(one, both, 4 * sizeof *one) == 0);
  quern_ids_free(ids);
  quern_string_free(result);
  quern_floats_free(one);
  quern_floats_free(both);
  EXPECT_OK(quern_embed(model, "{\"texts\": []}", &one, &result, &error));
  EXPECT(one != NULL && strstr(result, "\"n_tokens\":[]") != NULL);
  quern_string_free(result);
  quern_floats_free(one);
}

static void embed_refuses(quern_model *model) {
  static const struct {
    const char *request, *says;
  } kBad[] = {
      {"{}", "\"texts\""},
      {"{\"texts\": \"a\"}", "request.texts"},
      {"{\"texts\": [\"a\", 1]}", "request.texts[1]"},
      {"{\"texts\": [[1.5]]}", "request.texts[0][0]"},
      {"{\"texts\": [[]]}", "text 0"},
      {"{\"texts\": [\"a\"], \"pooling\": \"max\"}", "request.pooling"},
      {"{\"texts\": [\"a\"], \"dimensions\": -1}", "dimensions"},
      {"{\"texts\": [\"a\"], \"model\": \"b\"}", "request.model"},
  };
  quern_error *error = NULL;
  float *values = NULL;
  char *result = NULL;
  for (size_t i = 0; i < sizeof kBad / sizeof *kBad; ++i) {
    EXPECT_ERROR(quern_embed(model, kBad[i].request, &values, &result, &error),
                 QUERN_INVALID_ARGUMENT, kBad[i].says);
    EXPECT(values == NULL && result == NULL);
  }
  EXPECT_ERROR(quern_embed(NULL, "{}", &values, &result, &error), QUERN_INVALID_ARGUMENT,
               "model is NULL");
  EXPECT_ERROR(quern_embed(model, "{}", NULL, &result, &error), QUERN_INVALID_ARGUMENT,
               "values is NULL");
}

/* One model leaves a conversation in a file, another goes on with it. */
static void a_session_is_saved_and_loaded(quern_model *model) {
  char path[] = "/tmp/quern_session_XXXXXX", request[2048];
  quern_error *error = NULL;
  quern_model *other = loaded();
  char *result = NULL;
  int32_t prompt[100], *ids = NULL;
  size_t n_saved = 0, n_ids = 0, end;
  const int file = mkstemp(path);
  EXPECT(file >= 0);
  close(file);
  end = (size_t)snprintf(request, sizeof request, "{" TEN_TOKENS ", \"prompt\": [");
  for (int i = 0; i < 100; ++i) {
    prompt[i] = 1 + i % 50;
    end += (size_t)snprintf(request + end, sizeof request - end, "%s%d", i ? "," : "",
                            (int)prompt[i]);
  }
  snprintf(request + end, sizeof request - end, "]}");
  EXPECT_OK(quern_generate(model, request, NULL, NULL, &result, &error));
  quern_string_free(result);
  EXPECT_OK(quern_session_save(model, path, prompt, 100, NULL, &n_saved, &error));
  EXPECT(n_saved > 0 && n_saved <= 100);
  EXPECT_OK(quern_session_load(other, path, &ids, &n_ids, &error));
  EXPECT(n_ids == n_saved && memcmp(ids, prompt, n_ids * sizeof *ids) == 0);
  quern_ids_free(ids);
  EXPECT_OK(quern_generate(other, request, NULL, NULL, &result, &error));
  EXPECT(strstr(result, "\"cached_n\":0") == NULL);
  quern_string_free(result);
  EXPECT_ERROR(quern_session_save(model, "/no/such/folder/file", prompt, 100, NULL, NULL, &error),
               QUERN_UNAVAILABLE, "/no/such/folder");
  EXPECT_ERROR(quern_session_load(other, model_path, &ids, &n_ids, &error), QUERN_CORRUPT,
               model_path);
  EXPECT(ids == NULL && n_ids == 0);
  EXPECT_ERROR(quern_session_load(other, "no_such_file", &ids, &n_ids, &error), QUERN_NOT_FOUND,
               "no_such_file");
  quern_model_free(other);
  unlink(path);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_c_api MODEL.gguf\n");
    return 2;
  }
  model_path = argv[1];
  library_tells_what_it_is();
  null_is_freed_and_read_without_harm();
  errors_have_parts();
  load_refuses();
  loading_tells_its_progress();
  quern_model *model = loaded();
  model_describes_itself(model);
  tokens_go_there_and_back(model);
  tokens_refuse(model);
  conversations_become_tokens(model);
  templates_are_given_tools(model);
  one_answer(model);
  generate_refuses(model);
  several_answers_are_streamed(model);
  waiting_ends_when_time_is_up(model);
  one_thread_serves_many_streams(model);
  model_counts(model);
  limits_have_codes();
  submit_refuses(model);
  streams_refuse(model);
  pieces_say_what_json_says(model);
  pieces_refuse(model);
  another_thread_cancels(model);
  deadlines_end_answers(model);
  threads_share_a_model(model);
  texts_become_vectors(model);
  embed_refuses(model);
  a_session_is_saved_and_loaded(model);
  quern_model_free(model);
  streams_outlive_the_handle();
  pieces_outlive_their_stream();
  puts("all of the C ABI's tests passed");
  return 0;
}
