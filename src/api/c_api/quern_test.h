/* What the parts of the C ABI's test share. */
#ifndef QUERN_TEST_H
#define QUERN_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quern/quern.h"

#define EXPECT(condition)                                                       \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

/* The call succeeds and leaves no error. */
#define EXPECT_OK(call)                                                             \
  do {                                                                              \
    const quern_code code_ = (call);                                                \
    if (code_ != QUERN_OK)                                                          \
      fprintf(stderr, "%s: %s\n", quern_code_name(code_), quern_error_text(error)); \
    EXPECT(code_ == QUERN_OK && error == NULL);                                     \
  } while (0)

/* The call fails with this code, an error of the same code that has `part` in its text. */
#define EXPECT_ERROR(call, wanted, part)                                        \
  do {                                                                          \
    const quern_code code_ = (call);                                            \
    EXPECT(code_ == (wanted) && quern_error_code(error) == (wanted));           \
    if (strstr(quern_error_text(error), part) == NULL)                          \
      fprintf(stderr, "\"%s\" is not in: %s\n", part, quern_error_text(error)); \
    EXPECT(strstr(quern_error_text(error), part) != NULL);                      \
    quern_error_free(error);                                                    \
    error = NULL;                                                               \
  } while (0)

#define LONG_ANSWER "{\"prompt\": [1, 2, 3], \"ignore_eos\": true, \"temperature\": 0}"
#define TEN_TOKENS "\"ignore_eos\": true, \"temperature\": 0, \"max_tokens\": 10"

/* As main() was given it. */
extern const char* model_path;
quern_model* loaded(void);

/* Each part prints its first failure and ends the program. */
void test_answers(quern_model* model);
void test_answers_beyond_their_model(void);
void test_pieces(quern_model* model);
void test_pieces_beyond_their_stream(void);
void test_embeddings_and_sessions(quern_model* model);

#endif
