/* Leverage scores, exact and from a sketch; see nigh/sensitivity.h. */
#include "nigh/sensitivity.h"

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

enum { ENTRIES = 8, DIRECTIONS = 24 };

typedef struct embedding {
    uint64_t seed;
    int64_t k, rows; /* of the sketch */
} embedding;

/* Row i is added with signs to one row of each of the 8 parts of the sketch. */
static void embed_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum)
{
    const embedding *e = user;
    (void)room;
    for (int64_t i = 0; i < rows; i++) {
        nigh_rng rng = nigh_rng_new(e->seed, (uint64_t)(from + i));
        for (int s = 0; s < ENTRIES; s++) {
            uint32_t word = nigh_rng_u32(&rng);
            int64_t part = e->rows / ENTRIES, at = part * s + (int64_t)(((uint64_t)(word >> 1) * (uint64_t)part) >> 31);
            double sign = word & 1 ? 1 : -1, *out = sum + at * e->k;
            for (int64_t j = 0; j < e->k; j++) out[j] += sign * block[i * e->k + j];
        }
    }
}

static nigh_status sketched(nigh_context *ctx, const row_source *source, uint64_t seed, double *score, nigh_scores *found)
{
    int64_t k = source->columns;
    embedding e = {.seed = nigh_seed_split(seed, 0), .k = k, .rows = 32 * k + 64};
    double *sketch = dense_doubles(ctx, e.rows * k), *turn = NULL, *m = NULL;
    row_space space = {0};
    nigh_status status = sketch ? row_pass(ctx, source, 0, embed_block, &e, e.rows * k, sketch) : NIGH_MEMORY;
    for (int64_t i = 0; i < e.rows * k && !status; i++) sketch[i] *= 0.35355339059327376; /* 1 / sqrt(8) */
    row_plain view = {sketch, k};
    row_source as_rows = row_source_plain(&view, e.rows, NULL);
    if (!status) status = row_space_new(ctx, &as_rows, &space);
    if (!status && space.rank > 0) {
        turn = dense_doubles(ctx, space.rank * DIRECTIONS), m = dense_doubles(ctx, k * DIRECTIONS);
        status = turn && m ? NIGH_OK : NIGH_MEMORY;
        nigh_rng rng = nigh_rng_new(nigh_seed_split(seed, 1), 0);
        for (int64_t i = 0; i < space.rank * DIRECTIONS && !status; i++) turn[i] = nigh_rng_normal(&rng) / sqrt(DIRECTIONS);
        if (!status) status = linalg_gemm(ctx, false, false, k, DIRECTIONS, space.rank, 1, space.m, turn, 0, m);
    }
    if (!status) status = row_space_scores(ctx, source, space.rank ? DIRECTIONS : 0, m, score);
    if (!status) {
        double sum = 0; /* the directions' common error goes with the scale: the sum of leverages is known */
        for (int64_t i = 0; i < source->n; i++) sum += score[i];
        for (int64_t i = 0; i < source->n && sum > 0; i++) score[i] *= (double)space.rank / sum;
        space.how = "sketch";
        scores_tell(&space, source->n, score, found);
    }
    row_space_free(ctx, &space);
    nigh_free(ctx, sketch);
    nigh_free(ctx, turn);
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
    status = !out ? NIGH_MEMORY : rows->n <= 64 * a.source.columns ? leverage_of(ctx, &a.source, out, &here) : sketched(ctx, &a.source, seed, out, &here);
    if (!status) {
        row_powers(rows->n, out, p / 2, score);
        scores_count(rows->n, score, &here);
        if (found) *found = here;
    }
    nigh_free(ctx, out);
    row_matrix_free(ctx, &a);
    return status;
}
