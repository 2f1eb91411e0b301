/*
 * Claim of "AutoCoreset: An Automatic Practical Coreset Construction Framework": few weighted rows, found without knowing the loss, on which training gives
 * almost the cost of training on all rows.
 *
 *   1  logistic regression and support vector machine: excess of the full cost beside uniform draws, one and the best of as many as there were trainings
 *   2  the same for linear regression and k-means
 *   3  the same for a loss of one's own, a callback
 *   4  a million rows: thirty penalties and five folds, and one trainer of more than a hundred passes: seconds and excess test losses
 *   5  exact sums by Caratheodory's theorem; unbiased weights; the best cost never rises; with all rows nothing is lost; costs reported are those of all rows
 *
 * "The paper's" is its importance sampling with independent draws; "calibrated" is nigh's default, whose weights make the sums of all columns exact.
 * Real rows (HTRU_2) where NIGH_DATA tells where they are, else two Gaussians with outliers, and clusters of uneven size for k-means.
 */
#include "autocoreset/parts.h"

#include "reduce/summary_vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"cost-of-the-subset", "uniform-instead", "wrong-step", "shuffled-labels", NULL};

enum { TRIALS = 16, QUICK_TRIALS = 8, ROWS = 20000, QUICK_ROWS = 4000 };

/* ---- 1, 2, 3: beside uniform draws ---------------------------------------------------------------------------- */

/* What is asked of one contest; NAN: nothing. paper and calibrated: over the fair rival's excess. */
typedef struct asked {
    const char *name, *loss;
    int64_t m;
    double paper, single, excess, calibrated;
} asked;

static void compare(claim_run *run, const asked *a, const contest *c, char part)
{
    char name[160];
    claim_note(run, "%s, m = %lld, %s: excess of the full cost: single uniform draw %.4f, the paper's sampling %.4f (best of %.1f uniform draws %.4f), calibrated %.5f (best of %.1f uniform draws %.4f)",
               a->name, (long long)a->m, c->data->name, c->single, c->independent, c->trainings_independent, c->fair_independent, c->calibrated, c->trainings, c->fair);
    snprintf(name, sizeof name, "%c: %s, m = %lld: the paper's excess over that of the best of as many uniform draws", part, a->name, (long long)a->m);
    if (!isnan(a->paper)) claim_bar(run, name, c->independent / c->fair_independent, CLAIM_AT_MOST, a->paper, NULL);
    snprintf(name, sizeof name, "%c: %s, m = %lld: the paper's excess over that of a single uniform draw", part, a->name, (long long)a->m);
    if (!isnan(a->single)) claim_bar(run, name, c->independent / c->single, CLAIM_AT_MOST, a->single, NULL);
    snprintf(name, sizeof name, "%c: %s, m = %lld: the paper's excess", part, a->name, (long long)a->m);
    if (!isnan(a->excess)) claim_bar(run, name, c->independent, CLAIM_AT_MOST, a->excess, NULL);
    snprintf(name, sizeof name, "%c: %s, m = %lld: calibrated, over that of the best of as many uniform draws", part, a->name, (long long)a->m);
    if (!isnan(a->calibrated)) claim_bar(run, name, c->calibrated / c->fair, CLAIM_AT_MOST, a->calibrated, NULL);
}

static nigh_status contests(claim_run *run, const table *data, int count, const asked *a, const char *parts, double *honest, double *rise)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count && !status; i++) {
        char key[64];
        contest c = {.data = data, .loss = a[i].loss, .m = a[i].m, .share = 1.0 / 3, .trials = run->quick ? QUICK_TRIALS : TRIALS};
        snprintf(key, sizeof key, "%s-%lld", a[i].loss, (long long)a[i].m);
        status = contest_run(run, key, &c);
        if (status) break;
        compare(run, &a[i], &c, parts[i]);
        *honest = fmax(*honest, c.honest), *rise = fmax(*rise, c.rise);
    }
    return status;
}

