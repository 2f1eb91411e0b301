/* Formal languages whose labels are exact at every prefix. Declared in nigh/synthetic.h. */
#include "nigh/synthetic.h"

#include <string.h>

enum { THINGS_MOST = 6, ORDER_MOST = 720 };

struct nigh_language {
    nigh_context *ctx;
    nigh_language_kind kind;
    int size, order;                   /* order: elements of a group */
    unsigned char (*element)[THINGS_MOST]; /* [order], in lexicographic order */
    uint16_t *product;                 /* [order, order]: row first, then column */
};

/* ---- groups ---- */

static bool is_even(const unsigned char *p, int n)
{
    int inversions = 0;
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) inversions += p[i] > p[j];
    return inversions % 2 == 0;
}

/* The next permutation in lexicographic order; false after the last. */
static bool next_permutation(unsigned char *p, int n)
{
    int i = n - 2, j = n - 1;
    while (i >= 0 && p[i] > p[i + 1]) i--;
    if (i < 0) return false;
    while (p[j] < p[i]) j--;
    unsigned char kept = p[i];
    p[i] = p[j];
    p[j] = kept;
    for (int a = i + 1, b = n - 1; a < b; a++, b--) kept = p[a], p[a] = p[b], p[b] = kept;
    return true;
}

static int find(const nigh_language *l, const unsigned char *p)
{
    int low = 0, high = l->order;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (memcmp(l->element[middle], p, (size_t)l->size) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static nigh_status make_group(nigh_language *l)
{
    unsigned char p[THINGS_MOST] = {0, 1, 2, 3, 4, 5};
    l->element = nigh_alloc_zero(l->ctx, ORDER_MOST, sizeof *l->element);
    if (!l->element) return NIGH_MEMORY;
    do {
        if (l->kind == NIGH_LANGUAGE_SYMMETRIC || is_even(p, l->size)) memcpy(l->element[l->order++], p, (size_t)l->size);
    } while (next_permutation(p, l->size));
    l->product = nigh_alloc_zero(l->ctx, (size_t)l->order * (size_t)l->order, sizeof *l->product);
    if (!l->product) return NIGH_MEMORY;
    for (int a = 0; a < l->order; a++)
        for (int b = 0; b < l->order; b++) {
            unsigned char both[THINGS_MOST];
            for (int i = 0; i < l->size; i++) both[i] = l->element[b][l->element[a][i]];
            l->product[a * l->order + b] = (uint16_t)find(l, both);
        }
    return NIGH_OK;
}

/* ---- languages ---- */

nigh_status nigh_language_new(nigh_context *ctx, nigh_language_kind kind, int size, nigh_language **out)
{
    static const int least[] = {2, 2, 2, 3, 1}, most[] = {2, 4096, THINGS_MOST, THINGS_MOST, 1024};
    if ((unsigned)kind > NIGH_LANGUAGE_DYCK) return nigh_fail(ctx, NIGH_INVALID, "kind of language %d does not exist", (int)kind);
    if (kind == NIGH_LANGUAGE_PARITY) size = 2;
    if (size < least[kind] || size > most[kind])
        return nigh_fail(ctx, NIGH_INVALID, "size is %d; %d to %d are allowed for this language", size, least[kind], most[kind]);
    nigh_language *l = nigh_alloc_zero(ctx, 1, sizeof *l);
    if (!l) return NIGH_MEMORY;
    *l = (nigh_language){.ctx = ctx, .kind = kind, .size = size};
    bool group = kind == NIGH_LANGUAGE_SYMMETRIC || kind == NIGH_LANGUAGE_ALTERNATING;
    nigh_status status = group ? make_group(l) : NIGH_OK;
    if (status)
        nigh_language_free(l);
    else
        *out = l;
    return status;
}

void nigh_language_free(nigh_language *language)
{
    if (!language) return;
    nigh_free(language->ctx, language->element);
    nigh_free(language->ctx, language->product);
    nigh_free(language->ctx, language);
}

int nigh_language_tokens(const nigh_language *l) { return l->order ? l->order : l->kind == NIGH_LANGUAGE_DYCK ? 2 * l->size : l->size; }
int nigh_language_labels(const nigh_language *l) { return l->order ? l->order : l->kind == NIGH_LANGUAGE_DYCK ? 3 : l->size; }

/* stack [length] holds the open brackets. */
static void label_brackets(const nigh_language *l, int64_t length, const int32_t *token, int32_t *stack, int32_t *label)
{
    int64_t depth = 0;
    bool wrong = false;
    for (int64_t t = 0; t < length; t++) {
        if (token[t] < l->size)
            stack[depth++] = token[t];
        else if (wrong || depth == 0 || stack[--depth] != token[t] - l->size)
            wrong = true;
        if (wrong) depth = 0;
        label[t] = wrong ? 0 : depth ? 1 : 2;
    }
}

static void label_sequence(const nigh_language *l, int64_t length, const int32_t *token, int32_t *stack, int32_t *label)
{
    int32_t state = 0;
    if (l->kind == NIGH_LANGUAGE_DYCK) return label_brackets(l, length, token, stack, label);
    for (int64_t t = 0; t < length; t++) {
        state = l->order ? l->product[state * l->order + token[t]] : (state + token[t]) % l->size;
        label[t] = state;
    }
}

/*
 * A uniform balanced sequence: with r places left at depth h there are as many completions as ballot numbers say, of which the part
 * (r - h)(h + 2) / (2 r (h + 1)) opens next ("Uniform random generation of balanced parenthesis strings", Arnold and Sleep 1980).
 */
static void draw_brackets(const nigh_language *l, nigh_rng *rng, int64_t length, double corrupt, int32_t *token, int32_t *stack)
{
    int64_t depth = 0;
    for (int64_t t = 0; t < length; t++) {
        int64_t left = length - t;
        double open = (double)(left - depth) * (double)(depth + 2) / (2 * (double)left * (double)(depth + 1));
        if (depth == 0 || (depth < left && nigh_rng_f64(rng) < open))
            token[t] = stack[depth++] = (int32_t)nigh_rng_below(rng, (uint64_t)l->size);
        else
            token[t] = l->size + stack[--depth];
    }
    if (corrupt > 0 && nigh_rng_f64(rng) < corrupt) {
        int32_t *at = &token[nigh_rng_below(rng, (uint64_t)length)], other = (int32_t)nigh_rng_below(rng, 2 * (uint64_t)l->size - 1);
        *at = other + (other >= *at);
    }
}

nigh_status nigh_language_sample(nigh_context *ctx, const nigh_language *l, nigh_rng *rng, int64_t n, int64_t length, double corrupt, int32_t *token,
                                 int32_t *label)
{
    bool dyck = l->kind == NIGH_LANGUAGE_DYCK;
    if (n < 0 || length < 1 || length > 1 << 30)
        return nigh_fail(ctx, NIGH_INVALID, "n is %lld and length %lld; 0 or more sequences of 1 to 2^30 tokens are allowed", (long long)n, (long long)length);
    if (dyck && length % 2) return nigh_fail(ctx, NIGH_INVALID, "length is %lld; balanced brackets need an even number", (long long)length);
    if (!(corrupt >= 0 && corrupt <= (dyck ? 1 : 0)))
        return nigh_fail(ctx, NIGH_INVALID, "corrupt is %g; 0 to 1 is allowed for brackets, 0 for other languages", corrupt);
    int32_t *stack = nigh_alloc_zero(ctx, dyck ? (size_t)length : 1, sizeof *stack);
    if (!stack) return NIGH_MEMORY;
    uint64_t tokens = (uint64_t)nigh_language_tokens(l);
    for (int64_t i = 0; i < n; i++) {
        int32_t *row = token + i * length;
        if (dyck)
            draw_brackets(l, rng, length, corrupt, row, stack);
        else
            for (int64_t t = 0; t < length; t++) row[t] = (int32_t)nigh_rng_below(rng, tokens);
        label_sequence(l, length, row, stack, label + i * length);
    }
    nigh_free(ctx, stack);
    return NIGH_OK;
}

nigh_status nigh_language_label(nigh_context *ctx, const nigh_language *l, int64_t length, const int32_t *token, int32_t *label)
{
    int tokens = nigh_language_tokens(l);
    if (length < 0 || length > 1 << 30) return nigh_fail(ctx, NIGH_INVALID, "length is %lld; 0 to 2^30 are allowed", (long long)length);
    for (int64_t t = 0; t < length; t++)
        if (token[t] < 0 || token[t] >= tokens)
            return nigh_fail(ctx, NIGH_INVALID, "token[%lld] is %d; 0 to %d are allowed", (long long)t, (int)token[t], tokens - 1);
    int32_t *stack = nigh_alloc_zero(ctx, (size_t)length + 1, sizeof *stack);
    if (!stack) return NIGH_MEMORY;
    label_sequence(l, length, token, stack, label);
    nigh_free(ctx, stack);
    return NIGH_OK;
}

nigh_status nigh_language_permutation(nigh_context *ctx, const nigh_language *l, int token, int *p)
{
    if (!l->order) return nigh_fail(ctx, NIGH_INVALID, "this language is no group; its tokens are no permutations");
    if (token < 0 || token >= l->order) return nigh_fail(ctx, NIGH_INVALID, "token is %d; 0 to %d are allowed", token, l->order - 1);
    for (int i = 0; i < l->size; i++) p[i] = l->element[token][i];
    return NIGH_OK;
}
