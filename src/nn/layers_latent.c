/* Layers of latent spectral models. Listed in nn/layers.h. */
#include "nigh/fields.h"
#include "nn/layers.h"

#include "grad/tape.h"

#include <stdio.h>

static bool field_of(const nigh_layer_call *c, nigh_shape *shape)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(c->tape, c->layer->kind, 1, c->input)) return false;
    *shape = *tape_shape(c->tape, c->input[0]);
    if (tape_is_float(shape->dtype) && (shape->ndim == 3 || shape->ndim == 4)) return true;
    return layers_fail(c, "x is %s; [N,L,C] or [N,H,W,C] of f32 or f64 is needed", tape_shape_text(shape, text));
}

/* i / (size - 1) along dimension `axis` of the field, one channel. */
static nigh_node coordinate(nigh_tape *t, const nigh_shape *field, int axis)
{
    int64_t n = field->dim[axis], dim[NIGH_MAX_DIMS];
    nigh_shape one = *field;
    double *place = nigh_alloc(t->ctx, (size_t)n * sizeof *place);
    if (!place) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < n; i++) {
        double at = n > 1 ? (double)i / (double)(n - 1) : 0;
        if (field->dtype == NIGH_F32) ((float *)place)[i] = (float)at;
        else place[i] = at;
    }
    for (int k = 0; k < field->ndim; k++) dim[k] = k == axis ? n : 1;
    one.dim[one.ndim - 1] = 1;
    nigh_node row = nigh_tape_constant(t, field->dtype, field->ndim, dim, place);
    nigh_free(t->ctx, place);
    return nigh_tape_expand(t, row, one.ndim, one.dim);
}

static nigh_node grid_ends(const nigh_layer_call *c)
{
    nigh_shape shape;
    if (!field_of(c, &shape)) return NIGH_NONE;
    nigh_node part[3] = {c->input[0]};
    for (int i = 1; i + 1 < shape.ndim; i++) part[i] = coordinate(c->tape, &shape, i);
    return nigh_tape_concat(c->tape, shape.ndim - 1, part, -1);
}

static int64_t number_at(const nigh_layer_call *c, const char *key, int i)
{
    char text[64];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(c->layer, text, nigh_layer_integer(c->layer, key, 1));
}

static nigh_node pad_multiple(const nigh_layer_call *c)
{
    nigh_shape shape;
    int64_t low[NIGH_MAX_DIMS] = {0}, high[NIGH_MAX_DIMS] = {0}, more = 0;
    if (!field_of(c, &shape)) return NIGH_NONE;
    for (int i = 0; i + 2 < shape.ndim; i++) {
        int64_t multiple = number_at(c, "multiple", i);
        if (multiple < 1 || multiple > 1 << 20) return layers_fail(c, "multiple %lld; 1 to %d are allowed", (long long)multiple, 1 << 20), NIGH_NONE;
        more += high[i + 1] = (multiple - shape.dim[i + 1] % multiple) % multiple;
    }
    return more ? nigh_tape_pad(c->tape, c->input[0], low, high) : c->input[0];
}

static nigh_node crop(const nigh_layer_call *c)
{
    nigh_shape shape;
    if (!field_of(c, &shape) || !tape_check(c->tape, c->layer->kind, 2, c->input)) return NIGH_NONE;
    const nigh_shape like = *tape_shape(c->tape, c->input[1]);
    nigh_node y = c->input[0];
    for (int i = 1; i + 1 < shape.ndim; i++) {
        int64_t size = i < like.ndim ? like.dim[i] : 0;
        if (like.ndim != shape.ndim || size < 1 || size > shape.dim[i]) return layers_fail(c, "dimension %d of %lld elements to %lld", i, (long long)shape.dim[i], (long long)size), NIGH_NONE;
        if (size < shape.dim[i]) y = nigh_tape_slice(c->tape, y, i, 0, size, 1);
    }
    return y;
}

/* ---- the neural spectral block ------------------------------------------------------------------------ */

/* What is known of the weights' shapes. */
typedef struct block {
    int64_t channels, heads, tokens, width;
} block;

/* Columns of part `which` (q, k, v) of weights [rows, 3 C] as [rows, heads, width]; rows 0: of a bias. */
static nigh_node part_of(const nigh_layer_call *c, const block *b, nigh_node w, int64_t rows, int which)
{
    nigh_node part = nigh_tape_slice(c->tape, w, 1, which * b->channels, b->channels, 1);
    return nigh_tape_reshape(c->tape, part, 3, (int64_t[]){rows, b->heads, b->width});
}

