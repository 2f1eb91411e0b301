/* Trainings of methods for fields on Darcy flow, by the same harness for all of them. */
#include "parts.h"

#include "operator/fields.h"
#include "operator/methods.h"

#include <math.h>
#include <string.h>

static double distance(int64_t width, const double *y, const double *z)
{
    double off = 0, all = 0;
    for (int64_t k = 0; k < width; k++) off += (z[k] - y[k]) * (z[k] - y[k]), all += y[k] * y[k];
    return sqrt(off / all);
}

nigh_status flow_new(nigh_context *ctx, int64_t n, int64_t fit, int64_t tests, uint64_t seed, flow *out)
{
    flow f = {.n = n, .fit = fit, .tests = tests};
    size_t all = (size_t)((fit + tests) * n * n);
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_status status = nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = n}, &f.problem);
    if (!status) f.x = nigh_alloc(ctx, all * sizeof *f.x), f.y = nigh_alloc(ctx, all * sizeof *f.y), f.mean = nigh_alloc_zero(ctx, (size_t)(n * n), sizeof *f.mean);
    if (!status && (!f.x || !f.y || !f.mean)) status = NIGH_MEMORY;
    if (!status) status = f.problem->ops->draw(ctx, f.problem, &rng, fit + tests, f.x);
    if (!status) status = f.problem->ops->exact(ctx, f.problem, fit + tests, f.x, f.y);
    for (int64_t i = 0; i < fit * n * n && !status; i++) f.mean[i % (n * n)] += f.y[i] / (double)fit;
    if (status) flow_free(ctx, &f);
    else *out = f;
    return status;
}

void flow_free(nigh_context *ctx, flow *f)
{
    nigh_problem_free(ctx, f->problem);
    nigh_free(ctx, f->x);
    nigh_free(ctx, f->y);
    nigh_free(ctx, f->mean);
}

/* Of one answer: the largest error on the outermost cells over the largest value. */
static double edge_error(int64_t n, const double *y, const double *z)
{
    double off = 0, most = 0;
    for (int64_t k = 0; k < n * n; k++) {
        int64_t i = k / n, j = k % n;
        most = fmax(most, fabs(y[k]));
        if (i == 0 || j == 0 || i == n - 1 || j == n - 1) off = fmax(off, fabs(z[k] - y[k]));
    }
    return off / most;
}

double flow_mean_error(const flow *f)
{
    double sum = 0;
    for (int64_t i = f->fit; i < f->fit + f->tests; i++) sum += distance(f->n * f->n, f->y + i * f->n * f->n, f->mean) / (double)f->tests;
    return sum;
}

static nigh_status settle(nigh_context *ctx, const training *t, const nigh_method **method, nigh_settings *settings)
{
    static const nigh_method *const known[] = {&nigh_method_fno, &nigh_method_mgno};
    for (int i = 0; i < 2; i++)
        if (!strcmp(known[i]->name, t->method)) *method = known[i];
    *settings = nigh_settings_default(*method);
    char text[200];
    snprintf(text, sizeof text, "%s,epochs=%lld", t->settings, (long long)(t->epochs > 0 ? t->epochs : 1));
    return nigh_settings_parse(ctx, *method, text, settings);
}

static nigh_status judge(nigh_context *ctx, const nigh_plan *plan, training *t)
{
    const flow *f = t->data;
    int64_t width = f->n * f->n, seen = f->tests < f->fit ? f->tests : f->fit;
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(ctx, bytes);
    double *z = nigh_alloc(ctx, (size_t)width * sizeof *z);
    nigh_status status = workspace && z ? NIGH_OK : NIGH_MEMORY;
    t->error = t->fit_error = t->edge = 0;
    for (int64_t i = 0; i < f->tests + seen && !status; i++) {
        int64_t at = i < f->tests ? f->fit + i : i - f->tests;
        status = nigh_plan_apply(plan, 1, f->x + at * width, z, workspace, bytes);
        double error = distance(width, f->y + at * width, z);
        if (i >= f->tests) t->fit_error += error / (double)seen;
        else t->error += error / (double)f->tests, t->edge += edge_error(f->n, f->y + at * width, z) / (double)f->tests;
    }
    nigh_free(ctx, z);
    nigh_free(ctx, workspace);
    return status;
}

