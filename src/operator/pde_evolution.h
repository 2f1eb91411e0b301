/* What the one-dimensional equations in time share: inputs from a Gaussian field or any other law, ETDRK4 solvers in f64 with steps that halve from one effort to the next. */
#ifndef NIGH_OPERATOR_PDE_EVOLUTION_H
#define NIGH_OPERATOR_PDE_EVOLUTION_H
#include "operator/pde.h"
#include "operator/pde_spectral.h"

/* Of an equation u_t = L u + g (u^degree) on a circle; value: its settings. */
typedef struct pde_evolution {
    const nigh_option *options;
    int degree;           /* 0: L alone, solved exactly */
    void (*symbol)(const double *value, int64_t k, double linear[2], double gain[2]);
    double (*time)(const double *value);
    double (*drift)(const double *value);                 /* distance, in lengths of the circle, that a mean of 1 is carried in that time; NULL: no such symmetry */
    int64_t (*steps)(const double *value, int64_t n);     /* of the exact solver, a power of two */
    int efforts;          /* each has half the steps of the next */
    double (*stable)(const double *value, int64_t n, double largest); /* steps that are just stable for an input whose values are at most `largest` from their mean; NULL: any. Inputs
                             get 4 times (exact), 2 times (the effort before), or just as many; steps then is what accuracy asks for */
    double typical;       /* of that */
    double growth;        /* an answer whose root mean square is more than this times 1 + that of the input has blown up */
} pde_evolution;

nigh_status pde_evolution_solver_new(nigh_context *ctx, const pde_evolution *e, const double *value, int64_t n, int effort, void **solver);
size_t pde_evolution_solver_workspace(const void *solver);
void pde_evolution_solve(const void *solver, const double *in, double *out, void *workspace);
void pde_evolution_solver_free(void *solver);
nigh_work pde_evolution_work(const pde_evolution *e, const double *value, int64_t n, int effort);
void pde_evolution_name(const pde_evolution *e, const double *value, int64_t n, int effort, char text[64]);
nigh_status pde_evolution_check(nigh_context *ctx, const double *value, int64_t n); /* even grids */

/* Samplers of a Gaussian field; finish (NULL: nothing) makes the input of its values. */
nigh_status pde_evolution_field_new(nigh_context *ctx, const nigh_gaussian *law, int64_t n, double (*finish)(double), void **sampler);
size_t pde_evolution_field_workspace(const void *sampler);
void pde_evolution_field(const void *sampler, nigh_rng *rng, double *in, void *workspace);
void pde_evolution_field_free(void *sampler);

/* The entries of an equation that has `static const pde_evolution evolution`; `sampler_new` is the file's own. */
#define PDE_EVOLUTION_SOLVER                                                                                                                                    \
    static nigh_status solver_new(nigh_context *ctx, const double *value, int64_t n, int effort, void **out)                                                   \
    {                                                                                                                                                           \
        return pde_evolution_solver_new(ctx, &evolution, value, n, effort, out);                                                                               \
    }                                                                                                                                                           \
    static nigh_work work(const double *value, int64_t n, int effort) { return pde_evolution_work(&evolution, value, n, effort); }                              \
    static void effort_name(const double *value, int64_t n, int effort, char text[64]) { pde_evolution_name(&evolution, value, n, effort, text); }
#define PDE_EVOLUTION_ENTRIES                                                                                                                                   \
    .check = pde_evolution_check, .solver_new = solver_new, .solver_workspace = pde_evolution_solver_workspace, .solve = pde_evolution_solve,                  \
    .solver_free = pde_evolution_solver_free, .work = work, .effort_name = effort_name
#define PDE_EVOLUTION_FIELD                                                                                                                                     \
    .sampler_new = sampler_new, .sampler_workspace = pde_evolution_field_workspace, .sample = pde_evolution_field, .sampler_free = pde_evolution_field_free

/* The least power of two from x on, at least 1. */
int64_t pde_evolution_power(double x);
#endif
