/*
 * Claim of "Preserving Statistical Validity in Adaptive Data Analysis": a hold-out that is asked through Thresholdout, or with
 * tuned noise, keeps telling the truth where one that is simply reused does not.
 *
 *   1, 2  attributes are picked by their weight on training set and hold-out, a classifier is built of the k best, and its
 *         accuracy is asked of the hold-out ("The reusable holdout"): without signal, and with 20 shifted attributes
 *   3     m random +-1 queries, then the sign of their sum weighted by the answers (the monitor attack)
 *   4     1000 adaptive queries beside a hold-out cut into 1000 parts
 *   5     which of plain reuse, Thresholdout and the ledger of walks picks best among 40 candidates, and which is honest
 *         (adaptive_data_analysis/climb.c)
 *
 * All data are drawn in columns that are drawn again when needed, so nothing of size attributes x rows is ever stored.
 */
#include "adaptive_data_analysis/arms.h"

#include "nigh/random.h"
#include "nigh/special.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"holdout-only", "train-only", "no-noise", NULL};

/* ---- 1 and 2: picking attributes ------------------------------------------------------------------------- */

enum { MAX_K = 9, MAX_REPS = 20, TRAIN = 0, HELD = 1, FRESH = 2, NAIVE = 0, GUARDED = 1 };

typedef struct pick_setup {
    int n, d, shifted, reps; /* shifted: attributes with signal */
    int ks, k[MAX_K];
    stand_in fake;
} pick_setup;

/* Means over reps are taken from these: what was reported and what is true on fresh rows. */
typedef struct pick_result {
    double report[2][MAX_K], fresh[2][MAX_K];
} pick_result;

typedef struct pick_work {
    const pick_setup *setup;
    uint64_t seed;
    int8_t *label[3];     /* [n] each */
    double *weight[2];    /* [d], of TRAIN and HELD */
    int *chosen[2], count[2];
    double accuracy[2][3][MAX_K];
} pick_work;

/* Attribute a of one set: N(0, 1), shifted by 6/sqrt(n) times the label if it carries signal. */
static void draw_column(const pick_work *w, int set, int a, float *x)
{
    const pick_setup *s = w->setup;
    nigh_rng rng = nigh_rng_new(w->seed, 3 + 3 * (uint64_t)a + (uint64_t)set);
    nigh_rng_fill_normal_f32(&rng, s->n, x);
    if (a >= s->shifted) return;
    float shift = (float)(6 / sqrt(s->n));
    for (int i = 0; i < s->n; i++) x[i] += shift * w->label[set][i];
}

static double column_weight(const pick_work *w, int set, int a, float *x)
{
    draw_column(w, set, a, x);
    float part[16] = {0};
    int n = w->setup->n, i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) part[j] += x[i + j] * w->label[set][i + j];
    double sum = 0;
    for (; i < n; i++) sum += x[i] * w->label[set][i];
    for (int j = 0; j < 16; j++) sum += part[j];
    return sum / n;
}

/* Accuracy of the sign of the summed attributes after each number k of them. */
static void classify(pick_work *w, int analyst, int set, float *x, float *score)
{
    const pick_setup *s = w->setup;
    memset(score, 0, (size_t)s->n * sizeof *score);
    int used = 0;
    for (int j = 0; j < s->ks; j++) {
        for (; used < s->k[j] && used < w->count[analyst]; used++) {
            int a = w->chosen[analyst][used];
            draw_column(w, set, a, x);
            float sign = w->weight[TRAIN][a] < 0 ? -1 : 1;
            for (int i = 0; i < s->n; i++) score[i] += sign * x[i];
        }
        int right = 0;
        for (int i = 0; i < s->n; i++) right += (score[i] < 0 ? -1 : 1) == w->label[set][i];
        w->accuracy[analyst][set][j] = (double)right / s->n;
    }
}

