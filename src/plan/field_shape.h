/* Which samples are fields: inputs and outputs on one grid, [L] or [L, C], [H, W] or [H, W, C]. Of two dimensions the last one counts as channels when it is at most 4. */
#ifndef NIGH_PLAN_FIELD_SHAPE_H
#define NIGH_PLAN_FIELD_SHAPE_H
#include "nigh/core.h"

typedef struct nigh_field_shape {
    int dims;                          /* 1 or 2 */
    int64_t size[2], points, in, out;  /* grid, its points, channels */
} nigh_field_shape;

/* How inputs and outputs of these shapes are seen as fields; false: they are none. */
bool nigh_field_shape_of(const nigh_shape *in, const nigh_shape *out, nigh_field_shape *shape);

#endif
