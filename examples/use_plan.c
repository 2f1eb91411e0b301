/*
 * nigh from C, start to end: a problem, a plan that meets an error, its receipt, and the plan at work.
 *   cc use_plan.c $(pkg-config --cflags --libs nigh) -o use_plan && ./use_plan
 */
#include <nigh/function.h>
#include <nigh/nigh.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(nigh_context *ctx, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, nigh_message(ctx));
    return 1;
}

int main(void)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx) != NIGH_OK) return 1;

    /* exp(-x^2) cos 3x on [1/8, 4] in f32; every error allowed up to 1e-5, over all floats of the interval. */
    nigh_problem *problem;
    const nigh_function function = {"exp(-x*x)*cos(3*x)", 0.125, 4, NIGH_F32, "absolute"};
    if (nigh_function_problem_new(ctx, &function, &problem)) return fail(ctx, "problem");

    nigh_request request = nigh_request_default();
    request.error = 1e-5;
    request.statistic = NIGH_WORST;
    request.no_clock = true; /* choose by counted cost: the same plan on every run */
    nigh_outcome *outcome;
    if (nigh_plan_make(ctx, problem, &request, &outcome)) return fail(ctx, "plan");

    nigh_buffer text = {.ctx = ctx};
    if (nigh_receipt_print(ctx, outcome->receipt, &text)) return fail(ctx, "receipt");
    fwrite(text.data, 1, text.size, stdout);

    /* At work: any number of threads may do this on one plan, each with a workspace of its own. */
    float in[5] = {0.125f, 1, 2, 3, 4}, out[5];
    size_t bytes = nigh_plan_workspace(outcome->plan);
    void *workspace = malloc(bytes + 1);
    nigh_status status = workspace ? nigh_plan_apply(outcome->plan, 5, in, out, workspace, bytes) : NIGH_MEMORY;
    for (int i = 0; i < 5 && !status; i++) printf("f(%g) = %.6f\n", in[i], out[i]);

    free(workspace);
    nigh_buffer_free(&text);
    nigh_outcome_free(ctx, outcome);
    nigh_problem_free(ctx, problem);
    nigh_context_free(ctx);
    return status != NIGH_OK;
}