/* Which attributes an analyst keeps (same sign and at least 1/sqrt n on both sets), largest training weight first. */
typedef struct ranked {
    double weight;
    int attribute;
} ranked;

static int by_weight(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
    return x->attribute - y->attribute;
}

static void keep_attributes(pick_work *w, int analyst, const double *told, ranked *order)
{
    const pick_setup *s = w->setup;
    double least = 1 / sqrt(s->n);
    int kept = 0;
    for (int a = 0; a < s->d; a++) {
        double t = w->weight[TRAIN][a];
        if (fabs(t) >= least && fabs(told[a]) >= least && (t > 0) == (told[a] > 0)) order[kept++] = (ranked){fabs(t), a};
    }
    qsort(order, (size_t)kept, sizeof *order, by_weight);
    for (int i = 0; i < kept; i++) w->chosen[analyst][i] = order[i].attribute;
    w->count[analyst] = kept;
}

/* Thresholdout for weights and accuracies alike: values of one row in -8 .. 8 (a normal number never is outside) with a
 * standard deviation of 1; T = 4/sqrt n, sigma = 1/sqrt n. */
static nigh_status new_guard(nigh_context *ctx, int n, uint64_t seed, nigh_holdout **out)
{
    nigh_holdout_options o = nigh_holdout_options_default(n);
    o.low = -8, o.high = 8, o.sd = 1;
    o.threshold = 4 / sqrt(n);
    o.scale = 1 / sqrt(n);
    o.seed = seed;
    return nigh_holdout_new(ctx, &o, out);
}

static nigh_status pick_once(claim_run *run, pick_work *w, pick_result *result)
{
    const pick_setup *s = w->setup;
    int threads = nigh_context_threads(run->ctx);
    (void)threads;
    size_t n = (size_t)s->n, d = (size_t)s->d;
    nigh_holdout *guard = NULL;
    float *room = nigh_alloc(run->ctx, 12 * n * sizeof *room);
    double *told = nigh_alloc(run->ctx, d * sizeof *told);
    ranked *order = nigh_alloc(run->ctx, d * sizeof *order);
    nigh_status status = room && told && order ? new_guard(run->ctx, s->n, w->seed, &guard) : NIGH_MEMORY;
    if (status) goto done;
    for (int set = 0; set < 3; set++) {
        nigh_rng rng = nigh_rng_new(w->seed, (uint64_t)set);
        for (int i = 0; i < s->n; i++) w->label[set][i] = nigh_rng_u32(&rng) & 1 ? 1 : -1;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int part = 0; part < 12; part++)
        for (int a = part; a < s->d; a += 12)
            for (int set = 0; set < 2; set++) w->weight[set][a] = column_weight(w, set, a, room + n * (size_t)part);
    keep_attributes(w, NAIVE, w->weight[HELD], order);
    for (int a = 0; a < s->d && !status; a++) status = ask(guard, s->fake, w->weight[TRAIN][a], w->weight[HELD][a], &told[a]);
    if (status) goto done;
    keep_attributes(w, GUARDED, told, order);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int part = 0; part < 6; part++) classify(w, part / 3, part % 3, room + n * (size_t)(2 * part), room + n * (size_t)(2 * part + 1));
    for (int j = 0; j < s->ks && !status; j++) {
        result->report[NAIVE][j] = w->accuracy[NAIVE][HELD][j];
        status = ask(guard, s->fake, w->accuracy[GUARDED][TRAIN][j], w->accuracy[GUARDED][HELD][j], &result->report[GUARDED][j]);
        for (int analyst = 0; analyst < 2; analyst++) result->fresh[analyst][j] = w->accuracy[analyst][FRESH][j];
    }
done:
    nigh_holdout_free(guard);
    nigh_free(run->ctx, order);
    nigh_free(run->ctx, told);
    nigh_free(run->ctx, room);
    return status;
}

