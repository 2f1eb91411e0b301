/*
 * nigh/reduce.h: the smallest weighted subset of rows that a model may be fitted to in place of all, within an error; found by
 * trying every way nigh knows, with a receipt measured on all rows.
 *
 *   nigh_loss *loss;  nigh_loss_parse(ctx, "logistic", &loss);
 *   nigh_reduce_request request = nigh_reduce_request_default();  request.error = 0.05;
 *   nigh_reduction *reduction;  nigh_reduce_rows(ctx, &rows, loss, &request, &reduction);
 *   ... reduction->candidates[reduction->chosen].subset ...
 *
 * The error is F(model fitted to the subset) / F(best model) - 1, both costs on ALL rows (nigh/coreset.h). It is a fact about these rows, not an
 * estimate: nothing is sampled to measure it. F(best model) comes from one training on all rows; what that may lack of the least
 * cost is proved where the loss allows (`gap`) and then counts against the subset.
 */
#ifndef NIGH_REDUCE_H
#define NIGH_REDUCE_H
#include "nigh/coreset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_reduction nigh_reduction;

typedef struct nigh_reduce_request {
    double error;        /* > 0: what the subset's model may cost more than the best, as a share (MIXTURE: nats a row)  */
    double uses;         /* fits that will be made: the cheapest way to make them is chosen, all rows included; 0: the smallest subset */
    int draws;           /* subsets drawn of one size before it counts as too small [8]                                   */
    double precision;    /* sizes are searched to this ratio [1.08]                                                      */
    const char *methods; /* only these, commas between; NULL: all                                                        */
    bool brute;          /* every method is searched to its end, also one that cannot win any more                       */
    uint64_t seed;
    void (*watch)(void *user, const nigh_reduction *so_far); /* after every candidate; NULL: none */
    void *watch_user;
} nigh_reduce_request;

NIGH_API nigh_reduce_request nigh_reduce_request_default(void);

typedef enum nigh_reduce_state {
    NIGH_REDUCE_WAITING, NIGH_REDUCE_UNSUPPORTED, NIGH_REDUCE_FAILED,
    NIGH_REDUCE_MISSED,  /* no subset of at most half the rows met the error                       */
    NIGH_REDUCE_BEATEN,  /* its search ended when it could not become the smallest any more        */
    NIGH_REDUCE_MET,
    NIGH_REDUCE_CHOSEN
} nigh_reduce_state;

typedef struct nigh_reduce_candidate {
    const char *method, *summary, *source; /* static */
    bool shortcut;          /* classical                                                           */
    bool model_only;        /* gives a model and no subset ("all rows", "one-step")                */
    nigh_reduce_state state;
    char *why;              /* unsupported, failed: the reason; else NULL                          */
    nigh_subset subset;     /* the smallest that met the error; else the last one tried            */
    double *model;          /* fitted to it                                                        */
    double error;           /* of that model, on all rows                                          */
    double subset_error;    /* what the subset alone would say of its model: cost on the subset / best - 1. Never to be trusted */
    double choose_seconds;  /* scores and pilots, then every draw, training and evaluation of the search for its size */
    double train_seconds;   /* one fit to the subset                                               */
    double cost;            /* full_seconds (the best must be known) + choose + uses x train; uses 1 when none were asked for */
    int64_t tries;          /* subsets drawn in the search                                         */
} nigh_reduce_candidate;

/* One subset that was drawn, for the picture. */
typedef struct nigh_reduce_try {
    int candidate;
    int64_t rows;
    double error;
} nigh_reduce_try;

struct nigh_reduction {
    int64_t n, d, parameters;
    double weight;            /* of all rows                                                        */
    char *loss;               /* as nigh_loss_parse reads it                                        */
    double asked;             /* request->error                                                     */
    double uses;              /* request->uses                                                      */
    double *best_model;       /* from all rows                                                      */
    double best_cost, gap;    /* its cost; least cost >= best_cost - gap (INFINITY: not known)      */
    double full_seconds;      /* one training on all rows                                           */
    int64_t full_passes;
    int count, chosen;        /* candidate 0 is "all rows"; chosen -1: no subset met the error      */
    nigh_reduce_candidate *candidates;
    int64_t tries;
    nigh_reduce_try *history;
    double break_even;        /* fits from which on the chosen subset is cheaper than all rows; INFINITY: never */
    double distortion;        /* largest |cost on the subset / cost on all rows - 1| of the models of other candidates; NAN: no subset */
    double deciding_seconds;
    nigh_arena *arena;        /* holds everything but the subsets */
    nigh_context *ctx;
};

/*
 * Tries every method of nigh_reduce_methods that supports the loss. NIGH_UNMET with a complete *out when no subset of at most half the rows
 * meets the error (all rows then remain); NIGH_INVALID for bad rows or requests; NIGH_INTERRUPTED. Other failures leave *out alone. Cost: one
 * training on all rows, and about 30 trainings and passes over all rows a method.
 */
NIGH_API nigh_status nigh_reduce_rows(nigh_context *ctx, const nigh_rows *rows, const nigh_loss *loss, const nigh_reduce_request *request,
                                      nigh_reduction **out);
NIGH_API void nigh_reduction_free(nigh_reduction *reduction); /* NULL is fine */

/* The receipt as text, all of it as JSON, and a page with pictures. `rows` gives the second picture its points (NULL: left out). */
NIGH_API nigh_status nigh_reduction_print(nigh_context *ctx, const nigh_reduction *reduction, bool table, nigh_buffer *text);
NIGH_API nigh_status nigh_reduction_json(nigh_context *ctx, const nigh_reduction *reduction, nigh_buffer *text);
NIGH_API nigh_status nigh_reduction_html(nigh_context *ctx, const char *name, const nigh_reduction *reduction, const nigh_rows *rows, nigh_buffer *html);

/* Method number i: its name, NULL beyond the last; summary and source may be NULL. */
NIGH_API const char *nigh_reduce_method(int i, const char **summary, const char **source);

#ifdef __cplusplus
}
#endif
#endif
