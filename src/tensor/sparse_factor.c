/* Complete factorisations of sparse matrices by whatever the build has; see nigh/sparse.h. */
#include "tensor/dense.h"
#include "tensor/sparse.h"

#include <stdlib.h>
#include <string.h>
#ifdef NIGH_HAVE_CHOLMOD
#include <cholmod.h>
#include <umfpack.h>
#endif
#ifdef NIGH_HAVE_SUITESPARSE
#include <klu.h>
#endif

enum { DENSE_MOST = 5000 };

struct nigh_sparse_factor {
    nigh_context *ctx;
    nigh_sparse_method method;
    int64_t n, count;
    sparse_ldl ldl;
    double *lu; /* dense */
    int32_t *pivot;
    int64_t *start, *index; /* the rows of A, which are the columns of A^T, with long indices */
    double *value;
    double *one, *solved; /* columns for the libraries */
#ifdef NIGH_HAVE_CHOLMOD
    cholmod_common common;
    cholmod_factor *cholesky;
    cholmod_dense *found, *scratch[2];
    void *umfpack;
#endif
#ifdef NIGH_HAVE_SUITESPARSE
    klu_l_common klu;
    klu_l_symbolic *klu_plan;
    klu_l_numeric *klu_lu;
#endif
};

const char *nigh_sparse_method_name(nigh_sparse_method method)
{
    static const char *const names[] = {"automatic", "CHOLMOD", "LDL", "UMFPACK", "KLU", "dense LU"};
    return (unsigned)method < sizeof names / sizeof *names ? names[method] : "unknown";
}

nigh_sparse_method nigh_sparse_factor_method(const nigh_sparse_factor *f) { return f->method; }
int64_t nigh_sparse_factor_count(const nigh_sparse_factor *f) { return f->count; }

#ifdef NIGH_HAVE_SUITESPARSE
static nigh_status refused(nigh_sparse_factor *f, const char *why)
{
    return nigh_fail(f->ctx, NIGH_INVALID, "the sparse matrix of %lld x %lld %s (%s)", (long long)f->n, (long long)f->n, why, nigh_sparse_method_name(f->method));
}

static nigh_status no_memory(nigh_sparse_factor *f)
{
    return nigh_fail(f->ctx, NIGH_MEMORY, "no memory for the factors of a sparse matrix of %lld x %lld (%s)", (long long)f->n, (long long)f->n,
                     nigh_sparse_method_name(f->method));
}

/* A copy with long indices; `lower`: its lower triangle alone. */
static nigh_status lengthen(nigh_sparse_factor *f, const nigh_sparse *a, bool lower)
{
    size_t count = (size_t)nigh_sparse_count(a) + 1;
    f->start = nigh_alloc_zero(f->ctx, (size_t)f->n + 1, sizeof *f->start), f->index = nigh_alloc_zero(f->ctx, count, sizeof *f->index);
    f->value = nigh_alloc_zero(f->ctx, count, sizeof *f->value);
    f->one = nigh_alloc_zero(f->ctx, (size_t)f->n, sizeof *f->one), f->solved = nigh_alloc_zero(f->ctx, (size_t)f->n, sizeof *f->solved);
    if (!f->start || !f->index || !f->value || !f->one || !f->solved) return NIGH_MEMORY;
    int64_t to = 0;
    for (int64_t i = 0; i < f->n; i++) {
        for (int64_t p = a->start[i]; p < a->start[i + 1] && (!lower || a->column[p] <= i); p++) f->index[to] = a->column[p], f->value[to++] = a->value[p];
        f->start[i + 1] = to;
    }
    return NIGH_OK;
}
#endif

