/* Lewis weights by rounds of the fixed point, one pass over the rows each; see nigh/sensitivity.h. */
#include "nigh/sensitivity.h"

#include "reduce/powers.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* The source, or its rows in orthonormal coordinates where its own are badly conditioned or too many. */
typedef struct frame {
    row_source source;
    row_plain plain;
    double *turned; /* [n,rank] or NULL */
    double *m;      /* [columns,columns]: m m^T is the inverse of the Gram matrix of the weighted rows */
} frame;

static nigh_status frame_new(nigh_context *ctx, const row_source *source, const row_space *space, frame *f)
{
    int64_t k = space->rank;
    *f = (frame){.source = *source};
    if (!(f->m = dense_doubles(ctx, k * k))) return NIGH_MEMORY;
    if (k == space->columns && space->condition <= 1e3) {
        memcpy(f->m, space->m, (size_t)(k * k) * sizeof *f->m);
        return NIGH_OK;
    }
    if (!(f->turned = dense_doubles(ctx, source->n * k))) return NIGH_MEMORY;
    nigh_status status = row_space_map(ctx, source, k, space->m, f->turned);
    f->plain = (row_plain){f->turned, k};
    f->source = row_source_plain(&f->plain, source->n, NULL);
    for (int64_t i = 0; i < k * k; i++) f->m[i] = i % (k + 1) == 0;
    return status;
}

static void frame_free(nigh_context *ctx, frame *f)
{
    nigh_free(ctx, f->turned);
    nigh_free(ctx, f->m);
}

typedef struct round_work {
    int64_t k;
    bool first;       /* the weights become the leverages */
    double p, by;     /* by: t of the step */
    double scale;     /* the weights of the last round are these times w */
    const double *m;
    double *w;
    double *residual; /* [blocks] largest |log(target / w)| */
} round_work;

/* Weights of the rows of a block from the last Gram matrix; their part of the next one and of their sum. */
static void round_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum)
{
    const round_work *r = user;
    int64_t k = r->k;
    double worst = 0;
    row_product(rows, k, k, block, r->m, room);
    for (int64_t i = 0; i < rows; i++) {
        double q = 0, *w = r->w + from + i, scale = 0;
        for (int64_t j = 0; j < k; j++) q += room[i * k + j] * room[i * k + j];
        if (q > 0) {
            double target = r->first ? q : row_power(q, r->p / 2), before = r->first ? target : *w * r->scale;
            double change = fabs(target / before - 1); /* the logarithm where it is not small */
            worst = fmax(worst, change < 1e-3 ? change : fabs(log(target / before)));
            *w = r->by == 1 ? target : before * pow(target / before, r->by);
            scale = row_power(*w, 0.5 - 1 / r->p);
        } else {
            *w = 0;
        }
        sum[k * k] += *w;
        for (int64_t j = 0; j < k; j++) block[i * k + j] *= scale;
    }
    row_gram(rows, k, block, sum);
    r->residual[from / row_block_rows(k)] = worst;
}

/* m for the new weights `scale` w; sum holds their Gram matrix without the scale. */
static nigh_status next_frame(nigh_context *ctx, const round_work *r, frame *f, double *sum, double *scaling)
{
    int64_t k = r->k;
    row_space space;
    bool good;
    nigh_status status = row_space_of_gram(ctx, k, sum, 1e13, &space, &good);
    if (!status && !good) { /* weights over many magnitudes: the factorisation sees them as they are */
        for (int64_t i = 0; i < f->source.n; i++) scaling[i] = r->w[i] > 0 ? pow(r->w[i], 0.5 - 1 / r->p) * (f->source.scale ? f->source.scale[i] : 1) : 0;
        row_source weighted = f->source;
        weighted.scale = scaling;
        status = row_space_new(ctx, &weighted, &space);
    }
    if (status) return status;
    double by = pow(r->scale, 1 / r->p - 0.5);
    memset(f->m, 0, (size_t)(k * k) * sizeof *f->m);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < space.rank; j++) f->m[i * k + j] = by * space.m[i * space.rank + j];
    row_space_free(ctx, &space);
    return NIGH_OK;
}

static nigh_status rounds_run(nigh_context *ctx, frame *f, int64_t k, double p, int rounds, double tolerance, double *w, nigh_scores *found)
{
    int64_t n = f->source.n, blocks = (n + row_block_rows(k) - 1) / row_block_rows(k);
    double *residual = dense_doubles(ctx, blocks), *sum = dense_doubles(ctx, k * k + 1), *scaling = dense_doubles(ctx, n);
    nigh_status status = residual && sum && scaling ? NIGH_OK : NIGH_MEMORY;
    round_work r = {.k = k, .p = p, .by = p <= 2 ? 1 : 4 / (2 + p), .scale = 1, .w = w, .m = f->m, .residual = residual};
    double last = INFINITY;
    found->rounds = 0, found->residual = 0;
    for (int round = 0; round <= rounds && !status; round++) {
        r.first = round == 0;
        status = row_pass(ctx, &f->source, k, round_block, &r, k * k + 1, sum);
        if (status) break;
        r.scale = (double)k / sum[k * k];
        double worst = 0;
        for (int64_t i = 0; i < blocks; i++) worst = fmax(worst, residual[i]);
        if (round > 1 && worst > last) r.by /= 2;
        if (round > 0) last = worst, found->rounds = round, found->residual = worst;
        if (round > 0 && worst <= tolerance) break;
        if (p == 2 || round == rounds) break; /* the leverages are the weights */
        status = next_frame(ctx, &r, f, sum, scaling);
    }
    for (int64_t i = 0; i < n && !status; i++) w[i] *= r.scale;
    nigh_free(ctx, residual);
    nigh_free(ctx, sum);
    nigh_free(ctx, scaling);
    return status;
}

nigh_status lewis_of(nigh_context *ctx, const row_source *source, double p, int rounds, double tolerance, double *w, nigh_scores *found)
{
    row_space space;
    frame f = {0};
    nigh_status status = row_space_new(ctx, source, &space);
    if (status) return status;
    *found = (nigh_scores){.columns = space.columns, .rank = space.rank, .condition = space.condition, .how = space.how};
    if (space.rank == 0)
        memset(w, 0, (size_t)source->n * sizeof *w);
    else {
        status = frame_new(ctx, source, &space, &f);
        if (!status) status = rounds_run(ctx, &f, space.rank, p, rounds, tolerance, w, found);
    }
    if (!status) scores_count(source->n, w, found);
    frame_free(ctx, &f);
    row_space_free(ctx, &space);
    return status;
}

nigh_status nigh_lewis_weights(nigh_context *ctx, const nigh_rows *rows, int columns, double p, int rounds, double tolerance, double *score, nigh_scores *found)
{
    row_matrix a;
    nigh_scores here;
    nigh_status status = power_check(ctx, p);
    if (!status && (rounds < 0 || !(tolerance >= 0)))
        status = nigh_fail(ctx, NIGH_INVALID, "%d rounds to a tolerance of %g; not below 0 is allowed", rounds, tolerance);
    if (!status) status = row_matrix_new(ctx, rows, columns, p, &a);
    if (status) return status;
    double *out = dense_doubles(ctx, rows->n);
    status = out ? lewis_of(ctx, &a.source, p, rounds ? rounds : 100, tolerance > 0 ? tolerance : 1e-10, out, &here) : NIGH_MEMORY;
    if (!status) {
        memcpy(score, out, (size_t)rows->n * sizeof *score);
        if (found) *found = here;
    }
    nigh_free(ctx, out);
    row_matrix_free(ctx, &a);
    return status;
}