static nigh_status train(nigh_context *ctx, int index, void *user)
{
    training *t = (training *)user + index;
    const nigh_method *method = NULL;
    nigh_settings settings;
    nigh_plan *plan = NULL;
    nigh_progress_point point = {0};
    void *fit = NULL;
    if (t->seconds > 0) return NIGH_OK; /* remembered */
    nigh_context_set_seed(ctx, t->seed);
    double start = nigh_clock();
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = settle(ctx, t, &method, &settings);
    if (!status) status = method->start(ctx, method, t->data->problem, &(nigh_samples){.n = t->data->fit, .in = t->data->x, .out = t->data->y}, &settings, &fit);
    while (!status && !point.done) status = method->advance(ctx, fit, 100, &point);
    if (!status) status = method->finish(ctx, fit, &plan);
    t->seconds = nigh_clock() - start;
    if (!status) status = judge(ctx, plan, t);
    if (!status) t->weights = plan->bytes / sizeof(float), t->flops = 3 * plan->work.flops * (double)(t->data->fit * t->epochs);
    if (fit) method->abandon(ctx, fit);
    nigh_plan_free(ctx, plan);
    return status;
}

nigh_status trainings_run(claim_run *run, const char *key, int count, training *all)
{
    char name[64];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count; i++) {
        double *figures[TRAINING_FIGURES] = {&all[i].error, &all[i].fit_error, &all[i].edge, &all[i].weights, &all[i].flops, &all[i].seconds}, value[TRAINING_FIGURES];
        snprintf(name, sizeof name, "%s-%d", key, i);
        bool known = claim_recall(run, name, TRAINING_FIGURES, value);
        for (int k = 0; k < TRAINING_FIGURES; k++) *figures[k] = known ? value[k] : 0;
    }
    int together = nigh_context_threads(run->ctx);
    for (int from = 0; from < count && !status; from += together) {
        int these = count - from < together ? count - from : together;
        status = claim_progress(run, key, from, count);
        if (!status) status = claim_tasks(run, these, train, all + from);
        for (int i = from; i < from + these && !status; i++) {
            const training *t = &all[i];
            snprintf(name, sizeof name, "%s-%d", key, i);
            if (!claim_recall(run, name, TRAINING_FIGURES, (double[TRAINING_FIGURES]){0}))
                status = claim_keep(run, name, TRAINING_FIGURES, (double[]){t->error, t->fit_error, t->edge, t->weights, t->flops, t->seconds});
        }
    }
    return status;
}

nigh_status training_price(nigh_context *ctx, training *t)
{
    const nigh_method *method = NULL;
    nigh_settings settings;
    nigh_plan *plan = NULL;
    nigh_status status = settle(ctx, t, &method, &settings);
    if (!status) status = field_plan_new(ctx, method, &settings, &t->data->problem->in, &t->data->problem->out, &plan);
    if (!status) t->weights = plan->bytes / sizeof(float), t->flops = 3 * plan->work.flops * (double)t->data->fit;
    nigh_plan_free(ctx, plan);
    return status;
}

nigh_status training_epoch_seconds(nigh_context *ctx, const training *t, double *seconds)
{
    enum { TIMED = 12, WARM = 3 };
    const nigh_method *method = NULL;
    nigh_settings settings;
    nigh_progress_point point;
    void *fit = NULL;
    double least = INFINITY;
    int threads = nigh_context_threads(ctx);
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = settle(ctx, t, &method, &settings);
    if (!status) status = method->start(ctx, method, t->data->problem, &(nigh_samples){.n = t->data->fit, .in = t->data->x, .out = t->data->y}, &settings, &fit);
    for (int i = 0; i < WARM + TIMED && !status; i++) {
        double start = nigh_clock();
        status = method->advance(ctx, fit, 1, &point);
        if (i >= WARM) least = fmin(least, nigh_clock() - start);
    }
    if (fit) method->abandon(ctx, fit);
    *seconds = least * (double)t->data->fit / nigh_setting(method, &settings, "batch");
    nigh_context_set_threads(ctx, threads);
    return status;
}
