/*
 * nns-to-nos: a Fourier neural operator, a convolutional network or a transformer of patches, trained on pairs of fields, whose plans answer on any grid by the rewrite of
 * nigh/discretise.h.
 *
 * Berner, Liu-Schiaffini, Kossaifi, Duruisseaux, Bonev, Azizzadenesheli and Anandkumar, "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning".
 */
#include "nigh/discretise.h"
#include "operator/fields.h"

#include "operator/methods.h"

#include <math.h>

enum { FNO, CONV, ATTENTION };

static const nigh_option options[] = {
    {.name = "network", .type = NIGH_OPTION_CHOICE, .value = FNO, .choices = "fno,conv,attention", .help = "Fourier modes, a pyramid of convolutions, or a transformer of patches"},
    {.name = "width", .type = NIGH_OPTION_INT, .low = 4, .high = 512, .value = 24, .unit = "channels", .help = "channels inside, of conv at the finest scale"},
    {.name = "depth", .type = NIGH_OPTION_INT, .low = 1, .high = 16, .value = 4, .help = "scales of conv, blocks of attention, spectral layers of fno"},
    {.name = "norm", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "none,batch,group", .help = "of conv, behind each convolution: over the batch, or over space and groups of channels, which takes the "
                                                                                                     "size of a field away"},
    {.name = "modes", .type = NIGH_OPTION_INT, .low = 2, .high = 512, .value = 12, .help = "of fno: Fourier modes kept in each dimension, both signs counted"},
    {.name = "patch", .type = NIGH_OPTION_INT, .low = 1, .high = 64, .value = 4, .unit = "points", .help = "of attention: points along the side of a patch; a divisor of the grid"},
    {.name = "kernel", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "auto,linear,fourier,points,derivative", .help = "how kernels go to other grids; see nigh/discretise.h"},
    FIELD_BOUNDARY,
    FIELD_GRID,
    {.name = "epochs", .type = NIGH_OPTION_INT, .low = 1, .high = 100000, .value = 30, .help = "passes over the fit set"},
    {.name = "batch", .type = NIGH_OPTION_INT, .low = 1, .high = 4096, .value = 16, .unit = "samples", .help = "samples of a step"},
    {.name = "rate", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 0.1, .value = 3e-3, .help = "largest step of Adam; it falls to 0 along a cosine"},
    {.name = NULL}};

static int network_of(const nigh_method *method, const nigh_settings *settings) { return (int)nigh_setting(method, settings, "network"); }

static nigh_unet_spec conv_spec(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    static const nigh_unet_norm norm[] = {NIGH_UNET_PLAIN, NIGH_UNET_BATCH, NIGH_UNET_GROUP};
    return (nigh_unet_spec){.dims = shape->dims, .in = shape->in, .out = shape->out, .base = (int64_t)nigh_setting(method, settings, "width"), .scales = (int)nigh_setting(method, settings, "depth"),
                            .padding = field_padding(method, settings), .norm = norm[(int)nigh_setting(method, settings, "norm")]};
}

/* Heads of 16 channels or so. */
static nigh_patches_spec attention_spec(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int64_t width = (int64_t)nigh_setting(method, settings, "width"), heads = width / 16;
    while (heads > 1 && width % heads) heads--;
    return (nigh_patches_spec){.dims = shape->dims, .in = shape->in, .out = shape->out, .size = {shape->size[0], shape->size[1]}, .patch = (int64_t)nigh_setting(method, settings, "patch"),
                               .width = width, .heads = heads > 0 ? heads : 1, .layers = (int)nigh_setting(method, settings, "depth"), .padding = field_padding(method, settings)};
}

/* No more modes than the grid has. On circles coordinates would jump where they close. */
static nigh_fno_spec fno_spec(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int64_t modes = (int64_t)nigh_setting(method, settings, "modes");
    nigh_fno_spec spec = {.dims = shape->dims, .in = shape->in, .out = shape->out, .width = (int64_t)nigh_setting(method, settings, "width"),
                          .layers = (int)nigh_setting(method, settings, "depth"), .no_grid = field_grid(method, settings) == NIGH_GRID_PERIODIC};
    for (int k = 0; k < shape->dims; k++) spec.modes[k] = modes < shape->size[k] ? modes : shape->size[k];
    return spec;
}

