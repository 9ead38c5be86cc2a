/* Answers: whole, streamed, cancelled, by several threads; what is refused. */
#include <pthread.h>
#include <time.h>

#include "quern_test.h"

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

void test_answers(quern_model *model) {
  one_answer(model);
  generate_refuses(model);
  several_answers_are_streamed(model);
  waiting_ends_when_time_is_up(model);
  one_thread_serves_many_streams(model);
  model_counts(model);
  limits_have_codes();
  submit_refuses(model);
  streams_refuse(model);
  another_thread_cancels(model);
  deadlines_end_answers(model);
  threads_share_a_model(model);
}

void test_answers_beyond_their_model(void) { streams_outlive_the_handle(); }
