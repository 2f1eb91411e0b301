/* Plans that run a network on fields; see fields.h. */
#include "operator/fields.h"

#include "tensor/resample.h"

#include <math.h>
#include <string.h>

static const double MOST_TEXT = 20e6;         /* bytes of C */
enum { ALIGN = 64, BYTES_OF_NUMBER = 11 };

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

/* ---- running ------------------------------------------------------------------------------------------ */

nigh_status field_executor(nigh_context *ctx, nigh_network *net, const field_shape *shape, nigh_tape **tape_out, nigh_executor **out, int *input, int *output)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_node x, y, *parameter = nigh_alloc(ctx, (size_t)(nigh_parameters_count(set) + 1) * sizeof *parameter);
    int64_t dim[4] = {1, shape->size[0], shape->dims == 2 ? shape->size[1] : shape->in, shape->in};
    int threads = nigh_context_threads(ctx);
    nigh_status status = parameter ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    if (!status) {
        x = nigh_tape_input(tape, "x", NIGH_F32, shape->dims + 2, dim);
        status = nigh_parameters_record(set, tape, parameter);
    }
    if (!status) status = nigh_network_record(net, tape, NULL, &x, parameter, &y);
    if (!status) status = nigh_context_set_threads(ctx, 1);
    if (!status) status = nigh_executor_new(ctx, tape, 1, &y, &run);
    nigh_context_set_threads(ctx, threads);
    if (!status) status = nigh_parameters_bind(set, run, parameter);
    nigh_free(ctx, parameter);
    if (status) {
        nigh_executor_free(run);
        nigh_tape_free(tape);
        return status;
    }
    for (int i = 0; i < nigh_executor_ends(run); i++) {
        if (nigh_executor_end(run, i) == x) *input = i;
        if (nigh_executor_end(run, i) == y) *output = i;
    }
    *tape_out = tape, *out = run;
    return NIGH_OK;
}

static size_t ends_bytes(const nigh_executor *run) { return aligned((size_t)nigh_executor_ends(run) * sizeof(void *)); }

size_t field_workspace(const nigh_executor *run, const field_shape *s)
{
    return ends_bytes(run) + aligned((size_t)(s->points * s->in) * sizeof(float)) + aligned((size_t)(s->points * s->out) * sizeof(float)) + aligned(nigh_executor_workspace(run)) +
           ALIGN;
}

void field_answer(const field_plan *plan, const nigh_executor *run, const field_shape *s, int input, int output, const double *in, double *out, void *workspace)
{
    char *room = (char *)(((uintptr_t)workspace + ALIGN - 1) / ALIGN * ALIGN);
    void **data = (void **)room;
    float *x = (float *)(room + ends_bytes(run)), *y = (float *)((char *)x + aligned((size_t)(s->points * s->in) * sizeof *x));
    void *rest = (char *)y + aligned((size_t)(s->points * s->out) * sizeof *y);
    memset(data, 0, (size_t)nigh_executor_ends(run) * sizeof *data);
    data[input] = x, data[output] = y;
    for (int64_t c = 0; c < plan->in_count; c++)
        for (int64_t i = c; i < s->points * s->in; i += plan->in_count) x[i] = (float)((in[i] - plan->in_mean[c]) / plan->in_deviation[c]);
    if (nigh_executor_run_in(run, data, rest)) {
        for (int64_t i = 0; i < s->points * s->out; i++) out[i] = NAN;
        return;
    }
    for (int64_t c = 0; c < plan->out_count; c++)
        for (int64_t i = c; i < s->points * s->out; i += plan->out_count) out[i] = (double)y[i] * plan->out_deviation[c] + plan->out_mean[c] + (plan->residual ? in[i] : 0);
}

/* ---- the plan ----------------------------------------------------------------------------------------- */

static size_t plan_workspace(const nigh_plan *plan, int64_t block)
{
    const field_plan *self = plan->state;
    return field_workspace(self->run, &self->shape);
}

static void plan_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    const field_plan *self = plan->state;
    const field_shape *s = &self->shape;
    for (int64_t i = 0; i < n; i++)
        field_answer(self, self->run, s, self->input, self->output, (const double *)in + i * s->points * s->in, (double *)out + i * s->points * s->out, workspace);
}

static void plan_free(nigh_context *ctx, nigh_plan *plan)
{
    field_plan *self = plan->state;
    if (!self) return;
    nigh_executor_free(self->run);
    nigh_tape_free(self->tape);
    nigh_network_free(self->net);
}

static nigh_status put_numbers(nigh_planfile *file, const char *name, int64_t n, const double *data)
{
    return nigh_planfile_put(file, name, &(nigh_shape){NIGH_F64, 1, {n}}, data);
}

