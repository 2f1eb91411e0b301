/* Losses: making, values, costs, and which fit belongs to which. Declared in nigh/coreset.h. */
#include "reduce/loss.h"

#include <math.h>
#include <string.h>

#include "reduce/kmeans.h"
#include "reduce/mixture.h"

enum { NEWTON_COLUMNS = 300, CORNER_COLUMNS = 1000 }; /* beyond them L-BFGS, which corners slow down */

static const char *const kinds[] = {"squares", "lp", "huber", "logistic", "hinge", "k-means", "mixture", "residual", "callback"};

const char *loss_kind_name(nigh_row_loss_kind kind) { return kinds[kind]; }
bool loss_linear(const nigh_loss *loss) { return loss->options.kind <= NIGH_LOSS_HINGE || loss->options.kind == NIGH_LOSS_RESIDUAL; }
bool nigh_loss_has_classes(const nigh_loss *loss) { return loss->options.kind == NIGH_LOSS_LOGISTIC || loss->options.kind == NIGH_LOSS_HINGE; }
bool nigh_loss_uses_y(const nigh_loss *loss) { return loss_linear(loss); }
bool nigh_loss_convex(const nigh_loss *loss) { return loss->options.kind <= NIGH_LOSS_HINGE; }
const char *nigh_loss_name(const nigh_loss *loss) { return loss->name; }
const nigh_loss_options *nigh_loss_is(const nigh_loss *loss) { return &loss->options; }

bool loss_corners(const nigh_loss *loss)
{
    const nigh_loss_options *o = &loss->options;
    return o->kind == NIGH_LOSS_HINGE || (o->kind == NIGH_LOSS_LP && o->p < 2);
}

margin_curve loss_curve(const nigh_loss *loss, double smooth)
{
    return (margin_curve){.kind = loss->options.kind, .p = loss->options.p, .delta = loss->options.delta, .smooth = smooth};
}

