/*
 * ONNX inside. onnx_proto.c: the protocol buffers of the format; onnx_read.c: nodes to layers; onnx_build.c: layers that operators are composed of; onnx_fixed.c: what is known without
 * an input; onnx_fuse.c: activations spread over several nodes; onnx_read_*.c: one function an operator; onnx_write.c: layers to nodes.
 *
 * The wire format is read here and not by a generated parser: the messages that matter lie in one another to a fixed depth (model, graph, node, attribute, tensor), so that no file can
 * drive a recursion; all others are skipped by their length; every count is taken, and refused when it is beyond what is read, before memory is asked for; numbers go from
 * the file's bytes to where they stay without a copy of the message between. A parser of protocol buffers allocates and recurses as the file tells it, which would need all of that
 * in front of it as well.
 */
#ifndef NIGH_NN_ONNX_H
#define NIGH_NN_ONNX_H
#include "grad/tape.h"
#include "nigh/onnx.h"

enum { ONNX_MOST_NODES = 16384, ONNX_MOST_NUMBERS = 1 << 24, ONNX_MOST_WORK = 1 << 25, ONNX_MOST_MATRIX = 1 << 22, ONNX_FLOAT = 1, ONNX_INT32 = 6, ONNX_INT64 = 7, ONNX_BOOL = 9, ONNX_DOUBLE = 11 };

typedef struct onnx_tensor {
    const char *name;
    int type, ndim;          /* of ONNX */
    int64_t dim[NIGH_MAX_DIMS], count;
    double *data;
} onnx_tensor;

typedef struct onnx_attribute {
    const char *name, *s;
    float f;
    int64_t i;
    int floats, ints;
    double *number;          /* [floats] or [ints] */
    onnx_tensor *t;
} onnx_attribute;

typedef struct onnx_node {
    const char *op, *name, *domain;
    int inputs, outputs, attributes;
    const char **input, **output;
    onnx_attribute *attribute;
} onnx_node;

typedef struct onnx_input {
    const char *name;
    int type, ndim;          /* type 0: not a tensor */
    int64_t dim[NIGH_MAX_DIMS]; /* -1: open */
} onnx_input;

typedef struct onnx_graph {
    int64_t opset;
    int nodes, tensors, inputs, outputs;
    onnx_node *node;
    onnx_tensor *tensor;
    onnx_input *input, *output;
} onnx_graph;

/* The graph of a file's bytes, in the arena. */
nigh_status onnx_parse_graph(nigh_context *ctx, nigh_arena *arena, const char *file, const void *bytes, size_t size, onnx_graph *graph);

uint64_t onnx_hash(const char *name);

/*
 * Nodes that together compute x sigmoid(a x) with a power of two, gelu by erf or gelu by tanh become a Swish or Gelu node, in whatever order they multiply and add, when numbers agree to 1e-6
 * (relative) and nothing else reads what lies between. The attribute "rank" of such a node is the rank of its numbers, which a single x would broadcast to. NIGH_MEMORY.
 */
nigh_status onnx_fuse(nigh_arena *arena, onnx_graph *graph);

/* ---- reading nodes ------------------------------------------------------------------------------------ */

/*
 * Stands for an open dimension in fixed tensors of sizes (results of Shape): a number that no size is, whose multiples are seen. Sizes are moved about by Gather, Concat, Slice ..,
 * all of which leave it as it is.
 */
#define ONNX_OPEN (0x1p45 + 1)

/* What a name stands for: a fixed tensor, or the result of a layer, in the order of the file or channels last (or both). */
typedef struct onnx_value {
    const char *name;
    uint64_t hash;           /* of the name */
    const onnx_tensor *tensor;
    int layer, last;         /* -1: none */
} onnx_value;

typedef struct onnx_reader {
    nigh_context *ctx;
    nigh_arena *arena;
    const char *file;
    const onnx_graph *graph;
    nigh_network *net;
    nigh_tape *tape;         /* on which each layer is recorded, for its shape */
    nigh_node *of_layer;     /* [room] */
    int room, values;
    onnx_value *value;       /* [as many as names that nodes, tensors and inputs can have] */
    const onnx_node *node;   /* that is being read */
    int serial;              /* of names made up */
    int64_t *left;           /* numbers that may still be made beside those of the file, so that a small file asks for little memory and time */
    int skip;                /* node whose work is done already; -1 */
    bool open;               /* the first dimension of an input may be any */
    bool open_inside;        /* another one */
    bool folding;            /* all inputs of the node are fixed: the network is thrown away when it has been evaluated */
    nigh_status status;
} onnx_reader;

void onnx_fail(onnx_reader *r, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);

/* Attributes of the node, and its inputs; input i is absent when onnx_has is false. */
const onnx_attribute *onnx_find(const onnx_reader *r, const char *name);
int64_t onnx_int(const onnx_reader *r, const char *name, int64_t otherwise);
double onnx_float(const onnx_reader *r, const char *name, double otherwise);
const char *onnx_text(const onnx_reader *r, const char *name, const char *otherwise);
bool onnx_has(const onnx_reader *r, int i);
const onnx_value *onnx_in(onnx_reader *r, int i);        /* NULL after a failure */
const onnx_tensor *onnx_fixed(onnx_reader *r, int i);    /* the tensor of input i; fails when it is not fixed */

