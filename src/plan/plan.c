/* Plans: made by methods, applied by anybody. Declared in nigh/plan.h. */
#include "nigh/plan.h"

#include "plan/range.h"

#include <string.h>

void nigh_problem_free(nigh_context *ctx, nigh_problem *problem)
{
    if (problem && problem->ops->free) problem->ops->free(ctx, problem);
}

nigh_status nigh_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in,
                          const nigh_shape *out, const nigh_plan_ops *ops, nigh_plan **plan_out)
{
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    nigh_plan *plan = nigh_arena_alloc_zero(arena, 1, sizeof *plan);
    if (!plan) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    *plan = (nigh_plan){.method = method, .settings = *settings, .in = *in, .out = *out, .ops = ops, .arena = arena, .record = ""};
    *plan_out = plan;
    return NIGH_OK;
}

void nigh_plan_free(nigh_context *ctx, nigh_plan *plan)
{
    if (!plan) return;
    if (plan->ops->free) plan->ops->free(ctx, plan);
    nigh_arena_free(plan->arena);
}

enum { BLOCK_BYTES = 16384, MOST_BLOCK = 4096 };

int64_t nigh_plan_block(const nigh_plan *plan)
{
    int64_t bytes = nigh_shape_count(&plan->in) * (int64_t)nigh_dtype_size(plan->in.dtype) +
                    nigh_shape_count(&plan->out) * (int64_t)nigh_dtype_size(plan->out.dtype);
    int64_t block = bytes > 0 ? BLOCK_BYTES / bytes : MOST_BLOCK;
    return block < 1 ? 1 : block > MOST_BLOCK ? MOST_BLOCK : block;
}

size_t nigh_plan_workspace(const nigh_plan *plan)
{
    return plan->ops->workspace ? plan->ops->workspace(plan, nigh_plan_block(plan)) : 0;
}

const range_kernels *range_kernels_get(void)
{
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX512) return &range_avx512;
    if (nigh_cpu() == NIGH_CPU_AVX2) return &range_avx2;
#endif
    return &range_scalar;
}

static bool inside(const nigh_plan *plan, int64_t width, int64_t n, const void *in)
{
    const range_kernels *kernels = range_kernels_get();
    if (!plan->low || (plan->in.dtype != NIGH_F32 && plan->in.dtype != NIGH_F64)) return true;
    if (plan->in.dtype == NIGH_F32)
        return width == 1 ? kernels->inside_f32(n, in, (float)plan->low[0], (float)plan->high[0])
                          : kernels->rows_inside_f32(n, width, in, plan->low, plan->high);
    return width == 1 ? kernels->inside_f64(n, in, plan->low[0], plan->high[0])
                      : kernels->rows_inside_f64(n, width, in, plan->low, plan->high);
}

nigh_status nigh_plan_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace, size_t bytes)
{
    if (bytes < nigh_plan_workspace(plan) || n < 0) return NIGH_INVALID;
    int64_t block = nigh_plan_block(plan), width = nigh_shape_count(&plan->in);
    size_t in_bytes = (size_t)width * nigh_dtype_size(plan->in.dtype);
    size_t out_bytes = (size_t)nigh_shape_count(&plan->out) * nigh_dtype_size(plan->out.dtype);
    bool outside = false;
    for (int64_t i = 0; i < n; i += block) {
        int64_t part = n - i < block ? n - i : block;
        const char *from = (const char *)in + (size_t)i * in_bytes;
        plan->ops->apply(plan, part, from, (char *)out + (size_t)i * out_bytes, workspace);
        if (!inside(plan, width, part, from)) outside = true;
        if (plan->ops->outside && plan->ops->outside(plan, part, from, workspace)) outside = true;
    }
    return outside ? NIGH_OUTSIDE : NIGH_OK;
}

static const char *const grid_names[] = {"unknown", "cell", "node", "periodic"};

const char *nigh_grid_name(nigh_grid grid) { return grid_names[grid]; }

bool nigh_grid_find(const char *name, nigh_grid *grid)
{
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, grid_names[i])) return *grid = (nigh_grid)i, true;
    return false;
}
