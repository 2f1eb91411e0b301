/*
 * What an equation is: a descriptor that src/operator/equations.c lists, with a sampler of inputs and solvers. Everything that needs an equation's grid, threads, caches
 * of prepared solvers, coarser grids or plans is in pde*.c and coarse_grid.c, once for all of them.
 */
#ifndef NIGH_OPERATOR_PDE_H
#define NIGH_OPERATOR_PDE_H
#include "nigh/pde.h"

/*
 * value: the settings, in the order of info.options. Samplers and solvers are prepared once for a grid and then only read: any number of threads use one, each with a
 * workspace of its own (64-byte aligned), and nothing is allocated there.
 */
typedef struct pde_equation {
    nigh_equation info;

    /* Grids that info's range allows but the discretisation does not (odd ones ...): fails with the message. NULL: none. */
    nigh_status (*check)(nigh_context *ctx, const double *value, int64_t n);

    /* One input from `rng`, which belongs to this sample alone. The same rng gives the same function on any grid. */
    nigh_status (*sampler_new)(nigh_context *ctx, const double *value, int64_t n, void **sampler);
    size_t (*sampler_workspace)(const void *sampler);
    void (*sample)(const void *sampler, nigh_rng *rng, double *in, void *workspace);
    void (*sampler_free)(void *sampler);

    /* One answer. effort 0 .. info.efforts - 1: error falls and cost grows along it; the last is the exact one. What was not reached is NAN, as is the answer to a NAN. */
    nigh_status (*solver_new)(nigh_context *ctx, const double *value, int64_t n, int effort, void **solver);
    size_t (*solver_workspace)(const void *solver);
    void (*solve)(const void *solver, const double *in, double *out, void *workspace);
    void (*solver_free)(void *solver);

    /* Of one answer, before anything is prepared; and the effort in words: "2 V-cycles", "16 steps". */
    nigh_work (*work)(const double *value, int64_t n, int effort);
    void (*effort_name)(const double *value, int64_t n, int effort, char text[64]);

    /* How inputs go to a coarser or finer grid, and how answers come back. from, to and dims are filled in by the caller. */
    nigh_regrid in_coarser, in_finer, out_coarser, out_finer;
    bool positive; /* inputs are: an input that is not makes no problem of this kind, and the message says so */
} pde_equation;

/* All equations, ended by NULL; and one by name (NULL: unknown). */
extern const pde_equation *const pde_equations[];
const pde_equation *pde_equation_find(const char *name);

/* The equation and its settings of a problem; NULL when the problem is none. */
typedef struct pde_problem pde_problem;
const pde_problem *pde_of(const nigh_problem *problem);
const pde_equation *pde_problem_equation(const pde_problem *pde);
const double *pde_problem_values(const pde_problem *pde);
int64_t pde_problem_grid(const pde_problem *pde);

/* What would make this problem again; settings (with its ctx set) holds the text. */
nigh_status pde_say(nigh_context *ctx, const pde_problem *pde, nigh_pde *spec, nigh_buffer *settings);

/* The equation at another grid and effort (-1: exact), and its fields from grid to grid as the equation wants it: inputs or answers. */
nigh_status pde_solver_at(nigh_context *ctx, const pde_problem *pde, int64_t n, int effort, nigh_pde_solver **solver);
nigh_status pde_regridder(nigh_context *ctx, const pde_equation *equation, bool input, int64_t from, int64_t to, nigh_regridder **regridder);

extern const pde_equation pde_allen_cahn, pde_advection_diffusion, pde_burgers, pde_darcy, pde_fisher_kpp, pde_korteweg_de_vries, pde_kuramoto_sivashinsky, pde_navier_stokes, pde_poisson;
#endif
