/*
 * Arbitrary bytes as a plan file, once as they are and once with the hash put right, so that the loaders of all methods
 * are reached. What loads is applied inside, outside and to NaN, formatted and parsed again to the same, and exported.
 * Loading may not hold more memory than a small multiple of what it was given.
 */
#include "nigh/function.h"
#include "plan/planfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_NUMBERS = 1 << 16, MOST_WORKSPACE = 1 << 26, SAMPLES = 5 };

static void apply(nigh_context *ctx, const nigh_plan *plan)
{
    static const double odd[] = {0, 0.5, -1e30, INFINITY, NAN, 1, 3e-41};
    int64_t in_count = nigh_shape_count(&plan->in), out_count = nigh_shape_count(&plan->out);
    size_t bytes = nigh_plan_workspace(plan);
    if (in_count > MOST_NUMBERS || out_count > MOST_NUMBERS || bytes > MOST_WORKSPACE) return;
    nigh_array in, out;
    void *workspace = nigh_alloc(ctx, bytes);
    if (nigh_array_new(ctx, &(nigh_shape){plan->in.dtype, 2, {SAMPLES, in_count}}, &in)) abort();
    if (nigh_array_new(ctx, &(nigh_shape){plan->out.dtype, 2, {SAMPLES, out_count}}, &out)) abort();
    for (int64_t i = 0; i < SAMPLES * in_count; i++) {
        bool middle = i < in_count && plan->low;
        nigh_array_set(&in, i, middle ? 0.5 * plan->low[i] + 0.5 * plan->high[i] : odd[i % 7]);
    }
    nigh_status status = nigh_plan_apply(plan, SAMPLES, in.data, out.data, workspace, bytes);
    if (status != NIGH_OK && status != NIGH_OUTSIDE) abort();
    nigh_array_free(ctx, &out);
    nigh_array_free(ctx, &in);
    nigh_free(ctx, workspace);
}

static void again(nigh_context *ctx, const nigh_plan *plan)
{
    nigh_buffer first = {.ctx = ctx}, second = {.ctx = ctx}, text = {.ctx = ctx};
    nigh_plan *copy = NULL;
    if (nigh_plan_format(ctx, plan, &first)) abort();
    if (nigh_plan_parse(ctx, first.data, first.size, "again", &copy)) abort();
    if (nigh_plan_format(ctx, copy, &second)) abort();
    if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0) abort();
    nigh_status status = nigh_plan_export(ctx, plan, "f", &text);
    if (status && !*nigh_message(ctx)) abort();
    nigh_plan_free(ctx, copy);
    nigh_buffer_free(&text);
    nigh_buffer_free(&second);
    nigh_buffer_free(&first);
}

static void load(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_plan *plan = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_status status = nigh_plan_parse(ctx, data, size, "input", &plan);
    if (nigh_memory_peak(ctx) > 64 * size + (1 << 21)) abort();
    if (status ? !*nigh_message(ctx) || plan : !plan) abort();
    if (plan) {
        apply(ctx, plan);
        again(ctx, plan);
    }
    nigh_plan_free(ctx, plan);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_bundle bundle = {.ctx = ctx};
    nigh_buffer sealed = {.ctx = ctx};
    load(data, size);
    if (nigh_safetensors_parse(ctx, data, size, "input", &bundle) == NIGH_OK && planfile_seal(ctx, &bundle) == NIGH_OK &&
        nigh_safetensors_format(ctx, &bundle, &sealed) == NIGH_OK)
        load((const uint8_t *)sealed.data, sealed.size);
    nigh_buffer_free(&sealed);
    nigh_bundle_free(&bundle);
    nigh_context_free(ctx);
    return 0;
}