/* Scores are keys times tokens, and keys are linear in x: one product of the weights beforehand makes them linear in x, too. */
static nigh_node packed_weight(const nigh_layer_call *c, const block *b)
{
    nigh_tape *t = c->tape;
    nigh_node w = c->parameter[0], key = nigh_tape_permute(t, part_of(c, b, w, b->channels, 1), (const int[]){1, 0, 2});
    nigh_node score = nigh_tape_permute(t, nigh_tape_matmul(t, key, c->parameter[2], NIGH_TRANSPOSE_B), (const int[]){1, 0, 2});
    nigh_node all = nigh_tape_concat(t, 3, (nigh_node[]){part_of(c, b, w, b->channels, 0), score, part_of(c, b, w, b->channels, 2)}, 2);
    return nigh_tape_reshape(t, all, 2, (int64_t[]){b->channels, -1});
}

static nigh_node packed_bias(const nigh_layer_call *c, const block *b, nigh_dtype dtype)
{
    nigh_tape *t = c->tape;
    nigh_node w = nigh_tape_reshape(t, c->parameter[1], 2, (int64_t[]){1, 2 * b->channels}), none = nigh_tape_fill(t, dtype, 3, (int64_t[]){1, b->heads, b->tokens}, 0);
    nigh_node all = nigh_tape_concat(t, 3, (nigh_node[]){part_of(c, b, w, 1, 0), none, part_of(c, b, w, 1, 1)}, 2);
    return nigh_tape_reshape(t, all, 1, (int64_t[]){-1});
}

static bool check_weights(const nigh_layer_call *c, const nigh_shape *x, block *b)
{
    nigh_shape w[4];
    if (c->layer->parameters < 3) return layers_fail(c, "%d weights; weight, bias and tokens are needed, then those of the map", c->layer->parameters);
    for (int i = 0; i < c->layer->parameters && i < 4; i++) {
        if (!tape_check(c->tape, c->layer->kind, 1, &c->parameter[i])) return false;
        w[i] = *tape_shape(c->tape, c->parameter[i]);
    }
    *b = (block){.channels = x->dim[x->ndim - 1], .heads = w[2].dim[0], .tokens = w[2].dim[1], .width = w[2].dim[2]};
    bool fits = w[2].ndim == 3 && b->heads * b->width == b->channels && w[0].ndim == 2 && w[0].dim[0] == b->channels && w[0].dim[1] == 3 * b->channels && w[1].ndim == 1 &&
                w[1].dim[0] == 2 * b->channels;
    if (fits) return true;
    char sx[TAPE_SHAPE_TEXT], st[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    return layers_fail(c, "x is %s, weight %s, bias %s, tokens %s; [C,3C], [2C] and [h,T,C/h] are needed", tape_shape_text(x, sx), tape_shape_text(&w[0], sw), tape_shape_text(&w[1], sb),
                       tape_shape_text(&w[2], st));
}

static nigh_node latent_spectral(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    nigh_shape shape;
    block b = {0};
    if (!field_of(c, &shape) || !check_weights(c, &shape, &b)) return NIGH_NONE;
    int64_t rows = shape.ndim == 4 ? shape.dim[1] : 1, columns = shape.dim[shape.ndim - 2], patch[2] = {number_at(c, "patch", 0), number_at(c, "patch", 1)};
    if (shape.ndim == 3) patch[1] = patch[0], patch[0] = 1;
    nigh_node w = c->layer->parameters > 3 ? c->parameter[3] : nigh_tape_fill(t, shape.dtype, 2, (int64_t[]){b.channels, 0}, 0);
    nigh_node x = nigh_tape_reshape(t, c->input[0], 4, (int64_t[]){shape.dim[0], rows, columns, b.channels});
    nigh_node u = nigh_tape_linear(t, x, packed_weight(c, &b), packed_bias(c, &b, shape.dtype));
    return nigh_tape_reshape(t, nigh_tape_latent(t, u, x, c->parameter[2], w, patch), shape.ndim, shape.dim);
}

const nigh_layer_kind layers_latent[] = {
    {"grid-ends", "i / (size - 1) of the grid points behind the channels", 1, 1, grid_ends},
    {"pad-multiple", "zeros behind each spatial dimension up to a multiple", 1, 1, pad_multiple},
    {"crop", "the first elements, to the spatial sizes of a second input", 2, 2, crop},
    {"latent-spectral", "each patch by attention to tokens, moved by sines and cosines, and back, added to x", 1, 1, latent_spectral},
    {0},
};
