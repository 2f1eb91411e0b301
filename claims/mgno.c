/*
 * Claim of "MgNO: Efficient Parameterization of Linear Operators via Multigrid": layers whose linear part is a V-cycle of convolutions learn solution maps with few weights.
 *
 *   1  Darcy flow: the error beside that of a Fourier neural operator with as many weights or more, as many operations, or as much time; and beside the mean of the fields
 *   2  the V-cycle is linear for any weights, and the textbook's for the textbook's weights
 *   3  one V-cycle learns the inverse of -Laplace, where convolutions behind one another cannot
 *   4  padding by zeros respects the edge; padding around does not
 *   5  the error of fields that were not fitted beside that of those that were
 *
 * Both methods are trained by one harness from settings that were chosen on other fields (`nigh sample darcy --grid 32`, another seed).
 */
#include "mgno/parts.h"

#include <math.h>
#include <string.h>

static const char *const saboteurs[] = {"activation-inside", "padding-around", "plain-stack", NULL};

enum { MOST_SEEDS = 5, KINDS = 4, OURS = 0, AROUND, SAME_WEIGHTS, SAME_FLOPS };

typedef struct size {
    int64_t n, fit, tests, epochs;
    int seeds;
    const char *ours, *small, *large; /* settings: of MgNO; of a Fourier operator with as many weights or a few more; of a larger one */
} size;

static const size quick = {32, 100, 32, 8, 1, "width=8,layers=2,batch=4,rate=6e-3", "width=7,batch=4,rate=5e-3", "width=12,batch=4,rate=5e-3"},
                  full = {32, 500, 200, 16, 3, "width=8,layers=4,batch=4,rate=4e-3", "width=10,batch=4,rate=5e-3", "width=16,batch=4,rate=5e-3"},
                  timed = {64, 1000, 200, 14, 1, "width=8,layers=3,batch=4,rate=4e-3", "width=16,batch=4,rate=5e-3", NULL};

/* ---- trainings ---------------------------------------------------------------------------------------- */

static training training_of(const flow *data, const char *method, const char *settings, int64_t epochs, uint64_t seed)
{
    training t = {.data = data, .method = method, .epochs = epochs, .seed = seed};
    snprintf(t.settings, sizeof t.settings, "%s", settings);
    return t;
}

/* A Fourier operator trained for as many operations as `t`, rounded up. */
static nigh_status equal_flops(nigh_context *ctx, const training *t, const char *settings, training *out)
{
    training ours = *t;
    *out = training_of(t->data, "fno", settings, 1, t->seed);
    nigh_status status = training_price(ctx, &ours);
    if (!status) status = training_price(ctx, out);
    if (!status) out->epochs = (int64_t)ceil((double)t->epochs * ours.flops / out->flops);
    return status;
}

static nigh_status plan_trainings(claim_run *run, const size *s, const flow *data, uint64_t seed, training *t)
{
    char around[160];
    snprintf(around, sizeof around, "%s,boundary=periodic", s->ours);
    t[AROUND] = training_of(data, "mgno", around, s->epochs, seed);
    t[OURS] = claim_sabotaged(run, "padding-around") ? t[AROUND] : training_of(data, "mgno", s->ours, s->epochs, seed);
    nigh_status status = equal_flops(run->ctx, &t[OURS], s->small, &t[SAME_WEIGHTS]);
    return status ? status : equal_flops(run->ctx, &t[OURS], s->large, &t[SAME_FLOPS]);
}

static double mean_of(int seeds, training t[][KINDS], int kind, size_t figure)
{
    double sum = 0;
    for (int s = 0; s < seeds; s++) sum += *(const double *)((const char *)&t[s][kind] + figure);
    return sum / seeds;
}

