/*
 * nigh/submodular.h: the best k of many items when more of the same is worth less: coverage, facility location, log-determinant, your own.
 *
 *   function   f(S) >= 0 on sets of the items 0 .. n-1, monotone and submodular: a gain f(S + e) - f(S) is never negative and never grows with S
 *   chain      a sequence of items with what f needs to give gains over each of its prefixes; grows at its end, is cut back at will
 *   greedy     plain, lazy (with a heap) and stochastic greedy: (1 - 1/e) of the best; one run over all items
 *   sieve      one pass over a stream of insertions: (1/2 - eps) of the best; knows no deletions
 *   selection  insertions and deletions: a (1/2 - eps) solution over what is there now, at every time, for a few gains an update
 *
 * Cost is counted in calls: a gain, and an item added to a chain, are one call each. Objects belong to the thread of their context.
 */
#ifndef NIGH_SUBMODULAR_H
#define NIGH_SUBMODULAR_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- functions -------------------------------------------------------------------------------------------------- */

typedef struct nigh_submodular nigh_submodular;

/*
 * A function of the user's: what a chain can do. A failing call sets the message (nigh_fail with the ctx that open was given) and
 * returns its status; `user` outlives the function. f of the empty set counts as 0: everything is a sum of gains.
 */
typedef struct nigh_submodular_calls {
    int64_t items; /* n >= 1 */
    nigh_status (*open)(void *user, nigh_context *ctx, void **chain); /* an empty chain */
    void (*close)(void *user, void *chain);
    /* gain[i] = f(first `length` of the chain + item[i]) - f(first `length`), 0 <= length <= length of the chain; item[i] is none of them.
     * Many items come in one call: a place for vectors and threads. */
    nigh_status (*gains)(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain);
    nigh_status (*add)(void *user, void *chain, int64_t item, double *gain); /* appends; its gain over the whole chain */
    void (*cut)(void *user, void *chain, int64_t length);                    /* keeps the first `length` */
    void (*free_user)(void *user);                                           /* when the function is freed; NULL: nothing to do */
    void *user;
} nigh_submodular_calls;
NIGH_API nigh_status nigh_submodular_new(nigh_context *ctx, const nigh_submodular_calls *calls, nigh_submodular **f);

/* From the plain set function: *value = f(item[0 .. count-1]), items different, in the order they were added. Two evaluations a gain at
 * most, one when f(prefix) is known. What f gives for the empty set is subtracted. */
typedef nigh_status nigh_set_value_fn(void *user, int64_t count, const int64_t *item, double *value);
NIGH_API nigh_status nigh_submodular_values(nigh_context *ctx, int64_t items, nigh_set_value_fn *value, void *user, nigh_submodular **f);

/* f and what it owns; chains, sieves and selections of it are freed before. NULL is fine. */
NIGH_API void nigh_submodular_free(nigh_submodular *f);
NIGH_API int64_t nigh_submodular_items(const nigh_submodular *f);
NIGH_API int64_t nigh_submodular_count(const nigh_submodular *f); /* calls so far, over all chains */

/*
 * Coverage: f(S) = sum over u of weight[u] min(times, number of items of S that contain u): plain coverage (times 1, weights NULL), weighted,
 * saturated (times c: an element counts for up to c items). Item i contains element[start[i] .. start[i+1]-1]; an element twice in one item counts
 * once. The arrays are copied. A gain costs the size of the item, whatever the prefix.
 * NIGH_INVALID: starts that fall, elements not in 0 .. elements-1, weights negative or not finite, times not in 1 .. 65535.
 */
typedef struct nigh_coverage {
    int64_t items, elements;
    const int64_t *start;   /* [items + 1] */
    const int64_t *element; /* [start[items]] */
    const double *weight;   /* [elements] >= 0; NULL: ones */
    int64_t times;          /* 0: 1 */
} nigh_coverage;
NIGH_API nigh_status nigh_submodular_coverage(nigh_context *ctx, const nigh_coverage *spec, nigh_submodular **f);