/* results [reps] */
static nigh_status pick(claim_run *run, const pick_setup *s, pick_result *results)
{
    pick_work w = {.setup = s};
    nigh_status status = NIGH_OK;
    nigh_arena *arena = NULL;
    if (nigh_arena_new(run->ctx, &arena)) return NIGH_MEMORY;
    for (int set = 0; set < 3; set++) w.label[set] = nigh_arena_alloc(arena, (size_t)s->n);
    for (int set = 0; set < 2; set++) {
        w.weight[set] = nigh_arena_alloc(arena, (size_t)s->d * sizeof(double));
        w.chosen[set] = nigh_arena_alloc(arena, (size_t)s->d * sizeof(int));
    }
    if (!w.label[0] || !w.label[1] || !w.label[2] || !w.weight[0] || !w.weight[1] || !w.chosen[0] || !w.chosen[1]) status = NIGH_MEMORY;
    for (int rep = 0; rep < s->reps && !status; rep++) {
        char key[64], what[64];
        int size = (int)(sizeof *results / sizeof(double));
        snprintf(key, sizeof key, "pick-%d-%d-%d", s->n, s->shifted, rep);
        snprintf(what, sizeof what, "attributes, n = %d, %s signal", s->n, s->shifted ? "with" : "no");
        status = claim_progress(run, what, rep, s->reps);
        if (status || claim_recall(run, key, size, (double *)&results[rep])) continue;
        w.seed = nigh_seed_split(claim_seed(run), (uint64_t)(s->n + s->shifted) * 1000 + (uint64_t)rep);
        memset(&results[rep], 0, sizeof results[rep]);
        status = pick_once(run, &w, &results[rep]);
        if (!status) status = claim_keep(run, key, size, (double *)&results[rep]);
    }
    nigh_arena_free(arena);
    return status;
}

/* Report less fresh at k number j, with its interval over reps. */
static nigh_status overestimate(claim_run *run, const pick_setup *s, const pick_result *results, int analyst, int j, nigh_figure *out)
{
    double x[MAX_REPS];
    for (int i = 0; i < s->reps; i++) x[i] = results[i].report[analyst][j] - results[i].fresh[analyst][j];
    return nigh_mean_student(run->ctx, s->reps, x, 0.95, out);
}

static double fresh_mean(const pick_setup *s, const pick_result *results, int analyst, int j)
{
    double sum = 0;
    for (int i = 0; i < s->reps; i++) sum += results[i].fresh[analyst][j];
    return sum / s->reps;
}

static int best_k(const pick_setup *s, const pick_result *results, int analyst)
{
    int best = 0;
    for (int j = 1; j < s->ks; j++)
        if (fresh_mean(s, results, analyst, j) > fresh_mean(s, results, analyst, best)) best = j;
    return best;
}

static void note_curve(claim_run *run, const pick_setup *s, const pick_result *results)
{
    for (int j = 0; j < s->ks; j++) {
        double report[2] = {0, 0};
        for (int i = 0; i < s->reps; i++)
            for (int analyst = 0; analyst < 2; analyst++) report[analyst] += results[i].report[analyst][j] / s->reps;
        claim_note(run, "n=%d %s k=%-4d naive reports %.3f, fresh %.3f; Thresholdout reports %.3f, fresh %.3f", s->n,
                   s->shifted ? "signal   " : "no signal", s->k[j], report[NAIVE], fresh_mean(s, results, NAIVE, j), report[GUARDED],
                   fresh_mean(s, results, GUARDED, j));
    }
}

