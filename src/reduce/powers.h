/* What the parts of sampling for sums of p-th powers share; see nigh/sensitivity.h. */
#ifndef NIGH_REDUCE_POWERS_H
#define NIGH_REDUCE_POWERS_H
#include "nigh/sensitivity.h"

#include "reduce/rowspace.h"

nigh_status power_check(nigh_context *ctx, double p);             /* 1 <= p <= 32, a warning above 8 */
void scores_count(int64_t n, const double *score, nigh_scores *found); /* sum and zero_rows */

/* On a source whose scale holds the weights. *found is filled but for what belongs to others. */
nigh_status leverage_of(nigh_context *ctx, const row_source *source, double *score, nigh_scores *found);
nigh_status lewis_of(nigh_context *ctx, const row_source *source, double p, int rounds, double tolerance, double *score, nigh_scores *found);

/* tau[n] (NULL: not wanted): the leverages that are found on the way. */
nigh_status sensitivity_bounds_of(nigh_context *ctx, const row_source *source, double p, double *score, double *tau, int64_t *products, nigh_scores *found);

/* ---- products of columns ---- */

/*
 * Coordinates of products: with h = p/2, (u.z)^h = products(u) . products(z), the products being all u_i1 .. u_ih with i1 <= .. <= ih times the root of
 * their multinomial coefficients. |A x|_p^p is then a sum of squares, and the leverage of products(u_i) a bound of the sensitivity of row i.
 */
typedef struct lift {
    int64_t k, count;     /* coordinates u, products */
    int degree;           /* h, 1 .. 4 */
    int16_t *index;       /* [count,degree] */
    double *factor;       /* [count] */
    row_space base;       /* of the rows: u = row base.m */
    row_space space;      /* of the products of all rows */
} lift;

enum { LIFT_MOST = 400 };

/* True when p = 2 h and the products of k coordinates of n rows are few enough. */
bool lift_fits(double p, int64_t k, int64_t n);
nigh_status lift_new(nigh_context *ctx, const row_source *source, double p, const row_space *base /* copied */, lift *out);
void lift_free(nigh_context *ctx, lift *l);
void lift_row(const lift *l, const double *u, double *product);                               /* product[count] */
void lift_slope(const lift *l, const double *u, const double *by, double *slope);             /* slope[k] = d (by . products(u)) / d u */
nigh_status lift_scores(nigh_context *ctx, const row_source *source, const lift *l, double *score);

/* H[k,k] (upper) = sum over rows of d_j u_j u_j^T, u[m,k]; room[block * k]. */
void weighted_gram(int64_t m, int64_t k, const double *u, const double *d, double *h, double *room);
int64_t weighted_gram_room(int64_t k);

/* ---- sensitivities ---- */

/* Largest |c.z|^p / sum weight_j |u_j.z|^p on coordinates u[m,k] that are near orthonormal, for one c[k]; the direction z[k] with c.z = 1. */
typedef struct sensitivity_problem {
    int64_t m, k;
    const double *u, *weight; /* weight[m] on |.|^p; NULL: ones */
    double p, tolerance;
    int steps; /* most */
} sensitivity_problem;
size_t sensitivity_room(int64_t m, int64_t k); /* doubles */
void sensitivity_solve(const sensitivity_problem *s, const double *c, double *room, double *z, double *lower, double *upper);
#endif
