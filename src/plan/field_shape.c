/* See field_shape.h. */
#include "plan/field_shape.h"

enum { MOST_CHANNELS = 4 };

bool nigh_field_shape_of(const nigh_shape *in, const nigh_shape *out, nigh_field_shape *shape)
{
    bool flat = in->ndim == 2 && out->ndim == 2 && in->dim[1] == out->dim[1] && in->dim[1] > MOST_CHANNELS; /* [H, W] both */
    bool plane = in->ndim == 3 || out->ndim == 3 || flat;
    const nigh_shape *side[] = {in, out};
    int64_t channels[2];
    *shape = (nigh_field_shape){.dims = plane ? 2 : 1, .size = {1, 1}};
    for (int i = 0; i < 2; i++) {
        int extra = side[i]->ndim - shape->dims;
        if (extra < 0 || extra > 1) return false;
        channels[i] = extra ? side[i]->dim[shape->dims] : 1;
        for (int k = 0; k < shape->dims; k++)
            if (side[i]->dim[k] != in->dim[k]) return false;
    }
    if (!plane && (channels[0] > MOST_CHANNELS || channels[1] > MOST_CHANNELS)) return false;
    for (int k = 0; k < shape->dims; k++) shape->size[k] = in->dim[k];
    shape->points = shape->size[0] * shape->size[1];
    shape->in = channels[0], shape->out = channels[1];
    return true;
}
