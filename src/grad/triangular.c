/* Cholesky factors and triangular solves of stacks of matrices, and what is made of them. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

#include "grad/fused.h"

/* ---- the libraries' threads ------------------------------------------------------------------------------ */

/* OpenBLAS runs on the calling thread's OpenMP setting; small work on one thread. */
static int enter(int threads, double flops)
{
#if defined(_OPENMP)
    int before = omp_get_max_threads();
    omp_set_num_threads(flops < 1e8 ? 1 : threads);
    return before;
#else
    return 0;
#endif
}

static void leave(int before)
{
#if defined(_OPENMP)
    omp_set_num_threads(before);
#endif
}

/* ---- Cholesky -------------------------------------------------------------------------------------------- */

static void fill_nan(nigh_dtype dtype, int64_t n, void *a)
{
    for (int64_t i = 0; i < n; i++) {
        if (dtype == NIGH_F32) ((float *)a)[i] = NAN;
        else ((double *)a)[i] = NAN;
    }
}

/* A row-major lower triangle is a column-major upper one, A = U^T U with U = L^T. */
static void factor(nigh_dtype dtype, int64_t n, const void *a, void *l)
{
    size_t size = nigh_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        memcpy((char *)l + (size_t)(i * n) * size, (const char *)a + (size_t)(i * n) * size, (size_t)(i + 1) * size);
        memset((char *)l + (size_t)(i * n + i + 1) * size, 0, (size_t)(n - 1 - i) * size);
    }
    lapack_int info = dtype == NIGH_F32 ? LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, l, (lapack_int)n)
                                        : LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, l, (lapack_int)n);
    if (info) fill_nan(dtype, n * n, l);
}

static void cholesky_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->in->shape;
    int64_t n = shape_last(shape), stacks = shape_span(shape, 0, shape->ndim - 2);
    size_t bytes = (size_t)(n * n) * nigh_dtype_size(shape->dtype);
    int before = enter(call->threads, (double)n * (double)n * (double)n / 3);
    for (int64_t i = 0; i < stacks && n; i++) factor(shape->dtype, n, (const char *)call->in->data + (size_t)i * bytes, (char *)call->out->data + (size_t)i * bytes);
    leave(before);
}

/* ---- the lower triangle, its diagonal times a number: its own adjoint ------------------------------------- */

typedef struct lower_attributes {
    double diagonal;
} lower_attributes;

static void lower_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->in->shape;
    double d = ((const lower_attributes *)call->node->attributes)->diagonal;
    int64_t n = shape_last(shape), rows = shape_span(shape, 0, shape->ndim - 1);
    for (int64_t r = 0; r < rows; r++) {
        int64_t i = n ? r % n : 0;
        if (shape->dtype == NIGH_F32) {
            const float *in = (const float *)call->in->data + r * n;
            float *out = (float *)call->out->data + r * n;
            for (int64_t j = 0; j < n; j++) out[j] = j < i ? in[j] : j == i ? (float)d * in[j] : 0;
        } else {
            const double *in = (const double *)call->in->data + r * n;
            double *out = (double *)call->out->data + r * n;
            for (int64_t j = 0; j < n; j++) out[j] = j < i ? in[j] : j == i ? d * in[j] : 0;
        }
    }
}

static nigh_node lower(nigh_tape *t, nigh_node x, double diagonal);

static void lower_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    grad_in[0] = lower(t, grad_out[0], ((const lower_attributes *)tape_at(t, self)->attributes)->diagonal);
}

static const tape_operator op_lower = {.name = "lower", .kind = TAPE_KERNEL, .in_place = true, .run = lower_run, .gradient = lower_gradient};

static nigh_node lower(nigh_tape *t, nigh_node x, double diagonal)
{
    if (x == NIGH_NONE) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    lower_attributes attributes = {diagonal};
    return tape_record_one(t, &op_lower, &shape, 1, &x, &attributes, sizeof attributes);
}

/* ---- derivative of the factor ------------------------------------------------------------------------------ */

