/* Mixtures of Gaussians; see mixture.h. Threads own runs of blocks of rows, and their sums are added in order. */
#include "reduce/mixture.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "reduce/kmeans.h"
#include "nn/margin.h"
#include "tensor/dense.h"
#include "tensor/elementwise.h"
#include "tensor/linalg.h"

enum { ROWS = 128 };

typedef struct em {
    nigh_context *ctx;
    const nigh_rows *rows;
    const margin_kernels *kernels;
    elementwise_kernel *exp;
    int64_t n, d, k;
    int threads;
    double total, floor;  /* weight of all rows; least eigenvalue of a covariance */
    double *model;        /* log weights, means, factors */
    double *constant;     /* [k]: log weight - log det L - d/2 log 2 pi */
    double *value;        /* [n], or NULL */
    double *part;         /* [threads] */
    size_t each;          /* of a thread: off [ROWS, d], solved [ROWS, d], logs [k, ROWS], share [ROWS], mass [k], first [k, d + 1], second [k, d, d] */
    double *room;
    double *work;         /* [3, d, d] */
    bool sums;            /* for the next model, too */
} em;

typedef struct thread_room {
    double *off, *solved, *logs, *share, *first, *second;
} thread_room;

static thread_room room_of(const em *e, int t)
{
    thread_room r;
    r.off = e->room + (size_t)t * e->each;
    r.solved = r.off + ROWS * e->d;
    r.logs = r.solved + ROWS * e->d;
    r.share = r.logs + ROWS * e->k;
    r.first = r.share + 2 * ROWS;
    r.second = r.first + e->k * (e->d + 1);
    return r;
}

static double *means(const em *e, int64_t j) { return e->model + e->k + j * e->d; }
static double *factor(const em *e, int64_t j) { return e->model + e->k + e->k * e->d + j * e->d * e->d; }

static void off_centre(const em *e, const double *x, int64_t rows, int64_t j, double *off)
{
    const double *mean = means(e, j);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < e->d; c++) off[i * e->d + c] = x[i * e->d + c] - mean[c];
}

/* logs[j, i] = log weight_j + log density_j of row i */
static void densities(const em *e, const double *x, int64_t rows, const thread_room *r)
{
    int64_t d = e->d;
    for (int64_t j = 0; j < e->k; j++) {
        off_centre(e, x, rows, j, r->off);
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)rows, (int)d, 1, factor(e, j), (int)d, r->off, (int)d);
        for (int64_t i = 0; i < rows; i++) {
            double square = 0;
            for (int64_t c = 0; c < d; c++) square += r->off[i * d + c] * r->off[i * d + c];
            r->logs[j * ROWS + i] = e->constant[j] - square / 2;
        }
    }
}

/* value[i] = - log sum_j exp(logs[j, i]); logs become the shares of the centres. */
static void shares(const em *e, int64_t rows, const thread_room *r, double *value)
{
    double *top = r->share, *sum = r->share + ROWS;
    for (int64_t i = 0; i < rows; i++) {
        top[i] = r->logs[i], sum[i] = 0;
        for (int64_t j = 1; j < e->k; j++) top[i] = fmax(top[i], r->logs[j * ROWS + i]);
    }
    for (int64_t j = 0; j < e->k; j++) {
        double *row = r->logs + j * ROWS;
        const void *in[1] = {row};
        for (int64_t i = 0; i < rows; i++) row[i] -= top[i];
        e->exp(rows, in, NULL, row);
        for (int64_t i = 0; i < rows; i++) sum[i] += row[i];
    }
    for (int64_t i = 0; i < rows; i++) value[i] = -(top[i] + log(sum[i]));
    for (int64_t j = 0; j < e->k; j++)
        for (int64_t i = 0; i < rows; i++) r->logs[j * ROWS + i] /= sum[i];
}

static void add_moments(const em *e, const double *x, const double *weight, int64_t rows, const thread_room *r)
{
    int64_t d = e->d;
    for (int64_t j = 0; j < e->k; j++) {
        double *share = r->logs + j * ROWS;
        for (int64_t i = 0; i < rows && weight; i++) share[i] *= weight[i];
        off_centre(e, x, rows, j, r->off);
        e->kernels->border(rows, d, r->off, share, NULL, r->first + j * (d + 1), NULL);
        e->kernels->gram(rows, d, r->off, share, d, r->second + j * d * d);
    }
}

static void run_share(const em *e, int t)
{
    thread_room r = room_of(e, t);
    int64_t blocks = (e->n + ROWS - 1) / ROWS;
    double cost = 0, value[ROWS];
    if (e->sums) memset(r.first, 0, (size_t)(e->k * (e->d + 1) + e->k * e->d * e->d) * sizeof *r.first);
    for (int64_t b = blocks * t / e->threads; b < blocks * (t + 1) / e->threads; b++) {
        int64_t at = b * ROWS, rows = e->n - at < ROWS ? e->n - at : ROWS;
        const double *x = e->rows->x + at * e->d, *weight = e->rows->weight ? e->rows->weight + at : NULL;
        densities(e, x, rows, &r);
        shares(e, rows, &r, value);
        for (int64_t i = 0; i < rows; i++)
            if (!weight || weight[i] > 0) cost += (weight ? weight[i] : 1) * value[i];
        if (e->value) memcpy(e->value + at, value, (size_t)rows * sizeof *value);
        if (e->sums) add_moments(e, x, weight, rows, &r);
    }
    e->part[t] = cost;
}

