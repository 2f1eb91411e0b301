/* The largest distortion of a subset that can be found, and a bound of it where products of columns give one; see nigh/sensitivity.h. */
#include "reduce/gauge.h"

#include "nigh/minimise.h"
#include "tensor/dense.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { RANDOM, EIGENVECTOR, ROW, MINIMISER, KINDS } kind;
static const char *const kind_names[KINDS] = {"random", "eigenvector", "row", "minimiser"};

typedef struct direction {
    kind kind;
    double ratio; /* log */
    int64_t at;   /* row of z */
} direction;

typedef struct search {
    const nigh_gauge *g;
    gauge_side sample;
    int threads;
    double side;     /* +1: the ratio is made larger, -1: smaller */
    double *room;
    double *other;   /* [k] a slope */
    int64_t looked;  /* at so many directions */
    direction *list; /* candidates */
    int64_t count;
    int64_t used;
    double *z;       /* [room for candidates,k]; `used` rows of it are */
} search;

/* ---- the subset in coordinates ---- */

static nigh_status check_subset(nigh_context *ctx, const nigh_gauge *g, const nigh_subset *s)
{
    for (int64_t i = 0; i < s->count; i++) {
        if (s->index[i] < 0 || s->index[i] >= g->rows->n || (i > 0 && s->index[i] <= s->index[i - 1]))
            return nigh_fail(ctx, NIGH_INVALID, "index[%lld] of the subset is %lld; increasing numbers from 0 to %lld are allowed", (long long)i,
                             (long long)s->index[i], (long long)g->rows->n - 1);
        if (!(s->weight[i] >= 0) || !isfinite(s->weight[i]))
            return nigh_fail(ctx, NIGH_INVALID, "weight[%lld] of the subset is %g; finite and not below 0 is allowed", (long long)i, s->weight[i]);
    }
    return s->count > 0 ? NIGH_OK : nigh_fail(ctx, NIGH_INVALID, "the subset is empty");
}

static nigh_status take_sample(nigh_context *ctx, const nigh_gauge *g, const nigh_subset *s, double *u)
{
    double *row = dense_doubles(ctx, g->space.columns);
    if (!row) return NIGH_MEMORY;
    for (int64_t i = 0; i < s->count; i++) {
        g->a.source.fill(&g->a, s->index[i], s->index[i] + 1, row);
        row_product(1, g->space.columns, g->k, row, g->space.m, u + i * g->k);
    }
    nigh_free(ctx, row);
    return NIGH_OK;
}

static bool contains(const nigh_subset *s, int64_t row)
{
    int64_t low = 0, high = s->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (s->index[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low < s->count && s->index[low] == row;
}

/* ---- candidates ---- */

static int by_size(const void *a, const void *b)
{
    const direction *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->ratio < y->ratio) - (x->ratio > y->ratio); /* largest first */
}

/* log of the ratio on the reference; -INFINITY where the subset has nothing. */
static double ratio_at(search *s, const double *z, double reference)
{
    double sample = gauge_value(&s->sample, s->g->k, s->g->p, s->threads, z, NULL, s->room);
    if (reference < 0) reference = gauge_reference(s->g, s->threads, z, NULL, s->room);
    s->looked++;
    return log(sample) - log(reference);
}

static void add(search *s, kind what, const double *z, double reference)
{
    double *at = s->z + s->used * s->g->k, size = cblas_dnrm2((int)s->g->k, z, 1);
    if (!(size > 0) || !isfinite(size)) return;
    for (int64_t j = 0; j < s->g->k; j++) at[j] = z[j] / size;
    if (reference > 0) reference /= row_power(size, s->g->p);
    s->list[s->count++] = (direction){what, ratio_at(s, at, reference), s->used++};
}

/* z = (L L^T)^-1 z with the factor of the reference's flat Gram matrix. */
static void flatten(const nigh_gauge *g, double *z) { LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)g->k, 1, g->flat, (int)g->k, z, (int)g->k); }

