/*
 * fno: the Fourier neural operator of nigh/fields.h, trained on pairs of fields by Adam on their relative distance.
 *
 * Li and others, "Fourier neural operator for parametric partial differential equations".
 */
#include "operator/fields.h"

#include "operator/methods.h"

#include <math.h>

static const nigh_option options[] = {
    {.name = "width", .type = NIGH_OPTION_INT, .low = 4, .high = 512, .value = 32, .grid = "16,32,64", .order = NIGH_ORDER_REFINES, .unit = "channels", .help = "channels inside"},
    {.name = "modes", .type = NIGH_OPTION_INT, .low = 2, .high = 512, .value = 12, .help = "Fourier modes kept in each dimension, both signs counted"},
    {.name = "layers", .type = NIGH_OPTION_INT, .low = 1, .high = 16, .value = 4, .help = "spectral convolutions behind one another"},
    {.name = "epochs", .type = NIGH_OPTION_INT, .low = 1, .high = 100000, .value = 50, .help = "passes over the fit set"},
    {.name = "batch", .type = NIGH_OPTION_INT, .low = 1, .high = 4096, .value = 20, .unit = "samples", .help = "samples of a step"},
    {.name = "rate", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 0.1, .value = 2e-3, .help = "largest step of Adam; it falls to 0 along a cosine"},
    {.name = NULL}};

static nigh_fno_spec spec_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    int64_t modes = (int64_t)nigh_setting(method, settings, "modes");
    nigh_fno_spec spec = {.dims = shape->dims, .in = shape->in, .out = shape->out, .width = (int64_t)nigh_setting(method, settings, "width"),
                          .layers = (int)nigh_setting(method, settings, "layers")};
    for (int k = 0; k < shape->dims; k++) spec.modes[k] = modes < shape->size[k] ? modes : shape->size[k];
    return spec;
}

static nigh_status build(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net)
{
    nigh_fno_spec spec = spec_of(method, settings, shape);
    return nigh_fno_new(ctx, NIGH_F32, &spec, net);
}

double field_fno_flops(const nigh_fno_spec *s, const field_shape *shape)
{
    double points = (double)shape->points, c = (double)s->width, last = (double)(s->modes[s->dims - 1] / 2 + 1), first = s->dims == 2 ? (double)s->modes[0] : 1;
    double ends = 2 * points * (2 * c * (double)(s->in + s->dims) + 4 * c * c + 2 * c * (double)s->out);
    double transforms = 2 * c * (points * 4 * last + (s->dims == 2 ? (double)shape->size[0] * last * first * 12 : 0)), mixing = 8 * c * c * first * last;
    return ends + (double)s->layers * (4 * points * c * c + transforms + mixing);
}

static double flops(const nigh_method *method, const nigh_settings *settings, const field_shape *shape)
{
    nigh_fno_spec spec = spec_of(method, settings, shape);
    return field_fno_flops(&spec, shape);
}

static const field_family family = {.build = build, .flops = flops, .any_grid = true};

const nigh_method nigh_method_fno = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "fno",
    .problem = "map",
    .summary = "Fourier neural operator: layers that mix the lowest Fourier modes, trained by Adam",
    .source = "Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart and Anandkumar, \"Fourier neural operator for parametric partial differential equations\"",
    .when = "Fields on a regular grid whose relation is far from linear, with hundreds of samples or more; answers hold on other grids, too. The fit takes minutes.",
    .flags = NIGH_METHOD_TRAINED | NIGH_METHOD_NEEDS_DATA,
    .options = options, .family = &family,
    .supports = fields_supports, .estimate = fields_estimate, .start = fields_start, .advance = fields_advance, .finish = fields_finish, .checkpoint = fields_checkpoint,
    .restore = fields_restore, .abandon = fields_abandon, .load = fields_load,
};
