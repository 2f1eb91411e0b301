/*
 * nigh/grad.h: the tape: computations on arrays, recorded once, differentiated to any order, compiled to steps that run without allocating.
 *
 *   nigh_tape *tape;            nigh_tape_new(ctx, &tape);
 *   nigh_node x = nigh_tape_input(tape, "x", NIGH_F32, 2, (int64_t[]){128, 784});
 *   nigh_node w = nigh_tape_input(tape, "w", NIGH_F32, 2, (int64_t[]){784, 10});
 *   nigh_node loss = nigh_tape_mean(tape, nigh_tape_square(tape, nigh_tape_matmul(tape, x, w, 0)));
 *   nigh_node gradient;         nigh_tape_gradient(tape, loss, NIGH_NONE, 1, &w, &gradient);
 *   nigh_executor *run;         nigh_executor_new(ctx, tape, 2, (nigh_node[]){loss, gradient}, &run);
 *   nigh_executor_bind(run, x, images); nigh_executor_bind(run, w, weights); nigh_executor_run(run);
 *   const float *g = nigh_executor_data(run, gradient);
 *
 * Recording computes nothing: a node is an operator, a shape and inputs. A gradient is more nodes, made of the same operators, so gradients
 * of gradients are as good as any other. An executor takes the nodes that its outputs need, fuses elementwise chains, plans the memory of all intermediate results in
 * one arena, and prepares each kernel; nigh_executor_run then makes no allocation.
 *
 * Shapes are fixed when a node is recorded; arrays are dense, C order. Images and fields are channels-last: [N, H, W, C]. Operators of two arrays broadcast as NumPy
 * does: shapes are aligned at their last dimensions, and a dimension of 1 is repeated. Types do not mix: convert with nigh_tape_cast.
 *
 * Errors: a recording function that is misused gives NIGH_NONE, the context's message names the operator and the shapes, and the tape takes
 * no more nodes; look once, at the end, with nigh_tape_status (nigh_executor_new and nigh_tape_gradient do). So calls can be nested without checks.
 * A tape belongs to one thread at a time.
 */
#ifndef NIGH_GRAD_H
#define NIGH_GRAD_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_tape nigh_tape;
typedef int32_t nigh_node; /* number of a node on its tape */
#define NIGH_NONE ((nigh_node)-1)

NIGH_API nigh_status nigh_tape_new(nigh_context *ctx, nigh_tape **tape);
NIGH_API void nigh_tape_free(nigh_tape *tape); /* NULL is fine; executors made from it must be freed before */

/* The first failure of a recording, NIGH_OK when there was none; its message is in the context. */
NIGH_API nigh_status nigh_tape_status(const nigh_tape *tape);

/* Shape of a node; NULL when `node` is none of the tape's. Nodes recorded so far. */
NIGH_API const nigh_shape *nigh_tape_shape(const nigh_tape *tape, nigh_node node);
NIGH_API int64_t nigh_tape_count(const nigh_tape *tape);

/* ---- leaves ------------------------------------------------------------------------------------------- */

/* An array that the executor's user gives (nigh_executor_bind). The name stands in messages; it is copied. */
NIGH_API nigh_node nigh_tape_input(nigh_tape *tape, const char *name, nigh_dtype dtype, int ndim, const int64_t *dim);

/* A fixed array; `data` is copied. */
NIGH_API nigh_node nigh_tape_constant(nigh_tape *tape, nigh_dtype dtype, int ndim, const int64_t *dim, const void *data);

/* All elements `value` (f32, f64, c64, c128, i32, i64); takes no memory. */
NIGH_API nigh_node nigh_tape_fill(nigh_tape *tape, nigh_dtype dtype, int ndim, const int64_t *dim, double value);

typedef enum nigh_noise { NIGH_NOISE_UNIFORM, NIGH_NOISE_NORMAL, NIGH_NOISE_MASK } nigh_noise;

/*
 * Fresh random numbers in each run (f32, f64): uniform on [0, 1), standard normal, or a mask that is 1 with probability `keep`, else 0. A pure function of
 * the executor's (seed, step) and `stream`; give each use a stream of its own. No gradient.
 */
NIGH_API nigh_node nigh_tape_noise(nigh_tape *tape, nigh_noise kind, double keep, uint64_t stream, nigh_dtype dtype, int ndim, const int64_t *dim);

/* ---- elementwise (f32, f64; those marked c also c64 and c128; i: also i32, i64) ------------------------ */

