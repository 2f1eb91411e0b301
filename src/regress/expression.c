/* Expressions of several variables on a box as a problem of kind "map". Declared in nigh/regress.h. */
#include "nigh/regress.h"

#include "core/json.h"
#include "nigh/expr.h"
#include "nigh/random.h"
#include "regress/certify.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 512, LOOKS = 4096 };

/* Everything in one arena; the problem is first, so that both pointers are one. */
typedef struct expression_problem {
    nigh_problem problem;
    nigh_arena *arena;
    int d, m;
    nigh_expr **part; /* [m]; freed by hand */
    double *low, *high;
    char identity[65];
} expression_problem;

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const expression_problem *self = problem->self;
    double *x = in;
    nigh_rng_fill_f64(rng, n * self->d, x);
    for (int64_t i = 0; i < n * self->d; i++) {
        double low = self->low[i % self->d], high = self->high[i % self->d];
        x[i] = low + (high - low) * x[i];
    }
    return NIGH_OK;
}

/* Rows to columns, a block at a time. */
static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const expression_problem *self = problem->self;
    const double *x = in, *column[NIGH_EXPR_MAX_VARIABLES];
    double *y = out;
    size_t work = 0, bytes = (size_t)(self->d + 1) * BLOCK * sizeof(double);
    for (int k = 0; k < self->m; k++) work = nigh_expr_workspace(self->part[k]) > work ? nigh_expr_workspace(self->part[k]) : work;
    char *block = nigh_alloc(ctx, bytes + work);
    if (!block) return NIGH_MEMORY;
    double *columns = (double *)block, *answer = columns + self->d * BLOCK;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t some = n - from < BLOCK ? n - from : BLOCK;
        for (int j = 0; j < self->d; j++) {
            column[j] = columns + j * BLOCK;
            for (int64_t i = 0; i < some; i++) columns[j * BLOCK + i] = x[(from + i) * self->d + j];
        }
        for (int k = 0; k < self->m; k++) {
            nigh_expr_eval_f64(self->part[k], some, column, answer, block + bytes);
            for (int64_t i = 0; i < some; i++) y[(from + i) * self->m + k] = answer[i];
        }
    }
    nigh_free(ctx, block);
    return NIGH_OK;
}

static void expression_free(nigh_context *ctx, nigh_problem *problem)
{
    (void)ctx;
    expression_problem *self = problem->self;
    for (int k = 0; k < self->m; k++) nigh_expr_free(self->part[k]);
    nigh_arena_free(self->arena);
}

static const nigh_problem_ops expression_ops = {.draw = draw, .exact = exact, .free = expression_free};

bool expression_take(const nigh_problem *problem, expression_parts *parts)
{
    if (problem->ops != &expression_ops) return false;
    const expression_problem *self = problem->self;
    *parts = (expression_parts){self->d, self->m, self->part, self->low, self->high};
    return true;
}

/* Where an answer is not finite among points all over the box: the first such point is named. */
static nigh_status check_finite(nigh_context *ctx, const expression_problem *self)
{
    double *x = nigh_alloc(ctx, (size_t)LOOKS * (size_t)(self->d + self->m) * sizeof *x);
    if (!x) return NIGH_MEMORY;
    double *y = x + (int64_t)LOOKS * self->d;
    nigh_rng rng = nigh_rng_new(0, 0);
    nigh_status status = draw(ctx, &self->problem, &rng, LOOKS, x);
    for (int j = 0; j < self->d; j++) x[j] = self->low[j], x[self->d + j] = self->high[j];
    if (!status) status = exact(ctx, &self->problem, LOOKS, x, y);
    for (int64_t i = 0; i < (int64_t)LOOKS * self->m && !status; i++) {
        if (isfinite(y[i])) continue;
        nigh_buffer point = {.ctx = ctx};
        for (int j = 0; j < self->d && j < 8 && !status; j++) status = nigh_buffer_print(&point, "%s%.9g", j ? ", " : "", x[i / self->m * self->d + j]);
        if (!status)
            status = nigh_fail(ctx, NIGH_INVALID, "%.200s is not finite at (%s%s); the box must stay inside its domain", self->problem.name, point.data,
                               self->d > 8 ? ", ..." : "");
        nigh_buffer_free(&point);
    }
    nigh_free(ctx, x);
    return status;
}

