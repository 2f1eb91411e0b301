/*
 * nigh/operators_rows.h: operators of the tape on rows and indices: softmax, norms, losses, gather and sort, activations, positions, linear systems, fixed points.
 *
 * Rules of nigh/grad.h. "Rows" are what lies along the last dimension. x is f32 or f64 unless said, optional nodes may be NIGH_NONE, indices are i32 or i64. An index that
 * lies outside what it points into is left out: it reads zeros and adds nothing (so that padding can be -1). Fused kernels serve the result and its first
 * gradient; gradients of gradients are composed of elementary operators, so every operator here has derivatives of any order unless said.
 */
#ifndef NIGH_OPERATORS_ROWS_H
#define NIGH_OPERATORS_ROWS_H
#include "nigh/grad.h"
#include "nigh/sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- softmax ------------------------------------------------------------------------------------------ */

/* exp(x) / sum exp(x) and its logarithm along `axis` (negative: from the end); any axis but the last costs a permutation. */
NIGH_API nigh_node nigh_tape_softmax(nigh_tape *tape, nigh_node x, int axis);
NIGH_API nigh_node nigh_tape_log_softmax(nigh_tape *tape, nigh_node x, int axis);

/* ---- losses ------------------------------------------------------------------------------------------- */

/*
 * log sum exp(x) - x[target] of each row: logits x [..., n], target [...] (index), result [...]. Rows whose target lies outside 0 .. n-1 give 0 and no gradient.
 * smoothing e in [0, 1): the target counts 1 - e and every class e / n.
 */
NIGH_API nigh_node nigh_tape_cross_entropy_rows(nigh_tape *tape, nigh_node x, nigh_node target, double smoothing);

/*
 * Their mean: sum of weight * loss / sum of weight over the rows whose target is neither outside nor `ignore`; weight [...] (optional: ones) gets no
 * gradient. 0 when no row counts.
 */
NIGH_API nigh_node nigh_tape_cross_entropy(nigh_tape *tape, nigh_node x, nigh_node target, nigh_node weight, int64_t ignore, double smoothing);

/* -sum_j p_j log softmax(x)_j of each row, p of x's shape (sums need not be 1): [...]. */
NIGH_API nigh_node nigh_tape_cross_entropy_soft(nigh_tape *tape, nigh_node x, nigh_node p);

/* Mean of (1 - q)^gamma (-log q), q the probability of the target, over rows with a target inside. gamma >= 0. "Focal loss for dense object detection", Lin et al. 2017. */
NIGH_API nigh_node nigh_tape_focal(nigh_tape *tape, nigh_node x, nigh_node target, double gamma);

