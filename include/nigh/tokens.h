/*
 * nigh/tokens.h: tokenizers of language models, exactly as the reference programs do it, and chat templates.
 *
 * Kinds: byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen; the pre-tokenizer is the one that the GGUF file names, or the pattern of tokenizer.json),
 * SentencePiece (Llama 2, TinyLlama, Mistral: merges by score, byte fallback; Gemma), and plain bytes (own small models). Any bytes may be tokenized, also
 * invalid UTF-8; what the reference programs do with it is done here too. A tokenizer is immutable: any number of threads may use one.
 */
#ifndef NIGH_TOKENS_H
#define NIGH_TOKENS_H
#include "nigh/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_tokenizer nigh_tokenizer;

NIGH_API nigh_status nigh_tokenizer_from_gguf(nigh_context *ctx, nigh_gguf *file, nigh_tokenizer **tokenizer); /* copies; the file may be closed */
/* tokenizer.json of Hugging Face (with tokenizer_config.json beside it, when there, for the special tokens and the chat template). NIGH_UNSUPPORTED names
 * a part that is not known. */
NIGH_API nigh_status nigh_tokenizer_load(nigh_context *ctx, const char *path, nigh_tokenizer **tokenizer);
/* 256 bytes as tokens 0 to 255, then <|begin|> = 256 and <|end|> = 257. */
NIGH_API nigh_status nigh_tokenizer_bytes(nigh_context *ctx, nigh_tokenizer **tokenizer);
NIGH_API void nigh_tokenizer_free(nigh_tokenizer *tokenizer); /* NULL is fine */
/* Writes the keys tokenizer.* of a GGUF file (bytes and BPE). */
NIGH_API nigh_status nigh_tokenizer_put(const nigh_tokenizer *tokenizer, nigh_gguf_writer *writer);

typedef enum nigh_token_flags {
    NIGH_TOKENS_BEGIN = 1,   /* the model's first token in front (and its last behind), where the file says that the model wants it */
    NIGH_TOKENS_SPECIAL = 2, /* names of control tokens ("<|im_start|>") become those tokens; without it they are plain text */
} nigh_token_flags;

typedef struct nigh_token_list {
    nigh_context *ctx;
    int32_t *id;
    int64_t count, room;
} nigh_token_list; /* zero-initialise with ctx set; nigh_token_list_free */
NIGH_API nigh_status nigh_token_list_add(nigh_token_list *list, const int32_t *ids, int64_t count);
NIGH_API void nigh_token_list_free(nigh_token_list *list); /* what it holds; it is empty afterwards */

/* Appends the tokens of a text. Linear in the text up to a log factor, also for hostile ones. */
NIGH_API nigh_status nigh_tokenize(const nigh_tokenizer *t, const char *text, size_t size, unsigned flags, nigh_token_list *out);

/* The bytes that a token stands for (often a part of a character), owned by the tokenizer; control tokens give none. 0 <= id < vocabulary. */
NIGH_API const char *nigh_token_bytes(const nigh_tokenizer *t, int32_t id, size_t *size);
NIGH_API const char *nigh_token_name(const nigh_tokenizer *t, int32_t id); /* as the file spells it: "Ġthe", "<|im_end|>" */
typedef enum nigh_token_kind { NIGH_TOKEN_TEXT, NIGH_TOKEN_CONTROL, NIGH_TOKEN_UNUSED } nigh_token_kind;
NIGH_API nigh_token_kind nigh_token_kind_of(const nigh_tokenizer *t, int32_t id);
/* Appends the text of tokens, as the reference programs give it back (SentencePiece: without the space it puts in front of a text, when first is true). */
NIGH_API nigh_status nigh_detokenize(const nigh_tokenizer *t, const int32_t *ids, int64_t count, bool first, nigh_buffer *out);

NIGH_API int32_t nigh_tokenizer_vocabulary(const nigh_tokenizer *t);
NIGH_API int32_t nigh_tokenizer_begin(const nigh_tokenizer *t);     /* -1: none */
NIGH_API int32_t nigh_tokenizer_end(const nigh_tokenizer *t);       /* end of text; -1: none */
NIGH_API bool nigh_token_ends(const nigh_tokenizer *t, int32_t id); /* ends an answer: end of text, end of turn, ... as the reference program counts them */
NIGH_API int32_t nigh_token_find(const nigh_tokenizer *t, const char *name); /* by name; -1: none */
/* True when text -> tokens -> text gives the same bytes and these tokens give themselves again. */
NIGH_API nigh_status nigh_tokens_round_trip(const nigh_tokenizer *t, const int32_t *ids, int64_t count, bool *same);

/* ---- chat ----------------------------------------------------------------------------------------------------- */

typedef struct nigh_chat_message {
    const char *role, *content; /* "system", "user", "assistant" */
} nigh_chat_message;

/*
 * Renders messages by the model's own template (Jinja as Hugging Face's templates use it: an own interpreter of that subset, without access to anything).
 * `source` NULL: the tokenizer's. answer: the text ends where the assistant begins. NIGH_UNSUPPORTED names the construct; NIGH_INVALID carries the words of
 * the template's raise_exception. Bounded in steps and size.
 */
NIGH_API const char *nigh_tokenizer_chat_template(const nigh_tokenizer *t); /* NULL: the model has none */
NIGH_API nigh_status nigh_chat_render(nigh_context *ctx, const nigh_tokenizer *t, const char *source, const nigh_chat_message *messages, int64_t count, bool answer,
                                      nigh_buffer *out);

#ifdef __cplusplus
}
#endif
#endif
