/* Networks over batches of independent samples: which weights are multiplied with what. Behind nigh/samples.h. */
#ifndef NIGH_NN_SAMPLES_H
#define NIGH_NN_SAMPLES_H
#include "nigh/samples.h"

#include "grad/executor.h"
#include "tensor/matmul.h"

/* One product x W (+ b) with t rows a sample. weight or bias -1: not there, frozen, or differentiated sample by sample. */
typedef struct samples_use {
    int weight, bias;
    double scale, bias_scale; /* the product is with scale * W, bias_scale * b */
    nigh_node x, z, delta;
    int64_t t, in, out;
    matmul *all, *one;        /* x^T d of all samples into rows, and of one sample: x and d have `in` and `out` columns */
    bool weight_again, bias_again; /* an earlier use has the same array */
} samples_use;

struct nigh_sample_gradients {
    nigh_context *ctx;
    nigh_network *net;
    nigh_parameters *set;
    nigh_samples_spec spec;
    nigh_dtype dtype;
    int arrays;
    int64_t outputs, x_count, target_count, target_bytes; /* of one sample; target_bytes too */
    nigh_tape *tape, *tape_one;
    nigh_node *weight, *weight_one; /* [arrays] */
    nigh_node x, z, target, seed, y, by_input;
    int uses, uses_room;
    samples_use *use;
    nigh_executor *forward, *back, *inputs; /* forward gives the x of the uses, back their delta, inputs (made when first asked for) by_input */
    bool forward_done;
    bool *other;                   /* [arrays]: differentiated sample by sample */
    bool *linear;                  /* [arrays]: through uses */
    int64_t others;                /* elements of these arrays together */
    nigh_node x_one, target_one, seed_one, *gradient_one; /* [arrays], NIGH_NONE unless other */
    nigh_executor *one;
    const void *x_data, *target_data;
    void *workspace;
};

/* Runs what gives x and delta of the uses at the point; seed[batch, outputs] or NULL. */
nigh_status samples_sweep(nigh_sample_gradients *s, const void *seed);

/* [batch, t, in] and [batch, t, out] of a use after a sweep. */
const void *samples_x(nigh_sample_gradients *s, const samples_use *use);
const void *samples_delta(nigh_sample_gradients *s, const samples_use *use);

/* Gradients of one sample by the other arrays; its input, target and seed. They are in s->one afterwards; samples_other gives where (NULL: none of these). */
nigh_status samples_run_one(nigh_sample_gradients *s, const void *x, const void *target, const void *seed);
const void *samples_other(nigh_sample_gradients *s, int array);

/* nigh_ntk with at most `budget` bytes of derivatives at once (at least those of one output, or one column). */
nigh_status samples_ntk(nigh_context *ctx, nigh_network *net, nigh_ntk_kind kind, int64_t n, const void *x, int64_t m, const void *y, int64_t budget, double *out);

/* What records the uses and sweeps; the parts of nigh_samples_new. */
nigh_status samples_record(nigh_sample_gradients *s);
nigh_status samples_record_one(nigh_sample_gradients *s);
nigh_status samples_record_inputs(nigh_sample_gradients *s);
#endif
