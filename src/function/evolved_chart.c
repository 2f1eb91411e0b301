/* The archive of a search beside the classical forms of as many operations; see evolved.h. */
#include <math.h>

#include "function/evolved.h"

extern const nigh_method nigh_method_minimax, nigh_method_minimax_rational;

enum { MOST_POINTS = 3 * EVOLVE_MOST_OPS + 3 };

nigh_status evolved_words(const evolved_choice *choice, nigh_buffer *text)
{
    int extra = evolved_extra_ops(choice->domain);
    bool first = true, ulps = choice->domain->measure == FUNCTION_ULP;
    nigh_status status = NIGH_OK;
    for (int ops = 1; ops <= EVOLVE_MOST_OPS && status == NIGH_OK; ops++) {
        const evolve_program *program = evolve_frontier(choice->archive, ops);
        if (!program || (ulps && program->error > 1e6)) continue;
        const char *before = first ? "ops " : ", ";
        if (ulps) status = nigh_buffer_print(text, "%s%d: %.2g ulp", before, ops + extra, (double)program->error);
        else status = nigh_buffer_print(text, "%s%d: %.1f%s", before, ops + extra, program->digits, first ? " digits" : "");
        first = false;
    }
    return status;
}

/* The ideal error of a classical method with p + q coefficients' degrees in v; INFINITY when it cannot be fitted. */
static double classical(nigh_context *ctx, const function_domain *domain, const nigh_method *method, int p, int q)
{
    function_ideal ideal;
    nigh_settings settings = nigh_settings_default(method);
    int scale = domain->square ? 2 : 1;
    settings.value[0] = scale * p + (domain->factor ? 1 : 0);
    if (q > 0) settings.value[1] = scale * q;
    nigh_status status = function_approach_of(method)->recipe(ctx, domain, &settings, false, &ideal);
    return status == NIGH_OK ? (double)ideal.error : (double)INFINITY;
}

/* The best quotient of `ops` operations, its denominator with leading coefficient 1. */
static double rational(nigh_context *ctx, const function_domain *domain, int ops, bool fma)
{
    double best = INFINITY;
    for (int q = 1; q < ops; q++) {
        int p = fma ? ops - q - 1 : ops / 2 - q;
        if (p >= 1) best = fmin(best, classical(ctx, domain, &nigh_method_minimax_rational, p, q));
    }
    return best;
}

static void add(nigh_chart_point *points, int *count, const char *series, int x, double y)
{
    if (y > 0 && isfinite(y)) points[(*count)++] = (nigh_chart_point){series, NULL, x, y};
}

nigh_status evolved_chart(nigh_context *ctx, const evolved_choice *choice, bool fma, nigh_arena *arena, const nigh_chart **out)
{
    const function_domain *domain = choice->domain;
    nigh_chart *chart = nigh_arena_alloc_zero(arena, 1, sizeof *chart);
    nigh_chart_point *points = nigh_arena_alloc_zero(arena, MOST_POINTS, sizeof *points);
    if (!chart || !points) return NIGH_MEMORY;
    int extra = evolved_extra_ops(domain), limit = choice->most_ops - extra, count = 0;
    for (int ops = 1; ops <= limit; ops++) {
        const evolve_program *program = evolve_frontier(choice->archive, ops);
        if (!program) continue;
        add(points, &count, "found by evolution", ops + extra, (double)program->error);
        points[count - 1].label = domain->measure == FUNCTION_ULP ? nigh_arena_format(arena, "%.2g", (double)program->error)
                                                                  : nigh_arena_format(arena, "%.1f digits", program->digits);
        if (!points[count - 1].label) return NIGH_MEMORY;
    }
    for (int ops = fma ? 1 : 2; ops <= limit; ops += fma ? 1 : 2) {
        nigh_status status = nigh_poll(ctx);
        if (status != NIGH_OK) return status;
        add(points, &count, "best polynomial", ops + extra, classical(ctx, domain, &nigh_method_minimax, fma ? ops : ops / 2, 0));
    }
    for (int ops = fma ? 3 : 4; ops <= limit; ops += fma ? 1 : 2) {
        nigh_status status = nigh_poll(ctx);
        if (status != NIGH_OK) return status;
        add(points, &count, "best rational", ops + extra, rational(ctx, domain, ops, fma));
    }
    *chart = (nigh_chart){"Error against operations", "operations", "largest error before rounding", count, points};
    *out = chart;
    return NIGH_OK;
}
