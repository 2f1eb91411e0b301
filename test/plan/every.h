/*
 * A small plan of every method there is: function methods on named functions (so that every range reduction takes part)
 * in both types, map methods on 40 smooth pairs, or on the function behind them when they ask for answers of their own. For
 * tests that must hold for all methods.
 */
#ifndef NIGH_TEST_EVERY_H
#define NIGH_TEST_EVERY_H
#include "support.h"

#include "nigh/function.h"
#include "nigh/pde.h"
#include "nigh/regress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct every_case {
    const char *kind, *method, *settings;
    const char *function; /* NULL: the pairs; "": what is behind them; "field": pairs of fields; "equation": a computation on fields */
    double low, high;
    nigh_dtype type;
} every_case;

static const every_case every_cases[] = {
    {"function", "taylor", "degree=4", "exp(x)+x", 0, 0.5, NIGH_F64},
    {"function", "chebyshev", "degree=5", "cos(3*x)", -1, 1, NIGH_F32},
    {"function", "minimax", "degree=4,reduction=native", "exp", -3, 3, NIGH_F32},
    {"function", "minimax", "degree=4,reduction=native", "log", 0.1, 9, NIGH_F64},
    {"function", "minimax", "degree=4,reduction=native", "sin", -9, 9, NIGH_F32},
    {"function", "minimax", "degree=4,reduction=native", "sqrt", 0.1, 9, NIGH_F32},
    {"function", "minimax", "degree=4,reduction=native", "rsqrt", 0.1, 9, NIGH_F64},
    {"function", "minimax", "degree=5,reduction=native", "tanh", -4, 4, NIGH_F32},
    {"function", "minimax", "degree=5,reduction=native", "sigmoid", -4, 4, NIGH_F32},
    {"function", "minimax", "degree=5,reduction=native", "gelu", -4, 4, NIGH_F64},
    {"function", "minimax-rational", "", "exp(x)", 0, 1, NIGH_F32},
    {"function", "autonumerics-zero", "ops=3,generations=10", "exp(x)", 0, 1, NIGH_F32},
    {"function", "table-linear", "entries=16", "exp(-x*x)", 0, 2, NIGH_F32},
    {"function", "table-cubic", "entries=8", "exp(-x*x)", 0, 2, NIGH_F64},
    {"function", "vector-kernel", "", "tanh", -4, 4, NIGH_F32},
    {"map", "mean", "", NULL, 0, 0, NIGH_F64},
    {"map", "nearest", "", NULL, 0, 0, NIGH_F64},
    {"map", "polynomial-ridge", "", NULL, 0, 0, NIGH_F64},
    {"map", "pod-ridge", "", NULL, 0, 0, NIGH_F64},
    {"map", "pod-kernel", "", NULL, 0, 0, NIGH_F64},
    {"map", "weighted-least-squares-dpp", "degree=3", "", 0, 0, NIGH_F64},
    {"map", "weighted-least-squares-dpp", "degree=1,basis=fourier", "", 0, 0, NIGH_F64},
    {"map", "bandlimited-random-features", "features=20", NULL, 0, 0, NIGH_F64},
    {"map", "fno", "width=4,modes=4,layers=1,epochs=2,batch=10", "field", 0, 0, NIGH_F64},
    {"map", "mgno", "width=2,layers=1,epochs=2,batch=10", "field", 0, 0, NIGH_F64},
    {"map", "nns-to-nos", "network=fno,width=4,modes=4,depth=1,epochs=2,batch=10", "field", 0, 0, NIGH_F64},
    {"map", "latent-spectral-models", "width=4,scales=1,heads=2,epochs=2,batch=10", "field", 0, 0, NIGH_F64},
    {"map", "unet", "base=4,scales=2,epochs=2,batch=10", "field", 0, 0, NIGH_F64},
    {"map", "coarse-grid", "effort=0", "equation", 0, 0, NIGH_F64},
    {"map", "rbf", "", NULL, 0, 0, NIGH_F64}, /* the last is one of pairs */
};
enum { EVERY = sizeof every_cases / sizeof *every_cases, EVERY_ROWS = 40, EVERY_IN = 3, EVERY_OUT = 2, EVERY_FIELD = 8, EVERY_MOST = 8 };

static inline nigh_status every_draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    nigh_rng_fill_f64(rng, n * EVERY_IN, in);
    return NIGH_OK;
}

static inline nigh_status every_exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    double *y = out;
    for (int64_t i = 0; i < n; i++) {
        const double *v = (const double *)in + i * EVERY_IN;
        y[i * EVERY_OUT] = 1 + v[0] * v[1] + 0.3 * sin(2 * v[2]);
        y[i * EVERY_OUT + 1] = 2 - v[2] + 0.2 * exp(v[0]);
    }
    return NIGH_OK;
}

