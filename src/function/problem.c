/* The problem kind "function": text, interval, type and measure become a nigh_problem. Declared in nigh/function.h. */
#include "core/json.h"
#include "core/words.h"
#include "function/limits.h"
#include "function/target.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKED = 20000 };

typedef struct function_problem {
    nigh_problem problem;
    function_target target;
} function_problem;

const function_target *function_target_of(const nigh_problem *problem)
{
    return strcmp(problem->kind, "function") == 0 ? problem->self : NULL;
}

/* ---- operations ---- */

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const function_target *target = problem->self;
    (void)ctx;
    for (int64_t i = 0; i < n; i++) {
        double u = nigh_rng_f64(rng), x = target->low * (1 - u) + target->high * u;
        if (target->type == NIGH_F32) x = (double)(float)x; /* rounding stays inside: the ends are f32 numbers */
        x = x < target->low ? target->low : x > target->high ? target->high : x;
        if (target->type == NIGH_F32)
            ((float *)in)[i] = (float)x;
        else
            ((double *)in)[i] = x;
    }
    return NIGH_OK;
}

static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const function_target *target = problem->self;
    void *workspace = nigh_alloc(ctx, function_reference_workspace(target));
    if (!workspace) return NIGH_MEMORY;
    function_exact(target, n, in, out, workspace);
    nigh_free(ctx, workspace);
    return NIGH_OK;
}

static void errors_f32(const function_target *target, int64_t n, const float *in, const float *answer, double *error,
                       double *block, void *workspace)
{
    enum { ROWS = 512 };
    for (int64_t row = 0; row < n; row += ROWS) {
        int64_t m = n - row < ROWS ? n - row : ROWS;
        for (int64_t i = 0; i < m; i++) block[i] = (double)in[row + i];
        function_reference_f64(target, m, block, block, workspace);
        for (int64_t i = 0; i < m; i++)
            error[row + i] = function_error(target, (double)answer[row + i], block[i]);
    }
}

static nigh_status errors(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, const void *exact_out,
                          const void *answer, double *error)
{
    const function_target *target = problem->self;
    (void)exact_out; /* rounded: a better reference is at hand */
    if (target->type == NIGH_F32) {
        double *block = nigh_alloc(ctx, 512 * sizeof(double) + function_reference_workspace(target));
        if (!block) return NIGH_MEMORY;
        errors_f32(target, n, in, answer, error, block, block + 512);
        nigh_free(ctx, block);
        return NIGH_OK;
    }
    const double *x = in, *y = answer;
    for (int64_t i = 0; i < n; i++) {
        error[i] = function_error_f128(target, y[i], function_value(target, x[i]));
        if (i % 4096 == 0) {
            nigh_status status = nigh_poll(ctx);
            if (status != NIGH_OK) return status;
        }
    }
    return NIGH_OK;
}

static void free_problem(nigh_context *ctx, nigh_problem *problem)
{
    function_target *target = problem->self;
    function_target_free(ctx, target);
    nigh_free(ctx, (void *)problem->name);
    nigh_free(ctx, (void *)problem->identity);
    nigh_free(ctx, (void *)problem->origin);
    nigh_free(ctx, problem);
}

static const nigh_problem_ops function_ops = {.draw = draw, .exact = exact, .errors = errors, .reachable = function_reachable, .free = free_problem};

/* ---- text ---- */

/* A function's bare name becomes a call: "exp" is "exp(x)". */
static nigh_status parse(nigh_context *ctx, const char *text, nigh_expr **out)
{
    const char *x = "x";
    for (int op = 0; op < NIGH_OP_COUNT; op++) {
        if (nigh_op_arguments((nigh_op)op) != 1 || strcmp(nigh_op_name((nigh_op)op), text) != 0) continue;
        nigh_step step = {(nigh_op)op, 0, 0};
        return nigh_expr_build(ctx, &x, 1, NULL, 0, &step, 1, -1, out);
    }
    nigh_expr *expr;
    nigh_status status = nigh_expr_parse(ctx, text, &x, 1, &expr);
    if (status != NIGH_OK) return status;
    const nigh_step *step;
    const double *constant;
    bool rsqrt = nigh_expr_steps(expr, &step) == 2 && nigh_expr_constants(expr, &constant) == 1 && *constant == 1 &&
                 step[0].op == NIGH_OP_SQRT && step[0].a == 0 && step[1].op == NIGH_OP_DIV && step[1].a == 1 && step[1].b == 2;
    if (rsqrt) { /* "1/sqrt(x)" */
        nigh_expr_free(expr);
        return parse(ctx, "rsqrt", out);
    }
    *out = expr;
    return NIGH_OK;
}

static nigh_status canonical(nigh_context *ctx, const nigh_expr *expr, char **out)
{
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_expr_print(expr, NIGH_EXPR_INFIX, &text);
    if (status == NIGH_OK && !(*out = nigh_strdup(ctx, text.data))) status = NIGH_MEMORY;
    nigh_buffer_free(&text);
    return status;
}