static nigh_status contest_bars(claim_run *run)
{
    static const asked classes[] = {{"logistic", "logistic", 100, 0.3, 0.1, NAN, 0.15}, {"logistic", "logistic", 200, 0.3, 0.1, NAN, 0.05},      {"logistic", "logistic", 300, 0.3, 0.1, 0.02, 0.05},
                                    {"support vectors", "hinge", 200, 0.5, NAN, NAN, 0.5}, {"linear", "squares", 200, 0.9, 0.3, NAN, 0.3}, {"one's own", "skewed", 200, 1, NAN, NAN, 0.6}},
                       points[] = {{"k-means, k = 2", "k-means:k=2", 200, NAN, NAN, NAN, 0.8}, {"k-means, k = 10", "k-means:k=10", 200, 0.9, NAN, NAN, 0.8}},
                       drawn[] = {{"k-means, k = 2", "k-means:k=2", 200, NAN, NAN, NAN, 0.8}, {"k-means, k = 10", "k-means:k=10", 200, 1, NAN, NAN, 1}},
                       quick[] = {{"logistic", "logistic", 100, 0.5, 0.2, NAN, 0.2}, {"linear", "squares", 100, 1, 0.5, NAN, 0.6}, {"one's own", "skewed", 100, NAN, NAN, NAN, 0.8}};
    table data = {0}, clusters = {0};
    double honest = 0, rise = 0;
    const char *folder = getenv("NIGH_DATA");
    bool real = !run->quick && folder && *folder;
    uint64_t seed = nigh_seed_split(claim_seed(run), 1);
    nigh_status status = real ? table_pulsars(run->ctx, &data) : table_mixture(run->ctx, seed, run->quick ? QUICK_ROWS : ROWS, 8, 2.5, &data);
    if (!status && !real) status = table_clusters(run->ctx, seed, run->quick ? QUICK_ROWS : ROWS, 8, 12, 0.6, &clusters);
    if (!status) status = run->quick ? contests(run, &data, 3, quick, "123", &honest, &rise) : contests(run, &data, 6, classes, "111123", &honest, &rise);
    if (!status && !run->quick) status = contests(run, real ? &data : &clusters, 2, real ? points : drawn, "22", &honest, &rise);
    if (!status) {
        claim_bar(run, "5: reported full cost against one computed afresh, relative difference", honest, CLAIM_AT_MOST, 1e-9, NULL);
        claim_bar(run, "5: largest rise of the best cost from one training to the next", rise, CLAIM_AT_MOST, 0, NULL);
    }
    table_free(run->ctx, &clusters);
    table_free(run->ctx, &data);
    return status;
}

/* ---- 4: a million rows -------------------------------------------------------------------------------------------- */

static nigh_status race_bars(claim_run *run)
{
    path_figures p, k;
    nigh_status status = path_race(run, 1000000, 5000, 30, 5, &p);
    if (!status) status = clusters_race(run, 1000000, 4000, &k);
    if (status) return status;
    claim_note(run, "30 penalties x 5 folds, logistic, n = 1e6, m = 5000: all rows %.3f s (%.0f passes for all; %.3f s of it test losses), subset %.3f s of which building %.3f", p.full, p.passes,
               p.test, p.subset, p.build);
    claim_note(run, "excess test loss: mean %.5f, worst %.5f, at the best penalty %.5f; of the best of as many uniform draws %.5f, %.5f, %.5f", p.mean, p.worst, p.chosen, p.uniform_mean,
               p.uniform_worst, p.uniform_chosen);
    claim_note(run, "k-means, k = 12, 10 restarts, n = 1e6, m = 4000: all rows %.2f s (%.0f passes), subset %.2f s; excess test loss %.5f, best of as many uniform draws %.5f", k.full, k.passes,
               k.subset, k.mean, k.uniform_mean);
    claim_bar(run, "4: path of penalties: seconds of a subset and all its fits over those of the path on all rows", p.subset / p.full, CLAIM_AT_MOST, 1.0 / 3, NULL);
    claim_bar(run, "4: the same without the path's test losses", p.subset / (p.full - p.test), CLAIM_AT_MOST, 1.0 / 3, NULL);
    claim_bar(run, "4: path of penalties: mean excess test loss", p.mean, CLAIM_AT_MOST, 0.01, NULL);
    claim_bar(run, "4: path of penalties: excess test loss at the best penalty", p.chosen, CLAIM_AT_MOST, 0.01, NULL);
    claim_bar(run, "4: path of penalties: worst excess test loss of the 150 fits", p.worst, CLAIM_AT_MOST, 0.01, NULL);
    claim_bar(run, "4: k-means: passes of the trainer over all rows", k.passes, CLAIM_AT_LEAST, 100, NULL);
    claim_bar(run, "4: k-means: seconds of the subset and its fits over those of all rows", k.subset / k.full, CLAIM_AT_MOST, 1.0 / 3, NULL);
    claim_bar(run, "4: k-means: excess test loss", k.mean, CLAIM_AT_MOST, 0.01, NULL);
    return NIGH_OK;
}

/* ---- 5: identities ------------------------------------------------------------------------------------------------ */

/* A wrong step: points that leave take their weight with them, and the rest is scaled up. */
static void lose_weight(int64_t n, const double *before, double *weight)
{
    double all = 0, left = 0;
    for (int64_t i = 0; i < n; i++) all += before[i], left += weight[i] > 0 ? before[i] : 0;
    for (int64_t i = 0; i < n; i++) weight[i] = weight[i] > 0 ? before[i] * all / left : 0;
}

