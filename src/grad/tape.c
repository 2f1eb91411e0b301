/* Recording: nodes, leaves, and equal nodes found by content. Declared in nigh/grad.h and grad/tape.h. */
#include "grad/tape.h"

#include <stdio.h>
#include <string.h>

nigh_status nigh_tape_new(nigh_context *ctx, nigh_tape **tape)
{
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    nigh_tape *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    t->ctx = ctx;
    t->arena = arena;
    *tape = t;
    return NIGH_OK;
}

void nigh_tape_free(nigh_tape *tape)
{
    if (!tape) return;
    nigh_context *ctx = tape->ctx;
    nigh_free(ctx, tape->node);
    nigh_free(ctx, tape->bucket);
    nigh_arena_free(tape->arena);
    nigh_free(ctx, tape);
}

nigh_status nigh_tape_status(const nigh_tape *tape) { return tape->status; }
int64_t nigh_tape_count(const nigh_tape *tape) { return tape->count; }

const nigh_shape *nigh_tape_shape(const nigh_tape *tape, nigh_node node)
{
    return node < 0 || node >= tape->count ? NULL : &tape->node[node].shape;
}

const tape_node *tape_at(const nigh_tape *tape, nigh_node id) { return &tape->node[id]; }
const nigh_shape *tape_shape(const nigh_tape *tape, nigh_node id) { return &tape->node[id].shape; }

/* ---- messages ----------------------------------------------------------------------------------------- */

const char *tape_shape_text(const nigh_shape *shape, char text[TAPE_SHAPE_TEXT])
{
    int used = snprintf(text, TAPE_SHAPE_TEXT, "[");
    for (int i = 0; i < shape->ndim; i++)
        used += snprintf(text + used, (size_t)(TAPE_SHAPE_TEXT - used), "%s%lld", i ? "," : "", (long long)shape->dim[i]);
    snprintf(text + used, (size_t)(TAPE_SHAPE_TEXT - used), "] %s", nigh_dtype_name(shape->dtype));
    return text;
}

nigh_node tape_fail(nigh_tape *tape, const char *op, const char *format, ...)
{
    if (tape->status) return NIGH_NONE;
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    tape->status = nigh_fail(tape->ctx, NIGH_INVALID, "%s: %s", op, text);
    return NIGH_NONE;
}

bool tape_check(nigh_tape *tape, const char *op, int inputs, const nigh_node *input)
{
    if (tape->status) return false;
    for (int i = 0; i < inputs; i++)
        if (input[i] < 0 || input[i] >= tape->count) {
            tape_fail(tape, op, "argument %d is node %d; the tape has nodes 0 to %lld", i + 1, (int)input[i], (long long)tape->count - 1);
            return false;
        }
    return true;
}

/* ---- equal nodes -------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t node_hash(const tape_node *node)
{
    uint64_t hash = 0xcbf29ce484222325u;
    hash = mix(hash, &node->op, sizeof node->op);
    hash = mix(hash, node->input, (size_t)node->inputs * sizeof *node->input);
    hash = mix(hash, node->attributes, node->attribute_bytes);
    hash = mix(hash, node->shape.dim, (size_t)node->shape.ndim * sizeof *node->shape.dim);
    return hash ^ hash >> 29;
}

static bool node_equal(const tape_node *a, const tape_node *b)
{
    return a->op == b->op && a->inputs == b->inputs && a->outputs == b->outputs && a->shape.dtype == b->shape.dtype &&
           tape_same_shape(&a->shape, &b->shape) && a->attribute_bytes == b->attribute_bytes &&
           (a->inputs == 0 || memcmp(a->input, b->input, (size_t)a->inputs * sizeof *a->input) == 0) &&
           (a->attribute_bytes == 0 || memcmp(a->attributes, b->attributes, a->attribute_bytes) == 0);
}

static nigh_node find_equal(const nigh_tape *tape, const tape_node *node)
{
    if (!tape->buckets) return NIGH_NONE;
    for (int64_t i = (int64_t)(node_hash(node) & (uint64_t)(tape->buckets - 1));; i = (i + 1) & (tape->buckets - 1)) {
        nigh_node id = tape->bucket[i];
        if (id == NIGH_NONE || node_equal(&tape->node[id], node)) return id;
    }
}

static void put(nigh_tape *tape, nigh_node id)
{
    int64_t i = (int64_t)(node_hash(&tape->node[id]) & (uint64_t)(tape->buckets - 1));
    while (tape->bucket[i] != NIGH_NONE) i = (i + 1) & (tape->buckets - 1);
    tape->bucket[i] = id;
}

/* Room for `more` nodes, with at most half of the buckets taken. */
static bool grow(nigh_tape *tape, int more)
{
    if (tape->count + more > INT32_MAX) {
        tape->status = nigh_fail(tape->ctx, NIGH_RESOURCE, "the tape has %lld nodes; no more than %d are possible", (long long)tape->count, INT32_MAX);
        return false;
    }
    if (tape->count + more <= tape->room) return true;
    int64_t room = tape->room ? 2 * tape->room : 256;
    tape_node *node = nigh_resize(tape->ctx, tape->node, (size_t)room * sizeof *node);
    if (!node) return tape->status = NIGH_MEMORY, false;
    tape->node = node;
    nigh_node *bucket = nigh_alloc(tape->ctx, (size_t)(2 * room) * sizeof *bucket);
    if (!bucket) return tape->status = NIGH_MEMORY, false;
    nigh_free(tape->ctx, tape->bucket);
    tape->bucket = bucket;
    tape->buckets = 2 * room;
    tape->room = room;
    for (int64_t i = 0; i < tape->buckets; i++) bucket[i] = NIGH_NONE;
    for (int64_t i = 0; i < tape->count; i++) put(tape, (nigh_node)i);
    return true;
}