static const named_function *named_of(const nigh_expr *expr)
{
    const nigh_step *step;
    return nigh_expr_steps(expr, &step) == 1 && step->a == 0 ? function_named_by_op(step->op) : NULL;
}

/* Shortest decimal that reads back as the same double. */
/* How to make it again, for plan files. */
static nigh_status describe(nigh_context *ctx, nigh_problem *problem, const function_target *target)
{
    nigh_buffer text = {.ctx = ctx};
    json_t *origin = json_object();
    nigh_status status = origin ? nj_set_text(ctx, origin, "kind", "function") : nigh_fail(ctx, NIGH_MEMORY, "out of memory for a description");
    if (!status) status = nj_set_text(ctx, origin, "text", target->text);
    if (!status) status = nj_set_text(ctx, origin, "type", nigh_dtype_name(target->type));
    if (!status) status = nj_set_text(ctx, origin, "measure", target->measure->name);
    if (!status) status = nj_set_real(ctx, origin, "low", target->low);
    if (!status) status = nj_set_real(ctx, origin, "high", target->high);
    if (!status) status = nj_dump(ctx, origin, JSON_COMPACT | JSON_SORT_KEYS, &text);
    json_decref(origin);
    if (status) nigh_buffer_free(&text);
    problem->origin = text.data;
    return status;
}

static nigh_status name_problem(nigh_context *ctx, nigh_problem *problem, const function_target *target)
{
    char low[32], high[32], hex[65], ends[80];
    number_text(target->low, target->type == NIGH_F32, low);
    number_text(target->high, target->type == NIGH_F32, high);
    const char *type = nigh_dtype_name(target->type);
    if (!(problem->name = nigh_format(ctx, "%.2000s on [%s, %s], %s", target->text, low, high, type))) return NIGH_MEMORY;
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    snprintf(ends, sizeof ends, "%a %a", target->low, target->high);
    const char *parts[] = {"function", target->text, ends, type, target->measure->name};
    for (int i = 0; i < 5; i++) nigh_sha256_text(&hash, parts[i]);
    nigh_sha256_hex(&hash, hex);
    return (problem->identity = nigh_strdup(ctx, hex)) ? describe(ctx, problem, target) : NIGH_MEMORY;
}

/* ---- checks ---- */

/* Largest f32 <= x (up = false) or smallest >= x. */
static double inward_f32(double x, bool up)
{
    float near = (float)x;
    if (up && (double)near < x) near = nextafterf(near, INFINITY);
    if (!up && (double)near > x) near = nextafterf(near, -INFINITY);
    return (double)near;
}

static nigh_status check_interval(nigh_context *ctx, const nigh_function *function, double *low, double *high)
{
    *low = function->low + 0.0; /* -0 becomes 0 */
    *high = function->high + 0.0;
    if (!isfinite(*low) || !isfinite(*high) || !(*low < *high))
        return nigh_fail(ctx, NIGH_INVALID, "interval is [%.17g, %.17g]; finite ends with low < high are allowed", *low, *high);
    if (!isfinite(*high - *low))
        return nigh_fail(ctx, NIGH_INVALID, "interval [%.17g, %.17g] is wider than the largest f64", *low, *high);
    if (function->type != NIGH_F32) return NIGH_OK;
    if (*high < -FLT_MAX || *low > FLT_MAX || *low < -FLT_MAX || *high > FLT_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "interval [%.17g, %.17g] leaves the range of f32, [%.9g, %.9g]", *low, *high,
                         -(double)FLT_MAX, (double)FLT_MAX);
    double a = inward_f32(*low, true) + 0.0, b = inward_f32(*high, false) + 0.0;
    if (!(a < b))
        return nigh_fail(ctx, NIGH_INVALID, "interval [%.17g, %.17g] has fewer than two f32 numbers; a wider one or f64 is allowed",
                         *low, *high);
    *low = a;
    *high = b;
    return NIGH_OK;
}

static nigh_status check_value(nigh_context *ctx, const function_target *target, double x)
{
    double y = (double)function_value(target, x), most = target->type == NIGH_F32 ? (double)FLT_MAX : DBL_MAX;
    if (isfinite(y) && fabs(y) <= most) return NIGH_OK;
    if (!isfinite(y))
        return nigh_fail(ctx, NIGH_INVALID, "%.200s is not finite at x = %.17g; the interval must stay inside its domain",
                         target->text, x);
    return nigh_fail(ctx, NIGH_INVALID, "%.200s is %.6g at x = %.17g, beyond the largest %s, %.6g", target->text, y, x,
                     nigh_dtype_name(target->type), most);
}