static nigh_status add_eigenvectors(nigh_context *ctx, search *s)
{
    const nigh_gauge *g = s->g;
    int64_t k = g->k, each = g->options.starts;
    double *h = dense_doubles(ctx, k * k), *value = dense_doubles(ctx, k);
    nigh_status status = h && value ? gauge_flat(ctx, &s->sample, k, g->p, h) : NIGH_MEMORY;
    for (int64_t i = 0; i < k && !status; i++)
        for (int64_t j = 0; j < i; j++) h[i * k + j] = h[j * k + i];
    if (!status) { /* flat = R^T R: R^-T h R^-1 */
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, (int)k, (int)k, 1, g->flat, (int)k, h, (int)k);
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, (int)k, (int)k, 1, g->flat, (int)k, h, (int)k);
        status = linalg_eigen(ctx, k, h, value);
    }
    for (int64_t i = 0; i < k && !status; i++) {
        if (i >= each && i < k - each) continue;
        cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)k, g->flat, (int)k, h + i * k, 1);
        add(s, EIGENVECTOR, h + i * k, -1);
    }
    nigh_free(ctx, h);
    nigh_free(ctx, value);
    return status;
}

/* Directions in which a heavy row that was left out, or one kept with a large weight, matters most. */
static nigh_status add_rows(nigh_context *ctx, search *s, const nigh_subset *subset)
{
    const nigh_gauge *g = s->g;
    int64_t k = g->k, missed = 0, most[16], kept = 0;
    double *z = dense_doubles(ctx, k), *row = dense_doubles(ctx, g->space.columns), size[16];
    nigh_status status = z && row ? NIGH_OK : NIGH_MEMORY;
    int64_t each = g->options.starts < 16 ? g->options.starts : 16;
    for (int64_t i = 0; i < g->heavy && missed < each && !status; i++) {
        if (contains(subset, g->index[i])) continue;
        g->a.source.fill(&g->a, g->index[i], g->index[i] + 1, row);
        row_product(1, g->space.columns, k, row, g->space.m, z);
        flatten(g, z);
        add(s, ROW, z, -1);
        missed++;
    }
    for (int64_t i = 0; i < s->sample.m && !status; i++) {
        double value = s->sample.w[i] * row_power(cblas_dnrm2((int)k, s->sample.u + i * k, 1), g->p);
        if (!(value > 0) || (kept == each && value <= size[kept - 1])) continue;
        int64_t at = kept < each ? kept++ : kept - 1;
        for (; at > 0 && size[at - 1] < value; at--) size[at] = size[at - 1], most[at] = most[at - 1];
        size[at] = value, most[at] = i;
    }
    for (int64_t i = 0; i < kept && !status; i++) {
        memcpy(z, s->sample.u + most[i] * k, (size_t)k * sizeof *z);
        flatten(g, z);
        add(s, ROW, z, -1);
    }
    nigh_free(ctx, z);
    nigh_free(ctx, row);
    return status;
}

static nigh_status add_minimisers(nigh_context *ctx, search *s)
{
    const nigh_gauge *g = s->g;
    int64_t k = g->k;
    double *z = dense_doubles(ctx, k), *room = dense_doubles(ctx, (int64_t)sensitivity_room(s->sample.m, k)), lower, upper;
    double *w = dense_doubles(ctx, s->sample.m);
    nigh_status status = z && room && w ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < s->sample.m && !status; i++) w[i] = fmax(s->sample.w[i], 1e-300); /* the method wants bounds with room between */
    sensitivity_problem problem = {s->sample.m, k, s->sample.u, w, g->p, 1e-3, gauge_steps(s->sample.m, k)};
    for (int c = 0; c < GAUGE_CONDITIONS && !status; c++) {
        add(s, MINIMISER, g->least + c * k, -1);
        sensitivity_solve(&problem, g->condition + c * k, room, z, &lower, &upper);
        add(s, MINIMISER, z, -1);
    }
    nigh_free(ctx, z);
    nigh_free(ctx, room);
    nigh_free(ctx, w);
    return status;
}

/* ---- ascent ---- */

static nigh_status climb_slope(void *user, const double *z, double *f, double *slope)
{
    search *s = user;
    const nigh_gauge *g = s->g;
    double reference = gauge_reference(g, s->threads, z, s->other, s->room), sample;
    sample = gauge_value(&s->sample, g->k, g->p, s->threads, z, slope, s->room);
    s->looked++;
    *f = -s->side * (log(sample) - log(reference));
    for (int64_t j = 0; j < g->k; j++) slope[j] = -s->side * (slope[j] / sample - s->other[j] / reference);
    return NIGH_OK;
}