static nigh_status exact_bars(claim_run *run)
{
    enum { N = 20000, T = 15 };
    double *value = nigh_alloc(run->ctx, (T + 2) * N * sizeof *value), *before = value + T * N, *weight = before + N, worst = 0, most = 0;
    if (!value) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 5);
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < T * N; i++) value[i] = exp(2 * nigh_rng_normal(&rng));
    for (int64_t i = 0; i < N; i++) before[i] = nigh_rng_exponential(&rng, 1);
    for (int plain = 0; plain < 2 && !status; plain++) {
        int64_t n = plain ? 300 : N, count = 0;
        memcpy(weight, before, (size_t)n * sizeof *weight);
        status = summary_caratheodory(run->ctx, n, T, value, weight, 0, plain, &rng); /* columns are n apart */
        if (claim_sabotaged(run, "wrong-step")) lose_weight(n, before, weight);
        for (int64_t i = 0; i < n; i++) count += weight[i] > 0;
        most = fmax(most, (double)count);
        for (int64_t k = -1; k < T; k++) {
            double sum = 0, was = 0;
            for (int64_t i = 0; i < n; i++) {
                double v = k < 0 ? 1 : value[k * n + i];
                sum += weight[i] * v, was += before[i] * v;
            }
            worst = fmax(worst, fabs(sum / was - 1));
        }
    }
    nigh_free(run->ctx, value);
    if (status) return status;
    claim_bar(run, "5: Caratheodory, fast and plain, 15 columns: relative change of a mean", worst, CLAIM_AT_MOST, 1e-10, NULL);
    claim_bar(run, "5: points left, columns + 1 allowed", most, CLAIM_AT_MOST, T + 1, NULL);
    return NIGH_OK;
}

/* Means of the factors over 2000 draws: the mean square of their distances from 1, in standard errors, is 1 when nothing is biased. */
static nigh_status unbiased_bar(claim_run *run)
{
    enum { N = 400, DRAWS = 2000 };
    double score[N], sum[N] = {0}, squares[N] = {0}, departure = 0;
    summary_classes classes;
    int64_t budget[2] = {40, 0}, taken, counted = 0;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 6);
    for (int i = 0; i < N; i++) score[i] = exp(nigh_rng_normal(&rng));
    nigh_status status = summary_classes_new(run->ctx, N, NULL, NULL, &classes);
    for (int draw = 0; draw < DRAWS && !status; draw++) {
        nigh_subset s = {0};
        status = summary_scores(run->ctx, &classes, score, budget, &rng, &s, &taken);
        for (int64_t i = 0; i < s.count && !status; i++) sum[s.index[i]] += s.weight[i], squares[s.index[i]] += s.weight[i] * s.weight[i];
        nigh_subset_free(run->ctx, &s);
    }
    summary_classes_free(run->ctx, &classes);
    if (status) return status;
    for (int i = 0; i < N; i++) {
        double mean = sum[i] / DRAWS, variance = (squares[i] / DRAWS - mean * mean) / DRAWS;
        if (variance > 1e-12) departure += (mean - 1) * (mean - 1) / variance, counted++;
    }
    claim_bar(run, "5: weights over 2000 draws: mean square distance from unbiased, in standard errors", departure / (double)counted, CLAIM_AT_MOST, 1.3, NULL);
    return NIGH_OK;
}

static nigh_status all_rows_bar(claim_run *run)
{
    table data = {0};
    nigh_loss *loss = NULL;
    nigh_autocoreset a = {0};
    nigh_loss_fit fit = {0};
    double model[9];
    nigh_status status = table_mixture(run->ctx, nigh_seed_split(claim_seed(run), 2), 3000, 8, 1.6, &data);
    if (!status) status = nigh_loss_parse(run->ctx, "logistic", &loss);
    if (!status) status = nigh_loss_train(run->ctx, loss, &data.rows, NULL, model, &fit);
    if (!status) status = nigh_autocoreset_run(run->ctx, loss, &data.rows, &(nigh_autocoreset_options){.m = 3000}, &a);
    if (!status) claim_bar(run, "5: all rows taken: excess of the full cost", fabs(a.cost / fit.cost - 1), CLAIM_AT_MOST, 1e-8, NULL);
    nigh_autocoreset_free(run->ctx, &a);
    nigh_loss_free(loss);
    table_free(run->ctx, &data);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = exact_bars(run);
    if (!status) status = unbiased_bar(run);
    if (!status) status = all_rows_bar(run);
    if (!status) status = contest_bars(run);
    if (!status && !run->quick) status = race_bars(run);
    return status;
}

const nigh_claim claim_autocoreset = {
    .slug = "autocoreset",
    .title = "AutoCoreset: An Automatic Practical Coreset Construction Framework",
    .run = run_claim,
    .saboteurs = saboteurs,
};
