/* Caratheodory's theorem at work: exact sums by few points; see summary_vector.h. */
#include "reduce/summary_vector.h"

#include <math.h>
#include <string.h>

/* Points of a problem in which some were removed: the sums of t numbers and of the weights stay. */
typedef struct points {
    int64_t t, count;
    const double *value; /* [count,t]: the numbers of one point stand together */
    double *weight;      /* [count] */
    int64_t *alive;      /* [count]: those of weight > 0 */
    int64_t left;
    double *matrix, *null; /* work: [t+1,t+2], [t+2] */
    int64_t *column;       /* [t+2] */
} points;

static void swap_rows(double *a, int64_t width, int64_t i, int64_t j)
{
    for (int64_t c = 0; i != j && c < width; c++) {
        double x = a[i * width + c];
        a[i * width + c] = a[j * width + c], a[j * width + c] = x;
    }
}

static void swap_columns(double *a, int64_t rows, int64_t width, int64_t *column, int64_t i, int64_t j)
{
    if (i == j) return;
    for (int64_t r = 0; r < rows; r++) {
        double x = a[r * width + i];
        a[r * width + i] = a[r * width + j], a[r * width + j] = x;
    }
    int64_t c = column[i];
    column[i] = column[j], column[j] = c;
}

/* null[rows+1] with matrix null = 0, its largest entry 1 in modulus. Elimination with complete pivoting: the product is 0 to rounding
 * whatever the rank, because the columns behind the last pivot are free and one of them is set to 1. */
static void null_vector(double *a, int64_t rows, int64_t *column, double *null)
{
    int64_t width = rows + 1, rank = 0;
    double largest = 0;
    for (int64_t c = 0; c < width; c++) column[c] = c;
    for (; rank < rows; rank++) {
        int64_t row = rank, at = rank;
        for (int64_t r = rank; r < rows; r++)
            for (int64_t c = rank; c < width; c++)
                if (fabs(a[r * width + c]) > fabs(a[row * width + at])) row = r, at = c;
        double pivot = fabs(a[row * width + at]);
        if (rank == 0) largest = pivot;
        if (!(pivot > 1e-15 * largest)) break;
        swap_rows(a, width, rank, row);
        swap_columns(a, rows, width, column, rank, at);
        for (int64_t r = rank + 1; r < rows; r++) {
            double factor = a[r * width + rank] / a[rank * width + rank];
            for (int64_t c = rank; c < width && factor != 0; c++) a[r * width + c] -= factor * a[rank * width + c];
        }
    }
    double most = 1, *x = a + rows * width; /* one row more than the matrix has */
    memset(x, 0, (size_t)width * sizeof *x);
    x[rank] = 1;
    for (int64_t r = rank - 1; r >= 0; r--) {
        double sum = 0;
        for (int64_t c = r + 1; c <= rank; c++) sum += a[r * width + c] * x[c];
        x[r] = -sum / a[r * width + r];
        most = fmax(most, fabs(x[r]));
    }
    for (int64_t c = 0; c < width; c++) null[column[c]] = x[c] / most;
}

/* One of the first t + 2 points that are left loses its weight to the others. */
static void remove_one(points *p)
{
    int64_t rows = p->t + 1, width = p->t + 2, out = -1;
    double mean = 0, step = INFINITY;
    for (int64_t c = 0; c < width; c++) mean += p->weight[p->alive[c]] / (double)width;
    for (int64_t c = 0; c < width; c++) { /* in units of the weights: those that are near 0 already are removed soon */
        double w = p->weight[p->alive[c]] / mean;
        p->matrix[c] = w;
        for (int64_t k = 0; k < p->t; k++) p->matrix[(k + 1) * width + c] = w * p->value[p->alive[c] * p->t + k];
    }
    null_vector(p->matrix, rows, p->column, p->null);
    bool positive = false;
    for (int64_t c = 0; c < width; c++) positive |= p->null[c] > 0;
    for (int64_t c = 0; c < width; c++) {
        double v = positive ? p->null[c] : -p->null[c];
        if (v > 0 && 1 / v < step) step = 1 / v, out = c;
    }
    if (!positive) step = -step;
    for (int64_t c = 0; c < width; c++) p->weight[p->alive[c]] *= fmax(0, 1 - step * p->null[c]);
    p->weight[p->alive[out]] = 0;
    int64_t kept = 0;
    for (int64_t c = 0; c < p->left; c++)
        if (p->weight[p->alive[c]] > 0) p->alive[kept++] = p->alive[c];
    p->left = kept;
}

static void thin(points *p, int64_t m)
{
    p->left = 0;
    for (int64_t i = 0; i < p->count; i++)
        if (p->weight[i] > 0) p->alive[p->left++] = i;
    while (p->left > m && p->left >= p->t + 2) remove_one(p);
}

