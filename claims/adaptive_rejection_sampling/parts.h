/* The parts of the claim of adaptive weighted rejection sampling: small laws over strings (strings.c), language models (models.c). */
#ifndef NIGH_CLAIMS_ADAPTIVE_REJECTION_SAMPLING_PARTS_H
#define NIGH_CLAIMS_ADAPTIVE_REJECTION_SAMPLING_PARTS_H
#include "../common.h"

#include "generate/adaptive_rejection_sampling.h"

/* ---- strings.c: laws over short strings of tokens 0 .. symbols - 1, ended by token `symbols` ---- */

enum { STRINGS_LONGEST = 24 };

typedef struct strings strings;
struct strings {
    nigh_context *ctx;
    int32_t symbols;
    int slots;
    void (*next)(const strings *s, const int32_t *text, int64_t size, double *p); /* p [symbols + 1], sums to 1 */
    int (*ok)(const strings *s, const int32_t *text, int64_t size, int32_t token); /* NULL: anything goes */
    const void *user;
    /* the source's own */
    int32_t *text, *held; /* [slots][STRINGS_LONGEST] */
    int64_t *size, *held_size;
    double *p, *block;
    weighted_law law;
};
nigh_status strings_new(nigh_context *ctx, int slots, strings *s); /* after ctx, symbols, next, ok, user were set */
void strings_free(strings *s);

weighted_draw_fn strings_greedy_draw; /* right tokens, all weights 1: what masking does */
weighted_draw_fn strings_masked_draw; /* every token is tested: exact sums */

/* N particles from the empty string; draw NULL: weighted_draw. Free with particle_run_free. */
nigh_status strings_run(strings *s, int particles, weighted_draw_fn *draw, uint64_t seed, particle_run *out);

/* ---- sums.c ---- */

nigh_status sums_bars(claim_run *run);

/* ---- models.c: language models, and the engine ---- */

nigh_status models_bars(claim_run *run);
#endif
