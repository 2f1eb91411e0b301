/*
 * Claim of "How Powerful are Shallow Neural Networks with Bandlimited Random Weights?": hidden weights drawn from [-lambda, lambda]
 * leave a floor that no number of units removes; how large lambda must be depends on the target; and nigh tells both beforehand.
 *
 *   1  sin(8 pi x): at lambda = 2 the error stays, at 50 it does not
 *   2  the best lambda for sin(k pi x) grows with k
 *   3  nigh_band_floor says for which of 5 targets x 9 ranges a floor above 10% is measured
 *   4  choosing lambda by it beside searching the grid, in counted operations, and beside lambda = 1
 *   5  the same in two and five dimensions: four ridge functions of one frequency
 *
 * Features are fitted by ridge regression with the relative penalty 1e-10, so every floor belongs to that penalty. Test inputs
 * are drawn anew. All targets share a draw of features, and with it one factorisation.
 */
#include "common.h"

#include "nigh/random.h"
#include "nigh/regress.h"
#include "regress/features.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"rescaled-draws", "trained-weights", "no-floor", NULL};

enum { RANGES = 9, MOST_TARGETS = 6, MOST_SIZES = 4, MOST_SEEDS = 5, POOL = 8, QUICK_SAMPLES = 150, QUICK_FEATURES = 500 };
static const double ranges[RANGES] = {0.5, 1, 2, 5, 10, 20, 50, 100, 200}, RIDGE = 1e-10, FLOOR = 0.1, WIDE_RANGE = 50;

/* In five dimensions a . x is larger and all that can be learnt of some thousand points is slow: a tenth of the ranges. */
static double range_at(int64_t d, int l) { return ranges[l] * (d > 3 ? 0.1 : 1); }

/* ---- targets ---- */

enum { PI1, PI2, PI4, PI8, PI16, PACKET, LINES };

typedef struct sample_set {
    int64_t n, tests, d;
    int q;
    double *x, *y, *x_test, *y_test, spread[MOST_TARGETS]; /* y[n,q] with columns of mean 0, y_test less the same means */
} sample_set;

/* Ridge functions of frequencies 2 and 12 along four directions that the seed 7 names. */
static void ridge_targets(int64_t d, const double *x, double *y)
{
    nigh_rng rng = nigh_rng_new(7, (uint64_t)d);
    double direction[8];
    y[0] = y[1] = 0;
    for (int r = 0; r < 4; r++) {
        double t = 0;
        nigh_rng_sphere(&rng, d, direction);
        for (int64_t k = 0; k < d; k++) t += direction[k] * x[k];
        y[0] += sin(2 * t + r), y[1] += sin(12 * t + r);
    }
}

static void targets(int64_t d, const double *x, double *y)
{
    if (d > 1) {
        ridge_targets(d, x, y);
        return;
    }
    for (int k = 0; k < 5; k++) y[k] = sin((1 << k) * M_PI * x[0]);
    y[PACKET] = exp(-200 * x[0] * x[0]) * cos(40 * x[0]);
}

static nigh_status set_new(nigh_arena *arena, int64_t n, int64_t tests, int64_t d, uint64_t seed, sample_set *set)
{
    int q = d > 1 ? 2 : LINES;
    *set = (sample_set){.n = n, .tests = tests, .d = d, .q = q};
    double *x = nigh_arena_alloc(arena, (size_t)((n + tests) * d) * sizeof *x), *y = nigh_arena_alloc(arena, (size_t)((n + tests) * q) * sizeof *y);
    if (!x || !y) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 10 + (uint64_t)d);
    for (int64_t i = 0; i < (n + tests) * d; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
    for (int64_t i = 0; i < n + tests; i++) targets(d, x + i * d, y + i * q);
    for (int j = 0; j < q; j++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; i++) mean += y[i * q + j] / (double)n;
        for (int64_t i = 0; i < n + tests; i++) y[i * q + j] -= mean;
        for (int64_t i = n; i < n + tests; i++) square += y[i * q + j] * y[i * q + j] / (double)tests;
        set->spread[j] = sqrt(square);
    }
    set->x = x, set->y = y, set->x_test = x + n * d, set->y_test = y + n * q;
    return NIGH_OK;
}

/* ---- a network with random hidden weights ---- */

typedef struct network {
    map_model model;
    nigh_arena *arena;
} network;

