/* What the files of pools share: outcomes as numbers in base 3, sums over balls around all of them at once. */
#ifndef NIGH_REDUCE_TOTO_H
#define NIGH_REDUCE_TOTO_H
#include "nigh/toto.h"

extern const int32_t toto_power[NIGH_TOTO_MATCHES + 1]; /* 3^i */

/* chance[3^matches] of every outcome. */
void toto_outcome_chances(const nigh_toto_pool *pool, double *chance);

/* level[j][3^matches], j = 0 .. radius, one block: level 0 is given; afterwards level j holds the sums of it over outcomes at distance exactly j. */
void toto_spread(int matches, int radius, double *level);

/* Outcomes within r tips of `row`, by distance, the row itself first: out has room for nigh_toto_ball(matches, 0, r). Returns how many. */
int64_t toto_ball(int matches, int32_t row, int r, int32_t *out);

/* Outcomes of a match from the likeliest on, the lower number first among equals; and matches from the most certain on (largest chance). */
void toto_order(const double p[3], int order[3]);
void toto_by_certainty(const nigh_toto_pool *pool, int *match);

/* What each row would add, and the row that adds most (the lowest of equals). After filling `gain` by hand call toto_gains_all. */
typedef struct toto_gains {
    int64_t outcomes, blocks;
    double *gain;  /* [outcomes] */
    double *best;  /* [blocks] largest gain */
    bool *changed; /* [blocks] */
} toto_gains;
nigh_status toto_gains_new(nigh_arena *arena, int64_t outcomes, toto_gains *gains);
void toto_gains_all(toto_gains *gains);
void toto_gains_add(toto_gains *gains, int32_t row, double value);
void toto_gains_drop(toto_gains *gains, int32_t row); /* never the best again */
int32_t toto_gains_best(toto_gains *gains);

nigh_status toto_check_rows(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, const int32_t *row);
nigh_status toto_check_width(nigh_context *ctx, const nigh_toto_pool *pool, const int *width);
#endif
