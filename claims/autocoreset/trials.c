/* AutoCoreset beside uniform draws, one loss on one table, several seeds. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>

enum { CALIBRATED, INDEPENDENT, FAIR, FAIR_INDEPENDENT, SINGLE, COSTS, TRAININGS = COSTS, TRAININGS_INDEPENDENT, HONEST, RISE, FIGURES };

typedef struct trial {
    const claim_run *run;
    const contest *c;
    const table *trained; /* that of the contest, but with shuffled labels in one kind of sabotage */
    uint64_t seed;
    double figure[FIGURES]; /* costs, not excesses, of the first ones */
} trial;

static double computed_cost(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_autocoreset *a)
{
    double cost;
    return nigh_loss_cost(ctx, loss, rows, a->model, &cost) ? NAN : cost;
}

static nigh_status one_kind(nigh_context *ctx, trial *t, const nigh_loss *loss, nigh_autocoreset_kind kind, double *cost, double *trainings)
{
    nigh_autocoreset a = {0};
    nigh_autocoreset_options o = {.m = t->c->m, .kind = claim_sabotaged(t->run, "uniform-instead") ? NIGH_AUTOCORESET_UNIFORM : kind, .seed = t->seed,
                                  .share = kind == NIGH_AUTOCORESET_INDEPENDENT ? t->c->share : 0};
    nigh_status status = nigh_autocoreset_run(ctx, loss, &t->trained->rows, &o, &a);
    if (status) return status;
    double reported = claim_sabotaged(t->run, "cost-of-the-subset") ? a.subset_cost : a.cost;
    *cost = computed_cost(ctx, loss, &t->c->data->rows, &a), *trainings = (double)a.trainings;
    t->figure[HONEST] = fmax(t->figure[HONEST], fabs(reported / *cost - 1));
    for (int64_t i = 1; i < a.trainings; i++) t->figure[RISE] = fmax(t->figure[RISE], a.history[i].best / a.history[i - 1].best - 1);
    nigh_autocoreset_free(ctx, &a);
    return NIGH_OK;
}

/* The best of as many uniform draws as each of the two had trainings, and the first of them alone. */
static nigh_status rivals(nigh_context *ctx, trial *t, const nigh_loss *loss)
{
    nigh_autocoreset u = {0};
    nigh_autocoreset_options o = {.m = t->c->m, .share = t->c->share, .seed = nigh_seed_split(t->seed, 1)};
    int ours = (int)t->figure[TRAININGS], paper = (int)t->figure[TRAININGS_INDEPENDENT];
    nigh_status status = nigh_autocoreset_uniform(ctx, loss, &t->c->data->rows, &o, ours > paper ? ours : paper, &u);
    if (status) return status;
    t->figure[FAIR] = u.history[ours - 1].best, t->figure[FAIR_INDEPENDENT] = u.history[paper - 1].best, t->figure[SINGLE] = u.history[0].cost;
    nigh_autocoreset_free(ctx, &u);
    return NIGH_OK;
}

static nigh_status one_trial(nigh_context *ctx, int index, void *user)
{
    trial *t = (trial *)user + index;
    skewed s;
    nigh_loss *loss = NULL;
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = claim_loss(ctx, t->c->loss, t->c->data->rows.d, &s, &loss);
    if (!status) status = one_kind(ctx, t, loss, NIGH_AUTOCORESET_CALIBRATED, &t->figure[CALIBRATED], &t->figure[TRAININGS]);
    if (!status) status = one_kind(ctx, t, loss, NIGH_AUTOCORESET_INDEPENDENT, &t->figure[INDEPENDENT], &t->figure[TRAININGS_INDEPENDENT]);
    if (!status) status = rivals(ctx, t, loss);
    nigh_loss_free(loss);
    return status;
}

/* Of all rows; of losses with many minima the best that anything found. */
static nigh_status least_cost(nigh_context *ctx, const contest *c, int trials, const trial *t, double *least)
{
    skewed s;
    nigh_loss *loss = NULL;
    nigh_loss_fit fit;
    nigh_status status = claim_loss(ctx, c->loss, c->data->rows.d, &s, &loss);
    if (status) return status;
    double *model = nigh_alloc(ctx, (size_t)nigh_loss_parameters(loss, c->data->rows.d) * sizeof *model);
    status = model ? nigh_loss_train(ctx, loss, &c->data->rows, NULL, model, &fit) : NIGH_MEMORY;
    if (!status) *least = fit.cost;
    for (int i = 0; i < trials && !status && !nigh_loss_convex(loss) && nigh_loss_is(loss)->kind != NIGH_LOSS_CALLBACK; i++)
        for (int k = 0; k < COSTS; k++) *least = fmin(*least, t[i].figure[k]);
    nigh_free(ctx, model);
    nigh_loss_free(loss);
    return status;
}

nigh_status contest_run(claim_run *run, const char *key, contest *c)
{
    table shuffled = {0};
    double value[FIGURES] = {0}, least = NAN;
    trial *t = nigh_alloc_zero(run->ctx, (size_t)c->trials, sizeof *t);
    nigh_status status = t ? claim_progress(run, key, 0, c->trials) : NIGH_MEMORY;
    bool known = !status && claim_recall(run, key, FIGURES, value), shuffle = claim_sabotaged(run, "shuffled-labels");
    if (!status && !known && shuffle) status = table_shuffled(run->ctx, claim_seed(run), &c->data->rows, &shuffled);
    for (int i = 0; i < c->trials && !status; i++) t[i] = (trial){.run = run, .c = c, .trained = shuffle ? &shuffled : c->data, .seed = nigh_seed_split(claim_seed(run), 100 + (uint64_t)i)};
    if (!status && !known) status = claim_tasks(run, c->trials, one_trial, t);
    if (!status && !known) status = least_cost(run->ctx, c, c->trials, t, &least);
    for (int i = 0; i < c->trials && !status && !known; i++) {
        for (int k = 0; k < COSTS; k++) value[k] += (t[i].figure[k] / least - 1) / c->trials;
        value[TRAININGS] += t[i].figure[TRAININGS] / c->trials, value[TRAININGS_INDEPENDENT] += t[i].figure[TRAININGS_INDEPENDENT] / c->trials;
        value[HONEST] = fmax(value[HONEST], t[i].figure[HONEST]), value[RISE] = fmax(value[RISE], t[i].figure[RISE]);
    }
    if (!status && !known) status = claim_keep(run, key, FIGURES, value);
    c->calibrated = value[CALIBRATED], c->independent = value[INDEPENDENT], c->fair = value[FAIR], c->single = value[SINGLE];
    c->fair_independent = value[FAIR_INDEPENDENT], c->trainings = value[TRAININGS], c->trainings_independent = value[TRAININGS_INDEPENDENT];
    c->honest = value[HONEST], c->rise = value[RISE];
    table_free(run->ctx, &shuffled);
    nigh_free(run->ctx, t);
    return status;
}
