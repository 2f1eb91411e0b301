/*
 * mgno: the multigrid neural operator of nigh/fields.h, trained on pairs of fields by Adam on their relative distance.
 *
 * He, Liu and Xu, "MgNO: Efficient Parameterization of Linear Operators via Multigrid".
 */
#include "operator/fields.h"

#include "operator/methods.h"

static const double DECAY = 1e-5;

static const nigh_option options[] = {
    {.name = "width", .type = NIGH_OPTION_INT, .low = 1, .high = 256, .value = 16, .grid = "8,16", .order = NIGH_ORDER_REFINES, .unit = "channels", .help = "channels inside"},
    {.name = "layers", .type = NIGH_OPTION_INT, .low = 1, .high = 16, .value = 3, .help = "V-cycles, each with an activation behind"},
    {.name = "levels", .type = NIGH_OPTION_INT, .low = 0, .high = 12, .value = 0, .help = "grids of a V-cycle, each half the size of the one before, fewer where the grid is too small; 0: as many as fit"},
    {.name = "before", .type = NIGH_OPTION_INT, .low = 1, .high = 8, .value = 1, .help = "smoothing steps on the way down, one more on the coarsest grid"},
    {.name = "behind", .type = NIGH_OPTION_INT, .low = 0, .high = 8, .value = 0, .help = "smoothing steps on the way up"},
    {.name = "cycle", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "plain,textbook,norm", .help = "what goes to the coarser grid: the right side, or what is left to solve; norm: the first, and fields are normed on the way up"},
    FIELD_BOUNDARY,
    {.name = "answer", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "whole,change", .help = "what is learnt: the output, or the output less the input (one step of time)"},
    {.name = "loss", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "h1,l2", .help = "relative distance of fields and their slopes, or of fields alone"},
    {.name = "epochs", .type = NIGH_OPTION_INT, .low = 1, .high = 100000, .value = 30, .help = "passes over the fit set"},
    {.name = "batch", .type = NIGH_OPTION_INT, .low = 1, .high = 4096, .value = 4, .unit = "samples", .help = "samples of a step"},
    {.name = "rate", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 0.1, .value = 2e-3, .help = "largest step of Adam; it rises in the first fifth and falls along a cosine"},
    {.name = NULL}};

typedef struct design {
    nigh_mgno_spec spec;
    nigh_mgno_level level[NIGH_MGNO_LEVELS];
} design;

static int64_t whole(const nigh_method *method, const nigh_settings *settings, const char *name) { return (int64_t)nigh_setting(method, settings, name); }

static void design_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, design *d)
{
    enum { TEXTBOOK = 1, NORM };
    int64_t cycle = whole(method, settings, "cycle");
    *d = (design){.spec = {.dims = shape->dims, .size = {shape->size[0], shape->size[1]}, .in = shape->in, .out = shape->out, .width = whole(method, settings, "width"),
                           .layers = (int)whole(method, settings, "layers"), .levels = (int)whole(method, settings, "levels"),
                           .padding = field_padding(method, settings), .residual = cycle == TEXTBOOK, .norm = cycle == NORM}};
    d->spec.levels = nigh_mgno_levels(&d->spec);
    for (int j = 0; j < d->spec.levels; j++) {
        bool last = j && j + 1 == d->spec.levels;
        d->level[j] = (nigh_mgno_level){.pre = (int)whole(method, settings, "before") + last, .post = last ? 0 : (int)whole(method, settings, "behind"), .channels = d->spec.width};
    }
    d->spec.level = d->level;
}

static nigh_status build(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net)
{
    design d;
    design_of(method, settings, shape, &d);
    return nigh_mgno_new(ctx, NIGH_F32, &d.spec, net);
}

/* Of the convolutions of one answer. */
static double flops(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    design d;
    design_of(method, settings, shape, &d);
    const nigh_mgno_spec *s = &d.spec;
    double kernel = s->dims == 2 ? 9 : 3, large = s->dims == 2 ? 16 : 4, part = s->dims == 2 ? 4 : 2, sum = 2 * (double)shape->points * (double)(s->width * s->out);
    for (int layer = 0; layer < s->layers; layer++) {
        double points = (double)shape->points;
        for (int j = 0; j < s->levels; j++, points /= part) {
            double u = (double)d.level[j].channels, f = j ? u : layer ? (double)s->width : (double)s->in;
            int steps = d.level[j].pre + d.level[j].post, defects = steps - (j == 0 || s->residual) + (s->residual && j + 1 < s->levels);
            sum += 2 * kernel * points * u * f * (steps + defects);
            if (!j) sum += 2 * points * u * f;
            if (j + 1 == s->levels) continue;
            double down = (double)d.level[j + 1].channels;
            sum += 2 * points / part * down * (kernel * f + (s->residual ? 0 : kernel * u) + large * u);
        }
    }
    return sum;
}

static void recipe(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *r)
{
    r->optimiser = "adam";
    r->decay = DECAY;
    r->rate = (nigh_schedule){.kind = "one-cycle", .rise = 0.2, .divide = 10, .divide_last = 100};
    r->clip = 1;
    r->out = FIELD_BY_POINT;
    r->residual = nigh_setting(method, settings, "answer") > 0;
    r->h1 = nigh_setting(method, settings, "loss") == 0;
}

/* Levels that were asked for and that the grid has not. */
static nigh_status note(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_arena *arena, char **text)
{
    design d;
    design_of(method, settings, shape, &d);
    int64_t asked = whole(method, settings, "levels");
    if (asked <= d.spec.levels) return NIGH_OK;
    *text = nigh_arena_format(arena, "%d levels of the %lld asked for: the grid has no more", d.spec.levels, (long long)asked);
    return *text ? NIGH_OK : NIGH_MEMORY;
}

static const field_family family = {.build = build, .flops = flops, .recipe = recipe, .note = note};

const nigh_method nigh_method_mgno = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "mgno",
    .problem = "map",
    .summary = "multigrid neural operator: layers whose linear part is a V-cycle of convolutions, trained by Adam",
    .source = "He, Liu and Xu, \"MgNO: Efficient Parameterization of Linear Operators via Multigrid\"",
    .when = "Fields on one grid that solve an elliptic or another equation with a boundary, a hundred samples or more: few weights, and the edge is respected. The fit takes minutes.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_NEEDS_DATA,
    .options = options, .family = &family,
    .supports = fields_supports, .estimate = fields_estimate, .start = fields_start, .advance = fields_advance, .finish = fields_finish, .checkpoint = fields_checkpoint,
    .restore = fields_restore, .abandon = fields_abandon, .load = fields_load,
};
