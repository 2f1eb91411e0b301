/* Draws by chance and calibration; see summary_vector.h. Caratheodory's exact sums are in summary_exact.c. */
#include "reduce/summary_vector.h"

#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- classes -------------------------------------------------------------------------------------------- */

nigh_status summary_classes_new(nigh_context *ctx, int64_t n, const double *y, const double *weight, summary_classes *out)
{
    summary_classes c = {.classes = 1, .n = n};
    for (int64_t i = 0; i < n; i++)
        if (!weight || weight[i] > 0) c.count[y && y[i] > 0.5]++;
    int64_t all = c.count[0] + c.count[1], at[2] = {0, 0};
    if (c.count[0] && c.count[1]) c.classes = 2;
    else c.count[0] = all, c.count[1] = 0;
    if (c.classes == 2 || all < n) {
        if (!(c.member[0] = nigh_alloc(ctx, (size_t)all * sizeof *c.member[0]))) return NIGH_MEMORY;
        c.member[1] = c.member[0] + c.count[0];
        for (int64_t i = 0; i < n; i++) {
            int k = c.classes == 2 && y[i] > 0.5;
            if (!weight || weight[i] > 0) c.member[k][at[k]++] = i;
        }
    }
    *out = c;
    return NIGH_OK;
}

void summary_classes_free(nigh_context *ctx, summary_classes *classes)
{
    nigh_free(ctx, classes->member[0]);
    *classes = (summary_classes){0};
}

int64_t summary_row(const summary_classes *classes, int c, int64_t i) { return classes->member[c] ? classes->member[c][i] : i; }

