/*
 * The tape behind nigh/grad.h: nodes, and what an operator is.
 *
 * An operator is one static descriptor: how it runs, and how its gradient is recorded with the tape's own operators (so that gradients have
 * gradients). A recording function checks its arguments, works out the shape and calls tape_record. Two nodes with the same operator,
 * inputs and attributes are one node.
 */
#ifndef NIGH_GRAD_TAPE_H
#define NIGH_GRAD_TAPE_H
#include "nigh/grad.h"

typedef struct tape_operator tape_operator;

enum { TAPE_MAX_OUTPUTS = 5, TAPE_MAX_INPUTS = 4096 };

typedef struct tape_node {
    const tape_operator *op;
    nigh_shape shape;
    int inputs, outputs;  /* outputs beyond the first are `part` nodes with the ids that follow */
    int level;            /* how many gradients had been recorded before: 0 forward, 1 backward ... */
    const nigh_node *input;
    const void *attributes; /* of the operator; compared and hashed as bytes, so padding must be zero */
    size_t attribute_bytes;
} tape_node;

struct nigh_tape {
    nigh_context *ctx;
    nigh_arena *arena;
    nigh_status status;   /* the first failure; nothing is recorded after it */
    int level;
    int64_t count, room;
    tape_node *node;
    int64_t buckets;      /* of the table of nodes by content, a power of two */
    nigh_node *bucket;
};

/* One operand of a running step. Strides are in elements; contiguous: those of C order. */
typedef struct tape_operand {
    void *data;
    const nigh_shape *shape;
    const int64_t *stride;
    bool contiguous;
} tape_operand;

/* What a step hands to its operator. */
typedef struct tape_call {
    const tape_node *node;
    int threads;          /* at most so many; 1: no parallel region */
    uint64_t seed, step;  /* of nigh_executor_set_step */
    const tape_operand *in;
    tape_operand *out;    /* [outputs]; contiguous */
    void *workspace;      /* as many bytes as prepare asked for, 64-byte aligned */
} tape_call;

typedef enum tape_kind {
    TAPE_LEAF,        /* input, constant, fill: no step */
    TAPE_VIEW,        /* another way to look at its input: `view` gives strides and offset, or says that a copy is needed */
    TAPE_ELEMENTWISE, /* attributes are elementwise_attributes: fused into tiles */
    TAPE_KERNEL       /* prepare, run */
} tape_kind;

/* The layout of a view of `in`. offset in elements. */
typedef struct tape_layout {
    int64_t offset, stride[NIGH_MAX_DIMS];
} tape_layout;

struct tape_operator {
    const char *name;
    tape_kind kind;
    uint64_t strided; /* KERNEL: bit i: input i may have any strides; else it is made contiguous before */
    bool in_place;    /* KERNEL: output 0 may lie in the memory of input 0 when that is not needed any more (same bytes) */

    /* VIEW: false when `in` (with the layout given) cannot be seen that way. */
    bool same_order; /* VIEW: the same elements in the same order as the input's */
    bool (*view)(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out);

    /*
     * KERNEL: called once for each executor. The operands have shapes and strides, no data. *state (may stay NULL) is freed by release. The
     * default (NULL): no state, no workspace.
     */
    nigh_status (*prepare)(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace);
    void (*run)(const void *state, const tape_call *call);
    void (*release)(nigh_context *ctx, void *state);
    double (*flops)(const tape_call *call); /* KERNEL: additions and multiplications of a run, by shapes alone; NULL: not counted */

