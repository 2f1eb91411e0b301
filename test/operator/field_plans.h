/* Plans of a method for fields on ROWS pairs of fields, for its tests. Defined before: FIELD_METHOD, the method that is tested, and ROWS. */
#ifndef NIGH_TEST_FIELD_PLANS_H
#define NIGH_TEST_FIELD_PLANS_H
#include "support.h"

#include "operator/methods.h"

#include <string.h>

/* Fitted in advances of so many units; with `write` the fit is written to a checkpoint and read back in between. */
static nigh_plan *plan_of(nigh_context *ctx, const nigh_problem *problem, const char *text, const double *x, const double *y, int64_t step, bool write)
{
    const nigh_method *m = &FIELD_METHOD;
    nigh_settings settings = nigh_settings_default(m);
    nigh_samples samples = {.n = ROWS, .in = x, .out = y};
    nigh_progress_point point = {0};
    nigh_plan *plan = NULL;
    void *fit = NULL;
    assert_ok(ctx, nigh_settings_parse(ctx, m, text, &settings));
    assert_ok(ctx, m->start(ctx, m, problem, &samples, &settings, &fit));
    for (int i = 0; !point.done; i++) {
        assert_ok(ctx, m->advance(ctx, fit, step, &point));
        if (i != 1 || !write) continue;
        nigh_buffer bytes = {.ctx = ctx};
        assert_ok(ctx, m->checkpoint(ctx, fit, &bytes));
        m->abandon(ctx, fit);
        assert_ok(ctx, m->restore(ctx, m, problem, &samples, &settings, bytes.data, bytes.size, &fit));
        nigh_buffer_free(&bytes);
    }
    assert_ok(ctx, m->finish(ctx, fit, &plan));
    m->abandon(ctx, fit);
    return plan;
}

static void apply(nigh_context *ctx, const nigh_plan *plan, const double *x, double *y)
{
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(ctx, bytes);
    memset(workspace, 0xff, bytes);
    assert_ok(ctx, nigh_plan_apply(plan, ROWS, x, y, workspace, bytes));
    nigh_free(ctx, workspace);
}
#endif
