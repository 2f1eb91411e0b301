/*
 * What Lipschitz constants are computed from: nodes in order, values as linear functions of inputs and units, programs. See nigh/lipsdp.h.
 */
#ifndef NIGH_VERIFY_LIPSDP_H
#define NIGH_VERIFY_LIPSDP_H
#include "nigh/lipsdp.h"
#include "verify/graph.h"
#include "verify/sdp.h"

typedef enum lip_kind { LIP_INPUT, LIP_LINEAR, LIP_SUM, LIP_ACTIVATION } lip_kind;

typedef struct lip_node {
    lip_kind kind;
    int inputs;
    int input[8];
    int64_t size;
    const double *weight;      /* LINEAR: [size, size of the input] */
    const double *bias;        /* LINEAR: [size] or NULL */
    double slack;              /* LINEAR: real coefficients are within slack 2^-53 of these, relative */
    double scale[8];           /* SUM */
    nigh_lipschitz_kind form;  /* ACTIVATION */
    double low, high;          /* slopes; RELU 0, 1 */
    bool even;                 /* slopes low below 0 and high above: phi = c x + r |x|, so that elements of opposite arguments share a unit */
    double (*function)(double x, const double p[2]); /* for samples; NULL: by slopes */
    double p[2];
    int64_t group;
    const double *vector;
    const int64_t *share;      /* [size] or NULL: 0 for a unit of its own, else 1 + coordinate number in the order of all elements of activations (lip_graph.first + element) */
    int64_t first;             /* ACTIVATION: number of its first element among all elements of activations */
} lip_node;

typedef struct lip_graph {
    nigh_context *ctx;
    nigh_arena *arena;
    int nodes;
    lip_node *node;            /* [nodes]; the last is the output, node 0 the input */
    int64_t elements;          /* of activations */
    bound_graph *source;       /* what weights point into, or NULL */
    bool normalised;
} lip_graph;

nigh_status lip_graph_of_layers(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, lip_graph **graph);
nigh_status lip_graph_of_network(nigh_context *ctx, nigh_network *net, int64_t group, lip_graph **graph);
nigh_status lip_graph_new(nigh_context *ctx, int nodes, lip_graph **graph);
void lip_graph_free(lip_graph *graph); /* NULL is fine */

/* Units of an activation's elements, were none shared. */
int64_t lip_units(const lip_node *node);

/* No edge goes from before node k to behind it. */
bool lip_is_cut(const lip_graph *graph, int k);

/* ---- a part of a graph, from the node `from` (as if it were the input) to the node `to` ------------------ */

/* Values of a node as linear functions of inputs and units, and how far off they can be (2-norm, one for each block of columns). */
typedef struct lip_value {
    int64_t size;
    double *e;                 /* [size, width] */
    double *error;             /* [room for blocks] */
    double naive[2];           /* bounds by products of norms: 2, infinity */
} lip_value;

typedef struct lip_system {
    nigh_context *ctx;
    nigh_arena *arena;
    int64_t inputs, width;     /* inputs may be fewer than the node's (see sdp_compress) */
    int blocks, room;
    int64_t *start;            /* [room + 1] */
    double *a, *a_error;       /* [width - inputs, width], [room, room] */
    int64_t *variable;         /* [width], of units; from 0 */
    int64_t multipliers;
    lip_value output;
} lip_system;

/* `compress`: fewer inputs by an orthogonal change of variables, where the part's first layer has fewer rows than columns (2-norm only). */
nigh_status lip_system_new(const lip_graph *graph, int from, int to, bool compress, lip_system **system);
void lip_system_free(lip_system *system); /* NULL is fine */

/* The program for `rows` functionals row [rows, outputs] of the output taken together (NULL: the output itself); norm of inputs. What it points to is the system's. */
nigh_status lip_system_problem(lip_system *system, int64_t rows, const double *row, nigh_lipschitz_norm norm, sdp_problem *problem);

/* The activations of a system: adds its units and gives its value. */
nigh_status lip_activation(lip_system *s, const lip_node *node, const lip_value *in, int64_t *unit_of, lip_value *out);
nigh_status lip_value_new(lip_system *s, int64_t size, lip_value *value);
double lip_columns(const lip_system *s, const lip_value *v, int block); /* Frobenius norm of a block of columns, rounded up */

/* Slopes at sampled points, with climbing; a lower bound of L. rows, row as above. */
nigh_status lip_sample(const lip_graph *graph, int64_t rows, const double *row, nigh_lipschitz_norm norm, int samples, uint64_t seed, double *slope);
nigh_status lip_slope_at(const lip_graph *graph, int64_t rows, const double *row, nigh_lipschitz_norm norm, const double *x, int steps, double *slope);
#endif
