/*
 * VNN-LIB inside. vnnlib_exact.c: numbers of files exactly, as whole numbers times a power of ten, over whole numbers; vnnlib.c: text to a tree of and/or over comparisons;
 * vnnlib_cases.c: that tree multiplied out to boxes and groups of conditions.
 */
#ifndef NIGH_IO_VNNLIB_H
#define NIGH_IO_VNNLIB_H
#include "nigh/property.h"

/* ---- exact numbers -------------------------------------------------------------------------------------- */

typedef struct whole {
    int n;           /* limbs; 0: zero */
    uint32_t *limb;  /* [n], the least first, the last not 0 */
} whole;

/* sign top / below 10^exponent */
typedef struct exact {
    int sign, exponent;
    whole top, below;
} exact;

/* Where limbs live, and what went wrong: NIGH_MEMORY, or NIGH_UNSUPPORTED (no message) for numbers of more than 8192 bits or beyond 1e300. */
typedef struct exact_room {
    nigh_arena *arena;
    nigh_status status;
} exact_room;

/* A decimal: sign, digits, point, exponent, all of the text. False when it is none. */
bool exact_parse(exact_room *room, const char *text, size_t size, exact *x);
exact exact_small(exact_room *room, int value);
exact exact_add(exact_room *room, exact a, exact b);
exact exact_multiply(exact_room *room, exact a, exact b);
exact exact_divide(exact_room *room, exact a, exact b); /* b is not 0 */
static inline exact exact_negate(exact a) { return a.sign = -a.sign, a; }

/* The greatest f64 not above x, and the least not below. */
void exact_bounds(exact_room *room, exact x, double *down, double *up);

/* ---- trees ---------------------------------------------------------------------------------------------- */

typedef enum vnnlib_kind { VNNLIB_AND, VNNLIB_OR, VNNLIB_ATOM, VNNLIB_TRUE, VNNLIB_FALSE } vnnlib_kind;

/* A bound of one input, or (input < 0) a condition. */
typedef struct vnnlib_atom {
    int64_t input, branch;  /* branch: the alternative it is written in; 0: none */
    bool high;              /* an upper bound */
    double down, up;        /* of the bound */
    const char *text;
    size_t at;              /* byte of the file */
    nigh_condition condition;
} vnnlib_atom;

typedef struct vnnlib_node {
    vnnlib_kind kind;
    bool outputs;           /* conditions are below it */
    int64_t atom;
    struct vnnlib_node *first, *next; /* children; the next of the same parent */
} vnnlib_node;

typedef struct vnnlib_reader {
    nigh_context *ctx;
    const char *name, *text, *end, *at;
    nigh_arena *arena;      /* of the property */
    nigh_arena *trees;
    exact_room room;        /* of the comparison that is read */
    int64_t inputs, outputs, atoms, branch, branches;
    vnnlib_atom *atom;
    int literals;           /* in the comparison that is read, and the last of them */
    exact literal;
    const char *literal_text;
    size_t literal_size;
} vnnlib_reader;

/* "'FILE': line L, column C: ..." for the byte `at`. */
nigh_status vnnlib_fail(const vnnlib_reader *r, size_t at, nigh_status status, const char *format, ...) NIGH_PRINTF(4, 5);

/* Cases, groups and conditions of the property, in r->arena. */
nigh_status vnnlib_cases(vnnlib_reader *r, vnnlib_node *root, nigh_property *property);
#endif