static nigh_node append(nigh_tape *tape, const tape_node *node)
{
    nigh_node id = (nigh_node)tape->count;
    tape_node *to = &tape->node[tape->count];
    *to = *node;
    to->input = NULL;
    to->attributes = NULL;
    if (node->inputs) {
        nigh_node *input = nigh_arena_alloc(tape->arena, (size_t)node->inputs * sizeof *input);
        if (!input) return tape->status = NIGH_MEMORY, NIGH_NONE;
        memcpy(input, node->input, (size_t)node->inputs * sizeof *input);
        to->input = input;
    }
    if (node->attribute_bytes) {
        void *attributes = nigh_arena_alloc(tape->arena, node->attribute_bytes);
        if (!attributes) return tape->status = NIGH_MEMORY, NIGH_NONE;
        memcpy(attributes, node->attributes, node->attribute_bytes);
        to->attributes = attributes;
    }
    tape->count++;
    put(tape, id);
    return id;
}

nigh_node tape_record(nigh_tape *tape, const tape_operator *op, int outputs, const nigh_shape *shapes, int inputs, const nigh_node *input,
                      const void *attributes, size_t attribute_bytes, bool unique)
{
    if (!tape_check(tape, op->name, inputs, input)) return NIGH_NONE;
    for (int i = 0; i < outputs; i++)
        if (nigh_shape_count(&shapes[i]) < 0) return tape_fail(tape, op->name, "the result is larger than 2^63 bytes");
    nigh_shape shape[TAPE_MAX_OUTPUTS]; /* the callers' may be those of nodes, which move when the tape grows */
    for (int i = 0; i < outputs; i++) shape[i] = shapes[i];
    tape_node node = {.op = op, .shape = shape[0], .inputs = inputs, .outputs = outputs, .level = tape->level, .input = input,
                      .attributes = attributes, .attribute_bytes = attribute_bytes};
    nigh_node id = unique ? NIGH_NONE : find_equal(tape, &node);
    if (id != NIGH_NONE) return id;
    if (!grow(tape, outputs)) return NIGH_NONE;
    if ((id = append(tape, &node)) == NIGH_NONE) return NIGH_NONE;
    for (int i = 1; i < outputs; i++) {
        part_attributes part = {i};
        tape_node more = {.op = &tape_op_part, .shape = shape[i], .inputs = 1, .outputs = 1, .level = tape->level, .input = &id,
                          .attributes = &part, .attribute_bytes = sizeof part};
        if (append(tape, &more) == NIGH_NONE) return NIGH_NONE;
    }
    return id;
}

nigh_node tape_record_one(nigh_tape *tape, const tape_operator *op, const nigh_shape *shape, int inputs, const nigh_node *input,
                          const void *attributes, size_t attribute_bytes)
{
    return tape_record(tape, op, 1, shape, inputs, input, attributes, attribute_bytes, false);
}

/* ---- shapes ------------------------------------------------------------------------------------------- */