/* Item i covers node i and the nodes its edges lead to: closed neighbourhoods; both ends of each edge when `undirected`. Loops and repeated
 * edges count once. from, to [edges] in 0 .. nodes-1. */
NIGH_API nigh_status nigh_submodular_graph(nigh_context *ctx, int64_t nodes, int64_t edges, const int64_t *from, const int64_t *to, bool undirected,
                                           nigh_submodular **f);

/*
 * How near two points are, d2 = squared distance: GAUSSIAN exp(-d2 / (2 width^2)); CONE max(0, 1 - sqrt(d2) / width); PARABOLA max(0, 1 - d2 / width^2):
 * with it facility location is clustering by examples, what is not nearer than `width` counting as lost.
 */
typedef enum nigh_nearness { NIGH_NEAR_GAUSSIAN, NIGH_NEAR_CONE, NIGH_NEAR_PARABOLA } nigh_nearness;

/*
 * Facility location: f(S) = sum over clients c of weight[c] max over i in S of near(c, i). Items are points[n,d], clients are clients[m,d] (NULL:
 * the points), or similarity[n,m] >= 0 is given (row = item) and no points. Views: the arrays outlive f. A gain costs m kernels of d numbers; rows of
 * similarities are kept once computed, as float, while they fit into keep_bytes (0: 256 MiB, negative: none). Over a shorter prefix a gain
 * costs the same after the first of its length (m doubles are kept for each).
 */
typedef struct nigh_facility {
    int64_t items, clients, d;
    const double *points, *client, *weight; /* weight[clients] >= 0; NULL: ones */
    const float *similarity;
    nigh_nearness near;
    double width;       /* > 0 */
    int64_t keep_bytes;
} nigh_facility;
NIGH_API nigh_status nigh_submodular_facility(nigh_context *ctx, const nigh_facility *spec, nigh_submodular **f);

/*
 * Log-determinant: f(S) = log det(I + K_S / noise), K the kernel of nearness (width > 0) or x . x' (width 0) on points[n,d], a view. The information
 * that noisy measurements at S give on a Gaussian process, times 2. A gain over a prefix of p costs p (p + d) by forward substitution in the Cholesky factor, at
 * any prefix.
 */
typedef struct nigh_logdet {
    int64_t items, d;
    const double *points;
    nigh_nearness near; /* GAUSSIAN only is positive definite in every dimension: the others are refused */
    double width;       /* 0: x . x' */
    double noise;       /* > 0 */
} nigh_logdet;
NIGH_API nigh_status nigh_submodular_logdet(nigh_context *ctx, const nigh_logdet *spec, nigh_submodular **f);

/*
 * Random test: in `trials` random sequences of up to `length` items, are gains never negative, never larger over a longer prefix, and the same
 * value in another order, all to 1e-9 of the largest value? Logs a warning that names items when not. NIGH_FAILED: a gain is not finite.
 * About 12 calls a trial and length.
 */
typedef struct nigh_submodular_report {
    int64_t tests, negative, growing, unordered; /* how many were made, how many of each fault were found */
    double worst;                                /* the largest violation over the largest value seen */
} nigh_submodular_report;
NIGH_API nigh_status nigh_submodular_check(nigh_context *ctx, nigh_submodular *f, int64_t trials, int64_t length, uint64_t seed, nigh_submodular_report *report);

/* ---- chains ----------------------------------------------------------------------------------------------------- */

typedef struct nigh_chain nigh_chain;
NIGH_API nigh_status nigh_chain_new(nigh_submodular *f, nigh_chain **chain);
NIGH_API void nigh_chain_free(nigh_chain *chain); /* NULL is fine */
NIGH_API int64_t nigh_chain_length(const nigh_chain *chain);
NIGH_API const int64_t *nigh_chain_items(const nigh_chain *chain); /* [length]; valid until the next add */
NIGH_API double nigh_chain_value(const nigh_chain *chain, int64_t length); /* f of the first `length`: the sum of their gains */

