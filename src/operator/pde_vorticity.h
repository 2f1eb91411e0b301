/*
 * Steps of the vorticity equation on the unit torus, pseudo-spectral and free of aliasing:
 *     w_t + u w_x + v w_y = nu (w_xx + w_yy) + f,   u = psi_y, v = -psi_x, w = v_x - u_y = -(psi_xx + psi_yy)
 * Fields of n x n points, index [i][j] at x = i/n, y = j/n; modes |kx|, |ky| <= K = (n - 1) / 3 are kept, so that products have no alias among them.
 *
 * With Z = u + i v the transport is one complex transform there and one back: Z^2 = (u^2 - v^2) + 2 i u v, and
 *     w_t = (d_yy - d_xx) (u v) + d_xy (u^2 - v^2) + nu Laplace w + f.
 * Transforms leave out lines that are zero or not wanted; real and imaginary parts lie in planes of their own, lanes of one cache line side by side.
 */
#ifndef NIGH_OPERATOR_PDE_VORTICITY_H
#define NIGH_OPERATOR_PDE_VORTICITY_H
#include "nigh/fft.h"

#include "tensor/fft_own.h"

/* Modes of a state: rows kx = 0 .. K, -K .. -1, columns ky = 0 .. K and zeros up to a whole number of lines. */
typedef struct vorticity {
    nigh_context *ctx;
    nigh_dtype dtype;
    int64_t n, most, rows, columns, lanes, padded; /* most: K; padded: n up to whole lines */
    fft_core *core;
    const struct vorticity_kernels *kernels;
    void *lift;      /* [most + 1, columns] 1 / (2 pi k^2), 0 for k = 0: to Z */
    void *table[6];  /* [most + 1, columns] of ETDRK4: E, E2, Q, f1, f2, f3, with the step in them */
    void *ky;        /* [columns] */
    void *force;     /* [2, lanes] added to row kx = 1 of the first line of columns */
    int64_t *plus, *minus_out, *minus_in; /* [columns] lines of the middle array that hold +ky and -ky */
    nigh_fft *forward, *inverse;
} vorticity;

typedef struct vorticity_kernels {
    /* One step of the state (planes re, im of [rows, columns]) */
    void (*step)(const vorticity *v, void *re, void *im, void *workspace);
} vorticity_kernels;
extern const vorticity_kernels vorticity_scalar[2], vorticity_avx2[2], vorticity_avx512[2]; /* f32, f64 */

/* force[2]: the coefficient of exp(2 pi i (x + y)) of f. step: of time. */
nigh_status vorticity_new(nigh_context *ctx, nigh_dtype dtype, int64_t n, double viscosity, double step, const double force[2], vorticity **out);
void vorticity_free(vorticity *v);
size_t vorticity_workspace(const vorticity *v);

/* `steps` steps from in to out, both [n, n]; in may be out. */
void vorticity_run(const vorticity *v, int64_t steps, const double *in, double *out, void *workspace);
#endif
