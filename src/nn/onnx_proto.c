/* The protocol buffers of ONNX files. Declared in nn/onnx.h. */
#include "nn/onnx.h"

#include "io/stream.h"

#include <math.h>
#include <string.h>

/* ---- the wire format ---------------------------------------------------------------------------------- */

typedef struct span {
    const uint8_t *at, *end;
} span;

typedef struct field {
    int number, wire;
    uint64_t value;  /* wire 0, 1, 5 */
    span bytes;      /* wire 2 */
} field;

static bool get_varint(span *s, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) return true;
    }
    return false;
}

static bool get_fixed(span *s, size_t size, uint64_t *value)
{
    *value = 0;
    if ((size_t)(s->end - s->at) < size) return false;
    for (size_t i = 0; i < size; i++) *value |= (uint64_t)*s->at++ << 8 * i;
    return true;
}

/* 1: a field, 0: the end, -1: malformed. */
static int next_field(span *s, field *f)
{
    uint64_t key, size;
    if (s->at == s->end) return 0;
    if (!get_varint(s, &key) || key >> 3 == 0 || key >> 3 > 1 << 28) return -1;
    *f = (field){.number = (int)(key >> 3), .wire = (int)(key & 7)};
    switch (f->wire) {
    case 0: return get_varint(s, &f->value) ? 1 : -1;
    case 1: return get_fixed(s, 8, &f->value) ? 1 : -1;
    case 5: return get_fixed(s, 4, &f->value) ? 1 : -1;
    case 2:
        if (!get_varint(s, &size) || size > (uint64_t)(s->end - s->at)) return -1;
        f->bytes = (span){s->at, s->at + size};
        s->at += size;
        return 1;
    default: return -1;
    }
}

typedef struct parser {
    nigh_context *ctx;
    nigh_arena *arena;
    const char *file;
    const uint8_t *start;
} parser;

static nigh_status bad(const parser *p, const uint8_t *at, const char *what)
{
    return nigh_fail(p->ctx, NIGH_FORMAT, "'%s': byte %lld: %s", p->file, (long long)(at - p->start), what);
}

/* How many fields of this number there are; -1: malformed. */
static int64_t count_fields(span s, int number)
{
    field f;
    int64_t n = 0;
    int more;
    while ((more = next_field(&s, &f)) > 0) n += f.number == number;
    return more < 0 ? -1 : n;
}

static nigh_status get_text(const parser *p, const field *f, const char **text)
{
    size_t size = (size_t)(f->bytes.end - f->bytes.at);
    if (f->wire != 2 || size > 4096 || memchr(f->bytes.at, 0, size) || !nigh_io_is_utf8((const char *)f->bytes.at, size))
        return bad(p, f->bytes.at ? f->bytes.at : p->start, "a name that is not UTF-8 text of at most 4096 bytes");
    char *copy = nigh_arena_alloc(p->arena, size + 1);
    if (!copy) return NIGH_MEMORY;
    memcpy(copy, f->bytes.at, size);
    copy[size] = 0;
    *text = copy;
    return NIGH_OK;
}

/* Repeated numbers, packed or not, appended to list (NULL: only counted). */
static nigh_status get_numbers(const parser *p, const field *f, int wire, bool single, double *list, int64_t *n)
{
    span s = f->bytes;
    uint64_t v = f->value;
    if (f->wire != 2 && f->wire != wire) return bad(p, s.at ? s.at : p->start, "a number of another wire type");
    while (f->wire != 2 || s.at < s.end) {
        if (f->wire == 2 && !(wire == 0 ? get_varint(&s, &v) : get_fixed(&s, wire == 1 ? 8 : 4, &v))) return bad(p, s.at, "a list of numbers that is cut");
        if (list) {
            uint32_t low = (uint32_t)v;
            float single_value;
            double value;
            memcpy(&single_value, &low, sizeof single_value);
            memcpy(&value, &v, sizeof value);
            list[*n] = wire == 0 ? (double)(int64_t)v : single ? single_value : value;
        }
        ++*n;
        if (f->wire != 2) break;
    }
    return NIGH_OK;
}

/* ---- tensors ------------------------------------------------------------------------------------------ */