/* gain[count] over the first `length`, 0 .. length of the chain; count calls. NIGH_FAILED: a gain is not finite, or the user's function failed. */
NIGH_API nigh_status nigh_chain_gains(nigh_chain *chain, int64_t length, int64_t count, const int64_t *item, double *gain);
NIGH_API nigh_status nigh_chain_add(nigh_chain *chain, int64_t item, double *gain); /* one call; gain may be NULL. On failure nothing was added */
NIGH_API void nigh_chain_cut(nigh_chain *chain, int64_t length);                    /* back to the first `length`: the same bits as then */

/* ---- greedy ----------------------------------------------------------------------------------------------------- */

/*
 * PLAIN evaluates every item for each choice; LAZY keeps old gains as upper bounds in a heap ("Accelerated greedy algorithms for maximizing
 * submodular set functions", Minoux 1978) and gives the same items (the smallest of equal gain first); STOCHASTIC takes the best of a random (n/k) log(1/epsilon) for each
 * choice ("Lazier than lazy greedy", Mirzasoleiman et al. 2015): (1 - 1/e - epsilon) in expectation for n log(1/epsilon) calls.
 */
typedef enum nigh_greedy_kind { NIGH_GREEDY_LAZY, NIGH_GREEDY_PLAIN, NIGH_GREEDY_STOCHASTIC } nigh_greedy_kind;

typedef struct nigh_greedy_options { /* zeros: the defaults in brackets */
    nigh_greedy_kind kind;
    int64_t k;            /* most items, >= 1 */
    const int64_t *among; /* [count] different items to choose from; NULL: all */
    int64_t count;
    double target;        /* stop at this value [0: none]: covers */
    double least;         /* stop when no gain is above this [0] */
    double epsilon;       /* STOCHASTIC [0.1] */
    uint64_t seed;        /* STOCHASTIC */
    int64_t batch;        /* LAZY: this many at the top are evaluated anew in one call, for functions that answer many at once cheaply [1] */
} nigh_greedy_options;

typedef struct nigh_chosen {
    int64_t count;
    int64_t *item; /* [count] in the order of choice */
    double *gain;  /* [count] */
    double value;  /* their sum */
    int64_t calls;
} nigh_chosen;
NIGH_API void nigh_chosen_free(nigh_context *ctx, nigh_chosen *chosen); /* what it holds; NULL is fine */

NIGH_API nigh_status nigh_greedy(nigh_context *ctx, nigh_submodular *f, const nigh_greedy_options *options, nigh_chosen *out);

/* ---- sieve-streaming -------------------------------------------------------------------------------------------- */

/* "Streaming submodular maximization: massive data summarization on the fly" (Badanidiyuru et al. 2014): a sieve for each guess (1+epsilon)^j of the best
 * value; an item stays in a sieve when its gain is (guess/2 - f(S)) / (k - |S|) or more. */
typedef struct nigh_sieve nigh_sieve;
NIGH_API nigh_status nigh_sieve_new(nigh_context *ctx, nigh_submodular *f, int64_t k, double epsilon, nigh_sieve **sieve); /* k >= 1, 0 < epsilon <= 1 */
NIGH_API void nigh_sieve_free(nigh_sieve *sieve);
NIGH_API nigh_status nigh_sieve_insert(nigh_sieve *sieve, int64_t item); /* each item once */

/* The best sieve. keep[n] (NULL: all): only items with keep != 0 count and are given, which is all that can be done about deletions. */
NIGH_API nigh_status nigh_sieve_answer(nigh_sieve *sieve, const uint8_t *keep, nigh_chosen *out);

/* ---- selections: insertions and deletions ----------------------------------------------------------------------- */

/*
 * "Dynamic Constrained Submodular Optimization with Polylogarithmic Update Time". For guesses (1+epsilon)^j of the best value a copy is kept: levels
 * of candidates, at each the largest bucket of nearly equal gains, and a uniform sample of it as large as nearly keeps its gains; a level is built
 * anew when its candidates grew by half or an epsilon of its bucket was deleted. The answer is the best copy's sample without what was deleted.
 *
 * Copies work only while their guess may matter: from the value in hand to twice the least proved bound on the best value. What arrives meanwhile
 * is kept for them, and costs calls only when they are woken, never more than if they had worked all along.
 *
 * The guarantee, (1/2 - O(epsilon)) of the best k of the items now there, in expectation over the samples, holds for streams that do not depend on
 * the answers. Each answer carries a proved upper bound on the best value, and so a proved ratio, which holds for any stream.
 */
