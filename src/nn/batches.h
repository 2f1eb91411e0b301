/* Sources of batches as the training sees them: a kind each, in batches*.c. Declared for users in nigh/train.h. */
#ifndef NIGH_NN_BATCHES_H
#define NIGH_NN_BATCHES_H
#include "nigh/train.h"

typedef struct batches_form {
    int width;
    int64_t samples; /* rows, or tokens of windows */
    nigh_shape shape[NIGH_TRAIN_ARRAYS];
} batches_form;

/* Kinds other than pools and mixtures of them have no state but what follows from seed and number. */
typedef struct batches_kind {
    nigh_status (*start)(nigh_batches *b, uint64_t seed); /* all memory is taken here */
    int (*form_of)(nigh_batches *b, int64_t number);      /* NULL: 0 */
    nigh_status (*fill)(nigh_batches *b, int64_t number, void *const *data);
    nigh_status (*store)(nigh_batches *b, const char *prefix, nigh_bundle *bundle); /* NULL: no state */
    nigh_status (*load)(nigh_batches *b, const char *prefix, const nigh_bundle *bundle);
    void (*release)(nigh_batches *b);
} batches_kind;

struct nigh_batches {
    nigh_context *ctx;
    const batches_kind *kind;
    uint64_t seed;
    int forms;
    batches_form *form;
    int64_t epoch;
};

/* Sets up the head of a source of `bytes` bytes; zeroed behind it. */
nigh_status batches_make(nigh_context *ctx, size_t bytes, const batches_kind *kind, int forms, void *out);

nigh_status batches_start(nigh_batches *b, uint64_t seed);
int batches_form_of(nigh_batches *b, int64_t number);
nigh_status batches_fill(nigh_batches *b, int64_t number, void *const *data);
nigh_status batches_store(nigh_batches *b, const char *prefix, nigh_bundle *bundle);
nigh_status batches_load(nigh_batches *b, const char *prefix, const nigh_bundle *bundle);

/* A uniform permutation of 0 .. n-1 (up to n 2^-64), as a function of (seed, stream). */
void batches_permute(uint64_t seed, uint64_t stream, int64_t n, int64_t *order);
#endif
