/* Networks as C files. Declared in nigh/network.h. */
#include "nn/network_export.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void export_print(export_writer *w, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    if (w->status) return;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    w->status = n < (int)sizeof line ? nigh_buffer_add(w->text, line, (size_t)n) : nigh_fail(w->ctx, NIGH_FAILED, "export: a line of more than %zu bytes", sizeof line);
}

void export_fail(export_writer *w, const char *format, ...)
{
    char text[256];
    va_list arguments;
    if (w->status) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    w->status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "export: %s", text);
}

const char *export_number(const export_writer *w, double x, char text[48])
{
    if (w->dtype == NIGH_F32) x = (float)x;
    if (isnan(x)) return strcpy(text, "NAN");
    if (isinf(x)) return strcpy(text, x > 0 ? "INFINITY" : "(-INFINITY)");
    snprintf(text, 48, x < 0 ? "(%a%s)" : "%a%s", x, w->suffix);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.'; /* the locale's point */
    return text;
}

void export_need(export_writer *w, unsigned parts) { w->parts |= parts; }

void export_extra(export_writer *w, int64_t elements)
{
    if (elements > w->extra) w->extra = elements;
}

void export_list(export_writer *w, const char *name, int n, const int64_t *list)
{
    export_print(w, "    static const long %s[] = {", name);
    for (int i = 0; i < n; i++) export_print(w, "%s%lld", i ? ", " : "", (long long)list[i]);
    export_print(w, "};\n");
}

/* ---- fixed arrays ------------------------------------------------------------------------------------- */

int export_add_array(export_writer *w, const export_array *array)
{
    if (w->status) return -1;
    for (int i = 0; i < w->arrays; i++)
        if (!memcmp(&w->array[i], array, sizeof *array)) return i;
    if (w->arrays == w->room) {
        int room = w->room ? 2 * w->room : 16;
        export_array *more = nigh_resize(w->ctx, w->array, (size_t)room * sizeof *more);
        if (!more) return w->status = NIGH_MEMORY, -1;
        w->array = more;
        w->room = room;
    }
    w->array[w->arrays] = *array;
    return w->arrays++;
}

void *export_numbers(export_writer *w, nigh_dtype dtype, int64_t count)
{
    void *data = w->status ? NULL : nigh_arena_alloc_zero(w->arena, (size_t)count + 1, nigh_dtype_size(dtype));
    if (!data && !w->status) w->status = NIGH_MEMORY;
    return data;
}

static int add_plain(export_writer *w, nigh_dtype dtype, int64_t count, const void *data)
{
    export_array array;
    for (int i = 0; i < w->arrays && data; i++) {
        const export_array *other = &w->array[i];
        if (!other->packed && other->dtype == dtype && other->count == count && !memcmp(other->data, data, (size_t)count * nigh_dtype_size(dtype))) return i;
    }
    memset(&array, 0, sizeof array); /* compared as bytes */
    array.data = data, array.dtype = dtype, array.count = count;
    return export_add_array(w, &array);
}

int export_own(export_writer *w, int64_t count, const double *list)
{
    nigh_array made = {{w->dtype, 1, {count}}, export_numbers(w, w->dtype, count)};
    for (int64_t i = 0; made.data && i < count; i++) nigh_array_set(&made, i, list[i]);
    return add_plain(w, w->dtype, count, made.data);
}

int export_own_integers(export_writer *w, int64_t count, const int64_t *list)
{
    int32_t *made = export_numbers(w, NIGH_I32, count);
    for (int64_t i = 0; made && i < count; i++) made[i] = (int32_t)list[i];
    return add_plain(w, NIGH_I32, count, made);
}

const void *export_fixed(const export_writer *w, const operand *o)
{
    const storage *s = &w->run->storage[o->storage];
    if (s->kind == STORAGE_ARENA) return w->folded[o->storage];
    if (s->kind != STORAGE_INPUT && s->kind != STORAGE_CONSTANT) return NULL;
    for (int i = 0; i < w->inputs; i++)
        if (s->node == w->input[i]) return NULL;
    return s->base ? s->base : (const void *)s->number;
}