#ifdef NIGH_HAVE_CHOLMOD
static nigh_status factor_cholmod(nigh_sparse_factor *f, const nigh_sparse *a)
{
    nigh_status status = lengthen(f, a, true);
    if (status) return status;
    cholmod_l_start(&f->common);
    f->common.print = 0;
    f->common.try_catch = 1; /* errors are told by its status alone */
    f->common.final_ll = 1;  /* else small matrices get L D L^T, which takes indefinite ones */
    cholmod_sparse upper = {.nrow = (size_t)f->n, .ncol = (size_t)f->n, .nzmax = (size_t)f->start[f->n], .p = f->start, .i = f->index, .x = f->value,
                            .stype = 1, .itype = CHOLMOD_LONG, .xtype = CHOLMOD_REAL, .dtype = CHOLMOD_DOUBLE, .sorted = 1, .packed = 1};
    f->cholesky = cholmod_l_analyze(&upper, &f->common);
    if (!f->cholesky) return no_memory(f);
    f->count = (int64_t)f->common.lnz;
    int before = dense_enter(f->ctx, f->common.fl);
    cholmod_l_factorize(&upper, f->cholesky, &f->common);
    dense_leave(before);
    if (f->common.status == CHOLMOD_NOT_POSDEF) return refused(f, "is not positive definite");
    return f->common.status < 0 ? no_memory(f) : NIGH_OK;
}

static nigh_status solve_cholmod(nigh_sparse_factor *f)
{
    cholmod_dense b = {.nrow = (size_t)f->n, .ncol = 1, .nzmax = (size_t)f->n, .d = (size_t)f->n, .x = f->one, .xtype = CHOLMOD_REAL, .dtype = CHOLMOD_DOUBLE};
    int before = dense_enter(f->ctx, 0);
    int solved = cholmod_l_solve2(CHOLMOD_A, f->cholesky, &b, NULL, &f->found, NULL, &f->scratch[0], &f->scratch[1], &f->common);
    dense_leave(before);
    if (!solved) return no_memory(f);
    memcpy(f->solved, f->found->x, (size_t)f->n * sizeof *f->solved);
    return NIGH_OK;
}

static void end_cholmod(nigh_sparse_factor *f)
{
    cholmod_l_free_dense(&f->found, &f->common);
    for (int i = 0; i < 2; i++) cholmod_l_free_dense(&f->scratch[i], &f->common);
    cholmod_l_free_factor(&f->cholesky, &f->common);
    cholmod_l_finish(&f->common);
}

static nigh_status factor_umfpack(nigh_sparse_factor *f, const nigh_sparse *a)
{
    nigh_status status = lengthen(f, a, false);
    if (status) return status;
    void *plan = NULL;
    double info[UMFPACK_INFO];
    const SuiteSparse_long *start = (const SuiteSparse_long *)f->start, *index = (const SuiteSparse_long *)f->index;
    int64_t code = umfpack_dl_symbolic(f->n, f->n, start, index, f->value, &plan, NULL, info);
    if (code == UMFPACK_OK) code = umfpack_dl_numeric(start, index, f->value, plan, &f->umfpack, NULL, info);
    if (plan) umfpack_dl_free_symbolic(&plan);
    if (code == UMFPACK_WARNING_singular_matrix) return refused(f, "is singular");
    if (code != UMFPACK_OK) return no_memory(f);
    f->count = (int64_t)(info[UMFPACK_LNZ] + info[UMFPACK_UNZ]);
    return NIGH_OK;
}
#endif

#ifdef NIGH_HAVE_SUITESPARSE
static nigh_status factor_klu(nigh_sparse_factor *f, const nigh_sparse *a)
{
    nigh_status status = lengthen(f, a, false);
    if (status) return status;
    klu_l_defaults(&f->klu);
    SuiteSparse_long *start = (SuiteSparse_long *)f->start, *index = (SuiteSparse_long *)f->index;
    f->klu_plan = klu_l_analyze(f->n, start, index, &f->klu);
    if (f->klu_plan) f->klu_lu = klu_l_factor(start, index, f->value, f->klu_plan, &f->klu);
    if (f->klu.status == KLU_SINGULAR) return refused(f, "is singular");
    if (!f->klu_lu || f->klu.status < 0) return no_memory(f);
    f->count = f->klu_lu->lnz + f->klu_lu->unz;
    return NIGH_OK;
}
#endif

