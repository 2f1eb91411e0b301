/*
 * nigh/expr.h: expressions: small immutable programs of arithmetic and elementary functions.
 *
 * An expression is a list of at most 100 operations, each on earlier results, variables or constants (a postfix
 * program with common subexpressions shared, so a directed acyclic graph); constants stand apart from operations. It is
 * parsed from infix text, evaluated on columns of numbers (f64, f32, i64), at one point in quadruple precision, as a
 * Taylor series, and with its derivatives by the constants; printed; hashed by its values; and enumerated by size.
 *
 * Text:  + - * /  and ^ (right associative, binds tighter than unary minus: -x^2 = -(x^2)), parentheses, numbers
 * ("1", ".5", "2e-3"), the constants pi and e, the variables' names, and the functions of nigh_op below, written
 * f(x) or f(x, y). Parts without variables are computed once, in quadruple precision.
 *
 * Accuracy of one operation (arithmetic and square root are rounded correctly):
 *   f128   glibc's binary128 functions: within 4 ulp of binary128 (the far tail of gelu: 1e-29 relative)
 *   f64    scalar level: glibc's libm, within 3 ulp; AVX2 and AVX-512 levels: glibc's libmvec, within 4 ulp.
 *          sigmoid, gelu, silu, softplus: 8 ulp, in their far tails too as long as the result is a normal number.
 *          x^k for whole |k| <= 8: 4 ulp.
 *   f32    the same in f32, but for the left tail of gelu: there x^2 ulp more.
 * Infinities, NaN, zeros and subnormal numbers go in and come out as libm's, but for the sign of a zero.
 * Errors of one operation are carried on by the next ones, as in any floating-point program.
 */
#ifndef NIGH_EXPR_H
#define NIGH_EXPR_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* IEEE binary128 where the compiler has it (113 bits of mantissa). */
#if defined(__SIZEOF_FLOAT128__)
typedef __float128 nigh_f128;
#else
typedef long double nigh_f128;
#endif

typedef enum nigh_op {
    /* two arguments */
    NIGH_OP_ADD, NIGH_OP_SUB, NIGH_OP_MUL, NIGH_OP_DIV, NIGH_OP_POW, NIGH_OP_MIN, NIGH_OP_MAX, NIGH_OP_HYPOT,
    NIGH_OP_ATAN2,
    /* one argument */
    NIGH_OP_NEG, NIGH_OP_ABS, NIGH_OP_FLOOR, NIGH_OP_SQRT, NIGH_OP_RSQRT /* 1/sqrt */, NIGH_OP_CBRT, NIGH_OP_EXP,
    NIGH_OP_EXP2, NIGH_OP_EXPM1, NIGH_OP_LOG, NIGH_OP_LOG2, NIGH_OP_LOG10, NIGH_OP_LOG1P, NIGH_OP_SIN, NIGH_OP_COS,
    NIGH_OP_TAN, NIGH_OP_ASIN, NIGH_OP_ACOS, NIGH_OP_ATAN, NIGH_OP_SINH, NIGH_OP_COSH, NIGH_OP_TANH, NIGH_OP_ASINH,
    NIGH_OP_ACOSH, NIGH_OP_ATANH, NIGH_OP_ERF, NIGH_OP_ERFC,
    NIGH_OP_SIGMOID /* 1/(1+exp(-x)) */, NIGH_OP_GELU /* x (1+erf(x/sqrt 2))/2 */, NIGH_OP_SILU /* x sigmoid(x) */,
    NIGH_OP_SOFTPLUS /* log(1+exp(x)) */,
    NIGH_OP_COUNT
} nigh_op;

#define NIGH_EXPR_MAX_OPS 100
#define NIGH_EXPR_MAX_CONSTANTS 100
#define NIGH_EXPR_MAX_VARIABLES 64

typedef struct nigh_expr nigh_expr;

/* "exp", "+" ... as in the text; NULL beyond the last. And the number of arguments, 1 or 2. */
NIGH_API const char *nigh_op_name(nigh_op op);
NIGH_API int nigh_op_arguments(nigh_op op);

/* ---- making ------------------------------------------------------------------------------------------- */