static const char *place_of(export_writer *w, const operand *o, char text[EXPORT_PLACE])
{
    const storage *s = &w->run->storage[o->storage];
    int64_t size = (int64_t)nigh_dtype_size(o->shape.dtype), real = (int64_t)nigh_dtype_size(w->dtype);
    long long offset = (long long)(o->offset / size);
    *text = 0;
    for (int i = 0; i < w->inputs; i++)
        if (s->kind == STORAGE_INPUT && s->node == w->input[i]) snprintf(text, EXPORT_PLACE, "(x%d + %lld)", i, offset);
    for (int i = 0; i < w->outputs; i++)
        if (s->kind == STORAGE_OUTPUT && s->node == w->output[i]) snprintf(text, EXPORT_PLACE, "(y%d + %lld)", i, offset);
    if (*text) return text;
    const void *fixed = export_fixed(w, o);
    if (fixed) {
        bool one = s->kind == STORAGE_CONSTANT && !s->base;
        snprintf(text, EXPORT_PLACE, "(%s_array%d.at + %lld)", w->name, add_plain(w, o->shape.dtype, one ? 1 : (int64_t)s->bytes / size, fixed), offset);
    } else {
        int64_t end = (s->offset + (int64_t)s->bytes) / real;
        if (end > w->results) w->results = end;
        snprintf(text, EXPORT_PLACE, "(s + %lld)", (long long)(s->offset / real) + offset);
    }
    return text;
}

static bool check_type(export_writer *w, const operand *o, nigh_dtype dtype)
{
    if (o->shape.dtype == dtype) return true;
    export_fail(w, "an array of %s where %s is needed", nigh_dtype_name(o->shape.dtype), nigh_dtype_name(dtype));
    return false;
}

const char *export_place(export_writer *w, const operand *o, char text[EXPORT_PLACE])
{
    *text = 0;
    return check_type(w, o, w->dtype) ? place_of(w, o, text) : text;
}

const char *export_index(export_writer *w, const operand *o, char text[EXPORT_PLACE])
{
    const storage *s = &w->run->storage[o->storage];
    *text = 0;
    if (o->shape.dtype == NIGH_I64 ? !export_fixed(w, o) : !check_type(w, o, NIGH_I32)) return export_fail(w, "computed indices of i64"), text;
    if (s->kind != STORAGE_INPUT && !export_fixed(w, o)) return export_fail(w, "computed indices"), text;
    return place_of(w, o, text);
}

const char *export_complex(export_writer *w, const operand *o, char text[EXPORT_PLACE], int64_t *plane)
{
    *text = 0;
    *plane = (int64_t)(w->run->storage[o->storage].bytes / nigh_dtype_size(o->shape.dtype));
    return check_type(w, o, w->dtype == NIGH_F32 ? NIGH_C64 : NIGH_C128) ? place_of(w, o, text) : text;
}

typedef struct word_writer {
    export_writer *w;
    int column;
} word_writer;

/* Bits, not numbers: a compiler reads them ten times faster, and they are exact. */
static void put_number(word_writer *p, double v)
{
    const char *end = ++p->column % 8 ? "," : ",\n";
    if (p->w->dtype == NIGH_F32) {
        float f = (float)v;
        uint32_t u;
        memcpy(&u, &f, sizeof u);
        export_print(p->w, u < 10 ? "%x%s" : "0x%x%s", (unsigned)u, end);
    } else {
        uint64_t u;
        memcpy(&u, &v, sizeof u);
        export_print(p->w, u < 10 ? "%llx%s" : "0x%llxu%s", (unsigned long long)u, end);
    }
}

static double element(const export_writer *w, const void *data, int64_t i) { return w->dtype == NIGH_F32 ? ((const float *)data)[i] : ((const double *)data)[i]; }

int64_t export_panel(int64_t n) { return n <= EXPORT_NARROW ? EXPORT_NARROW : EXPORT_PANEL; }
int64_t export_packed_size(int64_t k, int64_t n) { return (n + export_panel(n) - 1) / export_panel(n) * export_panel(n) * k; }

static void put_packed(word_writer *p, const export_array *a, int64_t from)
{
    int64_t panel = export_panel(a->n);
    for (int64_t j = 0; j < a->n; j += panel)
        for (int64_t i = 0; i < a->k; i++)
            for (int64_t l = j; l < j + panel; l++) put_number(p, l < a->n ? element(p->w, a->data, from + i * a->row + l * a->column) : 0);
}

static void put_integers(export_writer *w, int index, const export_array *a)
{
    export_print(w, "static const struct { int32_t at[%lld]; } %s_array%d = {{\n", (long long)a->count, w->name, index);
    for (int64_t i = 0; i < a->count; i++)
        export_print(w, "%lld%s", (long long)(a->dtype == NIGH_I32 ? ((const int32_t *)a->data)[i] : ((const int64_t *)a->data)[i]), (i + 1) % 16 ? "," : ",\n");
    export_print(w, "}};\n\n");
}

