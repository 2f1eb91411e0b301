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
 * Strict comparisons are read as their closures (< as <=), = as both. Inputs without both bounds: NIGH_INVALID names them; so does a case whose box is empty (low > high), with line and column;
 * alternatives multiply out to at most 1e6 cases and groups, nesting to 64, else NIGH_UNSUPPORTED. gz files are unpacked. NIGH_FORMAT: line, column and what was expected.
 */
NIGH_API nigh_status nigh_property_read(nigh_context *ctx, const char *path, nigh_property *property);
NIGH_API nigh_status nigh_property_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_property *property);
NIGH_API void nigh_property_free(nigh_property *property); /* {0} is fine */

#ifdef __cplusplus
}
#endif
#endif
