/* Sensitivities of many rows, their cheap bounds, and their sum; see nigh/sensitivity.h. */
#include "nigh/sensitivity.h"

#include "reduce/powers.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

/* Coordinates of all rows, and one solve a row, threads over rows. */
static nigh_status solve_all(nigh_context *ctx, const sensitivity_problem *s, int64_t count, const int64_t *index, double *lower, double *upper)
{
    int threads = nigh_context_threads(ctx);
    if (threads > count) threads = (int)count;
    size_t size = (sensitivity_room(s->m, s->k) + (size_t)s->k + 7) / 8 * 8;
    double *room = dense_doubles(ctx, (int64_t)size * threads);
    if (!room) return NIGH_MEMORY;
    int before = dense_enter(ctx, 0);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (threads > 1)
    for (int64_t i = 0; i < count; i++) {
        int self = 0;
#if defined(_OPENMP)
        self = omp_get_thread_num();
#endif
        double *own = room + size * (size_t)self, low, high;
        sensitivity_solve(s, s->u + (index ? index[i] : i) * s->k, own + s->k, own, &low, &high);
        if (lower) lower[i] = fmin(low, 1);
        if (upper) upper[i] = fmin(high, 1);
    }
    dense_leave(before);
    nigh_free(ctx, room);
    return nigh_poll(ctx);
}

nigh_status nigh_sensitivities(nigh_context *ctx, const nigh_rows *rows, int columns, double p, int64_t count, const int64_t *index, double tolerance,
                               double *lower, double *upper)
{
    row_matrix a;
    row_space space = {0};
    double *u = NULL;
    nigh_status status = power_check(ctx, p);
    if (!status && (!(tolerance >= 0) || count < 1 || (!index && count != rows->n)))
        status = nigh_fail(ctx, NIGH_INVALID, "sensitivities of %lld rows of %lld to a tolerance of %g; without an index all rows are meant", (long long)count,
                           (long long)rows->n, tolerance);
    for (int64_t i = 0; i < count && index && !status; i++)
        if (index[i] < 0 || index[i] >= rows->n)
            status = nigh_fail(ctx, NIGH_INVALID, "index[%lld] is %lld; 0 to %lld is allowed", (long long)i, (long long)index[i], (long long)rows->n - 1);
    if (!status) status = row_matrix_new(ctx, rows, columns, p, &a);
    if (status) return status;
    status = row_space_new(ctx, &a.source, &space);
    if (!status && !(u = dense_doubles(ctx, rows->n * space.rank))) status = NIGH_MEMORY;
    if (!status) status = row_space_map(ctx, &a.source, space.rank, space.m, u);
    sensitivity_problem s = {.m = rows->n, .k = space.rank, .u = u, .p = p, .tolerance = tolerance > 0 ? tolerance : 1e-9, .steps = 100};
    if (!status && space.rank > 0) status = solve_all(ctx, &s, count, index, lower, upper);
    for (int64_t i = 0; i < count && !status && space.rank == 0; i++) {
        if (lower) lower[i] = 0;
        if (upper) upper[i] = 0;
    }
    row_space_free(ctx, &space);
    nigh_free(ctx, u);
    row_matrix_free(ctx, &a);
    return status;
}

/* ---- bounds ---- */

/* score = min(score, by other^power). */
static void least(int64_t n, double by, double power, const double *other, double *score)
{
    for (int64_t i = 0; i < n; i++) score[i] = fmin(score[i], by * row_power(other[i], power));
}

nigh_status sensitivity_bounds_of(nigh_context *ctx, const row_source *source, double p, double *score, double *tau, int64_t *products, nigh_scores *found)
{
    int64_t n = source->n;
    row_space space = {0};
    nigh_scores lewis;
    lift l = {0};
    double *other = dense_doubles(ctx, n);
    *products = 0;
    nigh_status status = other ? row_space_new(ctx, source, &space) : NIGH_MEMORY;
    if (!status) status = row_space_scores(ctx, source, space.rank, space.m, other);
    if (status) goto done;
    *found = (nigh_scores){.columns = space.columns, .rank = space.rank, .condition = space.condition, .how = space.how};
    if (tau) memcpy(tau, other, (size_t)n * sizeof *tau);
    for (int64_t i = 0; i < n; i++) score[i] = 1;
    least(n, p > 2 ? pow((double)n, p / 2 - 1) : 1, p / 2, other, score);
    if (p != 2 && space.rank > 0) {
        status = lewis_of(ctx, source, p, 15, 1e-3, other, &lewis);
        /* Weights that are off by exp(+-e) bound the sensitivities with a factor of as much to a small power. */
        if (!status) least(n, exp(fmax(1, p / 2) * 2 * lewis.residual) * (p > 2 ? pow((double)space.rank, p / 2 - 1) : 1), 1, other, score);
    }
    if (!status && p > 2 && space.rank > 0 && space.columns <= LIFT_MOST && lift_fits(p, space.rank, n)) {
        status = lift_new(ctx, source, p, &space, &l);
        if (!status) status = lift_scores(ctx, source, &l, other);
        if (!status) least(n, 1, 1, other, score), *products = l.count;
    }
    if (!status) scores_count(n, score, found);
done:
    lift_free(ctx, &l);
    row_space_free(ctx, &space);
    nigh_free(ctx, other);
    return status;
}

nigh_status nigh_sensitivity_bounds(nigh_context *ctx, const nigh_rows *rows, int columns, double p, double *score, int64_t *products, nigh_scores *found)
{
    row_matrix a;
    nigh_scores here;
    int64_t used;
    nigh_status status = power_check(ctx, p);
    if (!status) status = row_matrix_new(ctx, rows, columns, p, &a);
    if (status) return status;
    double *out = dense_doubles(ctx, rows->n);
    status = out ? sensitivity_bounds_of(ctx, &a.source, p, out, NULL, &used, &here) : NIGH_MEMORY;
    if (!status) {
        memcpy(score, out, (size_t)rows->n * sizeof *score);
        if (products) *products = used;
        if (found) *found = here;
    }
    nigh_free(ctx, out);
    row_matrix_free(ctx, &a);
    return status;
}

/* ---- the sum ---- */

nigh_status nigh_sensitivity_total(nigh_context *ctx, const nigh_rows *rows, int columns, double p, const double *bound, int64_t draws, nigh_rng *rng,
                                   double *total, double *error)
{
    if (draws == 0) draws = 100;
    if (draws < 2) return nigh_fail(ctx, NIGH_INVALID, "draws is %lld; 2 or more are allowed", (long long)draws);
    nigh_alias *alias = NULL;
    int64_t *index = nigh_alloc(ctx, (size_t)draws * sizeof *index);
    double *sigma = dense_doubles(ctx, draws), sum = 0, mean = 0, square = 0;
    nigh_status status = index && sigma ? nigh_alias_new(ctx, rows->n, bound, &alias) : NIGH_MEMORY;
    for (int64_t i = 0; i < draws && !status; i++) index[i] = nigh_alias_draw(alias, rng);
    if (!status) status = nigh_sensitivities(ctx, rows, columns, p, draws, index, 1e-4, sigma, NULL);
    if (!status) {
        for (int64_t i = 0; i < rows->n; i++) sum += bound[i];
        for (int64_t i = 0; i < draws; i++) {
            double value = sigma[i] / bound[index[i]] * sum;
            mean += value / (double)draws, square += value * value / (double)draws;
        }
        *total = mean, *error = sqrt(fmax(0, square - mean * mean) / (double)(draws - 1));
    }
    nigh_alias_free(alias);
    nigh_free(ctx, sigma);
    nigh_free(ctx, index);
    return status;
}