static nigh_status check(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int network = network_of(method, settings);
    int64_t depth = (int64_t)nigh_setting(method, settings, "depth"), patch = (int64_t)nigh_setting(method, settings, "patch");
    if (network == CONV && (depth < 2 || depth > 6)) return nigh_fail(ctx, NIGH_UNSUPPORTED, "depth is %lld; 2 to 6 scales are allowed for network conv", (long long)depth);
    for (int k = 0; k < shape->dims; k++) {
        if (network == CONV && shape->size[k] < 2LL << (depth - 1))
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "the grid has %lld points in dimension %d; %lld scales need %lld", (long long)shape->size[k], k, (long long)depth, 2LL << (depth - 1));
        if (network == ATTENTION && shape->size[k] % patch)
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "the grid has %lld points in dimension %d, which is no multiple of patches of %lld", (long long)shape->size[k], k, (long long)patch);
    }
    bool fourier = nigh_setting(method, settings, "kernel") == NIGH_RESAMPLING_FOURIER, around = nigh_setting(method, settings, "grid") == 3 || nigh_setting(method, settings, "grid") == 0;
    if (fourier && !around) return nigh_fail(ctx, NIGH_UNSUPPORTED, "kernel=fourier is for periodic grids: elsewhere it rings at the edges; linear or points is for those");
    return NIGH_OK;
}

static nigh_status build(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net)
{
    nigh_unet_spec conv = conv_spec(method, settings, shape);
    nigh_patches_spec attention = attention_spec(method, settings, shape);
    nigh_fno_spec fno = fno_spec(method, settings, shape);
    switch (network_of(method, settings)) {
    case CONV: return nigh_unet_new(ctx, NIGH_F32, &conv, net);
    case ATTENTION: return nigh_patches_new(ctx, NIGH_F32, &attention, net);
    default: return nigh_fno_new(ctx, NIGH_F32, &fno, net);
    }
}

static nigh_status rewrite(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network *net, const int64_t *size, nigh_network **other)
{
    nigh_discretisation spec = {.dims = shape->dims, .trained = {shape->size[0], shape->size[1]}, .grid = field_grid(method, settings),
                                .resampling = (nigh_resampling)nigh_setting(method, settings, "kernel")};
    if (spec.resampling == NIGH_RESAMPLING_FOURIER && spec.grid != NIGH_GRID_PERIODIC) spec.resampling = NIGH_RESAMPLING_AUTO;
    return nigh_network_rewrite(net, &spec, size, other);
}

/* ---- work of one answer ------------------------------------------------------------------------------- */

static double attention_flops(const nigh_patches_spec *s, const field_shape *shape)
{
    double points = (double)shape->points, side = (double)s->patch, area = s->dims == 2 ? side * side : side, tokens = points / area, c = (double)s->width, detail = c / 2, kernel = s->dims == 2 ? 9 : 3;
    double blocks = (double)s->layers * 2 * tokens * (8 * c * c + 2 * tokens * c), seen = (double)(s->in + s->dims);
    return blocks + 2 * points * c * (seen + detail) + 2 * kernel * points * (detail + seen) * detail + 2 * points * detail * (double)s->out;
}

static double flops(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    nigh_unet_spec conv = conv_spec(method, settings, shape);
    nigh_patches_spec attention = attention_spec(method, settings, shape);
    nigh_fno_spec fno = fno_spec(method, settings, shape);
    int network = network_of(method, settings);
    return network == CONV ? field_unet_flops(&conv, shape) : network == ATTENTION ? attention_flops(&attention, shape) : field_fno_flops(&fno, shape);
}

static void recipe(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *recipe)
{
    recipe->clip = 1;
    recipe->whole = network_of(method, settings) == CONV && nigh_setting(method, settings, "norm") == 1; /* statistics are those of the batch */
}

static const field_family family = {.check = check, .build = build, .flops = flops, .recipe = recipe, .any_grid = true, .rewrite = rewrite};

const nigh_method nigh_method_nns_to_nos = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "nns-to-nos",
    .problem = "map",
    .summary = "networks of fields whose layers are read as discretised functions, so that plans answer on any grid",
    .source = "Berner, Liu-Schiaffini, Kossaifi, Duruisseaux, Bonev, Azizzadenesheli and Anandkumar, \"Principled Approaches for Extending Neural Architectures to Function Spaces for Operator "
              "Learning\"",
    .when = "Fields with hundreds of samples or more whose answers are wanted on finer or coarser grids, too. The fit takes minutes.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_NEEDS_DATA,
    .options = options, .family = &family,
    .supports = fields_supports, .estimate = fields_estimate, .start = fields_start, .advance = fields_advance, .finish = fields_finish, .checkpoint = fields_checkpoint,
    .restore = fields_restore, .abandon = fields_abandon, .load = fields_load,
};
