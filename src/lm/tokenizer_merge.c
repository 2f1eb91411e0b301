/*
 * Words to tokens: the pair of neighbours with the best rank is merged, the leftmost among equals, until no pair can be. Ranks are places in the list of
 * merges (byte-level BPE) or scores of the merged text's token (SentencePiece). Short words look through all pairs each time; long ones keep a heap, so
 * that hostile text costs n log n.
 */
#include "lm/characters.h"
#include "lm/tokenizer.h"

enum { SHORT = 40 };

/* What a pair becomes. */
typedef struct joint {
    uint32_t rank; /* smaller is better; UINT32_MAX: cannot be merged */
    int32_t to;
} joint;

/* Floats as integers in falling order. */
static uint32_t rank_of_score(float score)
{
    uint32_t bits;
    if (score == 0) score = 0; /* -0 */
    memcpy(&bits, &score, 4);
    uint32_t rank = bits >> 31 ? bits : ~(bits | 0x80000000u);
    return rank == UINT32_MAX ? rank - 1 : rank;
}

static inline joint join_bpe(const nigh_tokenizer *t, int32_t left, int32_t right)
{
    const merge_slot *slot = merges_find(&t->merge, left, right);
    return slot ? (joint){slot->rank, slot->to} : (joint){UINT32_MAX, -1};
}

static joint join_sentence(const nigh_tokenizer *t, const char *text, size_t size)
{
    int32_t id = words_find(&t->find, &t->names, text, size);
    return id < 0 ? (joint){UINT32_MAX, -1} : (joint){rank_of_score(t->score[id]), id};
}

/* ---- what comes out ---- */

/* A symbol that is no token: its bytes, each as the token of this very text where there is one (llama.cpp). */
static nigh_status put_lost(const nigh_tokenizer *t, int32_t symbol, nigh_token_list *out)
{
    size_t size;
    const char *text = texts_get(&t->names, symbol, &size);
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < size && !status; i++) {
        int32_t id = words_find(&t->find, &t->names, text + i, 1);
        if (id >= 0 && id < t->count) status = nigh_token_list_add(out, &id, 1);
    }
    return status;
}

static nigh_status put_bytes(const nigh_tokenizer *t, const char *text, size_t size, nigh_token_list *out)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < size && !status; i++) {
        int32_t id = t->byte_symbol[(unsigned char)text[i]];
        if (id < 0) id = t->unknown;
        if (id >= 0) status = nigh_token_list_add(out, &id, 1);
    }
    return status;
}

static nigh_status put_symbol(const nigh_tokenizer *t, int32_t symbol, const char *text, size_t size, nigh_token_list *out)
{
    if (t->kind == TOKENIZER_SENTENCE && symbol < 0) symbol = words_find(&t->find, &t->names, text, size);
    if (symbol >= 0 && symbol < t->count) return nigh_token_list_add(out, &symbol, 1);
    return symbol < 0 ? put_bytes(t, text, size, out) : put_lost(t, symbol, out);
}

/* ---- short words: pair i is symbols i and i + 1 ---- */

typedef struct short_word {
    const nigh_tokenizer *t;
    const char *text;
    int count;
    int32_t symbol[SHORT + 1];
    uint32_t at[SHORT + 2]; /* symbol i is [at[i], at[i + 1]) */
    joint pair[SHORT + 1];
} short_word;

static joint short_join(const short_word *w, int i)
{
    if (w->t->kind == TOKENIZER_BPE) return join_bpe(w->t, w->symbol[i], w->symbol[i + 1]);
    return join_sentence(w->t, w->text + w->at[i], w->at[i + 2] - w->at[i]);
}

static nigh_status short_merge(short_word *w, nigh_token_list *out)
{
    for (int i = 0; i + 1 < w->count; i++) w->pair[i] = short_join(w, i);
    while (w->count > 1) {
        int best = 0;
        for (int i = 1; i + 1 < w->count; i++)
            if (w->pair[i].rank < w->pair[best].rank) best = i;
        if (w->pair[best].rank == UINT32_MAX) break;
        w->symbol[best] = w->pair[best].to;
        w->count--;
        for (int i = best + 1; i < w->count; i++) w->symbol[i] = w->symbol[i + 1], w->pair[i - 1] = w->pair[i];
        for (int i = best + 1; i <= w->count; i++) w->at[i] = w->at[i + 1];
        if (best > 0) w->pair[best - 1] = short_join(w, best - 1);
        if (best + 1 < w->count) w->pair[best] = short_join(w, best);
    }
    nigh_status status = NIGH_OK;
    for (int i = 0; i < w->count && !status; i++) status = put_symbol(w->t, w->symbol[i], w->text + w->at[i], w->at[i + 1] - w->at[i], out);
    return status;
}

