/* Costs of models on all rows of a stream, and blocks as rows of a loss. Declared in nigh/merge_reduce.h. */
#include "reduce/loss.h"

#include "nigh/linalg.h"
#include "nigh/merge_reduce.h"

#include <math.h>
#include <string.h>

enum { SHARE = 512 };

/* ---- blocks as rows ---- */

/* The first row with a number that is not finite, or -1. */
static int64_t not_finite(nigh_context *ctx, const double *x, int64_t rows, int64_t d)
{
    int64_t shares = (rows + SHARE - 1) / SHARE, bad = 0;
    int threads = shares > 4 ? nigh_context_threads(ctx) : 1;
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : bad) if (threads > 1)
    for (int64_t k = 0; k < shares; k++) {
        int64_t from = k * SHARE * d, to = (k + 1) * SHARE < rows ? (k + 1) * SHARE * d : rows * d;
        for (int64_t i = from; i < to; i++) {
            uint64_t bits;
            memcpy(&bits, x + i, sizeof bits);
            bad += bits << 1 >= 0xffe0000000000000u;
        }
    }
    for (int64_t i = 0; bad && i < rows * d; i++)
        if (!isfinite(x[i])) return i / d;
    return -1;
}

nigh_status nigh_block_rows(nigh_context *ctx, nigh_row_stream *stream, const nigh_row_block *block, const nigh_loss *loss, double low, double high,
                            double *y, nigh_rows *out)
{
    char place[64];
    bool classes = loss && nigh_loss_has_classes(loss), wanted = loss && nigh_loss_uses_y(loss);
    if (wanted && !block->y) return nigh_fail(ctx, NIGH_INVALID, "the loss %s needs y: name its column", nigh_loss_name(loss));
    int64_t bad = not_finite(ctx, block->x, block->count, block->d);
    if (bad < 0 && wanted && !classes) bad = not_finite(ctx, block->y, block->count, 1);
    if (bad >= 0) {
        nigh_row_stream_place(stream, bad, place);
        return nigh_fail(ctx, NIGH_INVALID, "%s has a number that is not finite; finite numbers are allowed", place);
    }
    for (int64_t i = 0; i < block->count && classes; i++) {
        if (block->y[i] == low || block->y[i] == high) {
            y[i] = block->y[i] == high;
            continue;
        }
        nigh_row_stream_place(stream, i, place);
        return nigh_fail(ctx, NIGH_INVALID, "%s: y is %g; %g and %g are the classes", place, block->y[i], low, high);
    }
    *out = (nigh_rows){block->count, block->d, block->x, !wanted ? NULL : classes ? y : block->y, block->weight};
    return NIGH_OK;
}

/* ---- sums over a stream ---- */

typedef struct sums {
    nigh_context *ctx;
    const nigh_loss *loss;
    int64_t d, count;
    const double *const *model;
    nigh_stream_cost *out;
    bool bends;          /* g and h are wanted */
    double *g, *h, *g_block, *h_block; /* of model 0 */
    double *y, *value;
    int64_t room;
} sums;

static bool has_bend(const nigh_loss *loss)
{
    const nigh_loss_options *o = nigh_loss_is(loss);
    return o->kind == NIGH_LOSS_SQUARES || o->kind == NIGH_LOSS_HUBER || o->kind == NIGH_LOSS_LOGISTIC || (o->kind == NIGH_LOSS_LP && o->p >= 2);
}

static nigh_status room_for(sums *s, int64_t rows)
{
    if (rows <= s->room) return NIGH_OK;
    nigh_free(s->ctx, s->y);
    s->room = 0;
    s->y = nigh_alloc(s->ctx, 2 * (size_t)rows * sizeof *s->y);
    if (!s->y) return NIGH_MEMORY;
    s->value = s->y + rows;
    s->room = rows;
    return NIGH_OK;
}

static nigh_status add_linear(sums *s, const nigh_rows *rows)
{
    margin_pass *pass = NULL;
    const margin_curve curve = loss_curve(s->loss, 0);
    int64_t size = s->d + 1;
    nigh_status status = margin_new(s->ctx, rows, NULL, s->bends ? MARGIN_GRADIENT | MARGIN_HESSIAN : 0, &pass);
    if (status) return status;
    for (int64_t k = 0; k < s->count; k++) {
        bool bends = s->bends && k == 0;
        s->out[k].cost += margin_run(pass, &curve, s->model[k], bends ? MARGIN_GRADIENT | MARGIN_HESSIAN : 0, NULL, bends ? s->g_block : NULL, bends ? s->h_block : NULL);
    }
    for (int64_t i = 0; s->bends && i < size; i++) s->g[i] += s->g_block[i];
    for (int64_t i = 0; s->bends && i < size * size; i++) s->h[i] += s->h_block[i];
    margin_free(pass);
    return NIGH_OK;
}

