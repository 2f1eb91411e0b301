/* nigh tokenize: texts to tokens and back. */
#include "cli/cli.h"
#include "core/file.h"
#include "core/json.h"
#include "lm/source.h"
#include "nigh/tokens.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 4096, MOST_TEXT = 1 << 28 };

typedef struct arguments {
    const char *words[MOST_WORDS];
    int count;
    bool begin, special, decode, chat, answer;
} arguments;

static nigh_status load(nigh_context *ctx, const char *path, nigh_tokenizer **t)
{
    nigh_gguf *file = NULL;
    char *json = NULL;
    size_t size = strlen(path);
    if (!strcmp(path, "bytes")) return nigh_tokenizer_bytes(ctx, t);
    if (size > 5 && !strcmp(path + size - 5, ".json")) return nigh_tokenizer_load(ctx, path, t);
    nigh_status status = model_source_tokenizer(ctx, path, &json);
    if (!status && json) status = nigh_tokenizer_load(ctx, json, t);
    if (!status && !json) status = nigh_gguf_open(ctx, path, &file);
    if (!status && !json) status = nigh_tokenizer_from_gguf(ctx, file, t);
    nigh_gguf_close(file);
    nigh_free(ctx, json);
    return status;
}

/* Bytes as text of JSON: what is no UTF-8 becomes U+FFFD there. */
static nigh_status print_piece(const char *bytes, size_t size, nigh_buffer *out)
{
    json_t *text = json_stringn(bytes, size);
    nigh_status status = NIGH_OK;
    if (!text) {
        nigh_buffer mended = {.ctx = out->ctx};
        for (size_t i = 0; i < size && !status; i++) status = nigh_buffer_add(&mended, bytes[i] & 0x80 ? "\uFFFD" : bytes + i, bytes[i] & 0x80 ? 3 : 1);
        text = status ? NULL : json_stringn(mended.data, mended.size);
        nigh_buffer_free(&mended);
    }
    if (!status) status = text ? nj_dump(out->ctx, text, 0, out) : NIGH_MEMORY;
    json_decref(text);
    return status;
}

static nigh_status print_ids(const nigh_tokenizer *t, const nigh_token_list *list, nigh_buffer *out)
{
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < list->count && !status; i++) status = nigh_buffer_print(out, i ? " %d" : "%d", list->id[i]);
    if (!cli_json) return status ? status : nigh_buffer_print(out, "\n");
    out->size = 0;
    if (!status) status = nigh_buffer_print(out, "[");
    for (int64_t i = 0; i < list->count && !status; i++) {
        size_t size;
        const char *bytes = nigh_token_bytes(t, list->id[i], &size), *name = nigh_token_name(t, list->id[i]);
        bool control = nigh_token_kind_of(t, list->id[i]) != NIGH_TOKEN_TEXT;
        status = nigh_buffer_print(out, "%s{\"id\": %d, \"%s\": ", i ? ", " : "", list->id[i], control ? "control" : "text");
        if (!status) status = control ? print_piece(name, strlen(name), out) : print_piece(bytes, size, out);
        if (!status) status = nigh_buffer_print(out, "}");
    }
    return status ? status : nigh_buffer_print(out, "]\n");
}

/* Numbers between blanks or commas, as `nigh tokenize` prints them. */
static nigh_status read_ids(nigh_context *ctx, const char *text, nigh_token_list *list)
{
    nigh_status status = NIGH_OK;
    for (const char *p = text; !status;) {
        p += strspn(p, " \t\r\n,[]");
        if (!*p) break;
        char *end;
        long id = strtol(p, &end, 10);
        if (end == p || id < 0 || id > INT32_MAX) return nigh_fail(ctx, NIGH_INVALID, "'%.20s' is no token; numbers from 0 on are allowed", p);
        int32_t kept = (int32_t)id;
        status = nigh_token_list_add(list, &kept, 1);
        p = end;
    }
    return status;
}

