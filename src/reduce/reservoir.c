/*
 * Priority sampling by scores of a pilot model. Declared in nigh/merge_reduce.h.
 *
 * Row i of weight w_i and score s_i (its weight in it) gets the key s_i / u_i, u_i uniform on (0,1]; the rows of the m largest keys are the
 * sample, t is the key that comes next, and the weight of a sampled row becomes w_i max(1, t / s_i): unbiased, whatever the scores are.
 */
#include "reduce/kept.h"
#include "reduce/loss.h"
#include "reduce/row_pull.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PILOT = 20000 };

struct nigh_reservoir {
    nigh_context *ctx;
    nigh_reservoir_options o;
    int64_t d;
    bool has_y, ready; /* ready: rows are scored as they come; before, they wait in `first` */
    row_store first, held;
    double *score, *key;     /* [held.room] */
    double bar;              /* keys at or below it cannot be in the sample */
    int64_t seen;            /* rows that were scored */
    double weight;           /* of all rows that came */
    double *model, *mean, *inverse; /* [parameters], [d], [d]: 1 / deviation, 0 for a constant feature */
    double average;          /* of the pilot rows' unweighted scores */
    double factor[2];        /* by class */
    double *batch;           /* scores and uniform numbers of a block */
    int64_t batch_room;
};

/* ---- set-up ---- */

static nigh_status fill_options(nigh_context *ctx, int64_t d, const nigh_reservoir_options *given, nigh_reservoir_options *o)
{
    *o = *given;
    if (d < 1) return nigh_fail(ctx, NIGH_INVALID, "rows of %lld features; 1 or more are allowed", (long long)d);
    if (o->m < 1) return nigh_fail(ctx, NIGH_INVALID, "m is %lld rows; 1 or more are allowed", (long long)o->m);
    if (o->pilot < 0) return nigh_fail(ctx, NIGH_INVALID, "a pilot of %lld rows; 0 (chosen) or more are allowed", (long long)o->pilot);
    if (!(o->uniform >= 0 && o->uniform <= 1)) return nigh_fail(ctx, NIGH_INVALID, "a uniform share of %g; 0 (0.2) to 1 is allowed", o->uniform);
    if (o->uniform == 0) o->uniform = 0.2;
    if (!o->memory) o->memory = (size_t)1 << 30;
    int64_t parameters = o->loss ? nigh_loss_parameters(o->loss, d) : 1;
    if (!o->pilot) o->pilot = 10 * parameters > PILOT ? 10 * parameters : PILOT;
    int64_t rows;
    bool huge = __builtin_mul_overflow(o->m, 2, &rows) || __builtin_add_overflow(rows, o->pilot, &rows);
    if (huge || (uint64_t)rows > o->memory / (8 * (size_t)d + 48))
        return nigh_fail(ctx, NIGH_RESOURCE, "%lld rows of %lld features and a pilot of %lld need %g bytes, more than the cap of %zu", (long long)o->m, (long long)d,
                         (long long)o->pilot, (2.0 * (double)o->m + (double)o->pilot) * (8.0 * (double)d + 48), o->memory);
    return NIGH_OK;
}

nigh_status nigh_reservoir_new(nigh_context *ctx, int64_t d, bool has_y, const nigh_reservoir_options *options, nigh_reservoir **out)
{
    nigh_reservoir_options o;
    nigh_status status = fill_options(ctx, d, options, &o);
    if (status) return status;
    if (o.loss && nigh_loss_uses_y(o.loss) && !has_y) return nigh_fail(ctx, NIGH_INVALID, "the loss %s needs y, which the rows do not have", nigh_loss_name(o.loss));
    nigh_reservoir *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    r->ctx = ctx;
    r->o = o;
    r->d = d;
    r->has_y = has_y;
    r->factor[0] = r->factor[1] = 1;
    int64_t room = 2 * o.m + 2;
    status = row_store_new(ctx, d, has_y, room, &r->held);
    if (!status) status = row_store_new(ctx, d, has_y, o.pilot, &r->first);
    r->score = status ? NULL : nigh_alloc(ctx, 2 * (size_t)room * sizeof *r->score);
    r->key = r->score ? r->score + room : NULL;
    int64_t parameters = o.loss ? nigh_loss_parameters(o.loss, d) : 1;
    r->model = r->score ? nigh_alloc_zero(ctx, (size_t)(parameters + 2 * d), sizeof *r->model) : NULL;
    if (!r->model) return nigh_reservoir_free(r), NIGH_MEMORY;
    r->mean = r->model + parameters;
    r->inverse = r->mean + d;
    *out = r;
    return NIGH_OK;
}