static nigh_status network_room(network *net, int64_t d, int64_t count)
{
    net->model = (map_model){.body = MAP_FEATURES, .activation = MAP_SIGMOID, .d = d, .r = d, .q = 1, .m = 1, .count = count};
    return map_model_alloc(net->arena, &net->model, false, false, false);
}

static int by_size(const void *a, const void *b)
{
    double x = ((const double *)a)[0], y = ((const double *)b)[0];
    return (x < y) - (x > y);
}

/* The fake of training: of a pool of features from a wide range those that go best with sin(8 pi x). */
static nigh_status train(nigh_context *ctx, const sample_set *set, uint64_t seed, int64_t count, network *net)
{
    network pool = {.arena = net->arena};
    int64_t many = POOL * count, to = map_padded(count), from = map_padded(many);
    nigh_status status = network_room(&pool, set->d, many);
    if (status) return status;
    features_law law = {MAP_SIGMOID, WIDE_RANGE, features_radius(set->n, set->d, set->x), seed};
    features_draw(&law, set->n, set->x, &pool.model);
    double *values = nigh_arena_alloc(net->arena, (size_t)(set->n * many) * sizeof *values);
    double(*rank)[2] = nigh_arena_alloc(net->arena, (size_t)many * sizeof *rank);
    if (!values || !rank) return NIGH_MEMORY;
    if ((status = features_values(ctx, &pool.model, set->n, set->x, values))) return status;
    for (int64_t j = 0; j < many; j++) {
        rank[j][0] = 0, rank[j][1] = (double)j;
        for (int64_t i = 0; i < set->n; i++) rank[j][0] += values[i * many + j] * set->y[i * set->q + (set->d > 1 ? 1 : PI8)];
        rank[j][0] = fabs(rank[j][0]);
    }
    qsort(rank, (size_t)many, sizeof *rank, by_size);
    for (int64_t j = 0; j < count; j++) {
        int64_t k = (int64_t)rank[j][1];
        for (int64_t r = 0; r < set->d; r++) net->model.points[r * to + j] = pool.model.points[r * from + k];
        net->model.start[j] = pool.model.start[k];
    }
    return NIGH_OK;
}

/* Relative errors on the test inputs, of all targets, with `count` features of this range. */
static nigh_status fit_errors(claim_run *run, const sample_set *set, double lambda, int64_t count, uint64_t seed, double *error)
{
    nigh_context *ctx = run->ctx;
    network net = {0};
    int64_t n = set->n, q = set->q;
    double *values = nigh_alloc(ctx, (size_t)(n * count) * sizeof *values), *other = nigh_alloc(ctx, (size_t)(set->tests * count) * sizeof *other);
    double *c = nigh_alloc(ctx, (size_t)(count * q) * sizeof *c), *answer = nigh_alloc(ctx, (size_t)(set->tests * q) * sizeof *answer), sum = 0;
    nigh_status status = values && other && c && answer ? nigh_arena_new(ctx, &net.arena) : NIGH_MEMORY;
    if (!status) status = network_room(&net, set->d, count);
    if (status) goto done;
    if (claim_sabotaged(run, "rescaled-draws")) lambda = WIDE_RANGE;
    features_law law = {MAP_SIGMOID, lambda, features_radius(n, set->d, set->x), seed};
    features_draw(&law, n, set->x, &net.model);
    if (claim_sabotaged(run, "trained-weights")) status = train(ctx, set, seed, count, &net);
    if (!status) status = features_values(ctx, &net.model, n, set->x, values);
    if (!status) status = features_values(ctx, &net.model, set->tests, set->x_test, other);
    for (int64_t i = 0; i < n * count; i++) sum += values[i] * values[i];
    if (!status) status = linalg_ridge_direct(ctx, n, count, q, values, set->y, RIDGE * sum / (double)(n < count ? n : count), c);
    if (!status) status = linalg_gemm(ctx, false, false, set->tests, q, count, 1, other, c, 0, answer);
    for (int64_t j = 0; j < q && !status; j++) {
        double square = 0;
        for (int64_t i = 0; i < set->tests; i++) square += pow(answer[i * q + j] - set->y_test[i * q + j], 2) / (double)set->tests;
        error[j] = sqrt(square) / set->spread[j];
    }
done:
    nigh_arena_free(net.arena);
    nigh_free(ctx, answer);
    nigh_free(ctx, c);
    nigh_free(ctx, other);
    nigh_free(ctx, values);
    return status;
}