/* The cost of the model; with e->sums also the moments, in the first thread's room. */
static double pass(em *e)
{
    double cost = 0;
    for (int64_t j = 0; j < e->k; j++) {
        e->constant[j] = e->model[j] - (double)e->d * 0.91893853320467274178; /* log(2 pi) / 2 */
        for (int64_t c = 0; c < e->d; c++) e->constant[j] -= log(factor(e, j)[c * e->d + c]);
    }
    int before = dense_enter(e->ctx, 0);
    if (e->threads == 1) run_share(e, 0);
    else {
#pragma omp parallel for schedule(static) num_threads(e->threads)
        for (int t = 0; t < e->threads; t++) run_share(e, t);
    }
    dense_leave(before);
    thread_room all = room_of(e, 0);
    for (int t = 0; t < e->threads; t++) {
        cost += e->part[t];
        thread_room one = room_of(e, t);
        for (int64_t i = 0; i < e->k * (e->d + 1) + e->k * e->d * e->d && t && e->sums; i++) all.first[i] += one.first[i];
    }
    return cost;
}

/* L of the covariance s (upper triangle given), its eigenvalues not below the floor. */
static nigh_status factorise(em *e, double *s, double *l)
{
    int64_t d = e->d;
    double *vectors = e->work, *values = e->work + d * d, *test = values + d;
    for (int64_t a = 0; a < d; a++)
        for (int64_t b = 0; b < a; b++) s[a * d + b] = s[b * d + a];
    memcpy(test, s, (size_t)(d * d) * sizeof *s);
    for (int64_t c = 0; c < d; c++) test[c * d + c] -= e->floor;
    if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, test, (int)d)) { /* some eigenvalue is below the floor */
        memcpy(vectors, s, (size_t)(d * d) * sizeof *s);
        nigh_status status = linalg_eigen(e->ctx, d, vectors, values);
        if (status) return status;
        memset(s, 0, (size_t)(d * d) * sizeof *s);
        for (int64_t v = 0; v < d; v++) {
            double value = fmax(values[v], e->floor);
            for (int64_t a = 0; a < d; a++)
                for (int64_t b = 0; b < d; b++) s[a * d + b] += value * vectors[v * d + a] * vectors[v * d + b];
        }
    }
    memcpy(test, s, (size_t)(d * d) * sizeof *s);
    if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, test, (int)d))
        return nigh_fail(e->ctx, NIGH_INTERNAL, "mixture: a covariance with eigenvalues of %g and more has no Cholesky factor", e->floor);
    for (int64_t a = 0; a < d; a++)
        for (int64_t b = 0; b < d; b++) l[a * d + b] = b <= a ? test[a * d + b] : 0;
    return NIGH_OK;
}

/* The model of the moments about the old means. A centre without rows stays as it is. */
static nigh_status maximise(em *e)
{
    int64_t d = e->d;
    thread_room r = room_of(e, 0);
    nigh_status status = NIGH_OK;
    for (int64_t j = 0; j < e->k && !status; j++) {
        double *first = r.first + j * (d + 1), *second = r.second + j * d * d, mass = first[d], *mean = means(e, j);
        e->model[j] = log(fmax(mass, 1e-300) / e->total);
        if (!(mass > 1e-12 * e->total / (double)e->n)) continue;
        for (int64_t a = 0; a < d; a++) first[a] /= mass;
        for (int64_t a = 0; a < d; a++)
            for (int64_t b = a; b < d; b++) second[a * d + b] = second[a * d + b] / mass - first[a] * first[b];
        for (int64_t a = 0; a < d; a++) mean[a] += first[a];
        status = factorise(e, second, factor(e, j));
    }
    return status;
}

/* ---- starts ---- */

static double mean_variance(const nigh_rows *rows, double total)
{
    double sum = 0;
    for (int64_t c = 0; c < rows->d; c++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < rows->n; i++) mean += (rows->weight ? rows->weight[i] : 1) / total * rows->x[i * rows->d + c];
        for (int64_t i = 0; i < rows->n; i++) {
            double off = rows->x[i * rows->d + c] - mean;
            square += (rows->weight ? rows->weight[i] : 1) / total * off * off;
        }
        sum += square;
    }
    return sum / (double)rows->d;
}

