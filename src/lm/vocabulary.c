/* The byte trie of a vocabulary, laid out in the order of a walk. Declared in lm/constraint.h. */
#include "lm/constraint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void destroy(vocabulary *v)
{
    void *blocks[] = {v->node, v->below, v->order, v->ends, v->text, v->text_at, v->is_end};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(v->ctx, blocks[i]);
    nigh_free(v->ctx, v);
}

/* ---- sorting ---- */

typedef struct keyed {
    uint64_t head; /* the first eight bytes, first byte highest */
    const char *bytes;
    uint32_t size;
    int32_t id;
} keyed;

static int by_bytes(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    size_t shorter = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->bytes, y->bytes, shorter);
    if (order) return order;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static uint64_t head_of(const char *bytes, size_t size)
{
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++) head = head << 8 | (i < size ? (uint8_t)bytes[i] : 0);
    return head;
}

static uint32_t common(const keyed *a, const keyed *b)
{
    uint32_t n = 0;
    while (n < a->size && n < b->size && a->bytes[n] == b->bytes[n]) n++;
    return n;
}

/* ---- building ---- */

static nigh_status copy_words(vocabulary *v, const word *words, int32_t count)
{
    size_t bytes = 0;
    int32_t ends = 0;
    for (int32_t i = 0; i < count; i++) {
        if (words[i].size > 65535) return nigh_fail(v->ctx, NIGH_INVALID, "token %d has %zu bytes; up to 65535 are allowed", i, words[i].size);
        bytes += words[i].size, ends += words[i].ends;
    }
    v->text = nigh_alloc(v->ctx, bytes + 1);
    v->text_at = nigh_alloc(v->ctx, sizeof *v->text_at * ((size_t)count + 1));
    v->is_end = nigh_alloc(v->ctx, (size_t)count + 1);
    v->ends = nigh_alloc(v->ctx, sizeof *v->ends * ((size_t)ends + 1));
    if (!v->text || !v->text_at || !v->is_end || !v->ends) return NIGH_MEMORY;
    v->text_at[0] = 0;
    for (int32_t i = 0; i < count; i++) {
        if (words[i].size) memcpy(v->text + v->text_at[i], words[i].bytes, words[i].size);
        v->text_at[i + 1] = v->text_at[i] + (int64_t)words[i].size;
        v->is_end[i] = words[i].ends;
        if (words[i].ends) v->ends[v->end_count++] = i;
    }
    return NIGH_OK;
}

static bool is_utf8(const char *bytes, size_t size)
{
    uint32_t code;
    for (size_t used; size; bytes += used, size -= used)
        if (!(used = utf8_get(bytes, size, &code))) return false;
    return true;
}

/* What is below each node: from the last node to the first, each takes in its children. */
static void gather(vocabulary *v)
{
    for (int32_t i = v->nodes; i-- > 0;) {
        word_node *node = &v->node[i];
        for (int32_t k = node->at; k < v->node[i + 1].at; k++) {
            int32_t id = v->order[k];
            if (!is_utf8(v->text + v->text_at[id], (size_t)(v->text_at[id + 1] - v->text_at[id]))) node->flags |= BELOW_ILL;
        }
        for (int32_t k = i + 1; k < node->past; k = v->node[k].past) {
            uint8_t byte = v->node[k].byte;
            v->below[i].word[0] |= v->below[k].word[0], v->below[i].word[1] |= v->below[k].word[1];
            if (byte < 128) v->below[i].word[byte >> 6] |= (uint64_t)1 << (byte & 63);
            node->flags |= (uint8_t)((v->node[k].flags & (BELOW_HIGH | BELOW_ILL)) | (byte >= 128 ? BELOW_HIGH : 0) | ((byte & 0xc0) == 0x80 ? INSIDE : 0));
        }
    }
}

