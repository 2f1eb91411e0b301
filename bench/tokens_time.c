/*
 * Tokenizers: the library's side of tokenizers_beside.py.
 *
 *     tokens_time MODEL texts < TEXTS    for records (u32 size, u32 flags, bytes): u32 count, ids, u32 size, bytes given back
 *     tokens_time MODEL time FILE [N]    one line of JSON: seconds to load (the least of 5) and MB/s of tokenizing the file (the best of N)
 *     tokens_time MODEL names            for each token: u32 flags (1 control or unused, 2 ends an answer), u32 size, its bytes
 *
 * MODEL is a GGUF file, tokenizer.json, or the word bytes.
 */
#include "nigh/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nigh_status load(nigh_context *ctx, const char *path, nigh_tokenizer **t)
{
    size_t n = strlen(path);
    if (!strcmp(path, "bytes")) return nigh_tokenizer_bytes(ctx, t);
    if (n > 5 && !strcmp(path + n - 5, ".json")) return nigh_tokenizer_load(ctx, path, t);
    nigh_gguf *file = NULL;
    nigh_status status = nigh_gguf_open(ctx, path, &file);
    if (!status) status = nigh_tokenizer_from_gguf(ctx, file, t);
    nigh_gguf_close(file);
    return status;
}

static void put(const void *bytes, uint32_t count, size_t size)
{
    fwrite(&count, 4, 1, stdout);
    if (count) fwrite(bytes, size, count, stdout);
}

static nigh_status run_texts(nigh_context *ctx, const nigh_tokenizer *t)
{
    nigh_token_list list = {.ctx = ctx};
    nigh_buffer back = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    for (uint32_t head[2]; fread(head, 4, 2, stdin) == 2 && !status;) {
        char *text = malloc(head[0] + 1);
        if (!text || fread(text, 1, head[0], stdin) != head[0]) exit(2);
        list.count = 0, back.size = 0;
        status = nigh_tokenize(t, text, head[0], head[1], &list);
        if (!status) status = nigh_detokenize(t, list.id, list.count, true, &back);
        put(list.id, (uint32_t)list.count, 4);
        put(back.data, (uint32_t)back.size, 1);
        free(text);
    }
    nigh_token_list_free(&list);
    nigh_buffer_free(&back);
    return status;
}

static nigh_status run_time(nigh_context *ctx, const nigh_tokenizer *t, const char *model, const char *path, int repeats)
{
    double least = 1e9, fastest = 1e9;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 5 && !status; i++) {
        nigh_tokenizer *again = NULL;
        double start = nigh_clock();
        status = load(ctx, model, &again);
        double seconds = nigh_clock() - start;
        if (seconds < least) least = seconds;
        nigh_tokenizer_free(again);
    }
    FILE *file = fopen(path, "rb");
    if (!file || status) return status ? status : nigh_fail(ctx, NIGH_IO, "cannot open '%s'", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(size + 1);
    if (!text || fread(text, 1, size, file) != size) exit(2);
    fclose(file);
    nigh_token_list list = {.ctx = ctx};
    for (int i = 0; i < repeats && !status; i++) {
        list.count = 0;
        double start = nigh_clock();
        status = nigh_tokenize(t, text, size, 0, &list);
        double seconds = nigh_clock() - start;
        if (seconds < fastest) fastest = seconds;
    }
    printf("{\"load\": %.6f, \"megabytes\": %.3f, \"tokens\": %lld, \"rate\": %.2f}\n", least, (double)size / 1e6, (long long)list.count, (double)size / 1e6 / fastest);
    nigh_token_list_free(&list);
    free(text);
    return status;
}

static nigh_status run_names(const nigh_tokenizer *t)
{
    for (int32_t i = 0; i < nigh_tokenizer_vocabulary(t); i++) {
        uint32_t flags = (nigh_token_kind_of(t, i) != NIGH_TOKEN_TEXT) | (nigh_token_ends(t, i) ? 2u : 0u);
        size_t size;
        const char *bytes = nigh_token_bytes(t, i, &size);
        fwrite(&flags, 4, 1, stdout);
        put(bytes, (uint32_t)size, 1);
    }
    return NIGH_OK;
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    nigh_tokenizer *t = NULL;
    if (argc < 3 || nigh_context_new(&ctx)) return 2;
    nigh_status status = load(ctx, argv[1], &t);
    if (!status && !strcmp(argv[2], "texts")) status = run_texts(ctx, t);
    if (!status && !strcmp(argv[2], "names")) status = run_names(t);
    if (!status && !strcmp(argv[2], "time") && argc > 3) status = run_time(ctx, t, argv[1], argv[3], argc > 4 ? atoi(argv[4]) : 5);
    if (status) fprintf(stderr, "tokens_time: %s\n", nigh_message(ctx));
    nigh_tokenizer_free(t);
    nigh_context_free(ctx);
    return status ? 1 : 0;
}