/* Both ends in quadruple precision; points between in f64 first. */
static nigh_status check_domain(nigh_context *ctx, const function_target *target)
{
    nigh_status status = check_value(ctx, target, target->low);
    if (status == NIGH_OK) status = check_value(ctx, target, target->high);
    if (status == NIGH_OK && target->low < 0 && target->high > 0) status = check_value(ctx, target, 0);
    if (status != NIGH_OK) return status;
    double *x = nigh_alloc(ctx, 2 * CHECKED * sizeof(double) + function_reference_workspace(target));
    if (!x) return NIGH_MEMORY;
    double *y = x + CHECKED, most = target->type == NIGH_F32 ? (double)FLT_MAX : DBL_MAX;
    for (int i = 0; i < CHECKED; i++) {
        double u = (i + 1.0) / (CHECKED + 1);
        x[i] = target->low * (1 - u) + target->high * u;
    }
    function_reference_f64(target, CHECKED, x, y, y + CHECKED);
    for (int i = 0; i < CHECKED && status == NIGH_OK; i++)
        if (!(fabs(y[i]) <= most)) status = check_value(ctx, target, x[i]);
    if (status == NIGH_OK) status = function_pole_check(ctx, target, CHECKED, x, y);
    nigh_free(ctx, x);
    return status;
}

static nigh_status check_measure(nigh_context *ctx, const char *name, const nigh_measure **out)
{
    if (!name) name = "absolute";
    const nigh_measure *measure = nigh_measure_find(name);
    if (!measure || (strcmp(name, "absolute") != 0 && strcmp(name, "relative") != 0 && strcmp(name, "ulp") != 0))
        return nigh_fail(ctx, NIGH_INVALID, "measure is '%.80s'; absolute, relative or ulp is allowed", name);
    *out = measure;
    return NIGH_OK;
}

/* ---- making ---- */

static nigh_status fill_target(nigh_context *ctx, const nigh_function *function, function_target *target)
{
    nigh_status status = check_measure(ctx, function->measure, &target->measure);
    if (status == NIGH_OK) status = parse(ctx, function->text, &target->expr);
    if (status == NIGH_OK) status = canonical(ctx, target->expr, (char **)&target->text);
    if (status != NIGH_OK) return status;
    target->named = named_of(target->expr);
    target->type = function->type;
    target->flops = nigh_expr_flops(target->expr);
    return NIGH_OK;
}

void function_target_free(nigh_context *ctx, function_target *target)
{
    nigh_expr_free(target->expr);
    nigh_free(ctx, (void *)target->text);
    *target = (function_target){0};
}

nigh_status function_target_make(nigh_context *ctx, const char *text, double low, double high, const char *measure,
                                 function_target *out)
{
    nigh_function function = {text, low, high, NIGH_F32, measure};
    function_target target = {.low = low + 0.0, .high = high + 0.0};
    if (!(low <= high) || !(fabs(low) <= (double)FLT_MAX) || !(fabs(high) <= (double)FLT_MAX) || (double)(float)low != low || (double)(float)high != high)
        return nigh_fail(ctx, NIGH_INVALID, "interval is [%.17g, %.17g]; finite f32 numbers with low <= high are allowed", low, high);
    nigh_status status = fill_target(ctx, &function, &target);
    if (status == NIGH_OK) *out = target;
    else function_target_free(ctx, &target);
    return status;
}

static nigh_status fill(nigh_context *ctx, const nigh_function *function, function_problem *made)
{
    function_target *target = &made->target;
    nigh_problem *problem = &made->problem;
    nigh_status status = check_interval(ctx, function, &target->low, &target->high);
    if (status == NIGH_OK) status = fill_target(ctx, function, target);
    if (status != NIGH_OK) return status;
    problem->measure = target->measure;
    problem->in = problem->out = (nigh_shape){.dtype = function->type};
    problem->low = &target->low;
    problem->high = &target->high;
    if ((status = check_domain(ctx, target)) != NIGH_OK) return status;
    return name_problem(ctx, problem, target);
}

nigh_status nigh_function_problem_new(nigh_context *ctx, const nigh_function *function, nigh_problem **out)
{
    if (!function->text) return nigh_fail(ctx, NIGH_INVALID, "function text is NULL; a name or an expression in x is expected");
    if (function->type != NIGH_F32 && function->type != NIGH_F64)
        return nigh_fail(ctx, NIGH_INVALID, "type is %s; f32 or f64 is allowed", nigh_dtype_name(function->type));
    function_problem *made = nigh_alloc_zero(ctx, 1, sizeof *made);
    if (!made) return NIGH_MEMORY;
    made->problem.size = sizeof made->problem;
    made->problem.kind = "function";
    made->problem.ops = &function_ops;
    made->problem.self = &made->target;
    nigh_status status = fill(ctx, function, made);
    if (status != NIGH_OK) {
        free_problem(ctx, &made->problem);
        return status;
    }
    *out = &made->problem;
    return NIGH_OK;
}
