/*
 * Taylor expansions of several variables whose coefficients are spans. Over a box X they enclose every f^(alpha)(x) / alpha!, x in X, up to total order `order`; at a point (a box without width) they
 * are the Taylor coefficients. So for x in a box with centre c and radii r, and every k up to the order,
 *   f(x) is in  sum_{|a| < k} f_a(c) (x - c)^a  +  sum_{|a| = k} f_a(X) (x - c)^a.
 * Moore, Kearfott and Cloud, "Introduction to Interval Analysis"; univariate recurrences as in Griewank and Walther, "Evaluating Derivatives", chapter 13.
 *
 * Elementary functions rest on glibc's libm being within 8 ulp (its manual's table: at most 3 for those used). Where a function is not analytic on the span (a kink, a pole), high
 * coefficients are SPAN_ALL; the value, and at kinks the slopes, are still enclosed.
 */
#ifndef NIGH_CORE_TAYLOR_H
#define NIGH_CORE_TAYLOR_H
#include "core/span.h"
#include "nigh/expr.h"

enum { TAYLOR_MOST_ORDER = 8, TAYLOR_MOST_DIMS = 4 };

typedef struct taylor_pair {
    short a, b, to;
} taylor_pair;

typedef struct taylor {
    int dims, order, count; /* count: coefficients, number 0 the value, 1 .. dims the first derivatives */
    int pairs;
    signed char (*power)[TAYLOR_MOST_DIMS]; /* [count] */
    signed char *degree;                    /* [count] */
    taylor_pair *pair;                      /* all products a b of total degree up to `order` */
} taylor;

/* In the arena. dims 1 .. TAYLOR_MOST_DIMS, order 1 .. TAYLOR_MOST_ORDER. */
nigh_status taylor_new(nigh_arena *arena, int dims, int order, taylor **out);

void taylor_constant(const taylor *t, span value, span *out);
void taylor_variable(const taylor *t, int v, span value, span *out);
void taylor_add(const taylor *t, const span *a, const span *b, span *out);      /* in place is fine */
void taylor_sub(const taylor *t, const span *a, const span *b, span *out);
void taylor_scale(const taylor *t, span c, const span *a, span *out);
void taylor_mul(const taylor *t, const span *a, const span *b, span *out);      /* out apart from a and b */

/* sum_k series[k] (a - a_0)^k: a function with these Taylor coefficients at the value of a. work: 2 count. */
void taylor_compose(const taylor *t, const span *series, const span *a, span *out, span *work);

/* series[0 .. order] of an operation of one argument on the span x. */
void taylor_series(nigh_op op, span x, int order, span *series);

/* x^p for a fixed p. */
void taylor_series_power(span x, double p, int order, span *series);

/* An expression at variables [dims][count]; room of taylor_expr_room spans. */
size_t taylor_expr_room(const taylor *t, const nigh_expr *expr);
void taylor_expr(const taylor *t, const nigh_expr *expr, const span *variables, span *out, span *room);

/* A bound of |a| over the box: radii r, expansion `centre` at its centre and `whole` over all of it; the best of all orders. */
double taylor_bound(const taylor *t, const double *radius, const span *centre, const span *whole);
#endif