/* The mixture whose shares are the clusters of k-means. */
static nigh_status start_at_clusters(em *e, const mixture_spec *spec, int number, int64_t *index)
{
    int64_t d = e->d, k = e->k;
    kmeans_spec clusters = {.n = e->n, .d = d, .k = k, .restarts = 1, .iterations = 20, .tolerance = 1e-4, .seed = nigh_seed_split(spec->seed, (uint64_t)number)};
    nigh_status status = kmeans_run(e->ctx, &clusters, e->rows->x, e->rows->weight, NULL, means(e, 0), index, NULL, NULL);
    if (status) return status;
    thread_room r = room_of(e, 0);
    memset(r.first, 0, (size_t)(k * (d + 1) + k * d * d) * sizeof *r.first);
    for (int64_t i = 0; i < e->n; i++) {
        int64_t j = index[i];
        double w = e->rows->weight ? e->rows->weight[i] : 1;
        off_centre(e, e->rows->x + i * d, 1, j, r.off);
        e->kernels->border(1, d, r.off, &w, NULL, r.first + j * (d + 1), NULL);
        e->kernels->gram(1, d, r.off, &w, d, r.second + j * d * d);
    }
    for (int64_t j = 0; j < k; j++) {
        double *l = factor(e, j); /* of a centre without rows */
        memset(l, 0, (size_t)(d * d) * sizeof *l);
        for (int64_t c = 0; c < d; c++) l[c * d + c] = sqrt(e->floor);
    }
    return maximise(e);
}

static nigh_status climb(em *e, const mixture_spec *spec, nigh_loss_fit *fit)
{
    double last = INFINITY;
    e->sums = true;
    fit->met = false, fit->iterations = 0;
    for (;; fit->iterations++) {
        nigh_status status = nigh_poll(e->ctx);
        if (status) return status;
        fit->cost = pass(e);
        fit->passes++;
        fit->met = last - fit->cost <= spec->tolerance * e->total;
        if (fit->met || fit->iterations >= spec->iterations) return NIGH_OK;
        last = fit->cost;
        status = maximise(e);
        if (status) return status;
    }
}

/* ---- making ---- */

static nigh_status em_new(nigh_context *ctx, nigh_arena *arena, int64_t k, const nigh_rows *rows, bool sums, em *out)
{
    int64_t d = rows->d;
    em e = {.ctx = ctx, .rows = rows, .kernels = margin_kernels_at(nigh_cpu()), .exp = elementwise_find(NIGH_F64, ELEMENTWISE_EXP), .n = rows->n, .d = d, .k = k};
    if (d > 10000 || k * d > ((int64_t)1 << 34) / d) return nigh_fail(ctx, NIGH_INVALID, "a mixture of %lld covariances of %lld columns is too large", (long long)k, (long long)d);
    double work = (double)e.n * (double)k * (double)(d * d) / 200000;
    e.threads = nigh_context_threads(ctx);
    if (work < e.threads) e.threads = work < 1 ? 1 : (int)work;
    e.each = (size_t)(2 * ROWS * d + ROWS * k + 2 * ROWS + k * (d + 1) + (sums ? k * d * d : 0));
    e.total = nigh_rows_weight(rows);
    e.model = nigh_arena_alloc_zero(arena, (size_t)(k + k * d + k * d * d), sizeof(double));
    e.constant = nigh_arena_alloc_zero(arena, (size_t)k, sizeof(double));
    e.part = nigh_arena_alloc_zero(arena, (size_t)e.threads, sizeof(double));
    e.room = nigh_arena_alloc_zero(arena, (size_t)e.threads * e.each, sizeof(double));
    e.work = nigh_arena_alloc_zero(arena, (size_t)(2 * d * d + d), sizeof(double));
    if (!e.model || !e.constant || !e.part || !e.room || !e.work || !e.exp) return NIGH_MEMORY;
    *out = e;
    return NIGH_OK;
}

nigh_status mixture_values(nigh_context *ctx, int64_t k, const nigh_rows *rows, const double *model, double *value)
{
    nigh_arena *arena;
    em e;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    status = em_new(ctx, arena, k, rows, false, &e);
    if (!status) {
        memcpy(e.model, model, (size_t)(k + k * rows->d + k * rows->d * rows->d) * sizeof *model);
        e.value = value;
        pass(&e);
    }
    nigh_arena_free(arena);
    return status;
}

nigh_status mixture_train(nigh_context *ctx, const mixture_spec *spec, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *fit)
{
    nigh_arena *arena;
    em e;
    nigh_loss_fit least = {.cost = INFINITY}, found = {.gap = INFINITY};
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    int64_t k = spec->k, size = k + k * rows->d + k * rows->d * rows->d, *index = nigh_arena_alloc(arena, (size_t)rows->n * sizeof *index);
    double *best = nigh_arena_alloc(arena, (size_t)size * sizeof *best);
    status = index && best ? em_new(ctx, arena, k, rows, true, &e) : NIGH_MEMORY;
    if (!status) e.floor = fmax(1e-6 * mean_variance(rows, e.total), 1e-200);
    for (int s = 0; s < (start ? 1 : spec->restarts) && !status; s++) {
        if (start) memcpy(e.model, start, (size_t)size * sizeof *start);
        else status = start_at_clusters(&e, spec, s, index);
        if (!status) status = climb(&e, spec, &found);
        if (status || !(found.cost < least.cost)) continue;
        least = found;
        memcpy(best, e.model, (size_t)size * sizeof *best);
    }
    if (!status) {
        memcpy(model, best, (size_t)size * sizeof *model);
        least.passes = found.passes;
        *fit = least;
    }
    nigh_arena_free(arena);
    return status;
}
