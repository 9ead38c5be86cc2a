/* Quern's C ABI: load a model, tokenize, generate. Plain C11; for programs that are not C++
 * and for bindings. It is model.h under another face, with JSON where a structure could grow.
 *
 *   quern_model *model = NULL;
 *   quern_error *error = NULL;
 *   char *answer = NULL;
 *   if (quern_model_load("smollm2.gguf", NULL, NULL, NULL, NULL, &model, &error) == QUERN_OK &&
 *       quern_generate(model,
 *                      "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":64}",
 *                      NULL, NULL, &answer, &error) == QUERN_OK)
 *     puts(answer);
 *   else
 *     fprintf(stderr, "%s\n", quern_error_text(error));
 *   quern_string_free(answer);
 *   quern_error_free(error);
 *   quern_model_free(model);
 *
 * COMPATIBILITY. QUERN_ABI_VERSION counts changes that break programs already built. Within one
 * version functions, codes, fields of options and fields of results are added, and nothing is
 * removed or changes its meaning; readers of results ignore fields they do not know. No structure
 * of this header has a layout that a program could know, so none can grow under it. A program
 * checks once: if (quern_abi_version() != QUERN_ABI_VERSION) ...
 *
 * ERRORS. Functions return a quern_code. With any but QUERN_OK they set *error, if `error` is not
 * NULL, to what went wrong, in the caller's hands (quern_error_free), and every other result to
 * NULL or 0; with QUERN_OK, *error to NULL. What *error held before is overwritten, not freed.
 * NULL where something is needed is invalid_argument, never a crash, and so are text that is not
 * UTF-8 or not JSON, fields that are not known or come twice, and values of the wrong type: the
 * error names the field. Where memory is too short even for an error, *error is NULL. No C++
 * exception comes out; a callback must not throw one or jump out.
 *
 * OWNERSHIP. What a function gives is the caller's: strings go back by quern_string_free, ids by
 * quern_ids_free, handles by their own *_free. All of these take NULL and do nothing. What a
 * caller gives is only read during the call, but for `user` of a note (quern_model_load).
 *
 * THREADS. A quern_model may be used by any number of threads at once; what runs together is
 * computed together. A quern_stream is read by one thread at a time, and cancelled by any.
 * Freeing a handle while another thread is inside a call with it is an error of the program.
 *
 * LIMITS. JSON: 16 MiB, 64 levels. Everything else is bounded by the model.
 */
#ifndef QUERN_QUERN_H_
#define QUERN_QUERN_H_

#include <stddef.h>
#include <stdint.h>

#define QUERN_ABI_VERSION 1

/* QUERN_STATIC: for programs that link Quern's archives instead of the shared library. Defined for
 * them by CMake's quern_c. QUERN_BUILDING is Quern's own. Both matter on Windows alone. */
#if defined(_WIN32) && defined(QUERN_BUILDING)
#define QUERN_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(QUERN_STATIC)
#define QUERN_API __declspec(dllimport)
#elif defined(__GNUC__)
#define QUERN_API __attribute__((visibility("default")))
#else
#define QUERN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t quern_code;

enum {
  QUERN_OK = 0,
  QUERN_INVALID_ARGUMENT = 1, /* the caller asked for something that cannot be */
  QUERN_CORRUPT = 2,          /* a file contradicts itself or its format */
  QUERN_NOT_FOUND = 3,        /* a file, or a part of a model, that is not there */
  QUERN_UNSUPPORTED = 4,      /* well-formed, but not something this build can do */
  QUERN_OUT_OF_MEMORY = 5,    /* memory ran out, or a limit on what a request may cost */
  QUERN_CANCELLED = 6,        /* stopped by a callback */
  QUERN_UNAVAILABLE = 7,      /* a disk, file, thread or device cannot be used now */
  QUERN_CONTEXT_TOO_LONG = 8, /* more tokens than the context holds */
  QUERN_QUEUE_FULL = 9        /* so many answers wait already: try again */
};