    /*
     * Records the gradients of what `grad_out` [outputs] (NIGH_NONE: zero) stands for by the inputs into grad_in [inputs], for those with
     * wanted[i]; NIGH_NONE stays where it is zero. NULL: not differentiable, gradients stop (and asking for them fails).
     */
    void (*gradient)(nigh_tape *tape, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
};

/* Attributes of TAPE_ELEMENTWISE nodes. */
typedef struct elementwise_attributes {
    int64_t id; /* elementwise_id */
    double p[2];
} elementwise_attributes;

/*
 * Adds a node (or finds the equal one) and gives its id, NIGH_NONE after a failure. `shapes` [outputs]. The inputs' ids are copied. unique: never taken
 * for an equal node.
 */
nigh_node tape_record(nigh_tape *tape, const tape_operator *op, int outputs, const nigh_shape *shapes, int inputs, const nigh_node *input,
                      const void *attributes, size_t attribute_bytes, bool unique);

/* The common case: one output. */
nigh_node tape_record_one(nigh_tape *tape, const tape_operator *op, const nigh_shape *shape, int inputs, const nigh_node *input,
                          const void *attributes, size_t attribute_bytes);

/* Node of an id that is good; never NULL for ids 0 .. count-1. The pointer holds until the next recording. */
const tape_node *tape_at(const nigh_tape *tape, nigh_node id);
const nigh_shape *tape_shape(const nigh_tape *tape, nigh_node id);

/* False (and the tape has failed with a message naming `op`) when one of the ids is not of a node of this tape. */
bool tape_check(nigh_tape *tape, const char *op, int inputs, const nigh_node *input);

/* Sets the tape's failure, with "op: " before the message; returns NIGH_NONE. */
nigh_node tape_fail(nigh_tape *tape, const char *op, const char *format, ...) NIGH_PRINTF(3, 4);

/* "[2,3] f32" into a buffer for messages; returns it. */
enum { TAPE_SHAPE_TEXT = 160 };
const char *tape_shape_text(const nigh_shape *shape, char text[TAPE_SHAPE_TEXT]);

bool tape_same_shape(const nigh_shape *a, const nigh_shape *b); /* dimensions only */
bool tape_is_float(nigh_dtype dtype);   /* f32, f64 */
bool tape_is_complex(nigh_dtype dtype); /* c64, c128 */
nigh_shape tape_make_shape(nigh_dtype dtype, int ndim, const int64_t *dim);

/* Strides of C order. */
void tape_dense_strides(const nigh_shape *shape, int64_t stride[NIGH_MAX_DIMS]);

/* An operand's elements to `out`, whose strides are given (in elements, of the operand's dimensions). */
void tape_copy(const tape_operand *in, void *out, const int64_t *stride, int threads);

/* x summed over the dimensions along which `shape` was broadcast to x's shape; the result has `shape`. */
nigh_node tape_sum_to(nigh_tape *tape, nigh_node x, const nigh_shape *shape);

/* a + b where either may be NIGH_NONE (zero). */
nigh_node tape_plus(nigh_tape *tape, nigh_node a, nigh_node b);

/*
 * x + product where that is one step: product is a matrix product (not a stack) that nobody else is expected to want, x a result of the same shape, or numbers repeated in all
 * rows, which become the product's bias. NIGH_NONE otherwise.
 */
nigh_node tape_plus_product(nigh_tape *tape, nigh_node x, nigh_node product);

/*
 * One reverse sweep for several nodes at once: the gradient of sum_i sum(seed[i] * y[i]) by wrt[n], with the rules of nigh_tape_gradient. seed NULL, or seed[i] NIGH_NONE:
 * ones. roots = 0 gives zeros.
 */
nigh_status tape_pull_back(nigh_tape *tape, int roots, const nigh_node *y, const nigh_node *seed, int n, const nigh_node *wrt, nigh_node *gradient);

/* The shape of a and b broadcast against each other; false when they do not fit. */
bool tape_broadcast(const nigh_shape *a, const nigh_shape *b, nigh_shape *out);

extern const tape_operator tape_op_input, tape_op_constant, tape_op_fill, tape_op_part, tape_op_elementwise, tape_op_copy;

/* Attributes of leaves. */
typedef struct constant_attributes {
    const void *data; /* in the tape's arena */
} constant_attributes;
typedef struct fill_attributes {
    double value[2]; /* real and imaginary part */
} fill_attributes;
typedef struct input_attributes {
    const char *name;
} input_attributes;
typedef struct part_attributes {
    int64_t output;
} part_attributes;

/* Of slices, and of "place", which puts its input into zeros so that slicing gives it back. */
typedef struct slice_attributes {
    int64_t start[NIGH_MAX_DIMS], step[NIGH_MAX_DIMS];
} slice_attributes;

/* Of matrix products; inputs: a, b and, when there are three, a bias [n]. */
typedef struct matmul_attributes {
    int64_t flags;
} matmul_attributes;

/* Of group norms; inputs: x [samples, space, channels], then gamma and beta where `affine`. */
typedef struct group_attributes {
    double eps;
    int64_t groups, affine;
} group_attributes;

/* Of layer and RMS norms; inputs: x, then gamma and beta where they say so. */
typedef struct norm_attributes {
    double eps;
    int64_t gamma, beta, rms;
} norm_attributes;
#endif