/* How to make it again, for plan files; and what the ledger knows it by. */
static nigh_status describe(nigh_context *ctx, expression_problem *self, const nigh_expression_map *spec)
{
    json_t *origin = json_object(), *low = json_array(), *high = json_array();
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = origin && low && high ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for a description");
    for (int j = 0; j < self->d && !status; j++) {
        status = nj_add_real(ctx, low, self->low[j]);
        if (!status) status = nj_add_real(ctx, high, self->high[j]);
    }
    if (!status) status = nj_set_text(ctx, origin, "kind", "expression");
    if (!status) status = nj_set_text(ctx, origin, "text", spec->text);
    if (!status) status = nj_set_text(ctx, origin, "measure", self->problem.measure->name);
    if (!status) status = nj_set(ctx, origin, "low", json_incref(low));
    if (!status) status = nj_set(ctx, origin, "high", json_incref(high));
    if (!status) status = nj_dump(ctx, origin, NJ_SORTED, &text);
    if (!status && !(self->problem.origin = nigh_arena_strdup(self->arena, text.data))) status = NIGH_MEMORY;
    if (!status) {
        nigh_sha256 hash;
        nigh_sha256_init(&hash);
        nigh_sha256_text(&hash, text.data);
        nigh_sha256_hex(&hash, self->identity);
        self->problem.identity = self->identity;
    }
    json_decref(low), json_decref(high), json_decref(origin);
    nigh_buffer_free(&text);
    return status;
}

/* Parts between semicolons, each parsed in all variables. */
static nigh_status parse_parts(nigh_context *ctx, expression_problem *self, char *text, const char *const *names)
{
    int count = 1;
    for (const char *p = text; *p; p++) count += *p == ';';
    if (!(self->part = nigh_arena_alloc(self->arena, (size_t)count * sizeof *self->part))) return NIGH_MEMORY;
    for (char *at = text, *end; at; at = end) {
        end = strchr(at, ';');
        if (end) *end++ = 0;
        nigh_status status = nigh_expr_parse(ctx, at, names, self->d, &self->part[self->m]);
        if (status) return status;
        self->m++;
    }
    return NIGH_OK;
}

/* The box: one interval per variable. */
static nigh_status take_box(nigh_context *ctx, expression_problem *self, const nigh_expression_map *spec, const char *const *names, int count)
{
    if (count == 0) return nigh_fail(ctx, NIGH_INVALID, "'%.200s' has no variables", spec->text);
    if (count != spec->dims) {
        char list[160] = "";
        for (int j = 0; j < count && strlen(list) + strlen(names[j]) + 6 < sizeof list; j++) sprintf(list + strlen(list), "%s%s", j ? ", " : "", names[j]);
        return nigh_fail(ctx, NIGH_INVALID, "the box has %lld intervals, but '%.200s' has %d variable%s: %s", (long long)spec->dims, spec->text, count,
                         count == 1 ? "" : "s", list);
    }
    self->d = count;
    self->low = nigh_arena_alloc(self->arena, 2 * (size_t)count * sizeof(double));
    if (!self->low) return NIGH_MEMORY;
    self->high = self->low + count;
    for (int j = 0; j < count; j++) {
        if (!(isfinite(spec->low[j]) && isfinite(spec->high[j]) && spec->low[j] < spec->high[j]))
            return nigh_fail(ctx, NIGH_INVALID, "the interval of %s is %g:%g; LOW:HIGH with finite LOW < HIGH is needed", names[j], spec->low[j], spec->high[j]);
        self->low[j] = spec->low[j], self->high[j] = spec->high[j];
    }
    return NIGH_OK;
}

static nigh_status build(nigh_context *ctx, expression_problem *self, const nigh_expression_map *spec, const nigh_measure *measure)
{
    const char *names[NIGH_EXPR_MAX_VARIABLES];
    int count;
    nigh_problem *problem = &self->problem;
    char *text = nigh_arena_strdup(self->arena, spec->text);
    problem->name = nigh_arena_strdup(self->arena, spec->text);
    if (!text || !problem->name) return NIGH_MEMORY;
    nigh_status status = nigh_expr_names(ctx, text, self->arena, names, &count);
    if (!status) status = take_box(ctx, self, spec, names, count);
    if (!status) status = parse_parts(ctx, self, text, names);
    if (status) return status;
    problem->size = sizeof *problem;
    problem->kind = "map";
    problem->measure = measure;
    problem->in = (nigh_shape){NIGH_F64, 1, {self->d}};
    problem->out = (nigh_shape){NIGH_F64, 1, {self->m}};
    problem->low = self->low;
    problem->high = self->high;
    problem->ops = &expression_ops;
    problem->self = self;
    status = describe(ctx, self, spec);
    return status ? status : check_finite(ctx, self);
}

nigh_status nigh_expression_map_new(nigh_context *ctx, const nigh_expression_map *spec, nigh_problem **out)
{
    if (!spec->text) return nigh_fail(ctx, NIGH_INVALID, "expression text is NULL; an expression of one or more variables is expected");
    const char *wanted = spec->measure ? spec->measure : "relative-l2";
    const nigh_measure *measure = nigh_measure_find(wanted);
    if (!measure) return nigh_fail(ctx, NIGH_INVALID, "the measure is '%s'; absolute, relative, ulp, relative-l2 and rms are known", wanted);
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    expression_problem *self = nigh_arena_alloc_zero(arena, 1, sizeof *self);
    if (!self) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    self->arena = arena;
    status = build(ctx, self, spec, measure);
    if (!status) {
        *out = &self->problem;
        return NIGH_OK;
    }
    self->problem.self = self;
    expression_free(ctx, &self->problem);
    return status;
}
