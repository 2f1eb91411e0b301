/* Fields of two waves as pairs, and a method on them step by step, for tests of methods for fields. FIELD_METHOD is defined before: the method that is tested. */
#ifndef NIGH_TEST_FIELD_SETS_H
#define NIGH_TEST_FIELD_SETS_H
#include "support.h"

#include "nigh/regress.h"
#include "operator/methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 48 };

typedef struct set {
    int64_t h, w, in, out; /* w 0: one dimension */
    double *x, *y;
    nigh_problem *problem;
} set;

/* Fields of two waves; the answer is the field moved by a quarter, times 2, plus its square. */
static set set_new(nigh_context *ctx, int64_t h, int64_t w, int64_t in, int64_t out)
{
    set s = {.h = h, .w = w, .in = in, .out = out};
    int64_t columns = w ? w : 1, points = h * columns;
    s.x = malloc((size_t)(ROWS * points * in) * sizeof *s.x), s.y = malloc((size_t)(ROWS * points * out) * sizeof *s.y);
    nigh_rng rng = nigh_rng_new(4, 4);
    for (int64_t i = 0; i < ROWS; i++) {
        double a = nigh_rng_f64(&rng), b = nigh_rng_f64(&rng), c = nigh_rng_f64(&rng);
        for (int64_t p = 0; p < points; p++) {
            double u = 2 * M_PI * (double)(p / columns) / (double)h, v = w ? 2 * M_PI * (double)(p % columns) / (double)w : 0;
            for (int64_t k = 0; k < in; k++) s.x[(i * points + p) * in + k] = 3 + a * sin(u + (double)k) + b * cos(v) * sin(2 * u) + c;
            double moved = a * cos(u) - b * cos(v) * sin(2 * u);
            for (int64_t k = 0; k < out; k++) s.y[(i * points + p) * out + k] = 5 + 2 * moved + moved * moved * (double)(k + 1);
        }
    }
    nigh_array from = {{NIGH_F64, 2, {ROWS, h}}, s.x}, to = {{NIGH_F64, 2, {ROWS, h}}, s.y};
    if (w) from.shape.dim[from.shape.ndim++] = to.shape.dim[to.shape.ndim++] = w;
    if (in > 1) from.shape.dim[from.shape.ndim++] = in;
    if (out > 1) to.shape.dim[to.shape.ndim++] = out;
    assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "fields", .in = &from, .out = &to}, &s.problem));
    return s;
}

static void set_free(nigh_context *ctx, set *s)
{
    nigh_problem_free(ctx, s->problem);
    free(s->x), free(s->y);
}

static void *start(nigh_context *ctx, const set *s, const char *text)
{
    nigh_settings settings = nigh_settings_default(&FIELD_METHOD);
    void *fit = NULL;
    assert_ok(ctx, nigh_settings_parse(ctx, &FIELD_METHOD, text, &settings));
    assert_ok(ctx, FIELD_METHOD.start(ctx, &FIELD_METHOD, s->problem, &(nigh_samples){.n = ROWS, .in = s->x, .out = s->y}, &settings, &fit));
    return fit;
}

static nigh_plan *finish(nigh_context *ctx, void *fit, int64_t step)
{
    nigh_progress_point point = {0};
    nigh_plan *plan = NULL;
    while (!point.done) assert_ok(ctx, FIELD_METHOD.advance(ctx, fit, step, &point));
    assert_int_equal(point.units, point.total);
    assert_ok(ctx, FIELD_METHOD.finish(ctx, fit, &plan));
    FIELD_METHOD.abandon(ctx, fit);
    return plan;
}

static nigh_status apply(nigh_context *ctx, const nigh_plan *plan, int64_t n, const double *in, double *out)
{
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(ctx, bytes);
    memset(workspace, 0xff, bytes);
    nigh_status status = nigh_plan_apply(plan, n, in, out, workspace, bytes);
    nigh_free(ctx, workspace);
    return status;
}

static double error_of(nigh_context *ctx, const nigh_plan *plan, const set *s)
{
    int64_t width = nigh_shape_count(&plan->out);
    double *out = malloc((size_t)(ROWS * width) * sizeof *out), sum = 0;
    assert_ok(ctx, apply(ctx, plan, ROWS, s->x, out));
    for (int64_t i = 0; i < ROWS; i++) sum += s->problem->measure->error(width, s->y + i * width, out + i * width, NIGH_F64) / ROWS;
    free(out);
    return sum;
}
#endif