static nigh_status bars_without_signal(claim_run *run, const pick_setup *s, const pick_result *results, double limit)
{
    char name[96];
    nigh_figure figure, naive;
    int last = s->ks - 1;
    nigh_status status = overestimate(run, s, results, NAIVE, last, &naive);
    if (status) return status;
    snprintf(name, sizeof name, "no signal n=%d: naive overestimate at k=%d", s->n, s->k[last]);
    claim_bar_interval(run, name, &naive, CLAIM_AT_LEAST, 0.08, NULL);
    status = overestimate(run, s, results, GUARDED, last, &figure);
    if (status) return status;
    snprintf(name, sizeof name, "no signal n=%d: Thresholdout overestimate at k=%d", s->n, s->k[last]);
    claim_bar_interval(run, name, &figure, CLAIM_AT_MOST, limit, NULL);
    snprintf(name, sizeof name, "no signal n=%d: Thresholdout's overestimate over naive's at k=%d", s->n, s->k[last]);
    if (run->quick) claim_bar(run, name, figure.estimate / naive.estimate, CLAIM_AT_MOST, 0.6, NULL);
    double worst = -INFINITY;
    for (int j = 0; j < s->ks; j++) {
        status = overestimate(run, s, results, GUARDED, j, &figure);
        if (status) return status;
        worst = fmax(worst, figure.estimate);
    }
    snprintf(name, sizeof name, "no signal n=%d: Thresholdout's worst overestimate over k", s->n);
    claim_bar(run, name, worst, CLAIM_AT_MOST, (run->quick ? 5 : 4) / sqrt(s->n),
              run->quick ? "T + sigma; 5 repetitions" : "T = 4/sqrt n");
    note_curve(run, s, results);
    return NIGH_OK;
}

static nigh_status bars_with_signal(claim_run *run, const pick_setup *s, const pick_result *results)
{
    char name[96];
    nigh_figure figure, naive;
    int last = s->ks - 1, best = best_k(s, results, GUARDED);
    nigh_status status = overestimate(run, s, results, GUARDED, best, &figure);
    if (!status) status = overestimate(run, s, results, NAIVE, last, &naive);
    if (status) return status;
    figure.estimate = fabs(figure.estimate);
    snprintf(name, sizeof name, "signal n=%d: Thresholdout's report off fresh at its best k=%d", s->n, s->k[best]);
    claim_bar(run, name, figure.estimate, CLAIM_AT_MOST, 0.015, NULL);
    snprintf(name, sizeof name, "signal n=%d: naive's best fresh accuracy less Thresholdout's", s->n);
    double behind = fresh_mean(s, results, NAIVE, best_k(s, results, NAIVE)) - fresh_mean(s, results, GUARDED, best);
    claim_bar(run, name, behind, CLAIM_AT_MOST, 0.01, NULL);
    snprintf(name, sizeof name, "signal n=%d: naive overestimate at k=%d", s->n, s->k[last]);
    claim_bar_interval(run, name, &naive, CLAIM_AT_LEAST, 0.08, NULL);
    status = overestimate(run, s, results, GUARDED, last, &figure);
    if (status) return status;
    snprintf(name, sizeof name, "signal n=%d: Thresholdout's overestimate over naive's at k=%d", s->n, s->k[last]);
    claim_bar(run, name, figure.estimate / naive.estimate, CLAIM_AT_MOST, 0.6, NULL);
    note_curve(run, s, results);
    return NIGH_OK;
}

static nigh_status pick_bars(claim_run *run)
{
    static const pick_setup full[] = {{.n = 4000, .d = 4000, .reps = 20, .ks = 7, .k = {5, 10, 20, 50, 100, 200, 400}},
                                      {.n = 10000, .d = 10000, .reps = 20, .ks = 9, .k = {5, 10, 20, 50, 100, 200, 400, 500, 1000}}},
                            quick[] = {{.n = 1000, .d = 1000, .reps = 5, .ks = 5, .k = {5, 10, 20, 50, 100}}};
    int count = run->quick ? 1 : 4; /* with and without signal; the quick claim is too small for the one with signal */
    pick_result *results = nigh_alloc(run->ctx, MAX_REPS * sizeof *results);
    nigh_status status = results ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < count && !status; i++) {
        pick_setup s = run->quick ? quick[i / 2] : full[i / 2];
        s.shifted = i % 2 ? 20 : 0;
        s.fake = stand_in_of(run);
        status = pick(run, &s, results);
        if (!status && s.shifted) status = bars_with_signal(run, &s, results);
        else if (!status) status = bars_without_signal(run, &s, results, s.n == 1000 ? 4 / sqrt(s.n) : s.n == 4000 ? 0.045 : 0.025);
    }
    nigh_free(run->ctx, results);
    return status;
}

