/* Sorting, order statistics, ranks, sums and streaming moments. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "core/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Quickselect with a median-of-three pivot and a three-way split; NaN-free input. */
double nigh_order_statistic(int64_t n, double *x, int64_t k)
{
    if (n < 1) return NAN;
    k = k < 0 ? 0 : k >= n ? n - 1 : k;
    int64_t low = 0, high = n - 1;
    while (low < high) {
        double a = x[low], b = x[low + (high - low) / 2], c = x[high];
        double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        int64_t i = low, less = low, more = high;
        while (i <= more) {
            double value = x[i];
            if (value < pivot) x[i++] = x[less], x[less++] = value;
            else if (value > pivot) x[i] = x[more], x[more--] = value;
            else i++;
        }
        if (k < less) high = less - 1;
        else if (k > more) low = more + 1;
        else return x[k];
    }
    return x[k];
}

double nigh_quantile(int64_t n, double *x, double q)
{
    if (n < 1 || !(q >= 0 && q <= 1)) return NAN;
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)floor(at);
    double low = nigh_order_statistic(n, x, k), part = at - (double)k;
    if (part == 0 || k + 1 >= n) return low;
    double next = x[k + 1]; /* after selection what follows index k is not smaller */
    for (int64_t i = k + 2; i < n; i++) next = x[i] < next ? x[i] : next;
    return low == next ? low : low + part * (next - low);
}

double nigh_median(int64_t n, double *x) { return nigh_quantile(n, x, 0.5); }

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void nigh_sort(int64_t n, double *x)
{
    if (n > 1) qsort(x, (size_t)n, sizeof *x, compare_values);
}

typedef struct item {
    double value;
    int64_t index;
} item;

static int compare_items(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

nigh_status nigh_argsort(nigh_context *ctx, int64_t n, const double *x, int64_t *order)
{
    nigh_status status = nigh_check_sample(ctx, n, 0, x, -INFINITY, INFINITY);
    if (status) return status;
    item *items = nigh_alloc_zero(ctx, (size_t)n, sizeof *items);
    if (!items) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) items[i] = (item){x[i], i};
    if (n > 1) qsort(items, (size_t)n, sizeof *items, compare_items);
    for (int64_t i = 0; i < n; i++) order[i] = items[i].index;
    nigh_free(ctx, items);
    return NIGH_OK;
}

nigh_status nigh_ranks(nigh_context *ctx, int64_t n, const double *x, double *rank, double *ties)
{
    int64_t *order = nigh_alloc_zero(ctx, (size_t)(n > 0 ? n : 0), sizeof *order);
    if (!order) return NIGH_MEMORY;
    nigh_status status = nigh_argsort(ctx, n, x, order);
    double tied = 0;
    for (int64_t i = 0, j; status == NIGH_OK && i < n; i = j) {
        for (j = i + 1; j < n && x[order[j]] == x[order[i]]; j++) continue;
        double t = (double)(j - i);
        tied += t * t * t - t;
        for (int64_t k = i; k < j; k++) rank[order[k]] = 0.5 * (double)(i + 1 + j);
    }
    if (status == NIGH_OK && ties) *ties = tied;
    nigh_free(ctx, order);
    return status;
}

double nigh_sum(int64_t n, const double *x)
{
    double sum = 0, lost = 0;
    for (int64_t i = 0; i < n; i++) {
        double next = sum + x[i];
        lost += fabs(sum) >= fabs(x[i]) ? (sum - next) + x[i] : (x[i] - next) + sum;
        sum = next;
    }
    return isfinite(lost) ? sum + lost : sum;
}

double nigh_mean(int64_t n, const double *x) { return nigh_sum(n, x) / (double)n; }

/* ---- moments ---- */

void nigh_moments_add(nigh_moments *m, double x)
{
    nigh_moments one = {.n = 1, .mean = x, .least = x, .most = x};
    nigh_moments_merge(m, &one);
}

void nigh_moments_merge(nigh_moments *into, const nigh_moments *from)
{
    if (from->n == 0) return;
    if (into->n == 0) {
        *into = *from;
        return;
    }
    double na = (double)into->n, nb = (double)from->n, n = na + nb;
    double d = from->mean - into->mean, dn = d / n, d2 = d * dn * na * nb;
    into->m4 += from->m4 + d2 * dn * dn * (na * na - na * nb + nb * nb) +
                6 * dn * dn * (na * na * from->m2 + nb * nb * into->m2) + 4 * dn * (na * from->m3 - nb * into->m3);
    into->m3 += from->m3 + d2 * dn * (na - nb) + 3 * dn * (na * from->m2 - nb * into->m2);
    into->m2 += from->m2 + d2;
    into->mean += dn * nb;
    into->n += from->n;
    into->least = from->least < into->least ? from->least : into->least;
    into->most = from->most > into->most ? from->most : into->most;
}

double nigh_moments_variance(const nigh_moments *m) { return m->n < 2 ? NAN : m->m2 / (double)(m->n - 1); }
double nigh_moments_stderr(const nigh_moments *m) { return sqrt(nigh_moments_variance(m) / (double)m->n); }
double nigh_moments_skewness(const nigh_moments *m) { return sqrt((double)m->n) * m->m3 / pow(m->m2, 1.5); }
double nigh_moments_kurtosis(const nigh_moments *m) { return (double)m->n * m->m4 / (m->m2 * m->m2) - 3; }
