/* The inside of a gauge, for gauge*.c; see nigh/sensitivity.h. */
#ifndef NIGH_REDUCE_GAUGE_H
#define NIGH_REDUCE_GAUGE_H
#include "reduce/powers.h"

enum { GAUGE_HEAVY = 256, GAUGE_CONDITIONS = 3 };

/* sum_j w_j |u_j.z|^p over u[m,k]. */
typedef struct gauge_side {
    int64_t m;
    const double *u, *w; /* w NULL: ones */
} gauge_side;

struct nigh_gauge {
    nigh_context *ctx;
    const nigh_rows *rows;
    double p;
    nigh_gauge_options options;
    row_matrix a;
    row_space space;
    int64_t k;
    bool whole;        /* the reference is all rows */
    double *u, *w;     /* of the reference */
    gauge_side reference;
    lift lift;         /* count 0: none */
    bool form;         /* the reference is summed by its form in the products: fewer numbers than its rows */
    double *random;    /* [options.random,k] directions */
    double *value;     /* [options.random] their sums over all rows */
    double *flat;      /* [k,k] factor of the reference's Gram matrix with weights |u|^(p-2) */
    double *condition; /* [GAUGE_CONDITIONS,k] c of c.z = 1 */
    double *least;     /* [GAUGE_CONDITIONS,k] where the reference is least under these */
    int64_t heavy;     /* rows of largest leverage, heaviest first */
    int64_t index[GAUGE_HEAVY];
};

/* Room for gauge_value in doubles. */
int64_t gauge_room(const nigh_gauge *g, int64_t m);
/* Sum at z[k] and (slope not NULL) its slope; the same bits for any number of threads. */
double gauge_value(const gauge_side *side, int64_t k, double p, int threads, const double *z, double *slope, double *room);
double gauge_reference(const nigh_gauge *g, int threads, const double *z, double *slope, double *room);

/* Steps towards a minimiser: fewer on large sides, where each costs m k^2. */
int gauge_steps(int64_t m, int64_t k);

/* h[k,k] (upper) of a side with weights w |u|^(p-2). */
nigh_status gauge_flat(nigh_context *ctx, const gauge_side *side, int64_t k, double p, double *h);

/* value[count] = sums over all rows at z[count,k]. */
nigh_status gauge_all(nigh_context *ctx, const nigh_gauge *g, int64_t count, const double *z, double *value);
#endif