static nigh_status plan_save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    const field_plan *self = plan->state;
    nigh_parameters *set = nigh_network_parameters(self->net);
    nigh_status status = put_numbers(file, "in.mean", self->in_count, self->in_mean);
    if (!status) status = put_numbers(file, "in.deviation", self->in_count, self->in_deviation);
    if (!status) status = put_numbers(file, "out.mean", self->out_count, self->out_mean);
    if (!status) status = put_numbers(file, "out.deviation", self->out_count, self->out_deviation);
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++)
        status = nigh_planfile_put(file, nigh_parameters_at(set, i)->name, &nigh_parameters_at(set, i)->shape, nigh_parameters_data(set, i));
    return status;
}

static nigh_status put_moments(nigh_buffer *text, const char *name, const char *what, int64_t n, const double *numbers)
{
    nigh_status status = nigh_buffer_print(text, "static const double %s_%s[%lld] = {", name, what, (long long)n);
    for (int64_t i = 0; i < n && !status; i++) status = nigh_buffer_print(text, "%s%.17g", i ? ", " : "", numbers[i]);
    return status ? status : nigh_buffer_print(text, "};\n");
}

/* The network by nigh_network_export, and a function around it that scales; it takes its memory from malloc for the time of a call. */
static nigh_status plan_export(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text)
{
    const field_plan *self = plan->state;
    const field_shape *s = &self->shape;
    double bytes = BYTES_OF_NUMBER * (double)nigh_parameters_numbers(nigh_network_parameters(self->net));
    if (bytes > MOST_TEXT) return nigh_fail(ctx, NIGH_UNSUPPORTED, "as C this plan would be about %.0f MB of text; at most %.0f are written", bytes * 1e-6, MOST_TEXT * 1e-6);
    nigh_shape one = {.dtype = NIGH_F32, .ndim = s->dims + 2, .dim = {1}};
    for (int i = 0; i < s->dims; i++) one.dim[1 + i] = s->size[i];
    one.dim[s->dims + 1] = s->in;
    char *network = nigh_format(ctx, "%s_network", name);
    if (!network) return NIGH_MEMORY;
    size_t before = text->size;
    nigh_status status = nigh_network_export(self->net, &one, network, text);
    nigh_free(ctx, network);
    if (!status && (double)(text->size - before) > MOST_TEXT) /* tables and what is packed may be more than the weights */
        status = nigh_fail(ctx, NIGH_UNSUPPORTED, "as C this plan is %.0f MB of text; at most %.0f are written", (double)(text->size - before) * 1e-6, MOST_TEXT * 1e-6);
    if (!status) status = nigh_buffer_print(text, "\n#include <stdlib.h>\n\n");
    if (!status) status = put_moments(text, name, "in_mean", self->in_count, self->in_mean);
    if (!status) status = put_moments(text, name, "in_deviation", self->in_count, self->in_deviation);
    if (!status) status = put_moments(text, name, "out_mean", self->out_count, self->out_mean);
    if (!status) status = put_moments(text, name, "out_deviation", self->out_count, self->out_deviation);
    if (status) return status;
    long long in = s->points * s->in, out = s->points * s->out;
    return nigh_buffer_print(text,
                             "\n/* Answers are NAN when there is no memory. */\n"
                             "void %s(long n, const double *in, double *out);\n"
                             "void %s(long n, const double *in, double *out)\n"
                             "{\n"
                             "    float *x = malloc((%lld + (size_t)%s_network_SCRATCH) * sizeof *x), *y = x + %lld, *scratch = y + %lld;\n"
                             "    long s, i;\n"
                             "    for (s = 0; s < n; s++, in += %lld, out += %lld) {\n"
                             "        for (i = 0; x && i < %lld; i++) x[i] = (float)((in[i] - %s_in_mean[i %% %lld]) / %s_in_deviation[i %% %lld]);\n"
                             "        if (x) %s_network(x, y, scratch);\n"
                             "        for (i = 0; i < %lld; i++) out[i] = x ? y[i] * %s_out_deviation[i %% %lld] + %s_out_mean[i %% %lld]%s : NAN;\n"
                             "    }\n"
                             "    free(x);\n"
                             "}\n",
                             name, name, in + out, name, in, out, in, out, in, name, (long long)self->in_count, name, (long long)self->in_count, name, out, name, (long long)self->out_count,
                             name, (long long)self->out_count, self->residual ? " + in[i]" : "");
}

/* ---- other grids -------------------------------------------------------------------------------------- */

