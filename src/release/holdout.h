/* The inside of nigh_holdout, for src/release only. */
#ifndef NIGH_RELEASE_HOLDOUT_H
#define NIGH_RELEASE_HOLDOUT_H
#include "nigh/random.h"
#include "nigh/release.h"

typedef struct holdout_entry {
    char *name; /* NULL: none */
    double train, value;
    bool consulted;
    double practical, theorem; /* as they were told */
} holdout_entry;

struct nigh_holdout {
    nigh_context *ctx;
    nigh_holdout_options options;
    uint64_t noise_seed;
    double gamma; /* of the threshold now in force */
    double best;  /* LADDER; -INFINITY before the first answer */
    int64_t asked, used, room;
    holdout_entry *entries;
    char (*chain)[17]; /* of the lines that were written: chain[0] of the options, chain[i + 1] of answer i */
    int64_t chained, chain_room; /* lines whose chain is known, and room for */

    /* The theorem's bound is minimised numerically and moves only with m and B. */
    double theorem;
    int64_t theorem_m, theorem_b;
};

/* Scales of gamma and eta. */
double holdout_threshold_scale(const nigh_holdout_options *options);
double holdout_test_scale(const nigh_holdout_options *options);

/* m and B that the bounds are for. */
int64_t holdout_questions(const nigh_holdout *holdout);
int64_t holdout_units(const nigh_holdout *holdout);

/* The bounds with m questions and B units. */
double holdout_theorem(const nigh_holdout_options *options, int64_t m, int64_t units);
double holdout_practical(const nigh_holdout_options *options, int64_t m, bool consulted);
double holdout_ladder_step(const nigh_holdout_options *options);

/* Laplace noise that knows scale 0. */
double holdout_laplace(nigh_rng *rng, double scale);

/* Appends an answer that was given before (restore); the state follows it. Takes a copy of the name. */
nigh_status holdout_append(nigh_holdout *holdout, const char *name, const holdout_entry *entry);

/* NIGH_INVALID unless the name can stand in JSON (UTF-8). */
nigh_status holdout_check_name(nigh_context *ctx, const char *name);
#endif