/*
 * Parses text whose variables are variables[0 .. count-1] (names of letters, digits and _, not starting with a digit;
 * copied). count 0 .. 64. *out is freed with nigh_expr_free. NIGH_INVALID with position (from 1) and token in the
 * message: what was expected; an unknown name gets the nearest known one; too many operations or constants; nesting
 * deeper than 200; a constant part that is not finite ("1/0").
 */
NIGH_API nigh_status nigh_expr_parse(nigh_context *ctx, const char *text, const char *const *variables, int count,
                                     nigh_expr **out);

/*
 * The names in text that are neither functions nor pi or e, each once, in natural order (a, b, x, x2, x10): what a caller
 * who was given only the text may take for its variables. Copies them into the arena; *count is 0 when there are none.
 */
NIGH_API nigh_status nigh_expr_names(nigh_context *ctx, const char *text, nigh_arena *arena, const char *names[NIGH_EXPR_MAX_VARIABLES],
                                     int *count);

/* One step of a program: an operation on two earlier values (`b` is ignored for one argument). */
typedef struct nigh_step {
    nigh_op op;
    int a, b;
} nigh_step;

/*
 * An expression from a program. Values are numbered: variables 0 .. count-1, then the constants, then the steps; step i
 * may use values below count + n_constants + i. The result is value `root` (-1: the last). Steps that root does not
 * use are dropped, equal ones shared; constants are kept as they are, in their order, used or not. variables NULL:
 * named x1 .. x{count}, or x when count is 1. NIGH_INVALID when a number is out of range.
 */
NIGH_API nigh_status nigh_expr_build(nigh_context *ctx, const char *const *variables, int count, const double *constants,
                                     int n_constants, const nigh_step *steps, int n_steps, int root, nigh_expr **out);

NIGH_API void nigh_expr_free(nigh_expr *expr); /* NULL is fine */

NIGH_API int nigh_expr_variables(const nigh_expr *expr);
NIGH_API const char *nigh_expr_variable(const nigh_expr *expr, int i);
NIGH_API int nigh_expr_steps(const nigh_expr *expr, const nigh_step **steps);          /* owned by expr */
NIGH_API int nigh_expr_constants(const nigh_expr *expr, const double **constants);     /* owned by expr */
NIGH_API int nigh_expr_root(const nigh_expr *expr);

/* Floating-point operations of one evaluation: 1 for arithmetic, about 20 to 60 for a vectorised elementary function. */
NIGH_API double nigh_expr_flops(const nigh_expr *expr);

/* ---- evaluation --------------------------------------------------------------------------------------- */

/* Scratch bytes of one evaluation on columns, whatever n (64-byte aligned; the largest of the types' needs). */
NIGH_API size_t nigh_expr_workspace(const nigh_expr *expr);

/*
 * out[n] = the expression at rows 0 .. n-1 of the columns (columns[v][i]: variable v in row i). out may be one of the
 * columns. Works through blocks of 512 rows with kernels of the CPU level (nigh_cpu()). Thread-safe with a workspace per
 * thread. i64: + - * wrap around, / rounds towards zero (x/0 = 0, and the smallest value / -1 wraps), ^ by repeated
 * multiplication (negative exponents: 0, but for the bases 1 and -1), min, max, neg, abs, floor; every other operation goes
 * through f64 and is rounded to the nearest integer (0 when it is not finite, else clamped). Constants are rounded to the
 * nearest integer.
 */
NIGH_API void nigh_expr_eval_f64(const nigh_expr *expr, int64_t n, const double *const *columns, double *out, void *workspace);
NIGH_API void nigh_expr_eval_f32(const nigh_expr *expr, int64_t n, const float *const *columns, float *out, void *workspace);
NIGH_API void nigh_expr_eval_i64(const nigh_expr *expr, int64_t n, const int64_t *const *columns, int64_t *out, void *workspace);

/* The value at point[variables] in quadruple precision; constants such as 0.1 and pi are quadruple, too. 1 to 20 us. */
NIGH_API nigh_f128 nigh_expr_eval_f128(const nigh_expr *expr, const nigh_f128 *point);

