/* Sets of rows of a pool: random ones of a system, the likeliest, greedy covers, covering codes (nigh/toto.h). */
#include "reduce/toto.h"

#include "core/heap.h"

#include <math.h>
#include <string.h>

/* ---- systems ---------------------------------------------------------------------------------------------------- */

/* Row number `index` of the system: mixed radix, each digit a tip from the likeliest on. */
static int32_t system_row(const nigh_toto_pool *pool, const int *width, int64_t index)
{
    int32_t row = 0;
    for (int i = 0; i < pool->matches; i++) {
        int order[3];
        toto_order(pool->p[i], order);
        row += order[index % width[i]] * toto_power[i];
        index /= width[i];
    }
    return row;
}

nigh_status nigh_toto_random(nigh_context *ctx, const nigh_toto_pool *pool, const int *width, int64_t n, nigh_rng *rng, int32_t **rows, int64_t *count)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status) status = toto_check_width(ctx, pool, width);
    if (!status && n < 1) status = nigh_fail(ctx, NIGH_INVALID, "%lld rows; 1 or more are needed", (long long)n);
    if (status) return status;
    int64_t N = 1;
    for (int i = 0; i < pool->matches; i++) N *= width[i];
    if (n > N) n = N;
    int64_t *index = nigh_alloc(ctx, (size_t)n * sizeof *index);
    int32_t *row = nigh_alloc(ctx, (size_t)n * sizeof *row);
    status = index && row ? nigh_rng_choose(ctx, rng, N, n, index) : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) row[i] = system_row(pool, width, index[i]);
    nigh_free(ctx, index);
    if (status) nigh_free(ctx, row);
    else *rows = row, *count = n;
    return status;
}

/* ---- the likeliest ---------------------------------------------------------------------------------------------- */

nigh_status nigh_toto_likely(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, int32_t **rows, int64_t *count)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status && n < 1) status = nigh_fail(ctx, NIGH_INVALID, "%lld rows; 1 or more are needed", (long long)n);
    if (status) return status;
    int64_t outcomes = toto_power[pool->matches];
    if (n > outcomes) n = outcomes;
    heap h = {.ctx = ctx};
    double *chance = nigh_alloc(ctx, (size_t)outcomes * sizeof *chance);
    int32_t *row = nigh_alloc(ctx, (size_t)n * sizeof *row);
    status = chance && row ? heap_reserve(&h, outcomes) : NIGH_MEMORY;
    if (!status) {
        toto_outcome_chances(pool, chance);
        for (int64_t o = 0; o < outcomes; o++) h.at[o] = (heap_entry){chance[o], o};
        h.count = outcomes;
        heap_make(&h);
        for (int64_t i = 0; i < n; i++) row[i] = (int32_t)heap_pop(&h).id;
    }
    heap_free(&h);
    nigh_free(ctx, chance);
    if (status) nigh_free(ctx, row);
    else *rows = row, *count = n;
    return status;
}

/* ---- greedy covers ---------------------------------------------------------------------------------------------- */

/* Steps from which on all sums anew are cheaper than those that changed. */
enum { WHOLE = 20000000 };

typedef struct cover {
    int matches, r;
    double *left;         /* [outcomes] chance of those that no row is near yet */
    double *level;        /* [r + 1, outcomes]: scratch of sums over balls */
    toto_gains gains;
    int32_t *ball, *near; /* scratch */
} cover;

/* All gains at once. */
static void renew_all(cover *c)
{
    int64_t n = c->gains.outcomes;
    memcpy(c->level, c->left, (size_t)n * sizeof *c->level);
    toto_spread(c->matches, c->r, c->level);
    memset(c->gains.gain, 0, (size_t)n * sizeof *c->gains.gain);
    for (int j = 0; j <= c->r; j++)
        for (int64_t o = 0; o < n; o++) c->gains.gain[o] += c->level[j * n + o];
    toto_gains_all(&c->gains);
}

