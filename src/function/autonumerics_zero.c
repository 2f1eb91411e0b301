/*
 * Straight-line programs of + - * / found by evolution from nothing, after "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical
 * Functions". The search itself is evolve.h; here it is a fit: one unit of work is one generation of all islands.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "function/evolved.h"

enum { OPS, GENERATIONS, REDUCTION, DIVIDE, FMA, SPEED, SEED };
enum { AUTO, NONE, NATIVE };
static const double GENERATION_SECONDS = 0.03; /* of two cores; typical */

static const nigh_option options[] = {
    {.name = "ops", .type = NIGH_OPTION_INT, .low = 2, .high = EVOLVE_MOST_OPS, .value = 10,
     .help = "most operations of the core; its square and factor count, range reduction does not"},
    {.name = "generations", .type = NIGH_OPTION_INT, .low = 1, .high = 1e7, .value = 2500,
     .help = "length of the search; the default takes one to two minutes on two cores"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 2, .choices = "auto,none,native",
     .help = "native: the known range reduction of a named function; auto: native where it helps"},
    {.name = "divide", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "no,yes", .value = 1, .help = "programs may divide"},
    {.name = "fma", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "no,yes", .help = "a b + c is one operation, not two"},
    {.name = "speed", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "ops,time",
     .help = "ops: the most accurate program; time: the fastest below 1 ULP as compiled C, by the clock (f32, measure ulp)"},
    {.name = "seed", .type = NIGH_OPTION_INT, .low = 0, .high = 1e9, .value = 1, .help = "another seed, another search"},
    {.name = NULL},
};

typedef struct fit {
    const nigh_method *method;
    const nigh_problem *problem;
    nigh_settings settings;
    function_domain domain;
    evolve *search;
    int64_t total, shown; /* generations; when the frontier was shown last */
} fit;

/* ---- what is asked of it --------------------------------------------------------------------------------- */

/*
 * auto: where folding or periods leave an interval of at most a third, and where the function crosses zero away from 0, so that without the
 * reduction no relative error can be small.
 */
static bool gains(const function_domain *native)
{
    bool crosses = native->reduction == FUNCTION_BINADE || native->reduction == FUNCTION_TURNS;
    return (crosses && native->measure != FUNCTION_ABSOLUTE) || 3 * (native->t_high - native->t_low) <= (nigh_f128)native->high - native->low ||
           native->reduction >= FUNCTION_ODD;
}

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    const function_target *target = function_target_of(problem);
    if (!target) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s is for functions of one variable", method->name);
    bool ulps = target->type == NIGH_F32 && strcmp(target->measure->name, "ulp") == 0;
    if (settings->value[SPEED] != 0 && !ulps)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "speed=time keeps programs below 1 ULP: it needs type f32 and measure ulp");
    return settings->value[REDUCTION] == NATIVE ? function_domain_supports(ctx, target) : NIGH_OK;
}

/* Cores that may end early end where what lies beyond is below an eighth of the type's last place. */
static void cut(function_domain *domain)
{
    double epsilon = domain->type == NIGH_F32 ? FLT_EPSILON : DBL_EPSILON;
    double error = domain->measure == FUNCTION_ULP ? .125 : .125 * epsilon;
    if (domain->cuttable) function_domain_cut(domain, function_domain_cut_for(domain, error));
}

static nigh_status domain_of(nigh_context *ctx, const nigh_problem *problem, const nigh_settings *settings, function_domain *domain)
{
    const function_target *target = function_target_of(problem);
    int asked = (int)settings->value[REDUCTION];
    bool native = asked == NATIVE || (asked == AUTO && function_domain_supports(ctx, target) == NIGH_OK);
    nigh_status status = function_domain_new(ctx, target, native, true, domain);
    if (status == NIGH_OK && asked == AUTO && native && !gains(domain)) status = function_domain_new(ctx, target, false, true, domain);
    if (status == NIGH_OK) cut(domain);
    if (status == NIGH_OK && (int)settings->value[OPS] <= evolved_extra_ops(domain))
        status = nigh_fail(ctx, NIGH_UNSUPPORTED, "ops is %d; this core spends %d on its square and factor alone", (int)settings->value[OPS],
                           evolved_extra_ops(domain));
    return status;
}

/* What evolution will reach nobody knows; what it costs is known. */
static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings,
                            int64_t n_fit, nigh_estimate *out)
{
    function_domain domain;
    nigh_status status = domain_of(ctx, problem, settings, &domain);
    if (status != NIGH_OK) return status;
    function_code code = {.steps = (int)settings->value[OPS]};
    function_core core = {.form = FUNCTION_CODE, .code = &code};
    function_domain_core(&domain, &core);
    core.square = false;
    *out = (nigh_estimate){
        .error = {0, INFINITY},
        .fit = {.seconds = settings->value[GENERATIONS] * GENERATION_SECONDS},
        .apply = {.flops = function_core_flops(&core), .bytes = 2.0 * (double)nigh_dtype_size(domain.type)},
        .bytes = sizeof core + sizeof code,
        .source = "none",
    };
    return NIGH_OK;
}

/* ---- the fit --------------------------------------------------------------------------------------------- */