/* ---- long words ---- */

typedef struct link {
    int32_t symbol;
    uint32_t at, size; /* size 0: merged into another */
    int32_t before, after;
} link;

typedef struct offer {
    uint64_t key; /* rank << 32 | left */
    uint32_t left, size;
    int32_t to, right_symbol, left_symbol;
} offer;

typedef struct long_word {
    const nigh_tokenizer *t;
    const char *text;
    link *link;
    offer *heap;
    int64_t offers;
} long_word;

static void heap_add(long_word *w, offer o)
{
    int64_t i = w->offers++;
    for (; i && w->heap[(i - 1) / 2].key > o.key; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = o;
}

static offer heap_take(long_word *w)
{
    offer top = w->heap[0], last = w->heap[--w->offers];
    int64_t i = 0;
    for (int64_t child; (child = 2 * i + 1) < w->offers; i = child) {
        if (child + 1 < w->offers && w->heap[child + 1].key < w->heap[child].key) child++;
        if (w->heap[child].key >= last.key) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

static void long_offer(long_word *w, int32_t left, int32_t right)
{
    if (left < 0 || right < 0) return;
    const link *a = w->link + left, *b = w->link + right;
    uint32_t size = a->size + b->size;
    joint j = w->t->kind == TOKENIZER_BPE ? join_bpe(w->t, a->symbol, b->symbol) : join_sentence(w->t, w->text + a->at, size);
    if (j.rank == UINT32_MAX) return;
    heap_add(w, (offer){(uint64_t)j.rank << 32 | (uint32_t)left, (uint32_t)left, size, j.to, b->symbol, a->symbol});
}

static nigh_status long_merge(long_word *w, int64_t count, nigh_token_list *out)
{
    for (int64_t i = 0; i < count; i++) w->link[i].before = (int32_t)i - 1, w->link[i].after = i + 1 < count ? (int32_t)i + 1 : -1;
    for (int64_t i = 0; i + 1 < count; i++) long_offer(w, (int32_t)i, (int32_t)i + 1);
    while (w->offers) {
        offer o = heap_take(w);
        link *a = w->link + o.left;
        if (!a->size || a->after < 0) continue;
        link *b = w->link + a->after;
        if (a->size + b->size != o.size || a->symbol != o.left_symbol || b->symbol != o.right_symbol) continue;
        a->size = o.size, a->symbol = o.to, b->size = 0;
        a->after = b->after;
        if (a->after >= 0) w->link[a->after].before = (int32_t)o.left;
        long_offer(w, a->before, (int32_t)o.left);
        long_offer(w, (int32_t)o.left, a->after);
    }
    nigh_status status = NIGH_OK;
    for (int32_t i = 0; i >= 0 && !status; i = w->link[i].after)
        status = put_symbol(w->t, w->link[i].symbol, w->text + w->link[i].at, w->link[i].size, out);
    return status;
}

/* Each merge takes one offer and makes at most two: never more than 3 a symbol at once. */
static nigh_status long_room(const nigh_tokenizer *t, const char *text, size_t count, merge_room *room, long_word *w)
{
    size_t links = (count * sizeof(link) + 63) / 64 * 64, need = links + 3 * count * sizeof(offer);
    if (need > room->size) {
        nigh_free(room->ctx, room->block);
        room->size = 0;
        room->block = nigh_alloc(room->ctx, need);
        if (!room->block) return NIGH_MEMORY;
        room->size = need;
    }
    *w = (long_word){.t = t, .text = text, .link = room->block, .heap = (offer *)(void *)((char *)room->block + links)};
    return NIGH_OK;
}

void merge_room_free(merge_room *room)
{
    nigh_free(room->ctx, room->block);
    room->block = NULL, room->size = 0;
}

/* ---- the two kinds ---- */

/* With ignore_merges a word that is a token as a whole is this token. */
static int32_t whole_word(const nigh_tokenizer *t, const char *word, size_t size)
{
    if (t->chars) {
        int32_t found = words_find(&t->find, &t->names, word, size);
        return found < t->count ? found : -1;
    }
    char name[512];
    size_t n = 0;
    if (size > sizeof name / 2) return -1;
    for (size_t i = 0; i < size; i++) n += byte_name((unsigned char)word[i], name + n);
    int32_t id = words_find(&t->find, &t->names, name, n);
    return id < t->count ? id : -1;
}

/* Characters of a word as symbols; those that are none by bytes or as the unknown token. At most `size`. */
static int64_t char_symbols(const nigh_tokenizer *t, const char *word, size_t size, link *out)
{
    int64_t count = 0;
    bool unknown = false;
    for (size_t i = 0, n; i < size; i += n) {
        n = char_size((unsigned char)word[i]);
        if (n > size - i) n = size - i;
        int32_t id = words_find(&t->find, &t->names, word + i, n);
        bool bytes = id < 0 && t->byte_fallback;
        for (size_t k = 0; k < n && bytes; k++) bytes = t->byte_symbol[(unsigned char)word[i + k]] >= 0;
        if (id >= 0) {
            out[count++] = (link){.symbol = id, .at = (uint32_t)i, .size = (uint32_t)n};
        } else if (bytes) {
            for (size_t k = 0; k < n; k++) out[count++] = (link){.symbol = t->byte_symbol[(unsigned char)word[i + k]], .at = (uint32_t)(i + k), .size = 1};
        } else if (t->unknown >= 0 && unknown && t->fuse_unknown) {
            out[count - 1].size += (uint32_t)n;
        } else if (t->unknown >= 0) {
            out[count++] = (link){.symbol = t->unknown, .at = (uint32_t)i, .size = (uint32_t)n};
        }
        unknown = id < 0 && !bytes;
    }
    return count;
}

static nigh_status merge_chars(const nigh_tokenizer *t, const char *word, size_t size, merge_room *room, nigh_token_list *out)
{
    link few[SHORT];
    long_word w;
    if (size > SHORT) {
        nigh_status status = long_room(t, word, size, room, &w);
        if (status) return status;
        int64_t count = char_symbols(t, word, size, w.link);
        return count ? long_merge(&w, count, out) : NIGH_OK;
    }
    short_word s = {.t = t, .text = word, .count = (int)char_symbols(t, word, size, few)};
    for (int i = 0; i < s.count; i++) s.symbol[i] = few[i].symbol, s.at[i] = few[i].at;
    s.at[s.count] = (uint32_t)size;
    return short_merge(&s, out);
}

nigh_status merge_bpe(const nigh_tokenizer *t, const char *word, size_t size, merge_room *room, nigh_token_list *out)
{
    if (t->ignore_merges) {
        int32_t id = whole_word(t, word, size);
        if (id >= 0) return nigh_token_list_add(out, &id, 1);
    }
    if (t->chars) return merge_chars(t, word, size, room, out);
    if (size <= SHORT) {
        short_word w = {.t = t, .text = word, .count = (int)size};
        for (size_t i = 0; i < size; i++) w.symbol[i] = t->byte_symbol[(unsigned char)word[i]], w.at[i] = (uint32_t)i;
        w.at[size] = (uint32_t)size;
        return short_merge(&w, out);
    }
    long_word w;
    nigh_status status = long_room(t, word, size, room, &w);
    if (status) return status;
    for (size_t i = 0; i < size; i++) w.link[i] = (link){.symbol = t->byte_symbol[(unsigned char)word[i]], .at = (uint32_t)i, .size = 1};
    return long_merge(&w, (int64_t)size, out);
}

/* Bytes of a character by its first byte alone, as the reference program counts them. */
static size_t symbol_size(unsigned char byte, size_t left)
{
    size_t size = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return size < left ? size : left;
}

nigh_status merge_sentence(const nigh_tokenizer *t, const char *word, size_t size, merge_room *room, nigh_token_list *out)
{
    if (size <= SHORT) {
        short_word w = {.t = t, .text = word};
        for (size_t i = 0; i < size; i += symbol_size((unsigned char)word[i], size - i)) w.symbol[w.count] = -1, w.at[w.count++] = (uint32_t)i;
        w.at[w.count] = (uint32_t)size;
        return short_merge(&w, out);
    }
    long_word w;
    nigh_status status = long_room(t, word, size, room, &w);
    if (status) return status;
    int64_t count = 0;
    for (size_t i = 0; i < size;) {
        size_t n = symbol_size((unsigned char)word[i], size - i);
        w.link[count++] = (link){.symbol = -1, .at = (uint32_t)i, .size = (uint32_t)n};
        i += n;
    }
    return long_merge(&w, count, out);
}