static double raw_number(int type, const uint8_t *at)
{
    static const nigh_dtype types[] = {NIGH_F64, NIGH_F32, NIGH_U8, NIGH_I8, NIGH_U16, NIGH_I16, NIGH_I32, NIGH_I64, NIGH_F64, NIGH_U8, NIGH_F16, NIGH_F64, NIGH_U32, NIGH_U64};
    double room = 0;
    memcpy(&room, at, nigh_dtype_size(types[type]));
    return nigh_array_get(&(nigh_array){.shape = {.dtype = types[type]}, .data = &room}, 0);
}

static size_t raw_size(int type)
{
    static const size_t sizes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8};
    return type > 0 && type < (int)(sizeof sizes / sizeof *sizes) ? sizes[type] : 0;
}

static nigh_status fill_tensor(const parser *p, span s, onnx_tensor *t, const span *raw, bool have_raw)
{
    field f;
    int64_t n = 0;
    size_t size = raw_size(t->type);
    if (!size) return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': tensor '%s' is of type %d; floats and integers are read", p->file, t->name, t->type);
    t->count = 1;
    for (int i = 0; i < t->ndim; i++) {
        if (t->dim[i] < 0 || (t->dim[i] > 0 && t->count > (INT64_C(1) << 40) / t->dim[i])) return bad(p, s.at, "a tensor whose sizes are wrong");
        t->count *= t->dim[i];
    }
    int64_t have = have_raw ? (int64_t)((size_t)(raw->end - raw->at) / size) : 0, most = s.end - s.at;
    if (have_raw ? (size_t)(raw->end - raw->at) != (size_t)have * size || have != t->count : t->count > most) return bad(p, s.at, "a tensor that does not hold as many numbers as its sizes say");
    if (!(t->data = nigh_arena_alloc(p->arena, (size_t)(t->count ? t->count : 1) * sizeof *t->data))) return NIGH_MEMORY;
    for (int64_t i = 0; i < have; i++) t->data[i] = raw_number(t->type, raw->at + (size_t)i * size);
    if (have_raw) return NIGH_OK;
    int wanted = t->type == ONNX_FLOAT ? 4 : t->type == ONNX_DOUBLE ? 10 : t->type == ONNX_INT64 ? 7 : t->type == 12 || t->type == 13 ? 11 : 5;
    for (int pass = 0; pass < 2; pass++) { /* counted first */
        span again = s;
        n = 0;
        while (next_field(&again, &f) > 0) {
            if (f.number != wanted) continue;
            nigh_status status = get_numbers(p, &f, wanted == 4 ? 5 : wanted == 10 ? 1 : 0, wanted == 4, pass ? t->data : NULL, &n);
            if (status) return status;
        }
        if (n != t->count) return bad(p, s.at, "a tensor that does not hold as many numbers as its sizes say");
    }
    if (t->type == 10)
        for (int64_t i = 0; i < n; i++) {
            uint16_t half = (uint16_t)t->data[i];
            t->data[i] = raw_number(10, (const uint8_t *)&half);
        }
    return NIGH_OK;
}

static nigh_status get_tensor(const parser *p, span s, onnx_tensor *t)
{
    span all = s, raw = {NULL, NULL};
    field f;
    bool have_raw = false;
    int more;
    nigh_status status = NIGH_OK;
    *t = (onnx_tensor){.name = ""};
    while (!status && (more = next_field(&s, &f)) != 0) {
        if (more < 0) return bad(p, s.at, "a broken tensor");
        if (f.number == 1) {
            double dim[NIGH_MAX_DIMS];
            int64_t n = 0, count = 0;
            status = get_numbers(p, &f, 0, false, NULL, &count);
            if (!status && t->ndim + count > NIGH_MAX_DIMS) return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': a tensor of more than %d dimensions", p->file, NIGH_MAX_DIMS);
            if (!status) status = get_numbers(p, &f, 0, false, dim, &n);
            for (int64_t i = 0; i < n && !status; i++) t->dim[t->ndim++] = dim[i] < 0 || dim[i] > 1e12 ? -1 : (int64_t)dim[i];
        } else if (f.number == 2 && f.wire == 0) t->type = f.value < 32 ? (int)f.value : -1;
        else if (f.number == 8) status = get_text(p, &f, &t->name);
        else if (f.number == 9 && f.wire == 2) raw = f.bytes, have_raw = true;
        else if (f.number == 14 && f.wire == 0 && f.value) return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': tensor '%s' lies in another file", p->file, t->name);
    }
    return status ? status : fill_tensor(p, all, t, &raw, have_raw);
}

