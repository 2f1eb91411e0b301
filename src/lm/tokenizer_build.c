/* Parts that tokenizers are put together from, whatever file they come from. */
#include "lm/tokenizer.h"

#include <stdio.h>

nigh_status tokenizer_symbol(nigh_tokenizer *t, const char *text, size_t size, int32_t *symbol)
{
    *symbol = words_find(&t->find, &t->names, text, size);
    if (*symbol >= 0) return NIGH_OK;
    nigh_status status = texts_add(t->ctx, &t->names, text, size);
    if (status) return status;
    if ((uint64_t)t->names.count * 2 > t->find.mask + 1) {
        nigh_free(t->ctx, t->find.slot);
        t->find.slot = NULL;
        status = words_new(t->ctx, 2 * t->names.count, &t->find);
        for (int32_t i = 0; i < t->names.count && !status; i++) words_add(&t->find, &t->names, i);
    } else {
        words_add(&t->find, &t->names, (int32_t)t->names.count - 1);
    }
    *symbol = (int32_t)t->names.count - 1;
    return status;
}

nigh_status tokenizer_add_merge(nigh_tokenizer *t, const char *left, size_t left_size, const char *right, size_t right_size, uint32_t rank)
{
    char name[256], *whole = name;
    size_t size = left_size + right_size;
    if (size > sizeof name && !(whole = nigh_alloc(t->ctx, size))) return NIGH_MEMORY;
    memcpy(whole, left, left_size);
    memcpy(whole + left_size, right, right_size);
    int32_t a = -1, b = -1, to = -1;
    nigh_status status = tokenizer_symbol(t, left, left_size, &a);
    if (!status) status = tokenizer_symbol(t, right, right_size, &b);
    if (!status) status = tokenizer_symbol(t, whole, size, &to);
    if (!status) merges_add(&t->merge, a, b, rank, to);
    if (whole != name) nigh_free(t->ctx, whole);
    return status;
}

nigh_status tokenizer_add_bytes(nigh_tokenizer *t)
{
    nigh_status status = NIGH_OK;
    for (int b = 0; b < 256 && !status; b++) {
        char name[2];
        size_t size = byte_name((unsigned char)b, name);
        status = tokenizer_symbol(t, name, size, &t->byte_symbol[b]);
    }
    return status;
}

/* Byte fallback: tokens <0x00> to <0xFF>, or the bytes themselves. */
void tokenizer_name_bytes(nigh_tokenizer *t)
{
    for (int b = 0; b < 256; b++) {
        char name[8], byte = (char)b;
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        t->byte_symbol[b] = words_find(&t->find, &t->names, name, 6);
        if (t->byte_symbol[b] < 0) t->byte_symbol[b] = words_find(&t->find, &t->names, &byte, 1);
    }
}

