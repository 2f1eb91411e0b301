/* The problem that a file of pairs makes. Declared in nigh/regress.h. */
#include "nigh/regress.h"

#include "tensor/linalg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything of the problem in one arena; the problem is first, so that both pointers are one. */
typedef struct pairs_problem {
    nigh_problem problem;
    nigh_arena *arena;
    int64_t d, m;
    double *in, *out, *low, *high;
    char identity[65];
} pairs_problem;

static nigh_status rows(nigh_context *ctx, const nigh_problem *problem, int64_t n, const int64_t *index, void *in, void *out)
{
    const pairs_problem *self = problem->self;
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= problem->rows)
            return nigh_fail(ctx, NIGH_INVALID, "row %lld of %s; it has rows 0 to %lld", (long long)index[i], problem->name,
                             (long long)problem->rows - 1);
        memcpy((double *)in + i * self->d, self->in + index[i] * self->d, (size_t)self->d * sizeof(double));
        memcpy((double *)out + i * self->m, self->out + index[i] * self->m, (size_t)self->m * sizeof(double));
    }
    return NIGH_OK;
}

static void pairs_free(nigh_context *ctx, nigh_problem *problem)
{
    (void)ctx;
    nigh_arena_free(((pairs_problem *)problem->self)->arena);
}

static const nigh_problem_ops pairs_ops = {.rows = rows, .free = pairs_free};

static nigh_status check_array(nigh_context *ctx, const char *what, const nigh_array *array)
{
    if (!array || !array->data || array->shape.ndim < 1)
        return nigh_fail(ctx, NIGH_INVALID, "the array of %s has no dimension for samples; [N, ...] is needed", what);
    int64_t count = nigh_shape_count(&array->shape), n = array->shape.dim[0];
    if (n < NIGH_PAIRS_LEAST)
        return nigh_fail(ctx, NIGH_INVALID, "%lld rows of %s; at least %d are needed to fit, screen and test", (long long)n, what,
                         NIGH_PAIRS_LEAST);
    if (count < 1 || count / n > 1 << 24)
        return nigh_fail(ctx, NIGH_INVALID, "%lld %s in a row; 1 to %d are allowed", (long long)(count < 0 ? -1 : count / n), what, 1 << 24);
    return NIGH_OK;
}

/* Shape of one sample, and the values as doubles in the arena. */
static nigh_status take(nigh_context *ctx, nigh_arena *arena, const char *what, const nigh_array *array, nigh_shape *shape, int64_t *width,
                        double **values)
{
    int64_t n = array->shape.dim[0], count = nigh_shape_count(&array->shape);
    *shape = (nigh_shape){.dtype = NIGH_F64, .ndim = array->shape.ndim - 1};
    for (int i = 0; i < shape->ndim; i++) shape->dim[i] = array->shape.dim[i + 1];
    *width = count / n;
    if (!(*values = nigh_arena_alloc_zero(arena, (size_t)count, sizeof **values))) return NIGH_MEMORY;
    nigh_status status = nigh_array_to_f64(ctx, array, *values);
    return status ? nigh_within(ctx, status, "%s", what) : linalg_check_finite(ctx, what, n, *width, *values);
}

static void find_box(pairs_problem *self, int64_t n)
{
    for (int64_t k = 0; k < self->d; k++) self->low[k] = self->high[k] = self->in[k];
    for (int64_t i = 1; i < n; i++)
        for (int64_t k = 0; k < self->d; k++) {
            double x = self->in[i * self->d + k];
            if (x < self->low[k]) self->low[k] = x;
            if (x > self->high[k]) self->high[k] = x;
        }
}

static void hash_shape(nigh_sha256 *hash, int64_t n, const nigh_shape *shape)
{
    char text[32];
    snprintf(text, sizeof text, "%lld %d", (long long)n, shape->ndim);
    nigh_sha256_text(hash, text);
    for (int i = 0; i < shape->ndim; i++) {
        snprintf(text, sizeof text, "%lld", (long long)shape->dim[i]);
        nigh_sha256_text(hash, text);
    }
}

static void identify(pairs_problem *self, int64_t n, const char *measure)
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, "pairs");
    nigh_sha256_text(&hash, measure);
    hash_shape(&hash, n, &self->problem.in);
    hash_shape(&hash, n, &self->problem.out);
    nigh_sha256_add(&hash, self->in, (size_t)(n * self->d) * sizeof(double));
    nigh_sha256_add(&hash, self->out, (size_t)(n * self->m) * sizeof(double));
    nigh_sha256_hex(&hash, self->identity);
}

static nigh_status build(nigh_context *ctx, const nigh_pairs *pairs, const nigh_measure *measure, nigh_arena *arena, nigh_problem **out)
{
    pairs_problem *self = nigh_arena_alloc_zero(arena, 1, sizeof *self);
    if (!self) return NIGH_MEMORY;
    nigh_problem *problem = &self->problem;
    nigh_status status = take(ctx, arena, "the array of inputs", pairs->in, &problem->in, &self->d, &self->in);
    if (!status) status = take(ctx, arena, "the array of outputs", pairs->out, &problem->out, &self->m, &self->out);
    if (status) return status;
    int64_t n = pairs->in->shape.dim[0];
    char *name = nigh_arena_strdup(arena, pairs->name ? pairs->name : "pairs");
    char *origin = pairs->origin ? nigh_arena_strdup(arena, pairs->origin) : NULL;
    self->low = nigh_arena_alloc(arena, (size_t)self->d * sizeof *self->low);
    self->high = nigh_arena_alloc(arena, (size_t)self->d * sizeof *self->high);
    if (!name || (pairs->origin && !origin) || !self->low || !self->high) return NIGH_MEMORY;
    find_box(self, n);
    identify(self, n, measure->name);
    self->arena = arena;
    problem->size = sizeof *problem;
    problem->kind = "map";
    problem->name = name;
    problem->identity = self->identity;
    problem->measure = measure;
    problem->rows = n;
    problem->exact_seconds = pairs->exact_seconds;
    problem->origin = origin;
    problem->low = self->low;
    problem->high = self->high;
    problem->ops = &pairs_ops;
    problem->self = self;
    *out = problem;
    return NIGH_OK;
}

nigh_status nigh_pairs_problem_new(nigh_context *ctx, const nigh_pairs *pairs, nigh_problem **problem)
{
    nigh_status status = check_array(ctx, "inputs", pairs->in);
    if (!status) status = check_array(ctx, "outputs", pairs->out);
    if (status) return status;
    if (pairs->in->shape.dim[0] != pairs->out->shape.dim[0])
        return nigh_fail(ctx, NIGH_INVALID, "%lld rows of inputs, but %lld of outputs; row i of one belongs to row i of the other",
                         (long long)pairs->in->shape.dim[0], (long long)pairs->out->shape.dim[0]);
    if (!(pairs->exact_seconds >= 0 && isfinite(pairs->exact_seconds)))
        return nigh_fail(ctx, NIGH_INVALID, "exact_seconds is %g; 0 (unknown) or more is allowed", pairs->exact_seconds);
    const char *wanted = pairs->measure ? pairs->measure : "relative-l2";
    const nigh_measure *measure = nigh_measure_find(wanted);
    if (!measure)
        return nigh_fail(ctx, NIGH_INVALID, "the measure is '%s'; absolute, relative, ulp, relative-l2 and rms are known", wanted);
    nigh_arena *arena = NULL;
    if ((status = nigh_arena_new(ctx, &arena))) return status;
    status = build(ctx, pairs, measure, arena, problem);
    if (status) nigh_arena_free(arena);
    return status;
}