static void tell(claim_run *run, int seeds, training t[][KINDS])
{
    static const char *const names[KINDS] = {"MgNO", "MgNO, padding around", "Fourier operator, as many weights", "Fourier operator, larger"};
    for (int k = 0; k < KINDS; k++) {
        double mean = mean_of(seeds, t, k, offsetof(training, error)), spread = 0;
        for (int s = 0; s < seeds; s++) spread += pow(t[s][k].error - mean, 2);
        claim_note(run, "%s: error %.4f +- %.4f, of the fitted %.4f, edge %.4f; %.0f weights, %lld epochs, %.0f GFLOP, %.1f s a thread", names[k], mean,
                   seeds > 1 ? sqrt(spread / (seeds - 1)) : 0, mean_of(seeds, t, k, offsetof(training, fit_error)), mean_of(seeds, t, k, offsetof(training, edge)), t[0][k].weights,
                   (long long)t[0][k].epochs, 1e-9 * t[0][k].flops, mean_of(seeds, t, k, offsetof(training, seconds)));
    }
}

static nigh_status darcy_bars(claim_run *run)
{
    const size *s = run->quick ? &quick : &full;
    training all[MOST_SEEDS][KINDS];
    flow data[MOST_SEEDS] = {{0}};
    nigh_status status = NIGH_OK;
    double mean_field = 0;
    for (int i = 0; i < s->seeds && !status; i++) {
        uint64_t seed = nigh_seed_split(claim_seed(run), (uint64_t)(10 + i));
        status = flow_new(run->ctx, s->n, s->fit, s->tests, seed, &data[i]);
        if (!status) status = plan_trainings(run, s, &data[i], seed, all[i]);
        if (!status) mean_field += flow_mean_error(&data[i]) / s->seeds;
    }
    if (!status) status = trainings_run(run, "darcy", s->seeds * KINDS, &all[0][0]);
    if (!status) {
        double error[KINDS];
        for (int k = 0; k < KINDS; k++) error[k] = mean_of(s->seeds, all, k, offsetof(training, error));
        double edge = mean_of(s->seeds, all, OURS, offsetof(training, edge)), gap = error[OURS] / mean_of(s->seeds, all, OURS, offsetof(training, fit_error));
        tell(run, s->seeds, all);
        claim_bar(run, "1: relative error of MgNO on Darcy flow", error[OURS], CLAIM_AT_MOST, run->quick ? 0.12 : 0.03, NULL);
        claim_bar(run, "1: MgNO's error over that of the mean of the fields", error[OURS] / mean_field, CLAIM_AT_MOST, run->quick ? 0.7 : 0.2, NULL);
        claim_bar(run, "1: MgNO's weights over the Fourier operator's", all[0][OURS].weights / all[0][SAME_WEIGHTS].weights, CLAIM_AT_MOST, 1, NULL);
        claim_bar(run, "1: MgNO's error over the Fourier operator's, as many weights, as many operations", error[OURS] / error[SAME_WEIGHTS], CLAIM_AT_MOST, run->quick ? 1.2 : 0.95, NULL);
        claim_bar(run, "1: the same beside a Fourier operator with more weights", error[OURS] / error[SAME_FLOPS], CLAIM_AT_MOST, run->quick ? 1.2 : 1, NULL);
        claim_bar(run, "4: MgNO's error on the edge over the largest value", edge, CLAIM_AT_MOST, run->quick ? 0.1 : 0.02, NULL);
        claim_bar(run, "4: error with padding around over that with zeros", error[AROUND] / error[OURS], CLAIM_AT_LEAST, run->quick ? 1.1 : 1.5, NULL);
        claim_bar(run, "5: error of fresh fields over that of the fitted ones", gap, CLAIM_AT_MOST, run->quick ? 2 : 1.5, NULL);
    }
    for (int i = 0; i < s->seeds; i++) flow_free(run->ctx, &data[i]);
    return status;
}

