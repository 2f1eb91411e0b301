/*
 * nigh/discretise.h: networks trained on one grid made to act on functions, so that the same weights answer on any grid. "Principled approaches for extending neural
 * architectures to function spaces for operator learning".
 *
 *   nigh_discretisation spec = {.dims = 2, .trained = {32, 32}, .grid = NIGH_GRID_PERIODIC};
 *   nigh_audit *audit;      nigh_network_audit(net, &spec, &audit);              which layers depend on the grid, and how that is mended
 *   nigh_network *other;    nigh_network_rewrite(net, &spec, (int64_t[]){64, 64}, &other);
 *
 * A layer is a function of functions when finer grids only compute the same thing more exactly. Of the layers of nigh/network.h
 *   - those at a point (linear over channels, activations, norms over channels), means over space and spectral layers are: they stay;
 *   - convolutions of stride 1 get their kernel in physical units (nigh_resampling);
 *   - strided convolutions, pooling, transposed convolutions, patches, dense layers over all points are applied at the resolution that they were trained at, between
 *     resamplings: their coarse grids are physical, and stay;
 *   - sums over points are scaled to integrals, coordinates are those of the physical place, tables of positions are interpolated;
 *   - what goes by the index of a point (rolls, slices along space, recurrences, causal masks, sines of the index) is not, and is refused.
 * At the trained grid a rewritten network is the network.
 */
#ifndef NIGH_DISCRETISE_H
#define NIGH_DISCRETISE_H
#include "nigh/network.h"
#include "nigh/operators_fields.h"
#include "nigh/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How the kernel of a convolution, trained at the spacing h0, is used at the spacing h, in d dimensions:
 *   LINEAR      hat functions of width h0 around its points, times (h / h0)^d and with the sum of the kernel kept: (K - 1) h0 / h + 1 points and a hat more on each side
 *   FOURIER     trigonometric interpolation, which reaches round the domain; applied by taking the field to the trained grid, and back. Circles only
 *   POINTS      weights at the same distances: a dilated convolution when h0 / h is whole, else each weight divided among neighbouring points
 *   DERIVATIVE  as many points as before: mean K, and (h0 / h) (K - mean K), which converges to a derivative
 * AUTO: FOURIER on circles, else POINTS. The first also says how fields go from one grid to another: FOURIER by it, the others linearly (cells: means when coarser).
 */
typedef enum nigh_resampling { NIGH_RESAMPLING_AUTO, NIGH_RESAMPLING_LINEAR, NIGH_RESAMPLING_FOURIER, NIGH_RESAMPLING_POINTS, NIGH_RESAMPLING_DERIVATIVE } nigh_resampling;

/* "auto", "linear", "fourier", "points", "derivative"; and back: false when the name is none of them. */
NIGH_API const char *nigh_resampling_name(nigh_resampling how);
NIGH_API bool nigh_resampling_find(const char *name, nigh_resampling *how);

/* What a network was trained on. */
typedef struct nigh_discretisation {
    int dims;             /* 1 or 2: inputs are [N, L, C] or [N, H, W, C], or without channels */
    int64_t trained[2];   /* points of the grid in each dimension, 2 .. 65536 */
    nigh_grid grid;       /* where the points lie; UNKNOWN is refused */
    double length;        /* of the domain in each dimension; 0: 1. For what is said of widths */
    nigh_resampling resampling;
    bool wrapper;         /* the baseline: the field to the trained grid, the network as it is, the answer back */
} nigh_discretisation;

/* ---- audit -------------------------------------------------------------------------------------------- */

typedef enum nigh_verdict { NIGH_VERDICT_FUNCTION, NIGH_VERDICT_FIXABLE, NIGH_VERDICT_REFUSED } nigh_verdict;

typedef struct nigh_audit_row {
    const char *layer, *kind;
    nigh_verdict verdict;
    const char *rewrite;  /* what is done on other grids: "kept", "kernel in physical units" ...; refused: "none" */
    const char *why;      /* one sentence or "" */
} nigh_audit_row;

typedef struct nigh_audit {
    nigh_discretisation spec; /* with AUTO settled */
    int rows, functions, fixable, refused;
    const nigh_audit_row *row;
    int64_t least[2];     /* smallest grid that the spectral layers allow: twice the retained modes */
    nigh_arena *arena;
} nigh_audit;

/* Looks at every layer with the shapes of the trained grid. NIGH_INVALID: the spec, or a network whose inputs are not fields on this grid. */
NIGH_API nigh_status nigh_network_audit(nigh_network *net, const nigh_discretisation *spec, nigh_audit **audit);
NIGH_API void nigh_audit_free(nigh_audit *audit); /* NULL is fine */
NIGH_API nigh_status nigh_audit_print(const nigh_audit *audit, nigh_network_style style, nigh_buffer *text);

/* ---- rewrite ------------------------------------------------------------------------------------------ */

/*
 * The network for a grid of grid[dims] points, with weights of its own that follow from the trained ones: layers of the same names, and more between them. It is
 * saved, exported, evaluated and trained like any other. NIGH_UNSUPPORTED: a layer that is refused, or a grid with less than twice the retained modes; NIGH_INVALID: Fourier
 * resampling off circles, a kernel wider than the domain, a weight that is not finite. Off circles a warning goes to the log when one grid's spacing is no
 * multiple of the other's: points then do not coincide.
 */
