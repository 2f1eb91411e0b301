/* What relax.c and relax_lines.c know of each function: values and slopes with errors, and where it bends up or down. */
#ifndef NIGH_VERIFY_RELAX_INSIDE_H
#define NIGH_VERIFY_RELAX_INSIDE_H
#include "verify/relax.h"

/*
 * f(x) and f'(x) are within *error of what is given. The C library's exp, expm1, log1p, tanh, erfc, sin and cos are taken to be within 8 ulp (those of the GNU C library are
 * within 4: its manual, "Known Maximum Errors in Math Functions"); what is computed from them is inflated for the conditioning of each formula. f' at a kink is the one from the left.
 */
double relax_value(bound_function f, const double p[2], double x, double *error);
double relax_slope(bound_function f, const double p[2], double x, double *error);

enum { RELAX_PIECES = 12 };

/* Pieces of [low, high] on which f is convex (bend 1), concave (-1) or straight (0). */
typedef struct relax_pieces {
    int n;
    double from[RELAX_PIECES], to[RELAX_PIECES];
    int bend[RELAX_PIECES];
    double between; /* bounds how far f is from the straight line over what lies between pieces */
} relax_pieces;

/* false: too many pieces to be told. */
bool relax_split(bound_function f, const double p[2], double low, double high, relax_pieces *pieces);

/* What an evaluation in f32 of f can be off by where |x| <= size and |f| <= most. */
double relax_single(bound_function f, double size, double most);

/* relax_lines for one element, any function. */
void relax_pair(bound_function f, const double p[2], double low, double high, const double *free, bool single, double *lower_slope, double *lower_shift, double *upper_slope,
                double *upper_shift);
#endif