static nigh_status one(nigh_context *ctx, const nigh_tokenizer *t, const arguments *a, const char *text, size_t size, nigh_buffer *out)
{
    nigh_token_list list = {.ctx = ctx};
    unsigned flags = (a->begin ? NIGH_TOKENS_BEGIN : 0u) | (a->special ? NIGH_TOKENS_SPECIAL : 0u);
    nigh_status status = a->decode ? read_ids(ctx, text, &list) : nigh_tokenize(t, text, size, flags, &list);
    if (!status) status = a->decode ? nigh_detokenize(t, list.id, list.count, true, out) : print_ids(t, &list, out);
    nigh_token_list_free(&list);
    return status;
}

/* Words "user:Hello" as messages. */
static nigh_status chat(nigh_context *ctx, const nigh_tokenizer *t, const arguments *a, nigh_buffer *out)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    nigh_chat_message *messages = nigh_alloc(ctx, (size_t)(a->count + 1) * sizeof *messages);
    nigh_status status = messages ? NIGH_OK : NIGH_MEMORY;
    for (int i = 1; i < a->count && !status; i++) {
        const char *colon = strchr(a->words[i], ':');
        int r = 0;
        while (r < 3 && colon && (strncmp(a->words[i], roles[r], (size_t)(colon - a->words[i])) || roles[r][colon - a->words[i]])) r++;
        if (!colon || r == 3)
            status = nigh_fail(ctx, NIGH_INVALID, "message '%.40s' begins with none of system:, user: and assistant:", a->words[i]);
        else
            messages[i - 1] = (nigh_chat_message){roles[r], colon + 1};
    }
    if (!status) status = nigh_chat_render(ctx, t, NULL, messages, a->count - 1, a->answer, out);
    nigh_free(ctx, messages);
    return status;
}

static nigh_status all(nigh_context *ctx, const nigh_tokenizer *t, const arguments *a, nigh_buffer *out)
{
    if (a->chat) return chat(ctx, t, a, out);
    nigh_status status = NIGH_OK;
    for (int i = 1; i < (a->count > 1 ? a->count : 2) && !status; i++) {
        const char *word = a->count > 1 ? a->words[i] : "-";
        char *data = NULL;
        size_t size = strlen(word);
        nigh_buffer line = {.ctx = ctx};
        if (!strcmp(word, "-")) status = nigh_file_read(ctx, "-", MOST_TEXT, &data, &size);
        if (!status) status = one(ctx, t, a, data ? data : word, size, &line);
        if (!status) status = nigh_buffer_add(out, line.data, line.size);
        if (!status && a->decode && a->count > 2) status = nigh_buffer_add(out, "\n", 1);
        nigh_buffer_free(&line);
        nigh_free(ctx, data);
    }
    return status;
}

int cli_tokenize(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {0};
    const cli_flag flags[] = {
        {"begin", 0, CLI_SWITCH, &a.begin, NULL, "with the first token that the model wants", 0, 0},
        {"special", 0, CLI_SWITCH, &a.special, NULL, "names of control tokens are these tokens, not plain text", 0, 0},
        {"decode", 'd', CLI_SWITCH, &a.decode, NULL, "the other way round: numbers to text", 0, 0},
        {"chat", 0, CLI_SWITCH, &a.chat, NULL, "texts are messages, \"user:Hello\"; prints what the model's template makes of them", 0, 0},
        {"answer", 0, CLI_SWITCH, &a.answer, NULL, "with --chat: up to where the answer begins", 0, 0},
        {NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0},
    };
    int code = cli_parse(ctx, "tokenize", argc, argv, flags, a.words, MOST_WORDS, &a.count);
    if (code >= 0) return code;
    if (a.count < 1) return cli_misuse(ctx, "tokenize needs a model: a GGUF file, a tokenizer.json, a directory, or the word bytes");
    nigh_tokenizer *t = NULL;
    nigh_buffer out = {.ctx = ctx};
    nigh_status status = load(ctx, a.words[0], &t);
    if (!status) status = all(ctx, t, &a, &out);
    code = status ? cli_fail(ctx, status) : cli_print(ctx, out.data, out.size);
    nigh_buffer_free(&out);
    nigh_tokenizer_free(t);
    return code;
}