/* ---- nodes and graphs --------------------------------------------------------------------------------- */

static nigh_status get_attribute(const parser *p, span s, onnx_attribute *a)
{
    span all = s;
    field f;
    int more;
    int64_t floats = 0, ints = 0;
    nigh_status status = NIGH_OK;
    *a = (onnx_attribute){.name = "", .s = ""};
    while (!status && (more = next_field(&s, &f)) != 0) {
        if (more < 0) return bad(p, s.at, "a broken attribute");
        uint32_t low = (uint32_t)f.value;
        if (f.number == 1) status = get_text(p, &f, &a->name);
        else if (f.number == 2 && f.wire == 5) memcpy(&a->f, &low, sizeof a->f);
        else if (f.number == 3 && f.wire == 0) a->i = (int64_t)f.value;
        else if (f.number == 4) status = get_text(p, &f, &a->s);
        else if (f.number == 5 && f.wire == 2) {
            if (!(a->t = nigh_arena_alloc(p->arena, sizeof *a->t))) return NIGH_MEMORY;
            status = get_tensor(p, f.bytes, a->t);
        } else if (f.number == 7) status = get_numbers(p, &f, 5, true, NULL, &floats);
        else if (f.number == 8) status = get_numbers(p, &f, 0, false, NULL, &ints);
    }
    if (status) return status;
    if (floats > 1 << 20 || ints > 1 << 20 || (floats && ints)) return bad(p, all.at, "an attribute of too many numbers");
    if (!(a->number = nigh_arena_alloc(p->arena, (size_t)(floats + ints + 1) * sizeof *a->number))) return NIGH_MEMORY;
    int64_t n = 0;
    while (!status && next_field(&all, &f) > 0)
        if (f.number == (floats ? 7 : 8)) status = get_numbers(p, &f, floats ? 5 : 0, floats > 0, a->number, &n);
    a->floats = (int)floats, a->ints = (int)ints;
    return status;
}

static nigh_status get_node(const parser *p, span s, onnx_node *node)
{
    int64_t inputs = count_fields(s, 1), outputs = count_fields(s, 2), attributes = count_fields(s, 5);
    field f;
    nigh_status status = NIGH_OK;
    *node = (onnx_node){.op = "", .name = "", .domain = ""};
    if (inputs < 0 || inputs > 1024 || outputs > 64 || attributes > 256) return bad(p, s.at, "a broken node, or one of more than 1024 inputs");
    node->input = nigh_arena_alloc(p->arena, (size_t)(inputs + 1) * sizeof *node->input);
    node->output = nigh_arena_alloc(p->arena, (size_t)(outputs + 1) * sizeof *node->output);
    node->attribute = nigh_arena_alloc(p->arena, (size_t)(attributes + 1) * sizeof *node->attribute);
    if (!node->input || !node->output || !node->attribute) return NIGH_MEMORY;
    while (!status && next_field(&s, &f) > 0) {
        if (f.number == 1) status = get_text(p, &f, &node->input[node->inputs++]);
        else if (f.number == 2) status = get_text(p, &f, &node->output[node->outputs++]);
        else if (f.number == 3) status = get_text(p, &f, &node->name);
        else if (f.number == 4) status = get_text(p, &f, &node->op);
        else if (f.number == 7) status = get_text(p, &f, &node->domain);
        else if (f.number == 5 && f.wire == 2) status = get_attribute(p, f.bytes, &node->attribute[node->attributes++]);
    }
    return status;
}

/* The first message of this number inside; empty when there is none. */
static span inside(span s, int number)
{
    field f;
    while (next_field(&s, &f) > 0)
        if (f.number == number && f.wire == 2) return f.bytes;
    return (span){s.end, s.end};
}

