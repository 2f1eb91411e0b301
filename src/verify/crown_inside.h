/*
 * Inside of the linear bounds: rows walk back from a node to the input in tiles.
 *
 * What holds at every moment of a walk: over the domain, the functional asked for is at least  sum over nodes with a row of a_k . v_k  + constant - rest, where constant and
 * the coefficients are the numbers computed and rest is an upper bound of everything that rounding took. A node's row is handed on to its inputs:
 *
 *   affine node v = W x + b:   a W goes to x; what comes to v brings a . b to the constant and |a| . r to the rest (r of bounds_inside.h) when it comes;
 *   activation v = f(z):       a_j s_j goes to z with s_j the slope of the lower line where a_j > 0, of the upper where a_j < 0; the shifts go to the constant.
 *
 * The two are one pass where an activation reads an affine node: shift + slope b and the rest of both are prepared for each domain and element.
 */
#ifndef NIGH_VERIFY_CROWN_INSIDE_H
#define NIGH_VERIFY_CROWN_INSIDE_H
#include "verify/bounds_inside.h"

#include "tensor/convolution.h"

enum {
    CROWN_TILE = 64,            /* rows that walk together at most: matrix products are at their full speed, rows of 1,000 numbers fit the second cache */
    CROWN_TILE_BYTES = 1 << 21, /* of the rows of one node in a tile */
    CROWN_CHUNK_BYTES = 1 << 20 /* of lines prepared at once for each thread */
};

/* Vectors [n] of one activation on one domain: [0] for negative coefficients, [1] for positive ones. rest is NULL in fast bounds, beta where nothing is split. */
typedef struct crown_line {
    const double *slope[2], *shift[2], *rest[2];
    const double *beta;
} crown_line;

/* Element-wise passes over rows a[rows, n] of one domain; constant and rest are [rows] and added to. */
typedef struct crown_kernels {
    /* out = a slope (+ beta), constant += a shift, rest += |a| rest. out may be a. */
    void (*through)(int64_t rows, int64_t n, const double *a, double *out, const crown_line *line, double *constant, double *rest);
    /* constant += a . bias (NULL: 0), rest += |a| . r (NULL: 0). */
    void (*take)(int64_t rows, int64_t n, const double *a, const double *bias, const double *r, double *constant, double *rest);
    /* least[i] = sum_j min(a_j low_j, a_j high_j), size[i] = the same sum of magnitudes. */
    void (*corner)(int64_t rows, int64_t n, const double *a, const double *low, const double *high, double *least, double *size);
    void (*add)(int64_t n, double scale, const double *a, double *to); /* to += scale a */
} crown_kernels;
extern const crown_kernels crown_scalar, crown_avx2, crown_avx512;

/* Lines of an activation for the domains of a chunk: six arrays [domains, size]. */
typedef struct crown_lines {
    double *slope[2], *shift[2], *rest[2], *beta;
} crown_lines;

/* What a thread works with. */
typedef struct crown_scratch {
    double **row;               /* [nodes] the slot [tile, size] that holds a node's rows; NULL: none */
    double **free;              /* slots that hold nothing */
    int frees;
    void *workspace;
    double constant[CROWN_TILE], rest[CROWN_TILE], least[CROWN_TILE], size[CROWN_TILE];
    int64_t domain[CROWN_TILE]; /* of each row, within the chunk */
    int64_t rows;
} crown_scratch;

typedef struct crown {
    const crown_kernels *kernels;
    nigh_arena *arena;
    int threads;
    int64_t tile;
    matmul **product;            /* [nodes, CROWN_TILE + 1], made when first needed; NULL else */
    convolution **convolution;   /* the same */
    size_t workspace;            /* bytes */
    double gamma, tiny;          /* of the constants' additions; of all underflow */
    double **rest;               /* [nodes] bounds' rests with the additions of biases to constants; NULL where there is none */
    crown_scratch *scratch;      /* [threads] */
    /* Of the chunk at hand. */
    crown_lines *lines;          /* [activations] */
    int64_t room;                /* domains it can hold */
    double *beta_constant, *beta_rest; /* [room] what multipliers bring to each row */
    /* Rows that start at single elements, of the chunk. */
    int64_t *unit_domain, *unit_element;
    int8_t *unit_sign;
    double *unit_bound;
} crown;

/* Rows of one start: those of `want`, or units. */
typedef struct crown_job {
    bounds *b;
    crown *c;
    const bounds_batch *batch;
    int64_t first, domains; /* the chunk */
    int start;
    int64_t rows;           /* of the chunk */
    const bounds_rows *want; /* NULL: units */
    bool beta;              /* multipliers count */
} crown_job;

/* b->crown with all that does not depend on rows. */
nigh_status crown_ready(bounds *b);

/* Lines of activation a for all domains of the chunk; `slopes`: the batch's are used where it has some. */
void crown_prepare(const crown_job *job, int a, bool slopes);

/* What multipliers of activations before the start bring to every row of a domain. */
void crown_prepare_beta(const crown_job *job);

/* All rows of the job on all threads: unit_bound, or what `want` wants. */
nigh_status crown_run(const crown_job *job);

/* Walks the rows [first, first + rows) of the job back to the input. */
void crown_walk(const crown_job *job, int64_t first, int64_t rows, crown_scratch *s);

/* Affine maps backwards. `crown_product`: makes what node k needs for so many rows. */
nigh_status crown_product(bounds *b, int k, int64_t rows);
void crown_affine(const crown *c, const bound_graph *g, int k, int64_t rows, const double *a, double *out, void *workspace); /* out = a W */
void crown_unit(const bound_graph *g, int k, int64_t element, double sign, double *out);                                    /* sign times row `element` of W */
#endif
