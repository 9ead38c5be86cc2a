/* Tokenizers, chat templates and grammars from Rust (the crates tokenizers and llguidance, and a
 * Jinja engine), as a small C ABI. Used by src/text only. Texts are bytes with a length; nothing is
 * NUL-terminated. A call that can fail returns a quern_text_code and, when that is not
 * QUERN_TEXT_OK, a message in *error that the caller frees with quern_text_free_bytes. Handles are
 * immutable after construction and may be used by any number of threads. No panic crosses this
 * line: it comes back as QUERN_TEXT_INTERNAL. */
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

/* Where memory runs out in a call of this library, `end` is called with the bytes that were
 * refused. It must allocate nothing and not return: the call cannot go on. Without one (NULL) the
 * process aborts. For all of the process. */
void quern_text_on_out_of_memory(void (*end)(size_t bytes));

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
  int8_t lowercase, strip_accents, clean_text, handle_chinese_chars; /* of kind "bert" */
  const uint8_t* charsmap;
  size_t charsmap_size;
} quern_text_vocabulary;

quern_text_code quern_text_tokenizer_from_json(quern_text_view json, quern_text_tokenizer** out,
                                               quern_text_bytes* error);
quern_text_code quern_text_tokenizer_from_vocabulary(const quern_text_vocabulary* vocabulary,
                                                     quern_text_tokenizer** out,
                                                     quern_text_bytes* error);
/* Of the tables of an earlier tokenizer. They are read where they lie: `release` is called with
 * `owner`, on any thread, when nobody reads them any more, after an error too. */
quern_text_code quern_text_tokenizer_from_tables(quern_text_view tables, void* owner,
                                                 void (*release)(void* owner),
                                                 quern_text_tokenizer** out,
                                                 quern_text_bytes* error);
/* What the above makes the same tokenizer of; empty where there is no such form. A view into the
 * tokenizer. */
quern_text_view quern_text_tokenizer_tables(const quern_text_tokenizer* tokenizer);
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
/* Merges of the vocabulary that were left out, as a part or the result is no token. */
size_t quern_text_skipped_merges(const quern_text_tokenizer* tokenizer);

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

/* --- grammars --- */

/* For one vocabulary; any number of threads. It holds what it needs of the tokenizer. */
typedef struct quern_text_grammar_engine quern_text_grammar_engine;
/* Compiled; any number of threads. */
typedef struct quern_text_grammar quern_text_grammar;
/* The state of one sequence; one thread at a time. */
typedef struct quern_text_matcher quern_text_matcher;

/* Values of quern::GrammarKind (include/quern/grammar.h) less one. */
typedef enum {
  QUERN_TEXT_JSON_OBJECT = 0,
  QUERN_TEXT_JSON_SCHEMA = 1,
  QUERN_TEXT_REGEX = 2,
  QUERN_TEXT_LARK = 3,
  QUERN_TEXT_CHOICE = 4,
  QUERN_TEXT_TOOLS = 5
} quern_text_grammar_kind;

/* ends: tokens that end an answer; they are allowed exactly where a grammar may end. */
quern_text_code quern_text_grammar_engine_new(const quern_text_tokenizer* tokenizer,
                                              const int32_t* ends, size_t n_ends,
                                              quern_text_grammar_engine** out,
                                              quern_text_bytes* error);
void quern_text_grammar_engine_free(quern_text_grammar_engine* engine);

/* Runs on a thread of its own with a stack of its own, under limits on text, nesting and work. */
quern_text_code quern_text_grammar_compile(const quern_text_grammar_engine* engine, int kind,
                                           quern_text_view text, int compact,
                                           quern_text_grammar** out, quern_text_bytes* error);
void quern_text_grammar_free(quern_text_grammar* grammar);
/* What of the text no answer is held to, a sentence each; views into the grammar. */
size_t quern_text_grammar_n_notes(const quern_text_grammar* grammar);
quern_text_view quern_text_grammar_note(const quern_text_grammar* grammar, size_t i);

quern_text_code quern_text_matcher_new(const quern_text_grammar* grammar, quern_text_matcher** out,
                                       quern_text_bytes* error);
quern_text_code quern_text_matcher_copy(const quern_text_matcher* matcher, quern_text_matcher** out,
                                        quern_text_bytes* error);
void quern_text_matcher_free(quern_text_matcher* matcher);

/* Bit i of word i / 32: token i is allowed. Words beyond the vocabulary become zero. */
quern_text_code quern_text_matcher_mask(quern_text_matcher* matcher, uint32_t* bits, size_t n_words,
                                        quern_text_bytes* error);
/* QUERN_TEXT_INVALID where the token is not allowed; the matcher is then as before. */
quern_text_code quern_text_matcher_consume(quern_text_matcher* matcher, int32_t token,
                                           quern_text_bytes* error);
/* Tokens that must follow; not consumed. */
quern_text_code quern_text_matcher_forced(quern_text_matcher* matcher, quern_text_ids* out,
                                          quern_text_bytes* error);
quern_text_code quern_text_matcher_rollback(quern_text_matcher* matcher, size_t n,
                                            quern_text_bytes* error);
int quern_text_matcher_may_end(quern_text_matcher* matcher);
int quern_text_matcher_stopped(const quern_text_matcher* matcher);

#ifdef __cplusplus
}
#endif
#endif
