/* Pairwise distances, cosines and nearest rows, by blocks whose products stay in the second-level cache. */
#include "tensor/distance.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROWS = 128, COLUMNS = 512 };
typedef enum work { SQUARES, COSINES, NEAREST } work;

struct distance {
    nigh_context *ctx;
    distance_spec spec;
    size_t size, room; /* of a number; of a thread's block */
    double slack;      /* error of a product form over |x|^2 + |y|^2 */
    int threads;
};

double distance_share(nigh_dtype dtype)
{
    return dtype == NIGH_F32 ? 0x1p-9 : 0x1p-20;
}

#define REAL float
#define NAME(x) x##_f32
#define GEMM cblas_sgemm
#define SQRT sqrtf
#include "distance.inc"
#undef REAL
#undef NAME
#undef GEMM
#undef SQRT
#define REAL double
#define NAME(x) x##_f64
#define GEMM cblas_dgemm
#define SQRT sqrt
#include "distance.inc"

nigh_status distance_new(nigh_context *ctx, const distance_spec *spec, int threads, distance **out)
{
    if (spec->dtype != NIGH_F32 && spec->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "distance: dtype is %s; f32 and f64 are known", nigh_dtype_name(spec->dtype));
    if (spec->n < 0 || spec->m < 0 || spec->size < 0 || spec->n > INT_MAX || spec->m > INT_MAX || spec->size > INT_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "distance: x is [%lld, %lld] and y [%lld, %lld]; sizes of 0 to %d are allowed", (long long)spec->n,
                         (long long)spec->size, (long long)spec->m, (long long)spec->size, INT_MAX);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "distance: threads is %d; 1 to 1024 is allowed", threads);
    distance *d = nigh_alloc_zero(ctx, 1, sizeof *d);
    if (!d) return NIGH_MEMORY;
    d->ctx = ctx;
    d->spec = *spec;
    d->size = nigh_dtype_size(spec->dtype);
    d->room = (ROWS * COLUMNS + ROWS) * d->size;
    d->slack = (sqrt((double)spec->size) + 4) * 4 * (spec->dtype == NIGH_F32 ? 0x1p-23 : 0x1p-52);
    int64_t most = (spec->n + ROWS / 2) / ROWS;
    d->threads = most < 2 || (double)spec->n * (double)spec->m * (double)(spec->size + 4) < 1e6 ? 1 : most < threads ? (int)most : threads;
    *out = d;
    return NIGH_OK;
}

void distance_free(distance *d)
{
    if (d) nigh_free(d->ctx, d);
}

static size_t norm_bytes(const distance *d)
{
    return ((size_t)d->spec.m * d->size + 63) / 64 * 64;
}

size_t distance_workspace(const distance *d)
{
    return norm_bytes(d) + d->room * (size_t)d->threads;
}

static void run_part(const distance *d, work what, int part, const void *x, const void *y, void *out, int64_t *index, void *square, char *workspace)
{
    int64_t from = d->spec.n * part / d->threads, to = d->spec.n * (part + 1) / d->threads;
    char *room = workspace + norm_bytes(d) + (size_t)part * d->room;
    if (d->spec.dtype == NIGH_F32)
        run_f32(d, what, from, to, x, y, (const float *)(const void *)workspace, out, index, square, room);
    else
        run_f64(d, what, from, to, x, y, (const double *)(const void *)workspace, out, index, square, room);
}

/* Products run on the calling thread: parts are what threads share. The BLAS reads the number of threads from OpenMP's setting of the caller. */
static void run_all(const distance *d, work what, const void *x, const void *y, void *out, int64_t *index, void *square, char *workspace)
{
    if (d->spec.dtype == NIGH_F32)
        norms_f32(d->spec.m, d->spec.size, y, (float *)(void *)workspace);
    else
        norms_f64(d->spec.m, d->spec.size, y, (double *)(void *)workspace);
    if (d->threads > 1) {
#pragma omp parallel for schedule(static) num_threads(d->threads)
        for (int part = 0; part < d->threads; part++) run_part(d, what, part, x, y, out, index, square, workspace);
        return;
    }
#ifdef _OPENMP
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
#endif
    run_part(d, what, 0, x, y, out, index, square, workspace);
#ifdef _OPENMP
    omp_set_num_threads(before);
#endif
}

void distance_squares(const distance *d, const void *x, const void *y, void *out, void *workspace)
{
    run_all(d, SQUARES, x, y, out, NULL, NULL, workspace);
}

void distance_cosines(const distance *d, const void *x, const void *y, void *out, void *workspace)
{
    run_all(d, COSINES, x, y, out, NULL, NULL, workspace);
}

void distance_nearest(const distance *d, const void *x, const void *y, int64_t *index, void *square, void *workspace)
{
    run_all(d, NEAREST, x, y, NULL, index, square, workspace);
}
