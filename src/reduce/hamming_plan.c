/* The planner: costs of all variants from sizes and frequencies, the best few tried on slices of the text. */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 22, LONGEST = 1 << 24, PROBES = 64, PROBE_SAMPLES = 512, TRIES = 3 };
/* Seconds from which slices are tried; ns that were measured once: what a shift costs beside its comparisons, a symbol of text in a list, a rolling hash ... */
static const double worth = 0.004, rival = 1.6, slice_share = 0.025, symbol_ns = 0.7, list_ns = 7, mapped_ns = 2, block_ns = 2.5, planes_ns = 1.2, bits_ns = 0.03, checks_ns = 6, hash_ns = 5, jump_ns = 60;

/* ---- transforms --------------------------------------------------------------------------------------------------- */

/* ns of a point of n: a line in log n through what was measured. */
static double point_cost(const hamming_costs *c, int bits, int64_t n)
{
    const double *p = c->point[bits == 64], at = (log2((double)n) - 12) / 3;
    int i = at < 1 ? 0 : 1;
    return fmax(p[i] + (p[i + 1] - p[i]) * (at - i), 0.5 * p[0]);
}

/* Expected matches of a symbol over all shifts. */
static double matches_of(const nigh_hamming *h, uint32_t a)
{
    return (double)h->ranks.in_text[a] * (double)h->ranks.in_pattern[a] * (double)h->report.shifts / (double)h->text.count;
}

typedef struct ranked {
    double matches;
    uint32_t symbol;
} ranked;

static int by_matches(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->matches != y->matches) return x->matches < y->matches ? 1 : -1;
    return (x->symbol > y->symbol) - (x->symbol < y->symbol);
}

/* h->heavy: the pattern's symbols, most matches first; rest[s] = matches of all from s on. */
static nigh_status rank_symbols(nigh_hamming *h, double **rest)
{
    int64_t n = h->ranks.distinct, found = 0;
    ranked *sorted = nigh_alloc_zero(h->ctx, (size_t)n, sizeof *sorted);
    double *sum = nigh_alloc_zero(h->ctx, (size_t)n + 1, sizeof *sum);
    h->heavy = nigh_alloc_zero(h->ctx, (size_t)n, sizeof *h->heavy);
    nigh_status status = sorted && sum && h->heavy ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        for (int64_t a = 0; a < h->ranks.symbols; a++)
            if (h->ranks.in_pattern[a]) sorted[found++] = (ranked){matches_of(h, (uint32_t)a), (uint32_t)a};
        qsort(sorted, (size_t)n, sizeof *sorted, by_matches);
        for (int64_t s = n - 1; s >= 0; s--) {
            h->heavy[s] = sorted[s].symbol;
            sum[s] = sum[s + 1] + sorted[s].matches;
        }
    }
    nigh_free(h->ctx, sorted);
    if (status) nigh_free(h->ctx, sum);
    else *rest = sum;
    return status;
}

/* ns of `heavy` transformed symbols with blocks of n. */
static double engine_cost(const nigh_hamming *h, const hamming_costs *c, const hamming_setting *s)
{
    if (s->heavy == 0) return 0;
    int64_t length = h->m < PIECE ? h->m : PIECE, pieces = (h->m + length - 1) / length, outs = s->block - length + 1;
    double parts = ceil((double)h->report.shifts / (2.0 * (double)outs));
    bool none_absent = h->ranks.same ? true : h->ranks.in_text[h->ranks.symbols] == 0;
    if (h->ranks.same)
        for (int a = 0; a < 256; a++) none_absent &= h->ranks.in_pattern[a] || !h->ranks.in_text[a];
    double forward = (double)s->heavy - (s->rest && none_absent && s->heavy > 1), held = 8.0 * s->bits / 32 * (double)(s->block / 2) * (double)(s->heavy * pieces);
    double points = (double)pieces * (double)s->block, point = point_cost(c, s->bits, s->block);
    if (held > h->options.memory) return points * parts * (point * (2 * forward + 1) + block_ns);
    return points * (parts * (point * (forward + 1) + block_ns) + (double)s->heavy * point);
}