/* ---- 3: the monitor attack -------------------------------------------------------------------------------- */

typedef struct attack {
    nigh_holdout_kind kind;
    int n, m;
    double scale; /* NAN: tuned */
    uint64_t seed;
    double last, worst; /* |answer - 1/2| of the last query, and the largest of all */
} attack;

static int words_of(int n) { return (n + 31) / 32; }

/* One random query on every row as bits; its mean. Bits past n are cleared. */
static double draw_query(nigh_rng *rng, int n, uint32_t *bits)
{
    int words = words_of(n), ones = 0;
    nigh_rng_fill_u32(rng, words, bits);
    if (n % 32) bits[words - 1] &= (1u << n % 32) - 1;
    for (int i = 0; i < words; i++) ones += __builtin_popcount(bits[i]);
    return (double)ones / n;
}

/* score of every row += weight where the bit is set, -= weight elsewhere. score has room for whole words. */
static void add_query(int n, const uint32_t *bits, float weight, float *score)
{
    for (int i = 0; i < words_of(n); i++)
        for (int b = 0; b < 32; b++) score[32 * i + b] += bits[i] >> b & 1 ? weight : -weight;
}

static double positive_share(int n, const float *score)
{
    int count = 0;
    for (int i = 0; i < n; i++) count += score[i] > 0;
    return (double)count / n;
}

static nigh_status attack_task(nigh_context *ctx, int index, void *user)
{
    attack *a = (attack *)user + index;
    nigh_holdout_options o = nigh_holdout_options_default(a->n);
    o.kind = a->kind, o.queries = a->m + 1, o.scale = a->scale, o.seed = a->seed;
    nigh_holdout *h = NULL;
    uint32_t *bits = nigh_alloc(ctx, (size_t)words_of(a->n) * sizeof *bits);
    float *score = nigh_alloc_zero(ctx, (size_t)words_of(a->n) * 32, sizeof *score);
    nigh_status status = bits && score ? nigh_holdout_new(ctx, &o, &h) : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(a->seed, 1);
    nigh_holdout_answer answer;
    a->worst = a->last = 0;
    for (int j = 0; j < a->m && !status; j++) {
        status = nigh_holdout_ask(h, NULL, NAN, draw_query(&rng, a->n, bits), &answer);
        if (status) break;
        add_query(a->n, bits, (float)(answer.value - 0.5), score);
        a->worst = fmax(a->worst, fabs(answer.value - 0.5));
    }
    if (!status) status = nigh_holdout_ask(h, "the sign of all", NAN, positive_share(a->n, score), &answer);
    if (!status) {
        a->last = fabs(answer.value - 0.5);
        a->worst = fmax(a->worst, a->last);
    }
    nigh_holdout_free(h);
    nigh_free(ctx, score);
    nigh_free(ctx, bits);
    return status;
}

enum { ATTACK_REPS = 10 };