/* The same, remembered in full runs. */
static nigh_status cell(claim_run *run, const sample_set *set, double lambda, int64_t count, int s, double *error)
{
    char key[96];
    snprintf(key, sizeof key, "d%d-n%d-f%d-l%g-s%d", (int)set->d, (int)set->n, (int)count, lambda, s);
    if (claim_recall(run, key, set->q, error)) return NIGH_OK;
    nigh_status status = fit_errors(run, set, lambda, count, nigh_seed_split(claim_seed(run), (uint64_t)(100 + s)), error);
    return status ? status : claim_keep(run, key, set->q, error);
}

/* What the diagnosis says of target j, over the ranges; its choice. */
static nigh_status diagnose(claim_run *run, const sample_set *set, int j, int s, nigh_band *band)
{
    double *y = nigh_alloc(run->ctx, (size_t)set->n * sizeof *y);
    if (!y) return NIGH_MEMORY;
    for (int64_t i = 0; i < set->n; i++) y[i] = set->y[i * set->q + j];
    nigh_band_options o = nigh_band_options_default();
    double lambda[RANGES];
    for (int l = 0; l < RANGES; l++) lambda[l] = range_at(set->d, l);
    o.count = RANGES, o.lambda = lambda, o.ridge = RIDGE, o.seed = nigh_seed_split(claim_seed(run), (uint64_t)(200 + s));
    if (run->quick) o.samples = QUICK_SAMPLES, o.features = QUICK_FEATURES;
    if (set->d > 1) o.samples = run->quick ? 200 : 800, o.features = 2 * o.samples; /* scattered points are sparse there */
    nigh_status status = nigh_band_floor(run->ctx, set->n, set->d, 1, set->x, y, &o, band);
    for (int i = 0; i < RANGES && claim_sabotaged(run, "no-floor"); i++) band->row[i].floor = band->row[i].spectral = 0, band->chosen = 0;
    nigh_free(run->ctx, y);
    return status;
}

/* ---- the bars ---- */

typedef struct grid {
    int seeds, sizes, size[MOST_SIZES];
    double error[MOST_SEEDS][MOST_SIZES][RANGES][MOST_TARGETS];
    nigh_band band[MOST_SEEDS][MOST_TARGETS];
} grid;

static nigh_status floor_bars(claim_run *run, const sample_set *set, int seeds)
{
    double worst_gain = 1, low = INFINITY, high = 0, few[MOST_TARGETS], many[MOST_TARGETS], wide[MOST_TARGETS];
    for (int s = 0; s < seeds; s++) {
        nigh_status status = cell(run, &set[s], 2, 100, s, few);
        if (!status) status = cell(run, &set[s], 2, 3200, s, many);
        if (!status) status = cell(run, &set[s], 50, 400, s, wide);
        if (status) return status;
        worst_gain = fmin(worst_gain, many[PI8] / few[PI8]), low = fmin(low, many[PI8]), high = fmax(high, wide[PI8]);
    }
    claim_bar(run, "1: sin(8 pi x), lambda 2: error of 3200 features over that of 100, least", worst_gain, CLAIM_AT_LEAST, 0.9, NULL);
    claim_bar(run, "1: sin(8 pi x), lambda 2: error of 3200 features, least", low, CLAIM_AT_LEAST, 0.9, NULL);
    claim_bar(run, "1: sin(8 pi x), lambda 50: error of 400 features, largest", high, CLAIM_AT_MOST, 1e-3, NULL);
    return NIGH_OK;
}

static nigh_status grid_fill(claim_run *run, const sample_set *set, grid *g)
{
    for (int s = 0; s < g->seeds; s++) {
        for (int k = 0; k < g->sizes; k++)
            for (int l = 0; l < RANGES; l++) {
                nigh_status status = claim_progress(run, "ranges x features", (s * g->sizes + k) * RANGES + l, g->seeds * g->sizes * RANGES);
                if (!status) status = cell(run, &set[s], range_at(set[s].d, l), g->size[k], s, g->error[s][k][l]);
                if (status) return status;
            }
        for (int j = 0; j < set[s].q; j++) {
            nigh_status status = diagnose(run, &set[s], j, s, &g->band[s][j]);
            if (status) return status;
        }
    }
    return NIGH_OK;
}

/* Best range for target j with g->size[k] features: least geometric mean over the seeds. */
static int best_range(const grid *g, int k, int j)
{
    int best = 0;
    double least = INFINITY;
    for (int l = 0; l < RANGES; l++) {
        double sum = 0;
        for (int s = 0; s < g->seeds; s++) sum += log(g->error[s][k][l][j]);
        if (sum < least) least = sum, best = l;
    }
    return best;
}

