/* Rows by fold; see folds.h. */
#include "reduce/folds.h"

#include "nigh/coreset.h"

#include <math.h>
#include <string.h>

/* Row by row into the end of its fold: both ends of the copy are read and written in order. */
static void sort_rows(const nigh_rows *rows, const int32_t *fold, int64_t *next, double *block)
{
    int64_t n = rows->n, d = rows->d;
    double *y = block + n * d, *weight = y + n;
    for (int64_t i = 0; i < n; i++) {
        int64_t to = next[fold[i]]++;
        memcpy(block + to * d, rows->x + i * d, (size_t)d * sizeof *block);
        y[to] = rows->y[i], weight[to] = rows->weight ? rows->weight[i] : 1;
    }
}

static nigh_status place(folds *f, const nigh_rows *rows, const int32_t *fold)
{
    int64_t n = rows->n, d = rows->d;
    int64_t *first = nigh_alloc_zero(f->ctx, 2 * (size_t)f->count + 1, sizeof *first), *next = first + f->count + 1;
    if (!first) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) first[fold[i] + 1]++;
    for (int k = 0; k < f->count; k++) first[k + 1] += first[k], next[k] = first[k];
    sort_rows(rows, fold, next, f->block);
    nigh_status status = NIGH_OK;
    for (int k = 0; k < f->count && !status; k++) {
        f->rows[k] = (nigh_rows){first[k + 1] - first[k], d, f->block + first[k] * d, f->block + n * d + first[k], f->block + n * (d + 1) + first[k]};
        f->weight[k] = f->rows[k].n ? nigh_rows_weight(&f->rows[k]) : 0;
        if (!(f->weight[k] > 0)) status = nigh_fail(f->ctx, NIGH_INVALID, "fold %d of %d has no row of positive weight", k, f->count);
    }
    nigh_free(f->ctx, first);
    return status;
}

nigh_status folds_new(nigh_context *ctx, const nigh_rows *rows, int count, const int32_t *fold, unsigned most, folds *out)
{
    size_t m = (size_t)rows->d + 1, many = (size_t)count;
    folds f = {.ctx = ctx, .count = count, .d = rows->d};
    f.block = nigh_alloc(ctx, (size_t)rows->n * (m + 1) * sizeof(double));
    f.rows = nigh_alloc_zero(ctx, many, sizeof *f.rows);
    f.pass = nigh_alloc_zero(ctx, many, sizeof *f.pass);
    f.weight = nigh_alloc_zero(ctx, many * (2 + m + m * m), sizeof(double));
    nigh_status status = f.block && f.rows && f.pass && f.weight ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        f.cost = f.weight + many, f.g = f.cost + many, f.h = f.g + many * m;
        status = place(&f, rows, fold);
    }
    for (int k = 0; k < count && !status; k++) status = margin_new(ctx, &f.rows[k], NULL, most, &f.pass[k]);
    if (status) return folds_end(&f), status;
    *out = f;
    return NIGH_OK;
}

void folds_end(folds *f)
{
    for (int k = 0; k < f->count && f->pass; k++) margin_free(f->pass[k]);
    nigh_free(f->ctx, f->pass);
    nigh_free(f->ctx, f->rows);
    nigh_free(f->ctx, f->weight);
    nigh_free(f->ctx, f->block);
}

void folds_look(folds *f, int skip, const margin_curve *curve, const double *model, unsigned what)
{
    int64_t m = f->d + 1;
    for (int k = 0; k < f->count; k++)
        if (k != skip) f->cost[k] = margin_run(f->pass[k], curve, model, what, NULL, f->g + k * m, f->h + k * m * m);
}

void folds_sum(const folds *f, int skip, double lambda, const double *model, double *cost, double *g, double *h)
{
    int64_t m = f->d + 1;
    double sum = 0;
    for (int64_t j = 0; j < f->d; j++) sum += lambda / 2 * model[j] * model[j];
    for (int64_t j = 0; j < m; j++) g[j] = j < f->d ? lambda * model[j] : 0;
    memset(h, 0, (size_t)(m * m) * sizeof *h);
    for (int64_t j = 0; j < f->d; j++) h[j * m + j] = lambda;
    for (int k = 0; k < f->count; k++) {
        if (k == skip) continue;
        sum += f->cost[k];
        for (int64_t j = 0; j < m; j++) g[j] += f->g[k * m + j];
        for (int64_t j = 0; j < m * m; j++) h[j] += f->h[k * m * m + j];
    }
    *cost = sum;
}

/* ---- test ---- */

typedef struct trial {
    const folds *f;
    const margin_curve *curve;
    int64_t count;
    const double *model;
    int threads;
    double *sum; /* [threads, count, folds] */
} trial;

enum { BLOCK = 256 };

/* The rows of a block stay in the cache for all models. */
static void test_share(const trial *t, int thread)
{
    const folds *f = t->f;
    const margin_kernels *kernels = margin_kernels_at(nigh_cpu());
    double m[BLOCK], *sum = t->sum + thread * t->count * f->count;
    for (int k = 0; k < f->count; k++) {
        const nigh_rows *r = &f->rows[k];
        for (int64_t i = r->n * thread / t->threads, end = r->n * (thread + 1) / t->threads; i < end; i += BLOCK) {
            int64_t rows = end - i < BLOCK ? end - i : BLOCK;
            for (int64_t l = 0; l < t->count; l++) {
                const double *model = t->model + (l * f->count + k) * (f->d + 1);
                kernels->margins(rows, f->d, r->x + i * f->d, model, model[f->d], m);
                sum[l * f->count + k] += kernels->curve(t->curve, rows, m, r->y + i, r->weight + i, NULL, NULL, NULL);
            }
        }
    }
}

nigh_status folds_test(folds *f, const margin_curve *curve, int64_t count, const double *model, double *test)
{
    int64_t n = 0, cells = count * f->count;
    for (int k = 0; k < f->count; k++) n += f->rows[k].n;
    double many = (double)n * (double)f->d * (double)count / 100000;
    trial t = {.f = f, .curve = curve, .count = count, .model = model, .threads = nigh_context_threads(f->ctx)};
    if (many < t.threads) t.threads = many < 1 ? 1 : (int)many;
    t.sum = nigh_alloc_zero(f->ctx, (size_t)(t.threads * cells), sizeof(double));
    if (!t.sum) return NIGH_MEMORY;
    if (t.threads == 1) test_share(&t, 0);
    else {
#pragma omp parallel for schedule(static) num_threads(t.threads)
        for (int thread = 0; thread < t.threads; thread++) test_share(&t, thread);
    }
    for (int64_t c = 0; c < cells; c++) {
        double sum = 0;
        for (int thread = 0; thread < t.threads; thread++) sum += t.sum[thread * cells + c];
        test[c] = sum / f->weight[c % f->count];
    }
    nigh_free(f->ctx, t.sum);
    return NIGH_OK;
}
