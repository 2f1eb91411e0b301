/* What the parts of nigh/discretise.h share: matrices between grids, and what is to be done with each layer. */
#ifndef NIGH_NN_DISCRETISE_H
#define NIGH_NN_DISCRETISE_H
#include "nigh/discretise.h"

/* ---- matrices (discretise_matrix.c) ------------------------------------------------------------------- */

/* matrix [to, from] that takes the values of a field on `from` points to those on `to`. */
void discretise_matrix(nigh_grid grid, bool fourier, int64_t from, int64_t to, double *matrix);

/* Interpolation of third degree (circles: Fourier) from `from` points at those of `to`: [to, from]. */
void discretise_sampling(nigh_grid grid, int64_t from, int64_t to, double *matrix);

/* The spacing h0 / h, and the place of point i in the unit interval. */
double discretise_ratio(nigh_grid grid, int64_t trained, int64_t n);
double discretise_place(nigh_grid grid, int64_t n, int64_t i);

/* A kernel's points along one dimension on another grid: [points, taps], whose first point lies `low` before the middle. */
typedef struct discretise_taps {
    int64_t taps, points, low;
} discretise_taps;
discretise_taps discretise_taps_of(nigh_resampling how, double ratio, int64_t taps, int64_t dilation, int64_t low);
void discretise_taps_matrix(nigh_resampling how, double ratio, const discretise_taps *t, int64_t dilation, int64_t low, double *matrix);

/* y[before, to, after] = matrix[to, from] x[before, from, after]. */
void discretise_apply(int64_t before, int64_t from, int64_t to, int64_t after, const double *matrix, const double *x, double *y);

/* ---- layers (layers_discretise.c) --------------------------------------------------------------------- */

/* A constant of a tape from numbers in f64. */
nigh_node discretise_constant(nigh_tape *tape, nigh_dtype dtype, int ndim, const int64_t *dim, const double *number);

/* matrix [to, from] along dimension `axis` of x. */
nigh_node discretise_record(nigh_tape *tape, nigh_node x, int axis, int64_t to, const double *matrix);

/* A physical kernel on a grid: basis [points_0, (points_1,) Q] with low[] points before the middle. Freed by nigh_free. A message in text[128] and NULL: it has none there. */
typedef struct discretise_basis {
    int dims;
    int64_t points[2], low[2], functions;
    double *value;
} discretise_basis;
bool discretise_basis_new(nigh_context *ctx, const nigh_layer *layer, int dims, const int64_t *size, discretise_basis *basis, char text[160]);

/* ---- what is done with each layer (discretise_walk.c) ------------------------------------------------- */

typedef enum walk_action {
    WALK_KEEP,        /* on whatever grid its inputs are */
    WALK_KERNEL,      /* a convolution in physical units */
    WALK_TRAINED,     /* at the resolution that it was trained at */
    WALK_COORDINATES, WALK_TABLE, WALK_SUM, WALK_SIZES, WALK_INPUT, WALK_REFUSE
} walk_action;

typedef enum walk_place { WALK_POOLED, WALK_FIELD, WALK_PLAIN, WALK_TOKENS, WALK_HEADS } walk_place; /* no space; [N, s.., C]; [N, s..]; [N, points, C]; [N, points, heads, size] */

typedef struct walk_step {
    nigh_shape shape;      /* of the result at the trained grid */
    walk_place place;
    int64_t size[2];       /* spatial sizes at the trained grid */
    bool scaled;           /* on other grids: as many points as the grid has; else the trained ones */
    walk_action action;
    const char *rewrite;
    char why[160];
} walk_step;

typedef struct walk {
    nigh_network *net;
    nigh_discretisation spec; /* with AUTO settled */
    walk_step *step;       /* [layers] */
    int64_t least[2];
    nigh_arena *arena;
} walk;

enum { WALK_SAMPLES = 3 }; /* in the shapes of steps */

nigh_status walk_new(nigh_network *net, const nigh_discretisation *spec, walk **out);
void walk_free(walk *w);
void walk_layer(walk *w, int layer); /* discretise_kinds.c: fills step[layer] but for its shape */
nigh_status discretise_check(nigh_context *ctx, const nigh_discretisation *spec);

/* The number of an attribute of a window in dimension i: KEY_i, else KEY. */
int64_t walk_window(const nigh_layer *layer, const char *key, int i, int64_t otherwise);
#endif
