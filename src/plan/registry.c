/* Methods of all families and of the caller, and the services in force. Declared in nigh/plan.h. */
#include "plan/registry.h"

#include "core/context.h"
#include "core/words.h"

#include <math.h>
#include <string.h>

_Static_assert(sizeof(nigh_services) <= sizeof((nigh_context *)0)->services, "room for the services in a context");

const nigh_method *nigh_method_at(nigh_context *ctx, int i)
{
    for (const nigh_method *const *const *family = nigh_families; *family; family++)
        for (const nigh_method *const *method = *family; *method; method++)
            if (i-- == 0) return *method;
    return i < ctx->registered_count ? ctx->registered[i] : NULL;
}

nigh_status nigh_register(nigh_context *ctx, const nigh_method *method)
{
    if (method->abi != NIGH_METHOD_ABI || method->size != sizeof *method)
        return nigh_fail(ctx, NIGH_INVALID, "the method has abi %u and size %zu; this library knows abi %d and size %zu", method->abi,
                         method->size, NIGH_METHOD_ABI, sizeof *method);
    if (!method->name || !method->problem || !method->start || !method->advance || !method->finish || !method->abandon)
        return nigh_fail(ctx, NIGH_INVALID, "method %s: name, problem, start, advance, finish and abandon must be there",
                         method->name ? method->name : "without a name");
    int options = 0;
    while (method->options && options <= NIGH_MAX_OPTIONS && method->options[options].name) options++;
    if (options > NIGH_MAX_OPTIONS) return nigh_fail(ctx, NIGH_INVALID, "method %s has more than %d options, the most there may be", method->name, NIGH_MAX_OPTIONS);
    for (int i = 0; nigh_method_at(ctx, i); i++)
        if (strcmp(nigh_method_at(ctx, i)->name, method->name) == 0 && strcmp(nigh_method_at(ctx, i)->problem, method->problem) == 0)
            return nigh_fail(ctx, NIGH_INVALID, "a method '%s' for problems of kind '%s' is there already", method->name, method->problem);
    int most = (int)(sizeof ctx->registered / sizeof *ctx->registered);
    if (ctx->registered_count == most) return nigh_fail(ctx, NIGH_RESOURCE, "%d methods are registered; that is the most", most);
    ctx->registered[ctx->registered_count++] = method;
    return NIGH_OK;
}

nigh_status nigh_method_find(nigh_context *ctx, const char *kind, const char *name, const nigh_method **out)
{
    const char *near = NULL;
    for (int i = 0; nigh_method_at(ctx, i); i++) {
        const nigh_method *method = nigh_method_at(ctx, i);
        if (kind && strcmp(method->problem, kind) != 0) continue;
        if (strcmp(method->name, name) == 0) {
            *out = method;
            return NIGH_OK;
        }
        near = word_nearer(name, strlen(name), method->name, near);
    }
    return nigh_fail(ctx, NIGH_INVALID, "no method '%s'%s%s%s%s%s%s; see `nigh list methods`", name, kind ? " for problems of kind '" : "",
                     kind ? kind : "", kind ? "'" : "", near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- the plain services ---- */

/* Secant on log error against the grid index, kept inside the bracket; the middle when errors say nothing. */
static int tune(int low, int high, const double *errors, double target)
{
    int middle = low + (high - low) / 2;
    double above = errors[low], below = errors[high];
    if (!(above > target && below > 0 && below <= target && isfinite(above))) return middle;
    double guess = low + (high - low) * (log(above) - log(target)) / (log(above) - log(below));
    int index = (int)ceil(guess);
    if (index <= low) index = low + 1;
    if (index >= high) index = high - 1;
    return index;
}

/* A power law through the last two halvings of the curve; never below zero, never above the last loss. */
static double extrapolate(int count, const double *units, const double *loss, double total)
{
    if (count < 3) return loss[count - 1];
    int half = count - 1;
    while (half > 0 && units[half] > units[count - 1] / 2) half--;
    if (!(loss[half] > loss[count - 1] && loss[count - 1] > 0 && units[half] > 0)) return loss[count - 1];
    double slope = log(loss[half] / loss[count - 1]) / log(units[count - 1] / units[half]);
    return loss[count - 1] * pow(units[count - 1] / total, slope);
}

static double holdout_level(int64_t k, double level, int64_t n) { return level / ((double)k * (double)(k + 1)); }

/* Evenly spaced: the samples' order is random already. */
static nigh_status shrink(nigh_context *ctx, const nigh_problem *problem, const nigh_samples *samples, int64_t m, int64_t *index)
{
    for (int64_t i = 0; i < m; i++) index[i] = (int64_t)((double)i * (double)samples->n / (double)m);
    return NIGH_OK;
}

static nigh_status certify(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out)
{
    if (!plan->ops->certify) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s has no certificate", plan->method->name);
    return plan->ops->certify(ctx, plan, problem, out);
}

nigh_services *nigh_context_services(nigh_context *ctx)
{
    nigh_services *services = (nigh_services *)(void *)ctx->services;
    if (!ctx->services_set) {
        *services = (nigh_services){tune, extrapolate, holdout_level, shrink, certify};
        nigh_families_serve(services);
        ctx->services_set = true;
    }
    return services;
}