static double light_cost(const nigh_hamming *h, const hamming_costs *c, const double *rest, int64_t heavy)
{
    if (heavy == h->ranks.distinct) return 0;
    double adds = rest[heavy] / (double)h->report.shifts, cuts = fmax(1, fmin(adds / 32, (double)h->m / 14336)), far = (double)h->m / cuts > 65536 ? 2 : 1;
    return (double)h->text.count * list_ns * cuts + rest[heavy] * c->add * far;
}

/* f32 where its rounding error is expected far below the limit of 0.2. */
static int bits_for(const nigh_hamming *h, int64_t n, int64_t heavy)
{
    if (h->m >= 1 << 20) return 64; /* whole numbers of f32 are too coarse to be checked */
    return h->options.bits ? h->options.bits : hamming_engine_noise(h, 32, n, heavy, h->heavy) < 0.02 ? 32 : 64;
}

static int64_t next_size(int64_t n)
{
    int64_t power = 1;
    while (power * 2 <= n) power *= 2;
    return n < power / 4 * 5 ? power / 4 * 5 : n < power / 2 * 3 ? power / 2 * 3 : power * 2;
}

/* The cheapest block and number of heavy symbols; all: every symbol is transformed. */
static double best_setting(const nigh_hamming *h, const hamming_costs *c, const double *rest, bool all, hamming_setting *best)
{
    int64_t length = h->m < PIECE ? h->m : PIECE, distinct = h->ranks.distinct;
    double least = INFINITY;
    for (int64_t n = 512; n <= LONGEST; n = next_size(n)) {
        if (n < length + 1 || n - length + 1 < length / 8) continue;
        hamming_setting s = {.block = n};
        int64_t counts[3] = {distinct, distinct, distinct}, tried = 1;
        if (!all) { /* a symbol is heavy when its matches cost more than its transforms */
            double parts = ceil((double)h->report.shifts / (2.0 * (double)(n - length + 1))) * ceil((double)h->m / (double)length);
            int64_t low = 0, high = distinct;
            int bits = bits_for(h, n, distinct < 16 ? distinct : 16);
            double cost = (parts + 1) * (double)n * point_cost(c, bits, n);
            while (low < high) {
                int64_t middle = (low + high) / 2;
                if ((rest[middle] - rest[middle + 1]) * c->add > cost) low = middle + 1;
                else high = middle;
            }
            counts[0] = low, counts[1] = 0, tried = 2;
            if (h->options.heavy >= 0) counts[0] = h->options.heavy < distinct ? h->options.heavy : distinct, tried = 1;
        }
        for (int64_t i = 0; i < tried; i++) {
            s.heavy = counts[i];
            s.rest = s.heavy == distinct;
            s.bits = bits_for(h, n, s.heavy);
            double cost = engine_cost(h, c, &s) + light_cost(h, c, rest, s.heavy);
            if (cost < least) least = cost, *best = s;
        }
        if (n > 2 * (h->report.shifts + length)) break;
    }
    return least;
}

/* ---- probing ------------------------------------------------------------------------------------------------------ */

/* Shifts drawn at random: how far each is compared until more than k differ, and its share of mismatches at random places. */
typedef struct probe {
    double stop, near, samples; /* mean symbols until the exit; share of shifts that never exit; mean samples */
} probe;

static double share_of_misses(const nigh_hamming *h, nigh_rng *rng)
{
    int64_t i = (int64_t)nigh_rng_below(rng, (uint64_t)h->report.shifts), misses = 0;
    for (int s = 0; s < PROBE_SAMPLES; s++) {
        int64_t j = (int64_t)nigh_rng_below(rng, (uint64_t)h->m);
        misses += hamming_value(h->text.dtype, h->text.data, i + j) != hamming_value(h->given.dtype, h->given.data, j);
    }
    return (double)misses / PROBE_SAMPLES;
}

