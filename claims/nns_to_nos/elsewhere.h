/* Parts of the claim nns_to_nos.c: networks trained on one grid and asked on finer ones; and what holds by construction. */
#ifndef NIGH_CLAIMS_NNS_TO_NOS_ELSEWHERE_H
#define NIGH_CLAIMS_NNS_TO_NOS_ELSEWHERE_H
#include "../common.h"

enum { GRIDS = 3, FORMS = 4 };
typedef enum elsewhere_form { ELSEWHERE_PLAIN, ELSEWHERE_REWRITTEN, ELSEWHERE_HATS, ELSEWHERE_WRAPPER } elsewhere_form;

/* A problem, how its network is trained on n points in each dimension, and how many fields are tested. */
typedef struct elsewhere_case {
    const char *name, *equation, *with, *settings;
    int64_t n, train, test;
} elsewhere_case;

/* Mean relative errors on the grids n, 2 n, 4 n; a form that cannot answer on a grid has NAN. Kept in the resume file under the case's name and the seed. */
nigh_status elsewhere_measure(claim_run *run, const elsewhere_case *c, int seed, double error[FORMS][GRIDS]);

/* exact.c: same-grid identity, orders of consistency, quadrature weights of attention, band-limited inputs of spectral layers. */
nigh_status exact_bars(claim_run *run);
#endif