typedef struct quern_error quern_error;
typedef struct quern_model quern_model;
typedef struct quern_stream quern_stream;
typedef struct quern_piece quern_piece;

/* ---- the library ---- */

/* QUERN_ABI_VERSION of the library that is loaded. */
QUERN_API int32_t quern_abi_version(void);

/* "0.1.0"; never freed. */
QUERN_API const char* quern_version(void);

/* Every option with its default, as {"load": {...}, "request": {...}}, for bindings and forms. */
QUERN_API quern_code quern_default_options_json(char** json, quern_error** error);

QUERN_API void quern_string_free(char* string);
QUERN_API void quern_ids_free(int32_t* ids);
QUERN_API void quern_floats_free(float* floats);

/* ---- errors ----
 * All take NULL, which reads as QUERN_OK and empty text. Texts live as long as the error. */

QUERN_API quern_code quern_error_code(const quern_error* error);
QUERN_API const char* quern_error_message(const quern_error* error); /* what is wrong */
QUERN_API const char* quern_error_where(const quern_error* error);   /* file, field; or empty */
QUERN_API const char* quern_error_fix(const quern_error* error);     /* what to do; or empty */
QUERN_API const char* quern_error_text(const quern_error* error);    /* all of it on one line */
QUERN_API void quern_error_free(quern_error* error);

/* The code's name: "ok", "invalid argument", ...; "unknown" for other numbers. Never freed. */
QUERN_API const char* quern_code_name(quern_code code);

/* ---- models ---- */

/* done: 0 to 1. `what` is valid during the call. From the loading thread. */
typedef void (*quern_progress_fn)(void* user, double done, const char* what);

/* What is worth knowing but stops nothing; `text` is valid during the call. Perhaps from a thread
 * of the library, at any time until the model and all its streams are freed. */
typedef void (*quern_note_fn)(void* user, const char* text);

/* path: a GGUF file, the first of its shards, or a folder with one. options: a JSON object, or NULL
 * for the defaults:
 *   "threads"       0: one per core this process may use
 *   "numerics"      "auto", "exact", "fine" or "fast"
 *   "kv"            what keys and values are kept in: "auto", "bf16", "f16", "int8" or "int4"
 *   "context"       tokens the cache holds, all answers together; 0: the model's own, at most 8192
 *   "max_batch"     tokens of one forward pass
 *   "isa"           instruction set; "": the best one here
 *   "pin"           "none", "cores" or CPUs by number, "0-3,8"
 *   "deterministic" true: the same bits whatever was reused of earlier requests
 *   "prefix_folder" where cached prompts are kept for later runs; "": in memory only
 *   "prefix_bytes"  of that folder at most
 *   "draft_model"   path of a draft model: a small one with the same vocabulary; "": none
 *   "most_drafts"   draft tokens verified at a time for one answer, 0 to 16
 *   "max_waiting"   answers that wait for their turn; more are refused
 *   "tuning"        with what `quern tune` found for this machine
 *   "packed_cache"  "auto", "on" or "off"
 * docs/options.md has their ranges and defaults, model.h says more of each. on_progress and on_note
 * may be NULL.
 * Errors: not_found, corrupt, unsupported, out_of_memory, invalid_argument. */
QUERN_API quern_code quern_model_load(const char* path, const char* options,
                                      quern_progress_fn on_progress, quern_note_fn on_note,
                                      void* user, quern_model** model, quern_error** error);

/* Lets the handle go. The model itself stays until its last stream is freed. */
QUERN_API void quern_model_free(quern_model* model);

/* {"path", "format", "architecture", "name", "n_vocab", "n_layers", "width", "context",
 *  "file_bytes", "n_parameters", "has_chat_template"} */
QUERN_API quern_code quern_model_info(const quern_model* model, char** json, quern_error** error);