/* Means over reps of the last and the largest error. */
static nigh_status attack_mean(claim_run *run, nigh_holdout_kind kind, int n, int m, double *last, double *worst)
{
    attack tasks[ATTACK_REPS];
    char key[64];
    double kept[2] = {0, 0};
    snprintf(key, sizeof key, "attack-%d-%d-%d", (int)kind, n, m);
    nigh_status status = claim_progress(run, "monitor attack", 0, 0);
    if (status) return status;
    if (!claim_recall(run, key, 2, kept)) {
        for (int i = 0; i < ATTACK_REPS; i++)
            tasks[i] = (attack){.kind = kind, .n = n, .m = m, .scale = kind == NIGH_HOLDOUT_GAUSSIAN && claim_sabotaged(run, "no-noise") ? 0 : NAN,
                                .seed = nigh_seed_split(claim_seed(run), 50000000 + 1000 * (uint64_t)m + (uint64_t)i)};
        status = claim_tasks(run, ATTACK_REPS, attack_task, tasks);
        for (int i = 0; i < ATTACK_REPS && !status; i++) kept[0] += tasks[i].last / ATTACK_REPS, kept[1] += tasks[i].worst / ATTACK_REPS;
        if (!status) status = claim_keep(run, key, 2, kept);
    }
    *last = kept[0];
    *worst = kept[1];
    return status;
}

/* Slope of log error against log m. */
static nigh_status attack_slope(claim_run *run, nigh_holdout_kind kind, int n, int count, const int *m, double *slope)
{
    double x[16], y[16], last;
    nigh_figure figure;
    for (int i = 0; i < count; i++) {
        nigh_status status = attack_mean(run, kind, n, m[i], &last, &y[i]);
        if (status) return status;
        claim_note(run, "attack n=%d m=%-6d %s: largest error %.4f", n, m[i], nigh_holdout_kind_name(kind), y[i]);
        x[i] = log(m[i]);
        y[i] = log(y[i]);
    }
    nigh_status status = nigh_line_fit(run->ctx, count, x, y, 0.95, &figure, NULL);
    *slope = figure.estimate;
    return status;
}

static nigh_status attack_bars(claim_run *run)
{
    static const int tuned_m[] = {100, 316, 1000, 3162, 10000, 31623, 100000}, naive_m[] = {100, 200, 400, 800, 1250};
    int n = run->quick ? 500 : 2000;
    double last, worst, tuned_last, tuned_worst, slope;
    char name[96];
    nigh_status status = attack_mean(run, NIGH_HOLDOUT_PLAIN, n, n, &last, &worst);
    if (!status) status = attack_mean(run, NIGH_HOLDOUT_GAUSSIAN, n, n, &tuned_last, &tuned_worst);
    if (status) return status;
    snprintf(name, sizeof name, "monitor attack n=m=%d: naive error off Phi(1) - 1/2", n);
    claim_bar(run, name, fabs(last - (nigh_normal_cdf(1) - 0.5)), CLAIM_AT_MOST, 0.03, NULL);
    snprintf(name, sizeof name, "monitor attack n=m=%d: tuned noise over naive, largest error", n);
    claim_bar(run, name, tuned_worst / worst, CLAIM_AT_MOST, 0.6, NULL);
    claim_note(run, "attack n=m=%d: naive last %.3f; tuned noise (sigma %.4f) last %.3f, largest %.3f", n, last,
               nigh_holdout_sigma(n, n + 1, 1, 0.05), tuned_last, tuned_worst);
    if (run->quick) return NIGH_OK;
    status = attack_slope(run, NIGH_HOLDOUT_GAUSSIAN, 5000, 7, tuned_m, &slope);
    if (status) return status;
    claim_bar_within(run, "monitor attack n=5000: tuned noise, slope of log error in log m", slope, 0.2, 0.33, NULL);
    status = attack_slope(run, NIGH_HOLDOUT_PLAIN, 5000, 5, naive_m, &slope);
    if (!status) claim_bar_within(run, "monitor attack n=5000: naive, slope for m <= n/4", slope, 0.45, 0.55, NULL);
    return status;
}

/* ---- 4: beside sample splitting ----------------------------------------------------------------------------- */

/* m queries on n rows in all: 99 random ones, then one that adds up what the answers so far favoured, and so on. */
typedef struct contest {
    bool split; /* else Thresholdout on two halves */
    stand_in fake;
    int n, m;
    uint64_t seed;
    double worst;
} contest;