/* A list of whole numbers from an attribute, or from input `i` when there is one (i < 0: none): how many; -1: absent or failed. */
int onnx_list(onnx_reader *r, const char *name, int i, int64_t list[NIGH_MAX_DIMS]);

/* The layer of input i in the file's order; a fixed tensor becomes a "constant" layer. -1 after a failure. */
int onnx_layer(onnx_reader *r, int i);

/* The same with the channels last: [N, C, ...] to [N, ..., C]. */
int onnx_layer_last(onnx_reader *r, int i);

/* Adds a layer and records it. A name is made of the node's. */
int onnx_add(onnx_reader *r, const char *kind, int inputs, const int *input, int weights, const int *weight, int attributes, const nigh_attribute *attribute);
int onnx_add_one(onnx_reader *r, const char *kind, int input);

/* A weight with these numbers (data in the order of the weight). */
int onnx_weight(onnx_reader *r, const char *name, int ndim, const int64_t *dim, const double *data);

const nigh_shape *onnx_shape(const onnx_reader *r, int layer);
int onnx_turn(onnx_reader *r, int layer, bool to_last);

/* Output 0 of the node; output i as the result of a layer or a fixed tensor. */
void onnx_set(onnx_reader *r, int layer, int last);
void onnx_set_output(onnx_reader *r, int i, int layer, int last, const onnx_tensor *tensor);

/* Input 0 in the order in which it is at hand (*last), and output 0 in that order. */
int onnx_any(onnx_reader *r, bool *last);
void onnx_set_any(onnx_reader *r, int layer, bool last);

/* "1,-1,3" in the arena; NULL (and a failure) out of memory. */
const char *onnx_list_text(onnx_reader *r, int n, const int64_t *list);

bool onnx_is_whole(int type); /* integers and truth values */

/* ---- layers composed (onnx_build.c); all give -1 after a failure ---------------------------------------- */

int onnx_two(onnx_reader *r, const char *kind, int a, int b);
int onnx_affine(onnx_reader *r, int x, double scale, double shift);
int onnx_clamp(onnx_reader *r, int x, double low, double high);

/* A "constant" layer with these numbers; one number that broadcasts. */
int onnx_numbers(onnx_reader *r, const char *name, int ndim, const int64_t *dim, const double *data);
int onnx_number_layer(onnx_reader *r, double value);

/* To these sizes (the first stays open when it stays); order of dimensions; `count` elements start, start + step .. of an axis. */
int onnx_reshape(onnx_reader *r, int x, int n, const int64_t *dim);
int onnx_without_front(onnx_reader *r, int x, int n, const int64_t *dim); /* the same when a 1 in front goes: the open dimension may lie behind it */
int onnx_permute(onnx_reader *r, int x, const int64_t *order);
int onnx_part(onnx_reader *r, int x, int axis, int64_t start, int64_t count, int64_t step);
int onnx_join(onnx_reader *r, int axis, int n, const int *part); /* concat of any number */

/* Elements place[n] of an axis, by slices or a matrix; and the axis times a matrix [size, to]. */
int onnx_pick(onnx_reader *r, int x, int axis, int64_t n, const int64_t *place);
int onnx_along(onnx_reader *r, int x, int axis, int64_t to, const double *matrix);

/* Over these axes (n = 0: all). */
int onnx_reduce(onnx_reader *r, const char *kind, int x, int n, const int64_t *axis, bool keep);

/* The attribute or input as an axis from 0 of `rank` dimensions; -1 and a failure otherwise. */
int onnx_axis(onnx_reader *r, int64_t axis, int rank);

/* False (and a failure) when that many more numbers are too many. */
bool onnx_spend(onnx_reader *r, int64_t count);

/* Numbers in the arena; NULL (and a failure) out of memory or when they are too many. */
double *onnx_room(onnx_reader *r, int64_t count);
int64_t *onnx_places(onnx_reader *r, int64_t count);

/* ---- operators ------------------------------------------------------------------------------------------ */

typedef struct onnx_operator {
    const char *op; /* NULL ends the list */
    void (*read)(onnx_reader *r);
} onnx_operator;
extern const onnx_operator onnx_elementwise_operators[], onnx_product_operators[], onnx_shape_operators[], onnx_row_operators[], onnx_field_operators[], onnx_fixed_operators[];

void onnx_resize(onnx_reader *r); /* Resize, Upsample (onnx_read_resize.c) */

/* The node by layers of a network of its own, evaluated: its outputs become fixed tensors. */
void onnx_fold(onnx_reader *r, const onnx_operator *op);

/* Of onnx_read.c, for onnx_fold. */
nigh_status onnx_begin(onnx_reader *r, nigh_dtype dtype, int layers);
void onnx_end(onnx_reader *r); /* network apart */
#endif