/* The same as a problem whose inputs are drawn and whose exact answers are computed. */
static inline nigh_problem *every_drawn(void)
{
    static const double low[EVERY_IN] = {0, 0, 0}, high[EVERY_IN] = {1, 1, 1};
    static const nigh_problem_ops ops = {.draw = every_draw, .exact = every_exact};
    static nigh_problem problem = {.size = sizeof(nigh_problem), .kind = "map", .name = "drawn", .identity = "every-drawn",
                                   .in = {NIGH_F64, 1, {EVERY_IN}}, .out = {NIGH_F64, 1, {EVERY_OUT}}, .low = low, .high = high, .ops = &ops};
    problem.measure = nigh_measure_find("relative-l2");
    return &problem;
}

/* The pairs: inputs in [0, 1]^3. */
static inline void every_pairs(double *x, double *y)
{
    nigh_rng rng = nigh_rng_new(11, 1);
    every_draw(NULL, NULL, &rng, EVERY_ROWS, x);
    every_exact(NULL, NULL, EVERY_ROWS, x, y);
}

static inline bool every_is_equation(const every_case *c) { return c->function && !strcmp(c->function, "equation"); }
static inline bool every_is_field(const every_case *c) { return c->function && (!strcmp(c->function, "field") || every_is_equation(c)); }

static inline void every_fields(double *x, double *y)
{
    nigh_rng rng = nigh_rng_new(12, 1);
    nigh_rng_fill_f64(&rng, EVERY_ROWS * EVERY_FIELD, x);
    for (int i = 0; i < EVERY_ROWS * EVERY_FIELD; i++) y[i] = 1 + x[i] * x[i / EVERY_FIELD * EVERY_FIELD + (i + 1) % EVERY_FIELD];
}

static inline nigh_problem *every_problem(nigh_context *ctx, const every_case *c)
{
    nigh_problem *problem = NULL;
    if (c->function && !*c->function) return every_drawn();
    if (every_is_equation(c)) {
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "burgers", .grid = EVERY_FIELD}, &problem));
        return problem;
    }
    if (every_is_field(c)) {
        double u[EVERY_ROWS * EVERY_FIELD], v[EVERY_ROWS * EVERY_FIELD];
        every_fields(u, v);
        nigh_array from = {{NIGH_F64, 2, {EVERY_ROWS, EVERY_FIELD}}, u}, to = {{NIGH_F64, 2, {EVERY_ROWS, EVERY_FIELD}}, v};
        assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "fields", .in = &from, .out = &to}, &problem));
        return problem;
    }
    if (c->function) {
        assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){c->function, c->low, c->high, c->type, NULL}, &problem));
        return problem;
    }
    double x[EVERY_ROWS * EVERY_IN], y[EVERY_ROWS * EVERY_OUT];
    every_pairs(x, y);
    nigh_array in = {{NIGH_F64, 2, {EVERY_ROWS, EVERY_IN}}, x}, out = {{NIGH_F64, 2, {EVERY_ROWS, EVERY_OUT}}, y};
    assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "pairs", .in = &in, .out = &out}, &problem));
    return problem;
}

/* The plan of case i, without a receipt. */
static inline nigh_plan *every_plan(nigh_context *ctx, int i)
{
    const every_case *c = &every_cases[i];
    const nigh_method *method = NULL;
    nigh_problem *problem = every_problem(ctx, c);
    double x[EVERY_ROWS * EVERY_MOST], y[EVERY_ROWS * EVERY_MOST];
    if (every_is_field(c)) every_fields(x, y);
    else every_pairs(x, y);
    nigh_samples samples = {.n = c->function && !every_is_field(c) ? 0 : EVERY_ROWS, .in = x, .out = y};
    assert_ok(ctx, nigh_method_find(ctx, c->kind, c->method, &method));
    nigh_settings settings = nigh_settings_default(method);
    assert_ok(ctx, nigh_settings_parse(ctx, method, c->settings, &settings));
    void *fit = NULL;
    nigh_plan *plan = NULL;
    nigh_progress_point point = {0};
    assert_ok(ctx, method->start(ctx, method, problem, &samples, &settings, &fit));
    while (!point.done) assert_ok(ctx, method->advance(ctx, fit, 1, &point));
    assert_ok(ctx, method->finish(ctx, fit, &plan));
    method->abandon(ctx, fit);
    nigh_problem_free(ctx, problem);
    return plan;
}

/* n inputs for a plan: inside its box, every seventh outside when `wild`, with infinities and NaN among them. */
static inline void every_inputs(const nigh_plan *plan, int64_t n, bool wild, void *in)
{
    int64_t width = nigh_shape_count(&plan->in);
    nigh_array array = {{plan->in.dtype, 2, {n, width}}, in};
    nigh_rng rng = nigh_rng_new(5, 5);
    static const double odd[] = {1e30, -1e30, INFINITY, -INFINITY, NAN, 0, -0.0};
    for (int64_t i = 0; i < n * width; i++) {
        double low = plan->low ? plan->low[i % width] : 0, high = plan->high ? plan->high[i % width] : 1, u = nigh_rng_f64(&rng);
        bool out = wild && i % 7 == 0;
        nigh_array_set(&array, i, out ? odd[(i / 7) % 7] : low + (high - low) * u);
    }
}
#endif
