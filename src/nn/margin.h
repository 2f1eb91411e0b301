/*
 * Passes over rows for losses of a margin m = x.w + b: values, slopes and curvatures by m, the gradient X's and the Hessian X' diag(h) X by the
 * model, from one reading of the rows in blocks that stay in the cache.
 */
#ifndef NIGH_NN_MARGIN_H
#define NIGH_NN_MARGIN_H
#include "nigh/rows.h"
#include "nn/margin_residual.h"

/* A loss as a function of the margin; smooth > 0 rounds off corners: LP (r^2 + smooth^2)^(p/2), hinge z^2 / (2 smooth) up to z = smooth.
 * HUBER: no smoothing; 1 gives rows beyond delta the curvature delta / |r| of a parabola that lies above the loss, 0 their own, none. */
typedef struct margin_curve {
    nigh_row_loss_kind kind;
    double p, delta, smooth;
} margin_curve;

/* Of one CPU level. Rows of d numbers without gaps. */
typedef struct margin_kernels {
    /* m[i] = x_i.w + b */
    void (*margins)(int64_t rows, int64_t d, const double *x, const double *w, double b, double *m);
    /* Weighted sum of the values; value unweighted, slope and curvature weighted; each may be NULL, weight NULL: ones. Not for RESIDUAL. */
    double (*curve)(const margin_curve *curve, int64_t rows, const double *m, const double *y, const double *weight, double *value, double *slope,
                    double *curvature);
    /* g[0 .. d-1] += X's, g[d] += sum s; with c also border[0 .. d-1] += X'c, border[d] += sum c. */
    void (*border)(int64_t rows, int64_t d, const double *x, const double *s, const double *c, double *g, double *border);
    /* h[j ld + k] += sum_i c_i x_ij x_ik for k >= j at least. */
    void (*gram)(int64_t rows, int64_t d, const double *x, const double *c, int64_t ld, double *h);
} margin_kernels;
extern const margin_kernels margin_scalar, margin_avx2, margin_avx512;
const margin_kernels *margin_kernels_at(nigh_cpu_level level);

typedef struct margin_pass margin_pass;

/* What a pass computes beside the cost. */
enum { MARGIN_GRADIENT = 1, MARGIN_HESSIAN = 2 };

/* `most`: what the passes will be asked for at most; residual NULL: none. Rows and residual must outlive the pass. */
nigh_status margin_new(nigh_context *ctx, const nigh_rows *rows, const margin_residual *residual, unsigned most, margin_pass **out);
void margin_free(margin_pass *pass); /* NULL is fine */
int64_t margin_passes(const margin_pass *pass); /* made so far */
int margin_threads(const margin_pass *pass);

/*
 * Weighted sum of the losses of model[d+1] (w, b), no penalty. value[n] (NULL: not wanted), g[d+1], h[d+1,d+1] whole (not for RESIDUAL).
 * Same bits for the same number of threads.
 */
double margin_run(margin_pass *pass, const margin_curve *curve, const double *model, unsigned what, double *value, double *g, double *h);

/* m[n] */
void margin_all(margin_pass *pass, const double *model, double *m);
#endif
