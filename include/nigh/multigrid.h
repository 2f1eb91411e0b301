/*
 * nigh/multigrid.h: symmetric positive definite systems of stencils on a grid, solved in time proportional to the cells.
 *
 *   nigh_multigrid *mg;   nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 64, .cols = 64}, &mg);
 *   void *work = nigh_alloc(ctx, nigh_multigrid_workspace(mg));
 *   nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, work);           -div(a grad u), u = 0 on the edge
 *   nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.tolerance = 1e-10}, &report, work);
 *
 * The grid's structure is prepared once (new); a system (cells, faces or stencil) is set up in the caller's workspace, and solved there any number of times. What
 * follows `new` allocates nothing, runs on the calling thread alone and only reads the object: any number of threads use one, each with its own
 * workspace (64-byte aligned). Arrays are f64 in C order, cell (i, j) at i * cols + j, row i at y = (i + 1/2) row_spacing. Same bits for the same CPU level.
 *
 * How: coarse grids of every second cell, interpolation that follows the coefficients, coarse operators P^T A P of nine points, Gauss-Seidel in two (then four)
 * colours, slightly over-relaxed; any number of rows and columns ("Black box multigrid", Dendy, Journal of Computational Physics 1982;
 * Trottenberg, Oosterlee and Schueller, "Multigrid", 2001). One cycle of (1, 1) smoothing steps makes the residual 15 to 30 times smaller, whatever the grid
 * and for jumping coefficients too; couplings in one direction that are more than about 4 times the other's slow it down.
 */
#ifndef NIGH_MULTIGRID_H
#define NIGH_MULTIGRID_H
#include "nigh/krylov.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_multigrid_edge {
    NIGH_MULTIGRID_ZERO,    /* u = 0 on the edge, half a cell away     */
    NIGH_MULTIGRID_SLOPE,   /* the slope across the edge is 0          */
    NIGH_MULTIGRID_PERIODIC /* both edges of a direction, or none      */
} nigh_multigrid_edge;

typedef struct nigh_multigrid_spec {
    int64_t rows, cols;              /* 1 .. 2^15; periodic directions: k 2^j, so that at most 64 cells remain when one of them cannot be halved further. 1 row: one dimension */
    double row_spacing, col_spacing; /* 0: 1/rows, 1/cols */
    nigh_multigrid_edge low, high;   /* before row 0, behind the last one */
    nigh_multigrid_edge left, right; /* before column 0, behind the last one. Of the systems from cells and faces; a stencil says itself what its edge is, but periodic ones */
    bool nine;   /* the stencil has diagonal couplings */
    bool single; /* f32 inside: half the time, but rounding leaves some 1e-8 of the answer times the square of the cells across */
    bool mixed;  /* cycles in f32, residuals in f64: as exact as f64 alone, faster where a tolerance is asked for. `single` comes first */
} nigh_multigrid_spec;

typedef struct nigh_multigrid nigh_multigrid;
/* NIGH_INVALID names what is out of range. Milliseconds at most. */
NIGH_API nigh_status nigh_multigrid_new(nigh_context *ctx, const nigh_multigrid_spec *spec, nigh_multigrid **mg);
NIGH_API void nigh_multigrid_free(nigh_multigrid *mg); /* NULL is fine */
/* Bytes of a workspace: about 22 numbers a cell, of `mixed` 17 of f64 and 22 of f32. */
NIGH_API size_t nigh_multigrid_workspace(const nigh_multigrid *mg);
NIGH_API int nigh_multigrid_levels(const nigh_multigrid *mg);

/* ---- the system, about three cycles' time. ctx may be NULL: the same status without a message. -------------------------------------- */

/* -div(a grad u) + reaction u by finite volumes; the coefficient of a face is the harmonic mean of its two cells', on the edge its cell's own. */
typedef struct nigh_multigrid_field {
    const double *a;           /* [rows, cols], > 0 and finite where the mask is 0; NULL: 1 */
    const double *reaction;    /* [rows, cols], >= 0; NULL: none */
    const unsigned char *mask; /* [rows, cols]: 0 inside; 1 an obstacle with no flow through its wall; 2 one with u = 0 on its wall. u = 0 in both. NULL: none */
} nigh_multigrid_field;
/* NIGH_INVALID names the first cell that is wrong. */
NIGH_API nigh_status nigh_multigrid_cells(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_field *field, void *workspace);

/* The same from coefficients of faces, >= 0: row_faces[rows + 1, cols] (i: between rows i - 1 and i), col_faces[rows, cols + 1]; on an edge with u = 0 the one that is
   there, over half a cell; on others without meaning, but periodic: the first one's value. */
typedef struct nigh_multigrid_faces {
    const double *row_faces, *col_faces, *reaction;
} nigh_multigrid_faces;
NIGH_API nigh_status nigh_multigrid_from_faces(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_faces *faces, void *workspace);

/*
 * (A u)(i, j) = center(i, j) u(i, j) - the eight couplings times neighbours; A is symmetric, so that half of them say all: east couples (i, j) with (i, j + 1), north
 * with (i + 1, j), north_east with (i + 1, j + 1), north_west with (i + 1, j - 1). All [rows, cols]; those that leave the grid are not read but in periodic
 * directions. The diagonals are NULL unless spec.nine. Rows with center 0 are outside: u = 0. A should be positive definite, or singular with its rows' sums 0.
 */
