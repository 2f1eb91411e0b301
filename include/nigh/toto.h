/*
 * nigh/toto.h: pools of 13 matches (home win, draw, away win): which rows of tips to buy, and the exact chance that one of them has so many right.
 *
 * Source: "Beating the average: how to generate profit by exploiting the inefficiencies of soccer betting": hit rates from odds, then the number of random
 * rows among the open matches by a closed approximation to the hypergeometric law. Beside it here: the exact chance of any set of rows by
 * enumeration of all 3^13 outcomes, the most probable rows, greedy covers, covering codes.
 *
 * A match has outcomes 0 (home win), 1 (draw), 2 (away win). A row is a number in 0 .. 3^matches - 1: sum over i of tip_i 3^i. A row is "within r" of
 * an outcome when it has at most r tips wrong. Nothing here promises a profit: pools pay out half of what is staked, about.
 */
#ifndef NIGH_TOTO_H
#define NIGH_TOTO_H
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NIGH_TOTO_MATCHES = 13, NIGH_TOTO_CLASSES = 4 };

/* Chances of the outcomes of each match; each line sums to 1 (to 1e-6). */
typedef struct nigh_toto_pool {
    int matches; /* 1 .. 13 */
    double p[NIGH_TOTO_MATCHES][3];
} nigh_toto_pool;

/* NIGH_INVALID names match and value: a chance below 0, not finite, a sum that is not 1. */
NIGH_API nigh_status nigh_toto_check(nigh_context *ctx, const nigh_toto_pool *pool);

/* 3^matches */
NIGH_API int64_t nigh_toto_outcomes(int matches);

/* ---- odds -------------------------------------------------------------------------------------------------------- */

typedef enum nigh_toto_margin {
    NIGH_TOTO_POWER,       /* p = o^-c with c such that they sum to 1: takes part of the bookmaker's favourite-longshot bias away */
    NIGH_TOTO_PROPORTIONAL /* p = (1/o) / sum of 1/o                                                                          */
} nigh_toto_margin;

/* Chances from decimal odds[3] > 1. NIGH_INVALID otherwise. c by bisection to 1e-15. */
NIGH_API nigh_status nigh_toto_chances(nigh_context *ctx, nigh_toto_margin margin, const double odds[3], double p[3]);

/* ---- the recipe -------------------------------------------------------------------------------------------------- */

/*
 * n distinct rows drawn out of N, K of which would do: the chance that at least one does, 1 - C(N-K,n) / C(N,n); exact to 1e-12.
 */
NIGH_API double nigh_toto_hit(int64_t N, int64_t K, int64_t n);

typedef enum nigh_toto_form {
    NIGH_TOTO_PLAIN,     /* ln(1-S) / ln(1-K/N): wants n << N                                              */
    NIGH_TOTO_SYMMETRIC, /* (N - (K-1)/2) (1 - (1-S)^(1/K)); with n and K exchanged when that is nearer (n < K): see the source   */
    NIGH_TOTO_EXACT      /* the least n by bisection on nigh_toto_hit                                       */
} nigh_toto_form;

/* Rows for safety S in (0, 1), as a real number for the two formulas. 1 <= K <= N. The formulas are wrong by about n/(2N) + K/(2N). */
NIGH_API double nigh_toto_rows_needed(nigh_toto_form form, int64_t N, int64_t K, double S);

/*
 * A system: each match is tipped with its 1, 2 or 3 likeliest outcomes (width). The rows are all 3^u 2^v combinations; n of them are drawn. hit[k] for k = 0 ..
 * matches: chance that at least one of the n has k or more right: number of matches whose outcome the system leaves out by the Poisson-binomial law, then the recipe.
 */
NIGH_API nigh_status nigh_toto_system(nigh_context *ctx, const nigh_toto_pool *pool, const int *width, int64_t n, double *hit);

/* Rows of the open part within e errors of a given one: sum over j <= e of [x^j] (1+2x)^u (1+x)^v. */
NIGH_API int64_t nigh_toto_ball(int u, int v, int e);

/* ---- exact ------------------------------------------------------------------------------------------------------- */

/*
 * within[r], r = 0 .. radius <= 12: chance that the best of the rows has at most r tips wrong; exact for any set of rows by enumeration of all outcomes: dilation
 * along each match. radius x matches x 3^matches byte operations, 10 ms a round of 13 matches. NIGH_INVALID: a row out of range.
 */
NIGH_API nigh_status nigh_toto_chance(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, const int32_t *row, int radius, double *within);

/* ---- sets of rows; *rows is freed with nigh_free ------------------------------------------------------------------ */

/* n distinct rows of the system by chance; all of them when n is larger. */
NIGH_API nigh_status nigh_toto_random(nigh_context *ctx, const nigh_toto_pool *pool, const int *width, int64_t n, nigh_rng *rng, int32_t **rows, int64_t *count);

/* The n most probable rows, falling. */
NIGH_API nigh_status nigh_toto_likely(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, int32_t **rows, int64_t *count);

