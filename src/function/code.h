/*
 * Straight-line code: what a core does, operation by operation. Exported C is written from it, proofs of rounding errors walk along it,
 * and the programs that `autonumerics-zero` finds are nothing else.
 *
 * Operands are numbers of values: 0 is the argument, 1 .. constants are the constants, then the steps in their order; a step uses
 * only earlier values. The last value is the result. Every step is one IEEE operation in the core's type, rounded to nearest. No sum or
 * difference has a product as operand (function_code_fuse makes them fma), so that no compiler can contract anything.
 */
#ifndef NIGH_FUNCTION_CODE_H
#define NIGH_FUNCTION_CODE_H
#include "nigh/core.h"
#include "nigh/expr.h"

typedef enum function_code_op {
    CODE_ADD,   /* a + b */
    CODE_SUB,   /* a - b */
    CODE_MUL,   /* a b */
    CODE_DIV,   /* a / b */
    CODE_FMA,   /* a b + c */
    CODE_FMS,   /* a b - c */
    CODE_FNMA,  /* c - a b */
    CODE_OPS
} function_code_op;

typedef struct function_code_step {
    uint8_t op, a, b, c; /* c: of the fma's only, else 0 */
} function_code_step;

enum { CODE_MOST_STEPS = 100, CODE_MOST_CONSTANTS = 100, CODE_MOST_VALUES = 1 + CODE_MOST_CONSTANTS + CODE_MOST_STEPS };

typedef struct function_code {
    int constants, steps;
    double constant[CODE_MOST_CONSTANTS]; /* exact in the type */
    function_code_step step[CODE_MOST_STEPS];
} function_code;

/* Sums and differences of a product become fma's; products that nothing uses any more are dropped. */
void function_code_fuse(function_code *code);

/* Operands in range, steps in order, at least one step. */
bool function_code_valid(const function_code *code);

/* No sum or difference has a product as operand: what function_code_fuse leaves. */
bool function_code_fused(const function_code *code);

/*
 * core(t) as code: its square, affine map, polynomial or quotient, and factor, in the kernel's operations. A core that is a constant has no step, and the
 * last constant is its value. false for tables.
 */
struct function_core;
bool function_core_code(const struct function_core *core, function_code *out);

/* core(t) as code on one piece of a table. */
void function_core_piece(const struct function_core *core, int piece, function_code *out);

/* The result in quadruple precision without roundings of the type (constants as they are), and in the type itself. */
nigh_f128 function_code_value(const function_code *code, nigh_f128 argument);
double function_code_run_f64(const function_code *code, double argument);
float function_code_run_f32(const function_code *code, float argument);
#endif