static void growth_bars(claim_run *run, const grid *g)
{
    int at[5], falls = 0;
    for (int k = 0; k < 5; k++) at[k] = best_range(g, 1, k), falls += k && at[k] < at[k - 1];
    claim_note(run, "best lambda with %d features for sin(k pi x), k = 1, 2, 4, 8, 16: %g %g %g %g %g", g->size[1], ranges[at[0]], ranges[at[1]],
               ranges[at[2]], ranges[at[3]], ranges[at[4]]);
    claim_bar(run, "2: best lambda for sin(k pi x) falls as k grows, times", falls, CLAIM_AT_MOST, 0, NULL);
    if (!run->quick) /* one seed cannot tell between neighbours of the grid */
        claim_bar(run, "2: best lambda of k = 16 over that of k = 1", ranges[at[4]] / ranges[at[0]], CLAIM_AT_LEAST, 4, NULL);
}

/* Share of cases in which both say the same of a floor above 10%; the least over the seeds. */
static double agreement(const grid *g, const int *which, int count, bool spectral)
{
    double least = 1;
    for (int s = 0; s < g->seeds; s++) {
        int same = 0;
        for (int t = 0; t < count; t++)
            for (int l = 0; l < RANGES; l++) {
                const nigh_band_row *row = &g->band[s][which[t]].row[l];
                double measured = INFINITY;
                for (int k = 0; k < g->sizes; k++) measured = fmin(measured, g->error[s][k][l][which[t]]);
                same += ((spectral ? row->spectral : row->floor) > FLOOR) == (measured > FLOOR);
            }
        least = fmin(least, (double)same / (count * RANGES));
    }
    return least;
}

static double fit_flops(double n, double p) { return 2 * (n + p) * fmin(n, p) * fmin(n, p); }

static void plan_bars(claim_run *run, const sample_set *set, const grid *g, const int *which, int count)
{
    double one = 0, band = RANGES * 14 * 1.25 * (run->quick ? (double)QUICK_SAMPLES * QUICK_SAMPLES * QUICK_FEATURES : 400.0 * 400 * 600);
    int near = INT32_MAX, poor = INT32_MAX;
    for (int k = 0; k < g->sizes; k++) one += fit_flops((double)set->n, g->size[k]);
    for (int s = 0; s < g->seeds; s++) {
        int good = 0, bad = 0;
        for (int t = 0; t < count; t++) {
            int j = which[t], chosen = g->band[s][j].chosen;
            double best = INFINITY, mine = INFINITY, usual = INFINITY;
            for (int k = 0; k < g->sizes; k++) {
                for (int l = 0; l < RANGES; l++) best = fmin(best, g->error[s][k][l][j]);
                mine = fmin(mine, g->error[s][k][chosen][j]), usual = fmin(usual, g->error[s][k][1][j]);
            }
            good += mine <= 3 * best, bad += usual > 100 * best;
            if (s == 0)
                claim_note(run, "target %d: lambda %g chosen, error %.2g; best of the grid %.2g; lambda 1: %.2g", t, ranges[chosen], mine,
                           best, usual);
        }
        near = good < near ? good : near, poor = bad < poor ? bad : poor;
    }
    double work = (band + one) / (RANGES * one);
    claim_bar(run, "4: work of diagnosis and fits at its lambda over that of the grid", work, CLAIM_AT_MOST, 0.2, "counted operations");
    claim_bar(run, "4: of 5 targets within 3 x of the grid's best, least over seeds", near, CLAIM_AT_LEAST, 4, NULL);
    claim_bar(run, "4: of 5 targets more than 100 x worse at lambda = 1, least over seeds", poor, CLAIM_AT_LEAST, 2, NULL);
}

static nigh_status sets_new(claim_run *run, nigh_arena *arena, int64_t n, int64_t d, int seeds, sample_set *set)
{
    nigh_status status = NIGH_OK;
    for (int s = 0; s < seeds && !status; s++)
        status = set_new(arena, n, run->quick ? 500 : 2000, d, nigh_seed_split(claim_seed(run), (uint64_t)s), &set[s]);
    return status;
}

/*
 * Bars 1 and 3 in d dimensions. The error of target 1 (frequency 12) stays up at the range `flat`, whatever the number of features; that of
 * `learnt` falls when the range goes from the narrowest to the best. In five dimensions 2000 samples teach frequency 12 to no
 * range at all, so there the second is shown on frequency 2.
 */