typedef struct nigh_multigrid_stencil {
    const double *center, *east, *north, *north_east, *north_west;
} nigh_multigrid_stencil;
NIGH_API nigh_status nigh_multigrid_from_stencil(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_stencil *stencil, void *workspace);

/* ---- solving ------------------------------------------------------------------------------------------------------------------------ */

typedef struct nigh_multigrid_options {
    double tolerance;    /* of |b - A x| relative to |b|; 0: all cycles are run */
    int most;            /* cycles (or steps of conjugate gradients), 0: 100; -1: none, only the start is wanted */
    int before, after;   /* smoothing steps, 0: 1; -1: none */
    int full;            /* cycles on every coarser level before ("full multigrid"); 0: 1; -1: start from x as it comes; */
    bool gradients;      /* conjugate gradients with a cycle as preconditioner from the beginning; else only when cycles alone converge slowly */
} nigh_multigrid_options;

typedef struct nigh_multigrid_report {
    nigh_krylov_stop stop;
    int cycles, steps; /* of which steps of conjugate gradients */
    double residual;   /* |b - A x|, the last one that was needed; with f32 what that believes */
} nigh_multigrid_report;

/*
 * x of A x = b, from full multigrid (Brandt 1977) and cycles, then conjugate gradients ("flexible" in Notay's sense, SIAM Journal on Scientific Computing 2000) should two cycles
 * in a row have left more than half. A singular system (no edge, wall or reaction holds u): the mean of b over the cells is taken off, and x has mean 0. x may be b.
 * A NaN in b comes back as NaN with NIGH_KRYLOV_STALLED. options NULL: a tolerance of 1e-10. report may be NULL.
 */
NIGH_API void nigh_multigrid_solve(const nigh_multigrid *mg, const double *b, double *x, const nigh_multigrid_options *options, nigh_multigrid_report *report,
                                   void *workspace);

/* y = A x. */
NIGH_API void nigh_multigrid_multiply(const nigh_multigrid *mg, const double *x, double *y, void *workspace);
/* y = M x for a symmetric positive (semi)definite M near A^-1: one cycle with `smoothing` >= 1 steps before and, in reverse order, after. */
NIGH_API void nigh_multigrid_precondition(const nigh_multigrid *mg, int smoothing, const double *x, double *y, void *workspace);

/* What the two below hand to nigh_cg, nigh_gmres .. as `user`. */
typedef struct nigh_multigrid_operator {
    const nigh_multigrid *mg;
    void *workspace;
    int smoothing;
} nigh_multigrid_operator;
NIGH_API nigh_status nigh_multigrid_apply_operator(void *user, const void *x, void *y);
NIGH_API nigh_status nigh_multigrid_apply_preconditioner(void *user, const void *x, void *y);

/* Operations of a set-up, of the start by full multigrid and of one cycle (1, 1), and the bytes that pass between the second-level cache and the core. For estimates. */
typedef struct nigh_multigrid_work {
    double setup_flops, setup_bytes, full_flops, full_bytes, cycle_flops, cycle_bytes;
} nigh_multigrid_work;
NIGH_API nigh_multigrid_work nigh_multigrid_cost(const nigh_multigrid_spec *spec);

/* ---- deflation ---------------------------------------------------------------------------------------------------------------------- */

/*
 * A set of k directions W taken out of an iteration ("A deflated version of the conjugate gradient algorithm", Saad, Yeung, Erhel and Guyomarc'h 2000; "Comparison of two-level
 * preconditioners derived from deflation, domain decomposition and multigrid methods", Tang, Nabben, Vuik and Erlangga 2009). For symmetric positive definite A, f64.
 */
typedef struct nigh_deflation nigh_deflation;
/* vectors[k, n], linearly independent, 1 <= k <= 1000, copied; k products with A. NIGH_INVALID when W^T A W is not positive definite. */
NIGH_API nigh_status nigh_deflation_new(nigh_context *ctx, const nigh_operator *a, int64_t k, const double *vectors, nigh_deflation **deflation);
NIGH_API void nigh_deflation_free(nigh_deflation *deflation); /* NULL is fine */
/* x += W (W^T A W)^-1 W^T r for r = b - A x: the best step within W. r stays. work[k]. */
NIGH_API void nigh_deflation_correct(const nigh_deflation *deflation, const double *r, double *x, double *work);
/* r -= A W (W^T A W)^-1 W^T r: what W cannot mend. work[k]. */
NIGH_API void nigh_deflation_project(const nigh_deflation *deflation, double *r, double *work);
/*
 * y = P^T M P x + W (W^T A W)^-1 W^T x with P as nigh_deflation_project: a symmetric preconditioner for nigh_cg with the eigenvalues of W at 1. M: precondition, NULL: none.
 * work[2 n + k]. What M returns other than NIGH_OK is passed through.
 */
NIGH_API nigh_status nigh_deflation_precondition(const nigh_deflation *deflation, const nigh_operator *m, const double *x, double *y, double *work);

#ifdef __cplusplus
}
#endif
#endif
