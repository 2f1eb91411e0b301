/* Dual coordinate descent of a linear support vector machine; see nigh/linear.h. */
#include <math.h>
#include <string.h>

#include "nigh/random.h"
#include "nn/linear.h"

typedef struct machine {
    const nigh_linear_data *data;
    const int32_t *label;
    const nigh_linear_options *options;
    double c, bias;             /* bias: 1 with an intercept */
    double *w, *alpha, *square; /* w[d+1] = sum alpha_i y_i (x_i, bias); |(x_i, bias)|^2 + diagonal_i */
    int64_t *order;             /* rows still in play first */
    int64_t active;
} machine;

static double sign_of(const machine *m, int64_t i) { return m->label[i] ? 1 : -1; }

/* The dual's box and diagonal: hinge [0, c_i] and 0; squared [0, inf) and 1 / (2 c_i). */
static double cap(const machine *m, int64_t i)
{
    double c = m->c * linear_weight(m->data, i);
    return m->options->squared && c > 0 ? INFINITY : c;
}

static double diagonal(const machine *m, int64_t i)
{
    double c = m->c * linear_weight(m->data, i);
    return m->options->squared && c > 0 ? 1 / (2 * c) : 0;
}

static double score(const machine *m, int64_t i)
{
    int64_t d = m->data->d;
    const double *x = m->data->x + i * d;
    double sum[4] = {m->w[d] * m->bias};
    for (int64_t j = 0; j < d; j++) sum[j & 3] += m->w[j] * x[j];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Objective and duality gap over all rows. */
static void measure(const machine *m, double *objective, double *gap)
{
    double norm = 0, loss = 0, dual = 0;
    for (int64_t j = 0; j <= m->data->d; j++) norm += m->w[j] * m->w[j];
    for (int64_t i = 0; i < m->data->n; i++) {
        double hinge = fmax(0, 1 - sign_of(m, i) * score(m, i)), c = m->c * linear_weight(m->data, i), a = m->alpha[i];
        loss += c * (m->options->squared ? hinge * hinge : hinge);
        dual += a - diagonal(m, i) * a * a / 2;
    }
    *objective = norm / 2 + loss;
    *gap = fmax(norm + loss - dual, 0);
}

/* One row: the exact minimum along its coordinate; returns the slope that its box leaves. */
static double improve(machine *m, int64_t i)
{
    double y = sign_of(m, i), a = m->alpha[i], top = cap(m, i), g = y * score(m, i) - 1 + diagonal(m, i) * a;
    double left = a <= 0 ? fmin(g, 0) : a >= top ? fmax(g, 0) : g;
    if (left == 0 || !(m->square[i] > 0)) return left;
    m->alpha[i] = fmin(fmax(a - g / m->square[i], 0), top);
    double step = (m->alpha[i] - a) * y;
    const double *x = m->data->x + i * m->data->d;
    for (int64_t j = 0; j < m->data->d; j++) m->w[j] += step * x[j];
    m->w[m->data->d] += step * m->bias;
    return left;
}

/* A pass in random order. Rows at a bound whose slope lies beyond the last pass's extremes leave the game. */
static void pass(machine *m, nigh_rng *rng, double bound[2])
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t k = m->active - 1; k > 0; k--) {
        int64_t other = (int64_t)((double)(k + 1) * nigh_rng_f64(rng)), row = m->order[k];
        m->order[k] = m->order[other], m->order[other] = row;
    }
    for (int64_t k = 0; k < m->active; k++) {
        int64_t i = m->order[k];
        double a = m->alpha[i], top = cap(m, i), g = sign_of(m, i) * score(m, i) - 1 + diagonal(m, i) * a;
        if ((a <= 0 && g > bound[1]) || (a >= top && g < bound[0]) || top <= 0) {
            m->order[k--] = m->order[--m->active];
            m->order[m->active] = i;
            continue;
        }
        double left = improve(m, i);
        low = fmin(low, left), high = fmax(high, left);
    }
    bound[0] = low < 0 ? low : -INFINITY;
    bound[1] = high > 0 ? high : INFINITY;
}

static nigh_status descend(nigh_context *ctx, machine *m, double goal, int64_t passes, nigh_linear_fit *fit)
{
    nigh_rng rng = nigh_rng_new(m->options->seed, 0x73766d); /* "svm" */
    double bound[2] = {-INFINITY, INFINITY};
    int64_t n = m->data->n;
    m->active = n;
    for (int64_t k = 0; k < passes; k++) {
        nigh_status status = nigh_poll(ctx);
        if (status) return status;
        pass(m, &rng, bound);
        measure(m, &fit->objective, &fit->gap);
        fit->iterations = k + 1;
        fit->met = fit->gap <= goal;
        if (m->options->observe) {
            double intercept = m->w[m->data->d] * m->bias;
            status = m->options->observe(m->options->user, k, m->w, &intercept, fit->objective, fit->gap);
            if (status) return status;
        }
        if (fit->met) break;
        bool settled = bound[1] - bound[0] < 1e-3 * goal / (1 + m->c) || m->active == 0;
        if (settled || k % 10 == 9) m->active = n, bound[0] = -INFINITY, bound[1] = INFINITY; /* all rows once more */
    }
    return NIGH_OK;
}

nigh_status nigh_svm(nigh_context *ctx, const nigh_linear_data *data, const int32_t *label, const nigh_linear_options *options, double *w,
                     double *intercept, nigh_linear_fit *fit)
{
    nigh_linear_options o = {0};
    if (options) o = *options;
    double total;
    nigh_status status = linear_check(ctx, data, &total);
    if (!status) status = linear_check_labels(ctx, data, 2, label, false);
    if (status) return status;
    if (!o.no_intercept && !intercept) return nigh_fail(ctx, NIGH_INVALID, "intercept is NULL; set no_intercept for none");
    if (o.c == 0) o.c = 1;
    if (!(o.c > 0 && o.c < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "c is %g; a positive number is allowed", o.c);
    machine m = {.data = data, .label = label, .options = &o, .c = o.c, .bias = o.no_intercept ? 0 : 1};
    m.w = linear_numbers(ctx, data->d + 1, 1, 1);
    m.alpha = linear_numbers(ctx, data->n, 1, 1);
    m.square = linear_numbers(ctx, data->n, 1, 1);
    m.order = nigh_alloc_zero(ctx, (size_t)data->n, sizeof *m.order);
    nigh_linear_fit found = {0};
    status = m.w && m.alpha && m.square && m.order ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < data->n && !status; i++) {
        m.order[i] = i;
        m.square[i] = m.bias + diagonal(&m, i);
        for (int64_t j = 0; j < data->d; j++) m.square[i] += data->x[i * data->d + j] * data->x[i * data->d + j];
    }
    if (!status) status = descend(ctx, &m, (o.tolerance > 0 ? o.tolerance : 1e-4) * o.c * total, o.iterations > 0 ? o.iterations : 10000, &found);
    if (!status) {
        memcpy(w, m.w, (size_t)data->d * sizeof *w);
        if (intercept) *intercept = m.w[data->d] * m.bias;
        if (fit) *fit = found;
    }
    nigh_free(ctx, m.w);
    nigh_free(ctx, m.alpha);
    nigh_free(ctx, m.square);
    nigh_free(ctx, m.order);
    return status;
}