static nigh_status higher(claim_run *run, nigh_arena *arena, int64_t d, int flat, int learnt, double reached)
{
    static const int both[] = {0, 1};
    sample_set set[MOST_SEEDS];
    grid *g = nigh_arena_alloc_zero(arena, 1, sizeof *g);
    if (!g) return NIGH_MEMORY;
    *g = run->quick ? (grid){.seeds = 1, .sizes = 3, .size = {100, 300, 600}} : (grid){.seeds = 3, .sizes = 4, .size = {100, 400, 1600, 3200}};
    nigh_status status = sets_new(run, arena, run->quick ? 400 : 2000, d, g->seeds, set);
    if (!status) status = grid_fill(run, set, g);
    if (status) return status;
    double gain = 1, low = INFINITY, ratio = INFINITY;
    int last = g->sizes - 1;
    for (int s = 0; s < g->seeds; s++) {
        double best = INFINITY;
        for (int l = 0; l < RANGES; l++) best = fmin(best, g->error[s][last][l][learnt]);
        gain = fmin(gain, g->error[s][last][flat][1] / g->error[s][0][flat][1]), low = fmin(low, g->error[s][last][flat][1]);
        ratio = fmin(ratio, g->error[s][last][0][learnt] / best);
        for (int j = 0; j < 2 && s == 0; j++)
            for (int l = 0; l < RANGES; l++)
                claim_note(run, "d = %d, frequency %d, lambda %g: measured %.2g, floor told %.2g", (int)d, j ? 12 : 2, range_at(d, l),
                           g->error[s][last][l][j], g->band[s][j].row[l].floor);
    }
    char name[160];
    snprintf(name, sizeof name, "5: d = %d, frequency 12, lambda %g: error of %d features over that of 100, least", (int)d, range_at(d, flat), g->size[last]);
    claim_bar(run, name, gain, CLAIM_AT_LEAST, 0.9, NULL);
    snprintf(name, sizeof name, "5: d = %d, frequency 12, lambda %g: error of %d features, least", (int)d, range_at(d, flat), g->size[last]);
    claim_bar(run, name, low, CLAIM_AT_LEAST, 0.9, NULL);
    snprintf(name, sizeof name, "5: d = %d, frequency %d: error at lambda %g over that at the best, least", (int)d, learnt ? 12 : 2, range_at(d, 0));
    claim_bar(run, name, ratio, CLAIM_AT_LEAST, reached, NULL);
    snprintf(name, sizeof name, "5: d = %d: the diagnosis agrees, share of 18 cases", (int)d);
    if (!run->quick) claim_bar(run, name, agreement(g, both, 2, false), CLAIM_AT_LEAST, 0.9, NULL); /* quick: too few samples to tell */
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    static const int five[] = {PI1, PI4, PI8, PI16, PACKET};
    sample_set set[MOST_SEEDS];
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(run->ctx, &arena);
    if (status) return status;
    grid *g = nigh_arena_alloc_zero(arena, 1, sizeof *g);
    int64_t n = run->quick ? 700 : 2000;
    if (!g) status = NIGH_MEMORY;
    if (!status) *g = (grid){.seeds = run->quick ? 1 : MOST_SEEDS, .sizes = run->quick ? 3 : 4, .size = {100, 400, 1600, 3200}};
    if (!status) status = sets_new(run, arena, n, 1, g->seeds, set);
    if (!status) status = floor_bars(run, set, g->seeds);
    if (!status) status = grid_fill(run, set, g);
    if (!status) {
        growth_bars(run, g);
        claim_bar(run, "3: the diagnosis agrees, share of 45 cases, least over seeds", agreement(g, five, 5, false), CLAIM_AT_LEAST, 0.9, NULL);
        claim_note(run, "the spectral view alone agrees in %.0f%% of the cases", 100 * agreement(g, five, 5, true));
        plan_bars(run, &set[0], g, five, 5);
        status = higher(run, arena, 2, 0, 1, 5);
    }
    if (!status) status = higher(run, arena, 5, 2, 0, 5);
    nigh_arena_free(arena);
    return status;
}

const nigh_claim claim_bandlimited_random_features = {
    .slug = "bandlimited-random-features",
    .title = "How Powerful are Shallow Neural Networks with Bandlimited Random Weights?",
    .run = run_claim,
    .saboteurs = saboteurs,
};
