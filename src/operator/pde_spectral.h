/*
 * ETDRK4 steps of one-dimensional periodic equations u_t = L u + g (u^d), L and g diagonal in Fourier space, d = 2 or 3, pseudo-spectral and free of aliasing.
 *
 * n points, even; modes |k| <= (n - 1) / (d + 1) are kept, so that products have no alias among them. A real transform is a complex one of half the length, done as m1 x m2
 * with the lines side by side as lanes (Van Loan, "Computational frameworks for the fast Fourier transform", 3.3 and 4.3). Modes are planes of real and imaginary parts.
 */
#ifndef NIGH_OPERATOR_PDE_SPECTRAL_H
#define NIGH_OPERATOR_PDE_SPECTRAL_H
#include "nigh/fft.h"

#include "tensor/fft_own.h"

enum { SPECTRAL_LEVELS = 16 };

typedef struct spectral {
    nigh_context *ctx;
    nigh_dtype dtype;
    int64_t n, half, first, second, most, room; /* half = n / 2 = first second; room: numbers of one buffer */
    int degree;
    bool pairs;            /* the tables are complex */
    fft_core *core[2];     /* of first, second rows */
    void *twiddle[2];      /* [first, second] exp(-2 pi i j k / half): cosine, minus sine */
    void *turn[2];         /* [half + 1] cos, sin of 2 pi k / n */
    int levels;            /* level l has steps of step / 2^l */
    void *table[SPECTRAL_LEVELS][6][2]; /* [most + 1] E, E2, Q, f1, f2, f3, with the step in them; imaginary parts NULL unless pairs */
    void *gain[2];         /* [most + 1] g / n; one of them may be NULL: zero */
    const struct spectral_kernels *kernels;
} spectral;

typedef struct spectral_kernels {
    /* Steps of the modes [half + 1] (zero beyond most). */
    void (*run)(const spectral *s, int level, int64_t steps, void *re, void *im, void *workspace);
    /* Values [n] to modes and back; values lie as even ones [half], then odd ones [half]. */
    void (*to_modes)(const spectral *s, const double *in, void *re, void *im, void *workspace);
    void (*to_values)(const spectral *s, const void *re, const void *im, double *out, void *workspace);
} spectral_kernels;
extern const spectral_kernels spectral_scalar[2], spectral_avx2[2], spectral_avx512[2]; /* f32, f64 */

typedef struct spectral_spec {
    nigh_dtype dtype;
    int64_t n;
    int degree;      /* 2 or 3; 0: no g */
    double step;     /* of time, on level 0 */
    int levels;      /* 1 .. SPECTRAL_LEVELS */
    /* L and g of wave number k, 0 .. most, as pairs */
    void (*symbol)(const void *user, int64_t k, double linear[2], double gain[2]);
    const void *user;
} spectral_spec;

nigh_status spectral_new(nigh_context *ctx, const spectral_spec *spec, spectral **out);
void spectral_free(spectral *s);
size_t spectral_workspace(const spectral *s);

/*
 * `steps` steps from in to out, both [n]; in may be out. drift: equations u_t + c u u_x + .. look the same from a frame that moves with c times the mean of u, so the mean is
 * taken out and what it carries along, c mean `time` (in units of the period), put in exactly at the end; drift = c time, 0: not.
 */
void spectral_run(const spectral *s, int level, int64_t steps, double drift, const double *in, double *out, void *workspace);
#endif