static nigh_status probe_shifts(const nigh_hamming *h, probe *out)
{
    char *window = nigh_alloc(h->ctx, (size_t)h->m * (size_t)h->ranks.width);
    if (!window) return NIGH_MEMORY;
    const hamming_compare *compare = &h->kernels->compare[hamming_level(h->ranks.width)];
    const char *p = h->ranks.pattern;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(h->ctx), 0x70726F62);
    int width = h->ranks.width, probes = h->m > 1 << 20 ? 16 : PROBES;
    double need[PROBES] = {0};
    *out = (probe){0};
    for (int s = 0; s < probes; s++) {
        int64_t i = (int64_t)nigh_rng_below(&rng, (uint64_t)h->report.shifts), k = h->options.at_most, misses = 0, j = 0;
        if (k < 0) break;
        hamming_map(&h->ranks, &h->text, i, h->m, window);
        for (; j < h->m && misses <= k; j += 64) misses += compare->one(window + j * width, p + j * width, h->m - j < 64 ? h->m - j : 64, 64);
        out->stop += (double)(j < h->m ? j : h->m) / probes;
        out->near += (misses <= k) / (double)probes;
    }
    for (int s = 0; s < probes && h->options.error > 0; s++) need[s] = share_of_misses(h, &rng);
    if (h->options.error > 0) hamming_sampled_need(h, probes, need);
    for (int s = 0; s < probes; s++) out->samples += need[s] / probes;
    nigh_free(h->ctx, window);
    return NIGH_OK;
}

/* ---- predictions -------------------------------------------------------------------------------------------------- */

static void cannot(nigh_hamming *h, nigh_hamming_variant v, const char *reason)
{
    h->report.predicted[v].seconds = INFINITY;
    h->report.predicted[v].reason = reason;
}

static void predict(nigh_hamming *h, nigh_hamming_variant v, double ns)
{
    ns += (double)h->report.shifts * (symbol_ns + (h->ranks.same ? 0 : mapped_ns));
    double usable = fmin(h->threads, ceil((double)h->report.shifts / 4096));
    h->report.predicted[v].seconds = 1e-9 * ns / usable;
    h->report.predicted[v].reason = NULL;
}

static void predict_bounded(nigh_hamming *h, const hamming_costs *c, const probe *seen)
{
    int level = hamming_level(h->ranks.width);
    double shifts = (double)h->report.shifts, k = (double)h->options.at_most, m = (double)h->m;
    double stop = fmin(m, seen->stop * 1.1 + 32);
    predict(h, NIGH_HAMMING_EARLY_EXIT, shifts * (stop * c->pair[level] + seen->near * m * c->one[level]));
    int64_t q = h->m / (h->options.at_most + 1);
    if (q < 8) cannot(h, NIGH_HAMMING_PIECES, "the pieces are shorter than 8 symbols");
    else {
        double match = 0;
        for (int64_t a = 0; a < h->ranks.symbols; a++) match += (double)h->ranks.in_text[a] / (double)h->text.count * ((double)h->ranks.in_pattern[a] / m);
        double hits = fmin(1, (k + 1) * pow(match, (double)(q < 64 ? q : 64)) + seen->near);
        predict(h, NIGH_HAMMING_PIECES, (shifts + m) * hash_ns + shifts * hits * (stop + 256) * c->one[level] * 2);
    }
    double jumps = fmin(k + 1, 1 + seen->stop / 8) * (1 - seen->near) + (k + 1) * seen->near;
    predict(h, NIGH_HAMMING_KANGAROO, (shifts + m) * 16 + shifts * jumps * jump_ns * (1 + log2(m) / 8));
}

