/* Weighted subsets of rows: uniform, by scores, by class; their rows. Declared in nigh/coreset.h. */
#include <math.h>
#include <string.h>

#include "nigh/coreset.h"

static double weight_of(const nigh_rows *rows, int64_t i) { return rows->weight ? rows->weight[i] : 1; }

void nigh_subset_free(nigh_context *ctx, nigh_subset *subset)
{
    if (!subset) return;
    nigh_free(ctx, subset->index);
    nigh_free(ctx, subset->weight);
    *subset = (nigh_subset){0};
}

static nigh_status subset_new(nigh_context *ctx, int64_t count, nigh_subset *out)
{
    *out = (nigh_subset){.count = count};
    out->index = nigh_alloc(ctx, (size_t)(count > 0 ? count : 1) * sizeof *out->index);
    out->weight = nigh_alloc(ctx, (size_t)(count > 0 ? count : 1) * sizeof *out->weight);
    if (out->index && out->weight) return NIGH_OK;
    nigh_subset_free(ctx, out);
    return NIGH_MEMORY;
}

nigh_status nigh_subset_take(nigh_context *ctx, const nigh_rows *rows, const nigh_subset *subset, nigh_rows *out, void **block)
{
    int64_t m = subset->count, d = rows->d;
    if (m < 1) return nigh_fail(ctx, NIGH_INVALID, "the subset has no rows");
    for (int64_t i = 0; i < m; i++)
        if (subset->index[i] < 0 || subset->index[i] >= rows->n)
            return nigh_fail(ctx, NIGH_INVALID, "entry %lld of the subset is row %lld; there are %lld rows", (long long)i, (long long)subset->index[i], (long long)rows->n);
    double *x = nigh_alloc(ctx, (size_t)m * (size_t)(d + 2) * sizeof *x), *weight = x ? x + m * d : NULL, *y = x ? weight + m : NULL;
    if (!x) return NIGH_MEMORY;
    for (int64_t i = 0; i < m; i++) {
        memcpy(x + i * d, rows->x + subset->index[i] * d, (size_t)d * sizeof *x);
        weight[i] = subset->weight[i];
        if (rows->y) y[i] = rows->y[subset->index[i]];
    }
    *out = (nigh_rows){m, d, x, rows->y ? y : NULL, weight};
    *block = x;
    return NIGH_OK;
}

void nigh_class_budget(const nigh_rows *rows, int64_t m, int64_t out[2])
{
    int64_t has[2] = {0, 0};
    for (int64_t i = 0; i < rows->n; i++) has[rows->y[i] == 1]++;
    if (m > rows->n) m = rows->n;
    double share[2], sum = 0;
    for (int c = 0; c < 2; c++) {
        share[c] = has[c] ? fmax((double)m * (double)has[c] / (double)rows->n, (double)m / 6) : 0;
        sum += share[c];
    }
    int64_t one = sum > 0 ? (int64_t)nearbyint((double)m * share[1] / sum) : 0;
    if (one < 1 && has[1] && m > 1) one = 1; /* a class that is there keeps a row */
    if (one > m - 1 && has[0] && m > 1) one = m - 1;
    if (one > has[1]) one = has[1];
    if (m - one > has[0]) one = m - has[0];
    out[0] = m - one, out[1] = one;
}

/* m of the rows of class c (-1: all) in increasing order with weights times rows / m; *at moves on. Selection sampling, one uniform number a row:
 * Knuth, "The art of computer programming", algorithm 3.4.2S. */
static void choose(const nigh_rows *rows, int c, int64_t there, int64_t m, nigh_rng *rng, int64_t *at, nigh_subset *out)
{
    int64_t left = there, need = m;
    double times = m > 0 ? (double)there / (double)m : 0;
    for (int64_t i = 0; i < rows->n && need > 0; i++) {
        if (c >= 0 && (rows->y[i] == 1) != c) continue;
        if (left <= need || (double)left * nigh_rng_f64(rng) < (double)need) {
            out->index[*at] = i, out->weight[*at] = times * weight_of(rows, i);
            ++*at, need--;
        }
        left--;
    }
}

/* Two runs of increasing index become one; room as long as both. */
static void merge(nigh_subset *s, int64_t cut, int64_t *index, double *weight)
{
    int64_t a = 0, b = cut;
    for (int64_t i = 0; i < s->count; i++) {
        int64_t from = b >= s->count || (a < cut && s->index[a] < s->index[b]) ? a++ : b++;
        index[i] = s->index[from], weight[i] = s->weight[from];
    }
    memcpy(s->index, index, (size_t)s->count * sizeof *index);
    memcpy(s->weight, weight, (size_t)s->count * sizeof *weight);
}

nigh_status nigh_subset_uniform(nigh_context *ctx, const nigh_rows *rows, int64_t m, bool by_class, nigh_rng *rng, nigh_subset *out)
{
    if (m < 1) return nigh_fail(ctx, NIGH_INVALID, "m is %lld rows; 1 or more is allowed", (long long)m);
    if (by_class && !rows->y) return nigh_fail(ctx, NIGH_INVALID, "rows.y is NULL; a choice by class needs classes");
    if (m > rows->n) m = rows->n;
    nigh_subset found, room = {0};
    nigh_status status = subset_new(ctx, m, &found);
    if (!status && by_class) status = subset_new(ctx, m, &room);
    if (status) return nigh_subset_free(ctx, &found), status;
    int64_t at = 0;
    if (by_class) {
        int64_t has[2] = {0, 0}, budget[2];
        for (int64_t i = 0; i < rows->n; i++) has[rows->y[i] == 1]++;
        nigh_class_budget(rows, m, budget);
        for (int c = 0; c < 2; c++) choose(rows, c, has[c], budget[c], rng, &at, &found);
        merge(&found, budget[0], room.index, room.weight);
    } else {
        choose(rows, -1, rows->n, m, rng, &at, &found);
    }
    nigh_subset_free(ctx, &room);
    *out = found;
    return NIGH_OK;
}

nigh_status nigh_subset_scores(nigh_context *ctx, const nigh_rows *rows, const double *score, int64_t m, nigh_rng *rng, nigh_subset *out)
{
    if (m < 1 || m > (int64_t)1 << 40) return nigh_fail(ctx, NIGH_INVALID, "m is %lld draws; 1 to 2^40 is allowed", (long long)m);
    double sum = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        if (!(score[i] >= 0 && score[i] < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "score of row %lld is %g; 0 or more is allowed", (long long)i, score[i]);
        sum += score[i];
    }
    if (!(sum > 0 && sum < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "the scores sum to %g; a positive sum is needed", sum);
    int64_t *draws = nigh_alloc_zero(ctx, (size_t)rows->n, sizeof *draws), count = 0;
    nigh_alias *alias = NULL;
    nigh_subset found = {0};
    nigh_status status = draws ? nigh_alias_new(ctx, rows->n, score, &alias) : NIGH_MEMORY;
    for (int64_t k = 0; k < m && !status; k++) count += draws[nigh_alias_draw(alias, rng)]++ == 0;
    if (!status) status = subset_new(ctx, count, &found);
    for (int64_t i = 0, at = 0; i < rows->n && !status; i++) {
        if (!draws[i]) continue;
        found.index[at] = i;
        found.weight[at++] = weight_of(rows, i) * (double)draws[i] * sum / ((double)m * score[i]);
    }
    nigh_alias_free(alias);
    nigh_free(ctx, draws);
    if (!status) *out = found;
    return status;
}
