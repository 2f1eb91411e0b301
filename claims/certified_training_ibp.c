/*
 * Claim of "Understanding Certified Training with Interval Bound Propagation": interval training makes networks for which intervals are nearly exact, at a price in accuracy
 * that width pays back.
 *
 *   1  tightness of random linear networks by the formula; with depth it falls geometrically
 *   2  a linear bottleneck: layer-wise radii grow like 2 k / pi, exact ones like the root of k
 *   3  trained for boxes a network certifies most of its samples by intervals alone; trained as usual none; tightness before, after, and of the usual one
 *   4  the larger the radius trained for, the tighter and the less accurate; four times the width certifies more; small boxes around attacks: less tight
 *   5  proofs never exceed what attacks leave; recorded boxes hold what is drawn in them; signs of rank one make intervals exact, one flipped sign does not
 */
#include "certified_training_ibp/parts.h"

#include "nigh/stats.h"

#include <math.h>
#include <string.h>

static const char *const saboteurs[] = {"constants", "elision-left-out", "signed-weights", "random-labels", "smaller-box", NULL};

/* ---- 1 and 2 ------------------------------------------------------------------------------------------------- */

static nigh_status formula_bars(claim_run *run)
{
    static const int64_t width[] = {16, 64, 256};
    double mean, worst = 0, depth[7], logs[7], rising = 0, above = 0;
    nigh_test fit;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 3 && !status; i++) {
        status = chain_tightness(run->ctx, 64, width[i], 2, run->quick ? (i == 2 ? 4 : 60) : i == 2 ? 50 : 200, nigh_seed_split(claim_seed(run), (uint64_t)i), &mean);
        worst = fmax(worst, fabs(mean / nigh_tightness_initial(width[i]) - 1));
    }
    for (int l = 2; l <= 8 && !status; l++) {
        status = chain_tightness(run->ctx, 32, 32, l, run->quick ? 20 : 200, nigh_seed_split(claim_seed(run), 10 + (uint64_t)l), &mean);
        depth[l - 2] = l, logs[l - 2] = log(mean);
        if (l > 2) rising = fmax(rising, exp(logs[l - 2] - logs[l - 3]));
        above = fmax(above, mean / nigh_tightness_initial_deep(32, l));
    }
    if (!status) status = nigh_pearson(run->ctx, 7, depth, logs, &fit);
    if (status) return status;
    claim_bar(run, "1: two layers, 16, 64, 256 units: largest departure from the formula, relative", worst, CLAIM_AT_MOST, 0.03, NULL);
    claim_bar(run, "1: 2 to 8 layers of 32: R^2 of a geometric decay", fit.statistic * fit.statistic, CLAIM_AT_LEAST, 0.98, NULL);
    claim_bar(run, "1: the same: largest ratio of one depth to that before", rising, CLAIM_AT_MOST, 0.999, NULL);
    claim_bar(run, "1: the same: largest ratio to the bound of theory", above, CLAIM_AT_MOST, 1.03, NULL);
    claim_note(run, "a layer of 32 more multiplies tightness by %.3f", exp((logs[6] - logs[0]) / 6));
    return NIGH_OK;
}

static nigh_status bottleneck_bars(claim_run *run)
{
    static const double k[] = {10, 20, 40};
    double layered, exact, worst = 0, lx[3], ly[3];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 3 && !status; i++) {
        status = nigh_bottleneck_radii(run->ctx, 400, (int64_t)k[i], nigh_seed_split(claim_seed(run), 30 + (uint64_t)i), &layered, &exact);
        worst = fmax(worst, fabs(layered / (2 * k[i] / 3.14159265358979323846) - 1));
        lx[i] = log(k[i]), ly[i] = log(exact);
    }
    if (status) return status;
    double exponent = (ly[2] - ly[0]) / (lx[2] - lx[0]); /* points in equal steps: the slope of least squares */
    claim_bar(run, "2: bottleneck of 10, 20, 40 in 400: layer-wise radius beside 2 k / pi, largest departure", worst, CLAIM_AT_MOST, 0.05, NULL);
    claim_bar_within(run, "2: exponent of the exact radius in k", exponent, 0.42, 0.58, NULL);
    return NIGH_OK;
}

/* ---- 3 and 4: trainings ------------------------------------------------------------------------------------------ */

enum { RADII = 4, SEEDS = 3, MAIN = 3, TREND = RADII * SEEDS, WIDTH = 2 * SEEDS, ALL = MAIN + TREND + WIDTH };
enum { IBP, USUAL, SMALL_BOXES };

