/*
 * Properly weighted tokens and sequential Monte Carlo over any source of laws; nigh/controlled.h is the public side, a language model one source.
 * Lipkin et al., "Fast controlled generation from language models with adaptive weighted rejection sampling".
 */
#ifndef NIGH_GENERATE_ADAPTIVE_REJECTION_SAMPLING_H
#define NIGH_GENERATE_ADAPTIVE_REJECTION_SAMPLING_H
#include "nigh/controlled.h"
#include "nigh/random.h"

/* ---- one token -------------------------------------------------------------------------------------------- */

/*
 * Masses of tokens, any scale, with sums of blocks so that a draw looks at few of them. Place i stands for token id[i]. log_kept: log of the probability that
 * is left when others were taken out beforehand; weights of a whole string count it.
 */
typedef struct weighted_law {
    int32_t count;
    const double *p;   /* [count] >= 0, borrowed; or, when NULL: */
    const float *w;
    const int32_t *id; /* [count], NULL: i */
    double *block;     /* sums */
    double total, most, log_kept;
} weighted_law;

enum { WEIGHTED_BLOCK = 256 };
static inline int64_t weighted_blocks(int32_t count) { return ((int64_t)count + WEIGHTED_BLOCK - 1) / WEIGHTED_BLOCK; }
static inline double weighted_mass(const weighted_law *l, int32_t i) { return l->p ? l->p[i] : (double)l->w[i]; }

/* Sums up p into block [weighted_blocks(count)], total and most. */
void weighted_law_make(weighted_law *l);

/* Scratch of draws from laws over `count` tokens. */
typedef struct weighted_room {
    uint64_t *removed, *accepted; /* a bit each */
    double *block;
} weighted_room;
nigh_status weighted_room_new(nigh_context *ctx, int32_t count, weighted_room *room);
void weighted_room_free(nigh_context *ctx, weighted_room *room);

typedef struct weighted_options {
    nigh_weight_estimator estimator;
    int64_t accepts, most_rejects; /* accepts >= 2 */
} weighted_options;

typedef int weighted_ok_fn(void *user, int32_t token);

/* weighted_draw, or what stands in for it. */
typedef nigh_status weighted_draw_fn(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *ok, void *user, const weighted_options *options,
                                     nigh_rng *rng, nigh_weighted_token *out);

/* out->token is one of mass > 0; E[exp(log_weight) 1(token = a)] = p(a) ok(a) / total. NIGH_INVALID: no mass, or ok gave neither 0 nor 1. */
weighted_draw_fn weighted_draw;

/* ---- particles -------------------------------------------------------------------------------------------- */

/*
 * What particles are drawn from. A slot is a particle's place, 0 .. particles - 1; all begin at the empty string.
 * law: of the next token, valid until the next call of law or advance; its total may be 0.
 * ok: may the token follow; for `end`: may the string end here.
 * advance: the slots (increasing) grow by a token each, one pass for all; slots not named will not be asked again. gather: slot i becomes what slot from[i] was.
 */
typedef struct particle_source {
    void *user;
    int32_t end;
    nigh_status (*law)(void *user, int slot, const weighted_law **law);
    int (*ok)(void *user, int slot, int32_t token);
    nigh_status (*failure)(void *user); /* of ok; NULL: none is possible */
    nigh_status (*advance)(void *user, int count, const int *slot, const int32_t *token);
    void (*gather)(void *user, const int *from);
} particle_source;

typedef struct particle_options {
    int particles;
    double resample;
    int64_t most;
    weighted_options token;
    uint64_t seed;
    weighted_draw_fn *draw; /* NULL: weighted_draw */
} particle_options;

typedef struct particle {
    int32_t *token; /* [most] */
    int64_t count;
    double log_weight;
    bool finished;
} particle;

typedef struct particle_run {
    nigh_context *ctx;
    int count;
    particle *at;      /* [count] */
    int32_t *tokens;
    double log_z;      /* log of the mean weight; -INFINITY when all are 0 */
    int64_t calls, drawn, passes, unfinished, resampled;
    double seconds;    /* but for those of advance */
} particle_run;

/* A string that has `most` tokens can only end. Frees nothing on success: particle_run_free does. All weights 0 is no failure here. */
nigh_status particles_run(nigh_context *ctx, const particle_source *source, int32_t vocabulary, const particle_options *options, particle_run *out);
void particle_run_free(particle_run *run);

/* nigh_controlled_generate with another draw (NULL: weighted_draw). */
nigh_status controlled_run(nigh_cache *cache, nigh_constraint *constraint, const int32_t *prompt, int64_t count, const nigh_controlled_options *options,
                           weighted_draw_fn *draw, nigh_controlled *result);
#endif