NIGH_API nigh_node nigh_tape_neg(nigh_tape *tape, nigh_node x);        /* c i */
NIGH_API nigh_node nigh_tape_abs(nigh_tape *tape, nigh_node x);        /* slope 0 at 0 */
NIGH_API nigh_node nigh_tape_sign(nigh_tape *tape, nigh_node x);       /* slope 0 */
NIGH_API nigh_node nigh_tape_square(nigh_tape *tape, nigh_node x);     /* c */
NIGH_API nigh_node nigh_tape_sqrt(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_rsqrt(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_reciprocal(nigh_tape *tape, nigh_node x); /* c */
NIGH_API nigh_node nigh_tape_exp(nigh_tape *tape, nigh_node x);        /* c */
NIGH_API nigh_node nigh_tape_expm1(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_log(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_log1p(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_sin(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_cos(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_tanh(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_sigmoid(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_softplus(nigh_tape *tape, nigh_node x, double beta); /* log(1 + exp(beta x)) / beta, beta > 0 */
NIGH_API nigh_node nigh_tape_silu(nigh_tape *tape, nigh_node x);       /* x sigmoid(x) */
NIGH_API nigh_node nigh_tape_gelu(nigh_tape *tape, nigh_node x);       /* x Phi(x), exact (erf) */
NIGH_API nigh_node nigh_tape_erf(nigh_tape *tape, nigh_node x);
NIGH_API nigh_node nigh_tape_relu(nigh_tape *tape, nigh_node x);       /* slope 0 at 0 */
NIGH_API nigh_node nigh_tape_leaky_relu(nigh_tape *tape, nigh_node x, double slope);
NIGH_API nigh_node nigh_tape_step(nigh_tape *tape, nigh_node x);       /* x > 0 ? 1 : 0; slope 0 */
NIGH_API nigh_node nigh_tape_round(nigh_tape *tape, nigh_node x);      /* ties to even; slope 0 */
NIGH_API nigh_node nigh_tape_floor(nigh_tape *tape, nigh_node x);      /* slope 0 */
NIGH_API nigh_node nigh_tape_affine(nigh_tape *tape, nigh_node x, double scale, double shift); /* c (real numbers) */
NIGH_API nigh_node nigh_tape_scale(nigh_tape *tape, nigh_node x, double scale);                /* c */
NIGH_API nigh_node nigh_tape_pow(nigh_tape *tape, nigh_node x, double exponent);
NIGH_API nigh_node nigh_tape_clamp(nigh_tape *tape, nigh_node x, double low, double high); /* slope 1 inside, ends included */

NIGH_API nigh_node nigh_tape_add(nigh_tape *tape, nigh_node a, nigh_node b); /* c i */
NIGH_API nigh_node nigh_tape_sub(nigh_tape *tape, nigh_node a, nigh_node b); /* c i */
NIGH_API nigh_node nigh_tape_mul(nigh_tape *tape, nigh_node a, nigh_node b); /* c i */
NIGH_API nigh_node nigh_tape_div(nigh_tape *tape, nigh_node a, nigh_node b); /* c */
NIGH_API nigh_node nigh_tape_min(nigh_tape *tape, nigh_node a, nigh_node b); /* slope to a where equal */
NIGH_API nigh_node nigh_tape_max(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_greater(nigh_tape *tape, nigh_node a, nigh_node b);       /* 1 or 0; slope 0; i */
NIGH_API nigh_node nigh_tape_greater_equal(nigh_tape *tape, nigh_node a, nigh_node b);
NIGH_API nigh_node nigh_tape_equal(nigh_tape *tape, nigh_node a, nigh_node b);         /* i */
NIGH_API nigh_node nigh_tape_where(nigh_tape *tape, nigh_node condition, nigh_node a, nigh_node b); /* condition != 0 ? a : b */

/* x itself; gradients do not pass. */
NIGH_API nigh_node nigh_tape_stop(nigh_tape *tape, nigh_node x);

/* The numbers of `value`; the gradient passes to `through` (same shape) as if the result were that: straight-through rounding and the like. */
NIGH_API nigh_node nigh_tape_straight_through(nigh_tape *tape, nigh_node value, nigh_node through);

/* To another type (f32, f64, bf16, f16, i32, i64, u8). The gradient passes between f32 and f64. */
NIGH_API nigh_node nigh_tape_cast(nigh_tape *tape, nigh_node x, nigh_dtype dtype);

/* Complex numbers (c64 beside f32, c128 beside f64). The gradient of a real loss L by z is dL/dRe z + i dL/dIm z. */
NIGH_API nigh_node nigh_tape_complex(nigh_tape *tape, nigh_node re, nigh_node im);
NIGH_API nigh_node nigh_tape_real(nigh_tape *tape, nigh_node z);
NIGH_API nigh_node nigh_tape_imag(nigh_tape *tape, nigh_node z);
NIGH_API nigh_node nigh_tape_conj(nigh_tape *tape, nigh_node z);

/* ---- shape -------------------------------------------------------------------------------------------- */

/* Same elements in C order; one dimension may be -1 (what is left). */
NIGH_API nigh_node nigh_tape_reshape(nigh_tape *tape, nigh_node x, int ndim, const int64_t *dim);

/* Dimension i of the result is dimension order[i] of x. nigh_tape_transpose exchanges two (negative: from the end). */
NIGH_API nigh_node nigh_tape_permute(nigh_tape *tape, nigh_node x, const int *order);
NIGH_API nigh_node nigh_tape_transpose(nigh_tape *tape, nigh_node x, int a, int b);

/* Elements start, start + step, ... of dimension `axis` (negative: from the end), `count` of them; step may be negative, not 0. */
NIGH_API nigh_node nigh_tape_slice(nigh_tape *tape, nigh_node x, int axis, int64_t start, int64_t count, int64_t step);

/* x repeated along dimensions of 1 (and along new leading ones) to this shape. */
NIGH_API nigh_node nigh_tape_expand(nigh_tape *tape, nigh_node x, int ndim, const int64_t *dim);

/* 1 .. 4096 arrays of one type that differ only in dimension `axis`, behind each other. */
NIGH_API nigh_node nigh_tape_concat(nigh_tape *tape, int n, const nigh_node *x, int axis);
NIGH_API nigh_node nigh_tape_stack(nigh_tape *tape, int n, const nigh_node *x, int axis); /* along a new dimension */

/* Zeros around: low[i] before and high[i] behind along dimension i (0 or more). */
NIGH_API nigh_node nigh_tape_pad(nigh_tape *tape, nigh_node x, const int64_t *low, const int64_t *high);

/* Element i comes from i - shift, round the end. Order reversed. x repeated `times` along an axis. */
NIGH_API nigh_node nigh_tape_roll(nigh_tape *tape, nigh_node x, int axis, int64_t shift);
NIGH_API nigh_node nigh_tape_flip(nigh_tape *tape, nigh_node x, int axis);
NIGH_API nigh_node nigh_tape_tile(nigh_tape *tape, nigh_node x, int axis, int64_t times);

/* [N,H,W,C] to [N,H/b,W/b,b*b*C] and back; block rows first, then block columns, then channels. */
NIGH_API nigh_node nigh_tape_space_to_depth(nigh_tape *tape, nigh_node x, int64_t block);
NIGH_API nigh_node nigh_tape_depth_to_space(nigh_tape *tape, nigh_node x, int64_t block);

/* ---- reductions --------------------------------------------------------------------------------------- */

/* Over the dimensions whose bits are set in `axes` (bit i: dimension i; NIGH_ALL: every one); keep: they stay with size 1. f32 f64, sum also c64 c128 i32 i64. */
#define NIGH_ALL 0xffu
NIGH_API nigh_node nigh_tape_sum(nigh_tape *tape, nigh_node x, unsigned axes, bool keep);
NIGH_API nigh_node nigh_tape_mean(nigh_tape *tape, nigh_node x, unsigned axes, bool keep);
NIGH_API nigh_node nigh_tape_max_over(nigh_tape *tape, nigh_node x, unsigned axes, bool keep); /* equal largest elements share the gradient */
NIGH_API nigh_node nigh_tape_min_over(nigh_tape *tape, nigh_node x, unsigned axes, bool keep);
NIGH_API nigh_node nigh_tape_log_sum_exp(nigh_tape *tape, nigh_node x, unsigned axes, bool keep);

/* ---- matrix products ---------------------------------------------------------------------------------- */

enum { NIGH_TRANSPOSE_A = 1, NIGH_TRANSPOSE_B = 2, NIGH_CONJUGATE_A = 4, NIGH_CONJUGATE_B = 8 };

/*
 * a [..., m, k] times b [..., k, n]: [..., m, n]; leading dimensions broadcast. With NIGH_TRANSPOSE_A a is [..., k, m], with NIGH_TRANSPOSE_B b is [..., n, k].
 * f32 f64 c64 c128.
 */
NIGH_API nigh_node nigh_tape_matmul(nigh_tape *tape, nigh_node a, nigh_node b, unsigned flags);

/* x [..., in] w [in, out] + bias [out]; bias may be NIGH_NONE. */
NIGH_API nigh_node nigh_tape_linear(nigh_tape *tape, nigh_node x, nigh_node w, nigh_node bias);

/* ---- derivatives -------------------------------------------------------------------------------------- */

/*
 * Records the gradient of sum(seed * y) by each of wrt[n]; seed has y's shape, or is NIGH_NONE for ones. gradient[i] has the shape of wrt[i]; a node on
 * which y does not depend gets zeros. NIGH_UNSUPPORTED names an operator on the way that has no derivative (of this order).
 */
NIGH_API nigh_status nigh_tape_gradient(nigh_tape *tape, nigh_node y, nigh_node seed, int n, const nigh_node *wrt, nigh_node *gradient);

/* The directional derivative of y when wrt[i] moves along direction[i] (NIGH_NONE: it stays), by two reverse sweeps of which the first is never run. */
NIGH_API nigh_status nigh_tape_tangent(nigh_tape *tape, nigh_node y, int n, const nigh_node *wrt, const nigh_node *direction, nigh_node *tangent);

/* ---- running ------------------------------------------------------------------------------------------ */

typedef struct nigh_executor nigh_executor;

/*
 * Prepares the computation of outputs[n] with the context's number of threads. The tape may grow afterwards (other executors), but not be freed.
 * NIGH_MEMORY, or what nigh_tape_status says.
 */
NIGH_API nigh_status nigh_executor_new(nigh_context *ctx, nigh_tape *tape, int n, const nigh_node *outputs, nigh_executor **executor);
NIGH_API void nigh_executor_free(nigh_executor *executor); /* NULL is fine */

/*
 * Where the numbers of an input are, or where those of an output go: `data` holds the whole array, 64-byte aligned for best speed, and stays the caller's. NULL: the
 * executor's own memory again. An output's memory must not be that of an input. NIGH_INVALID: neither input nor output.
 */
NIGH_API nigh_status nigh_executor_bind(nigh_executor *executor, nigh_node node, void *data);

/* Is the node an input that the executor uses, or one of its outputs? */
NIGH_API bool nigh_executor_has(const nigh_executor *executor, nigh_node node);

/*
 * The memory of an input (to be filled) or output (after a run); NULL when the node is neither, or when memory for an input is short. What lies in an
 * executor's own memory of an output holds until the next run.
 */
NIGH_API void *nigh_executor_data(nigh_executor *executor, nigh_node node);

/* What nigh_tape_noise draws from in the next runs; 0, 0 at first. */
NIGH_API void nigh_executor_set_step(nigh_executor *executor, uint64_t seed, uint64_t step);

/* Computes the outputs. No allocation. NIGH_INVALID: an input that was neither bound nor filled; NIGH_INTERRUPTED. Same inputs, threads and CPU level: same bits. */
NIGH_API nigh_status nigh_executor_run(nigh_executor *executor);

/*
 * The same in the caller's memory, so that several threads may run one executor (made with 1 thread) at once: the executor is not changed. The ends of an
 * executor are the inputs that it uses, in the order in which they were recorded, then its outputs in the order given to nigh_executor_new (one that is
 * an input, or was there before, is left out): nigh_executor_end gives the node of end i, NIGH_NONE beyond the last. data [nigh_executor_ends]: where each
 * one's array is; NULL: where nigh_executor_bind or nigh_executor_data put it (weights, bound once; never outputs that several threads compute).
 * workspace: nigh_executor_workspace bytes, one a thread. No allocation; not stopped by nigh_context_cancel. NIGH_INVALID, without message: an end is nowhere.
 */
NIGH_API int nigh_executor_ends(const nigh_executor *executor);
NIGH_API nigh_node nigh_executor_end(const nigh_executor *executor, int i);
NIGH_API size_t nigh_executor_workspace(const nigh_executor *executor);
NIGH_API nigh_status nigh_executor_run_in(const nigh_executor *executor, void *const *data, void *workspace);

/* Bytes of the arena of intermediate results; floating-point operations of matrix products and convolutions in a run; steps. */
NIGH_API size_t nigh_executor_bytes(const nigh_executor *executor);
NIGH_API double nigh_executor_flops(const nigh_executor *executor);
NIGH_API int nigh_executor_steps(const nigh_executor *executor);

/* One line a step (operator, shapes, which kernel, bytes), and with times[steps] (NULL: none) the seconds of each: what was really run. */
NIGH_API nigh_status nigh_executor_print(const nigh_executor *executor, nigh_buffer *text);

/* One run with a clock around each step: seconds are added to `seconds` [nigh_executor_steps]. */
NIGH_API nigh_status nigh_executor_profile(nigh_executor *executor, double *seconds);

#ifdef __cplusplus
}
#endif
#endif
