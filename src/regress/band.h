/*
 * What random features of bounded weights can reach, told before a fit; the public face is nigh_band_floor (nigh/regress.h).
 *
 * "How Powerful are Shallow Neural Networks with Bandlimited Random Weights?": features whose hidden weights stay in a bounded
 * set leave a floor under the error that no number of them removes, as long as the coefficients are bounded. Two views of it:
 *   operator  the spectrum of the features on a few samples, a ridge path over it: residual, leave-one-out error, norm (band.c)
 *   spectral  energy of the target beyond the frequencies that the activation has at such weights, d = 1 (band_spectrum.c)
 */
#ifndef NIGH_REGRESS_BAND_H
#define NIGH_REGRESS_BAND_H
#include "nigh/regress.h"
#include "regress/features.h"

/* z[n,d] in [-1, 1]^d and y[n,q] with columns of mean 0. */
typedef struct band_samples {
    int64_t n, d, q;
    int64_t all; /* of which these n were taken */
    const double *z, *y;
    double radius;
} band_samples;

/* Weight ranges that are looked at when none are given: 1/2, 1, 2 .. 256. */
enum { BAND_GRID = 10 };
static inline double band_grid(int i) { return 0.5 * (double)(1 << i); }

/*
 * The samples of a diagnosis, in the arena: at most options->samples rows of x[n,d] and y[n,q], taken at random, scaled to the
 * box low .. high and centred.
 */
nigh_status band_subset(nigh_context *ctx, nigh_arena *arena, const nigh_band_options *options, int64_t n, int64_t d, int64_t q,
                        const double *x, const double *low, const double *high, const double *y, band_samples *out);

/* The rows of *out for options->lambda (or the grid), and the choice among them. */
nigh_status band_diagnose(nigh_context *ctx, const band_samples *samples, map_activation activation, const nigh_band_options *options,
                          nigh_band *out);

/* out->words for features drawn with row `at`: floor and norm there, and what another range would reach. */
void band_describe(nigh_band *out, map_activation activation, int at);

/* Share of the root mean square of y beyond |xi| = limit; NAN for d > 1 and for fewer than 16 samples. */
nigh_status band_beyond(nigh_context *ctx, const band_samples *samples, double limit, double *share);
#endif
