/* The parts of the claim of sensitivity sampling: rows needed and their growth on polynomials (draws.c), root leverage and the block instance (blocks.c). */
#ifndef NIGH_CLAIMS_LP_PARTS_H
#define NIGH_CLAIMS_LP_PARTS_H
#include "../common.h"

#include "nigh/sensitivity.h"

enum { MOST_DRAWS = 64 };

typedef struct campaign {
    const nigh_rows *rows;
    const nigh_gauge *gauge;
    const double *score;
    double multiple;
    uint64_t seed;
    int draws;
    bool power_forgotten, random_only;
    double distortion[MOST_DRAWS], count[MOST_DRAWS];
    double high, rows_mean; /* nine tenths of the draws are within `high` */
} campaign;

/* M with sum of min(1, M score) = rows. */
double multiple_of(int64_t n, const double *score, double rows);
/* The draws with this expected number of rows. */
nigh_status campaign_at(claim_run *run, campaign *c, double rows);
/* Rows with which nine tenths of the draws are within `error`: doubling from `rows`, halving the steps, a line in logarithms. n when nothing less will do. */
nigh_status needed(claim_run *run, campaign *c, double rows, double error, double *out);
int by_value(const void *a, const void *b); /* doubles, for qsort */

/* Rows whose length is Student's t with 3 degrees of freedom; *x is the caller's. */
nigh_status heavy_rows(claim_run *run, int64_t n, int64_t d, uint64_t part, double **x);

nigh_status polynomials(claim_run *run);
nigh_status root_leverage(claim_run *run);
nigh_status blocks(claim_run *run);
#endif
