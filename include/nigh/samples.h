/*
 * nigh/samples.h: derivatives of a network sample by sample: gradients of each sample's loss, rows of the Jacobian of the outputs by weights or
 * inputs, and the tangent kernel, all without an array of samples x weights unless it is asked for.
 *
 * Samples must not see each other: output row i depends on input row i alone (no statistics over the batch). Networks have one input [N, ...] of their own type and one
 * output [N, ...]; output element o of a sample is number o of its row in C order, 0 .. O - 1.
 *
 * Weights that are only multiplied from the right (x W, x W + b, also s W with a number s) have per-sample gradients x_i d_i^T, with d the gradient by the product's result,
 * which one reverse sweep gives for all samples ("Efficient per-example gradient computations", Goodfellow 2015; for several rows a sample, the sum over rows). All
 * other arrays (convolutions, scales of normalisations) are differentiated sample by sample. Frozen arrays count as constants: their gradients are 0.
 */
#ifndef NIGH_SAMPLES_H
#define NIGH_SAMPLES_H
#include "nigh/network.h"
#include "nigh/second.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The arrays of a set that are not frozen, as nigh/second.h wants them, in the layout of the set's block: nodes as nigh_parameters_record gave them; node and offset have room for
 * nigh_parameters_count entries and must outlive the result.
 */
NIGH_API nigh_over nigh_parameters_over(nigh_parameters *set, const nigh_node *nodes, nigh_node *node, int64_t *offset);

/* ---- gradients of each sample ------------------------------------------------------------------------- */

/* Records the losses of the samples (any shape; their sum counts) from the network's output and the target (NIGH_NONE when there is none), both with `batch` rows. */
typedef nigh_node nigh_samples_loss_fn(void *user, nigh_tape *tape, nigh_node output, nigh_node target);

typedef struct nigh_samples_spec {
    int64_t batch;              /* 1 or more samples a call */
    nigh_samples_loss_fn *loss; /* NULL: derivatives of the outputs, weighted by a seed */
    void *user;
    const nigh_shape *target;   /* of the targets of a batch, its first dimension is replaced by the batch; NULL: none. Only with a loss. */
} nigh_samples_spec;

typedef struct nigh_sample_gradients nigh_sample_gradients;

/* NIGH_INVALID: shapes; what recording the network says. The network must outlive the object, and not get other arrays. */
NIGH_API nigh_status nigh_samples_new(nigh_context *ctx, nigh_network *net, const nigh_samples_spec *spec, nigh_sample_gradients **out);
NIGH_API void nigh_samples_free(nigh_sample_gradients *samples); /* NULL is fine */
NIGH_API int64_t nigh_samples_outputs(const nigh_sample_gradients *samples); /* O */

/* The batch x[batch, ...] and its targets (NULL without), which stay the caller's; call it again when their numbers or the weights have changed. */
NIGH_API void nigh_samples_point(nigh_sample_gradients *samples, const void *x, const void *target);

/*
 * In the three functions seed[batch, O] weighs the outputs (the derivative is that of sum_o seed[i, o] f_o(x_i)); NULL with a loss. At one point the forward pass is computed
 * once, so rows of the Jacobian cost one reverse sweep each.
 *
 * rows[batch, P], P = nigh_parameters_size: the gradient of sample i in the layout of the set's block, gaps 0.
 */
NIGH_API nigh_status nigh_samples_gradients(nigh_sample_gradients *samples, const void *seed, void *rows);

/* norm[batch]: their Euclidean norms; no gradient is formed for arrays that are multiplied once with one row a sample. */
NIGH_API nigh_status nigh_samples_norms(nigh_sample_gradients *samples, const void *seed, double *norm);

/* by_input[batch, ...]: the derivative by each sample's input. */
NIGH_API nigh_status nigh_samples_by_input(nigh_sample_gradients *samples, const void *seed, void *by_input);

/* ---- the Jacobian of the outputs ---------------------------------------------------------------------- */

/* Sees rows[samples, columns]: the derivative of output `output` of the samples first, first + 1 ... by all weights (P columns) or by the sample's input. */
typedef nigh_status nigh_jacobian_fn(void *user, int64_t first, int64_t samples, int64_t output, const void *rows);

/*
 * All rows of the Jacobian at the samples x[n, ...] in blocks of `block` samples (1 .. n) and one output, in order of blocks, then outputs. Memory: one block of rows, and
 * that of a forward and reverse sweep. What `see` returns other than NIGH_OK ends the call.
 */
NIGH_API nigh_status nigh_jacobian(nigh_context *ctx, nigh_network *net, int64_t n, const void *x, int64_t block, bool by_inputs, nigh_jacobian_fn *see, void *user);

/* ---- the tangent kernel ------------------------------------------------------------------------------- */

typedef enum nigh_ntk_kind {
    NIGH_NTK_SUM,  /* kernel[n, m]: the sum over the outputs                                  */
    NIGH_NTK_EACH, /* kernel[O, n, m]: each output with itself                                */
    NIGH_NTK_FULL  /* kernel[n, O, m, O]: every output with every other                       */
} nigh_ntk_kind;

/*
 * The empirical tangent kernel, inner products of the gradients of outputs by all weights at x[n, ...] and y[m, ...] (NULL: y = x, m is ignored): "Neural tangent kernel:
 * convergence and generalization in neural networks", Jacot, Gabriel and Hongler 2018. It is the sum over the layers of (X X^T) * (D D^T), entry by entry
 * ("Fast finite width neural tangent kernel", Novak, Sohl-Dickstein and Schoenholz 2022), products in the network's type, sums in f64. Memory: results and derivatives of the
 * layers for all points, at most 256 MiB of the latter at once, and one sweep over 128 points; what is not multiplied from the right takes another 256 MiB.
 * Cost: O sweeps over the points, and n m (in + O out) products a layer, with NIGH_NTK_FULL n m (in + O^2 out).
 */
NIGH_API nigh_status nigh_ntk(nigh_context *ctx, nigh_network *net, nigh_ntk_kind kind, int64_t n, const void *x, int64_t m, const void *y, double *kernel);

#ifdef __cplusplus
}
#endif
#endif