/* Numbers of points on another grid, linearly between cells; those of channels are the same everywhere. */
static nigh_status numbers_on(nigh_context *ctx, nigh_arena *arena, const field_shape *from, const field_shape *to, int64_t channels, int64_t *count, double **numbers)
{
    if (*count == channels) return NIGH_OK;
    resample_spec spec = {.kind = RESAMPLE_LINEAR, .dtype = NIGH_F64, .dims = from->dims, .x = {1}};
    for (int k = 0; k < from->dims; k++) spec.x[k + 1] = from->size[k], spec.out[k] = to->size[k];
    spec.x[from->dims + 1] = channels;
    resample *r = NULL;
    nigh_status status = resample_new(ctx, &spec, 1, &r);
    double *there = status ? NULL : nigh_arena_alloc(arena, (size_t)(to->points * channels) * sizeof *there);
    void *workspace = status ? NULL : nigh_arena_alloc(arena, resample_workspace(r) + ALIGN);
    if (!status && !(there && workspace)) status = NIGH_MEMORY;
    if (!status) {
        resample_run(r, *numbers, there, (void *)(((uintptr_t)workspace + ALIGN - 1) / ALIGN * ALIGN));
        *numbers = there, *count = to->points * channels;
    }
    resample_free(r);
    return status;
}

static nigh_status moments_on(nigh_context *ctx, nigh_arena *arena, const field_shape *shape, field_plan *plan)
{
    int64_t in = plan->in_count, out = plan->out_count;
    nigh_status status = numbers_on(ctx, arena, &plan->shape, shape, shape->in, &in, &plan->in_mean);
    if (!status) status = numbers_on(ctx, arena, &plan->shape, shape, shape->in, &plan->in_count, &plan->in_deviation);
    if (!status) status = numbers_on(ctx, arena, &plan->shape, shape, shape->out, &out, &plan->out_mean);
    return status ? status : numbers_on(ctx, arena, &plan->shape, shape, shape->out, &plan->out_count, &plan->out_deviation);
}

static nigh_status plan_apply_elsewhere(nigh_context *ctx, const nigh_plan *plan, const int64_t *size, int64_t n, const void *in, void *out)
{
    const field_plan *self = plan->state;
    const field_family *family = plan->method->family;
    field_plan there = *self;
    field_shape shape = self->shape;
    for (int k = 0; k < shape.dims; k++) {
        if (size[k] < 2 || size[k] > 1 << 16) return nigh_fail(ctx, NIGH_INVALID, "dimension %d of the grid is %lld; 2 to 65536 are allowed", k, (long long)size[k]);
        shape.size[k] = size[k];
    }
    shape.points = shape.size[0] * shape.size[1];
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_network *other = NULL;
    nigh_arena *arena = NULL;
    int input, output;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (!status) status = moments_on(ctx, arena, &shape, &there);
    if (!status) status = family->rewrite ? family->rewrite(ctx, plan->method, &plan->settings, &self->shape, self->net, size, &other) : NIGH_OK;
    if (!status) status = field_executor(ctx, other ? other : self->net, &shape, &tape, &run, &input, &output);
    void *workspace = status ? NULL : nigh_alloc(ctx, field_workspace(run, &shape));
    if (!status && !workspace) status = NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) {
        field_answer(&there, run, &shape, input, output, (const double *)in + i * shape.points * shape.in, (double *)out + i * shape.points * shape.out, workspace);
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, workspace);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(other);
    nigh_arena_free(arena);
    return status;
}

static const nigh_plan_ops plan_ops = {.workspace = plan_workspace, .apply = plan_apply, .save = plan_save, .export_c = plan_export, .free = plan_free},
                           plan_ops_any = {.workspace = plan_workspace, .apply = plan_apply, .save = plan_save, .export_c = plan_export, .free = plan_free,
                                           .apply_elsewhere = plan_apply_elsewhere};