/* 64 x 64, a thousand fields, the same seconds. */
static nigh_status timed_bars(claim_run *run)
{
    flow data = {0};
    training t[2];
    double ours, theirs;
    uint64_t seed = nigh_seed_split(claim_seed(run), 30);
    nigh_status status = flow_new(run->ctx, timed.n, timed.fit, timed.tests, seed, &data);
    t[0] = training_of(&data, "mgno", timed.ours, timed.epochs, seed), t[1] = training_of(&data, "fno", timed.small, 1, seed);
    if (!status && claim_sabotaged(run, "padding-around")) strcat(t[0].settings, ",boundary=periodic");
    if (!status) status = training_epoch_seconds(run->ctx, &t[0], &ours);
    if (!status) status = training_epoch_seconds(run->ctx, &t[1], &theirs);
    if (!status) t[1].epochs = (int64_t)ceil((double)timed.epochs * ours / theirs);
    if (!status) status = trainings_run(run, "timed", 2, t);
    if (!status) {
        for (int i = 0; i < 2; i++)
            claim_note(run, "64 x 64: %s, %.0f weights, %lld epochs: error %.4f, of the fitted %.4f, edge %.4f, %.1f s", t[i].method, t[i].weights, (long long)t[i].epochs, t[i].error,
                       t[i].fit_error, t[i].edge, t[i].seconds);
        claim_bar(run, "1: 64 x 64, 1000 fields: relative error of MgNO", t[0].error, CLAIM_AT_MOST, 0.03, NULL);
        claim_bar(run, "1: 64 x 64: MgNO's weights over the Fourier operator's", t[0].weights / t[1].weights, CLAIM_AT_MOST, 1, NULL);
        claim_bar(run, "1: 64 x 64: MgNO's error over the Fourier operator's, the same seconds", t[0].error / t[1].error, CLAIM_AT_MOST, 1, NULL);
        claim_bar(run, "4: 64 x 64: MgNO's error on the edge over the largest value", t[0].edge, CLAIM_AT_MOST, 0.02, NULL);
        claim_bar(run, "5: 64 x 64: error of fresh fields over that of the fitted ones", t[0].error / t[0].fit_error, CLAIM_AT_MOST, 1.5, NULL);
    }
    flow_free(run->ctx, &data);
    return status;
}

/* ---- the V-cycle -------------------------------------------------------------------------------------- */

static nigh_status cycle_bars(claim_run *run)
{
    double departure, factor;
    bool bent = claim_sabotaged(run, "activation-inside");
    nigh_status status = cycle_linearity(run->ctx, claim_seed(run), bent, &departure);
    if (!status) status = cycle_factor(run->ctx, claim_seed(run), run->quick ? 6 : 12, bent, &factor);
    if (status) return status;
    claim_bar(run, "2: |M(a f + b g) - a M f - b M g| relative, f32, random weights", departure, CLAIM_AT_MOST, 1e-5, NULL);
    claim_bar(run, "2: what a V-cycle with the textbook's weights leaves of the error, 63 x 63", factor, CLAIM_AT_MOST, 0.2, NULL);
    return NIGH_OK;
}

/* ---- one layer ---------------------------------------------------------------------------------------- */

static nigh_status learn(nigh_context *ctx, int index, void *user) { return inverse_learn(ctx, (inverse *)user + index); }

static nigh_status inverse_bars(claim_run *run)
{
    inverse both[2] = {{.n = run->quick ? 32 : 64, .fit = run->quick ? 100 : 300, .tests = 50, .epochs = run->quick ? 12 : 40, .seed = nigh_seed_split(claim_seed(run), 40)}};
    both[1] = both[0], both[1].stack = true;
    if (claim_sabotaged(run, "plain-stack")) both[0].stack = true;
    double value[4];
    nigh_status status = claim_progress(run, "inverse", 0, 1);
    if (!status && !claim_recall(run, "inverse", 4, value)) {
        status = claim_tasks(run, 2, learn, both);
        for (int i = 0; i < 2; i++) value[2 * i] = both[i].error, value[2 * i + 1] = both[i].weights;
        if (!status) status = claim_keep(run, "inverse", 4, value);
    }
    if (status) return status;
    claim_bar(run, "3: one V-cycle learns the inverse of -Laplace: relative error", value[0], CLAIM_AT_MOST, run->quick ? 0.1 : 0.02, NULL);
    claim_bar(run, "3: its weights", value[1], CLAIM_AT_MOST, 20000, NULL);
    claim_bar(run, "3: error of linear convolutions with as many weights", value[2], CLAIM_AT_LEAST, 0.2, NULL);
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = cycle_bars(run);
    if (!status) status = inverse_bars(run);
    if (!status) status = darcy_bars(run);
    if (!status && !run->quick) status = timed_bars(run);
    return status;
}

const nigh_claim claim_mgno = {
    .slug = "mgno",
    .title = "MgNO: Efficient Parameterization of Linear Operators via Multigrid",
    .run = run_claim,
    .saboteurs = saboteurs,
};