NIGH_API nigh_status nigh_network_rewrite(nigh_network *net, const nigh_discretisation *spec, const int64_t *grid, nigh_network **rewritten);

/*
 * For training on several grids at once: records on a tape how the weights of the rewritten network follow from the trained ones, so that gradients reach these.
 * parameters[nigh_parameters_count of net], derived[nigh_parameters_count of rewritten], rewritten as nigh_network_rewrite made it of the same arguments.
 */
NIGH_API nigh_status nigh_network_rewrite_record(nigh_network *net, const nigh_discretisation *spec, const int64_t *grid, nigh_network *rewritten, nigh_tape *tape,
                                                 const nigh_node *parameters, nigh_node *derived);

/* ---- consistency -------------------------------------------------------------------------------------- */

enum { NIGH_CONSISTENCY_GRIDS = 4 };

typedef struct nigh_consistency_options {
    int64_t samples;      /* random inputs; 0: 2 */
    uint64_t seed;
    double width;         /* length below which inputs are smooth, as a part of the domain; 0: 6 points of the trained grid, at most 1/4 */
    int finest;           /* the reference grid is this many times the trained one; 0: 8 */
} nigh_consistency_options;

/*
 * c(r) = |G_r a_r - P G_f a_f| / |P G_f a_f| for the grids r = 1/2, 1, 2, 4 times the trained one, a smooth Gaussian fields, f the reference grid and P
 * interpolation of third degree at the points of r (circles: Fourier); root mean square over samples. All in f64. NAN where the form cannot be used on a grid.
 */
typedef struct nigh_consistency {
    int64_t grid[NIGH_CONSISTENCY_GRIDS][2], reference[2];
    double rewritten[NIGH_CONSISTENCY_GRIDS], plain[NIGH_CONSISTENCY_GRIDS], wrapper[NIGH_CONSISTENCY_GRIDS]; /* plain: the network as it is; wrapper: the baseline */
    double order, plain_order, wrapper_order; /* least-squares slope of log c by log h over the last three grids; INFINITY: all c below 1e-12 */
} nigh_consistency;

NIGH_API nigh_status nigh_network_consistency(nigh_network *net, const nigh_discretisation *spec, const nigh_consistency_options *options, nigh_consistency *out);
NIGH_API nigh_status nigh_consistency_print(const nigh_consistency *c, int dims, nigh_network_style style, nigh_buffer *text);

/* ---- fields from one grid to another ------------------------------------------------------------------ */

/*
 * x [before, from, after] to y [before, to, after] by FOURIER (grid PERIODIC) or LINEAR interpolation; linear to coarser cells: means over what each covers.
 * Exact on what both grids can tell: Fourier on trigonometric polynomials, linear on constants. f64. NIGH_INVALID: sizes, or Fourier off circles.
 */
NIGH_API nigh_status nigh_regrid_axis(nigh_context *ctx, nigh_grid grid, nigh_resampling how, int64_t before, int64_t from, int64_t to, int64_t after, const double *x, double *y);

/* ---- layers that act on functions --------------------------------------------------------------------- */

/*
 * Kinds of src/nn/layers_discretise.c, in the manner of nigh/layers.h:
 *   regrid              -                        size_0, size_1: a field to this grid; method text linear | fourier; grid text cell | node | periodic
 *   coordinates         -                        step_d, start_d: channels start_d + i step_d behind the others
 *   weighted-attention  -                        inputs q, k, v [B, T, heads, size], w [T] or [B, T] > 0: sum_j exp(q_i k_j) v_j w_j / sum_j exp(q_i k_j) w_j; scale 0
 *   disc-conv           w [C, Q, D], bias [D]    radius, length 1, rings, sectors, grid text: see nigh_network_disc_conv
 *   difference-conv     w [C, 3^d, D], bias [D]  length 1, grid text: see nigh_network_difference_conv
 */
typedef struct nigh_physical {
    nigh_grid grid;       /* circles go round; beyond other edges fields are 0 */
    double length;        /* of the domain in each dimension; 0: 1 */
    double radius;        /* of the disc, in the same unit; at most half the length */
    int rings, sectors;   /* 1 .. 16 (sectors 0: 1): rings of hat functions with `sectors` of them on each but the innermost, which has one; in one dimension 2 rings - 1 hats */
} nigh_physical;

/*
 * Convolution with a kernel sum_q w_q phi_q(x) in physical units, phi_q hat functions in a disc, evaluated on the grid at hand with the area of its points as quadrature
 * weights over that of the disc: converges to an integral as the grid is refined. NAME.weight [in, Q, out], NAME.bias [out].
 */
NIGH_API int nigh_network_disc_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const nigh_physical *spec, bool bias);

/* Convolution with a stencil of 3 points a dimension less its mean, over the spacing: converges to a directional derivative. */
NIGH_API int nigh_network_difference_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const nigh_physical *spec, bool bias);

#ifdef __cplusplus
}
#endif
#endif