/* Covers what is near the row: returns how much chance that adds. */
static double cover_row(cover *c, int32_t row)
{
    double sum = 0;
    int64_t count = toto_ball(c->matches, row, c->r, c->ball), fresh = 0;
    for (int64_t i = 0; i < count; i++) fresh += c->left[c->ball[i]] > 0;
    bool whole = fresh * count > WHOLE;
    for (int64_t i = 0; i < count; i++) {
        double mass = c->left[c->ball[i]];
        if (mass == 0) continue;
        sum += mass;
        c->left[c->ball[i]] = 0;
        toto_ball(c->matches, c->ball[i], whole ? 0 : c->r, c->near);
        for (int64_t k = 0; k < count && !whole; k++) toto_gains_add(&c->gains, c->near[k], -mass);
    }
    if (whole) renew_all(c);
    toto_gains_drop(&c->gains, row);
    return sum;
}

static nigh_status run_greedy(nigh_context *ctx, const nigh_toto_pool *pool, cover *c, double safety, int64_t most, int32_t *row, double *chance, int64_t *count)
{
    double sum = 0;
    nigh_status status = NIGH_OK;
    toto_outcome_chances(pool, c->left);
    renew_all(c);
    for (*count = 0; *count < most && sum < safety && !status; status = nigh_poll(ctx)) {
        int32_t next = toto_gains_best(&c->gains);
        double added = cover_row(c, next);
        if (added <= 0) break; /* all that can be covered is */
        row[*count] = next;
        chance[(*count)++] = sum += added;
    }
    return status;
}

static nigh_status cover_new(const nigh_toto_pool *pool, int r, nigh_arena *arena, cover *c)
{
    int64_t n = toto_power[pool->matches];
    size_t ball = (size_t)nigh_toto_ball(pool->matches, 0, r);
    *c = (cover){.matches = pool->matches, .r = r, .left = nigh_arena_alloc(arena, (size_t)n * sizeof(double)), .level = nigh_arena_alloc(arena, (size_t)(r + 1) * (size_t)n * sizeof(double)),
                 .ball = nigh_arena_alloc(arena, ball * sizeof(int32_t)), .near = nigh_arena_alloc(arena, ball * sizeof(int32_t))};
    return c->left && c->level && c->ball && c->near ? toto_gains_new(arena, n, &c->gains) : NIGH_MEMORY;
}

nigh_status nigh_toto_greedy(nigh_context *ctx, const nigh_toto_pool *pool, int r, double safety, int64_t most, int32_t **rows, int64_t *count, double **chance)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status && (r < 0 || r > 4 || r > pool->matches)) status = nigh_fail(ctx, NIGH_INVALID, "%d tips may be wrong; 0 to 4 are allowed", r);
    if (!status && (!(safety > 0) || !(safety <= 1))) status = nigh_fail(ctx, NIGH_INVALID, "a safety of %g; above 0, up to 1", safety);
    if (!status && most < 1) status = nigh_fail(ctx, NIGH_INVALID, "at most %lld rows; 1 or more are needed", (long long)most);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    if (most > toto_power[pool->matches]) most = toto_power[pool->matches];
    cover c;
    int32_t *row = nigh_alloc(ctx, (size_t)most * sizeof *row);
    double *after = nigh_alloc(ctx, (size_t)most * sizeof *after);
    status = row && after ? cover_new(pool, r, arena, &c) : NIGH_MEMORY;
    if (!status) status = run_greedy(ctx, pool, &c, safety, most, row, after, count);
    nigh_arena_free(arena);
    if (status || !chance) nigh_free(ctx, after);
    else *chance = after;
    if (status) nigh_free(ctx, row);
    else *rows = row;
    return status;
}

/* ---- covering codes --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int length, radius, parts; /* of `parts` words side by side, each of length / parts */
    int64_t words;
} codes[NIGH_TOTO_CODES] = {
    [NIGH_TOTO_HAMMING_4] = {"Hamming code of 4", 4, 1, 1, 9},
    [NIGH_TOTO_HAMMING_4_TWICE] = {"two Hamming codes of 4", 8, 2, 2, 81},
    [NIGH_TOTO_HAMMING_4_THRICE] = {"three Hamming codes of 4", 12, 3, 3, 729},
    [NIGH_TOTO_GOLAY] = {"Golay code of 11", 11, 2, 1, 729},
    [NIGH_TOTO_HAMMING_13] = {"Hamming code of 13", 13, 1, 1, 59049},
};

