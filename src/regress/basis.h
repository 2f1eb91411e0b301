/* The inside of bases and candidates (nigh/design.h), for the samplers. */
#ifndef NIGH_REGRESS_BASIS_H
#define NIGH_REGRESS_BASIS_H
#include "nigh/design.h"
#include "tensor/basis.h"

/* Function j > 0 is function parent[j] < j times function index[j * dims + last[j]] of variable last[j]. */
struct nigh_basis {
    basis_family family;
    int64_t dims, m;
    int count;            /* functions of one variable that occur */
    double *middle, *half; /* [dims]: z = (x - middle) / half */
    int *index;           /* [m,dims] */
    int32_t *parent, *last; /* [m] */
    nigh_arena *arena;
};

struct nigh_candidates {
    int64_t n, m;
    double gap;
    double *phi;          /* [n,m] */
    double *weight;       /* [n], sum 1 */
    double *triangle;     /* [m,m] or NULL */
    nigh_alias *optimal, *input; /* draws from weight |phi|^2 and from weight */
    nigh_arena *arena;
};

/* A point of the optimal density, or of the measure itself, and the functions there; x[dims], phi[m]. */
void basis_draw_optimal(const nigh_basis *basis, nigh_rng *rng, double *x, double *phi);
void basis_draw_input(const nigh_basis *basis, nigh_rng *rng, double *x, double *phi);

/* Names of the enums as they stand in options. */
#define BASIS_FAMILY_NAMES "legendre,hermite,fourier"
#define BASIS_SET_NAMES "total,hyperbolic,tensor"
#endif