/*
 * Taylor coefficients c[0 .. order] of an expression of one variable at x0: f(x0 + t) = sum c[k] t^k, by arithmetic of
 * power series (Griewank and Walther, "Evaluating Derivatives", chapter 13) in quadruple precision. order 0 .. 200;
 * O(order^2) per operation. NIGH_UNSUPPORTED where the expression is not analytic (abs and sqrt at 0, floor at an
 * integer, min of equal values, log at 0); NIGH_INVALID when it has more than one variable or order
 * is out of range.
 */
NIGH_API nigh_status nigh_expr_jet(nigh_context *ctx, const nigh_expr *expr, nigh_f128 x0, int order, nigh_f128 *coefficients);

/*
 * Values out[n] and derivatives by the constants gradient[c n + i] (constant c, row i) in f64 with `constants` in place
 * of the expression's own (NULL: its own), by forward derivatives; where one does not exist, one of the one-sided ones.
 * Allocates its scratch. Cost: about (1 + constants) evaluations.
 */
NIGH_API nigh_status nigh_expr_gradient_constants(nigh_context *ctx, const nigh_expr *expr, const double *constants,
                                                  int64_t n, const double *const *columns, double *out, double *gradient);

/* ---- text --------------------------------------------------------------------------------------------- */

typedef enum nigh_expr_form {
    NIGH_EXPR_INFIX,  /* "exp(-x*x)"; parses back to an equal expression, constants to the bit */
    NIGH_EXPR_PREFIX, /* "(exp (neg (* x x)))" */
    NIGH_EXPR_C       /* C99 statements in double: "const double t0 = x * x; ... return t2;" (math.h's functions) */
} nigh_expr_form;

/* Adds the expression to text. NIGH_RESOURCE when it would be longer than 1 MB (shared parts are written out again). */
NIGH_API nigh_status nigh_expr_print(const nigh_expr *expr, nigh_expr_form form, nigh_buffer *text);

/* ---- values and enumeration --------------------------------------------------------------------------- */

/*
 * A hash of the values at n rows of f64 columns: expressions that agree there to about 40 bits hash alike (but for the
 * rare value that falls on a rounding edge); zeros of either sign hash alike, and so do all NaN. Scalar kernels, so
 * the same on every machine with the same libm.
 */
NIGH_API uint64_t nigh_expr_hash(const nigh_expr *expr, int64_t n, const double *const *columns, void *workspace);

/* What to enumerate: programs of variables, the given constants and the given operations, on n rows of columns. */
typedef struct nigh_expr_grammar {
    const nigh_op *ops;
    int n_ops;                     /* 1 .. NIGH_OP_COUNT */
    const double *constants;
    int n_constants;               /* 0 .. 100 */
    int variables;                 /* 0 .. 64, at least one variable or constant */
    int64_t n;                     /* rows, 1 .. 512 */
    const double *const *columns;  /* [variables][n]; must outlive the walk */
    int64_t most;                  /* distinct expressions kept at most; 1 .. 10,000,000 */
} nigh_expr_grammar;

typedef struct nigh_expr_walk nigh_expr_walk;

/*
 * Walks expressions by size (number of leaves and operations, shared ones counted again), smallest first, and gives one
 * of each set that has equal values on all rows (observational equivalence); those with a value that is not finite are
 * left out, and arguments of commutative operations are taken in one order. Memory: 8 n + 40 bytes an expression.
 */
NIGH_API nigh_status nigh_expr_walk_new(nigh_context *ctx, const nigh_expr_grammar *grammar, nigh_expr_walk **out);
/* The next expression, freed by the caller; *out = NULL with NIGH_OK at the end (`most` reached or no new one). */
NIGH_API nigh_status nigh_expr_walk_next(nigh_expr_walk *walk, nigh_expr **out);
NIGH_API int nigh_expr_walk_size(const nigh_expr_walk *walk);              /* of the expression given last */
NIGH_API const double *nigh_expr_walk_values(const nigh_expr_walk *walk);  /* its values on the n rows; until the next call */
NIGH_API void nigh_expr_walk_free(nigh_expr_walk *walk);

#ifdef __cplusplus
}
#endif
#endif