static nigh_status climb(nigh_context *ctx, search *s, direction *d)
{
    double *z = s->z + d->at * s->g->k;
    nigh_minimise_problem problem = {.n = s->g->k, .gradient = climb_slope, .user = s};
    nigh_minimise_options options = {.iterations = s->g->options.steps, .evaluations = 2 * s->g->options.steps, .decrease_tolerance = 1e-5, .threads = 1};
    nigh_minimise_result result;
    s->side = d->ratio >= 0 ? 1 : -1;
    if (!isfinite(d->ratio)) return NIGH_OK; /* the subset is 0 there: no deviation is larger */
    nigh_status status = nigh_minimise(ctx, &problem, &options, z, &result);
    if (!status) d->ratio = -s->side * result.f;
    return status;
}

/* From the best of each kind and side. */
static nigh_status climb_all(nigh_context *ctx, search *s)
{
    nigh_status status = NIGH_OK;
    qsort(s->list, (size_t)s->count, sizeof *s->list, by_size);
    for (int64_t from = 0, to; from < s->count && !status; from = to) {
        for (to = from; to < s->count && s->list[to].kind == s->list[from].kind;) to++;
        int64_t each = s->g->options.starts;
        for (int64_t i = from; i < to && !status; i++) {
            bool high = s->list[i].ratio >= 0 && i < from + each, low = s->list[i].ratio < 0 && i >= to - each;
            if (high || low) status = climb(ctx, s, s->list + i);
        }
        if (!status) status = nigh_poll(ctx);
    }
    return status;
}

/* ---- the verdict ---- */

static double deviation(double ratio) { return fabs(expm1(ratio)); }

/* Ratios on all rows of the directions that deviate most. */
static nigh_status confirm(nigh_context *ctx, search *s)
{
    enum { MOST = 64 };
    const nigh_gauge *g = s->g;
    if (g->whole || g->form) return NIGH_OK;
    double *z = dense_doubles(ctx, s->count * g->k), *value = dense_doubles(ctx, s->count);
    nigh_status status = z && value ? NIGH_OK : NIGH_MEMORY;
    for (int64_t from = 0; from < s->count && !status; from += MOST) {
        int64_t count = s->count - from < MOST ? s->count - from : MOST;
        for (int64_t i = 0; i < count; i++) memcpy(z + i * g->k, s->z + s->list[from + i].at * g->k, (size_t)g->k * sizeof *z);
        status = gauge_all(ctx, g, count, z, value);
        for (int64_t i = 0; i < count && !status; i++) s->list[from + i].ratio = ratio_at(s, z + i * g->k, value[i]);
    }
    nigh_free(ctx, z);
    nigh_free(ctx, value);
    return status;
}

/* |Gram matrix of the subset in orthonormal coordinates of the products - I|: no square of a linear function of them deviates more. */
static nigh_status proved(nigh_context *ctx, const nigh_gauge *g, const gauge_side *sample, double *bound)
{
    const lift *l = &g->lift;
    int64_t r = l->space.rank, most = row_block_rows(l->count);
    double *product = dense_doubles(ctx, most * l->count), *image = dense_doubles(ctx, most * r), *h = dense_doubles(ctx, r * r), *value = dense_doubles(ctx, r);
    nigh_status status = product && image && h && value ? NIGH_OK : NIGH_MEMORY;
    if (!status) memset(h, 0, (size_t)(r * r) * sizeof *h);
    for (int64_t from = 0; from < sample->m && !status; from += most) {
        int64_t rows = sample->m - from < most ? sample->m - from : most;
        for (int64_t i = 0; i < rows; i++) {
            double by = sqrt(sample->w[from + i]);
            lift_row(l, sample->u + (from + i) * l->k, product + i * l->count);
            for (int64_t j = 0; j < l->count; j++) product[i * l->count + j] *= by;
        }
        row_product(rows, l->count, r, product, l->space.m, image);
        row_gram(rows, r, image, h);
    }
    for (int64_t i = 0; i < r && !status; i++)
        for (int64_t j = 0; j < i; j++) h[i * r + j] = h[j * r + i];
    if (!status) status = linalg_eigen(ctx, r, h, value);
    if (!status) *bound = fmax(value[r - 1] - 1, 1 - value[0]);
    nigh_free(ctx, product);
    nigh_free(ctx, image);
    nigh_free(ctx, h);
    nigh_free(ctx, value);
    return status;
}

