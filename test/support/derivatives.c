/* Declared in derivatives.h. */
#include "derivatives.h"

#include "nigh/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MOST_INPUTS = 8, MOST_ORDER = 4 };

typedef struct problem {
    const char *name;
    nigh_context *ctx;
    nigh_dtype dtype;
    int n;
    nigh_tape *tape;
    nigh_node x[MOST_INPUTS], s[MOST_ORDER + 1], g[MOST_ORDER + 1][MOST_INPUTS];
    int64_t count[MOST_INPUTS];    /* reals */
    double *at[MOST_INPUTS], *way[MOST_INPUTS];
} problem;

#define OK(p, call)                                                                                                                        \
    do {                                                                                                                                   \
        if (call) fail_msg("%s: %s", (p)->name, nigh_message((p)->ctx));                                                                   \
    } while (0)

static nigh_node draw_constant(problem *p, const nigh_shape *shape, nigh_rng *rng, double low, double high)
{
    int64_t count = nigh_shape_count(shape) * (shape->dtype == NIGH_C64 || shape->dtype == NIGH_C128 ? 2 : 1);
    double *v = malloc((size_t)(count + 1) * sizeof *v);
    float *f = malloc((size_t)(count + 1) * sizeof *f);
    for (int64_t i = 0; i < count; i++) v[i] = low + (high - low) * nigh_rng_f64(rng), f[i] = (float)v[i];
    nigh_node node = nigh_tape_constant(p->tape, shape->dtype, shape->ndim, shape->dim, p->dtype == NIGH_F64 ? (void *)v : (void *)f);
    free(v);
    free(f);
    return node;
}

/* sum of weights times y, real; for complex y of both parts. */
static nigh_node project(problem *p, nigh_node y, nigh_rng *rng)
{
    const nigh_shape shape = *nigh_tape_shape(p->tape, y);
    nigh_node w = draw_constant(p, &shape, rng, 0.5, 1.5), product = nigh_tape_mul(p->tape, y, w);
    if (shape.dtype == NIGH_C64 || shape.dtype == NIGH_C128)
        product = nigh_tape_add(p->tape, nigh_tape_real(p->tape, product), nigh_tape_imag(p->tape, product));
    return nigh_tape_sum(p->tape, product, NIGH_ALL, false);
}

static nigh_dtype complex_of(nigh_dtype dtype) { return dtype == NIGH_F64 ? NIGH_C128 : NIGH_C64; }

static void record(problem *p, derivatives_fn *fn, void *user, const derivatives_input *input, int order)
{
    nigh_rng rng = nigh_rng_new(17, 3);
    OK(p, nigh_tape_new(p->ctx, &p->tape));
    for (int i = 0; i < p->n; i++)
        p->x[i] = nigh_tape_input(p->tape, "x", input[i].complex ? complex_of(p->dtype) : p->dtype, input[i].ndim, input[i].dim);
    nigh_node y = fn(p->tape, p->x, user);
    OK(p, nigh_tape_status(p->tape));
    p->s[0] = project(p, y, &rng);
    for (int k = 0; k <= order; k++) {
        OK(p, nigh_tape_gradient(p->tape, p->s[k], NIGH_NONE, p->n, p->x, p->g[k]));
        if (k == order) break;
        p->s[k + 1] = NIGH_NONE;
        for (int i = 0; i < p->n; i++) {
            nigh_node part = project(p, p->g[k][i], &rng);
            p->s[k + 1] = p->s[k + 1] == NIGH_NONE ? part : nigh_tape_add(p->tape, p->s[k + 1], part);
        }
    }
    OK(p, nigh_tape_status(p->tape));
}

static void set_inputs(problem *p, nigh_executor *run, double h)
{
    for (int i = 0; i < p->n; i++) {
        if (!nigh_executor_has(run, p->x[i])) continue;
        void *data = nigh_executor_data(run, p->x[i]);
        for (int64_t k = 0; k < p->count[i]; k++) {
            double v = p->at[i][k] + h * p->way[i][k];
            if (p->dtype == NIGH_F64) ((double *)data)[k] = v;
            else ((float *)data)[k] = (float)v;
        }
    }
}

