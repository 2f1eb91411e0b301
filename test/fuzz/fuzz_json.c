/* Any bytes as JSON: parsed or refused, and what is parsed survives a dump to the same value. */
#include "core/json.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void getters(const nj *root)
{
    static const char *const names[] = {"pod-ridge", "auto", NULL};
    double real;
    int64_t whole;
    bool flag;
    const char *text;
    int index;
    size_t count;
    nj child, below;
    nj_get_real(root, "error", -INFINITY, INFINITY, &real);
    nj_get_int(root, "n", 1, 64, &whole);
    nj_get_bool(root, "strict", &flag);
    nj_get_text(root, "name", &text);
    nj_get_choice(root, "method", names, &index);
    nj_only(root, names);
    if (nj_get_object(root, "settings", &child) == NIGH_OK) nj_get_real(&child, "rate", 0, 1, &real);
    if (nj_get_array(root, "shape", &child, &count) == NIGH_OK)
        for (size_t i = 0; i <= count && i < 20; i++) {
            nj_at_int(&child, i, 0, 1 << 20, &whole);
            nj_at_real(&child, i, 0, 1e9, &real);
            nj_at(&child, i, JSON_OBJECT, &below);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx;
    nj root = {0}, again = {0};
    nigh_buffer text = {0};
    if (nigh_context_new(&ctx)) return 0;
    text.ctx = ctx;
    if (nj_parse(ctx, "input", (const char *)data, size, &root) == NIGH_OK) {
        getters(&root);
        if (nj_dump(ctx, root.json, NJ_SORTED | (size & 1 ? NJ_INDENTED : 0), &text)) abort();
        if (nj_parse(ctx, "dump", text.data, text.size, &again)) abort();
        if (!json_equal(root.json, again.json)) abort();
    }
    nigh_buffer_free(&text);
    nj_free(&again);
    nj_free(&root);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
