/*
 * Proofs of the error of a fitted core over every real of an interval: |computed - f|, with the approximation error enclosed by ball
 * arithmetic and the rounding of every operation bounded.
 *
 * M. Daumas and G. Melquiond, "Certification of bounds on expressions involving rounded operators"; Taylor models as in
 * S. Chevillard, J. Harrison, M. Joldes and C. Lauter, "Efficient and accurate computation of upper bounds of approximation errors".
 *
 * The interval of the core argument t is cut into segments. On each one:
 *   1. core - g as a Taylor polynomial around the middle, both sides by series arithmetic, with its remainder over the segment;
 *   2. the roundings of the code, step by step: the range of each exact value and a bound of its error; the last rounding apart;
 *   3. what range reduction and reconstruction add, and the weight of the measure, for the inputs that lead to this t.
 * The segment with the largest bound is halved until nothing can be gained. Fewer roundings than written (a compiler that
 * contracts) are covered.
 */
#ifndef NIGH_FUNCTION_PROVE_H
#define NIGH_FUNCTION_PROVE_H
#include "function/code.h"
#include "function/reduce.h"

/*
 * out->worst >= the error, in the target's measure, of the core's kernel at every number of the type in the target's interval (exact = false);
 * out->at: an input near where the bound is largest. INFINITY where no bound was found: a pole, a relative error at a zero that the core
 * does not share. NIGH_UNSUPPORTED: without Arb (libflint-arb), or a core whose reduction does not belong to the function.
 * NIGH_INTERRUPTED. Cost: 0.1 to 3 s, one thread.
 */
nigh_status function_prove(nigh_context *ctx, const function_target *target, const function_core *core, nigh_certificate *out);

#if defined(NIGH_HAVE_ARB)
#include "function/enclosure.h"

enum { PROVE_BITS = 160, PROVE_ORDER = 12 };

/* The number type: a result below 2^e is rounded by at most 2^(e - 1 - digits), and by 2^least. */
typedef struct prove_type {
    int digits, least, most; /* 53, -1075, 1024 */
} prove_type;

/* A code on a ball: the range without roundings, the error of the computed value before its last rounding, and that. */
typedef struct prove_rounding {
    arb_t range;
    mag_t error, last;
} prove_rounding;

/* Half an ulp of results up to `size`. */
void prove_half_ulp(mag_t out, const prove_type *type, const mag_t size);
void prove_roundings(prove_rounding *out, const prove_type *type, const function_code *code, const arb_t t);

/* The code as a series around t (a ball: its coefficients over all of it), of this length. */
void prove_series(arb_ptr out, const function_code *code, const arb_t t, slong length);

/* What is proved. */
typedef struct prove_case {
    nigh_context *ctx;
    const function_target *target;
    const function_core *core;
    function_measure measure;
    prove_type type;
    double low, high, cut; /* of x; largest t of a folded core */
    bool zero;             /* g(0) = 0 */
    function_code code, bare; /* core(t); without its factor. Of tables: of `piece` */
    int piece;
    arb_t period, argument;   /* what one step of k adds; f's argument is t + argument or -t */
    double period_d;
    mag_t constants;          /* error of the period as the kernel has it */
    mag_t cancelled;          /* TURNS: |t - computed t| from constants, relative to |t| */
    double margin;            /* the computed t is at least this near to t */
    double low_bit;           /* k times the first constant is a multiple of it */
} prove_case;

/* Part of the range of t, or of |x| beyond the cut (tail: +1 or -1, the sign of x). */
typedef struct prove_segment {
    double low, high, bound, floor; /* floor: about the error in the middle */
    int piece, tail, k;             /* k: of the worst image */
    int sign;
} prove_segment;

/* core and g on a ball of t: values, or both divided by t. */
typedef struct prove_values {
    bool divided;
    arb_t t, g;
    mag_t error, last, slope; /* |computed - g| before the last rounding; that rounding; |g'| */
    mag_t size;               /* |computed| */
} prove_values;

void prove_values_init(prove_values *v);
void prove_values_clear(prove_values *v);

/* Both at once: over the segment and in its middle. */
void prove_segment_values(const prove_case *c, const prove_segment *s, prove_values *over, prove_values *middle);

/* The error in the measure for all inputs that lead there; k and sign of the worst. */
double prove_images(const prove_case *c, const prove_values *v, double low, double high, int *k, int *sign);
double prove_tail(const prove_case *c, const prove_segment *s, bool middle);

/* g over a ball of t, as f; and the ball of doubles [low, high]. */
void prove_argument(const prove_case *c, arb_t out, const arb_t t);
void prove_ball(arb_t out, double low, double high);
#endif
#endif
