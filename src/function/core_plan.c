/* Plans of fitted cores: fit, apply, certify, save, load. */
#include <math.h>
#include <string.h>

#include "function/approximation.h"
#include "function/export.h"
#include "function/prove.h"

/* ---- the plan --------------------------------------------------------------------------------------------- */

typedef struct state {
    function_core core;
    const char *text; /* of the function, for whoever reads the file */
} state;

static void apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    function_core_apply(&((const state *)plan->state)->core, n, in, out);
}

static void apply_f32(const void *user, int64_t n, const float *in, float *out)
{
    function_core_apply(user, n, in, out);
}

static nigh_status certify(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out)
{
    const function_target *target = function_target_of(problem);
    if (!target || target->type != plan->in.dtype)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a certificate needs the function of the plan, in its type");
    if (target->type != NIGH_F32) return function_prove(ctx, target, &((const state *)plan->state)->core, out);
    nigh_certificate certificate = {0};
    nigh_status status = function_exhaustive_f32(ctx, target, apply_f32, &((const state *)plan->state)->core, &certificate, NULL);
    if (status != NIGH_OK) return status;
    *out = certificate;
    return NIGH_OK;
}

enum { HEADER = 15 };

/* Constants as f64, exact in the core's type; steps as rows of operation and operands. */
static nigh_status save_code(const function_code *code, nigh_planfile *file)
{
    int32_t steps[CODE_MOST_STEPS][4];
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        const int32_t row[4] = {s->op, s->a, s->b, s->c};
        memcpy(steps[i], row, sizeof row);
    }
    nigh_shape constants = {NIGH_F64, 1, {code->constants}}, shape = {NIGH_I32, 2, {code->steps, 4}};
    nigh_status status = nigh_planfile_put(file, "steps", &shape, steps);
    return status == NIGH_OK && code->constants ? nigh_planfile_put(file, "constants", &constants, code->constant) : status;
}

static nigh_status save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    const state *own = plan->state;
    const function_core *core = &own->core;
    double header[HEADER] = {core->form, core->reduction, core->square, core->factor, core->affine, core->scale, core->shift,
                             core->upper, core->lower};
    memcpy(header + 9, core->constant, sizeof core->constant);
    nigh_shape shape = {NIGH_F64, 1, {HEADER}}, data = {core->type, 1, {function_core_numbers(core)}};
    nigh_status status = nigh_planfile_put(file, "core", &shape, header);
    if (status == NIGH_OK && core->code) status = save_code(core->code, file);
    else if (status == NIGH_OK) status = nigh_planfile_put(file, "coefficients", &data, core->data);
    return status == NIGH_OK ? nigh_planfile_put_text(file, "function", own->text) : status;
}

static nigh_status export_c(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text)
{
    return function_core_export(ctx, &((const state *)plan->state)->core, name, text);
}

static const nigh_plan_ops ops = {.apply = apply, .certify = certify, .save = save, .export_c = export_c};

nigh_status function_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in,
                              const nigh_shape *out, const function_core *core, const char *text, nigh_plan **result)
{
    nigh_plan *plan;
    nigh_status status = nigh_plan_new(ctx, method, settings, in, out, &ops, &plan);
    if (status != NIGH_OK) return status;
    size_t bytes = core->code ? sizeof *core->code : (size_t)function_core_numbers(core) * nigh_dtype_size(core->type);
    state *own = nigh_arena_alloc(plan->arena, sizeof *own);
    void *data = nigh_arena_alloc(plan->arena, bytes);
    char *copy = nigh_arena_strdup(plan->arena, text);
    if (!own || !data || !copy) {
        nigh_plan_free(ctx, plan);
        return NIGH_MEMORY;
    }
    *own = (state){*core, copy};
    if (core->code) own->core.code = memcpy(data, core->code, bytes);
    else own->core.data = memcpy(data, core->data, bytes);
    plan->state = own;
    plan->work = (nigh_work){.flops = function_core_flops(core), .bytes = 2.0 * (double)nigh_dtype_size(core->type)};
    plan->bytes = (double)(bytes + sizeof *own);
    *result = plan;
    return NIGH_OK;
}

