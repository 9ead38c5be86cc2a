/* Vectors of texts, and sessions in files. */
#include <unistd.h>

#include "quern_test.h"

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

void test_embeddings_and_sessions(quern_model *model) {
  texts_become_vectors(model);
  embed_refuses(model);
  a_session_is_saved_and_loaded(model);
}
