/* Tokenizers and chat templates from Rust (crates tokenizers and minijinja), as a small C ABI.
 * Used by src/text only. Texts are bytes with a length; nothing is NUL-terminated. A call that can
 * fail returns a quern_text_code and, when that is not QUERN_TEXT_OK, a message in *error that the
 * caller frees with quern_text_free_bytes. Handles are immutable after construction and may be used
 * by any number of threads. No panic crosses this line: it comes back as QUERN_TEXT_INTERNAL. */
#ifndef QUERN_TEXT_H
#define QUERN_TEXT_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  QUERN_TEXT_OK = 0,
  QUERN_TEXT_CORRUPT = 1,     /* the tokenizer or template contradicts itself or its format */
  QUERN_TEXT_UNSUPPORTED = 2, /* well-formed, but not known here */
  QUERN_TEXT_INVALID = 3,     /* what this call was given cannot be */
  QUERN_TEXT_LIMIT = 4,       /* fuel, depth or size ran out */
  QUERN_TEXT_INTERNAL = 5     /* a bug in the library below */
} quern_text_code;

/* Borrowed bytes. data may be NULL where size is 0. */
typedef struct {
  const char* data;
  size_t size;
} quern_text_view;

/* Owned by the caller, who frees them below. */
typedef struct {
  char* data;
  size_t size;
} quern_text_bytes;

typedef struct {
  int32_t* data;
  size_t size;
} quern_text_ids;

typedef struct {
  size_t first, last;
} quern_text_range;

typedef struct {
  quern_text_range* data;
  size_t size;
} quern_text_ranges;

void quern_text_free_bytes(quern_text_bytes bytes);
void quern_text_free_ids(quern_text_ids ids);
void quern_text_free_ranges(quern_text_ranges ranges);

/* --- tokenizers --- */

typedef struct quern_text_tokenizer quern_text_tokenizer;

/* A GGUF vocabulary; the fields are those of quern::Vocabulary (src/text/vocabulary.h). */
typedef struct {
  quern_text_view kind, pre;
  const quern_text_view* tokens;
  size_t n_tokens;
  const float* scores; /* NULL or n_tokens of them */
  const int8_t* types; /* NULL or n_tokens of them */
  const quern_text_view* merges;
  size_t n_merges;
  int32_t bos, eos, unknown, separator, cls;
  int8_t add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;
  const uint8_t* charsmap;
  size_t charsmap_size;
} quern_text_vocabulary;

quern_text_code quern_text_tokenizer_from_json(quern_text_view json, quern_text_tokenizer** out,
                                               quern_text_bytes* error);
quern_text_code quern_text_tokenizer_from_vocabulary(const quern_text_vocabulary* vocabulary,
                                                     quern_text_tokenizer** out,
                                                     quern_text_bytes* error);
void quern_text_tokenizer_free(quern_text_tokenizer* tokenizer);

/* plain: ascending, disjoint byte ranges of text in which special tokens are plain text. */
quern_text_code quern_text_encode(const quern_text_tokenizer* tokenizer, quern_text_view text,
                                  const quern_text_range* plain, size_t n_plain, int add_special,
                                  quern_text_ids* out, quern_text_bytes* error);
quern_text_code quern_text_decode(const quern_text_tokenizer* tokenizer, const int32_t* ids,
                                  size_t n_ids, int special, quern_text_bytes* out,
                                  quern_text_bytes* error);

/* Views into the tokenizer, valid as long as it lives; empty for ids outside the vocabulary. */
quern_text_view quern_text_token_bytes(const quern_text_tokenizer* tokenizer, int32_t id);
quern_text_view quern_text_token_piece(const quern_text_tokenizer* tokenizer, int32_t id);
int quern_text_token_is_special(const quern_text_tokenizer* tokenizer, int32_t id);
/* -1 where there is no such token. */
int32_t quern_text_token_id(const quern_text_tokenizer* tokenizer, quern_text_view piece);
int32_t quern_text_vocabulary_size(const quern_text_tokenizer* tokenizer);

/* --- chat templates --- */

typedef struct quern_text_template quern_text_template;

typedef struct {
  quern_text_view bos, eos, unknown, padding;
} quern_text_special_texts;

typedef struct {
  quern_text_view messages;  /* a JSON array */
  quern_text_view tools;     /* a JSON array, or empty */
  quern_text_view documents; /* a JSON array, or empty */
  quern_text_view kwargs;    /* a JSON object, or empty */
  int64_t now;               /* Unix seconds (UTC) */
  int add_generation_prompt;
} quern_text_render_input;

quern_text_code quern_text_template_parse(quern_text_view source,
                                          const quern_text_special_texts* special,
                                          quern_text_template** out, quern_text_bytes* error);
void quern_text_template_free(quern_text_template* object);
quern_text_code quern_text_template_render(const quern_text_template* object,
                                           const quern_text_render_input* input,
                                           quern_text_bytes* out, quern_text_ranges* typed,
                                           quern_text_bytes* error);

#ifdef __cplusplus
}
#endif
#endif