static const double radii[RADII] = {0.01, 0.05, 0.1, 0.2};

static void plan(claim_run *run, const images *data, training *t)
{
    bool quick = run->quick;
    training base = {.data = data, .test_radius = 0.1, .samples = quick ? 200 : 1000};
    uint64_t seed = claim_seed(run);
    for (int i = 0; i < MAIN; i++) {
        t[i] = base;
        t[i].method = i == IBP ? NIGH_CERTIFIED_IBP : i == USUAL ? NIGH_CERTIFIED_STANDARD : NIGH_CERTIFIED_SABR;
        t[i].conv = quick ? 0 : 8, t[i].hidden = 3, t[i].width = quick ? 64 : 128;
        t[i].radius = i == SMALL_BOXES ? 0.1 : 0.12, t[i].epochs = quick ? 30 : 20;
        t[i].samples = quick ? 200 : 2000;
        t[i].seed = nigh_seed_split(seed, 100);
    }
    for (int i = 0; i < TREND + WIDTH; i++) {
        bool trend = i < TREND;
        int k = trend ? i % RADII : (i - TREND) % 2, s = trend ? i / RADII : (i - TREND) / 2;
        training *it = &t[MAIN + i];
        *it = base;
        it->method = NIGH_CERTIFIED_IBP;
        it->hidden = 2, it->width = trend ? (quick ? 32 : 64) : (quick ? 16 : 32) << 2 * k;
        it->radius = trend ? radii[k] : 0.12, it->epochs = 15;
        it->seed = nigh_seed_split(seed, 200 + (uint64_t)s);
    }
}

static void tell(claim_run *run, const char *what, const training *t)
{
    const nigh_certified_figures *f = &t->figures;
    claim_note(run, "%s: %.1f%% right, %.1f%% under attack, %.1f%% by intervals (%.1f%% without joining the last layer), %.1f%% certified; tightness %.3g, before %.2g; %.1f s", what, 100 * f->standard,
               100 * f->attacked, 100 * f->intervals, 100 * t->loose, 100 * f->certified, f->tightness, t->initial, t->seconds);
}

static void main_bars(claim_run *run, const training *t)
{
    const nigh_certified_figures *ibp = &t[IBP].figures, *usual = &t[USUAL].figures, *small = &t[SMALL_BOXES].figures;
    bool quick = run->quick;
    tell(run, "boxes", &t[IBP]);
    tell(run, "as usual", &t[USUAL]);
    tell(run, "small boxes around attacks", &t[SMALL_BOXES]);
    claim_bar(run, "3: share certified by intervals at 0.1, trained for boxes", ibp->intervals, CLAIM_AT_LEAST, quick ? 0.4 : 0.75, NULL);
    claim_bar(run, "3: the same, trained as usual", usual->intervals, CLAIM_AT_MOST, 0.02, NULL);
    claim_bar(run, "3: tightness over that before training", ibp->tightness / t[IBP].initial, CLAIM_AT_LEAST, 20, NULL);
    claim_bar(run, "3: tightness over that of the network trained as usual", ibp->tightness / usual->tightness, CLAIM_AT_LEAST, quick ? 5 : 20, NULL);
    claim_bar(run, "3: accuracy lost beside the usual training", usual->standard - ibp->standard, CLAIM_AT_LEAST, 0.001, NULL);
    claim_bar(run, "3: what joining the last layer adds to the share certified by intervals", ibp->intervals - t[IBP].loose, CLAIM_AT_LEAST, 0.005, NULL);
    claim_bar(run, "4: tightness of small boxes over that of boxes", small->tightness / ibp->tightness, CLAIM_AT_MOST, 0.95, NULL);
}

static double mean_over(const training *t, int first, int step, bool tight)
{
    double sum = 0;
    for (int s = 0; s < SEEDS; s++) sum += tight ? t[first + s * step].figures.tightness : t[first + s * step].figures.standard;
    return sum / SEEDS;
}

/* 0 when one of them does not vary. */
static nigh_status rank_correlation(nigh_context *ctx, int n, const double *x, const double *y, double *out)
{
    bool varies = false;
    nigh_test test;
    *out = 0;
    for (int i = 1; i < n; i++) varies |= y[i] != y[0];
    nigh_status status = varies ? nigh_spearman(ctx, n, x, y, &test) : NIGH_OK;
    if (!status && varies) *out = test.statistic;
    return status;
}

