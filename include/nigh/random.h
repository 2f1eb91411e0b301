/*
 * nigh/random.h: random numbers that can be addressed, and distributions made of them.
 *
 * The generator is Philox4x32-10 ("Parallel random numbers: as easy as 1, 2, 3", Salmon et al. 2011): word number
 * `position` of the sequence (seed, stream) is a pure function of the three, so any worker can start anywhere. Give
 * each worker, sample or layer a stream of its own and results do not depend on the number of threads.
 *
 * Drawing never fails and never allocates unless the function takes a context. Functions that draw a
 * non-uniform number consume as many words as they need; filling n numbers gives the same numbers, and leaves the
 * same position, as n single calls.
 */
#ifndef NIGH_RANDOM_H
#define NIGH_RANDOM_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the generator ------------------------------------------------------------------------------------ */

/* A plain value: copy it to fork it, store seed, stream and position to resume it. `position` counts 32-bit words;
 * key = seed, counter = (position / 4, stream). `block` holds the four words around position. */
typedef struct nigh_rng {
    uint64_t seed, stream, position;
    uint32_t block[4];
} nigh_rng;

NIGH_API nigh_rng nigh_rng_new(uint64_t seed, uint64_t stream);
NIGH_API void nigh_rng_seek(nigh_rng *rng, uint64_t position); /* in 32-bit words */

/* A new seed for part number `index` of what `seed` drives (a mixed hash): for trees of streams. */
NIGH_API uint64_t nigh_seed_split(uint64_t seed, uint64_t index);

NIGH_API uint32_t nigh_rng_u32(nigh_rng *rng);
NIGH_API uint64_t nigh_rng_u64(nigh_rng *rng);              /* two words, the lower first */
NIGH_API float nigh_rng_f32(nigh_rng *rng);                 /* [0, 1), multiples of 2^-24; one word */
NIGH_API double nigh_rng_f64(nigh_rng *rng);                /* [0, 1), multiples of 2^-53; two words */
NIGH_API uint64_t nigh_rng_below(nigh_rng *rng, uint64_t n); /* uniform on 0 .. n-1, exactly; 0 when n is 0 */

NIGH_API void nigh_rng_fill_u32(nigh_rng *rng, int64_t n, uint32_t *out);
NIGH_API void nigh_rng_fill_f32(nigh_rng *rng, int64_t n, float *out);
NIGH_API void nigh_rng_fill_f64(nigh_rng *rng, int64_t n, double *out);

/* Standard normal by the ziggurat with Marsaglia's exact tail ("The ziggurat method for generating random variables",
 * Marsaglia and Tsang 2000), 53 random bits in each value. */
NIGH_API double nigh_rng_normal(nigh_rng *rng);
NIGH_API void nigh_rng_fill_normal(nigh_rng *rng, int64_t n, double *out);
NIGH_API void nigh_rng_fill_normal_f32(nigh_rng *rng, int64_t n, float *out); /* the f64 numbers, rounded */

/* A uniform permutation of 0 .. n-1. NIGH_INVALID when n < 0. */
NIGH_API nigh_status nigh_rng_permutation(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t *out);

/* k of 0 .. n-1 without replacement, in random order; O(k) time and memory. NIGH_INVALID unless 0 <= k <= n. */
NIGH_API nigh_status nigh_rng_choose(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t k, int64_t *out);

/* ---- point sets --------------------------------------------------------------------------------------- */

#define NIGH_SOBOL_DIMS 1000

/*
 * Points skip .. skip+n-1 of a Sobol sequence in [0, 1)^d into out [n,d] (row = point). Primitive polynomials in order
 * of degree; the free initial numbers come from a seeded search for good two-dimensional projections. scramble_seed 0
 * is the plain sequence (its point 0 is the origin); any other applies Matousek's random linear scrambling and a
 * digital shift ("On the L2-discrepancy for anchored boxes", 1998), after which every point is uniform on [0, 1)^d.
 * The first 2^k points are a (0,k,1)-net in each coordinate. 1 <= d <= 1000, skip + n <= 2^32, else NIGH_INVALID.
 * Cost: O(d) set-up of about 0.1 ms a dimension, then d words per point.
 */
NIGH_API nigh_status nigh_sobol(nigh_context *ctx, int64_t d, uint64_t scramble_seed, int64_t skip, int64_t n, double *out);

/* n points in [0, 1)^d, out [n,d]: each coordinate has exactly one point in each of the n equal cells. */
NIGH_API nigh_status nigh_latin_hypercube(nigh_context *ctx, nigh_rng *rng, int64_t d, int64_t n, double *out);

/* ---- distributions of one number ----------------------------------------------------------------------
 * Parameters out of range (a scale that is not positive and so on) give NaN, or -1 where an integer is returned. */

NIGH_API double nigh_rng_exponential(nigh_rng *rng, double mean);
NIGH_API double nigh_rng_laplace(nigh_rng *rng, double scale);   /* density exp(-|x|/scale) / (2 scale) */
NIGH_API double nigh_rng_gumbel(nigh_rng *rng);                  /* P(X <= x) = exp(-exp(-x)) */
NIGH_API double nigh_rng_logistic(nigh_rng *rng);
NIGH_API double nigh_rng_gamma(nigh_rng *rng, double shape);     /* scale 1; Marsaglia and Tsang 2000; shape > 0 */
/* log of a gamma number: stays finite for shapes so small that the number itself underflows. */
NIGH_API double nigh_rng_log_gamma(nigh_rng *rng, double shape);
NIGH_API double nigh_rng_beta(nigh_rng *rng, double a, double b);
NIGH_API double nigh_rng_student_t(nigh_rng *rng, double freedom);
NIGH_API double nigh_rng_cauchy(nigh_rng *rng);