static nigh_status get_input(const parser *p, span s, onnx_input *input)
{
    field f;
    span name = s, tensor = inside(inside(s, 2), 1), shape = inside(tensor, 2);
    nigh_status status = NIGH_OK;
    *input = (onnx_input){.name = ""};
    while (!status && next_field(&name, &f) > 0)
        if (f.number == 1) status = get_text(p, &f, &input->name);
    while (next_field(&tensor, &f) > 0)
        if (f.number == 1 && f.wire == 0) input->type = f.value < 32 ? (int)f.value : 0;
    while (!status && next_field(&shape, &f) > 0) {
        if (f.number != 1 || f.wire != 2) continue;
        span dim = f.bytes;
        int64_t size = -1;
        if (input->ndim == NIGH_MAX_DIMS) return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': input '%s' of more than %d dimensions", p->file, input->name, NIGH_MAX_DIMS);
        while (next_field(&dim, &f) > 0)
            if (f.number == 1 && f.wire == 0 && f.value > 0 && f.value <= INT32_MAX) size = (int64_t)f.value;
        input->dim[input->ndim++] = size;
    }
    return status;
}

static nigh_status get_graph(const parser *p, span s, onnx_graph *g)
{
    int64_t nodes = count_fields(s, 1), tensors = count_fields(s, 5), inputs = count_fields(s, 11), outputs = count_fields(s, 12);
    field f;
    nigh_status status = NIGH_OK;
    if (nodes < 0) return bad(p, s.at, "a broken graph");
    if (nodes > ONNX_MOST_NODES || tensors > ONNX_MOST_NODES || inputs > ONNX_MOST_NODES + 64 || outputs > 64)
        return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': %lld nodes, %lld tensors and %lld outputs; at most %d, %d and 64 are read", p->file, (long long)nodes, (long long)tensors,
                         (long long)outputs, ONNX_MOST_NODES, ONNX_MOST_NODES);
    g->node = nigh_arena_alloc(p->arena, (size_t)(nodes + 1) * sizeof *g->node);
    g->tensor = nigh_arena_alloc(p->arena, (size_t)(tensors + 1) * sizeof *g->tensor);
    g->input = nigh_arena_alloc(p->arena, (size_t)(inputs + 1) * sizeof *g->input);
    g->output = nigh_arena_alloc(p->arena, (size_t)(outputs + 1) * sizeof *g->output);
    if (!g->node || !g->tensor || !g->input || !g->output) return NIGH_MEMORY;
    while (!status && next_field(&s, &f) > 0) {
        if (f.wire != 2) continue;
        if (f.number == 1) status = get_node(p, f.bytes, &g->node[g->nodes++]);
        else if (f.number == 5) status = get_tensor(p, f.bytes, &g->tensor[g->tensors++]);
        else if (f.number == 11) status = get_input(p, f.bytes, &g->input[g->inputs++]);
        else if (f.number == 12) status = get_input(p, f.bytes, &g->output[g->outputs++]);
        else if (f.number == 15) status = nigh_fail(p->ctx, NIGH_UNSUPPORTED, "'%s': sparse tensors are not read", p->file);
    }
    return status;
}

nigh_status onnx_parse_graph(nigh_context *ctx, nigh_arena *arena, const char *file, const void *bytes, size_t size, onnx_graph *graph)
{
    parser p = {ctx, arena, file, bytes};
    span s = {p.start, p.start + size}, model = s;
    field f;
    int more;
    bool found = false;
    nigh_status status = NIGH_OK;
    *graph = (onnx_graph){.opset = 0};
    while (!status && (more = next_field(&s, &f)) != 0) {
        if (more < 0) return bad(&p, s.at, "no ONNX file: a broken field");
        if (f.number != 8 || f.wire != 2) continue;
        const char *domain = "";
        int64_t version = 0;
        span set = f.bytes;
        while (!status && next_field(&set, &f) > 0) {
            if (f.number == 1) status = get_text(&p, &f, &domain);
            else if (f.number == 2 && f.wire == 0) version = (int64_t)f.value;
        }
        if (!status && (!*domain || !strcmp(domain, "ai.onnx"))) graph->opset = version;
    }
    while (!status && next_field(&model, &f) > 0)
        if (f.number == 7 && f.wire == 2 && !found) found = true, status = get_graph(&p, f.bytes, graph);
    if (!status && !found) return nigh_fail(ctx, NIGH_FORMAT, "'%s': no ONNX file: there is no graph in it", file);
    if (!status && (graph->opset < 7 || graph->opset > 25))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "'%s': opset %lld; 7 to 25 are read", file, (long long)graph->opset);
    return status;
}
