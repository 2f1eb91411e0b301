/*
 * Small dense linear programs over a box, by the dual simplex method with bounds on variables (Chvatal, "Linear Programming", chapters 8 and 10): all variables are boxed, so
 * the slack basis is dual feasible and no first phase is needed. Plain f64: what comes out are proposals (a point, multipliers) that others prove.
 */
#ifndef NIGH_VERIFY_LINEAR_PROGRAM_H
#define NIGH_VERIFY_LINEAR_PROGRAM_H
#include "nigh/core.h"

typedef enum program_answer {
    PROGRAM_OPTIMAL,    /* x and multiplier are those of an optimum */
    PROGRAM_INFEASIBLE, /* sum_i multiplier_i (a_i x - b_i) < 0 on the whole box */
    PROGRAM_STOPPED     /* too many steps: x and multiplier are the last ones */
} program_answer;

/* Maximise c x subject to a_i x >= b_i, low <= x <= high; a [rows, n]. */
typedef struct program {
    int64_t n, rows;
    const double *low, *high, *c, *a, *b;
    double tolerance; /* by how much a row may be missed */
    double *x;          /* [n] out */
    double *multiplier; /* [rows] out, >= 0: max over the box of c x + sum_i multiplier_i (a_i x - b_i) bounds the optimum */
} program;

/* O(rows n) a step, memory 8 (rows + 4) n bytes. NIGH_MEMORY. */
nigh_status program_solve(nigh_context *ctx, const program *p, program_answer *answer);
#endif
