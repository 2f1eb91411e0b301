/*
 * unet: the U-Net of nigh/fields.h, trained on pairs of fields by Adam on their relative distance.
 *
 * Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation".
 */
#include "operator/fields.h"

#include "operator/methods.h"

static const nigh_option options[] = {
    {.name = "base", .type = NIGH_OPTION_INT, .low = 4, .high = 256, .value = 16, .grid = "8,16,32", .order = NIGH_ORDER_REFINES, .unit = "channels", .help = "channels at the finest scale"},
    {.name = "scales", .type = NIGH_OPTION_INT, .low = 2, .high = 6, .value = 4, .help = "scales, each half the size of the one before"},
    {.name = "padding", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "zero,circular", .help = "how fields go on beyond their edge"},
    {.name = "norm", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "group,batch,none", .help = "what the channels are normalised over behind each convolution"},
    {.name = "epochs", .type = NIGH_OPTION_INT, .low = 1, .high = 100000, .value = 50, .help = "passes over the fit set"},
    {.name = "batch", .type = NIGH_OPTION_INT, .low = 1, .high = 4096, .value = 20, .unit = "samples", .help = "samples of a step"},
    {.name = "rate", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 0.1, .value = 1e-3, .help = "largest step of Adam; it falls to 0 along a cosine"},
    {.name = NULL}};

static nigh_unet_spec spec_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    return (nigh_unet_spec){.dims = shape->dims, .in = shape->in, .out = shape->out, .base = (int64_t)nigh_setting(method, settings, "base"),
                            .scales = (int)nigh_setting(method, settings, "scales"),
                            .padding = nigh_setting(method, settings, "padding") > 0 ? NIGH_PAD_CIRCULAR : NIGH_PAD_ZERO, .norm = (nigh_unet_norm)nigh_setting(method, settings, "norm")};
}

static nigh_status check(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int scales = (int)nigh_setting(method, settings, "scales");
    for (int k = 0; k < shape->dims; k++)
        if (shape->size[k] < 2LL << (scales - 1))
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "the grid has %lld points in dimension %d; %d scales need %lld", (long long)shape->size[k], k, scales, 2LL << (scales - 1));
    return NIGH_OK;
}

static nigh_status build(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net)
{
    nigh_unet_spec spec = spec_of(method, settings, shape);
    return nigh_unet_new(ctx, NIGH_F32, &spec, net);
}

double field_unet_flops(const nigh_unet_spec *s, const field_shape *shape)
{
    double kernel = s->dims == 2 ? 9 : 3, points = (double)shape->points, c = (double)s->base, sum = 2 * points * c * (double)s->out;
    for (int level = 0; level < s->scales; level++) {
        double in = level ? c / 2 : (double)s->in;
        sum += 2 * kernel * points * c * (in + c);
        if (level + 1 < s->scales) sum += 2 * kernel * points * c * 4 * c;
        points /= s->dims == 2 ? 4 : 2, c *= 2;
    }
    return sum;
}

static double flops(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    nigh_unet_spec spec = spec_of(method, settings, shape);
    return field_unet_flops(&spec, shape);
}

static const field_family family = {.check = check, .build = build, .flops = flops};

const nigh_method nigh_method_unet = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "unet",
    .problem = "map",
    .summary = "U-Net: convolutions on a pyramid of scales, trained by Adam",
    .source = "Ronneberger, Fischer and Brox, \"U-Net: convolutional networks for biomedical image segmentation\"",
    .when = "Fields with sharp or local features on one grid, with hundreds of samples or more. The fit takes minutes.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_NEEDS_DATA,
    .options = options, .family = &family,
    .supports = fields_supports, .estimate = fields_estimate, .start = fields_start, .advance = fields_advance, .finish = fields_finish, .checkpoint = fields_checkpoint,
    .restore = fields_restore, .abandon = fields_abandon, .load = fields_load,
};