static void put_array(export_writer *w, int index)
{
    const export_array a = w->array[index];
    int64_t batches = 1, size = export_packed_size(a.k, a.n);
    for (int i = 0; i < a.batch_dims; i++) batches *= a.batch[i];
    if (a.dtype == NIGH_I32 || a.dtype == NIGH_I64) {
        put_integers(w, index, &a);
        return;
    }
    const char *word = w->dtype == NIGH_F32 ? "uint32_t" : "uint64_t";
    int64_t per = a.dtype == w->dtype ? 1 : 2;
    long long count = (long long)(a.packed ? batches * size : a.count * per);
    export_print(w, "static const union { %s bits[%lld]; %s at[%lld]; } %s_array%d %s_ALIGN = {{\n", word, count, w->real, count, w->name, index, w->name);
    word_writer p = {w, 0};
    for (int64_t part = 0; part < per && !a.packed; part++)
        for (int64_t i = 0; i < a.count && !w->status; i++) put_number(&p, element(w, a.data, per * i + part));
    for (int64_t b = 0; b < batches && a.packed && !w->status; b++) {
        int64_t from = a.offset, rest = b;
        for (int i = a.batch_dims - 1; i >= 0; i--) from += rest % a.batch[i] * a.stride[i], rest /= a.batch[i];
        put_packed(&p, &a, from);
    }
    export_print(w, "}};\n\n");
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static const char *type_of_input(const export_writer *w, int i) { return nigh_network_input_shape(w->net, i)->dtype == w->dtype ? w->real : "int32_t"; }

static void put_signature(export_writer *w, const char *name, bool many)
{
    export_print(w, "void %s(%s", name, many ? "long n, " : "");
    for (int i = 0; i < w->inputs; i++) export_print(w, "const %s *x%d, ", type_of_input(w, i), i);
    for (int i = 0; i < w->outputs; i++) export_print(w, "%s *y%d, ", w->real, i);
    export_print(w, "%s *s)", w->real);
}

static int64_t size_of(const nigh_shape *shape) { return nigh_shape_count(shape); }

static void put_head(export_writer *w, const nigh_shape *in, const nigh_shape *out)
{
    char shape[TAPE_SHAPE_TEXT];
    const char *n = w->name;
    export_print(w, "/*\n * %s: a network as C99 without dependencies, written by nigh. SPDX-License-Identifier: CC0-1.0\n *\n", n);
    for (int i = 0; i < w->inputs; i++) export_print(w, " *   x%d: %s, '%s'\n", i, tape_shape_text(&in[i], shape), nigh_network_at(w->net, nigh_network_input_layer(w->net, i))->name);
    for (int i = 0; i < w->outputs; i++)
        export_print(w, " *   y%d: %s, '%s'\n", i, tape_shape_text(&out[i], shape), nigh_network_at(w->net, nigh_network_output_layer(w->net, i))->name);
    export_print(w, " *   s: %s_SCRATCH numbers (%.0f kB) of working memory, best at a multiple of 64 bytes; each thread that calls at the same time has one\n *\n", n,
                 (double)(w->results + w->extra) * (double)nigh_dtype_size(w->dtype) / 1000);
    export_print(w, " * %s_many does n such calls on arrays behind each other. Arrays must not overlap.\n", n);
    export_print(w, " * Fast with -O3 -march=native and contraction on (-std=gnu99, or -ffp-contract=fast); with other options the results differ in their last bits only.\n */\n");
    export_print(w, "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n#define %s_RESULTS %lld\n#define %s_SCRATCH %lld\n\n", n, (long long)w->results, n, (long long)(w->results + w->extra));
    export_print(w, "#if defined(__GNUC__)\n#define %s_ALIGN __attribute__((aligned(64)))\n#else\n#define %s_ALIGN\n#endif\n\n", n, n);
    char many[300];
    snprintf(many, sizeof many, "%s_many", n);
    put_signature(w, n, false);
    export_print(w, ";\n");
    put_signature(w, many, true);
    export_print(w, ";\n\n");
}

static void put_many(export_writer *w, const nigh_shape *in, const nigh_shape *out)
{
    char name[300];
    snprintf(name, sizeof name, "%s_many", w->name);
    export_print(w, "\n");
    put_signature(w, name, true);
    export_print(w, "\n{\n    for (long i = 0; i < n; i++) %s(", w->name);
    for (int i = 0; i < w->inputs; i++) export_print(w, "x%d + i * %lld, ", i, (long long)size_of(&in[i]));
    for (int i = 0; i < w->outputs; i++) export_print(w, "y%d + i * %lld, ", i, (long long)size_of(&out[i]));
    export_print(w, "s);\n}\n");
}

/* Outputs that no step writes: inputs or weights as they are, or one asked for twice. */
static void put_same(export_writer *w, const nigh_shape *out)
{
    for (int o = 0; o < w->outputs; o++) {
        const char *size = w->real;
        for (int i = 0; i < w->inputs; i++)
            if (w->output[o] == w->input[i]) export_print(w, "    memcpy(y%d, x%d, %lld * sizeof(%s));\n", o, i, (long long)size_of(&out[o]), size);
        for (int p = 0; p < o; p++)
            if (w->output[o] == w->output[p]) {
                export_print(w, "    memcpy(y%d, y%d, %lld * sizeof(%s));\n", o, p, (long long)size_of(&out[o]), size);
                break;
            }
    }
}

/* ---- what is known while writing ---------------------------------------------------------------------- */

enum { FOLD_FREELY = 1 << 16 }; /* numbers up to which a result stands in the file, however few it is made of */

static int64_t numbers_of(const operand *o) { return nigh_shape_count(&o->shape); }

static bool is_known(const export_writer *w, const exec_step *step)
{
    int64_t in = 0, out = 0;
    for (int i = 0; i < step->inputs; i++) {
        if (!export_fixed(w, &step->operand[i])) return false;
        in += (int64_t)w->run->storage[step->operand[i].storage].bytes / (int64_t)nigh_dtype_size(step->operand[i].shape.dtype);
    }
    for (int i = step->inputs; i < step->inputs + step->outputs; i++) {
        if (w->run->storage[step->operand[i].storage].kind != STORAGE_ARENA) return false;
        out += numbers_of(&step->operand[i]);
    }
    bool random = !step->tiles && !step->copy && !strcmp(step->node.op->name, "noise");
    return !random && (out <= FOLD_FREELY || out <= 2 * in);
}

/* Runs the step where the executor would, and keeps its results: their memory is used again by later steps. */
static void fold(export_writer *w, const exec_step *step)
{
    executor_run_step(w->run, step, step->at, step->workspace);
    for (int i = step->inputs; i < step->inputs + step->outputs && !w->status; i++) {
        int at = step->operand[i].storage;
        size_t bytes = w->run->storage[at].bytes;
        char *kept = nigh_arena_alloc(w->arena, bytes + 1);
        if (!kept) w->status = NIGH_MEMORY;
        else w->folded[at] = memcpy(kept, w->run->memory + w->run->storage[at].offset, bytes);
    }
}

/* Does a later step read what this one leaves there? */
static bool is_read(const export_writer *w, int place)
{
    for (int i = w->at + 1; i < w->run->steps; i++) {
        const exec_step *step = &w->run->step[i];
        for (int k = 0; k < step->inputs; k++)
            if (step->operand[k].storage == place) return true;
        for (int k = step->inputs; k < step->inputs + step->outputs; k++)
            if (step->operand[k].storage == place) return false;
    }
    return w->run->storage[place].kind == STORAGE_OUTPUT;
}

static void put_steps(export_writer *w)
{
    for (w->at = 0; w->at < w->run->steps && !w->status; w->at++) {
        const exec_step *step = &w->run->step[w->at];
        if (is_known(w, step)) {
            fold(w, step);
            continue;
        }
        for (int i = step->inputs + 1; i < step->inputs + step->outputs && !step->tiles; i++)
            if (is_read(w, step->operand[i].storage)) export_fail(w, "result %d of operator '%s' is used, which has no form in C here", i - step->inputs, step->node.op->name);
        export_step(w, step);
        for (int i = step->inputs; i < step->inputs + step->outputs; i++) w->folded[step->operand[i].storage] = NULL;
    }
}

static nigh_status write_file(export_writer *w, nigh_tape *tape, nigh_buffer *text)
{
    nigh_shape in[64], out[64];
    nigh_buffer steps = {.ctx = w->ctx};
    for (int i = 0; i < w->inputs; i++) in[i] = *nigh_tape_shape(tape, w->input[i]);
    for (int i = 0; i < w->outputs; i++) out[i] = *nigh_tape_shape(tape, w->output[i]);
    w->text = &steps;
    put_steps(w);
    put_same(w, out);
    if (w->results + w->extra == 0) w->extra = 1;
    w->text = text;
    put_head(w, in, out);
    for (int i = 0; i < w->arrays && !w->status; i++) put_array(w, i);
    export_code(w);
    put_signature(w, w->name, false);
    export_print(w, "\n{\n    (void)s;\n");
    if (!w->status) w->status = nigh_buffer_add(text, steps.data ? steps.data : "", steps.size);
    export_print(w, "}\n");
    put_many(w, in, out);
    nigh_buffer_free(&steps);
    return w->status;
}

/* Steps know the addresses of their arrays after a run, for which any inputs will do. */
static nigh_status settle(export_writer *w, nigh_executor *run, const nigh_node *input)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < w->inputs && !status; i++) {
        const storage *s = executor_find_storage(run, input[i]);
        if (!s) continue;
        void *data = nigh_executor_data(run, input[i]);
        if (!data) status = NIGH_MEMORY;
        else memset(data, 0, s->bytes);
    }
    if (!status) status = nigh_executor_run(run);
    if (!status && !(w->folded = nigh_alloc_zero(w->ctx, (size_t)run->storages + 1, sizeof *w->folded))) status = NIGH_MEMORY;
    return status ? status : nigh_arena_new(w->ctx, &w->arena);
}