typedef struct nigh_selection nigh_selection;

typedef struct nigh_selection_options { /* zeros: the defaults in brackets */
    int64_t k;         /* >= 1 */
    double epsilon;    /* (0, 0.5] [0.2] */
    uint64_t seed;
    int64_t trials;    /* random next items by which a sample's size is judged, 2 .. 10000 [30] */
    bool every_guess;  /* copies of all guesses between the largest single value and k times it work all the time: the textbook */
} nigh_selection_options;

/* f is used by the selection and outlives it. NIGH_INVALID names the option. */
NIGH_API nigh_status nigh_selection_new(nigh_context *ctx, nigh_submodular *f, const nigh_selection_options *options, nigh_selection **selection);
NIGH_API void nigh_selection_free(nigh_selection *selection); /* NULL is fine */
NIGH_API const nigh_selection_options *nigh_selection_settings(const nigh_selection *selection); /* with the defaults filled in */

/*
 * NIGH_INVALID, the selection unchanged: an item not in 0 .. n-1, inserted while it is there, deleted while it is not; a negative gain of a single item. Other failures
 * (memory, the user's function, cancelled) leave a selection that answers nothing but NIGH_FAILED: restore it from a saved state.
 */
NIGH_API nigh_status nigh_selection_insert(nigh_selection *selection, int64_t item);
NIGH_API nigh_status nigh_selection_delete(nigh_selection *selection, int64_t item);

typedef struct nigh_selection_answer {
    nigh_chosen chosen; /* gains over the items before it in this order; calls: of this answer */
    double bound;       /* no k of the items now there have a larger value */
} nigh_selection_answer;

/*
 * The best copy's items (at most k calls, for the exact value); `polish`: greedy among the items of all working copies, the better of both:
 * some hundreds of calls for most of what greedy on everything would add. Free chosen with nigh_chosen_free.
 */
NIGH_API nigh_status nigh_selection_answer_now(nigh_selection *selection, bool polish, nigh_selection_answer *out);

NIGH_API int64_t nigh_selection_size(const nigh_selection *selection); /* items there */
NIGH_API bool nigh_selection_has(const nigh_selection *selection, int64_t item);
NIGH_API const int64_t *nigh_selection_items(const nigh_selection *selection); /* [size], in no order; valid until the next update */

typedef struct nigh_selection_totals {
    int64_t updates, calls; /* all calls of updates and answers */
    int64_t rebuilt;        /* levels built */
    int64_t copies, working;
} nigh_selection_totals;
NIGH_API nigh_selection_totals nigh_selection_counts(const nigh_selection *selection);

/* A look at copy i, 0 .. copies-1, for checks. */
typedef struct nigh_selection_copy {
    double guess, threshold; /* threshold = guess / (2 k) */
    bool working;
    bool fresh;              /* just built from nothing: no update since */
    int64_t levels, count;
    const int64_t *item;     /* [count] its sample, deleted items among them */
    const double *gain;      /* [count] as when they were taken */
} nigh_selection_copy;
NIGH_API nigh_selection_copy nigh_selection_copy_at(const nigh_selection *selection, int64_t i);

/*
 * All of it as bytes, and back: what is restored goes on to the same bits. `f` must be the same function (its number of items is checked; the rest is the caller's
 * business). k, epsilon, trials and seed come from the bytes. NIGH_FORMAT: the bytes are damaged.
 */
NIGH_API nigh_status nigh_selection_save(const nigh_selection *selection, nigh_buffer *out);
NIGH_API nigh_status nigh_selection_restore(nigh_context *ctx, nigh_submodular *f, const void *bytes, size_t size, nigh_selection **selection);

#ifdef __cplusplus
}
#endif
#endif
