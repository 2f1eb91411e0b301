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

enum { VORTICITY_LEVELS = 12 };

/* Modes of a state: rows kx = 0 .. K, -K .. -1, columns ky = 0 .. K and zeros up to a whole number of lines. */
typedef struct vorticity {
    nigh_context *ctx;
    nigh_dtype dtype;
    int64_t n, most, rows, columns, lanes, padded; /* most: K; padded: n up to whole lines */
    fft_core *core;
    const struct vorticity_kernels *kernels;
    void *lift;      /* [most + 1, columns] 1 / (2 pi k^2), 0 for k = 0: to Z */
    void *table[VORTICITY_LEVELS][6]; /* [most + 1, columns] of ETDRK4: E, E2, Q, f1, f2, f3, with the step in them */
    int levels;      /* level l takes least 2^l steps of `unit` / (least 2^l) */
    int64_t least;
    double viscosity, unit, safety;
    void *ky;        /* [columns] */
    void *force;     /* [2, lanes] added to row kx = 1 of the first line of columns */
    int64_t *plus, *minus_out, *minus_in; /* [columns] lines of the middle array that hold +ky and -ky */
    nigh_fft *forward, *inverse;
} vorticity;

typedef struct vorticity_kernels {
    /* One step of the state (planes re, im of [rows, columns]) */
    void (*step)(const vorticity *v, int level, void *re, void *im, void *workspace);
} vorticity_kernels;
extern const vorticity_kernels vorticity_scalar[2], vorticity_avx2[2], vorticity_avx512[2]; /* f32, f64 */

typedef struct vorticity_spec {
    nigh_dtype dtype;
    int64_t n;
    double viscosity, force[2]; /* force: the coefficient of exp(2 pi i (x + y)) of f */
    double unit;                /* of time: steps are chosen anew at the start of each */
    int64_t least;              /* steps of a unit, a power of two */
    double safety;              /* how many times more than just stable */
} vorticity_spec;

/* Steps are `least` times a power of two, as many as are stable for the velocity at hand, times safety. */
nigh_status vorticity_new(nigh_context *ctx, const vorticity_spec *spec, vorticity **out);
void vorticity_free(vorticity *v);
size_t vorticity_workspace(const vorticity *v);

/* Steps of one unit of time for a root mean square velocity. */
int64_t vorticity_steps(int64_t n, double viscosity, double unit, int64_t least, double safety, double velocity);

/* `units` of time from in to out, both [n, n]; in may be out. */
void vorticity_run(const vorticity *v, int64_t units, const double *in, double *out, void *workspace);
#endif