void nigh_toto_code_is(nigh_toto_code code, int *length, int *radius, int64_t *words, const char **name)
{
    *length = codes[code].length, *radius = codes[code].radius, *words = codes[code].words, *name = codes[code].name;
}

/* (a, b, a + b, a + 2b) */
static void hamming_4(int64_t message, int *tip)
{
    int a = (int)(message % 3), b = (int)(message / 3 % 3);
    tip[0] = a, tip[1] = b, tip[2] = (a + b) % 3, tip[3] = (a + 2 * b) % 3;
}

/* Ten free letters; three checks whose columns are the points of the projective plane over three elements. */
static void hamming_13(int64_t message, int *tip)
{
    static const int point[10][3] = {{1, 1, 0}, {1, 2, 0}, {1, 0, 1}, {1, 0, 2}, {0, 1, 1}, {0, 1, 2}, {1, 1, 1}, {1, 1, 2}, {1, 2, 1}, {1, 2, 2}};
    int check[3] = {0, 0, 0};
    for (int i = 0; i < 10; i++, message /= 3) {
        tip[i] = (int)(message % 3);
        for (int k = 0; k < 3; k++) check[k] += tip[i] * point[i][k];
    }
    for (int k = 0; k < 3; k++) tip[10 + k] = (3 - check[k] % 3) % 3;
}

/* Multiples of x^5 + x^4 - x^3 + x^2 - 1, which divides x^11 - 1 over three elements. */
static void golay(int64_t message, int *tip)
{
    static const int generator[6] = {2, 0, 1, 2, 1, 1};
    memset(tip, 0, 11 * sizeof *tip);
    for (int i = 0; i < 6; i++, message /= 3)
        for (int j = 0; j < 6; j++) tip[i + j] = (tip[i + j] + (int)(message % 3) * generator[j]) % 3;
}

static void code_word(nigh_toto_code code, int64_t message, int *tip)
{
    if (code == NIGH_TOTO_GOLAY) golay(message, tip);
    else if (code == NIGH_TOTO_HAMMING_13) hamming_13(message, tip);
    else
        for (int i = 0; i < codes[code].parts; i++, message /= 9) hamming_4(message % 9, tip + 4 * i);
}

/* Letter 0 of the code is each match's likeliest outcome: any renaming of letters covers as well. */
nigh_status nigh_toto_coded(nigh_context *ctx, const nigh_toto_pool *pool, nigh_toto_code code, const int *width, int32_t **rows, int64_t *count)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status && (unsigned)code >= NIGH_TOTO_CODES) status = nigh_fail(ctx, NIGH_INVALID, "covering code %d; 0 to %d are known", (int)code, NIGH_TOTO_CODES - 1);
    if (!status) status = toto_check_width(ctx, pool, width);
    int length = status ? 0 : codes[code].length, match[NIGH_TOTO_MATCHES], tip[NIGH_TOTO_MATCHES];
    if (!status && length > pool->matches) status = nigh_fail(ctx, NIGH_INVALID, "the %s is longer than a pool of %d matches", codes[code].name, pool->matches);
    if (status) return status;
    toto_by_certainty(pool, match);
    int rest = pool->matches - length;
    int64_t combinations = 1;
    for (int i = 0; i < rest; i++) combinations *= width[match[i]];
    int64_t n = combinations * codes[code].words;
    int32_t *row = n > toto_power[NIGH_TOTO_MATCHES] ? NULL : nigh_alloc(ctx, (size_t)n * sizeof *row);
    if (n > toto_power[NIGH_TOTO_MATCHES]) return nigh_fail(ctx, NIGH_INVALID, "%lld rows; at most 3^13 are allowed", (long long)n);
    if (!row) return NIGH_MEMORY;
    for (int64_t k = 0; k < n; k++) {
        int64_t index = k / codes[code].words;
        code_word(code, k % codes[code].words, tip);
        row[k] = 0;
        for (int i = 0; i < pool->matches; i++) {
            int order[3], m = match[i];
            toto_order(pool->p[m], order);
            row[k] += toto_power[m] * order[i < rest ? index % width[m] : tip[i - rest]];
            if (i < rest) index /= width[m];
        }
    }
    *rows = row, *count = n;
    return NIGH_OK;
}
