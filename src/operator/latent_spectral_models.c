/*
 * latent-spectral-models: the latent spectral model of nigh/fields.h, trained on pairs of fields by Adam on the relative distance of decoded fields.
 *
 * Wu, Hu, Luo, Wang and Long, "Solving High-Dimensional PDEs with Latent Spectral Models".
 */
#include "operator/fields.h"

#include "operator/methods.h"

static const nigh_option options[] = {
    {.name = "width", .type = NIGH_OPTION_INT, .low = 4, .high = 512, .value = 16, .grid = "8,16", .order = NIGH_ORDER_REFINES, .unit = "channels", .help = "channels at the finest scale"},
    {.name = "scales", .type = NIGH_OPTION_INT, .low = 0, .high = 6, .value = 0, .help = "each half the size of the one before; 0: as many as have a whole patch, at most 5"},
    {.name = "patch", .type = NIGH_OPTION_INT, .low = 1, .high = 64, .value = 4, .unit = "points", .help = "side of a patch"},
    {.name = "patch-rows", .type = NIGH_OPTION_INT, .low = 0, .high = 64, .value = 0, .unit = "points", .help = "its size in the first of two dimensions; 0: as in the other"},
    {.name = "heads", .type = NIGH_OPTION_INT, .low = 1, .high = 64, .value = 4, .help = "of the attention; a divisor of the width"},
    {.name = "tokens", .type = NIGH_OPTION_INT, .low = 1, .high = 64, .value = 4, .help = "latent tokens of a patch and head"},
    {.name = "basis", .type = NIGH_OPTION_INT, .low = 0, .high = 256, .value = 12, .help = "sines and cosines each of the map of the tokens; 0: they stay"},
    {.name = "normalise", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "channel,point", .help = "means and deviations of fields: of all points together, or at each point"},
    {.name = "epochs", .type = NIGH_OPTION_INT, .low = 1, .high = 100000, .value = 20, .help = "passes over the fit set"},
    {.name = "batch", .type = NIGH_OPTION_INT, .low = 2, .high = 4096, .value = 10, .unit = "samples", .help = "samples of a step, and of the statistics of its batch norms"},
    {.name = "rate", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 0.1, .value = 3e-3, .help = "largest step of Adam"},
    {.name = "schedule", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "cosine,step", .help = "the rate along a cosine to 0, or halved after each fifth of the steps"},
    {.name = NULL}};

/* Every scale of so many has a whole patch. */
static bool fits(const nigh_lsm_spec *spec, const field_shape *shape, int scales)
{
    for (int k = 0; k < shape->dims; k++)
        if (spec->patch[k] > shape->size[k] >> (scales - 1)) return false;
    return true;
}

static nigh_lsm_spec spec_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int64_t patch = (int64_t)nigh_setting(method, settings, "patch"), rows = (int64_t)nigh_setting(method, settings, "patch-rows"), basis = (int64_t)nigh_setting(method, settings, "basis");
    nigh_lsm_spec spec = {.dims = shape->dims, .in = shape->in, .out = shape->out, .width = (int64_t)nigh_setting(method, settings, "width"),
                          .scales = (int)nigh_setting(method, settings, "scales"), .patch = {rows && shape->dims == 2 ? rows : patch, patch},
                          .heads = (int64_t)nigh_setting(method, settings, "heads"), .tokens = (int64_t)nigh_setting(method, settings, "tokens"), .basis = basis, .identity = !basis};
    if (!spec.scales)
        for (spec.scales = 1; spec.scales < 5 && fits(&spec, shape, spec.scales + 1); spec.scales++) continue;
    return spec;
}

static nigh_status check(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    nigh_lsm_spec spec = spec_of(method, settings, shape);
    if (spec.width % spec.heads)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld heads do not divide a width of %lld channels", (long long)spec.heads, (long long)spec.width);
    if (fits(&spec, shape, spec.scales)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "the grid has %lld x %lld points; %d scales of patches of %lld x %lld need %lld x %lld", (long long)shape->size[0], (long long)shape->size[1],
                     spec.scales, (long long)spec.patch[0], (long long)spec.patch[1], (long long)(spec.patch[0] << (spec.scales - 1)), (long long)(spec.patch[1] << (spec.scales - 1)));
}

static nigh_status build(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net)
{
    nigh_lsm_spec spec = spec_of(method, settings, shape);
    return nigh_lsm_new(ctx, NIGH_F32, &spec, net);
}

static nigh_status note(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_arena *arena, char **text)
{
    nigh_lsm_spec spec = spec_of(method, settings, shape);
    int64_t padded[2] = {1, 1};
    nigh_lsm_padded(&spec, shape->size, padded);
    if (padded[0] * padded[1] == shape->points) return NIGH_OK;
    *text = nigh_arena_format(arena, "the grid of %lld x %lld points is padded to %lld x %lld, so that patches fit at each of %d scales", (long long)shape->size[0],
                              (long long)shape->size[1], (long long)padded[0], (long long)padded[1], spec.scales);
    return *text ? NIGH_OK : NIGH_MEMORY;
}

static double flops(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    nigh_lsm_spec spec = spec_of(method, settings, shape);
    return nigh_lsm_flops(&spec, shape->size);
}

static void recipe(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *recipe)
{
    bool point = nigh_setting(method, settings, "normalise") > 0;
    recipe->optimiser = "adam";
    recipe->decay = 1e-4 / nigh_setting(method, settings, "batch"); /* the paper's, of a loss that is a sum over the batch where this one is a mean */
    if (nigh_setting(method, settings, "schedule") > 0) recipe->rate = (nigh_schedule){.kind = "step", .period = steps > 5 ? steps / 5 : 1, .factor = 0.5};
    recipe->in = recipe->out = point ? FIELD_BY_POINT : FIELD_BY_CHANNEL;
    recipe->whole = true;
}

static const field_family family = {
    .check = check, .build = build, .flops = flops, .recipe = recipe, .note = note, .any_grid = true,
    .elsewhere = "on another grid than that of the training, patches and the statistics of the batch norms mean something else; its error there is another"};

const nigh_method nigh_method_latent_spectral_models = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "latent-spectral-models",
    .problem = "map",
    .summary = "latent spectral model: a U-Net whose patches go through a few tokens moved by sines and cosines, trained by Adam",
    .source = "Wu, Hu, Luo, Wang and Long, \"Solving High-Dimensional PDEs with Latent Spectral Models\"",
    .when = "Fields on one grid, rough or smooth, with hundreds of samples or more; the cost is linear in the points of the grid. The fit takes minutes. Plans "
            "answer on other grids, too, but patches and statistics mean something else there: the error is larger, and has to be measured.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_NEEDS_DATA,
    .options = options, .family = &family,
    .supports = fields_supports, .estimate = fields_estimate, .start = fields_start, .advance = fields_advance, .finish = fields_finish, .checkpoint = fields_checkpoint,
    .restore = fields_restore, .abandon = fields_abandon, .load = fields_load,
};