static int64_t clip(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

void summary_budget(const summary_classes *classes, int64_t m, double share, int64_t least, int64_t budget[2])
{
    const int64_t *count = classes->count;
    m = clip(m, 0, count[0] + count[1]);
    budget[0] = m, budget[1] = 0;
    if (classes->classes < 2) return;
    least = clip(least, 1, m / 2);
    budget[1] = clip(llround(share * (double)m), least, m - least);
    budget[1] = clip(budget[1], m - count[0], count[1]); /* all of a small class, the rest to the other */
    budget[0] = m - budget[1];
}

/* ---- draws ------------------------------------------------------------------------------------------------ */

static int64_t most_rows(const summary_classes *classes, const int64_t budget[2]) { return budget[0] + (classes->classes > 1 ? budget[1] : 0); }

static nigh_status begin(nigh_context *ctx, int64_t room, nigh_subset *s)
{
    *s = (nigh_subset){.index = nigh_alloc(ctx, (size_t)(room + 1) * sizeof *s->index), .weight = nigh_alloc(ctx, (size_t)(room + 1) * sizeof *s->weight)};
    if (s->index && s->weight) return NIGH_OK;
    nigh_free(ctx, s->index);
    nigh_free(ctx, s->weight);
    return NIGH_MEMORY;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The rows of class 1 stand behind those of class 0, both increasing: one list. */
static nigh_status merge_classes(nigh_context *ctx, int64_t zeros, nigh_subset *s)
{
    int64_t count = s->count, a = 0, b = zeros;
    if (!zeros || zeros == count) return NIGH_OK;
    nigh_subset sorted;
    nigh_status status = begin(ctx, count, &sorted);
    if (status) return status;
    for (; sorted.count < count; sorted.count++) {
        int64_t from = b == count || (a < zeros && s->index[a] < s->index[b]) ? a++ : b++;
        sorted.index[sorted.count] = s->index[from], sorted.weight[sorted.count] = s->weight[from];
    }
    nigh_free(ctx, s->index);
    nigh_free(ctx, s->weight);
    *s = sorted;
    return NIGH_OK;
}

static nigh_status finish(nigh_context *ctx, nigh_status status, int64_t zeros, nigh_subset *s, nigh_subset *out)
{
    if (!status) status = merge_classes(ctx, zeros, s);
    if (status) {
        nigh_free(ctx, s->index);
        nigh_free(ctx, s->weight);
        return status;
    }
    *out = *s;
    return NIGH_OK;
}

nigh_status summary_uniform(nigh_context *ctx, const summary_classes *classes, const int64_t budget[2], nigh_rng *rng, nigh_subset *out)
{
    nigh_subset s;
    int64_t zeros = 0;
    nigh_status status = begin(ctx, most_rows(classes, budget), &s);
    if (status) return status;
    for (int c = 0; c < classes->classes && !status; c++) {
        int64_t *index = s.index + s.count, k = budget[c];
        status = nigh_rng_choose(ctx, rng, classes->count[c], k, index);
        if (status) break;
        qsort(index, (size_t)k, sizeof *index, by_number);
        for (int64_t i = 0; i < k; i++) {
            index[i] = summary_row(classes, c, index[i]);
            s.weight[s.count + i] = (double)classes->count[c] / (double)k;
        }
        s.count += k;
        if (!c) zeros = k;
    }
    return finish(ctx, status, zeros, &s, out);
}

/* The scores of one class. */
typedef struct scored {
    const summary_classes *classes;
    const double *score;
    int c;
} scored;

static double score_of(const scored *s, int64_t i) { return s->score[summary_row(s->classes, s->c, i)]; }

static nigh_status check_scores(nigh_context *ctx, int64_t n, const double *score)
{
    for (int64_t i = 0; i < n; i++)
        if (!(score[i] >= 0) || isinf(score[i])) return nigh_fail(ctx, NIGH_INVALID, "score %lld is %g; a finite number of at least 0 is allowed", (long long)i, score[i]);
    return NIGH_OK;
}

/*
 * Rows of at least the limit are taken surely, *taken of them; *rest is the sum of the others' scores, and limit = rest / (k - taken). The limit only falls: from
 * sum / k, and rarely below half of that. At most 2 k rows lie above that half; after two passes over all scores only these are looked at.
 */
static double find_limit(const scored *s, int64_t k, double *heavy /* [2 k] */, int64_t *taken, double *rest)
{
    int64_t n = s->classes->count[s->c], count = 0;
    double sum = 0, largest = 0, light = 0, limit = INFINITY; /* light: sum of those below the half */
    for (int64_t i = 0; i < n; i++) {
        double x = score_of(s, i);
        sum += x;
        largest = x > largest ? x : largest;
    }
    *taken = 0, *rest = sum;
    if (k < 1 || !(sum > 0)) return INFINITY;
    double first = sum / (double)k;
    if (largest < first) return first;
    for (int64_t i = 0; i < n; i++) {
        double x = score_of(s, i);
        if (x >= 0.5 * first && count < 2 * k) heavy[count++] = x;
        else light += x;
    }
    for (int64_t before = -1; *taken != before && *taken < k && *rest > 0;) {
        limit = *rest / (double)(k - *taken);
        bool few = limit >= 0.5 * first;
        before = *taken, *taken = 0, *rest = few ? light : 0;
        for (int64_t i = 0, last = few ? count : n; i < last; i++) {
            double x = few ? heavy[i] : score_of(s, i);
            if (x >= limit) ++*taken;
            else *rest += x;
        }
    }
    return limit;
}

static void draw_scores(const scored *s, int64_t k, double *heavy, nigh_rng *rng, nigh_subset *out, int64_t *taken)
{
    int64_t n = s->classes->count[s->c], sure, drawn = 0;
    double rest, sum = 0, limit = find_limit(s, k, heavy, &sure, &rest);
    int64_t strata = k > sure ? k - sure : 0;
    double step = strata ? rest / (double)strata : 0, next = strata ? step * nigh_rng_f64(rng) : INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double x = score_of(s, i);
        int64_t times = 0;
        if (x >= limit) {
            out->index[out->count] = summary_row(s->classes, s->c, i), out->weight[out->count++] = 1;
            continue;
        }
        sum += x;
        for (; drawn < strata && x > 0 && next < sum; times++) {
            drawn++;
            next = step * ((double)drawn + nigh_rng_f64(rng));
        }
        if (times) out->index[out->count] = summary_row(s->classes, s->c, i), out->weight[out->count++] = (double)times * step / x;
    }
    *taken += sure;
}

nigh_status summary_scores(nigh_context *ctx, const summary_classes *classes, const double *score, const int64_t budget[2], nigh_rng *rng, nigh_subset *out,
                           int64_t *taken)
{
    nigh_subset s;
    int64_t zeros = 0, sure = 0;
    nigh_status status = check_scores(ctx, classes->n, score);
    if (!status) status = begin(ctx, most_rows(classes, budget), &s);
    if (status) return status;
    double *heavy = nigh_alloc(ctx, 2 * (size_t)(most_rows(classes, budget) + 1) * sizeof *heavy);
    if (!heavy) status = NIGH_MEMORY;
    for (int c = 0; c < classes->classes && !status; c++) {
        draw_scores(&(scored){classes, score, c}, budget[c], heavy, rng, &s, &sure);
        if (!c) zeros = s.count;
    }
    nigh_free(ctx, heavy);
    status = finish(ctx, status, zeros, &s, out);
    if (!status && taken) *taken = sure;
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void draw_independent(const scored *s, int64_t k, nigh_rng *rng, double *place, nigh_subset *out)
{
    int64_t n = s->classes->count[s->c], drawn = 0;
    double sum = 0, all = 0;
    for (int64_t i = 0; i < n; i++) all += score_of(s, i);
    for (int64_t j = 0; j < k; j++) place[j] = all * nigh_rng_f64(rng);
    qsort(place, (size_t)k, sizeof *place, by_value);
    for (int64_t i = 0; i < n && drawn < k; i++) {
        double x = score_of(s, i);
        int64_t times = 0;
        sum += x;
        for (; drawn < k && x > 0 && place[drawn] < sum; drawn++) times++;
        if (times) out->index[out->count] = summary_row(s->classes, s->c, i), out->weight[out->count++] = (double)times * all / ((double)k * x);
    }
}

nigh_status summary_independent(nigh_context *ctx, const summary_classes *classes, const double *score, const int64_t budget[2], nigh_rng *rng, nigh_subset *out)
{
    nigh_subset s;
    int64_t zeros = 0;
    nigh_status status = check_scores(ctx, classes->n, score);
    if (!status) status = begin(ctx, most_rows(classes, budget), &s);
    if (status) return status;
    double *place = nigh_alloc(ctx, (size_t)(most_rows(classes, budget) + 1) * sizeof *place);
    if (!place) status = NIGH_MEMORY;
    for (int c = 0; c < classes->classes && !status; c++) {
        draw_independent(&(scored){classes, score, c}, budget[c], rng, place, &s);
        if (!c) zeros = s.count;
    }
    nigh_free(ctx, place);
    return finish(ctx, status, zeros, &s, out);
}

/* ---- calibration ---------------------------------------------------------------------------------------------- */

double summary_distance(int64_t count, int64_t t, const double *value, const double *target, const double *weight)
{
    double distance = 0;
    for (int64_t k = 0; k < t; k++) {
        double sum = -target[k];
        for (int64_t i = 0; i < count; i++) sum += weight[i] * value[k * count + i];
        distance += sum * sum;
    }
    return distance;
}

/* Work of summary_calibrate: numbers and targets in units of the sums of weight |number|. */
typedef struct calibration {
    int64_t count, t;
    double *value, *target, *gram, *missing, *weighted, *first;
} calibration;

static void to_units(const calibration *c, const double *value, const double *target, const double *weight)
{
    for (int64_t k = 0; k < c->t; k++) {
        double sum = 0;
        for (int64_t i = 0; i < c->count; i++) sum += weight[i] * fabs(value[k * c->count + i]);
        double unit = sum > 0 ? 1 / sum : 0;
        for (int64_t i = 0; i < c->count; i++) c->value[k * c->count + i] = unit * value[k * c->count + i];
        c->target[k] = unit * target[k];
    }
}

/* The Gram matrix of the numbers under the weights, with a ridge that keeps numbers which depend on each other harmless, and what is missing. */
static void normal_equations(const calibration *c, const double *weight)
{
    int64_t count = c->count, t = c->t;
    double trace = 0;
    for (int64_t k = 0; k < t; k++) {
        c->missing[k] = c->target[k];
        for (int64_t i = 0; i < count; i++) {
            c->weighted[i] = weight[i] * c->value[k * count + i];
            c->missing[k] -= c->weighted[i];
        }
        for (int64_t j = 0; j <= k; j++) {
            double dot = 0;
            for (int64_t i = 0; i < count; i++) dot += c->weighted[i] * c->value[j * count + i];
            c->gram[k * t + j] = dot;
        }
        trace += c->gram[k * t + k];
    }
    for (int64_t k = 0; k < t; k++) c->gram[k * t + k] += 1e-9 * trace / (double)t;
}

nigh_status summary_calibrate(nigh_context *ctx, int64_t count, int64_t t, const double *value, const double *target, double *weight)
{
    enum { ROUNDS = 6 };
    const double most = 5;
    if (count < 1 || t < 1) return NIGH_OK;
    double *room = nigh_alloc(ctx, (size_t)(count * t + t * t + 2 * t + 2 * count) * sizeof *room);
    if (!room) return NIGH_MEMORY;
    calibration c = {.count = count, .t = t, .value = room, .target = room + count * t};
    c.gram = c.target + t, c.missing = c.gram + t * t, c.weighted = c.missing + t, c.first = c.weighted + count;
    memcpy(c.first, weight, (size_t)count * sizeof *weight);
    to_units(&c, value, target, weight);
    nigh_status status = NIGH_OK;
    for (int round = 0; round < ROUNDS && !status; round++) {
        normal_equations(&c, weight);
        status = linalg_cholesky_solve(ctx, t, 1, c.gram, c.missing, NULL);
        if (status == NIGH_INVALID) { /* all numbers are 0: nothing to move */
            status = NIGH_OK;
            break;
        }
        for (int64_t i = 0; i < count && !status; i++) {
            double factor = 1;
            for (int64_t k = 0; k < t; k++) factor += c.missing[k] * c.value[k * count + i];
            weight[i] = fmin(fmax(weight[i] * fmax(factor, 0), c.first[i] / most), c.first[i] * most);
        }
    }
    nigh_free(ctx, room);
    return status;
}