void nigh_reservoir_free(nigh_reservoir *r)
{
    if (!r) return;
    row_store_free(r->ctx, &r->first);
    row_store_free(r->ctx, &r->held);
    nigh_free(r->ctx, r->score);
    nigh_free(r->ctx, r->model);
    nigh_free(r->ctx, r->batch);
    nigh_free(r->ctx, r);
}

/* ---- scores ---- */

static bool by_slope(const nigh_reservoir *r) { return r->o.loss && !r->o.plain && loss_linear(r->o.loss); }

static bool is_uniform(const nigh_reservoir *r) { return !r->o.loss || r->o.plain; }

/* Unweighted scores without the uniform share. */
static nigh_status raw_scores(nigh_reservoir *r, const nigh_rows *rows, double *score)
{
    if (!by_slope(r)) return nigh_loss_values(r->ctx, r->o.loss, rows, r->model, score);
    return row_pulls(r->ctx, r->o.loss, rows, r->model, r->mean, r->inverse, score);
}

/* More of a rare class than its share: nigh_class_budget. */
static void class_factors(nigh_reservoir *r, const nigh_rows *rows)
{
    double has[2] = {0, 0};
    int64_t budget[2], m = rows->n / 10 + 2;
    for (int64_t i = 0; i < rows->n; i++) has[rows->y[i] == 1]++;
    if (has[0] == 0 || has[1] == 0) return;
    nigh_class_budget(rows, m, budget);
    for (int c = 0; c < 2; c++) r->factor[c] = (double)budget[c] * (double)rows->n / ((double)m * has[c]);
}

/* Model and average score of the first rows. Rows that no model can be fitted to (one class only) leave the scores uniform. */
static nigh_status pilot(nigh_reservoir *r)
{
    nigh_rows rows = row_store_view(&r->first);
    double *score = NULL, sum = 0;
    r->ready = true;
    if (!r->o.loss || rows.n == 0) return NIGH_OK;
    if (nigh_loss_has_classes(r->o.loss)) class_factors(r, &rows);
    if (r->o.plain) return NIGH_OK;
    nigh_status status = row_moments(r->ctx, &rows, r->mean, r->inverse);
    if (!status) status = nigh_loss_train(r->ctx, r->o.loss, &rows, &(nigh_loss_fit_options){.tolerance = 1e-3, .iterations = 30}, r->model, NULL);
    if (status == NIGH_INVALID) {
        nigh_log(r->ctx, NIGH_LOG_NOTE, "no pilot model: %s; every row has the same chance", nigh_message(r->ctx));
        r->o.plain = true;
        return NIGH_OK;
    }
    if (!status && !(score = nigh_alloc(r->ctx, (size_t)rows.n * sizeof *score))) status = NIGH_MEMORY;
    if (!status) status = raw_scores(r, &rows, score);
    for (int64_t i = 0; i < rows.n && !status; i++) sum += score[i];
    r->average = sum / (double)rows.n;
    if (!(r->average > 0)) r->o.plain = true;
    nigh_free(r->ctx, score);
    return status;
}

/* score[n] with weights and the uniform share; NIGH_INVALID for the first one that is no number. */
static nigh_status scores(nigh_reservoir *r, const nigh_rows *rows, int64_t first, const int64_t *number, double *score)
{
    bool uniform = is_uniform(r), classes = r->o.loss && nigh_loss_has_classes(r->o.loss);
    double share = r->o.uniform, scale = uniform ? 0 : (1 - share) / r->average;
    nigh_status status = uniform ? NIGH_OK : raw_scores(r, rows, score);
    for (int64_t i = 0; i < rows->n && !status; i++) {
        double s = uniform ? 1 : share + scale * score[i];
        if (rows->weight) s *= rows->weight[i];
        if (classes) s *= r->factor[rows->y[i] == 1];
        if (!(s >= 0 && s < INFINITY))
            status = nigh_fail(r->ctx, NIGH_INVALID, "row %lld is not finite, or its weight is negative", (long long)(number ? number[i] : first + i));
        score[i] = s;
    }
    return status;
}