bool tape_same_shape(const nigh_shape *a, const nigh_shape *b)
{
    return a->ndim == b->ndim && (a->ndim == 0 || memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim) == 0);
}

bool tape_is_float(nigh_dtype dtype) { return dtype == NIGH_F32 || dtype == NIGH_F64; }
bool tape_is_complex(nigh_dtype dtype) { return dtype == NIGH_C64 || dtype == NIGH_C128; }

nigh_shape tape_make_shape(nigh_dtype dtype, int ndim, const int64_t *dim)
{
    nigh_shape shape = {.dtype = dtype, .ndim = ndim};
    for (int i = 0; i < ndim; i++) shape.dim[i] = dim[i];
    return shape;
}

void tape_dense_strides(const nigh_shape *shape, int64_t stride[NIGH_MAX_DIMS])
{
    int64_t step = 1;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape->dim[i];
    }
}

bool tape_broadcast(const nigh_shape *a, const nigh_shape *b, nigh_shape *out)
{
    nigh_shape shape = {.dtype = a->dtype, .ndim = a->ndim > b->ndim ? a->ndim : b->ndim};
    for (int i = 0; i < shape.ndim; i++) {
        int ia = i - (shape.ndim - a->ndim), ib = i - (shape.ndim - b->ndim);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1) return false;
        shape.dim[i] = da == 1 ? db : da;
    }
    *out = shape;
    return true;
}

/* ---- leaves ------------------------------------------------------------------------------------------- */

const tape_operator tape_op_input = {.name = "input", .kind = TAPE_LEAF};
const tape_operator tape_op_constant = {.name = "constant", .kind = TAPE_LEAF};
const tape_operator tape_op_fill = {.name = "fill", .kind = TAPE_LEAF};
const tape_operator tape_op_part = {.name = "part", .kind = TAPE_LEAF};

static bool check_dims(nigh_tape *tape, const char *op, int ndim, const int64_t *dim)
{
    if (tape->status) return false;
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return tape_fail(tape, op, "%d dimensions; 0 to %d are allowed", ndim, NIGH_MAX_DIMS), false;
    for (int i = 0; i < ndim; i++)
        if (dim[i] < 0) return tape_fail(tape, op, "dimension %d is %lld; 0 or more is allowed", i, (long long)dim[i]), false;
    return true;
}

nigh_node nigh_tape_input(nigh_tape *tape, const char *name, nigh_dtype dtype, int ndim, const int64_t *dim)
{
    if (!check_dims(tape, "input", ndim, dim)) return NIGH_NONE;
    input_attributes attributes = {nigh_arena_strdup(tape->arena, name)};
    if (!attributes.name) return tape->status = NIGH_MEMORY, NIGH_NONE;
    nigh_shape shape = tape_make_shape(dtype, ndim, dim);
    return tape_record(tape, &tape_op_input, 1, &shape, 0, NULL, &attributes, sizeof attributes, true);
}

nigh_node nigh_tape_constant(nigh_tape *tape, nigh_dtype dtype, int ndim, const int64_t *dim, const void *data)
{
    if (!check_dims(tape, "constant", ndim, dim)) return NIGH_NONE;
    nigh_shape shape = tape_make_shape(dtype, ndim, dim);
    int64_t count = nigh_shape_count(&shape);
    if (count < 0) return tape_fail(tape, "constant", "the array is larger than 2^63 bytes");
    size_t bytes = (size_t)count * nigh_dtype_size(dtype);
    void *copy = nigh_arena_alloc(tape->arena, bytes ? bytes : 1);
    if (!copy) return tape->status = NIGH_MEMORY, NIGH_NONE;
    if (bytes) memcpy(copy, data, bytes);
    constant_attributes attributes = {copy};
    return tape_record(tape, &tape_op_constant, 1, &shape, 0, NULL, &attributes, sizeof attributes, true);
}

nigh_node nigh_tape_fill(nigh_tape *tape, nigh_dtype dtype, int ndim, const int64_t *dim, double value)
{
    if (!check_dims(tape, "fill", ndim, dim)) return NIGH_NONE;
    nigh_shape shape = tape_make_shape(dtype, ndim, dim);
    fill_attributes attributes = {{value, 0}};
    return tape_record_one(tape, &tape_op_fill, &shape, 0, NULL, &attributes, sizeof attributes);
}
