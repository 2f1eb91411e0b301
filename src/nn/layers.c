/* All kinds of layers. Declared in nigh/network.h. */
#include "nn/layers.h"

#include "grad/tape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const nigh_layer_kind *const lists[] = {
    layers_basic,
    layers_shape,
    layers_rows,
    layers_conv,
    layers_discretise,
    layers_fields,
    layers_latent,
    layers_sequence,
    layers_residual,
    layers_transformer,
};

const nigh_layer_kind *nigh_layer_kind_at(int i)
{
    if (i < 0) return NULL;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const nigh_layer_kind *kind = lists[l]; kind->name; kind++)
            if (i-- == 0) return kind;
    return NULL;
}

const nigh_layer_kind *nigh_layer_kind_find(const char *name)
{
    const nigh_layer_kind *kind;
    for (int i = 0; (kind = nigh_layer_kind_at(i)); i++)
        if (!strcmp(kind->name, name)) return kind;
    return NULL;
}

bool layers_fail(const nigh_layer_call *call, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tape_fail(call->tape, call->layer->kind, "%s", text);
    return false;
}
