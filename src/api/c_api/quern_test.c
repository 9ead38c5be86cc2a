/* The C ABI as a C program uses it, on a tiny model. usage: test_c_api MODEL.gguf
 * Prints the first failure and ends with 1. */
#include "quern_test.h"

const char *model_path;

quern_model *loaded(void) {
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
  test_answers(model);
  test_pieces(model);
  test_embeddings_and_sessions(model);
  quern_model_free(model);
  test_answers_beyond_their_model();
  test_pieces_beyond_their_stream();
  puts("all of the C ABI's tests passed");
  return 0;
}
