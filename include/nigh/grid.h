/*
 * nigh/grid.h: what plans for fields have beyond others: where the points of a grid lie, errors that belong to grids, fields to look at.
 */
#ifndef NIGH_GRID_H
#define NIGH_GRID_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where the n points of a field lie in each dimension of the unit interval: cells (i + 1/2) / n, nodes i / (n - 1), or a circle i / n. Unknown: the samples are
 * no fields, or nobody said.
 */
typedef enum nigh_grid { NIGH_GRID_UNKNOWN, NIGH_GRID_CELL, NIGH_GRID_NODE, NIGH_GRID_PERIODIC } nigh_grid;

/* "cell", "node", "periodic", "unknown"; and back: false when the name is none of them. */
NIGH_API const char *nigh_grid_name(nigh_grid grid);
NIGH_API bool nigh_grid_find(const char *name, nigh_grid *grid);

/*
 * The exact computation's own discretisation error: how far its answers on n inputs are from those on a grid twice as fine (ops->refined), in the problem's measure.
 * That is what one refinement changes; for a solver of order p the distance to the limit is 2^p / (2^p - 1) times as much.
 */
typedef struct nigh_refinement {
    int64_t n;          /* inputs; 0: not measured */
    double mean, worst;
    char *why;          /* n == 0: why it was not measured; NULL: the problem has no grid to refine */
} nigh_refinement;

/* Mean error of a plan on fresh inputs of another grid (or of its own, for comparison). */
typedef struct nigh_grid_error {
    int64_t size[2];    /* points in each dimension; size[1] 0: there is one dimension */
    int64_t n;          /* inputs */
    double mean;        /* in the problem's measure */
    bool own;           /* the grid that the receipt speaks for */
} nigh_grid_error;

enum { NIGH_GRIDS = 4 }; /* most of a receipt */

/* One sample of fields to look at: drawn[0] x drawn[1] numbers of the first channel each. */
typedef struct nigh_picture {
    const char *what;         /* "typical": nearest to the median error; "worst": the largest */
    double error;             /* of the whole sample, in the problem's measure */
    double *input, *truth, *answer;
} nigh_picture;

/* What the chosen plan's answers look like, for samples that are fields on one grid. */
typedef struct nigh_pictures {
    int dims;                 /* 1 or 2 */
    nigh_grid grid;
    int64_t size[2], drawn[2]; /* of the grid, and of the pictures: means over what a drawn point covers; [1] is 1 for one dimension */
    int64_t in, out;          /* channels */
    bool screen;              /* samples are of the screen set: test rows of a file are not shown */
    int count;
    nigh_picture picture[2];
    /* Power of each wave number k (periods in the unit interval), a mean over modes with |k| near it, over all channels and `inputs` samples. */
    int64_t waves, inputs;
    double *k, *truth, *answer, *error; /* [waves]; error: of answer - truth */
} nigh_pictures;

#ifdef __cplusplus
}
#endif
#endif