/* Failures before the first success of chance p in (0, 1], and the number of successes in n trials. */
NIGH_API int64_t nigh_rng_geometric(nigh_rng *rng, double p);
NIGH_API int64_t nigh_rng_binomial(nigh_rng *rng, int64_t n, double p); /* O(1) mean time; n <= 2^53 */
NIGH_API int64_t nigh_rng_poisson(nigh_rng *rng, double mean);          /* mean <= 1e15; O(1) mean time */
/* P(k) ~ k^-exponent on 1 .. n <= 2^52 by rejection-inversion (Hormann and Derflinger 1996); exponent >= 0. */
NIGH_API int64_t nigh_rng_zipf(nigh_rng *rng, int64_t n, double exponent);

/* ---- vectors ------------------------------------------------------------------------------------------ */

/* out [n] on the simplex. alpha [n] > 0 (NULL: all 1). Computed in logs, so tiny alphas do not give 0/0. */
NIGH_API nigh_status nigh_rng_dirichlet(nigh_context *ctx, nigh_rng *rng, int64_t n, const double *alpha, double *out);

/* mean + L z with L [d,d] lower triangular, C order (the upper part is not read); mean NULL is 0. out [d]; may not
 * overlap mean. */
NIGH_API void nigh_rng_mvn(nigh_rng *rng, int64_t d, const double *mean, const double *factor, double *out);

/* Uniform on the unit sphere of R^d, d >= 1. */
NIGH_API void nigh_rng_sphere(nigh_rng *rng, int64_t d, double *out);

/* von Mises-Fisher on the sphere of R^d around the unit vector `mean`, concentration kappa >= 0 ("Simulation of the von
 * Mises Fisher distribution", Wood 1994). NIGH_INVALID when d < 2, kappa < 0 or mean is not a unit vector (1e-6). */
NIGH_API nigh_status nigh_rng_von_mises_fisher(nigh_context *ctx, nigh_rng *rng, int64_t d, const double *mean,
                                               double kappa, double *out);

/* ---- categories --------------------------------------------------------------------------------------- */

/* An alias table (Walker; Vose's construction): O(n) to make, O(1) a draw. */
typedef struct nigh_alias nigh_alias;

/* weight [n] >= 0, finite, not all 0. NIGH_INVALID otherwise. */
NIGH_API nigh_status nigh_alias_new(nigh_context *ctx, int64_t n, const double *weight, nigh_alias **out);
NIGH_API void nigh_alias_free(nigh_alias *alias); /* NULL is fine */
NIGH_API int64_t nigh_alias_draw(const nigh_alias *alias, nigh_rng *rng);

/* One draw in O(n) from weights that need no table; -1 when they sum to 0 or not to a finite number. */
NIGH_API int64_t nigh_rng_categorical(nigh_rng *rng, int64_t n, const double *weight);

/* Draws that are removed as they are drawn (a Fenwick tree): O(log n) a draw, an update or a removal. */
typedef struct nigh_urn nigh_urn;
NIGH_API nigh_status nigh_urn_new(nigh_context *ctx, int64_t n, const double *weight, nigh_urn **out);
NIGH_API void nigh_urn_free(nigh_urn *urn);
NIGH_API double nigh_urn_total(const nigh_urn *urn);
NIGH_API void nigh_urn_set(nigh_urn *urn, int64_t i, double weight);  /* weight >= 0 */
NIGH_API int64_t nigh_urn_draw(nigh_urn *urn, nigh_rng *rng);         /* keeps it; -1 when empty */
NIGH_API int64_t nigh_urn_take(nigh_urn *urn, nigh_rng *rng);         /* removes it; -1 when empty */

/* ---- exact noise on the integers ----------------------------------------------------------------------
 * For real releases of private data: integer arithmetic only, no rounding anywhere, so the stated privacy holds
 * ("The discrete Gaussian for differential privacy", Canonne, Kamath and Steinke 2020, algorithms 1 to 3). Parameters
 * are fractions numerator / denominator with both in 1 .. 2^31 - 1; NIGH_INVALID otherwise. Time is random (as in every
 * rejection method), its law independent of the private value. */

/* P(k) ~ exp(-|k| denominator / numerator): discrete Laplace of scale numerator / denominator. */
NIGH_API nigh_status nigh_rng_discrete_laplace(nigh_context *ctx, nigh_rng *rng, uint32_t numerator, uint32_t denominator,
                                               int64_t *out);

/* P(k) ~ exp(-k^2 / (2 v)) with variance parameter v = numerator / denominator. */
NIGH_API nigh_status nigh_rng_discrete_gaussian(nigh_context *ctx, nigh_rng *rng, uint32_t numerator,
                                                uint32_t denominator, int64_t *out);

/* True with probability exp(-numerator / denominator), exactly; denominator > 0. */
NIGH_API bool nigh_rng_bernoulli_exp(nigh_rng *rng, uint64_t numerator, uint64_t denominator);

#ifdef __cplusplus
}
#endif
#endif