/* Words sorted by their bytes give the nodes in the order of a walk: each adds the bytes that it does not share with the one before. */
static nigh_status lay_out(vocabulary *v, const keyed *sorted, int32_t count)
{
    int64_t nodes = 0;
    for (int32_t i = 0; i < count; i++) nodes += sorted[i].size - (i ? common(&sorted[i - 1], &sorted[i]) : 0);
    if (nodes > INT32_MAX / 2) return nigh_fail(v->ctx, NIGH_RESOURCE, "the vocabulary has %lld distinct prefixes", (long long)nodes);
    size_t n = (size_t)nodes + 1;
    v->node = nigh_alloc_zero(v->ctx, n, sizeof *v->node);
    v->below = nigh_alloc_zero(v->ctx, n, sizeof *v->below);
    v->order = nigh_alloc(v->ctx, sizeof *v->order * ((size_t)count + 1));
    for (int32_t i = 0; i < count; i++)
        if ((int)sorted[i].size > v->deepest) v->deepest = (int)sorted[i].size;
    int32_t *open = nigh_alloc(v->ctx, sizeof *open * ((size_t)v->deepest + 2)); /* the node at each depth whose end is not known yet */
    if (!v->node || !v->below || !v->order || !open) return nigh_free(v->ctx, open), NIGH_MEMORY;
    int32_t node = 0;
    uint32_t top = 0;
    for (int32_t i = 0; i < count; i++) {
        for (uint32_t d = (i ? common(&sorted[i - 1], &sorted[i]) : 0) + 1; d <= sorted[i].size; d++, node++) {
            while (top >= d) v->node[open[top--]].past = node;
            /* at: only the last node of a word has it; for those before, the range is empty */
            v->node[node] = (word_node){.at = i, .depth = (uint16_t)d, .byte = (uint8_t)sorted[i].bytes[d - 1]};
            open[++top] = node;
        }
        v->order[i] = sorted[i].id;
    }
    while (top) v->node[open[top--]].past = node;
    v->nodes = node, v->node[node].at = count;
    gather(v);
    nigh_free(v->ctx, open);
    return NIGH_OK;
}

nigh_status vocabulary_new(nigh_context *ctx, const word *words, int32_t count, vocabulary **out)
{
    vocabulary *v = nigh_alloc_zero(ctx, 1, sizeof *v);
    if (!v) return NIGH_MEMORY;
    v->ctx = ctx, v->words = count, v->users = 1;
    keyed *sorted = nigh_alloc(ctx, sizeof *sorted * ((size_t)count + 1));
    nigh_status status = sorted ? copy_words(v, words, count) : NIGH_MEMORY;
    int32_t n = 0;
    for (int32_t i = 0; !status && i < count; i++)
        if (words[i].size && !words[i].ends)
            sorted[n++] = (keyed){head_of(words[i].bytes, words[i].size), v->text + v->text_at[i], (uint32_t)words[i].size, i};
    if (!status && n) qsort(sorted, (size_t)n, sizeof *sorted, by_bytes);
    if (!status) status = lay_out(v, sorted, n);
    nigh_free(ctx, sorted);
    if (status)
        destroy(v);
    else
        *out = v;
    return status;
}

/* ---- sharing ---- */

enum { SHARED = 32 };
static vocabulary *shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

void vocabulary_free(vocabulary *v)
{
    if (!v) return;
    pthread_mutex_lock(&shared_lock);
    bool last = --v->users == 0;
    for (int i = 0; last && i < SHARED; i++)
        if (shared[i] == v) shared[i] = NULL;
    pthread_mutex_unlock(&shared_lock);
    if (last) destroy(v);
}

static vocabulary *share_find(nigh_context *ctx, const nigh_tokenizer *t)
{
    vocabulary *found = NULL;
    pthread_mutex_lock(&shared_lock);
    for (int i = 0; !found && i < SHARED; i++)
        if (shared[i] && shared[i]->ctx == ctx && shared[i]->of == t) found = shared[i], found->users++;
    pthread_mutex_unlock(&shared_lock);
    return found;
}

static void share(vocabulary *v)
{
    pthread_mutex_lock(&shared_lock);
    for (int i = 0; i < SHARED; i++)
        if (!shared[i]) {
            shared[i] = v;
            break;
        }
    pthread_mutex_unlock(&shared_lock);
}

nigh_status vocabulary_of(nigh_context *ctx, const nigh_tokenizer *t, vocabulary **out)
{
    vocabulary *v = share_find(ctx, t);
    if (v) return *out = v, NIGH_OK;
    int32_t count = nigh_tokenizer_vocabulary(t);
    word *words = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *words);
    if (!words) return NIGH_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        words[i].ends = nigh_token_ends(t, i);
        if (nigh_token_kind_of(t, i) == NIGH_TOKEN_TEXT) words[i].bytes = nigh_token_bytes(t, i, &words[i].size);
    }
    nigh_status status = vocabulary_new(ctx, words, count, &v);
    nigh_free(ctx, words);
    if (status) return status;
    v->of = t;
    share(v);
    *out = v;
    return NIGH_OK;
}