static void abandon(nigh_context *ctx, void *user)
{
    fit *f = user;
    if (!f) return;
    evolve_free(f->search);
    nigh_free(ctx, f);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                         const nigh_settings *settings, void **out)
{
    nigh_status status = supports(ctx, method, problem, settings);
    if (status != NIGH_OK) return status;
    fit *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (fit){.method = method, .problem = problem, .settings = *settings, .total = (int64_t)settings->value[GENERATIONS]};
    if (samples && samples->units > 0 && samples->units < f->total) f->total = samples->units;
    status = domain_of(ctx, problem, settings, &f->domain);
    if (status == NIGH_OK) {
        remez_problem core = function_remez_problem(&f->domain);
        evolve_options o = evolve_options_default();
        o.divide = settings->value[DIVIDE] != 0;
        o.fma = settings->value[FMA] != 0;
        o.most_ops = (int)settings->value[OPS] - evolved_extra_ops(&f->domain);
        if (f->domain.measure == FUNCTION_ULP) /* it is the type that counts; all roundings seldom add up */
            o.roundoff = (f->domain.type == NIGH_F32 ? FLT_EPSILON : DBL_EPSILON) / 4;
        o.seed = (uint64_t)settings->value[SEED];
        status = evolve_new(ctx, &core, &o, &f->search);
    }
    if (status == NIGH_OK) *out = f;
    else abandon(ctx, f);
    return status;
}

static evolved_choice choice_of(const fit *f)
{
    return (evolved_choice){&f->domain, f->search, (int)f->settings.value[OPS], f->settings.value[SPEED] != 0, (uint64_t)f->settings.value[SEED]};
}

/* The frontier as a line of the log: at 1, 2, 4 ... hundredths of the way, and at the end. */
static nigh_status show_frontier(nigh_context *ctx, fit *f)
{
    int64_t done = evolve_generations(f->search);
    if (done < f->total && (100 * done < f->total || done < 2 * f->shown)) return NIGH_OK;
    evolved_choice choice = choice_of(f);
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = evolved_words(&choice, &text);
    if (status == NIGH_OK && text.size)
        nigh_log(ctx, NIGH_LOG_NOTE, "generation %lld of %lld: %s", (long long)done, (long long)f->total, text.data);
    nigh_buffer_free(&text);
    f->shown = done;
    return status;
}

static double loss(const fit *f)
{
    for (int ops = EVOLVE_MOST_OPS; ops > 0; ops--)
        if (evolve_frontier(f->search, ops)) return (double)evolve_frontier(f->search, ops)->error;
    return NAN;
}

static nigh_status advance(nigh_context *ctx, void *user, int64_t units, nigh_progress_point *point)
{
    fit *f = user;
    int64_t left = f->total - evolve_generations(f->search);
    nigh_status status = evolve_advance(f->search, units < left ? units : left);
    if (status == NIGH_OK && left > 0) status = show_frontier(ctx, f);
    if (status != NIGH_OK) return status;
    int64_t done = evolve_generations(f->search);
    *point = (nigh_progress_point){done, f->total, loss(f), done >= f->total};
    return NIGH_OK;
}

static nigh_status finish(nigh_context *ctx, void *user, nigh_plan **plan)
{
    fit *f = user;
    evolved_choice choice = choice_of(f);
    evolved_core best = {0};
    nigh_plan *made = NULL;
    nigh_status status = evolved_choose(ctx, &choice, &best);
    if (status == NIGH_OK)
        status = function_plan_new(ctx, f->method, &f->settings, &f->problem->in, &f->problem->out, &best.core,
                                   function_target_of(f->problem)->text, &made);
    nigh_free(ctx, best.core.code);
    if (status != NIGH_OK) return status;
    double *box = nigh_arena_alloc(made->arena, 2 * sizeof *box);
    status = box ? evolved_chart(ctx, &choice, f->settings.value[FMA] != 0, made->arena, &made->chart) : NIGH_MEMORY;
    if (status != NIGH_OK) {
        nigh_plan_free(ctx, made);
        return status;
    }
    box[0] = f->domain.low;
    box[1] = f->domain.high;
    made->low = box;
    made->high = box + 1;
    *plan = made;
    return NIGH_OK;
}

static nigh_status checkpoint(nigh_context *ctx, void *user, nigh_buffer *bytes)
{
    return evolve_checkpoint(((const fit *)user)->search, bytes);
}

static nigh_status restore(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                           const nigh_settings *settings, const void *bytes, size_t size, void **out)
{
    void *made = NULL;
    nigh_status status = start(ctx, method, problem, samples, settings, &made);
    if (status == NIGH_OK) status = evolve_restore(((fit *)made)->search, bytes, size);
    if (status == NIGH_OK) *out = made;
    else abandon(ctx, made);
    return status;
}

static const function_approach approach = {.form = FUNCTION_CODE};

const nigh_method nigh_method_autonumerics_zero = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "autonumerics-zero",
    .problem = "function",
    .summary = "a straight-line program of + - * / found by evolution",
    .source = "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions",
    .when = "For code that is exported and used for years: fewer operations for the same error. It takes minutes, and inside nigh its programs are "
            "interpreted, so polynomials are often faster here.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_ASKED,
    .options = options,
    .family = &approach,
    .supports = supports,
    .estimate = estimate,
    .start = start,
    .advance = advance,
    .finish = finish,
    .checkpoint = checkpoint,
    .restore = restore,
    .abandon = abandon,
    .load = function_load,
};
