/* Streamed pieces, read in place. */
#include "quern_test.h"

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

void test_pieces(quern_model *model) {
  pieces_say_what_json_says(model);
  pieces_refuse(model);
}

void test_pieces_beyond_their_stream(void) { pieces_outlive_their_stream(); }
