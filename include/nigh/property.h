/*
 * nigh/property.h: what is asked of a network, from files of VNN-LIB 1.0 (the form of the verification competitions).
 *
 * A file declares X_0 .. X_n-1 (inputs, flattened in the file's order) and Y_0 .. Y_m-1 (outputs), and asserts what is UNSAFE: comparisons of linear terms, joined by and, or, not, in any order
 * and nesting. Read here into alternatives: boxes of inputs, each with groups of linear conditions on the outputs.
 */
#ifndef NIGH_PROPERTY_H
#define NIGH_PROPERTY_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sum_k value[k] v_k >= level, with v over Y_0 .. Y_m-1 and then X_0 .. X_n-1. Coefficients are exact decimals rounded to f64 with value_error, level rounded down. */
typedef struct nigh_condition {
    int terms;
    const int64_t *index;      /* [terms] below outputs + inputs */
    const double *value;       /* [terms] */
    const double *value_error; /* [terms]; NULL: exact */
    double level;              /* rounded down, so that the set is not smaller than the file's */
    double level_above;        /* rounded up: the level is in between */
} nigh_condition;

/* Conditions that must all hold: [first, first + count) of the property's conditions. */
typedef struct nigh_condition_group {
    int64_t first, count;
} nigh_condition_group;

/* A box and its groups: unsafe when x is in the box and one group holds. No group at all: the box itself is unsafe (one group of no conditions). */
typedef struct nigh_property_case {
    const double *low, *high;             /* [inputs], rounded outward */
    const double *inner_low, *inner_high; /* [inputs], rounded inward: inner_low > inner_high where no f64 lies between */
    const char *const *low_text, *const *high_text; /* [inputs] as written in the file, to be printed */
    int64_t groups;
    const nigh_condition_group *group;
} nigh_property_case;

typedef struct nigh_property {
    nigh_context *ctx;
    int64_t inputs, outputs;    /* declared */
    bool joint;                 /* some condition joins inputs and outputs, or several inputs */
    int64_t cases, conditions;
    const nigh_property_case *item;
    const nigh_condition *condition;
    void *memory;               /* of all of it */
} nigh_property;

/*
 * Comparisons <=, >=, <, > and = of terms made of +, - and * with numbers and / by numbers, nested, in any order of declarations and assertions; also =>, true, false, declare-fun,
 * and what solvers are told (set-logic, check-sat ..), which is passed over. Numbers are read exactly (their decimals, and what is computed with them) and rounded once: the two
 * roundings of a bound or level are the same f64 or neighbours. Strict comparisons are read as their closures (< as <=; not <= as >=; not = as true), = as both.
 *
 * Bounds of single inputs become the box of their alternative, all else conditions; alternatives of equal boxes are groups of one case. Combinations of alternatives whose bounds contradict
 * each other are left out; NIGH_INVALID, with line and column, when bounds of one alternative do, or when nothing is left. NIGH_INVALID also: inputs without both bounds,
 * variables that are not declared, declared twice or left out. Bounds that contradict each other by less than one unit in the last place are not noticed.
 *
 * NIGH_UNSUPPORTED: more than 1e6 cases or groups (4e6 alternatives looked at, 2^24 numbers of boxes), nesting beyond 64, products of variables, numbers beyond 1e300 or of more than
 * 800 digits. NIGH_FORMAT: line, column and what is expected there. gz files are unpacked. Free with nigh_property_free.
 */
NIGH_API nigh_status nigh_property_read(nigh_context *ctx, const char *path, nigh_property *property);
NIGH_API nigh_status nigh_property_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_property *property);
NIGH_API void nigh_property_free(nigh_property *property); /* {0} is fine */

/* A point as the competition prints it, appended: ((X_0 0.5) .. (Y_0 0.25)), one variable a line, each number with the digits that give it back. */
NIGH_API nigh_status nigh_property_print_point(nigh_buffer *out, int64_t inputs, const double *x, int64_t outputs, const double *y);

/* ---- lists of problems ------------------------------------------------------------------------------------------------------------------------------ */

/* A line of instances.csv: network, property, seconds allowed. */
typedef struct nigh_instance {
    const char *network, *property;           /* paths that can be opened: from the folder of the list, ".gz" behind them when only that file is there */
    const char *network_text, *property_text; /* as written */
    double seconds;
} nigh_instance;

typedef struct nigh_instances {
    int64_t count;
    const nigh_instance *item;
    void *memory; /* of all of it */
} nigh_instances;

/* NIGH_FORMAT with the line; NIGH_INVALID when a line names a file that is not there. Free with nigh_instances_free. */
NIGH_API nigh_status nigh_instances_read(nigh_context *ctx, const char *path, nigh_instances *instances);
NIGH_API void nigh_instances_free(nigh_instances *instances); /* {0} is fine */

#ifdef __cplusplus
}
#endif
#endif