static nigh_status fill(nigh_context *ctx, nigh_loss_options *o)
{
    if ((int)o->kind < 0 || o->kind > NIGH_LOSS_CALLBACK) return nigh_fail(ctx, NIGH_INVALID, "the loss's kind is %d; 0 to %d is allowed", (int)o->kind, NIGH_LOSS_CALLBACK);
    bool classes = o->kind == NIGH_LOSS_LOGISTIC || o->kind == NIGH_LOSS_HINGE;
    if (o->p == 0) o->p = 1.5;
    if (o->delta == 0) o->delta = 1;
    if (o->k == 0) o->k = 8;
    if (o->lambda == 0 && classes) o->lambda = 1;
    if (o->restarts == 0) o->restarts = o->kind == NIGH_LOSS_MIXTURE ? 2 : 4;
    if (!(o->p >= 1 && o->p <= 8)) return nigh_fail(ctx, NIGH_INVALID, "p is %g; 1 to 8 is allowed", o->p);
    if (!(o->delta > 0 && o->delta < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "delta is %g; a positive number is allowed", o->delta);
    if (o->k < 1 || o->k > 1 << 24) return nigh_fail(ctx, NIGH_INVALID, "k is %lld centres; 1 to 2^24 is allowed", (long long)o->k);
    if (!(o->lambda >= 0 && o->lambda < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "lambda is %g; 0 or more is allowed", o->lambda);
    if (o->restarts < 1 || o->restarts > 1000000) return nigh_fail(ctx, NIGH_INVALID, "restarts is %d; 1 to 10^6 is allowed", o->restarts);
    return NIGH_OK;
}

nigh_status nigh_loss_new(nigh_context *ctx, const nigh_loss_options *options, nigh_loss **out)
{
    nigh_loss_options o = {0};
    if (options) o = *options;
    nigh_status status = fill(ctx, &o);
    if (status) return status;
    const nigh_loss_callbacks *c = o.callbacks;
    if (o.kind == NIGH_LOSS_CALLBACK && (!c || !c->values || !c->fit || c->parameters < 1))
        return nigh_fail(ctx, NIGH_INVALID, "a loss of callbacks needs values, fit and a positive number of parameters");
    nigh_loss *loss = nigh_alloc_zero(ctx, 1, sizeof *loss);
    if (!loss) return NIGH_MEMORY;
    loss->ctx = ctx;
    loss->options = o;
    if (o.kind == NIGH_LOSS_CALLBACK) loss->callbacks = *c, loss->options.callbacks = &loss->callbacks;
    if (o.kind == NIGH_LOSS_RESIDUAL) {
        status = margin_residual_new(ctx, o.expression, &loss->residual);
        if (!status && !(loss->expression = nigh_strdup(ctx, o.expression))) status = NIGH_MEMORY;
        loss->options.expression = loss->expression;
    }
    if (!status && !(loss->name = loss_name(ctx, &loss->options))) status = NIGH_MEMORY;
    if (status) return nigh_loss_free(loss), status;
    *out = loss;
    return NIGH_OK;
}

void nigh_loss_free(nigh_loss *loss)
{
    if (!loss) return;
    margin_residual_end(&loss->residual);
    nigh_free(loss->ctx, loss->expression);
    nigh_free(loss->ctx, loss->name);
    nigh_free(loss->ctx, loss);
}

int64_t nigh_loss_parameters(const nigh_loss *loss, int64_t d)
{
    int64_t k = loss->options.k;
    switch (loss->options.kind) {
    case NIGH_LOSS_KMEANS: return k * d;
    case NIGH_LOSS_MIXTURE: return k + k * d + k * d * d;
    case NIGH_LOSS_CALLBACK: return loss->callbacks.parameters;
    default: return d + 1;
    }
}

double nigh_loss_penalty(const nigh_loss *loss, int64_t d, const double *model)
{
    double sum = 0;
    if (loss->options.kind == NIGH_LOSS_CALLBACK) return loss->callbacks.penalty ? loss->callbacks.penalty(loss->callbacks.user, model) : 0;
    if (!loss_linear(loss)) return 0;
    for (int64_t k = 0; k < d; k++) sum += model[k] * model[k];
    return loss->options.lambda / 2 * sum;
}

/* Of the user's: a failure that left no message gets one. */
static nigh_status of_user(const nigh_loss *loss, nigh_context *ctx, const nigh_rows *rows, const double *model, double *value)
{
    nigh_status status = loss->callbacks.values(loss->callbacks.user, rows, model, value);
    return status ? nigh_fail(ctx, status, "the loss's values failed: %s", nigh_status_text(status)) : NIGH_OK;
}

/* value NULL: the cost alone. */
static nigh_status evaluate(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double *value, double *cost)
{
    margin_pass *pass;
    const margin_residual *residual = loss->options.kind == NIGH_LOSS_RESIDUAL ? &loss->residual : NULL;
    nigh_status status = margin_new(ctx, rows, residual, 0, &pass);
    if (status) return status;
    margin_curve curve = loss_curve(loss, 0);
    *cost = margin_run(pass, &curve, model, 0, value, NULL, NULL);
    margin_free(pass);
    return NIGH_OK;
}

nigh_status nigh_loss_values(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double *value)
{
    double cost;
    nigh_status status = loss_check_shape(ctx, loss, rows);
    if (status) return status;
    if (loss->options.kind == NIGH_LOSS_CALLBACK) return of_user(loss, ctx, rows, model, value);
    if (loss->options.kind == NIGH_LOSS_KMEANS) return kmeans_assign(ctx, rows->n, rows->d, loss->options.k, false, rows->x, model, NULL, value);
    if (loss->options.kind == NIGH_LOSS_MIXTURE) return mixture_values(ctx, loss->options.k, rows, model, value);
    return evaluate(ctx, loss, rows, model, value, &cost);
}

nigh_status nigh_loss_cost(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double *cost)
{
    double sum = 0, *value = NULL;
    nigh_status status = loss_check_shape(ctx, loss, rows);
    if (status) return status;
    if (loss_linear(loss)) {
        status = evaluate(ctx, loss, rows, model, NULL, &sum);
    } else {
        value = nigh_alloc(ctx, (size_t)rows->n * sizeof *value);
        status = value ? nigh_loss_values(ctx, loss, rows, model, value) : NIGH_MEMORY;
        for (int64_t i = 0; i < rows->n && !status; i++) {
            double w = rows->weight ? rows->weight[i] : 1;
            sum += w > 0 ? w * value[i] : 0;
        }
        nigh_free(ctx, value);
    }
    if (!status) *cost = sum + nigh_loss_penalty(loss, rows->d, model);
    return status;
}

static nigh_status check_classes(nigh_context *ctx, const nigh_rows *rows)
{
    double seen[2] = {0};
    for (int64_t i = 0; i < rows->n; i++) seen[rows->y[i] == 1] += rows->weight ? rows->weight[i] : 1;
    if (seen[0] > 0 && seen[1] > 0) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "class %d has no row of positive weight: nothing can be told apart", seen[0] > 0);
}

/* KMEANS, MIXTURE */
static nigh_status train_centres(const loss_job *job, double *model, nigh_loss_fit *fit)
{
    const nigh_loss_options *o = &job->loss->options;
    const nigh_rows *r = job->rows;
    if (o->kind == NIGH_LOSS_MIXTURE) {
        mixture_spec spec = {o->k, job->iterations, o->restarts, job->tolerance, o->seed};
        return mixture_train(job->ctx, &spec, r, job->start, model, fit);
    }
    kmeans_spec spec = {.n = r->n, .d = r->d, .k = o->k, .restarts = o->restarts, .iterations = job->iterations, .tolerance = job->tolerance, .seed = o->seed};
    kmeans_fit found;
    nigh_status status = kmeans_run(job->ctx, &spec, r->x, r->weight, job->start, model, NULL, NULL, &found);
    if (!status) *fit = (nigh_loss_fit){found.cost, INFINITY, found.iterations, found.passes, found.met};
    return status;
}

nigh_status nigh_loss_train(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_loss_fit_options *options, double *model,
                            nigh_loss_fit *fit)
{
    nigh_loss_fit found = {.gap = INFINITY};
    loss_job job = {.ctx = ctx, .loss = loss, .rows = rows};
    if (options) job.start = options->start, job.tolerance = options->tolerance, job.iterations = options->iterations;
    if (!(job.tolerance >= 0 && job.tolerance < 1)) return nigh_fail(ctx, NIGH_INVALID, "tolerance is %g; 0 to 1 is allowed", job.tolerance);
    if (job.iterations < 0) return nigh_fail(ctx, NIGH_INVALID, "iterations is %lld; 0 or more is allowed", (long long)job.iterations);
    if (job.tolerance == 0) job.tolerance = 1e-9;
    if (job.iterations == 0) job.iterations = loss->options.kind == NIGH_LOSS_KMEANS ? 100 : 200;
    nigh_status status = nigh_rows_check(ctx, rows, loss);
    if (!status && nigh_loss_has_classes(loss)) status = check_classes(ctx, rows);
    if (status) return status;
    nigh_row_loss_kind kind = loss->options.kind;
    if (kind == NIGH_LOSS_CALLBACK) {
        status = loss->callbacks.fit(loss->callbacks.user, rows, job.start, model, &found);
        if (status) return nigh_fail(ctx, status, "the loss's fit failed: %s", nigh_status_text(status));
    } else if (kind == NIGH_LOSS_SQUARES || (kind == NIGH_LOSS_LP && loss->options.p == 2)) {
        status = loss_train_squares(&job, model, &found);
    } else if (kind == NIGH_LOSS_RESIDUAL || (loss_linear(loss) && rows->d > (loss_corners(loss) ? CORNER_COLUMNS : NEWTON_COLUMNS))) {
        status = loss_train_descent(&job, model, &found);
    } else if (loss_linear(loss)) {
        status = loss_train_newton(&job, model, &found);
    } else {
        status = train_centres(&job, model, &found);
    }
    if (!status && fit) *fit = found;
    return status;
}

nigh_status nigh_loss_gap(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, double *model, double *cost, double *gap)
{
    nigh_status status = loss_check_shape(ctx, loss, rows);
    if (status) return status;
    if (loss_linear(loss) && loss->options.kind != NIGH_LOSS_RESIDUAL) return loss_gap_linear(ctx, loss, rows, model, cost, gap);
    status = nigh_loss_cost(ctx, loss, rows, model, cost);
    if (!status) *gap = INFINITY;
    return status;
}

double nigh_loss_error(const nigh_loss *loss, double cost, double best, double weight)
{
    if (loss->options.kind == NIGH_LOSS_MIXTURE) return (cost - best) / weight;
    return cost == best ? 0 : cost / best - 1;
}