static nigh_status fill(nigh_context *ctx, nigh_plan *plan)
{
    const field_family *family = plan->method->family;
    field_plan *self = nigh_arena_alloc_zero(plan->arena, 1, sizeof *self);
    if (!(plan->state = self)) return NIGH_MEMORY;
    if (!field_shape_of(&plan->in, &plan->out, &self->shape)) return nigh_fail(ctx, NIGH_FORMAT, "the plan's shapes are no fields on one grid");
    const field_shape *s = &self->shape;
    field_recipe recipe;
    field_recipe_of(plan->method, &plan->settings, s, 1, 1, &recipe);
    field_counts(&recipe, s, &self->in_count, &self->out_count);
    self->residual = recipe.residual;
    struct { double **data; int64_t n; double value; } arrays[] = {{&self->in_mean, self->in_count, 0}, {&self->in_deviation, self->in_count, 1},
                                                                   {&self->out_mean, self->out_count, 0}, {&self->out_deviation, self->out_count, 1}};
    for (int i = 0; i < 4; i++) {
        if (!(*arrays[i].data = nigh_arena_alloc(plan->arena, (size_t)arrays[i].n * sizeof(double)))) return NIGH_MEMORY;
        for (int64_t c = 0; c < arrays[i].n; c++) (*arrays[i].data)[c] = arrays[i].value;
    }
    nigh_status status = family->build(ctx, plan->method, &plan->settings, s, &self->net);
    if (!status) status = field_executor(ctx, self->net, s, &self->tape, &self->run, &self->input, &self->output);
    if (status) return status;
    plan->bytes = 4 * (double)nigh_parameters_numbers(nigh_network_parameters(self->net));
    plan->work = (nigh_work){.flops = family->flops(plan->method, &plan->settings, s), .bytes = plan->bytes + 8 * (double)s->points * (double)(s->in + s->out)};
    return NIGH_OK;
}

nigh_status field_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in, const nigh_shape *out, nigh_plan **plan_out)
{
    nigh_plan *plan = NULL;
    const field_family *family = method->family;
    nigh_status status = nigh_plan_new(ctx, method, settings, in, out, family->any_grid ? &plan_ops_any : &plan_ops, &plan);
    if (!status) status = fill(ctx, plan);
    if (status) nigh_plan_free(ctx, plan);
    else *plan_out = plan;
    return status;
}

static nigh_status get_numbers(nigh_planfile *file, const char *name, int64_t n, double *to)
{
    const void *data;
    nigh_status status = nigh_planfile_get(file, name, NIGH_F64, 1, &n, &data);
    if (!status) memcpy(to, data, (size_t)n * sizeof *to);
    return status;
}

static nigh_status get_state(nigh_context *ctx, nigh_planfile *file, field_plan *self)
{
    nigh_parameters *set = nigh_network_parameters(self->net);
    nigh_status status = get_numbers(file, "in.mean", self->in_count, self->in_mean);
    if (!status) status = get_numbers(file, "in.deviation", self->in_count, self->in_deviation);
    if (!status) status = get_numbers(file, "out.mean", self->out_count, self->out_mean);
    if (!status) status = get_numbers(file, "out.deviation", self->out_count, self->out_deviation);
    for (int64_t c = 0; c < self->in_count && !status; c++)
        if (!(self->in_deviation[c] > 0)) status = nigh_fail(ctx, NIGH_FORMAT, "in.deviation[%lld] is %g; it must be positive", (long long)c, self->in_deviation[c]);
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        nigh_shape shape = p->shape;
        const void *data;
        status = nigh_planfile_get(file, p->name, NIGH_F32, shape.ndim, shape.dim, &data);
        if (!status) memcpy(nigh_parameters_data(set, i), data, (size_t)nigh_shape_count(&shape) * sizeof(float));
    }
    return status;
}

nigh_status fields_load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **out)
{
    nigh_plan *plan = NULL;
    const nigh_shape *in = nigh_planfile_in(file), *shape = nigh_planfile_out(file);
    if (in->dtype != NIGH_F64 || shape->dtype != NIGH_F64) return nigh_fail(ctx, NIGH_FORMAT, "the plan's shapes are not of f64");
    nigh_status status = field_plan_new(ctx, method, nigh_planfile_settings(file), in, shape, &plan);
    if (!status) status = get_state(ctx, file, plan->state);
    if (status) nigh_plan_free(ctx, plan);
    else *out = plan;
    return status;
}

static nigh_status refuse_elsewhere(nigh_context *ctx, const nigh_plan *plan)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "plans of method %s hold for the grid that they were made on only", plan->method->name);
}

nigh_status nigh_fields_apply(nigh_context *ctx, const nigh_plan *plan, const int64_t *size, int64_t n, const double *in, double *out)
{
    if (!plan->ops->apply_elsewhere) return refuse_elsewhere(ctx, plan);
    const char *warning = ((const field_family *)plan->method->family)->elsewhere;
    if (warning) nigh_log(ctx, NIGH_LOG_WARNING, "method %s: %s", plan->method->name, warning);
    return plan->ops->apply_elsewhere(ctx, plan, size, n, in, out);
}

nigh_status nigh_fields_shape(nigh_context *ctx, const nigh_plan *plan, int *dims, int64_t *in, int64_t *out)
{
    field_shape shape;
    if (!plan->ops->apply_elsewhere || !field_shape_of(&plan->in, &plan->out, &shape)) return refuse_elsewhere(ctx, plan);
    *dims = shape.dims, *in = shape.in, *out = shape.out;
    return NIGH_OK;
}
