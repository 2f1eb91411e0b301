/* Between autonumerics_zero.c and its parts. */
#ifndef NIGH_CLAIMS_AUTONUMERICS_ZERO_BARS_H
#define NIGH_CLAIMS_AUTONUMERICS_ZERO_BARS_H
#include "../common.h"

#include "function/evolve.h"

typedef enum zero_function { ZERO_EXP2, ZERO_LOG2, ZERO_COS } zero_function;

enum { ZERO_OPS = 10 };

/* What is approximated: 2^x, log2(1+x)/x and cos, relative errors. halvings: the root that gives it when squared so often.
 * fake: trained at a few places only. */
typedef struct zero_curve {
    zero_function function;
    int halvings;
    bool fake;
} zero_curve;

nigh_f128 zero_value(zero_function function, nigh_f128 t);
remez_problem zero_problem(const zero_curve *curve);

/* Digits of the best classical forms of at most `ops` operations, [0] for none. */
typedef struct zero_baselines {
    double polynomial[ZERO_OPS + 1]; /* Horner: 2 d; for an even function in t^2, too: 2 d + 1 */
    double squared[ZERO_OPS + 1];    /* the same, squared s times with constants fitted for it: s more */
    double rational[ZERO_OPS + 1];   /* k/l with one leading coefficient 1: 2 (k + l) */
    double rational_squared[ZERO_OPS + 1];
} zero_baselines;
nigh_status zero_baselines_make(claim_run *run, zero_function function, zero_baselines *out);

/* Largest relative error at 100003 random points that no fit has seen, and at both ends. */
double zero_hidden_error(const evolve_program *program, zero_function function, uint64_t seed);
#endif