/* What the model has done and is doing, {"n_steps", "n_rows", "n_running", "n_waiting", ...}:
 * counts.h has the fields. Never waits for a forward pass. */
QUERN_API quern_code quern_model_counts(const quern_model* model, char** json, quern_error** error);

/* ---- tokens ---- */

/* text: n_bytes bytes, taken as they are (zero bytes too); may be NULL if there are none. special:
 * not 0: control tokens typed in the text count as such. *ids is never NULL on success.
 * Errors: not_found, unsupported (the file has no usable tokenizer). */
QUERN_API quern_code quern_tokenize(const quern_model* model, const char* text, size_t n_bytes,
                                    int32_t special, int32_t** ids, size_t* n_ids,
                                    quern_error** error);

/* *text ends with a zero byte that *n_bytes (may be NULL) does not count; it may hold others.
 * Errors: invalid_argument (an id out of range), and as quern_tokenize. */
QUERN_API quern_code quern_detokenize(const quern_model* model, const int32_t* ids, size_t n_ids,
                                      char** text, size_t* n_bytes, quern_error** error);

/* The tokens of a conversation by the model's own template, ready for its answer. messages:
 * [{"role": "user", "content": "..."}, ...], as OpenAI's API has them. "content" is text, or a list
 * of {"type": "text", "text"}; beside it there may be "name", "reasoning_content", "tool_call_id"
 * and "tool_calls": [{"id", "type": "function", "function": {"name", "arguments": JSON as text or
 * an object}}], with which "content" may be null; and null under any other name. special: not 0:
 * control tokens typed inside messages count as such. Errors: unsupported (no template),
 * invalid_argument (also: the template refused). */
QUERN_API quern_code quern_chat_prompt(const quern_model* model, const char* messages,
                                       int32_t special, int32_t** ids, size_t* n_ids,
                                       quern_error** error);

/* As quern_chat_prompt, with all that a template may be given: {"messages", "special": true,
 * "tools": [{"type": "function", "function": {"name", "description", "parameters"}}, ...],
 * "chat_template_kwargs": {"enable_thinking": false, ...}}, of which "messages" alone is needed. */
QUERN_API quern_code quern_chat_prompt_json(const quern_model* model, const char* request,
                                            int32_t** ids, size_t* n_ids, quern_error** error);

/* ---- answers ----
 * A request is a JSON object with one of
 *   "prompt"     text, or an array of token ids
 *   "messages"   a conversation, as for quern_chat_prompt
 * and any of
 *   "tools"           with "messages": for the template, as quern_chat_prompt_json has them. A call
 *                     that the model answers with is "text", in the model's own notation
 *   "chat_template_kwargs"  with "messages": further variables of the template
 *   "special"         true: control tokens typed in the prompt or its messages count as such
 *   "max_tokens"      -1: until the model stops or the context is full
 *   "stop"            texts, none empty; the answer ends before the first of them, or at the
 *                     control token it names
 *   "stop_ids"        end tokens beside the model's own
 *   "grammar"         what the answer must follow: {"kind", "text", "compact"}; "kind" is "none",
 *                     "json_object", "json_schema", "regex", "lark", "choice" or "tools"
 *                     (grammar.h)
 *   "reasoning"       how long it may reason: {"budget", "start", "end", "message"} (generation.h)
 *   "ignore_eos"      true: end tokens do not end it
 *   "n"               answers, 1 to 128 (quern_submit)
 *   "speculate"       true: draft tokens are verified where that is faster; no answer changes
 *   "priority"        larger first
 *   "client"          clients of equal priority share capacity equally
 *   "deadline_ms"     from submission: what is there then is the answer; 0: none
 *   "cache_salt"      requests share cached prompts only with those of the same salt
 * and any of quern/sampling.h by the names there: "temperature", "top_k", "top_p", "min_p", "seed",
 * "logit_bias": [{"id": 7, "bias": -2.5}], "banned": [7], "n_probs", ...
 * docs/options.md lists all of them with their ranges, quern_default_options_json with their
 * defaults. A field that is null is as one that is not there.
 *
 * A piece of an answer is {"text", "ids"}, and with "n_probs" of 0 or more "logprobs": an array of
 * {"id", "logprob", "top": [{"id", "logprob"}, ...]}, one for each id. "text" is whole UTF-8
 * characters; tokens whose text is held back (half a character, the beginning of a stop text) come
 * first, their text later. A "logprob" of null is minus infinity.
 *
 * A result is {"text", "ids", "finish", "timings"}, and "logprobs" as above. "finish" is "stop",
 * "length", "cancelled" or "deadline"; "timings" {"prompt_n", "cached_n", "predicted_n", "draft_n",
 * "draft_true_n", "prompt_ms", "predicted_ms", "queue_ms", "first_token_ms", "per_token_ms"}
 * (generation.h). "notes" is there where the request has something
 * that no answer is held to, as an unknown format of a JSON schema: a text each. */

