/*
 * Layers to nodes. What a layer gives is kept as a form: affine expressions in results of nodes that are not nodes themselves yet. Moving elements, scaling, shifting and
 * small sums stay forms, so that a dense layer behind them takes them into its columns; other readers make a node of the form.
 */
#ifndef NIGH_VERIFY_GRAPH_LOWER_H
#define NIGH_VERIFY_GRAPH_LOWER_H
#include "verify/graph_build.h"

/*
 * Element i = shift[i] + sum over its entries of coefficient[e] times element index[e] of the result of node[e] (-1: no term). The real coefficients are within
 * slack 2^-53 |coefficient|, the real shift within error[i]; size[i]: absolute values of what the shift is the sum of. roundings: as in bound_node, of each term.
 */
typedef struct graph_form {
    int64_t count;
    int plain;       /* a node whose result it is, as it is; nothing else is set. -1: none */
    int64_t *row;    /* [count + 1] entries of each element; NULL: one each */
    int32_t *node, *index;
    double *coefficient, *shift, *error, *size;
    int slack, roundings;
} graph_form;

typedef struct lowering {
    nigh_context *ctx;
    nigh_network *net;
    nigh_arena *arena;  /* forms */
    graph_build build;
    nigh_shape *shape;  /* [layers] of results */
    graph_form *value;  /* [layers] */
    nigh_status status; /* of the layer at hand */
    const nigh_layer *layer;
    int at;             /* its number */
    int passed;         /* layer taken as its input; -1: none */
} lowering;

typedef void lower_run(lowering *l);

typedef struct lower_rule {
    const char *kind; /* NULL ends a list */
    lower_run *run;
} lower_rule;

extern const lower_rule lower_elements[], lower_products[], lower_shapes[], lower_fields[], lower_grids[], lower_maxima[];

/* ---- what rules see ------------------------------------------------------------------------------------ */

static inline const nigh_shape *lower_shape(const lowering *l, int i) { return &l->shape[l->layer->input[i]]; }
static inline const nigh_shape *lower_out(const lowering *l) { return &l->shape[l->at]; }
graph_form *lower_in(lowering *l, int i);           /* input i */
void lower_set(lowering *l, const graph_form *form); /* the layer's result */
void lower_set_node(lowering *l, int node);

/* Parameter i in f64, in the arena of forms; NULL: none, or a failure. */
const double *lower_parameter(lowering *l, int i);
int64_t lower_parameter_count(lowering *l, int i);
const nigh_shape *lower_parameter_shape(lowering *l, int i);

/* For a layer with axes: the element of the result that each element of input 0 goes to; how many go to each. */
int64_t lower_reduced(lowering *l, int64_t *to);

/* "layer 'name' (kind): " and the message. */
void lower_fail(lowering *l, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);
void *lower_alloc(lowering *l, int64_t count, size_t size);       /* zeros in the arena of forms; NULL: status is set */
void *lower_alloc_graph(lowering *l, int64_t count, size_t size); /* in the arena of the graph */
int lower_add(lowering *l, bound_node *node);                     /* named after the layer; -1: status is set */

/* A window over fields of up to three dimensions, channels last; those that are not there have size 1. */
typedef struct lower_window {
    int dims;
    int64_t in[3], out[3], size[3], stride[3], dilation[3], low[3];
    int padding; /* 0 zero, 1 circular, 2 reflect */
} lower_window;

lower_window lower_window_of(const lowering *l, const int64_t *size); /* size: of the kernel; NULL: pooling */
int64_t lower_window_source(const lower_window *w, int64_t point, int64_t tap); /* the pixel that tap `tap` of point `point` reads; -1: outside */

/* ---- forms --------------------------------------------------------------------------------------------- */

bool form_new(lowering *l, int64_t count, int64_t entries, bool rows, graph_form *form); /* all zero, no terms */
void form_plain(const lowering *l, int node, graph_form *form);
bool form_constant(const graph_form *form); /* no terms at all */
bool form_open(lowering *l, const graph_form *from, graph_form *to); /* `from`, its arrays at hand even if it is a plain node */
static inline int64_t form_first(const graph_form *f, int64_t i) { return f->row ? f->row[i] : i; }
static inline int64_t form_end(const graph_form *f, int64_t i) { return f->row ? f->row[i + 1] : i + 1; }

/* Element i is element map[i] of `from`, or the number `fill` where map[i] is below 0. */
bool form_gather(lowering *l, const graph_form *from, int64_t count, const int64_t *map, double fill, graph_form *to);

/* Element i times scale[i] plus shift[i], the real numbers being within the errors (each of the four may be NULL); one or two roundings in f32. */
bool form_affine(lowering *l, const graph_form *from, const double *scale, const double *scale_error, const double *shift, const double *shift_error, int roundings, graph_form *to);

/* Element i = sum over j in [row[i], row[i + 1]) of weight[j] x element column[j] of `from`. Weights are within slack. `from` becomes a node first when that is cheaper. */
bool form_rows(lowering *l, graph_form *from, int64_t count, const int64_t *row, const int64_t *column, const double *weight, int slack, int roundings, graph_form *to);

/* All behind each other. */
bool form_concat(lowering *l, int n, graph_form *const *part, graph_form *to);

/* Parameter i as constants. */
bool form_weights(lowering *l, int i, graph_form *to);

/* What p = a b and s = a + b, computed in f64, are off by. */
double form_product_error(double a, double b, double p);

/* a b for coefficients; *inexact when it is rounded. Fails where it comes so near to zero that f64 loses digits. */
double form_product(lowering *l, double a, double b, bool *inexact);
double form_sum_error(double a, double b, double s);

/* a + scale b, scale +1 or -1. */
bool form_sum(lowering *l, graph_form *a, graph_form *b, double scale, graph_form *to);

/* The node of a form, made when there is none (the form becomes plain); -1: status is set. */
int form_node(lowering *l, graph_form *form);
#endif