/* Records, compiles for one thread, and writes. */
static nigh_status export_recorded(export_writer *w, nigh_tape *tape, const nigh_shape *inputs, nigh_node *node, nigh_buffer *text)
{
    nigh_parameters *set = nigh_network_parameters(w->net);
    nigh_executor *run = NULL;
    nigh_node *weight = node + w->inputs, *output = weight + nigh_parameters_count(set);
    for (int i = 0; i < w->inputs; i++)
        if ((node[i] = nigh_tape_input(tape, "x", inputs[i].dtype, inputs[i].ndim, inputs[i].dim)) == NIGH_NONE) return nigh_tape_status(tape);
    nigh_status status = nigh_parameters_record(set, tape, weight);
    if (!status) status = nigh_network_record(w->net, tape, NULL, node, weight, output);
    for (int o = 0; o < w->outputs && !status; o++)
        for (int i = 0; i < nigh_parameters_count(set); i++)
            if (output[o] == weight[i]) status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "export: output %d is a weight", o);
    int threads = nigh_context_threads(w->ctx);
    if (!status) status = nigh_context_set_threads(w->ctx, 1);
    if (!status) status = nigh_executor_new(w->ctx, tape, w->outputs, output, &run);
    nigh_context_set_threads(w->ctx, threads);
    if (!status) status = nigh_parameters_bind(set, run, weight);
    if (!status) status = settle(w, run, node);
    if (!status) {
        w->run = run;
        w->input = node, w->output = output;
        status = write_file(w, tape, text);
    }
    nigh_executor_free(run);
    return status;
}

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)*name) || strlen(name) > 100) return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_') return false;
    return true;
}