const function_core *function_plan_core(const nigh_plan *plan)
{
    return &((const state *)plan->state)->core;
}

/* ---- loading ---------------------------------------------------------------------------------------------- */

static nigh_status bad(nigh_context *ctx, const char *what)
{
    return nigh_fail(ctx, NIGH_FORMAT, "plan file: %s of the core is out of range", what);
}

/* An integer in low .. high from a file's number. */
static bool whole(double x, int low, int high, int *out)
{
    if (!(x >= low && x <= high) || x != floor(x)) return false;
    *out = (int)x;
    return true;
}

static nigh_status parse_header(nigh_context *ctx, const nigh_method *method, nigh_dtype type, const double *header,
                                function_core *core)
{
    int form, reduction, square, factor, affine, table = function_approach_of(method)->form == FUNCTION_TABLE;
    if (!whole(header[0], 0, FUNCTION_FORMS - 1, &form) || form != (int)function_approach_of(method)->form) return bad(ctx, "the form");
    if (!whole(header[1], 0, FUNCTION_REDUCTIONS - 1, &reduction)) return bad(ctx, "the reduction");
    if (!whole(header[2], 0, 1, &square) || !whole(header[3], 0, 1, &factor) || !whole(header[4], 0, 1, &affine))
        return bad(ctx, "a flag");
    *core = (function_core){type, (function_form)form, (function_reduction)reduction, square, factor, affine, .scale = header[5], .shift = header[6]};
    bool polynomial = form == FUNCTION_POLYNOMIAL, code = form == FUNCTION_CODE;
    if (code && (square || affine)) return bad(ctx, "a flag");
    int piece = function_approach_of(method)->order + 1;
    int most = code ? CODE_MOST_CONSTANTS : table ? 1 << 16 : REMEZ_MAX_DEGREE + 1;
    if (!whole(header[7], code ? 0 : 1, most, &core->upper)) return bad(ctx, "the number of coefficients");
    int least = polynomial ? 0 : table ? piece : 1;
    most = polynomial ? 0 : table ? piece : code ? CODE_MOST_STEPS : RATIONAL_MAX_DEGREE + 1;
    if (!whole(header[8], least, most, &core->lower)) return bad(ctx, code ? "the number of steps" : "the number of coefficients");
    for (int i = 5; i < HEADER; i++)
        if ((i < 7 || i > 8) && header[i] != function_round(type, header[i])) return bad(ctx, "a constant");
    memcpy(core->constant, header + 9, sizeof core->constant);
    return NIGH_OK;
}

/* code->constants and code->steps are those of the header. */
static nigh_status load_code(nigh_context *ctx, nigh_dtype type, nigh_planfile *file, function_code *code)
{
    const void *steps, *constants = NULL;
    int64_t shape[2] = {code->steps, 4}, count = code->constants;
    nigh_status status = nigh_planfile_get(file, "steps", NIGH_I32, 2, shape, &steps);
    if (status == NIGH_OK && count) status = nigh_planfile_get(file, "constants", NIGH_F64, 1, &count, &constants);
    if (status != NIGH_OK) return status;
    for (int i = 0; i < code->constants; i++) {
        code->constant[i] = ((const double *)constants)[i];
        if (code->constant[i] != function_round(type, code->constant[i])) return bad(ctx, "a constant");
    }
    for (int i = 0; i < code->steps; i++) {
        const int32_t *row = (const int32_t *)steps + 4 * i;
        for (int k = 0; k < 4; k++)
            if (row[k] < 0 || row[k] > UINT8_MAX) return bad(ctx, "a step");
        code->step[i] = (function_code_step){(uint8_t)row[0], (uint8_t)row[1], (uint8_t)row[2], (uint8_t)row[3]};
    }
    return function_code_valid(code) && function_code_fused(code) ? NIGH_OK : bad(ctx, "a step");
}

