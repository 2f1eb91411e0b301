/*
 * nigh/parameters.h: the weights of a network: named arrays that lie behind each other in one block, so that an optimiser sees one vector.
 */
#ifndef NIGH_PARAMETERS_H
#define NIGH_PARAMETERS_H
#include "nigh/core.h"
#include "nigh/grad.h"
#include "nigh/io.h"
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How an array begins. scale multiplies what is drawn; fan is the number of inputs of a unit. */
typedef enum nigh_init_kind {
    NIGH_INIT_ZERO,
    NIGH_INIT_ONE,     /* scale itself in every element */
    NIGH_INIT_NORMAL,  /* scale * standard normal */
    NIGH_INIT_UNIFORM, /* uniform on [-scale, scale] */
    NIGH_INIT_ORTHOGONAL, /* the array as a matrix [all but the last, last] with orthonormal rows or columns, times scale */
    NIGH_INIT_IDENTITY    /* the same with 1 on the diagonal */
} nigh_init_kind;

typedef struct nigh_init {
    nigh_init_kind kind;
    double scale;
} nigh_init;

/* Uniform on +-1/sqrt(fan): what PyTorch draws for linear layers and convolutions, weights and biases. */
NIGH_API nigh_init nigh_init_lecun_uniform(int64_t fan);
NIGH_API nigh_init nigh_init_he_normal(int64_t fan);                        /* normal, variance 2 / fan */
NIGH_API nigh_init nigh_init_glorot_uniform(int64_t fan_in, int64_t fan_out); /* uniform on +-sqrt(6 / (in + out)) */

typedef struct nigh_parameters nigh_parameters;

/* One array. Optimisers multiply their rate and weight decay by `rate` and `decay`; `frozen` arrays get no gradient and stay. */
typedef struct nigh_parameter {
    const char *name;
    nigh_shape shape;
    int64_t offset;   /* of its first element in the block; the gaps between arrays are zero */
    nigh_init init;
    double rate, decay;
    bool frozen;
} nigh_parameter;

/* An empty set of f32 or f64 arrays. */
NIGH_API nigh_status nigh_parameters_new(nigh_context *ctx, nigh_dtype dtype, nigh_parameters **out);
NIGH_API void nigh_parameters_free(nigh_parameters *set); /* NULL is fine */

/* Adds an array of zeros and gives its index. NIGH_INVALID: name empty or taken, not f32/f64, sizes. rate and decay begin as 1. */
NIGH_API nigh_status nigh_parameters_add(nigh_parameters *set, const char *name, int ndim, const int64_t *dim, nigh_init init, int *index);

NIGH_API int nigh_parameters_count(const nigh_parameters *set);
NIGH_API nigh_dtype nigh_parameters_dtype(const nigh_parameters *set);
NIGH_API int64_t nigh_parameters_size(const nigh_parameters *set);    /* elements of the block, gaps included */
NIGH_API int64_t nigh_parameters_numbers(const nigh_parameters *set); /* weights, without gaps */
NIGH_API nigh_parameter *nigh_parameters_at(nigh_parameters *set, int index); /* NULL beyond the last; holds until the next add */
NIGH_API int nigh_parameters_find(const nigh_parameters *set, const char *name); /* -1: none */

/* The block, and one array of it; they move when arrays are added. */
NIGH_API void *nigh_parameters_block(nigh_parameters *set);
NIGH_API void *nigh_parameters_data(nigh_parameters *set, int index);

/* Draws every array that is not frozen by its rule; array i uses stream i of the seed. */
NIGH_API nigh_status nigh_parameters_draw(nigh_parameters *set, uint64_t seed);

/* An input node a array, nodes[count]; and where their numbers are, for an executor of that tape. Nodes that it does not use are passed over. */
NIGH_API nigh_status nigh_parameters_record(nigh_parameters *set, nigh_tape *tape, nigh_node *nodes);
NIGH_API nigh_status nigh_parameters_bind(nigh_parameters *set, nigh_executor *executor, const nigh_node *nodes);

/* All arrays into a bundle under prefix + name, and back: every array of the set must be there with its shape (f16 bf16 f32 f64 are converted) and finite. */
NIGH_API nigh_status nigh_parameters_store(nigh_parameters *set, const char *prefix, nigh_bundle *bundle);
NIGH_API nigh_status nigh_parameters_load(nigh_parameters *set, const char *prefix, const nigh_bundle *bundle);

#ifdef __cplusplus
}
#endif
#endif
