/* Categorical draws: alias table, plain, and an urn whose weights change (Fenwick tree). Declared in nigh/random.h. */
#include "nigh/random.h"

#include <math.h>

static nigh_status check_weights(nigh_context *ctx, int64_t n, const double *weight, bool some)
{
    if (n < 1) return nigh_fail(ctx, NIGH_INVALID, "n is %lld; 1 or more weights are needed", (long long)n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(weight[i] >= 0) || isinf(weight[i]))
            return nigh_fail(ctx, NIGH_INVALID, "weight[%lld] is %g; 0 or more, finite, is allowed", (long long)i, weight[i]);
        sum += weight[i];
    }
    if (isinf(sum) || (some && sum == 0)) return nigh_fail(ctx, NIGH_INVALID, "the weights sum to %g", sum);
    return NIGH_OK;
}

/* ---- alias table (Walker 1977, Vose 1991) ---- */

struct nigh_alias {
    nigh_context *ctx;
    int64_t n;
    double *keep;   /* chance to stay in the column */
    int64_t *other; /* where to go else */
};

nigh_status nigh_alias_new(nigh_context *ctx, int64_t n, const double *weight, nigh_alias **out)
{
    nigh_status status = check_weights(ctx, n, weight, true);
    if (status) return status;
    nigh_alias *alias = nigh_alloc_zero(ctx, 1, sizeof *alias);
    double *keep = nigh_alloc_zero(ctx, (size_t)n, sizeof *keep);
    int64_t *other = nigh_alloc_zero(ctx, (size_t)n, sizeof *other), *stack = nigh_alloc_zero(ctx, (size_t)n, sizeof *stack);
    if (!alias || !keep || !other || !stack) {
        nigh_free(ctx, alias), nigh_free(ctx, keep), nigh_free(ctx, other), nigh_free(ctx, stack);
        return NIGH_MEMORY;
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += weight[i];
    int64_t small = 0, large = n, heaviest = 0; /* two stacks in one array */
    for (int64_t i = 0; i < n; i++) {
        keep[i] = weight[i] / sum * (double)n, other[i] = i;
        if (weight[i] > weight[heaviest]) heaviest = i;
        if (keep[i] < 1) stack[small++] = i;
        else stack[--large] = i;
    }
    while (small > 0 && large < n) {
        int64_t low = stack[--small], high = stack[large];
        other[low] = high;
        keep[high] -= 1 - keep[low];
        if (keep[high] < 1) large++, stack[small++] = high;
    }
    /* What is left has chance 1 but for rounding; a weight of 0 must not come up even then. */
    for (; large < n; large++) keep[stack[large]] = 1;
    while (small > 0) {
        int64_t i = stack[--small];
        if (weight[i] > 0) keep[i] = 1;
        else other[i] = heaviest;
    }
    nigh_free(ctx, stack);
    *alias = (nigh_alias){ctx, n, keep, other};
    *out = alias;
    return NIGH_OK;
}

void nigh_alias_free(nigh_alias *alias)
{
    if (!alias) return;
    nigh_free(alias->ctx, alias->keep), nigh_free(alias->ctx, alias->other), nigh_free(alias->ctx, alias);
}

int64_t nigh_alias_draw(const nigh_alias *alias, nigh_rng *rng)
{
    int64_t i = (int64_t)nigh_rng_below(rng, (uint64_t)alias->n);
    return nigh_rng_f64(rng) < alias->keep[i] ? i : alias->other[i];
}

int64_t nigh_rng_categorical(nigh_rng *rng, int64_t n, const double *weight)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += weight[i];
    if (!(sum > 0) || isinf(sum)) return -1;
    double at = nigh_rng_f64(rng) * sum, before = 0;
    int64_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (weight[i] <= 0) continue;
        before += weight[i];
        last = i;
        if (at < before) return i;
    }
    return last;
}

/* ---- urn: Fenwick tree of weights ---- */

struct nigh_urn {
    nigh_context *ctx;
    int64_t n, top, changes; /* top: largest power of two <= n */
    double *tree, *weight;
};

/* The tree from its weights: also clears the rounding that updates left behind. */
static void urn_build(nigh_urn *urn)
{
    for (int64_t i = 0; i < urn->n; i++) urn->tree[i + 1] = urn->weight[i];
    for (int64_t i = 1; i <= urn->n; i++) {
        int64_t parent = i + (i & -i);
        if (parent <= urn->n) urn->tree[parent] += urn->tree[i];
    }
    urn->changes = 0;
}

nigh_status nigh_urn_new(nigh_context *ctx, int64_t n, const double *weight, nigh_urn **out)
{
    nigh_status status = check_weights(ctx, n, weight, false);
    if (status) return status;
    nigh_urn *urn = nigh_alloc_zero(ctx, 1, sizeof *urn);
    double *memory = nigh_alloc_zero(ctx, 2 * (size_t)n + 1, sizeof *memory);
    if (!urn || !memory) {
        nigh_free(ctx, urn), nigh_free(ctx, memory);
        return NIGH_MEMORY;
    }
    *urn = (nigh_urn){.ctx = ctx, .n = n, .top = 1, .tree = memory, .weight = memory + n + 1};
    while (2 * urn->top <= n) urn->top *= 2;
    for (int64_t i = 0; i < n; i++) urn->weight[i] = weight[i];
    urn_build(urn);
    *out = urn;
    return NIGH_OK;
}

void nigh_urn_free(nigh_urn *urn)
{
    if (!urn) return;
    nigh_free(urn->ctx, urn->tree), nigh_free(urn->ctx, urn);
}

double nigh_urn_total(const nigh_urn *urn)
{
    double sum = 0;
    for (int64_t i = urn->n; i > 0; i -= i & -i) sum += urn->tree[i];
    return sum;
}

void nigh_urn_set(nigh_urn *urn, int64_t i, double weight)
{
    double change = weight - urn->weight[i];
    urn->weight[i] = weight;
    if (++urn->changes > urn->n) { /* O(1) per change on average */
        urn_build(urn);
        return;
    }
    for (int64_t at = i + 1; at <= urn->n; at += at & -at) urn->tree[at] += change;
}

int64_t nigh_urn_draw(nigh_urn *urn, nigh_rng *rng)
{
    for (int tries = 0; tries < 2; tries++) {
        double at = nigh_rng_f64(rng) * nigh_urn_total(urn);
        int64_t i = 0;
        for (int64_t step = urn->top; step > 0; step /= 2)
            if (i + step <= urn->n && urn->tree[i + step] <= at) at -= urn->tree[i += step];
        if (i < urn->n && urn->weight[i] > 0) return i;
        urn_build(urn); /* rounding led to an empty place: clear it and draw again */
    }
    return nigh_rng_categorical(rng, urn->n, urn->weight);
}

int64_t nigh_urn_take(nigh_urn *urn, nigh_rng *rng)
{
    int64_t i = nigh_urn_draw(urn, rng);
    if (i >= 0) nigh_urn_set(urn, i, 0);
    return i;
}