nigh_status function_load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan)
{
    const nigh_shape *in = nigh_planfile_in(file), *out = nigh_planfile_out(file);
    if ((in->dtype != NIGH_F32 && in->dtype != NIGH_F64) || out->dtype != in->dtype || nigh_shape_count(in) != 1 || nigh_shape_count(out) != 1)
        return nigh_fail(ctx, NIGH_FORMAT, "plan file: a function maps one f32 or f64 number to one of the same type");
    const void *header, *data;
    const char *text;
    int64_t length = HEADER;
    function_core core;
    nigh_status status = nigh_planfile_get(file, "core", NIGH_F64, 1, &length, &header);
    if (status == NIGH_OK) status = parse_header(ctx, method, in->dtype, header, &core);
    if (status != NIGH_OK) return status;
    function_code code = {.constants = core.upper, .steps = core.lower};
    if (core.form == FUNCTION_CODE) {
        status = load_code(ctx, in->dtype, file, &code);
        core.code = &code;
    } else {
        length = function_core_numbers(&core);
        status = nigh_planfile_get(file, "coefficients", in->dtype, 1, &length, &data);
        core.data = (void *)data;
    }
    if (status == NIGH_OK) status = nigh_planfile_get_text(file, "function", &text);
    if (status != NIGH_OK) return status;
    return function_plan_new(ctx, method, nigh_planfile_settings(file), in, out, &core, text, plan);
}

/* ---- the fit ------------------------------------------------------------------------------------------------ */

typedef struct fit {
    const nigh_method *method;
    const nigh_problem *problem;
    nigh_settings settings;
    bool done;
    function_fitted fitted;
} fit;

nigh_status function_fit_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                               const nigh_settings *settings, void **out)
{
    nigh_status status = function_supports(ctx, method, problem, settings);
    if (status != NIGH_OK) return status;
    fit *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (fit){.method = method, .problem = problem, .settings = *settings};
    *out = f;
    return NIGH_OK;
}

nigh_status function_fit_advance(nigh_context *ctx, void *user, int64_t units, nigh_progress_point *point)
{
    fit *f = user;
    if (!f->done && units > 0) {
        nigh_status status = function_approach_fit(ctx, f->method, function_target_of(f->problem), &f->settings, &f->fitted);
        if (status != NIGH_OK) return status;
        f->done = true;
    }
    *point = (nigh_progress_point){f->done, 1, f->done ? f->fitted.seen : (double)NAN, f->done};
    return NIGH_OK;
}

nigh_status function_fit_finish(nigh_context *ctx, void *user, nigh_plan **plan)
{
    fit *f = user;
    if (!f->done) return nigh_fail(ctx, NIGH_INVALID, "the fit is not done; advance it by one unit");
    nigh_plan *made;
    nigh_status status = function_plan_new(ctx, f->method, &f->settings, &f->problem->in, &f->problem->out, &f->fitted.core,
                                  function_target_of(f->problem)->text, &made);
    if (status != NIGH_OK) return status;
    double *box = nigh_arena_alloc(made->arena, 2 * sizeof *box);
    if (!box) {
        nigh_plan_free(ctx, made);
        return NIGH_MEMORY;
    }
    box[0] = f->fitted.domain.low;
    box[1] = f->fitted.domain.high;
    made->low = box;
    made->high = box + 1;
    *plan = made;
    return NIGH_OK;
}

const function_fitted *function_fit_result(const void *user)
{
    return &((const fit *)user)->fitted;
}

void function_fit_abandon(nigh_context *ctx, void *user)
{
    fit *f = user;
    if (!f) return;
    nigh_free(ctx, f->fitted.core.data);
    nigh_free(ctx, f);
}