static nigh_status factor_dense(nigh_sparse_factor *f, const nigh_sparse *a, bool symmetric)
{
    if (f->n > DENSE_MOST)
        return nigh_fail(f->ctx, NIGH_RESOURCE, "dense LU of a sparse matrix of %lld x %lld; up to %d rows are allowed", (long long)f->n, (long long)f->n, DENSE_MOST);
    f->lu = nigh_alloc_zero(f->ctx, (size_t)(f->n * f->n), sizeof *f->lu), f->pivot = nigh_alloc_zero(f->ctx, (size_t)f->n, sizeof *f->pivot);
    if (!f->lu || !f->pivot) return NIGH_MEMORY;
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1] && (!symmetric || a->column[p] <= i); p++) {
            f->lu[i * f->n + a->column[p]] = a->value[p];
            if (symmetric) f->lu[a->column[p] * f->n + i] = a->value[p];
        }
    f->count = f->n * f->n;
    return nigh_lu_factor(f->ctx, NIGH_F64, f->n, f->lu, f->lu, f->pivot, NULL);
}

static nigh_status factor_ldl(nigh_sparse_factor *f, const nigh_sparse *a)
{
    int64_t *order = nigh_alloc_zero(f->ctx, (size_t)f->n, sizeof *order);
    nigh_status status = order ? sparse_order(f->ctx, a, order) : NIGH_MEMORY;
    if (!status) status = sparse_ldl_new(f->ctx, a, order, &f->ldl);
    if (!status) f->count = f->ldl.start[f->n] + f->n;
    nigh_free(f->ctx, order);
    return status;
}

static nigh_sparse_method first_choice(bool symmetric)
{
#ifdef NIGH_HAVE_CHOLMOD
    return symmetric ? NIGH_SPARSE_CHOLMOD : NIGH_SPARSE_UMFPACK;
#elif defined(NIGH_HAVE_SUITESPARSE)
    return symmetric ? NIGH_SPARSE_LDL : NIGH_SPARSE_KLU;
#else
    return symmetric ? NIGH_SPARSE_LDL : NIGH_SPARSE_DENSE;
#endif
}

static nigh_status factor_by(nigh_sparse_factor *f, const nigh_sparse *a, bool symmetric)
{
    bool half = f->method == NIGH_SPARSE_CHOLMOD || f->method == NIGH_SPARSE_LDL;
    if (half != symmetric && f->method != NIGH_SPARSE_DENSE)
        return nigh_fail(f->ctx, NIGH_INVALID, "%s for a matrix of %lld x %lld said to be %ssymmetric; it reads %s", nigh_sparse_method_name(f->method), (long long)f->n,
                         (long long)f->n, symmetric ? "" : "un", half ? "the lower triangle" : "all of it");
    switch (f->method) {
#ifdef NIGH_HAVE_CHOLMOD
    case NIGH_SPARSE_CHOLMOD: return factor_cholmod(f, a);
    case NIGH_SPARSE_UMFPACK: return factor_umfpack(f, a);
#endif
#ifdef NIGH_HAVE_SUITESPARSE
    case NIGH_SPARSE_KLU: return factor_klu(f, a);
#endif
    case NIGH_SPARSE_LDL: return factor_ldl(f, a);
    case NIGH_SPARSE_DENSE: return factor_dense(f, a, symmetric);
    default: return nigh_fail(f->ctx, NIGH_UNSUPPORTED, "%s for a sparse matrix of %lld x %lld: this build has it not", nigh_sparse_method_name(f->method), (long long)f->n, (long long)f->n);
    }
}

