/* Selection and sorting of rows, and log-sum-exp. */
#include "tensor/select.h"

#include <math.h>

struct selection {
    nigh_context *ctx;
    select_row *row;
    select_spec spec;
    size_t size, room;
    int threads;
};

static nigh_status check_rows(nigh_context *ctx, const char *what, nigh_dtype dtype, int64_t rows, int64_t columns, int threads)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: dtype is %s; f32 and f64 are known", what, nigh_dtype_name(dtype));
    if (rows < 0 || columns < 0 || (columns && rows > ((int64_t)1 << 48) / columns))
        return nigh_fail(ctx, NIGH_INVALID, "%s: shape is [%lld, %lld]; 0 to 2^48 numbers are allowed", what, (long long)rows, (long long)columns);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "%s: threads is %d; 1 to 1024 is allowed", what, threads);
    return NIGH_OK;
}

nigh_status select_new_at(nigh_context *ctx, nigh_cpu_level level, const select_spec *spec, int threads, selection **out)
{
    nigh_status status = check_rows(ctx, "select", spec->dtype, spec->rows, spec->columns, threads);
    if (status) return status;
    if (spec->k < (spec->only_last ? 1 : 0) || spec->k > spec->columns)
        return nigh_fail(ctx, NIGH_INVALID, "select: k is %lld of %lld columns; %d to %lld is allowed", (long long)spec->k, (long long)spec->columns,
                         spec->only_last ? 1 : 0, (long long)spec->columns);
    selection *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->spec = *spec;
    s->size = nigh_dtype_size(spec->dtype);
    s->row = (level == NIGH_CPU_AVX512 ? select_avx512 : level == NIGH_CPU_AVX2 ? select_avx2 : select_scalar)[spec->dtype == NIGH_F64];
    s->room = (((size_t)spec->columns + 7) * s->size + 63) / 64 * 64 + (2 * (size_t)spec->k * 16 + 63) / 64 * 64;
    s->threads = spec->rows < threads ? (int)(spec->rows > 0 ? spec->rows : 1) : threads;
    if (spec->rows * spec->columns < 1 << 15) s->threads = 1;
    *out = s;
    return NIGH_OK;
}

nigh_status select_new(nigh_context *ctx, const select_spec *spec, int threads, selection **out)
{
    return select_new_at(ctx, nigh_cpu(), spec, threads, out);
}

void select_free(selection *s)
{
    if (s) nigh_free(s->ctx, s);
}

size_t select_workspace(const selection *s)
{
    return s->room * (size_t)s->threads;
}

static void run_rows(const selection *s, int64_t from, int64_t to, const char *x, char *values, int64_t *index, void *room)
{
    const select_spec *p = &s->spec;
    int64_t results = p->only_last ? 1 : p->k;
    for (int64_t r = from; r < to; r++)
        s->row(p->columns, p->k, p->largest, p->only_last, x + (size_t)(r * p->columns) * s->size,
               values ? values + (size_t)(r * results) * s->size : NULL, index ? index + r * results : NULL, room);
}

void select_run(const selection *s, const void *x, void *values, int64_t *index, void *workspace)
{
    int64_t rows = s->spec.rows;
    if (s->threads == 1) {
        run_rows(s, 0, rows, x, values, index, workspace);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int t = 0; t < s->threads; t++)
        run_rows(s, rows * t / s->threads, rows * (t + 1) / s->threads, x, values, index, (char *)workspace + (size_t)t * s->room);
}
