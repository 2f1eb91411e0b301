/*
 * Grids, arrays and kernels of the multigrid solver (nigh/multigrid.h).
 *
 * Every array of a level is kept as four planes by the parity of row and column: 0 = even row, even column (the points of the next coarser level), 1 = even row,
 * odd column, 2 = odd row, even column, 3 = both odd. So every neighbour of a plane's cells lies in another plane, at one fixed distance, and
 * all loops run over whole planes without shuffles or ends of rows. Cell (2I + p, 2J + q) is number I * step + J of plane 2p + q; step = columns + 1, and
 * the column in between is always 0, as are the guards before each plane; in periodic directions they hold the cells of the other side.
 *
 * A u = C u - the couplings times the neighbours. E, N, F, G couple cell (i, j) with (i, j+1), (i+1, j), (i+1, j+1), (i+1, j-1).
 */
#ifndef NIGH_SOLVE_MULTIGRID_H
#define NIGH_SOLVE_MULTIGRID_H
#include "nigh/multigrid.h"

/* Of four planes each. P: weights of plane 1 (left, right) and 2 (low, high); Q: of plane 3 (low left, low right, high left, high right). D = 1/C. X: scratch. */
enum { MG_E, MG_N, MG_C, MG_D, MG_U, MG_B, MG_R, MG_P, MG_Q, MG_X, MG_F, MG_G, MG_ARRAYS };
/* Conjugate gradients' vectors stand behind level 0's arrays. */
enum { MG_SOLUTION = MG_ARRAYS, MG_DIRECTION, MG_IMAGE, MG_ARRAYS_FINE };
enum { MG_MOST_LEVELS = 24, MG_DIRECT = 64 };

typedef struct multigrid_level {
    int64_t ny, nx;           /* cells */
    int64_t rows, cols, step; /* of a plane */
    int64_t count;            /* numbers of a plane that loops run over, a multiple of 16 */
    int64_t plane;            /* from one plane to the next */
    int64_t base;             /* where the arrays begin, in numbers */
    bool nine, wrap_y, wrap_x;
} multigrid_level;

/* All of one precision and CPU level. base: first number of the level's arrays. */
typedef struct multigrid_kernels {
    size_t size;
    int64_t (*outside)(int64_t n, const double *x, double low, double high);     /* how many are not within */
    void (*guards)(const multigrid_level *g, void *base, uint32_t arrays);       /* zeros around the planes of these arrays */
    /* natural order [ny, nx] (row length `stride`) to planes of array k, and back; cells beyond the grid become 0 */
    void (*split_f64)(const multigrid_level *g, void *base, int k, const double *in);
    void (*merge_f64)(const multigrid_level *g, const void *base, int k, double *out);
    void (*split)(const multigrid_level *g, void *base, int k, const void *in, int64_t stride);
    void (*merge)(const multigrid_level *g, const void *base, int k, void *out, int64_t stride);
    void (*wrap)(const multigrid_level *g, void *plane, int q); /* periodic: the other side's cells behind the edge */
    void (*clear)(const multigrid_level *g, void *plane);       /* 0 beyond the edge */
    void (*harmonic)(const multigrid_level *g, void *base, int from, double scale_x, double scale_y); /* E, N from cells in array `from` */
    void (*diagonal)(const multigrid_level *g, void *base);     /* C += couplings, D = 1/C */
    void (*invert)(const multigrid_level *g, void *base);       /* D = 1/C */
    void (*weights)(const multigrid_level *g, void *base);
    void (*galerkin)(const multigrid_level *g, void *base);     /* coarse E N F G into planes of R, C into plane 1 of X */
    void (*relax)(const multigrid_level *g, void *base, int q, double omega);
    void (*start)(const multigrid_level *g, void *base, int q, double omega); /* U = omega D B */
    double (*residual)(const multigrid_level *g, void *base, int q);          /* R = B - A U of plane q; its squares */
    double (*multiply)(const multigrid_level *g, void *base, int from, int to); /* to = A from; from . to */
    void (*restricted)(const multigrid_level *g, void *base, int from, unsigned planes); /* plane 0 of X = P^T of those planes of array `from` */
    void (*prolonged)(const multigrid_level *g, void *base, bool add);        /* U = or += P (plane 0 of X) */
    double (*dot)(const multigrid_level *g, const void *base, int a, int b);
    double (*add)(const multigrid_level *g, void *base, double factor, int from, int to); /* to += factor from; to . to */
    void (*direction)(const multigrid_level *g, void *base, double factor, int from, int to); /* to = from + factor to */
    void (*dense)(int64_t n, const void *inverse, const void *b, void *x); /* x = inverse b */
    void (*inverse)(int64_t n, void *matrix);                            /* in place; a singular rest becomes 0 */
} multigrid_kernels;

/* Between the precisions: y = factor x; y += factor x. */
typedef struct multigrid_mixed {
    void (*narrow)(int64_t n, double factor, const double *x, float *y);
    void (*widen)(int64_t n, double factor, const float *x, double *y);
} multigrid_mixed;
extern const multigrid_mixed multigrid_mixed_scalar, multigrid_mixed_avx2, multigrid_mixed_avx512;
extern const multigrid_kernels *const multigrid_scalar[2], *const multigrid_avx2[2], *const multigrid_avx512[2]; /* f32, f64 */

struct nigh_multigrid {
    nigh_context *ctx;
    nigh_multigrid_spec spec;
    const multigrid_kernels *kernels;
    int levels; /* the last one is solved directly */
    multigrid_level level[MG_MOST_LEVELS];
    int64_t dense, total;        /* where the direct solver's numbers begin; all numbers */
    nigh_multigrid *inner;       /* of f32, which does the cycles; this one has level 0 alone, and the inner one's workspace stands behind its own. NULL: none */
    const multigrid_mixed *mixed;
    bool singular;               /* the edges allow a constant to be added */
};

/* The first 64 bytes of a workspace. */
typedef struct multigrid_header {
    bool singular; /* a constant may be added to x */
    bool holes;    /* there may be cells outside the system: C = 0 */
} multigrid_header;

nigh_status multigrid_new_at(nigh_context *ctx, nigh_cpu_level level, const nigh_multigrid_spec *spec, nigh_multigrid **out);

static inline void *multigrid_base(const nigh_multigrid *mg, int level, void *workspace)
{
    return (char *)workspace + (size_t)mg->level[level].base * mg->kernels->size;
}

/* The first number of plane q of array k. */
static inline int64_t multigrid_at(const multigrid_level *g, int k, int q) { return (4 * k + q) * g->plane + g->plane - g->count; }

static inline void *multigrid_inner(const nigh_multigrid *mg, void *workspace) { return (char *)workspace + (size_t)mg->total * mg->kernels->size; }

/* Zeros around the planes, on all levels. */
void multigrid_guards(const nigh_multigrid *mg, void *workspace);

/* The chain of coarser operators below level 0's E, N, F, G, C, which are set. */
void multigrid_chain(const nigh_multigrid *mg, void *workspace);
#endif