/* Means over all elements, a number: log(1 + exp(x)) - x p (p in [0, 1], weight optional and multiplied in); (a - b)^2; |a - b|; Huber's with corner delta > 0. */
NIGH_API nigh_node nigh_tape_binary_cross_entropy(nigh_tape *tape, nigh_node x, nigh_node p, nigh_node weight);
NIGH_API nigh_node nigh_tape_mse(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_mean_abs(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_huber(nigh_tape *tape, nigh_node a, nigh_node b, double delta);

/* |a - b| / |b| of each sample (Euclidean norms over all but the first dimension): [N]; and the mean over samples. Slope 0 where a = b. */
NIGH_API nigh_node nigh_tape_relative_l2_rows(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_relative_l2(nigh_tape *tape, nigh_node a, nigh_node b);

/* Mean over rows of sum p (log p - log q), from the logarithms. */
NIGH_API nigh_node nigh_tape_kl(nigh_tape *tape, nigh_node log_p, nigh_node log_q);

/* ---- norms -------------------------------------------------------------------------------------------- */

/*
 * (x - mean) / sqrt(variance + eps) gamma + beta over the last `axes` dimensions together (1: rows; all but the first: a whole sample). gamma, beta (optional)
 * have these dimensions (fused), or any shape that broadcasts to x (an affine map that depends on another input). eps >= 0.
 */
NIGH_API nigh_node nigh_tape_layer_norm(nigh_tape *tape, nigh_node x, int axes, nigh_node gamma, nigh_node beta, double eps);

/* x / sqrt(mean(x^2) + eps) gamma over rows; gamma as above. eps >= 0. */
NIGH_API nigh_node nigh_tape_rms_norm(nigh_tape *tape, nigh_node x, nigh_node gamma, double eps);

/* Layer norm of each sample and group of C / groups neighbouring channels over space: x [N, ..., C]; gamma, beta [C] (optional). groups = C: instance norm. */
NIGH_API nigh_node nigh_tape_group_norm(nigh_tape *tape, nigh_node x, int64_t groups, nigh_node gamma, nigh_node beta, double eps);

/*
 * Batch norm in training: statistics over all but the last dimension. *mean and *variance [C] (NULL: not wanted) are those of the batch, variance with the
 * divisor n; no gradient passes through these two.
 */
NIGH_API nigh_node nigh_tape_batch_norm(nigh_tape *tape, nigh_node x, nigh_node gamma, nigh_node beta, double eps, nigh_node *mean, nigh_node *variance);

/* Batch norm in use: x scale + shift with what nigh_tape_batch_fold makes of the statistics: scale = gamma / sqrt(variance + eps), shift = beta - mean scale, all [C]. */
NIGH_API nigh_node nigh_tape_batch_norm_use(nigh_tape *tape, nigh_node x, nigh_node mean, nigh_node variance, nigh_node gamma, nigh_node beta, double eps);
NIGH_API nigh_status nigh_tape_batch_fold(nigh_tape *tape, nigh_node mean, nigh_node variance, nigh_node gamma, nigh_node beta, double eps, nigh_node *scale, nigh_node *shift);

/* x / max(|x|, eps) over rows. eps > 0. */
NIGH_API nigh_node nigh_tape_normalise(nigh_tape *tape, nigh_node x, double eps);

/* ---- gather and scatter ------------------------------------------------------------------------------- */

/* x[index[i], ...]: x [rows, ...], index of any shape; result [index's dimensions, x's without the first]. An embedding. */
NIGH_API nigh_node nigh_tape_gather(nigh_tape *tape, nigh_node x, nigh_node index);

/* Its adjoint: zeros [rows, ...] to which x[i, ...] is added at index[i], in the order of i; x [index's dimensions, ...]. */
NIGH_API nigh_node nigh_tape_scatter(nigh_tape *tape, nigh_node x, nigh_node index, int64_t rows);

/* Element index[.., i, ..] of dimension `axis`: index has x's shape but along the axis. And the adjoint: added into zeros with `size` along the axis. */
NIGH_API nigh_node nigh_tape_take_along(nigh_tape *tape, nigh_node x, nigh_node index, int axis);
NIGH_API nigh_node nigh_tape_put_along(nigh_tape *tape, nigh_node x, nigh_node index, int axis, int64_t size);

/* [..., size]: 1 at the index, else 0; no gradient. */
NIGH_API nigh_node nigh_tape_one_hot(nigh_tape *tape, nigh_node index, int64_t size, nigh_dtype dtype);

/* Rows of x [n, ...] brought together by id [n], 0 .. count-1 in any order: [count, ...]. Without rows: 0; for max `empty`. max: equal ones, the first gets the gradient. */
NIGH_API nigh_node nigh_tape_segment_sum(nigh_tape *tape, nigh_node x, nigh_node id, int64_t count);
NIGH_API nigh_node nigh_tape_segment_mean(nigh_tape *tape, nigh_node x, nigh_node id, int64_t count);
NIGH_API nigh_node nigh_tape_segment_max(nigh_tape *tape, nigh_node x, nigh_node id, int64_t count, double empty);

/* ---- order -------------------------------------------------------------------------------------------- */

/* Where the largest or least element along an axis is (the first of equal ones; a NaN before all): i64 without that dimension; no gradient. x also i32, i64. */
NIGH_API nigh_node nigh_tape_argmax(nigh_tape *tape, nigh_node x, int axis);
NIGH_API nigh_node nigh_tape_argmin(nigh_tape *tape, nigh_node x, int axis);

/* Rows sorted, smallest or largest first, stably, NaN last. *index (NULL: not wanted): where each element was, i64. The gradient goes where the element was. */
NIGH_API nigh_node nigh_tape_sort(nigh_tape *tape, nigh_node x, bool largest, nigh_node *index);

/* The k first of these: [..., k]. */
NIGH_API nigh_node nigh_tape_top_k(nigh_tape *tape, nigh_node x, int64_t k, bool largest, nigh_node *index);

/* Groups of neighbouring channels (last dimension) sorted, smallest first; MaxMin is pairs, larger first ("Sorting out Lipschitz function approximation", Anil et al. 2019). */
NIGH_API nigh_node nigh_tape_group_sort(nigh_tape *tape, nigh_node x, int64_t group);
NIGH_API nigh_node nigh_tape_max_min(nigh_tape *tape, nigh_node x);

/* The largest of each `pieces` neighbouring channels: [..., C] to [..., C / pieces] ("Maxout networks", Goodfellow et al. 2013). */
NIGH_API nigh_node nigh_tape_max_out(nigh_tape *tape, nigh_node x, int64_t pieces);

/* Sums of the elements up to each (reverse: from each on); exclusive: without it. f32, f64. */
NIGH_API nigh_node nigh_tape_cumulative_sum(nigh_tape *tape, nigh_node x, int axis, bool reverse, bool exclusive);

/* ---- activations -------------------------------------------------------------------------------------- */

/* x > 0 ? x : slope x with slope [], [1] or [C]. */
NIGH_API nigh_node nigh_tape_prelu(nigh_tape *tape, nigh_node x, nigh_node slope);

/* sum_i a_i relu(x)^i, i = 0 .. n-1, a [n], 1 <= n <= 8; slope of relu at 0 is 0. "Polynomial composition activations", Zhuo et al. 2024. */
NIGH_API nigh_node nigh_tape_poly_relu(nigh_tape *tape, nigh_node x, nigh_node a);

/* sum_i a_i x^i / sqrt(mean over the row of x^2i + eps), i = 1 .. n, plus bias: a [n], 1 <= n <= 8; bias [] or [1], optional. */
NIGH_API nigh_node nigh_tape_poly_norm(nigh_tape *tape, nigh_node x, nigh_node a, nigh_node bias, double eps);

NIGH_API nigh_node nigh_tape_hard_tanh(nigh_tape *tape, nigh_node x);           /* to [-1, 1] */
NIGH_API nigh_node nigh_tape_elu(nigh_tape *tape, nigh_node x, double alpha);   /* x > 0 ? x : alpha (exp(x) - 1) */
NIGH_API nigh_node nigh_tape_softsign(nigh_tape *tape, nigh_node x);            /* x / (1 + |x|) */
NIGH_API nigh_node nigh_tape_gelu_tanh(nigh_tape *tape, nigh_node x);           /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */

/* x times a fresh mask of 1 / keep and 0, keep in (0, 1]; stream as for nigh_tape_noise. */
NIGH_API nigh_node nigh_tape_dropout(nigh_tape *tape, nigh_node x, double keep, uint64_t stream);

/* Rounded, the sign, clipped: with the gradient of x itself; sign: where |x| <= 1 alone. */
NIGH_API nigh_node nigh_tape_round_through(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_sign_through(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_clip_through(nigh_tape *tape, nigh_node x, double low, double high);

/* ---- positions ---------------------------------------------------------------------------------------- */

/* Pairs of coordinates (2i, 2i+1), or (i, i + size/2) when `half`, are turned by (offset + position) scale base^(-2i/size). */
typedef struct nigh_rotary {
    double base;    /* 0: 10000 */
    double scale;   /* 0: 1 */
    int64_t offset; /* position of the first element */
    int64_t size;   /* the first `size` coordinates are turned, an even number; 0: all */
    bool half;
} nigh_rotary;

/* x [..., d], position along `axis` (not the last). "RoFormer", Su et al. 2021. The gradient is the turn backwards. */
NIGH_API nigh_node nigh_tape_rotary(nigh_tape *tape, nigh_node x, int axis, const nigh_rotary *rotary);

/* [positions, size]: sin(p w_i) in columns 2i, cos(p w_i) in 2i+1, w_i = base^(-2i/size), p from `offset`. "Attention is all you need". A constant. */
NIGH_API nigh_node nigh_tape_sinusoids(nigh_tape *tape, nigh_dtype dtype, int64_t positions, int64_t size, double base, int64_t offset);

/* slopes [heads] of linear biases: 2^(-8 h / heads), h = 1 ..; when heads is no power of two those of the next lower one, then every other one of twice as many. "Train short, test long". */
NIGH_API void nigh_alibi_slopes(int64_t heads, double *slopes);

/* ---- linear systems ----------------------------------------------------------------------------------- */

/* L [..., n, n], lower, of the symmetric positive definite a = L L^T (both triangles of its gradient are symmetric; the lower is read). Not definite: all NaN. */
NIGH_API nigh_node nigh_tape_cholesky(nigh_tape *tape, nigh_node a);

/* X of L X = B, or L^T X = B when transposed: L [..., n, n] lower (above: not read), b [..., n, q] with the same leading dimensions. */
NIGH_API nigh_node nigh_tape_triangular_solve(nigh_tape *tape, nigh_node l, nigh_node b, bool transposed);

/* X of A X = B, and log det A [...], by way of the (shared) Cholesky factor. */
NIGH_API nigh_node nigh_tape_spd_solve(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_spd_log_det(nigh_tape *tape, nigh_node a);

/* A u (or A^T u when transposed) with a constant sparse A, which is copied: u [cols], or [..., cols, q]. Values are rounded to u's type. */
NIGH_API nigh_node nigh_tape_sparse(nigh_tape *tape, const nigh_sparse *a, nigh_node u, bool transposed);

/* exp(-|x_i - y_j|^2 / (2 sigma^2)): x [..., n, d], y [..., m, d]: [..., n, m], through a matrix product. sigma > 0. */
NIGH_API nigh_node nigh_tape_gaussian_kernel(nigh_tape *tape, nigh_node x, nigh_node y, double sigma);

/* ---- fixed points ------------------------------------------------------------------------------------- */

/* Records f(z, theta); z has the shape of the start, and so must the result. Called when the fixed point is recorded, and again for each gradient: user must live as long as the tape. */
typedef nigh_node nigh_fixed_point_fn(void *user, nigh_tape *tape, nigh_node z, int n, const nigh_node *theta);

typedef struct nigh_fixed_point {
    int forward, backward; /* iterations, 1 .. 1000 */
    int memory;            /* 0: plain iteration; 2 .. 8: Anderson's, over so many, each sample (first dimension) for itself; it has no gradients of gradients */
} nigh_fixed_point;

/*
 * z = f(z, theta) from `start`, without keeping the iterates for the gradient: that solves w = g + (df/dz)^T w by `backward` iterations of the same kind at the
 * last z and gives (df/dtheta)^T w (implicit function theorem). Gradients pass to theta[n] alone, 1 <= n <= 64. Exact as far as both iterations have converged.
 */
NIGH_API nigh_node nigh_tape_fixed_point(nigh_tape *tape, nigh_fixed_point_fn *f, void *user, nigh_node start, int n, const nigh_node *theta, const nigh_fixed_point *how);

/* ---- a user's own operator ---------------------------------------------------------------------------- */

enum { NIGH_CUSTOM_INPUTS = 16 };

typedef struct nigh_custom_call {
    int inputs, threads;    /* at most so many threads */
    const nigh_array *in;   /* dense */
    nigh_array *out;        /* to be filled */
    void *workspace;        /* 64-byte aligned */
} nigh_custom_call;

/*
 * A rule for nodes that the tape does not know. run must be a function of its inputs alone (equal nodes are computed once), must not allocate, and may be called by several
 * executors at once. gradient records the gradients of sum(grad * output) by the inputs with wanted[i] into grads[i] (given as NIGH_NONE, zero) with operators of the
 * tape; NULL: there is none. `name` and `user` must live as long as the tape.
 */
typedef struct nigh_custom {
    const char *name;
    void *user;
    void (*run)(void *user, const nigh_custom_call *call);
    void (*gradient)(void *user, nigh_tape *tape, int n, const nigh_node *inputs, nigh_node output, nigh_node grad, const bool *wanted, nigh_node *grads);
    size_t workspace; /* bytes */
} nigh_custom;

/* A node of that rule with a result of `shape`; the rule is copied. 0 <= n <= NIGH_CUSTOM_INPUTS. */
NIGH_API nigh_node nigh_tape_custom(nigh_tape *tape, const nigh_custom *rule, int n, const nigh_node *inputs, const nigh_shape *shape);

#ifdef __cplusplus
}
#endif
#endif