/* ---- the sample ---- */

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The m + 1 rows of largest key stay, in their order. */
static nigh_status shrink(nigh_reservoir *r)
{
    int64_t keep = r->o.m + 1, kept = 0, equal = 0;
    if (r->held.count <= keep) return NIGH_OK;
    double *sorted = nigh_alloc(r->ctx, (size_t)r->held.count * sizeof *sorted);
    if (!sorted) return NIGH_MEMORY;
    memcpy(sorted, r->key, (size_t)r->held.count * sizeof *sorted);
    qsort(sorted, (size_t)r->held.count, sizeof *sorted, descending);
    r->bar = sorted[keep - 1];
    for (int64_t i = 0; i < keep; i++) equal += sorted[i] == r->bar;
    nigh_free(r->ctx, sorted);
    for (int64_t i = 0; i < r->held.count; i++) {
        if (r->key[i] < r->bar || (r->key[i] == r->bar && equal-- <= 0)) continue;
        row_store_move(&r->held, i, kept);
        r->score[kept] = r->score[i];
        r->key[kept++] = r->key[i];
    }
    r->held.count = kept;
    return NIGH_OK;
}

static nigh_status offer(nigh_reservoir *r, const nigh_rows *rows, int64_t first, const int64_t *number)
{
    if (rows->n > r->batch_room) {
        nigh_free(r->ctx, r->batch);
        r->batch_room = 0;
        r->batch = nigh_alloc(r->ctx, 2 * (size_t)rows->n * sizeof *r->batch);
        if (!r->batch) return NIGH_MEMORY;
        r->batch_room = rows->n;
    }
    double *score = r->batch, *uniform = r->batch + rows->n;
    nigh_status status = scores(r, rows, first, number, score);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(r->o.seed, 0);
    nigh_rng_seek(&rng, 2 * (uint64_t)r->seen);
    nigh_rng_fill_f64(&rng, rows->n, uniform);
    r->seen += rows->n;
    for (int64_t i = 0; i < rows->n; i++) {
        double key = score[i] / (1 - uniform[i]);
        if (key <= r->bar) continue;
        r->score[r->held.count] = score[i];
        r->key[r->held.count] = key;
        row_store_add(&r->held, rows, i, 1, first, number);
        if (r->held.count < r->held.room) continue;
        status = shrink(r);
        if (status) return status;
    }
    return NIGH_OK;
}

static nigh_status begin(nigh_reservoir *r)
{
    nigh_status status = pilot(r);
    nigh_rows rows = row_store_view(&r->first);
    if (!status && rows.n) status = offer(r, &rows, 0, r->first.number);
    row_store_free(r->ctx, &r->first);
    return status;
}

nigh_status nigh_reservoir_add(nigh_reservoir *r, const nigh_rows *rows, int64_t first, const int64_t *number)
{
    nigh_status status = row_store_check(r->ctx, rows, r->d, r->has_y);
    if (status || rows->n == 0) return status;
    int64_t wait = r->ready ? 0 : r->first.room - r->first.count;
    if (wait > rows->n) wait = rows->n;
    if (wait) row_store_add(&r->first, rows, 0, wait, first, number);
    if (!r->ready && r->first.count == r->first.room) status = begin(r);
    nigh_rows rest = {rows->n - wait, rows->d, rows->x + wait * rows->d, rows->y ? rows->y + wait : NULL, rows->weight ? rows->weight + wait : NULL};
    if (!status && rest.n) status = offer(r, &rest, first + wait, number ? number + wait : NULL);
    for (int64_t i = 0; i < rows->n && !status; i++) r->weight += rows->weight ? rows->weight[i] : 1;
    return status;
}

nigh_status nigh_reservoir_finish(nigh_reservoir *r, nigh_kept_rows *out)
{
    if (!r->ready && r->first.count <= r->o.m) {
        nigh_status all = row_store_give(r->ctx, &r->first, out);
        return all;
    }
    nigh_status status = r->ready ? NIGH_OK : begin(r);
    if (!status) status = shrink(r);
    if (status) return status;
    if (r->held.count > r->o.m) { /* the row of the least key only tells t */
        int64_t least = 0, kept = 0;
        for (int64_t i = 1; i < r->held.count; i++)
            if (r->key[i] < r->key[least]) least = i;
        double t = r->key[least];
        for (int64_t i = 0; i < r->held.count; i++) {
            if (i == least) continue;
            row_store_move(&r->held, i, kept);
            r->held.weight[kept++] *= fmax(1, t / r->score[i]);
        }
        r->held.count = kept;
    }
    r->bar = 0;
    return row_store_give(r->ctx, &r->held, out);
}

double nigh_reservoir_weight(const nigh_reservoir *r) { return r->weight; }

size_t nigh_reservoir_memory(const nigh_reservoir *r)
{
    return sizeof *r + row_store_bytes(r->d, r->held.room + r->first.room) + 16 * (size_t)(r->held.room + r->batch_room);
}