/* Work for groups of at most `most` points of t numbers, in one block. */
typedef struct workshop {
    double *value, *weight, *before, *matrix, *null;
    int64_t *alive, *column, *order;
    void *block;
} workshop;

static nigh_status workshop_new(nigh_context *ctx, int64_t most, int64_t t, workshop *w)
{
    size_t doubles = (size_t)(most * t + 2 * most + (t + 2) * (t + 2) + t + 2), whole = (size_t)(2 * most + t + 2);
    double *d = nigh_alloc(ctx, (doubles + whole) * 8);
    if (!d) return NIGH_MEMORY;
    *w = (workshop){.block = d, .value = d, .weight = d + most * t};
    w->before = w->weight + most, w->matrix = w->before + most, w->null = w->matrix + (t + 2) * (t + 2);
    w->alive = (int64_t *)(w->null + t + 2), w->column = w->alive + most, w->order = w->column + t + 2;
    return NIGH_OK;
}

static void gather(int64_t n, int64_t t, const double *value, const double *weight, const int64_t *alive, int64_t left, int64_t groups, const int64_t *order,
                   const double *scale, double *sum, double *total)
{
    memset(sum, 0, (size_t)(groups * t) * sizeof *sum);
    memset(total, 0, (size_t)groups * sizeof *total);
    for (int64_t i = 0, g = 0; i < left; i++, g = g + 1 == groups ? 0 : g + 1) total[order[g]] += weight[alive[i]];
    for (int64_t k = 0; k < t; k++)
        for (int64_t i = 0, g = 0; i < left; i++, g = g + 1 == groups ? 0 : g + 1) sum[order[g] * t + k] += weight[alive[i]] * value[k * n + alive[i]] * scale[k];
    for (int64_t g = 0; g < groups; g++)
        for (int64_t k = 0; k < t && total[g] > 0; k++) sum[g * t + k] /= total[g];
}

/* Groups are thinned and every point of a group gets the factor of its group; then points are counted again. */
static nigh_status round_of_groups(nigh_context *ctx, int64_t n, int64_t t, const double *value, double *weight, int64_t *alive, int64_t *left, int64_t groups, int64_t keep,
                                   const double *scale, nigh_rng *rng, workshop *w)
{
    nigh_status status = nigh_rng_permutation(ctx, rng, groups, w->order);
    if (status) return status;
    gather(n, t, value, weight, alive, *left, groups, w->order, scale, w->value, w->weight);
    memcpy(w->before, w->weight, (size_t)groups * sizeof *w->before);
    points p = {.t = t, .count = groups, .value = w->value, .weight = w->weight, .alive = w->alive, .matrix = w->matrix, .null = w->null, .column = w->column};
    thin(&p, keep);
    int64_t kept = 0;
    for (int64_t i = 0, g = 0; i < *left; i++, g = g + 1 == groups ? 0 : g + 1) {
        double before = w->before[w->order[g]];
        weight[alive[i]] *= before > 0 ? w->weight[w->order[g]] / before : 0;
        if (weight[alive[i]] > 0) alive[kept++] = alive[i];
    }
    *left = kept;
    return NIGH_OK;
}

/* Columns in units of their mean modulus, so that no number decides alone which points are the pivots. */
static void scales(int64_t n, int64_t t, const double *value, const double *weight, double *scale)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += weight[i];
    for (int64_t k = 0; k < t; k++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += weight[i] * fabs(value[k * n + i]);
        scale[k] = sum > 0 ? total / sum : 1;
    }
}

nigh_status summary_caratheodory(nigh_context *ctx, int64_t n, int64_t t, const double *value, double *weight, int64_t m, bool plain, nigh_rng *rng)
{
    int64_t least = t + 1, groups = 2 * least, *alive = NULL, left = 0;
    double *scale = NULL;
    workshop w = {0};
    if (m < least) m = least;
    int64_t most = plain ? n : 2 * m > groups ? 2 * m : groups;
    nigh_status status = workshop_new(ctx, most, t, &w);
    if (!status && (!(alive = nigh_alloc(ctx, (size_t)n * sizeof *alive)) || !(scale = nigh_alloc(ctx, (size_t)(t + 1) * sizeof *scale)))) status = NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++)
        if (weight[i] > 0) alive[left++] = i;
    if (!status) scales(n, t, value, weight, scale);
    while (!status && left > most) {
        status = nigh_poll(ctx);
        if (!status) status = round_of_groups(ctx, n, t, value, weight, alive, &left, groups, least, scale, rng, &w);
    }
    if (!status && left > m) status = round_of_groups(ctx, n, t, value, weight, alive, &left, left, m, scale, rng, &w); /* every point a group of its own */
    nigh_free(ctx, w.block);
    nigh_free(ctx, scale);
    nigh_free(ctx, alive);
    return status;
}