typedef struct contest_rows {
    const uint32_t *bits;
    const float *score; /* the query is score > 0; NULL: the bit */
} contest_rows;

static double contest_value(void *user, bool held, int64_t row)
{
    const contest_rows *r = user;
    (void)held;
    return r->score ? r->score[row] > 0 : r->bits[row / 32] >> row % 32 & 1;
}

static nigh_status contest_task(nigh_context *ctx, int index, void *user)
{
    contest *c = (contest *)user + index;
    int half = c->split ? c->n : c->n / 2;
    nigh_holdout_options o = nigh_holdout_options_default(half);
    if (c->split) o.kind = NIGH_HOLDOUT_SPLIT;
    o.queries = c->m, o.seed = c->seed;
    nigh_holdout *h = NULL;
    size_t words = (size_t)words_of(half);
    uint32_t *bits = nigh_alloc(ctx, 2 * words * sizeof *bits);
    float *score = nigh_alloc_zero(ctx, 2 * 32 * words, sizeof *score);
    nigh_status status = bits && score ? nigh_holdout_new(ctx, &o, &h) : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(c->seed, 1), other = nigh_rng_new(c->seed, 2);
    c->worst = 0;
    for (int j = 1; j <= c->m && !status; j++) {
        bool sum = j % 100 == 0;
        double value, train = draw_query(&rng, half, bits), held = draw_query(&other, half, bits + words);
        if (sum) train = positive_share(half, score), held = positive_share(half, score + 32 * words);
        if (c->split) {
            nigh_holdout_answer answer;
            status = nigh_holdout_ask_rows(h, NULL, 0, contest_value, &(contest_rows){bits, sum ? score : NULL}, &answer);
            value = answer.value;
        } else
            status = ask(h, c->fake, train, held, &value);
        if (status) break;
        c->worst = fmax(c->worst, fabs(value - 0.5));
        if (sum) continue;
        add_query(half, bits, (float)(value - 0.5), score);
        add_query(half, bits + words, (float)(value - 0.5), score + 32 * words);
    }
    nigh_holdout_free(h);
    nigh_free(ctx, score);
    nigh_free(ctx, bits);
    return status;
}

static nigh_status contest_bar(claim_run *run)
{
    enum { REPS = 10 };
    contest tasks[2 * REPS];
    double worst[2] = {0, 0};
    int n = run->quick ? 2000 : 10000, m = run->quick ? 200 : 1000;
    for (int i = 0; i < 2 * REPS; i++)
        tasks[i] = (contest){.split = i % 2, .fake = stand_in_of(run), .n = n, .m = m, .seed = nigh_seed_split(claim_seed(run), 60000000 + (uint64_t)i / 2)};
    nigh_status status = claim_progress(run, "beside splitting", 0, 0);
    if (!status) status = claim_tasks(run, 2 * REPS, contest_task, tasks);
    if (status) return status;
    for (int i = 0; i < 2 * REPS; i++) worst[i % 2] += tasks[i].worst / REPS;
    char name[96];
    snprintf(name, sizeof name, "m=%d queries, n=%d: Thresholdout's largest error over splitting's", m, n);
    claim_bar(run, name, worst[0] / worst[1], CLAIM_AT_MOST, run->quick ? 0.5 : 0.3, NULL);
    claim_note(run, "m=%d n=%d: largest error of Thresholdout (n/2 + n/2 rows) %.3f, of splitting %.3f", m, n, worst[0], worst[1]);
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = pick_bars(run);
    if (!status) status = attack_bars(run);
    if (!status) status = contest_bar(run);
    if (!status) status = climb_bars(run);
    return status;
}

extern const nigh_claim claim_adaptive_data_analysis;
const nigh_claim claim_adaptive_data_analysis = {
    .slug = "adaptive-data-analysis", .title = "Preserving Statistical Validity in Adaptive Data Analysis", .run = run_claim, .saboteurs = saboteurs};