/* A piece that came, valid during the call. 0 ends the answer ("finish": "cancelled"), any other
 * value goes on. From the calling thread, without a lock: it may use the model. */
typedef int32_t (*quern_piece_fn)(void* user, const char* piece);

/* One answer, waited for. on_piece may be NULL.
 * Errors: invalid_argument (also: "n" is not 1), context_too_long (the prompt is), unsupported (no
 * template), queue_full (too many wait), corrupt (the model's numbers are none). */
QUERN_API quern_code quern_generate(const quern_model* model, const char* request,
                                    quern_piece_fn on_piece, void* user, char** result,
                                    quern_error** error);

/* Begins the "n" answers of a request and returns at once, whatever the model is computing.
 * streams: n_streams places, as many as "n" (1 where the request does not say). Errors: as
 * quern_generate. */
QUERN_API quern_code quern_submit(const quern_model* model, const char* request,
                                  quern_stream** streams, size_t n_streams, quern_error** error);

/* Waits for the next piece, at most timeout_ms (negative: without end; 0: not at all). *piece is
 * NULL when the answer is over, or when time is up: quern_stream_over tells which. An error that
 * ends the answer comes from quern_stream_result.
 * An answer runs ahead of its reader by some hundred tokens, then it waits. */
QUERN_API quern_code quern_stream_next(quern_stream* stream, int64_t timeout_ms, char** piece,
                                       quern_error** error);

/* Something can be read: a piece, or the end. It only wakes somebody (writes to an eventfd or a
 * pipe, posts to a queue) and calls nothing of the stream: the model's next step waits until it
 * returns. */
typedef void (*quern_ready_fn)(void* user);

/* For event loops, in place of a thread that waits. on_ready is called once for all that is unread,
 * and again when something comes after a read: by a thread of the library, or, where something is
 * there already, by this call. Read with a timeout of 0 until there is no piece. It replaces the
 * one set before; NULL: none. Once this call, or quern_stream_free, returns, the old one is not
 * called. For the reading thread. */
QUERN_API quern_code quern_stream_on_ready(quern_stream* stream, quern_ready_fn on_ready,
                                           void* user, quern_error** error);

/* 1: the answer is over and read to its end; 0: it is not. NULL is over. For the reading thread. */
QUERN_API int32_t quern_stream_over(const quern_stream* stream);

/* Reads to the end and gives the whole answer; again and again if asked. Errors: those of the
 * model or the machine that ended the answer. */
QUERN_API quern_code quern_stream_result(quern_stream* stream, char** result, quern_error** error);

/* Ends the answer soon; what was computed before may still come. From any thread. */
QUERN_API quern_code quern_stream_cancel(quern_stream* stream, quern_error** error);

/* An answer that still runs is cancelled. A stream may outlive the handle of its model. */
QUERN_API void quern_stream_free(quern_stream* stream);

