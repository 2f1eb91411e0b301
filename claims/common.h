/*
 * The claims kit. A claim is one file: it reproduces what a paper claims, hands in figures beside their bars, and falls short
 * when one bar does. Every claim has saboteurs: named ways of doing it wrong, each of which must make it fall short.
 *
 *   static nigh_status run(claim_run *run) { ... claim_bar(run, "bias at k = 400", bias, CLAIM_AT_MOST, 0.045, NULL); ... }
 *   const nigh_claim claim_some_paper = {.slug = "some-paper", .title = "Some Paper", .run = run, .saboteurs = saboteurs};
 *
 * and one line in list.c. Quick claims (run->quick) take at most 5 seconds on one core. No bar rests on time unless the full
 * claim says so. Reporting seeds (claim_seed) are not those that settings were chosen with (claim_tuning_seed).
 */
#ifndef NIGH_CLAIMS_COMMON_H
#define NIGH_CLAIMS_COMMON_H
#include "nigh/core.h"
#include "nigh/stats.h"

#include <stdio.h>

typedef enum claim_relation { CLAIM_AT_LEAST, CLAIM_AT_MOST, CLAIM_WITHIN } claim_relation;

/* A figure beside what it is held to. WITHIN: threshold to upper. NAN falls short. */
typedef struct claim_result {
    char *name, *note;     /* note: NULL for none */
    double value, low, high; /* low, high: interval, NAN for none */
    claim_relation relation;
    double threshold, upper;
    bool holds;
} claim_result;

typedef struct claim_run claim_run;

typedef struct nigh_claim {
    const char *slug, *title;
    nigh_status (*run)(claim_run *run);
    const char *const *saboteurs; /* names, ended by NULL; the first is the default */
} nigh_claim;

struct claim_run {
    nigh_context *ctx;
    const nigh_claim *claim;
    bool quick;
    const char *sabotage; /* name, or NULL */

    /* the kit's own */
    uint64_t seed;
    double seconds, began; /* 0: no budget */
    const char *resume;    /* NULL: nothing is kept */
    int count, room, notes, notes_room;
    claim_result *results;
    char **note_lines;
    nigh_status failed; /* of the kit while it kept a figure */
};

/* Figures. A failure to keep one is reported when the claim ends. */
void claim_bar(claim_run *run, const char *name, double value, claim_relation relation, double threshold, const char *note);
void claim_bar_interval(claim_run *run, const char *name, const nigh_figure *figure, claim_relation relation, double threshold,
                        const char *note);
void claim_bar_within(claim_run *run, const char *name, double value, double low, double high, const char *note);
void claim_note(claim_run *run, const char *format, ...) NIGH_PRINTF(2, 3);

/* NIGH_CLAIM_SEED, or one that follows from the slug; and another one, for tuning. */
uint64_t claim_seed(const claim_run *run);
uint64_t claim_tuning_seed(const claim_run *run);

/* True when the saboteur of this name is at work. */
bool claim_sabotaged(const claim_run *run, const char *name);

/* Runs task(ctx, index, user) for index 0 .. count-1 on all threads; each task gets a context of its own, and the first
 * failure in the order of tasks is the one reported. */
typedef nigh_status claim_task_fn(nigh_context *ctx, int index, void *user);
nigh_status claim_tasks(claim_run *run, int count, claim_task_fn *task, void *user);

/* Progress to the context's callback; NIGH_INTERRUPTED when cancelled, NIGH_RESOURCE when the time budget is over: return it. */
nigh_status claim_progress(claim_run *run, const char *what, double done, double total);

/*
 * Finished parts, kept in the resume file under the claim, its mode, seed and saboteur. recall gives true and fills values
 * when `key` (no blanks) was kept with this count; keep appends (nothing without a resume file). Bits come back as they were.
 */
bool claim_recall(claim_run *run, const char *key, int count, double *values);
nigh_status claim_keep(claim_run *run, const char *key, int count, const double *values);

typedef struct claims_options {
    bool quick, json, list;
    bool sabotage;
    const char *saboteur; /* NULL: each claim's first */
    const char *resume;   /* file, NULL: none */
    double seconds;       /* for each claim; 0: no limit */
    int count;            /* slugs; 0: all claims */
    const char *const *slugs;
    FILE *out;
} claims_options;

/* What is registered, in list.c; ended by NULL. */
extern const nigh_claim *const claims_all[];

/*
 * Runs claims one after the other and writes the verdicts to options->out. NIGH_OK: every bar holds; NIGH_UNMET: one fell short
 * (with sabotage: that is what should happen); other failures carry their message. `claims` is normally claims_all.
 */
nigh_status claims_main(nigh_context *ctx, const nigh_claim *const *claims, const claims_options *options);
#endif