/* L^-T P L^-1 made symmetric, P the lower triangle of L^T G with half its diagonal ("Differentiation of the Cholesky decomposition", Murray 2016). */
static void cholesky_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    nigh_node p = lower(t, nigh_tape_matmul(t, self, lower(t, grad_out[0], 1), NIGH_TRANSPOSE_A), 0.5);
    nigh_node left = nigh_tape_triangular_solve(t, self, p, true);                                                       /* L^-T P */
    nigh_node both = nigh_tape_triangular_solve(t, self, nigh_tape_transpose(t, left, -1, -2), true);                     /* (L^-T P L^-1)^T */
    grad_in[0] = nigh_tape_scale(t, nigh_tape_add(t, both, nigh_tape_transpose(t, both, -1, -2)), 0.5);
}

static double cholesky_flops(const tape_call *call) { return (double)nigh_shape_count(call->in->shape) * (double)shape_last(call->in->shape) / 3; }

static const tape_operator op_cholesky = {.name = "cholesky", .kind = TAPE_KERNEL, .flops = cholesky_flops, .run = cholesky_run, .gradient = cholesky_gradient};

static bool check_square(nigh_tape *t, const char *op, nigh_node a)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, a, 2)) return false;
    const nigh_shape *shape = tape_shape(t, a);
    if (shape->dim[shape->ndim - 1] == shape->dim[shape->ndim - 2] && shape_last(shape) < 1 << 20) return true;
    tape_fail(t, op, "the matrix is %s; [..., n, n] with n below 2^20 is needed", tape_shape_text(shape, text));
    return false;
}

nigh_node nigh_tape_cholesky(nigh_tape *t, nigh_node a)
{
    if (!check_square(t, "cholesky", a)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, a);
    return tape_record_one(t, &op_cholesky, &shape, 1, &a, NULL, 0);
}

/* ---- triangular solves ----------------------------------------------------------------------------------- */

typedef struct triangular_attributes {
    int64_t transposed;
} triangular_attributes;

static void triangular_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->out->shape;
    CBLAS_TRANSPOSE turn = ((const triangular_attributes *)call->node->attributes)->transposed ? CblasTrans : CblasNoTrans;
    int64_t n = shape->dim[shape->ndim - 2], q = shape_last(shape), stacks = shape_span(shape, 0, shape->ndim - 2);
    size_t size = nigh_dtype_size(shape->dtype);
    if (call->out->data != call->in[1].data) memcpy(call->out->data, call->in[1].data, (size_t)(stacks * n * q) * size);
    int before = enter(call->threads, (double)n * (double)n * (double)q);
    for (int64_t i = 0; i < stacks && n && q; i++) {
        const char *l = (const char *)call->in[0].data + (size_t)(i * n * n) * size;
        char *x = (char *)call->out->data + (size_t)(i * n * q) * size;
        if (shape->dtype == NIGH_F32) cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, turn, CblasNonUnit, (blasint)n, (blasint)q, 1, (const float *)l, (blasint)n, (float *)x, (blasint)q);
        else cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, turn, CblasNonUnit, (blasint)n, (blasint)q, 1, (const double *)l, (blasint)n, (double *)x, (blasint)q);
    }
    leave(before);
}

/* X = L^-1 B: dB = L^-T dX, dL = -lower(dB X^T); X = L^-T B: dB = L^-1 dX, dL = -lower(X dB^T). */
static void triangular_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    bool transposed = ((const triangular_attributes *)node.attributes)->transposed;
    nigh_node db = nigh_tape_triangular_solve(t, node.input[0], grad_out[0], !transposed);
    grad_in[1] = db;
    if (!wanted[0] || db == NIGH_NONE) return;
    nigh_node outer = transposed ? nigh_tape_matmul(t, self, db, NIGH_TRANSPOSE_B) : nigh_tape_matmul(t, db, self, NIGH_TRANSPOSE_B);
    grad_in[0] = nigh_tape_neg(t, lower(t, outer, 1));
}

static double triangular_flops(const tape_call *call) { return (double)nigh_shape_count(call->out->shape) * (double)shape_last(call->in[0].shape); }

