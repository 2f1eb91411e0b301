/*
 * vector-kernel: nigh's own vector functions (nigh/vector.h) as plans: below 1 ulp for every float, nothing to fit.
 */
#include <math.h>
#include <string.h>

#include "function/target.h"
#include "nigh/vector.h"

typedef void vector_fn(int64_t n, const float *x, float *y);

typedef struct kernel {
    function_id id;
    const char *name;
    vector_fn *run;
    double flops; /* counted like the kernels of other methods: 2 for each vector operation */
} kernel;

static const kernel kernels[] = {
    {FUNCTION_EXP, "exp", nigh_exp_f32, 26},  {FUNCTION_LOG, "log", nigh_log_f32, 30},    {FUNCTION_SIN, "sin", nigh_sin_f32, 38},
    {FUNCTION_COS, "cos", nigh_cos_f32, 38},  {FUNCTION_TANH, "tanh", nigh_tanh_f32, 38}, {FUNCTION_ERF, "erf", nigh_erf_f32, 44},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static const kernel *kernel_of(const function_target *target)
{
    for (int i = 0; target && target->named && i < KERNELS; i++)
        if (kernels[i].id == target->named->id) return &kernels[i];
    return NULL;
}

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    const function_target *target = function_target_of(problem);
    if (!kernel_of(target)) return nigh_fail(ctx, NIGH_UNSUPPORTED, "nigh has kernels of its own for exp, log, sin, cos, tanh and erf only");
    if (target->type != NIGH_F32) return nigh_fail(ctx, NIGH_UNSUPPORTED, "nigh's own kernels are for f32, not for %s", nigh_dtype_name(target->type));
    return NIGH_OK;
}

/* Below 1 ulp everywhere; a third of one in the mean. */
static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit,
                            nigh_estimate *out)
{
    const function_target *target = function_target_of(problem);
    double ulp = 1;
    if (target->measure->name[0] == 'r') ulp = 0x1p-23;
    if (target->measure->name[0] == 'a') {
        double most = 0;
        for (int i = 0; i <= 8; i++) most = fmax(most, fabs((double)function_value(target, target->low + (target->high - target->low) * (nigh_f128)i / 8)));
        ulp = most * 0x1p-23;
    }
    *out = (nigh_estimate){.error = {ulp / 64, ulp}, .apply = {.flops = kernel_of(target)->flops, .bytes = 2 * sizeof(float)}, .bytes = 64, .source = "formula"};
    return NIGH_OK;
}

/* ---- plans ---- */

static void apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    ((const kernel *)plan->state)->run(n, in, out);
}

static void apply_f32(const void *user, int64_t n, const float *in, float *out) { ((const kernel *)user)->run(n, in, out); }

static nigh_status certify(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out)
{
    const function_target *target = function_target_of(problem);
    if (!target || target->type != NIGH_F32) return nigh_fail(ctx, NIGH_UNSUPPORTED, "a certificate needs the function of the plan, in f32");
    return function_exhaustive_f32(ctx, target, apply_f32, plan->state, out, NULL);
}

static nigh_status save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    return nigh_planfile_put_text(file, "kernel", ((const kernel *)plan->state)->name);
}

static const nigh_plan_ops ops = {.apply = apply, .certify = certify, .save = save};

static nigh_status plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const kernel *k, nigh_plan **plan)
{
    const nigh_shape number = {.dtype = NIGH_F32};
    nigh_status status = nigh_plan_new(ctx, method, settings, &number, &number, &ops, plan);
    if (status != NIGH_OK) return status;
    (*plan)->state = (void *)k;
    (*plan)->work = (nigh_work){.flops = k->flops, .bytes = 2 * sizeof(float)};
    (*plan)->bytes = sizeof *k;
    return NIGH_OK;
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan)
{
    const nigh_shape *in = nigh_planfile_in(file), *out = nigh_planfile_out(file);
    if (in->dtype != NIGH_F32 || out->dtype != NIGH_F32 || nigh_shape_count(in) != 1 || nigh_shape_count(out) != 1)
        return nigh_fail(ctx, NIGH_FORMAT, "plan file: a kernel maps one f32 number to another");
    const char *name;
    nigh_status status = nigh_planfile_get_text(file, "kernel", &name);
    if (status != NIGH_OK) return status;
    for (int i = 0; i < KERNELS; i++)
        if (strcmp(kernels[i].name, name) == 0) return plan_new(ctx, method, nigh_planfile_settings(file), &kernels[i], plan);
    return nigh_fail(ctx, NIGH_FORMAT, "plan file: the kernel is '%.40s'; exp, log, sin, cos, tanh or erf is allowed", name);
}

/* ---- the fit: there is nothing to do ---- */

typedef struct fit {
    const nigh_method *method;
    const nigh_problem *problem;
    nigh_settings settings;
} fit;

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                         const nigh_settings *settings, void **out)
{
    nigh_status status = supports(ctx, method, problem, settings);
    fit *f = status == NIGH_OK ? nigh_alloc(ctx, sizeof *f) : NULL;
    if (!f) return status == NIGH_OK ? NIGH_MEMORY : status;
    *f = (fit){method, problem, *settings};
    *out = f;
    return NIGH_OK;
}

static nigh_status advance(nigh_context *ctx, void *user, int64_t units, nigh_progress_point *point)
{
    *point = (nigh_progress_point){.units = 1, .total = 1, .loss = NAN, .done = true};
    return NIGH_OK;
}

static nigh_status finish(nigh_context *ctx, void *user, nigh_plan **plan)
{
    const fit *f = user;
    const function_target *target = function_target_of(f->problem);
    nigh_plan *made;
    nigh_status status = plan_new(ctx, f->method, &f->settings, kernel_of(target), &made);
    if (status != NIGH_OK) return status;
    double *box = nigh_arena_alloc(made->arena, 2 * sizeof *box);
    if (!box) {
        nigh_plan_free(ctx, made);
        return NIGH_MEMORY;
    }
    box[0] = target->low, box[1] = target->high;
    made->low = box, made->high = box + 1;
    *plan = made;
    return NIGH_OK;
}

static void abandon(nigh_context *ctx, void *user) { nigh_free(ctx, user); }

const nigh_method nigh_method_vector_kernel = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "vector-kernel",
    .problem = "function",
    .summary = "nigh's own kernel of exp, log, sin, cos, tanh or erf, below 1 ulp for every float",
    .source = "J.-M. Muller, \"Elementary Functions: Algorithms and Implementation\"",
    .when = "Where nearly all digits of f32 are wanted by a program that links libnigh; a looser error has shorter cores. Its plans cannot be exported as "
            "C, so it takes part only when --methods names it.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_ASKED,
    .supports = supports,
    .estimate = estimate,
    .start = start,
    .advance = advance,
    .finish = finish,
    .abandon = abandon,
    .load = load,
};
