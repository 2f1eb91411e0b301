/* All kinds of layers. Declared in nigh/network.h. */
#include "nn/layers.h"

#include <string.h>

static const nigh_layer_kind *const lists[] = {layers_basic, layers_transformer};

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