static const tape_operator op_triangular = {.name = "triangular-solve", .kind = TAPE_KERNEL, .flops = triangular_flops, .run = triangular_run, .gradient = triangular_gradient};

static bool check_system(nigh_tape *t, const char *op, nigh_node a, nigh_node b)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!check_square(t, op, a) || !fused_check_float(t, op, b, 2)) return false;
    const nigh_shape *x = tape_shape(t, a), *y = tape_shape(t, b);
    if (x->dtype == y->dtype && x->ndim == y->ndim && memcmp(x->dim, y->dim, (size_t)(x->ndim - 1) * sizeof *x->dim) == 0 && shape_last(y) < INT32_MAX) return true;
    tape_fail(t, op, "the matrix is %s, b is %s; [..., n, n] and [..., n, q] with the same leading dimensions are needed", tape_shape_text(x, sa), tape_shape_text(y, sb));
    return false;
}

nigh_node nigh_tape_triangular_solve(nigh_tape *t, nigh_node l, nigh_node b, bool transposed)
{
    if (!check_system(t, "triangular-solve", l, b)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, b);
    triangular_attributes attributes = {transposed};
    return tape_record_one(t, &op_triangular, &shape, 2, (nigh_node[]){l, b}, &attributes, sizeof attributes);
}

/* ---- positive definite systems ---------------------------------------------------------------------------- */

nigh_node nigh_tape_spd_solve(nigh_tape *t, nigh_node a, nigh_node b)
{
    if (!check_system(t, "spd-solve", a, b)) return NIGH_NONE;
    nigh_node l = nigh_tape_cholesky(t, a);
    return nigh_tape_triangular_solve(t, l, nigh_tape_triangular_solve(t, l, b, false), true);
}

nigh_node nigh_tape_spd_log_det(nigh_tape *t, nigh_node a)
{
    if (!check_square(t, "spd-log-det", a)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, a);
    int64_t n = shape_last(&shape);
    nigh_node l = nigh_tape_cholesky(t, a);
    shape.dim[--shape.ndim - 1] = n * n;
    nigh_node diagonal = nigh_tape_slice(t, nigh_tape_reshape(t, l, shape.ndim, shape.dim), -1, 0, n, n + 1);
    return nigh_tape_scale(t, nigh_tape_sum(t, nigh_tape_log(t, diagonal), 1u << (shape.ndim - 1), false), 2);
}

/* |x|^2 + |y|^2 - 2 x y, not below 0. */
nigh_node nigh_tape_gaussian_kernel(nigh_tape *t, nigh_node x, nigh_node y, double sigma)
{
    char sx[TAPE_SHAPE_TEXT], sy[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "gaussian-kernel", x, 2) || !fused_check_float(t, "gaussian-kernel", y, 2)) return NIGH_NONE;
    if (!(sigma > 0 && isfinite(sigma))) return tape_fail(t, "gaussian-kernel", "sigma is %g; a positive number is allowed", sigma);
    const nigh_shape a = *tape_shape(t, x), b = *tape_shape(t, y);
    if (a.dtype != b.dtype || shape_last(&a) != shape_last(&b))
        return tape_fail(t, "gaussian-kernel", "x is %s, y is %s; points of as many coordinates (the last dimension) are needed", tape_shape_text(&a, sx), tape_shape_text(&b, sy));
    nigh_node xx = nigh_tape_sum(t, nigh_tape_square(t, x), 1u << (a.ndim - 1), true), yy = nigh_tape_sum(t, nigh_tape_square(t, y), 1u << (b.ndim - 1), true);
    nigh_node sum = nigh_tape_add(t, xx, nigh_tape_transpose(t, yy, -1, -2));
    nigh_node square = nigh_tape_sub(t, sum, nigh_tape_scale(t, nigh_tape_matmul(t, x, y, NIGH_TRANSPOSE_B), 2));
    return nigh_tape_exp(t, nigh_tape_scale(t, nigh_tape_relu(t, square), -0.5 / (sigma * sigma)));
}