nigh_status nigh_network_export(nigh_network *net, const nigh_shape *inputs, const char *name, nigh_buffer *text)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_tape *tape = NULL;
    if (nigh_network_status(net)) return nigh_network_status(net);
    if (!is_name(name)) return nigh_fail(ctx, NIGH_INVALID, "export: the name '%.100s'; letters, digits and _, first a letter, at most 100, are allowed", name);
    if (nigh_network_outputs(net) < 1) return nigh_fail(ctx, NIGH_INVALID, "export: the network has no output");
    nigh_dtype dtype = nigh_parameters_dtype(nigh_network_parameters(net));
    bool wide = dtype == NIGH_F64;
    size_t before = text->size;
    export_writer w = {.ctx = ctx, .net = net, .dtype = dtype, .name = name, .real = wide ? "double" : "float", .suffix = wide ? "" : "f",
                       .inputs = nigh_network_inputs(net), .outputs = nigh_network_outputs(net)};
    nigh_node *node = nigh_alloc(ctx, (size_t)(w.inputs + w.outputs + nigh_parameters_count(nigh_network_parameters(net))) * sizeof *node);
    nigh_status status = node ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    if (!status) status = export_recorded(&w, tape, inputs, node, text);
    if (status) text->size = before;
    nigh_arena_free(w.arena);
    nigh_tape_free(tape);
    nigh_free(ctx, node);
    nigh_free(ctx, w.array);
    nigh_free(ctx, w.folded);
    return status;
}