/* ---- pieces without JSON ----
 * A piece as memory that is read in place, for programs that would parse the JSON of every token
 * only to take it apart: servers, bindings. It says what the JSON says, by the same rules. */

/* As quern_stream_next. *piece is the caller's (quern_piece_free); it outlives the stream and the
 * model, and any number of threads may read it. Both kinds of call may read one stream in turn. */
QUERN_API quern_code quern_stream_next_piece(quern_stream* stream, int64_t timeout_ms,
                                             quern_piece** piece, quern_error** error);

/* As quern_piece_fn. The piece is valid during the call and is not to be freed. */
typedef int32_t (*quern_piece_data_fn)(void* user, const quern_piece* piece);

/* As quern_generate, with the other kind of pieces. */
QUERN_API quern_code quern_generate_pieces(const quern_model* model, const char* request,
                                           quern_piece_data_fn on_piece, void* user, char** result,
                                           quern_error** error);

/* What these give is part of the piece: nothing is copied, nothing to be freed, and valid until the
 * piece is freed. Never NULL, though of no elements nothing may be read. Where a count goes may be
 * NULL. A piece of NULL reads as an empty one. */

/* Ends with a zero byte that *n_bytes does not count; it may hold others. */
QUERN_API const char* quern_piece_text(const quern_piece* piece, size_t* n_bytes);
QUERN_API const int32_t* quern_piece_ids(const quern_piece* piece, size_t* n_ids);

/* One for each id where the request has "n_probs" of 0 or more, else none. May be -INFINITY. */
QUERN_API const float* quern_piece_logprobs(const quern_piece* piece, size_t* n_logprobs);

/* The likeliest tokens in the place of the id of this index, best first, and their
 * log-probabilities: at most "n_probs"; none where the index is out of range. */
QUERN_API const int32_t* quern_piece_top_ids(const quern_piece* piece, size_t index, size_t* n_top);
QUERN_API const float* quern_piece_top_logprobs(const quern_piece* piece, size_t index,
                                                size_t* n_top);

QUERN_API void quern_piece_free(quern_piece* piece);

/* ---- vectors that stand for texts ---- */

/* request: a JSON object with
 *   "texts"       an array of texts, or of arrays of token ids
 * and any of
 *   "pooling"     how a text's tokens become one vector: "auto", "mean", "last" or "cls"
 *   "normalize"   true: to length 1
 *   "dimensions"  only the first so many numbers of each; 0: all
 * embeddings.h says more. *values: the vectors one after the other, by quern_floats_free; of no
 * texts none, but never NULL. *result: {"pooling", "dimensions", "n_tokens": [of each text]}.
 * Errors: invalid_argument (an empty text, an id out of range, dimensions), context_too_long (a
 * text is), unsupported, corrupt. */
QUERN_API quern_code quern_embed(const quern_model* model, const char* request, float** values,
                                 char** result, quern_error** error);

/* ---- sessions: what is cached of a conversation, in a file ---- */

/* Writes what is cached of these tokens; *n_saved (may be NULL): how many of them that are.
 * cache_salt: that of the requests which left them there; NULL: none. Errors: invalid_argument,
 * unavailable (the disk is full, there is no such folder). */
QUERN_API quern_code quern_session_save(const quern_model* model, const char* path,
                                        const int32_t* ids, size_t n_ids, const char* cache_salt,
                                        size_t* n_saved, quern_error** error);

/* Reads such a file into the cache: a prompt that begins with these tokens need not compute them.
 * Errors: not_found, corrupt, unsupported (of another model, numerics or kind of cache),
 * out_of_memory; the model goes on unchanged. */
QUERN_API quern_code quern_session_load(const quern_model* model, const char* path, int32_t** ids,
                                        size_t* n_ids, quern_error** error);

#ifdef __cplusplus
}
#endif

#endif /* QUERN_QUERN_H_ */
