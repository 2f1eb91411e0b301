/* Leverage scores, exact and from a sketch; see nigh/sensitivity.h. */
#include "nigh/sensitivity.h"
#include "nigh/sketch.h"

#include "reduce/powers.h"
#include "tensor/dense.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

nigh_status power_check(nigh_context *ctx, double p)
{
    if (!(p >= 1)) return nigh_fail(ctx, NIGH_INVALID, "p is %g; at least 1 is allowed, below it |.|_p is no norm", p);
    if (p > 32) return nigh_fail(ctx, NIGH_INVALID, "p is %g; at most 32 is allowed", p);
    if (p > 8) nigh_log(ctx, NIGH_LOG_WARNING, "p is %g: samples of rows grow like d^(p/2), above 8 they are rarely smaller than the data", p);
    return NIGH_OK;
}

void scores_count(int64_t n, const double *score, nigh_scores *found)
{
    found->sum = 0, found->zero_rows = 0;
    for (int64_t i = 0; i < n; i++) found->sum += score[i], found->zero_rows += score[i] == 0;
}

static void scores_tell(const row_space *space, int64_t n, const double *score, nigh_scores *found)
{
    *found = (nigh_scores){.columns = space->columns, .rank = space->rank, .condition = space->condition, .how = space->how};
    scores_count(n, score, found);
}

nigh_status leverage_of(nigh_context *ctx, const row_source *source, double *score, nigh_scores *found)
{
    row_space space;
    nigh_status status = row_space_new(ctx, source, &space);
    if (status) return status;
    status = row_space_scores(ctx, source, space.rank, space.m, score);
    if (!status) scores_tell(&space, source->n, score, found);
    row_space_free(ctx, &space);
    return status;
}

nigh_status nigh_leverage(nigh_context *ctx, const nigh_rows *rows, int columns, double p, double *score, nigh_scores *found)
{
    row_matrix a;
    nigh_scores here;
    if (p == 0) p = 2;
    nigh_status status = power_check(ctx, p);
    if (!status) status = row_matrix_new(ctx, rows, columns, p, &a);
    if (status) return status;
    double *out = dense_doubles(ctx, rows->n);
    status = out ? leverage_of(ctx, &a.source, out, &here) : NIGH_MEMORY;
    if (!status) {
        row_powers(rows->n, out, p / 2, score);
        scores_count(rows->n, score, &here);
        if (found) *found = here;
    }
    nigh_free(ctx, out);
    row_matrix_free(ctx, &a);
    return status;
}

/* ---- sketched ---- */

enum { DIRECTIONS = 24 };

/* out[m,columns] = S [x, 1, y] with the rows scaled. */
static nigh_status sketch_columns(nigh_context *ctx, const row_matrix *a, const nigh_sketch *sketch, int64_t m, double *out)
{
    const nigh_rows *rows = a->rows;
    int64_t n = rows->n, d = rows->d, k = a->source.columns, extra = d;
    double *part = dense_doubles(ctx, m * d), *ones = a->columns & NIGH_WITH_ONE ? dense_doubles(ctx, n) : NULL;
    nigh_status status = part && (ones || !(a->columns & NIGH_WITH_ONE)) ? nigh_sketch_apply(ctx, sketch, d, d, rows->x, a->scale, part) : NIGH_MEMORY;
    for (int64_t i = 0; i < m && !status; i++) memcpy(out + i * k, part + i * d, (size_t)d * sizeof *out);
    for (int which = NIGH_WITH_ONE; which <= NIGH_WITH_TARGET && !status; which *= 2) {
        if (!(a->columns & which)) continue;
        for (int64_t i = 0; i < n && which == NIGH_WITH_ONE; i++) ones[i] = 1;
        status = nigh_sketch_apply(ctx, sketch, 1, 1, which == NIGH_WITH_ONE ? ones : rows->y, a->scale, part);
        for (int64_t i = 0; i < m && !status; i++) out[i * k + extra] = part[i];
        extra++;
    }
    nigh_free(ctx, part);
    nigh_free(ctx, ones);
    return status;
}

/* m[columns,DIRECTIONS]: the row space of the sketch, on random directions. */
static nigh_status sketch_directions(nigh_context *ctx, const row_matrix *a, uint64_t seed, row_space *space, double **m)
{
    int64_t k = a->source.columns, rows = 32 * k + 64;
    nigh_sketch *sketch = NULL;
    double *sketched = dense_doubles(ctx, rows * k), *turn = NULL;
    nigh_status status = sketched ? nigh_sketch_new(ctx, &(nigh_sketch_spec){NIGH_SKETCH_SPARSE, a->source.n, rows, 8, nigh_seed_split(seed, 0)}, &sketch) : NIGH_MEMORY;
    if (!status) status = sketch_columns(ctx, a, sketch, rows, sketched);
    row_plain view = {sketched, k};
    row_source as_rows = row_source_plain(&view, rows, NULL);
    if (!status) status = row_space_new(ctx, &as_rows, space);
    if (!status && space->rank > 0) {
        turn = dense_doubles(ctx, space->rank * DIRECTIONS), *m = dense_doubles(ctx, k * DIRECTIONS);
        status = turn && *m ? NIGH_OK : NIGH_MEMORY;
        nigh_rng rng = nigh_rng_new(nigh_seed_split(seed, 1), 0);
        for (int64_t i = 0; i < space->rank * DIRECTIONS && !status; i++) turn[i] = nigh_rng_normal(&rng) / sqrt(DIRECTIONS);
        if (!status) status = linalg_gemm(ctx, false, false, k, DIRECTIONS, space->rank, 1, space->m, turn, 0, *m);
    }
    nigh_sketch_free(ctx, sketch);
    nigh_free(ctx, sketched);
    nigh_free(ctx, turn);
    return status;
}

static nigh_status sketched(nigh_context *ctx, const row_matrix *a, uint64_t seed, double *score, nigh_scores *found)
{
    row_space space = {0};
    double *m = NULL, sum = 0;
    int64_t n = a->source.n;
    nigh_status status = sketch_directions(ctx, a, seed, &space, &m);
    if (!status) status = row_space_scores(ctx, &a->source, space.rank ? DIRECTIONS : 0, m, score);
    if (!status) {
        for (int64_t i = 0; i < n; i++) sum += score[i]; /* the directions' common error goes with the scale: the sum of leverages is known */
        for (int64_t i = 0; i < n && sum > 0; i++) score[i] *= (double)space.rank / sum;
        space.how = "sketch";
        scores_tell(&space, n, score, found);
    }
    row_space_free(ctx, &space);
    nigh_free(ctx, m);
    return status;
}

nigh_status nigh_leverage_sketched(nigh_context *ctx, const nigh_rows *rows, int columns, double p, uint64_t seed, double *score, nigh_scores *found)
{
    row_matrix a;
    nigh_scores here;
    if (p == 0) p = 2;
    nigh_status status = power_check(ctx, p);
    if (!status) status = row_matrix_new(ctx, rows, columns, p, &a);
    if (status) return status;
    double *out = dense_doubles(ctx, rows->n);
    status = !out ? NIGH_MEMORY : rows->n <= 64 * a.source.columns ? leverage_of(ctx, &a.source, out, &here) : sketched(ctx, &a, seed, out, &here);
    if (!status) {
        row_powers(rows->n, out, p / 2, score);
        scores_count(rows->n, score, &here);
        if (found) *found = here;
    }
    nigh_free(ctx, out);
    row_matrix_free(ctx, &a);
    return status;
}
