/* The text of an answer on its way out: stop texts, whole characters. Declared in generate/generator.h. */
#include "generate/generator.h"

#include <string.h>

/* Bytes at the end that begin a UTF-8 character and do not end it. */
static size_t unfinished(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char c = (unsigned char)text[size - back];
        if (c < 0x80) return 0;
        if (c >= 0xc0) return back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) && c < 0xf8 ? back : 0;
    }
    return 0;
}

/* The first byte of the first stop text that ends in text[from ..]; SIZE_MAX: none. Among those that begin at one place any will do. */
static size_t find_stop(const turn *t, size_t from)
{
    const char *text = t->answer.text.data;
    size_t size = t->answer.text.size, first = SIZE_MAX;
    for (int i = 0; i < t->request.stops; i++) {
        size_t length = strlen(t->stop[i]), at = from > length - 1 ? from - (length - 1) : 0;
        for (; at + length <= size && at < first; at++)
            if (memcmp(text + at, t->stop[i], length) == 0) first = at;
    }
    return first;
}

/* Bytes at the end with which a stop text begins. */
static size_t held_back(const turn *t)
{
    const char *text = t->answer.text.data;
    size_t size = t->answer.text.size, most = 0;
    for (int i = 0; i < t->request.stops; i++) {
        size_t length = strlen(t->stop[i]);
        for (size_t k = length - 1 < size ? length - 1 : size; k > most; k--)
            if (memcmp(text + size - k, t->stop[i], k) == 0) most = k;
    }
    return most;
}

/* False: the caller wants no more. */
static bool show(turn *t, size_t until)
{
    size_t from = t->text.shown;
    if (until <= from) return true;
    t->text.shown = until;
    return !t->request.piece || t->request.piece(t->request.user, t->answer.text.data + from, until - from);
}

/* The text ends at `size`; tokens that begin behind it are no part of the answer. */
static void cut(turn *t, size_t size)
{
    nigh_answer *a = &t->answer;
    a->text.size = size;
    a->text.data[size] = 0;
    while (a->tokens.count > 0 && (a->tokens.count > 1 ? (size_t)t->text.ends.id[a->tokens.count - 2] : 0) >= size) a->tokens.count--;
    t->text.ends.count = a->tokens.count;
}

nigh_status turn_text_add(nigh_generator *g, turn *t, int32_t token, nigh_finish *finish)
{
    size_t size, before = t->answer.text.size;
    const char *bytes = nigh_token_bytes(g->engine.tokenizer, token, &size);
    nigh_status status = before + size > INT32_MAX ? nigh_fail(g->ctx, NIGH_RESOURCE, "an answer of more than 2 GiB") : NIGH_OK;
    if (!status) status = nigh_buffer_add(&t->answer.text, bytes, size);
    int32_t end = (int32_t)(before + size);
    if (!status) status = nigh_token_list_add(&t->text.ends, &end, 1);
    if (status) {
        t->answer.text.size = before;
        return status;
    }
    size_t stop = size ? find_stop(t, before) : SIZE_MAX;
    if (stop != SIZE_MAX) {
        cut(t, stop);
        *finish = NIGH_FINISH_STOP;
        show(t, stop);
        return NIGH_OK;
    }
    size_t all = t->answer.text.size, back = held_back(t);
    *finish = show(t, all - back - unfinished(t->answer.text.data ? t->answer.text.data : "", all - back)) ? NIGH_FINISH_NOT : NIGH_FINISH_CALLER;
    return NIGH_OK;
}

void turn_text_end(turn *t) { show(t, t->answer.text.size); }
