/*
 * What the map methods share around their own solving: the one-shot fit, principal components, polynomial terms,
 * kernel fits. Methods fill a map_model (model.h) from samples.
 */
#ifndef NIGH_REGRESS_FIT_H
#define NIGH_REGRESS_FIT_H
#include "regress/model.h"

typedef struct map_fit map_fit;
typedef nigh_status map_solve(nigh_context *ctx, map_fit *fit);

struct map_fit {
    const nigh_method *method;
    const nigh_problem *problem;
    nigh_settings settings;
    nigh_shape in, out;
    int64_t n, d, m;
    const double *x, *y; /* of the planner; NULL: none */
    double *low, *high;  /* [d] of the samples, or of the problem's box; NULL: not known yet */
    nigh_arena *arena;   /* holds the model */
    map_solve *solve;
    map_model model;
    const char *note;    /* in the arena: what finish hands on to the plan's user; NULL: nothing */
    void *own;           /* of a method whose plans are no map_model */
    bool done;
};

/* A fit with the samples given, or NULL: the method makes its own (fit->problem); the box is then the problem's, if it has one. */
nigh_status map_fit_new(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                        const nigh_settings *settings, map_solve *solve, map_fit **fit);

/* start, but for its solve; advance, finish, abandon, load as they stand in the tables of methods. */
nigh_status map_fit_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                          const nigh_settings *settings, map_solve *solve, void **fit);
nigh_status map_fit_advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point);
nigh_status map_fit_finish(nigh_context *ctx, void *fit, nigh_plan **plan);
void map_fit_abandon(nigh_context *ctx, void *fit);

/* Gives a plan the fit's box. */
nigh_status map_fit_box(const map_fit *fit, nigh_plan *plan);

nigh_status map_load(nigh_context *ctx, nigh_planfile *file, const nigh_method *method, nigh_plan **plan);

/* The box that a plan of these samples is made for: the problem's when known, else smallest and largest. */
nigh_status map_box(nigh_context *ctx, nigh_arena *arena, const nigh_problem *problem, const nigh_samples *samples, double **low,
                    double **high);

/* Real f64 vectors of 1 to 2^24 elements on both sides, else NIGH_UNSUPPORTED. */
nigh_status map_supports(nigh_context *ctx, const nigh_problem *problem);

/* Estimate with unknown error: fit_flops, and the work of applying plans of so many flops and bytes. */
void map_estimate(const nigh_problem *problem, double fit_flops, double apply_flops, double bytes, nigh_estimate *out);

/* The same for a model of the widths in *like, whose arrays need not exist; folded when that is cheaper. */
void map_estimate_model(const nigh_problem *problem, double fit_flops, const map_model *like, bool project, bool tail, bool decode,
                        nigh_estimate *out);

static inline double map_setting(const map_fit *fit, const char *name) { return nigh_setting(fit->method, &fit->settings, name); }

/* ---- coordinates ---- */

enum { MAP_FEW = 8 }; /* vectors shorter than this are not reduced */

/* Means and 1 / standard deviations (0 for a column that does not vary) of x[n,d]; stretch 1 unless `standardise`. */
void map_moments(int64_t n, int64_t d, const double *x, bool standardise, double *mean, double *stretch);

typedef struct map_pca {
    int64_t r;
    double *mean, *stretch; /* [d] */
    double *basis;          /* [r,d], orthonormal rows; NULL: the coordinates themselves, r = d */
    double *score;          /* [n,r] */
} map_pca;

/*
 * Principal components of (x - mean) stretch. As few as leave out at most `loss` of the root mean square (0: all that
 * are above rounding), at most `most`, at least 1. Thin SVD, or the smaller Gram matrix when both sides exceed 800.
 * reduce = false: no rotation, basis NULL. All in the arena.
 */
nigh_status map_pca_fit(nigh_context *ctx, nigh_arena *arena, int64_t n, int64_t d, const double *x, bool standardise, bool reduce,
                        double loss, int64_t most, map_pca *out);

/*
 * Both sides of a fit whose method has the options input-loss and output-loss: inputs of fewer than 32 elements are
 * standardised first (they tend to have different units), and sides of fewer than MAP_FEW are left as they are.
 */
nigh_status map_fit_components(nigh_context *ctx, map_fit *fit, int64_t most, map_pca *in, map_pca *out);

/*
 * NIGH_UNSUPPORTED when an input-loss other than the default is asked for and inputs are too short to be reduced. An
 * output-loss has no effect on short outputs, but is let pass: it is the option that the planner refines.
 */
nigh_status map_supports_loss(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings);

/* How many components an estimate reckons with before any data were seen. */
double map_guess_components(double elements, double samples);

/* Puts an input side (with z = scale (score - centre), both [r], NULL: z = score) and an output side into a model whose
 * sizes are set and arrays allocated. */
void map_model_set_input(map_model *model, const map_pca *in, const double *centre, const double *scale);
void map_model_set_output(map_model *model, const map_pca *out);

/* The limit on what the input components leave out: the most seen in the fit samples, with a margin of a factor 2. */
nigh_status map_model_set_limit(nigh_context *ctx, map_model *model, int64_t n, const double *x);

/* ---- polynomial terms ---- */

/* Products of Legendre polynomials of total degree 1 .. degree in r variables; from variable `full` on only degree 1. */
int64_t map_terms_count(int64_t r, int64_t full, int degree, int64_t most); /* most + 1 when there are more */
nigh_status map_terms_fill(nigh_context *ctx, int64_t r, int64_t full, int degree, int64_t count, int32_t *parent, int32_t *factor);

/* Term values [n,count] at z[n,r]. */
nigh_status map_terms_values(nigh_context *ctx, int64_t n, const double *z, int64_t r, const map_model *model, double *values);

/* Fills weight and bias of a MAP_TERMS model with input side set: ridge regression of score[n,q], columns of mean 0. */
nigh_status map_fit_terms(nigh_context *ctx, map_model *model, int64_t n, const double *z, const double *score, double ridge);

/* ---- functions of distance ---- */

/*
 * Kernel fit of centred targets score[n,q] at z[n,r]. length: multiple of the median distance, 0: by leave-one-out among
 * 1/2 .. 16. nugget: relative ridge, 0: by leave-one-out. MAP_CUBIC and MAP_THIN_PLATE have a linear tail and no length.
 * Above 600 points, what is to be chosen is chosen on 500 of them. Fills points, weight, bias, tail, scale of a model
 * with count = n, and NIGH_INVALID when n is too small for the tail.
 */
nigh_status map_fit_points(nigh_context *ctx, map_model *model, int64_t n, const double *z, const double *score, double length,
                           double nugget);

/* The first m of a farthest-point ordering of z[n,r], increasing; from the point nearest the mean. */
nigh_status map_farthest(nigh_context *ctx, int64_t n, int64_t r, const double *z, int64_t m, int64_t *index);

/* Keeps at most `most` samples, farthest apart, of both sides' scores; *count says how many. */
nigh_status map_thin(nigh_context *ctx, int64_t n, int64_t most, map_pca *in, map_pca *out, int64_t *count);

static inline bool map_has_tail(map_radial kind) { return kind == MAP_CUBIC || kind == MAP_THIN_PLATE; }
#endif