nigh_status nigh_sparse_factor_new(nigh_context *ctx, const nigh_sparse *a, bool symmetric, nigh_sparse_method method, nigh_sparse_factor **out)
{
    nigh_status status = nigh_sparse_check(ctx, a);
    if (!status && a->rows != a->cols)
        status = nigh_fail(ctx, NIGH_INVALID, "factors of a sparse matrix of %lld x %lld; a square one is allowed", (long long)a->rows, (long long)a->cols);
    if (status) return status;
    nigh_sparse_factor *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    f->ctx = ctx, f->n = a->rows, f->method = method == NIGH_SPARSE_AUTO ? first_choice(symmetric) : method;
    if ((status = factor_by(f, a, symmetric))) {
        nigh_sparse_factor_free(f);
        return status;
    }
    *out = f;
    return NIGH_OK;
}

void nigh_sparse_factor_free(nigh_sparse_factor *f)
{
    if (!f) return;
#ifdef NIGH_HAVE_CHOLMOD
    if (f->cholesky) end_cholmod(f);
    if (f->umfpack) umfpack_dl_free_numeric(&f->umfpack);
#endif
#ifdef NIGH_HAVE_SUITESPARSE
    if (f->klu_lu) klu_l_free_numeric(&f->klu_lu, &f->klu);
    if (f->klu_plan) klu_l_free_symbolic(&f->klu_plan, &f->klu);
#endif
    nigh_context *ctx = f->ctx;
    if (f->ldl.ctx) sparse_ldl_free(&f->ldl);
    void *const blocks[] = {f->lu, f->pivot, f->start, f->index, f->value, f->one, f->solved, f};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ctx, blocks[i]);
}

/* solved = A^-1 one by a library; A^T is what it holds of the unsymmetric ones. */
static nigh_status solve_one(nigh_sparse_factor *f)
{
#ifdef NIGH_HAVE_CHOLMOD
    if (f->method == NIGH_SPARSE_CHOLMOD) return solve_cholmod(f);
    if (f->method == NIGH_SPARSE_UMFPACK)
        return umfpack_dl_solve(UMFPACK_Aat, (const SuiteSparse_long *)f->start, (const SuiteSparse_long *)f->index, f->value, f->solved, f->one, f->umfpack, NULL, NULL) ==
                       UMFPACK_OK
                   ? NIGH_OK
                   : no_memory(f);
#endif
#ifdef NIGH_HAVE_SUITESPARSE
    memcpy(f->solved, f->one, (size_t)f->n * sizeof *f->one);
    if (f->method == NIGH_SPARSE_KLU) return klu_l_tsolve(f->klu_plan, f->klu_lu, f->n, 1, f->solved, &f->klu) ? NIGH_OK : no_memory(f);
#endif
    return nigh_fail(f->ctx, NIGH_INTERNAL, "a factor of %lld x %lld without a method", (long long)f->n, (long long)f->n);
}

nigh_status nigh_sparse_factor_solve(nigh_sparse_factor *f, int64_t q, const double *b, double *x)
{
    if (q < 1) return nigh_fail(f->ctx, NIGH_INVALID, "%lld right-hand sides for factors of %lld x %lld; at least 1 is allowed", (long long)q, (long long)f->n, (long long)f->n);
    if (f->method == NIGH_SPARSE_DENSE) return nigh_lu_solve(f->ctx, NIGH_F64, f->n, f->lu, f->pivot, q, b, x);
    if (f->method == NIGH_SPARSE_LDL) {
        sparse_ldl_solve(&f->ldl, q, b, x);
        return NIGH_OK;
    }
    for (int64_t c = 0; c < q; c++) {
        for (int64_t i = 0; i < f->n; i++) f->one[i] = b[i * q + c];
        nigh_status status = solve_one(f);
        if (status) return status;
        for (int64_t i = 0; i < f->n; i++) x[i * q + c] = f->solved[i];
    }
    return NIGH_OK;
}
