/*
 * Recurrences of sequence layers, forward and backward, in f32 or f64. Arrays are dense; complex numbers are pairs of the dtype; gradients
 * of complex numbers are (d/d re, d/d im). Threads share the batch and the channels or heads; the same bits for any number of them.
 */
#ifndef NIGH_TENSOR_SCAN_H
#define NIGH_TENSOR_SCAN_H
#include "nigh/core.h"

typedef struct scan_gated scan_gated;
typedef struct scan_delta scan_delta;
typedef struct scan_ssm scan_ssm;

/* ---- gated: h[t] = a[t] h[t-1] + b[t], each of [batch, steps, channels]; h[-1] = first [batch, channels] or 0 ---- */

typedef struct scan_gated_spec {
    nigh_dtype dtype;
    int64_t batch, steps, channels;
} scan_gated_spec;

nigh_status scan_gated_new(nigh_context *ctx, const scan_gated_spec *spec, int threads, scan_gated **out);
void scan_gated_free(scan_gated *s); /* NULL is fine */
void scan_gated_run(const scan_gated *s, const void *a, const void *b, const void *first, void *h); /* first NULL: 0; h may be b */

/* From dh: da, db of h's shape and dfirst [batch, channels] (each may be NULL; db may be dh). */
void scan_gated_back(const scan_gated *s, const void *a, const void *first, const void *h, const void *dh, void *da, void *db, void *dfirst);

/*
 * ---- delta rule: S[t] = S[t-1] (I - beta k k^T) + beta v k^T, o[t] = S[t] q, S [values, keys] per batch and head, S[-1] = 0 ----
 * q, k [batch, steps, heads, keys], v, o [batch, steps, heads, values], beta [batch, steps, heads] in [0, 2] (2: reflections; not checked).
 * Yang et al., "Parallelizing linear transformers with the delta rule over sequence length"; Grazzi et al., "Unlocking state-tracking
 * in linear RNNs through negative eigenvalues". 4 keys values multiply-adds a step forward, about 13 backward (with the states
 * computed again).
 */
typedef struct scan_delta_spec {
    nigh_dtype dtype;
    int64_t batch, steps, heads, keys, values; /* keys, values up to 1024 */
} scan_delta_spec;

nigh_status scan_delta_new(nigh_context *ctx, const scan_delta_spec *spec, int threads, scan_delta **out);
void scan_delta_free(scan_delta *s); /* NULL is fine */
size_t scan_delta_workspace(const scan_delta *s); /* forward and backward; about 2 sqrt(steps) states a thread */
void scan_delta_run(const scan_delta *s, const void *q, const void *k, const void *v, const void *beta, void *o, void *workspace);
void scan_delta_back(const scan_delta *s, const void *q, const void *k, const void *v, const void *beta, const void *d_o, void *dq, void *dk,
                     void *dv, void *dbeta, void *workspace);

/*
 * ---- diagonal state space (S4D): h[n] = exp(dt A[n]) h[n] + B'[n] x, y = 2 Re sum_n C[n] h[n], per head ----
 * x, y [batch, steps, heads]; A, B, C complex [heads, states], dt [heads]; B' = (exp(dt A) - 1) / A * B (zero-order hold; dt B where |dt A| is
 * tiny). y is also x convolved with K[l] = 2 Re sum_n C[n] B'[n] exp(dt A[n] l). Gu et al., "On the parameterization and initialization of
 * diagonal state space models", equations 3-5.
 */
typedef struct scan_ssm_spec {
    nigh_dtype dtype;
    int64_t batch, steps, heads, states;
} scan_ssm_spec;

nigh_status scan_ssm_new(nigh_context *ctx, const scan_ssm_spec *spec, int threads, scan_ssm **out);
void scan_ssm_free(scan_ssm *s); /* NULL is fine */
size_t scan_ssm_workspace(const scan_ssm *s);

/* By kernel and Fourier transforms: steps (states + batch log steps) a head. */
void scan_ssm_convolve(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, void *y, void *workspace);

/* By recurrence: steps states batch a head; state complex [batch, heads, states] is read and left as after the last step (NULL: 0 and not wanted). */
void scan_ssm_recur(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, void *state, void *y,
                    void *workspace);

/* From dy (first state 0): gradients of all inputs, by convolutions. */
void scan_ssm_back(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, const void *dy, void *dx,
                   void *da, void *db, void *dc, void *ddt, void *workspace);

/* ---- kernels of one CPU level ---- */

typedef struct scan_kernels {
    /* channels from .. to of one sequence */
    void (*gated)(int64_t steps, int64_t channels, int64_t from, int64_t to, const void *a, const void *b, const void *first, void *h);
    void (*gated_back)(int64_t steps, int64_t channels, int64_t from, int64_t to, const void *a, const void *first, const void *h, const void *dh,
                       void *da, void *db, void *dfirst);
    /* one step on the transposed state m [keys, width], width a multiple of 64 bytes; u [width] becomes v - S k */
    void (*delta_step)(int64_t keys, int64_t width, const void *k, const void *q, double beta, const void *v, void *m, void *u, void *o);
    /* the step backwards: m after it, before [keys, width] before it; dm the gradient, changed to that before the step */
    void (*delta_back)(int64_t keys, int64_t width, const void *k, const void *q, double beta, const void *u, const void *m, const void *before,
                       const void *d_o, void *dm, void *du, void *dq, void *dk, double *dbeta);
    /* states of one head over a sequence with stride `heads`: pairs of planes [states]; c: C */
    void (*ssm)(int64_t steps, int64_t stride, int64_t states, const void *x, const void *are, const void *aim, const void *bre, const void *bim,
                const void *cre, const void *cim, void *hre, void *him, void *y);
    /* out[l] += 2 Re w z^l; moments = sum g[l] z^l, sum l g[l] z^(l-1), complex; l < steps */
    void (*powers)(int64_t steps, const void *w, const void *z, void *out);
    void (*moments)(int64_t steps, const void *z, const void *g, void *moments);
} scan_kernels;
extern const scan_kernels scan_scalar[2], scan_avx2[2], scan_avx512[2];
const scan_kernels *scan_kernels_at(nigh_cpu_level level, nigh_dtype dtype);
nigh_status scan_check(nigh_context *ctx, const char *what, nigh_dtype dtype, int count, const char *const *name, const int64_t *size, int64_t most,
                       int threads);
#endif
