/* One question, one streamed answer: what include/quern/quern.h shows, as a program.
 *   chat_c MODEL.gguf "What is the capital of France?" */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quern/quern.h"

static int fail(quern_error *error) {
  fprintf(stderr, "%s\n", quern_error_text(error));
  quern_error_free(error);
  return 1;
}

/* The text as a JSON string, for free(); NULL without memory. A real program would ask its JSON
 * library. */
static char *quoted(const char *text) {
  char *out = malloc(6 * strlen(text) + 3), *end = out;
  if (out == NULL) return NULL;
  *end++ = '"';
  for (; *text != '\0'; ++text) {
    const unsigned char c = (unsigned char)*text;
    if (c < 0x20)
      end += sprintf(end, "\\u%04x", c);
    else if (c == '"' || c == '\\')
      end += sprintf(end, "\\%c", c);
    else
      *end++ = *text;
  }
  *end++ = '"';
  *end = '\0';
  return out;
}

/* {"messages": [the question], ...}, for free(). */
static char *request_of(const char *question) {
  static const char format[] =
      "{\"messages\": [{\"role\": \"user\", \"content\": %s}], \"max_tokens\": 256}";
  char *content = quoted(question), *request = NULL;
  if (content == NULL) return NULL;
  request = malloc(sizeof(format) + strlen(content));
  if (request != NULL) sprintf(request, format, content);
  free(content);
  return request;
}

/* Prints each piece as it came: one JSON object a line. */
static int stream(quern_stream *answer) {
  quern_error *error = NULL;
  char *piece = NULL, *result = NULL;
  while (quern_stream_next(answer, -1, &piece, &error) == QUERN_OK && piece != NULL) {
    puts(piece);
    quern_string_free(piece);
  }
  if (error != NULL || quern_stream_result(answer, &result, &error) != QUERN_OK)
    return fail(error);
  puts(result);
  quern_string_free(result);
  return 0;
}

int main(int argc, char **argv) {
  quern_model *model = NULL;
  quern_stream *answer = NULL;
  quern_error *error = NULL;
  char *request = NULL;
  int status = 1;
  if (argc != 3) {
    fprintf(stderr, "usage: chat_c MODEL.gguf QUESTION\n");
    return 2;
  }
  if (quern_abi_version() != QUERN_ABI_VERSION) {
    fprintf(stderr, "built for another libquern\n");
    return 1;
  }
  if (quern_model_load(argv[1], NULL, NULL, NULL, NULL, &model, &error) != QUERN_OK)
    return fail(error);
  if ((request = request_of(argv[2])) == NULL)
    fprintf(stderr, "no memory\n");
  else if (quern_submit(model, request, &answer, 1, &error) != QUERN_OK)
    status = fail(error);
  else
    status = stream(answer);
  free(request);
  quern_stream_free(answer);
  quern_model_free(model);
  return status;
}