static void predict_within(nigh_hamming *h, const hamming_costs *c, const double *rest, const probe *seen)
{
    double shifts = (double)h->report.shifts, m = (double)h->m;
    double far = m * h->ranks.width > 32768 ? 2 : 1; /* samples beyond the nearest cache */
    predict(h, NIGH_HAMMING_SAMPLED, shifts * (seen->samples * far * c->pair[hamming_level(h->ranks.width)] + checks_ns));
    if (h->options.error < 1e-4) {
        cannot(h, NIGH_HAMMING_HASHED, "error is below 1e-4: too many hashed symbols");
        return;
    }
    double buckets = ceil(2 / h->options.error), rounds = fmax(1, ceil(log2(shifts / h->options.delta)));
    hamming_setting s;
    double each = fmin(shifts * m * c->pair[buckets > 255], best_setting(h, c, rest, true, &s));
    if ((double)h->ranks.distinct > buckets) each = fmin(shifts * m * c->pair[buckets > 255], best_setting(h, c, rest, true, &s) * buckets / (double)h->ranks.distinct);
    predict(h, NIGH_HAMMING_HASHED, rounds * (each + shifts * 2 * symbol_ns));
}

static nigh_status predict_all(nigh_hamming *h)
{
    double *rest = NULL, shifts = (double)h->report.shifts;
    probe seen = {0};
    for (int v = 0; v < NIGH_HAMMING_VARIANTS; v++) {
        h->report.predicted[v] = (nigh_hamming_prediction){.variant = (nigh_hamming_variant)v, .seconds = INFINITY, .rechecked = NAN};
        h->report.predicted[v].reason = v >= NIGH_HAMMING_SAMPLED ? "no error was allowed" : v >= NIGH_HAMMING_EARLY_EXIT ? "no bound was given" : NULL;
    }
    const hamming_costs *c = hamming_costs_get(h->ctx);
    nigh_status status = c ? rank_symbols(h, &rest) : NIGH_MEMORY;
    if (status) return status;
    double direct = shifts * (double)h->m * c->pair[hamming_level(h->ranks.width)];
    predict(h, NIGH_HAMMING_DIRECT, direct);
    double tiles = ceil((double)h->m / 4096), window = 1 + fmin((double)h->m, 4096) / 8192;
    if (hamming_sliced_serves(h))
        predict(h, NIGH_HAMMING_SLICED, shifts * ((double)h->m * c->sliced + tiles * (planes_ns + bits_ns * window * (double)h->ranks.distinct)));
    else cannot(h, NIGH_HAMMING_SLICED, "the pattern has more than 64 symbols");
    predict(h, NIGH_HAMMING_TRANSFORM, best_setting(h, c, rest, true, &h->setting[NIGH_HAMMING_TRANSFORM]));
    predict(h, NIGH_HAMMING_HEAVY_LIGHT, best_setting(h, c, rest, false, &h->setting[NIGH_HAMMING_HEAVY_LIGHT]));
    if (h->setting[NIGH_HAMMING_HEAVY_LIGHT].heavy == h->ranks.distinct && h->options.variant != NIGH_HAMMING_HEAVY_LIGHT)
        cannot(h, NIGH_HAMMING_HEAVY_LIGHT, "all symbols are heavy: the same as transform");
    if (!status && (h->options.at_most >= 0 || h->options.error > 0)) status = probe_shifts(h, &seen);
    if (!status && h->options.at_most >= 0) predict_bounded(h, c, &seen);
    if (!status && h->options.error > 0) predict_within(h, c, rest, &seen);
    nigh_free(h->ctx, rest);
    return status;
}

/* ---- choosing ----------------------------------------------------------------------------------------------------- */

static double expected(const nigh_hamming_prediction *p)
{
    return isnan(p->rechecked) ? p->seconds : p->rechecked;
}