static double number(const problem *p, nigh_executor *run, nigh_node node)
{
    const void *data = nigh_executor_data(run, node);
    return p->dtype == NIGH_F64 ? *(const double *)data : *(const float *)data;
}

/* Derivative of s[k] along the way: recorded, and its scale. */
static double recorded(problem *p, int k, double *scale)
{
    nigh_executor *run;
    double total = 0;
    OK(p, nigh_executor_new(p->ctx, p->tape, p->n, p->g[k], &run));
    set_inputs(p, run, 0);
    OK(p, nigh_executor_run(run));
    *scale = 1e-3;
    for (int i = 0; i < p->n; i++) {
        const void *g = nigh_executor_data(run, p->g[k][i]);
        for (int64_t j = 0; j < p->count[i]; j++) {
            double v = p->way[i][j] * (p->dtype == NIGH_F64 ? ((const double *)g)[j] : (double)((const float *)g)[j]);
            total += v;
            *scale += fabs(v);
        }
    }
    nigh_executor_free(run);
    return total;
}

/* The same by a central difference of order 4. */
static double differenced(problem *p, int k)
{
    nigh_executor *run;
    double f[4], h = 1e-3;
    OK(p, nigh_executor_new(p->ctx, p->tape, 1, &p->s[k], &run));
    for (int i = 0; i < 4; i++) {
        set_inputs(p, run, (i - 2 + (i > 1)) * h);
        OK(p, nigh_executor_run(run));
        f[i] = number(p, run, p->s[k]);
    }
    nigh_executor_free(run);
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void draw_point(problem *p, const derivatives_input *input)
{
    nigh_rng rng = nigh_rng_new(5, 9);
    for (int i = 0; i < p->n; i++) {
        double low = input[i].low, high = input[i].high;
        if (low == 0 && high == 0) low = -1, high = 1;
        p->count[i] = input[i].complex ? 2 : 1;
        for (int k = 0; k < input[i].ndim; k++) p->count[i] *= input[i].dim[k];
        p->at[i] = malloc((size_t)(p->count[i] + 1) * sizeof(double));
        p->way[i] = malloc((size_t)(p->count[i] + 1) * sizeof(double));
        for (int64_t k = 0; k < p->count[i]; k++) {
            p->at[i][k] = (float)(low + (high - low) * nigh_rng_f64(&rng));
            p->way[i][k] = 2 * nigh_rng_f64(&rng) - 1;
        }
    }
}

void check_derivatives(const char *name, derivatives_fn *fn, void *user, int n, const derivatives_input *input, int order, double tolerance,
                       double f32_tolerance)
{
    problem p = {.name = name, .n = n, .dtype = NIGH_F64};
    double in_f64 = 0, scale64 = 1;
    assert_true(n <= MOST_INPUTS && order <= MOST_ORDER);
    assert_int_equal(nigh_context_new(&p.ctx), NIGH_OK);
    draw_point(&p, input);
    for (int single = 0; single < 2; single++) {
        p.dtype = single ? NIGH_F32 : NIGH_F64;
        record(&p, fn, user, input, single ? 0 : order - 1);
        for (int k = 0; k < (single ? 1 : order); k++) {
            double scale, a = recorded(&p, k, &scale);
            double b = single ? in_f64 : differenced(&p, k), limit = single ? (f32_tolerance > 0 ? f32_tolerance : 1e-4) : tolerance;
            if (!(fabs(a - b) <= limit * scale))
                fail_msg("%s: derivative of order %d in %s is %.12g, %s %.12g (scale %.3g)", name, k + 1, single ? "f32" : "f64", a,
                         single ? "in f64" : "by differences", b, scale);
            if (!single && k == 0) in_f64 = a, scale64 = scale;
        }
        nigh_tape_free(p.tape);
    }
    (void)scale64;
    for (int i = 0; i < n; i++) free(p.at[i]), free(p.way[i]);
    nigh_context_free(p.ctx);
}
