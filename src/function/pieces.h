/*
 * References that are proved: f on every f32 of an interval by pieces, each a way to compute f in f64 with a bound of the
 * error. A piece is a Taylor polynomial (remainder by Lagrange over a ball, all roundings counted), a sine, cosine
 * or tangent of a large argument (reduced exactly), or a few values one by one. Proofs are by Arb; where nigh was built without it the
 * one piece is the f64 library with the margin of function_reference_margin.
 */
#ifndef NIGH_FUNCTION_PIECES_H
#define NIGH_FUNCTION_PIECES_H
#include "function/target.h"

enum { PIECE_DEGREE = 14, PIECE_VALUES = 32, PIECE_TURN = 3 };

typedef enum function_piece_kind {
    PIECE_POLYNOMIAL, /* sum c[k] u^k, u = (x - centre) scale, by Horner's rule with fma; |u| <= 1, scale a power of two */
    PIECE_SINE,       /* sin, cos or tan of x (op), one binade and sign: turn[] are parts of 2/pi mod 4, exact times x but for the last */
    PIECE_LIST,       /* value[] */
    PIECE_LIBRARY     /* function_reference_f64 */
} function_piece_kind;

typedef struct function_piece {
    function_piece_kind kind;
    int64_t first, last;             /* floats by their numbers: -0 is -1, +0 is 0 */
    int degree;
    nigh_op op;
    double centre, scale, c[PIECE_DEGREE + 1], turn[PIECE_TURN];
    double value[PIECE_VALUES], radius[PIECE_VALUES]; /* NaN, INFINITY: nothing is known there */
    function_margin margin;          /* of all its floats, but of a list's: there relative is 0 and absolute the radius */
} function_piece;

/*
 * |f| beyond 2^999 is given as a number beyond it of the same sign, |f| below 2^-1000 as 0; margins: at most about 2^-46 of the
 * least |f| of the piece (relative and ulp; in ulp never below 2^-172), of the largest |f| (absolute).
 */

/* What one thread needs; the target must live on. The target's measure says which margins are small enough. */
typedef struct function_pieces function_pieces;
nigh_status function_pieces_new(nigh_context *ctx, const function_target *target, function_pieces **out);
void function_pieces_free(function_pieces *pieces); /* NULL is fine */

/* A run of floats, and its pieces in order; NULL at the end. The same run has the same pieces, whatever was asked before. */
void function_pieces_begin(function_pieces *pieces, int64_t first, int64_t last);
const function_piece *function_pieces_next(function_pieces *pieces);

/* The error of an answer at x in the target's measure: not above the result, not below *least. */
double function_pieces_error(const function_pieces *pieces, float x, double answer, double *least);

/* The words of a certificate. */
const char *function_pieces_how(const function_pieces *pieces);

/* Frees what the calling thread holds in Arb's caches. Before a thread that used pieces ends. */
void function_pieces_leave_thread(void);

/* The float of a number, and its number. */
float function_float_of_key(int64_t key);
int64_t function_key_of_float(float x);
#endif
