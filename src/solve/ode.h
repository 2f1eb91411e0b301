/* What the steppers of nigh/ode.h share: the trajectories that still run, as rows without gaps. */
#ifndef NIGH_SOLVE_ODE_H
#define NIGH_SOLVE_ODE_H
#include "nigh/ode.h"

enum { ODE_STATES_FIXED = 5, ODE_STATES_ADAPTIVE = 10 };

struct nigh_ode {
    nigh_context *ctx;
    nigh_ode_spec spec;
};

/* Row i of every plane belongs to trajectory which[i]. plane[0] is y; the others are slopes and scratch, in the stepper's own order. */
typedef struct ode_rows {
    int64_t count, n;
    int64_t *which, *next; /* next[i]: the first output time that row i has not passed */
    double *t, *h, *scratch;
    bool *rejected; /* the last try of row i was */
    double *plane[ODE_STATES_ADAPTIVE];
    int planes;
    nigh_ode_report *report; /* of all trajectories, by number */
} ode_rows;

/* What a run writes. */
typedef struct ode_out {
    int64_t batch, n, times;
    const double *time;
    double *y, *out;
} ode_out;

/* Lays the rows over the workspace: all trajectories at `begin` with states y. */
void ode_rows_begin(ode_rows *rows, int64_t batch, int64_t n, int planes, double begin, const double *y, void *workspace);
size_t ode_rows_bytes(int64_t batch, int64_t n, int planes);

/* Writes the state of row i to the caller's y, and NaN to the output times it has not reached. */
void ode_row_leave(const ode_rows *rows, const ode_out *out, int64_t i, nigh_ode_end end);

/* Takes the rows with gone[i] out and closes the gaps; the first `kept` planes keep their values. */
void ode_rows_close(ode_rows *rows, const bool *gone, int kept);

/* Copies the reports and gives the status of the run. */
nigh_status ode_rows_end(const ode_rows *rows, int64_t batch, nigh_ode_report *report);

bool ode_finite(int64_t n, const double *x);

/* Runs of each kind; the arguments were checked. */
nigh_status ode_run_fixed(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, const ode_out *out, nigh_ode_report *report, void *workspace);
nigh_status ode_run_adaptive(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, const ode_out *out, nigh_ode_report *report, void *workspace);
#endif