static nigh_status add_any(sums *s, const nigh_rows *rows)
{
    for (int64_t k = 0; k < s->count; k++) {
        nigh_status status = nigh_loss_values(s->ctx, s->loss, rows, s->model[k], s->value);
        if (status) return status;
        for (int64_t i = 0; i < rows->n; i++) s->out[k].cost += (rows->weight ? rows->weight[i] : 1) * s->value[i];
    }
    return NIGH_OK;
}

/* cost - g' H^-1 g / 2 of the whole F, which the penalty belongs to. */
static nigh_status least_of_quadratic(sums *s)
{
    const nigh_loss_options *o = nigh_loss_is(s->loss);
    int64_t size = s->d + 1, unknowns = o->no_intercept ? s->d : size;
    double *step = s->g_block, promise = 0, largest = 0;
    for (int64_t j = 0; j < s->d; j++) {
        s->g[j] += o->lambda * s->model[0][j];
        s->h[j * size + j] += o->lambda;
    }
    for (int64_t j = 0; j < unknowns; j++) largest = fmax(largest, s->h[j * size + j]);
    nigh_status status = NIGH_INVALID;
    double more = 0;
    for (int k = 0; k < 6 && status == NIGH_INVALID; k++, more = more > 0 ? 1e2 * more : 1e-15 * largest) { /* constant or dependent features */
        for (int64_t j = 0; j < unknowns; j++) s->h[j * size + j] += more;
        status = nigh_cholesky_factor(s->ctx, NIGH_F64, unknowns, size, s->h, s->h_block);
    }
    if (status == NIGH_INVALID) return s->out[0].best = NAN, NIGH_OK;
    if (!status) status = nigh_cholesky_solve(s->ctx, NIGH_F64, unknowns, size, s->h_block, 1, s->g, step);
    for (int64_t j = 0; j < unknowns && !status; j++) promise += s->g[j] * step[j];
    if (!status) s->out[0].best = fmax(s->out[0].cost - promise / 2, 0);
    return status;
}

static nigh_status add_block(sums *s, nigh_row_stream *stream, const nigh_row_block *block, double low, double high)
{
    nigh_rows rows;
    nigh_status status = room_for(s, block->count);
    if (!status) status = nigh_block_rows(s->ctx, stream, block, s->loss, low, high, s->y, &rows);
    if (!status) status = nigh_loss_is(s->loss)->kind != NIGH_LOSS_RESIDUAL && loss_linear(s->loss) ? add_linear(s, &rows) : add_any(s, &rows);
    for (int64_t k = 0; k < s->count && !status; k++) {
        s->out[k].rows += rows.n;
        s->out[k].weight += nigh_rows_weight(&rows);
    }
    return status;
}

nigh_status nigh_stream_costs(nigh_context *ctx, nigh_row_stream *stream, const nigh_loss *loss, double low, double high, int count,
                              const double *const *model, nigh_stream_cost *out)
{
    enum { MOST = 16 };
    nigh_stream_cost found[MOST] = {{0}};
    if (count < 1 || count > MOST) return nigh_fail(ctx, NIGH_INVALID, "%d models; 1 to %d are allowed", count, MOST);
    sums s = {.ctx = ctx, .loss = loss, .d = nigh_row_stream_about(stream).d, .count = count, .model = model, .out = found, .bends = has_bend(loss)};
    size_t size = (size_t)s.d + 1;
    nigh_status status = NIGH_OK;
    nigh_row_block block = {0};
    if (s.bends) {
        s.g = nigh_alloc_zero(ctx, 2 * (size + size * size), sizeof *s.g);
        if (!s.g) return NIGH_MEMORY;
        s.g_block = s.g + size, s.h = s.g_block + size, s.h_block = s.h + size * size;
    }
    do {
        status = nigh_row_stream_next(stream, &block);
        if (!status && block.count) status = add_block(&s, stream, &block, low, high);
    } while (!status && block.count);
    for (int k = 0; k < count && !status; k++) {
        found[k].cost += nigh_loss_penalty(loss, s.d, model[k]);
        found[k].best = NAN;
    }
    if (!status && found[0].rows == 0) status = nigh_fail(ctx, NIGH_INVALID, "the stream has no rows left");
    if (!status && s.bends) status = least_of_quadratic(&s);
    for (int k = 0; k < count && !status; k++) out[k] = found[k];
    nigh_free(ctx, s.g);
    nigh_free(ctx, s.y);
    return status;
}
