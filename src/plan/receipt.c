/*
 * Receipts: making, freeing, and what may be shown of them. Their text is in receipt_print.c, JSON in receipt_json.c.
 * docs/receipts.md says what each figure means.
 */
#include "plan/receipt.h"

#include "plan/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

nigh_status nigh_receipt_new(nigh_context *ctx, nigh_receipt **out)
{
    nigh_arena *arena = NULL;
    if (nigh_arena_new(ctx, &arena)) return NIGH_MEMORY;
    nigh_receipt *receipt = nigh_arena_alloc_zero(arena, 1, sizeof *receipt);
    if (!receipt) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    receipt->arena = arena;
    receipt->label = NIGH_ABSENT;
    receipt->worst_share = 1;
    *out = receipt;
    return NIGH_OK;
}

void nigh_receipt_free(nigh_receipt *receipt)
{
    if (receipt) nigh_arena_free(receipt->arena);
}

static const char *const label_names[] = {"measured", "certified", "asymptotic", "stated", "absent"};
static const char *const statistic_names[] = {"mean", "p95", "worst"};

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

const char *nigh_label_name(nigh_label label) { return (unsigned)label <= NIGH_ABSENT ? label_names[label] : "absent"; }
int nigh_label_find(const char *name) { return find(label_names, NIGH_ABSENT + 1, name); }

const char *nigh_statistic_name(nigh_statistic statistic)
{
    return (unsigned)statistic <= NIGH_WORST ? statistic_names[statistic] : "mean";
}

int nigh_statistic_find(const char *name) { return find(statistic_names, NIGH_WORST + 1, name); }

/* A bound keeps two digits, rounded up; one that meets `limit` still does. */
static double bound_shown(double bound, double limit)
{
    double shown = nigh_figure_two_digits(bound, +1);
    return bound <= limit && shown > limit ? limit : shown;
}

static void figure_shown(nigh_figure *figure, double limit)
{
    figure->estimate = nigh_figure_two_digits(figure->estimate, 0);
    figure->low = nigh_figure_two_digits(figure->low, -1);
    figure->high = bound_shown(figure->high, limit);
}

nigh_receipt nigh_receipt_shown(const nigh_receipt *receipt)
{
    nigh_receipt shown = *receipt;
    if (receipt->reads <= 0) return shown;
    figure_shown(&shown.mean, receipt->error);
    figure_shown(&shown.p95, receipt->error);
    figure_shown(&shown.outliers, 1);
    shown.worst = bound_shown(receipt->worst, receipt->error);
    shown.worst_share = bound_shown(receipt->worst_share, 1);
    return shown;
}

void nigh_grid_text(const nigh_grid_error *grid, char out[64])
{
    bool square = grid->size[1] == 0 || grid->size[1] == grid->size[0];
    if (square) snprintf(out, 64, "%lld", (long long)grid->size[0]);
    else snprintf(out, 64, "%lldx%lld", (long long)grid->size[0], (long long)grid->size[1]);
}

double nigh_receipt_break_even(double fit_seconds, double exact_seconds, double plan_seconds)
{
    if (!(exact_seconds > 0) || !(plan_seconds > 0) || !(fit_seconds >= 0)) return NAN;
    if (plan_seconds >= exact_seconds) return INFINITY;
    double uses = ceil(fit_seconds / (exact_seconds - plan_seconds));
    return uses < 1 ? 1 : uses;
}

double nigh_receipt_decides(const nigh_receipt *r, nigh_statistic *which)
{
    nigh_statistic unused;
    if (!which) which = &unused;
    *which = (unsigned)r->statistic <= NIGH_WORST ? r->statistic : NIGH_MEAN;
    const nigh_certificate *proof = &r->certificate;
    if (*which == NIGH_WORST) return proof->how ? proof->worst : r->tests > 0 ? r->worst : NAN;
    const nigh_figure *figure = *which == NIGH_MEAN ? &r->mean : &r->p95;
    bool measured = figure->n > 0;
    if (proof->how && (!measured || (figure->high > r->error && proof->worst <= r->error))) { /* no error is above the worst */
        *which = NIGH_WORST;
        return proof->worst;
    }
    return measured ? figure->high : NAN;
}
