/*
 * Schedules of a scalar (learning rate, eps, beta, lambda) over the steps of a training: a pure function of the step, but for the
 * plateau, whose small state the caller keeps and saves.
 *
 * Every kind may begin with a linear warm-up: step t < warm_up gives start + (base - start)(t + 1) / warm_up. Then, with
 * p = (t - warm_up) / (total - warm_up), at most 1:
 *   constant      base
 *   linear        base + (last - base) p
 *   cosine        last + (base - last)(1 + cos(pi p)) / 2
 *   step          base factor^floor((t - warm_up) / period), not below last
 *   plateau       base times what schedule_plateau_feed has left of it (PyTorch's ReduceLROnPlateau, relative threshold)
 *   one-cycle     PyTorch's OneCycleLR (cosine): base is the peak; from base / divide to base in the first `rise` of total, then down
 *                 to base / divide / divide_last at step total - 1; no warm-up of its own
 *   inverse root  base sqrt(max(warm_up, 1) / (t + 1)) after the warm-up
 */
#ifndef NIGH_GRAD_SCHEDULE_H
#define NIGH_GRAD_SCHEDULE_H
#include "nigh/core.h"

typedef enum schedule_kind {
    SCHEDULE_CONSTANT,
    SCHEDULE_LINEAR,
    SCHEDULE_COSINE,
    SCHEDULE_STEP,
    SCHEDULE_PLATEAU,
    SCHEDULE_ONE_CYCLE,
    SCHEDULE_INVERSE_ROOT,
    SCHEDULE_KINDS
} schedule_kind;

/* Zeros mean the defaults in brackets. */
typedef struct schedule {
    schedule_kind kind;
    double base;               /* the value after the warm-up, or the peak */
    double start, last;        /* of the warm-up; of the end */
    int64_t warm_up, total;    /* steps; total counts the warm-up */
    int64_t period;            /* step */
    double factor;             /* step, plateau [0.1] */
    int64_t patience;          /* plateau: metrics without progress that are borne [10]; -1: none */
    int64_t cooldown;          /* plateau: metrics not counted after a fall */
    double threshold;          /* plateau: relative progress that counts [1e-4] */
    bool higher;               /* plateau: higher metrics are better */
    double rise, divide, divide_last; /* one-cycle [0.3, 25, 1e4] */
} schedule;

/* Of the plateau; zero-initialised at the start. Plain data: save it with the checkpoint. */
typedef struct schedule_plateau {
    double best, left; /* left: of base; 0 before the first metric, which means 1 */
    int64_t bad, cooling;
    int64_t fed;
} schedule_plateau;

/* NIGH_INVALID naming the setting. Fills the defaults in. */
nigh_status schedule_check(nigh_context *ctx, schedule *s);

/* The value at step t >= 0 of a checked schedule; plateau NULL unless its kind. Cannot fail. */
double schedule_at(const schedule *s, const schedule_plateau *plateau, int64_t t);

/* One metric, at the end of an epoch, say. NaN counts as no progress. True when the value fell. */
bool schedule_plateau_feed(const schedule *s, schedule_plateau *plateau, double metric);

/* "cosine" and back; NULL for what is no kind, SCHEDULE_KINDS for what is no name. */
const char *schedule_name(schedule_kind kind);
schedule_kind schedule_named(const char *name);
#endif