/*
 * Greedy cover: row after row, the one that adds most to the chance of at most r tips wrong, until that is `safety` or `most` rows are taken. Within 1 - 1/e
 * of the best set of as many rows (Nemhauser, Wolsey and Fisher). chance[i] (NULL: not wanted; freed by the caller, too): after row i.
 */
NIGH_API nigh_status nigh_toto_greedy(nigh_context *ctx, const nigh_toto_pool *pool, int r, double safety, int64_t most, int32_t **rows, int64_t *count, double **chance);

/* Covering codes of 3 letters: every outcome of the `length` matches is within `radius` of a word. */
typedef enum nigh_toto_code {
    NIGH_TOTO_HAMMING_4,  /* [4,2]: 9 words, radius 1           */
    NIGH_TOTO_HAMMING_4_TWICE, NIGH_TOTO_HAMMING_4_THRICE, /* side by side: 8 matches, 81 words, radius 2; 12, 729, 3 */
    NIGH_TOTO_GOLAY,      /* [11,6,5]: 729 words, radius 2      */
    NIGH_TOTO_HAMMING_13, /* [13,10]: 59,049 words, radius 1    */
    NIGH_TOTO_CODES
} nigh_toto_code;
NIGH_API void nigh_toto_code_is(nigh_toto_code code, int *length, int *radius, int64_t *words, const char **name);

/*
 * The code on the matches that are least certain, every other match tipped with its width[i] likeliest outcomes (width is read there only). NIGH_INVALID: the code is
 * longer than the pool, or more than 3^13 rows.
 */
NIGH_API nigh_status nigh_toto_coded(nigh_context *ctx, const nigh_toto_pool *pool, nigh_toto_code code, const int *width, int32_t **rows, int64_t *count);

/* ---- what it pays ------------------------------------------------------------------------------------------------ */

typedef struct nigh_toto_rules {
    double price;                      /* of a row [0.5]                                                      */
    double turnover;                   /* rows that others buy [1e6]                                         */
    double share[NIGH_TOTO_CLASSES];   /* of all stakes: pools of matches, matches-1 .. right [.21 .11 .11 .12, 0.55 together; parameters of the pool's operator]  */
} nigh_toto_rules;
NIGH_API nigh_toto_rules nigh_toto_rules_default(void);

typedef struct nigh_toto_money {
    double cost;        /* price x rows                                                             */
    double expected;    /* of the net result, exact over all outcomes                              */
    double roi;         /* expected / cost                                                          */
    double nothing;     /* chance that no row wins anything                                         */
    double loss;        /* chance that the result is below 0                                       */
    double nothing_10, nothing_34; /* nothing at all in 10, in 34 rounds like this one                    */
    double loss_10, loss_34;       /* behind after so many rounds, by 20,000 rounds drawn (+- 0.007)      */
} nigh_toto_money;

/*
 * crowd: how others tip (chances of their tips, match by match; independent). A row wins in the class of exactly its number right; own winning rows share with the
 * others'. Winners expected of the crowd stand for their number. 3^matches outcomes, about 0.2 s and 2,627 steps a row.
 */
NIGH_API nigh_status nigh_toto_pay(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, const int32_t *row,
                                   nigh_rng *rng, nigh_toto_money *out);

/*
 * n rows of large expected return: row after row the one that brings in most beside those taken before, which share its prizes. value (NULL: not wanted; freed by the
 * caller): what each adds, in prices of a row, when all n are bought: they sum to 1 + roi times n of nigh_toto_pay. 10 ms a row.
 */
NIGH_API nigh_status nigh_toto_valuable(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, int32_t **rows,
                                        int64_t *count, double **value);

/* ---- the planner ------------------------------------------------------------------------------------------------- */

typedef struct nigh_toto_request {
    int strikes;      /* h: at least so many right in one row, matches-4 .. matches */
    double safety;    /* S in (0, 1)                                      */
    int64_t most;     /* rows that may be bought; 0: 100,000              */
    uint64_t seed;    /* of random rows                                   */
} nigh_toto_request;

typedef struct nigh_toto_way {
    const char *name;     /* "recipe", "likely", "greedy", "code", "triples" */
    char what[96];        /* "5 banks, 4 doubles, 4 triples" */
    int64_t count;
    int32_t *row;
    double promised;      /* by the quick formula (recipe, triples); else the exact figure */
    double exact;         /* chance of >= strikes right of this very set */
    bool met;             /* exact >= safety, with at most `most` rows. Random rows: the best of up to 10 sets, since the promise is an average */
} nigh_toto_way;

enum { NIGH_TOTO_WAYS = 5 };

typedef struct nigh_toto_plan {
    nigh_toto_way way[NIGH_TOTO_WAYS];
    int count, chosen;    /* the fewest rows; -1: none met the safety: `best` is the one with the highest chance within `most` rows */
    int best;
    double seconds;
} nigh_toto_plan;

/* All ways beside each other. NIGH_UNMET with a complete plan when none meets it. */
NIGH_API nigh_status nigh_toto_make(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_request *request, nigh_toto_plan *out);
NIGH_API void nigh_toto_plan_free(nigh_context *ctx, nigh_toto_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