static nigh_hamming_variant cheapest(const nigh_hamming *h, bool not_rechecked)
{
    int best = NIGH_HAMMING_DIRECT;
    double least = INFINITY;
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) {
        const nigh_hamming_prediction *p = &h->report.predicted[v];
        if (not_rechecked && !isnan(p->rechecked)) continue;
        if (expected(p) < least) least = expected(p), best = v;
    }
    return (nigh_hamming_variant)best;
}

/* Shifts that stand for all: 2.5% in four stretches; of heavy and light symbols two blocks a thread, or one stretch as long as the pattern, for its ends cost.
   0: too many of them, or nothing but transforms: a few blocks take longer, in cold caches, than what their cost says. */
static int64_t slice_of(const nigh_hamming *h, nigh_hamming_variant v, int *stretches)
{
    int64_t some = (int64_t)((double)h->report.shifts * slice_share / 4), length = h->m < PIECE ? h->m : PIECE;
    const hamming_setting *s = &h->setting[v];
    *stretches = 4;
    if (v == NIGH_HAMMING_TRANSFORM) return 0;
    if (v == NIGH_HAMMING_HEAVY_LIGHT) {
        int64_t block = s->heavy ? 2 * (s->block - length + 1) * h->threads : 0;
        *stretches = 1;
        some = block > some ? block : some;
        if (s->heavy < h->ranks.distinct && some < 2 * h->m) some = 2 * h->m;
    }
    return v == NIGH_HAMMING_HASHED || some * *stretches > h->report.shifts / 5 || some < 512 ? 0 : some;
}

/* Runs a slice by the clock of the CPU: other programs do not count; what a transform needs before does in full. */
static nigh_status recheck(nigh_hamming *h, nigh_hamming_variant v)
{
    nigh_hamming_prediction *p = &h->report.predicted[v];
    int stretches;
    int64_t shifts = h->report.shifts, some = slice_of(h, v, &stretches);
    p->rechecked = p->seconds;
    if (some == 0) return NIGH_OK;
    double began = nigh_clock_cpu();
    nigh_status status = hamming_prepare(h, v);
    uint32_t *out = status ? NULL : nigh_alloc(h->ctx, (size_t)some * sizeof *out);
    if (!out) return status ? status : NIGH_MEMORY;
    double prepared = nigh_clock_cpu() - began;
    began = nigh_clock_cpu();
    for (int s = 0; s < stretches && !status; s++) status = hamming_run_shifts(h, (shifts - some) / (stretches + 1) * (s + 1), some, out);
    p->rechecked = prepared + (nigh_clock_cpu() - began) / h->threads * (double)shifts / (double)(some * stretches);
    nigh_free(h->ctx, out);
    h->report.finished = h->report.fallbacks = 0;
    return status;
}

/* Are others expected to take less than 1.6 times as long? */
static bool has_rivals(const nigh_hamming *h, double least)
{
    int near = 0;
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) near += expected(&h->report.predicted[v]) < rival * least;
    return near > 1;
}

nigh_status hamming_choose(nigh_hamming *h)
{
    if (h->report.shifts == 0) {
        h->report.variant = NIGH_HAMMING_DIRECT;
        return NIGH_OK;
    }
    nigh_status status = predict_all(h);
    if (status) return status;
    nigh_hamming_variant v = h->options.variant;
    if (v != NIGH_HAMMING_CHOOSE) return hamming_prepare(h, v);
    v = cheapest(h, false);
    double least = expected(&h->report.predicted[v]);
    for (int tries = 0; tries < TRIES && least > worth && !status && has_rivals(h, least); tries++) {
        nigh_hamming_variant next = cheapest(h, true);
        if (!(h->report.predicted[next].seconds < rival * least) || !isnan(h->report.predicted[next].rechecked)) break;
        status = recheck(h, next);
        v = cheapest(h, false);
        least = expected(&h->report.predicted[v]);
    }
    if (status) return status;
    v = cheapest(h, false);
    return h->report.variant == v ? NIGH_OK : hamming_prepare(h, v);
}
