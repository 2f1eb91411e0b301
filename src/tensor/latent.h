/*
 * The neural spectral block of channels-last fields, and its gradient: each patch of a field is taken by attention to a few tokens, these are moved by sines and cosines of
 * themselves, and brought back by attention ("Solving High-Dimensional PDEs with Latent Spectral Models", Wu and others, section 3).
 *
 * u [N, H, W, heads (2 width + tokens)] holds for each point and head a query q, a score e for each token, and a value v. With the points l of a patch of patch[0] x patch[1]
 * points, and for each head:
 *     y[t] = token[t] + sum over l of softmax over l (e[l, t]) v[l]
 *     z[t, c] = y[t, c] + sum over m < basis of w[c, m] sin(pi m y[t, c] / basis) + w[c, basis + m] cos(pi m y[t, c] / basis)
 *     o[l] = x[l] + sum over t of softmax over t (q[l] . z[t]) z[t]
 * x, o [N, H, W, heads width] (x may be missing: 0), token [heads, tokens, width], w [heads width, 2 basis]. Nothing passes from one patch to another. basis 0: z = y.
 */
#ifndef NIGH_TENSOR_LATENT_H
#define NIGH_TENSOR_LATENT_H
#include "tensor/elementwise.h"

enum { LATENT_TOKENS = 64, LATENT_BASIS = 256 };

typedef struct latent_spec {
    nigh_dtype dtype;                    /* f32, f64 */
    int64_t samples, size[2], patch[2];  /* patch[k] divides size[k] */
    int64_t heads, width, tokens, basis; /* width: channels of a head; tokens 1 .. LATENT_TOKENS, basis 0 .. LATENT_BASIS */
} latent_spec;

typedef struct latent latent;

/* NIGH_INVALID: a size out of range; NIGH_UNSUPPORTED: another type. `threads`: at most so many. */
nigh_status latent_new(nigh_context *ctx, const latent_spec *spec, int threads, latent **out);
nigh_status latent_new_at(nigh_context *ctx, nigh_cpu_level level, const latent_spec *spec, int threads, latent **out); /* of this CPU level */
void latent_free(latent *l); /* NULL is fine */
size_t latent_workspace(const latent *l); /* bytes, 64-byte aligned; of either */

/* Allocate nothing, re-entrant. o and x may be the same. */
void latent_run(const latent *l, const void *u, const void *x, const void *token, const void *w, void *o, void *workspace);

/* g: by o. du, d_token, dw: written. Nothing of the run is needed: it is computed again. */
void latent_backward(const latent *l, const void *u, const void *token, const void *w, const void *g, void *du, void *d_token, void *dw, void *workspace);

/* Additions and multiplications of latent_run, exponentials and sines as one each. */
double latent_flops(const latent_spec *spec);

/* ---- kernels ------------------------------------------------------------------------------------------ */

/*
 * A group of as many patches as a vector has numbers, one head: every array below holds a vector (a number of each patch) where the formulas have a number. Patches that are
 * not there count as zeros.
 */
typedef struct latent_block {
    int64_t points, width, tokens, basis;
    elementwise_kernel *exp, *sin, *cos;
    const void *token, *w;   /* numbers: [tokens, width], [width, 2 basis] */
    void *u;                 /* [points, 2 width + tokens]: q, e, v */
    void *a, *f, *r;         /* [points, tokens]: weights of points, weights of tokens, room */
    void *y, *z, *s, *c;     /* [tokens, width]: sin and cos of pi y / basis */
    void *o;                 /* [points, width]: the result, or g */
    void *du, *dz;           /* backwards, like u and z; dz ends as the gradient by y */
    void *d_token, *dw;      /* sums, to be added to: [tokens, width], [width, 2 basis] */
} latent_block;

typedef struct latent_kernels {
    int lanes;
    /* `rows` points of each patch, at[lane] its first number, `step` numbers from one point to the next: to or from block[point, 0 .. width-1] whose points are `pace` apart. */
    void (*gather)(int count, const void *const *at, int64_t rows, int64_t step, int64_t width, void *block, int64_t pace);
    void (*scatter)(int count, void *const *at, const void *const *add, int64_t rows, int64_t step, int64_t width, const void *block, int64_t pace);
    void (*forward)(const latent_block *b);
    void (*backward)(const latent_block *b);
    void (*total)(int64_t n, const void *block, void *sum); /* sum[i] = sum over the lanes of block[i] */
} latent_kernels;

/* NULL unless dtype is NIGH_F32 or NIGH_F64. */
const latent_kernels *latent_kernels_at(nigh_cpu_level level, nigh_dtype dtype);

extern const latent_kernels latent_scalar_f32, latent_scalar_f64, latent_avx2_f32, latent_avx2_f64, latent_avx512_f32, latent_avx512_f64;
#endif