static nigh_status trend_bars(claim_run *run, const training *trend, const training *width)
{
    double tight[RADII], standard[RADII], narrow = 0, wide = 0, spread = 0;
    double up, down;
    for (int k = 0; k < RADII; k++) {
        double certified = 0;
        tight[k] = mean_over(trend, k, RADII, true), standard[k] = mean_over(trend, k, RADII, false);
        for (int s = 0; s < SEEDS; s++) certified += trend[s * RADII + k].figures.certified / SEEDS;
        claim_note(run, "trained for %.2f: tightness %.3f, %.1f%% right, %.1f%% certified at 0.1 (means of %d seeds)", radii[k], tight[k], 100 * standard[k], 100 * certified, SEEDS);
    }
    for (int s = 0; s < SEEDS; s++) {
        double a = width[2 * s].figures.certified, b = width[2 * s + 1].figures.certified;
        narrow += a / SEEDS, wide += b / SEEDS;
        spread = s ? fmin(spread, b - a) : b - a;
    }
    nigh_status status = rank_correlation(run->ctx, RADII, radii, tight, &up);
    if (!status) status = rank_correlation(run->ctx, RADII, radii, standard, &down);
    if (status) return status;
    claim_bar(run, "4: Spearman of tightness with the radius trained for", up, CLAIM_AT_LEAST, 0.9, NULL);
    claim_bar(run, "4: Spearman of lost accuracy with the radius trained for", -down, CLAIM_AT_LEAST, 0.9, NULL);
    claim_bar(run, "4: share certified with four times the width less that of the width", wide - narrow, CLAIM_AT_LEAST, 0.001, NULL);
    claim_note(run, "certified with width %lld: %.1f%%, with %lld: %.1f%%; least gain of a seed %.1f points", (long long)width[0].width, 100 * narrow, (long long)width[1].width, 100 * wide, 100 * spread);
    return NIGH_OK;
}

static void honesty_bars(claim_run *run, int count, const training *t)
{
    double proved = -1, attacked = -1, contradictions = 0, loosest = 0;
    for (int i = 0; i < count; i++) {
        const nigh_certified_figures *f = &t[i].figures;
        proved = fmax(proved, fmax(f->certified, f->intervals) - f->attacked);
        attacked = fmax(attacked, f->attacked - f->standard);
        contradictions += (double)f->contradictions;
        loosest = fmax(loosest, f->tightness);
    }
    claim_bar(run, "5: largest of certified less attacked accuracy, all trainings", proved, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "5: largest of attacked less standard accuracy", attacked, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "5: samples both proved and broken", contradictions, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "5: largest tightness", loosest, CLAIM_AT_MOST, 1 + 1e-9, NULL);
}

static nigh_status training_bars(claim_run *run)
{
    images data;
    training t[ALL];
    nigh_status status = certified_images(run, run->quick ? 1000 : 8000, run->quick ? 200 : 2000, &data);
    if (status) return status;
    plan(run, &data, t);
    claim_note(run, "trained on %lld %s", (long long)nigh_dataset_rows(&data.train), data.name);
    for (int i = 0; i < ALL; i++) t[i].seconds = 0;
    status = certified_run(run, "trainings", ALL, t);
    if (!status) main_bars(run, t);
    if (!status) status = trend_bars(run, t + MAIN, t + MAIN + TREND);
    if (!status) honesty_bars(run, ALL, t);
    certified_images_free(&data);
    return status;
}

static nigh_status box_bars(claim_run *run)
{
    double broken, departure, flipped;
    nigh_status status = boxes_broken(run->ctx, 50, run->quick ? 2000 : 10000, nigh_seed_split(claim_seed(run), 40), claim_sabotaged(run, "signed-weights"), &broken);
    if (!status) status = rank_one(run->ctx, nigh_seed_split(claim_seed(run), 41), &departure, &flipped);
    if (status) return status;
    claim_bar(run, "5: of 50 small networks, those whose box misses a drawn output", broken, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "5: signs of rank one: largest |1 - tightness|", departure, CLAIM_AT_MOST, 1e-12, NULL);
    claim_bar(run, "5: the same, one sign flipped: least 1 - tightness", flipped, CLAIM_AT_LEAST, 1e-6, NULL);
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = formula_bars(run);
    if (!status) status = bottleneck_bars(run);
    if (!status) status = box_bars(run);
    return status ? status : training_bars(run);
}

extern const nigh_claim claim_certified_training_ibp;
const nigh_claim claim_certified_training_ibp = {.slug = "certified-training-ibp", .title = "Understanding Certified Training with Interval Bound Propagation", .run = run_claim,
                                                 .saboteurs = saboteurs};
