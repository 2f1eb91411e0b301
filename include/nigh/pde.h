/*
 * nigh/pde.h: partial differential equations as problems: the field that goes in, the field that comes out, an exact solver, cheaper ones.
 *
 *   nigh_problem *problem;   nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = 64}, &problem);
 *   nigh_plan_make(ctx, problem, &request, &outcome);
 *
 * or without a planner:
 *
 *   nigh_pde_solver *solver; nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "burgers", .grid = 1024, .settings = "viscosity=0.001"}, -1, &solver);
 *   nigh_pde_solve(solver, in, out, workspace);
 *
 * Fields are f64 arrays [n] or [n, n], C order, on the unit interval or square; index i of dimension d is the coordinate x_d. `nigh list equations` shows
 * what there is; docs/equations.md states every problem so that anyone can check an answer.
 */
#ifndef NIGH_PDE_H
#define NIGH_PDE_H
#include "nigh/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is to be solved. */
typedef struct nigh_pde {
    const char *equation; /* "darcy", "burgers" ... */
    int64_t grid;         /* points in each dimension; 0: the equation's default */
    const char *settings; /* "viscosity=1e-3" over the equation's own; NULL: those */
    const char *measure;  /* NULL: "relative-l2" */
} nigh_pde;

/* What there is to know of an equation. Read-only. */
typedef struct nigh_equation {
    const char *name, *summary;
    const char *text;      /* the equation, its domain and boundary, what goes in and what comes out */
    const char *source;
    int dims;
    nigh_grid grid;        /* where the points lie */
    int64_t grid_default, grid_low, grid_high;
    const nigh_option *options; /* of `settings`; ended by a name of NULL, NULL: none */
    int efforts;           /* solvers from the cheapest, 0, to the exact one, efforts - 1 */
} nigh_equation;

NIGH_API const nigh_equation *nigh_equation_at(int i); /* NULL beyond the last */

/* Kind "map", inputs and outputs fields of the grid. NIGH_INVALID names what is unknown or out of range. */
NIGH_API nigh_status nigh_pde_problem_new(nigh_context *ctx, const nigh_pde *spec, nigh_problem **problem);

/* ---- solvers ------------------------------------------------------------------------------------------ */

typedef struct nigh_pde_solver nigh_pde_solver;

/* Prepares a solver; effort -1: the exact one. `nigh_pde_effort` says in words what an effort means. */
NIGH_API nigh_status nigh_pde_solver_new(nigh_context *ctx, const nigh_pde *spec, int effort, nigh_pde_solver **solver);
NIGH_API void nigh_pde_solver_free(nigh_pde_solver *solver); /* NULL is fine */
NIGH_API size_t nigh_pde_solver_workspace(const nigh_pde_solver *solver); /* bytes */
NIGH_API const char *nigh_pde_effort(const nigh_pde_solver *solver);      /* lives as long as the solver */

/* One field, no allocation, one thread; any number of threads may use one solver, each with its own workspace (64-byte aligned). An answer that was not reached is NAN. */
NIGH_API void nigh_pde_solve(const nigh_pde_solver *solver, const double *in, double *out, void *workspace);

/* n fields over the context's threads. NIGH_FAILED names the first field whose solution was not reached. */
NIGH_API nigh_status nigh_pde_solve_many(nigh_context *ctx, const nigh_pde_solver *solver, int64_t n, const double *in, double *out);

/* ---- Gaussian random fields ---------------------------------------------------------------------------- */

/*
 * Sums over the eigenfunctions of the Laplacian, orthonormal in L2 of the unit interval or square, of independent N(0, scale (lambda + shift)^-power), lambda their
 * eigenvalue: cosines (zero slope at the edge) on cells, sines (zero at the edge) on nodes, sines and cosines on a circle. The constant function
 * is one of them. Those that the grid can tell apart are taken: cos(pi k x) with k < n, sin(pi k x) with 0 < k < n - 1, exp(2 pi i k x) with |k| < n / 2.
 * One rng gives the same coefficients on any grid: the field on a coarser grid is the finer one's without its highest functions.
 */
typedef struct nigh_gaussian {
    int dims;              /* 1 or 2 */
    nigh_grid grid;
    double scale, shift, power; /* all > 0; 2 power > dims, or the field has no variance in the limit */
} nigh_gaussian;

typedef struct nigh_gaussian_field nigh_gaussian_field;
NIGH_API nigh_status nigh_gaussian_field_new(nigh_context *ctx, const nigh_gaussian *spec, int64_t n, nigh_gaussian_field **field);
NIGH_API void nigh_gaussian_field_free(nigh_gaussian_field *field); /* NULL is fine */
NIGH_API size_t nigh_gaussian_field_workspace(const nigh_gaussian_field *field);
/* One field out [n] or [n, n]; the generator is left where it was used up. No allocation; re-entrant with a workspace each. */
NIGH_API void nigh_gaussian_field_draw(const nigh_gaussian_field *field, nigh_rng *rng, double *out, void *workspace);
/* Mean over the domain of the variance, of all functions together and not of the grid's only. */
NIGH_API double nigh_gaussian_variance(const nigh_gaussian *spec);

/* ---- from one grid to another -------------------------------------------------------------------------- */

typedef enum nigh_edge {
    NIGH_EDGE_FREE,  /* cells, nodes: nothing is known beyond the edge; the field goes on as it does inside */
    NIGH_EDGE_ZERO,  /* the field is 0 on the edge: odd reflection */
    NIGH_EDGE_SLOPE  /* its slope is 0 there: even reflection */
} nigh_edge;

typedef enum nigh_regrid_mean { NIGH_MEAN_ARITHMETIC, NIGH_MEAN_HARMONIC, NIGH_MEAN_GEOMETRIC } nigh_regrid_mean;

typedef struct nigh_regrid {
    int dims;
    nigh_grid grid;
    int64_t from, to;  /* points in each dimension */
    nigh_edge edge;    /* of cells and nodes, when `to` is finer */
    int order;         /* of the interpolation to a finer grid of cells or nodes: 0 constant, 1 linear, 3 cubic */
    nigh_regrid_mean mean; /* of cells that one coarser cell covers, weighed by area */
} nigh_regrid;

typedef struct nigh_regridder nigh_regridder;
/*
 * Circles: by Fourier coefficients, what the new grid cannot tell is left out. Cells to coarser ones: means over what each covers. Nodes to coarser ones, and all to finer ones:
 * interpolation. Any sizes from 1 (nodes: 2) on.
 */
NIGH_API nigh_status nigh_regridder_new(nigh_context *ctx, const nigh_regrid *spec, nigh_regridder **regridder);
NIGH_API void nigh_regridder_free(nigh_regridder *regridder);
NIGH_API size_t nigh_regridder_workspace(const nigh_regridder *regridder);
NIGH_API void nigh_regridder_run(const nigh_regridder *regridder, const double *in, double *out, void *workspace);

#ifdef __cplusplus
}
#endif
#endif