/* Random directions alone, before any ascent: their largest deviation. */
static void look_at_random(search *s, double *largest)
{
    const nigh_gauge *g = s->g;
    for (int64_t i = 0; i < g->options.random; i++) add(s, RANDOM, g->random + i * g->k, g->value[i]);
    *largest = 0;
    for (int64_t i = 0; i < s->count; i++) *largest = fmax(*largest, deviation(s->list[i].ratio));
    qsort(s->list, (size_t)s->count, sizeof *s->list, by_size);
    for (int64_t i = 0, each = g->options.starts; s->count > 2 * each && i < each; i++) s->list[each + i] = s->list[s->count - each + i];
    if (s->count > 2 * g->options.starts) s->count = 2 * g->options.starts;
}

static nigh_status search_all(nigh_context *ctx, search *s, const nigh_subset *subset, nigh_distortion *out)
{
    look_at_random(s, &out->random);
    nigh_status status = add_eigenvectors(ctx, s);
    if (!status) status = add_rows(ctx, s, subset);
    if (!status) status = add_minimisers(ctx, s);
    if (!status) status = climb_all(ctx, s);
    if (!status) status = confirm(ctx, s);
    if (status) return status;
    out->low = INFINITY, out->high = 0, out->where = "random";
    double worst = -1;
    for (int64_t i = 0; i < s->count; i++) {
        double ratio = exp(s->list[i].ratio);
        out->low = fmin(out->low, ratio), out->high = fmax(out->high, ratio);
        if (fabs(ratio - 1) > worst) worst = fabs(ratio - 1), out->where = kind_names[s->list[i].kind];
    }
    out->largest = fmax(worst, out->random), out->directions = s->looked;
    return NIGH_OK;
}

nigh_status nigh_gauge_measure(nigh_context *ctx, const nigh_gauge *g, const nigh_subset *subset, nigh_distortion *out)
{
    nigh_status status = check_subset(ctx, g, subset);
    if (status) return status;
    int64_t k = g->k, most = g->options.random + 4 * g->options.starts + 2 * GAUGE_CONDITIONS + k;
    nigh_distortion found = {.proved = INFINITY};
    double *u = dense_doubles(ctx, subset->count * k);
    search s = {.g = g, .sample = {subset->count, u, subset->weight}, .threads = nigh_context_threads(ctx)};
    s.room = dense_doubles(ctx, gauge_room(g, subset->count)), s.other = dense_doubles(ctx, k);
    s.z = dense_doubles(ctx, most * k), s.list = nigh_alloc(ctx, (size_t)most * sizeof *s.list);
    status = u && s.room && s.other && s.z && s.list ? take_sample(ctx, g, subset, u) : NIGH_MEMORY;
    int before = dense_enter(ctx, 0);
    if (!status) status = search_all(ctx, &s, subset, &found);
    if (!status && g->lift.count && !g->options.unproved) status = proved(ctx, g, &s.sample, &found.proved);
    dense_leave(before);
    if (!status) *out = found;
    nigh_free(ctx, u);
    nigh_free(ctx, s.room);
    nigh_free(ctx, s.other);
    nigh_free(ctx, s.z);
    nigh_free(ctx, s.list);
    return status;
}

nigh_status nigh_gauge_ratio(nigh_context *ctx, const nigh_gauge *g, const nigh_subset *subset, const double *x, double *ratio)
{
    nigh_status status = check_subset(ctx, g, subset);
    if (status) return status;
    double *z = dense_doubles(ctx, g->k), *row = dense_doubles(ctx, g->space.columns), all = 0, some = 0;
    status = z && row ? NIGH_OK : NIGH_MEMORY;
    if (!status) { /* x on the row space: A x = U root x */
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)g->k, (int)g->space.columns, 1, g->space.root, (int)g->space.columns, x, 1, 0, z, 1);
        status = gauge_all(ctx, g, 1, z, &all);
    }
    for (int64_t i = 0; i < subset->count && !status; i++) {
        double sum = 0;
        g->a.source.fill(&g->a, subset->index[i], subset->index[i] + 1, row);
        for (int64_t j = 0; j < g->space.columns; j++) sum += row[j] * x[j];
        some += subset->weight[i] * row_power(sum, g->p);
    }
    if (!status && !(all > 0)) status = nigh_fail(ctx, NIGH_INVALID, "A x is 0: there is no ratio");
    if (!status) *ratio = some / all;
    nigh_free(ctx, z);
    nigh_free(ctx, row);
    return status;
}
