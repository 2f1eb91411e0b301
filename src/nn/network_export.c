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

const char *export_place(export_writer *w, const operand *o, char text[EXPORT_PLACE])
{
    const storage *s = &w->run->storage[o->storage];
    long long offset = (long long)(o->offset / (int64_t)nigh_dtype_size(w->dtype));
    *text = 0;
    if (o->shape.dtype != w->dtype) return export_fail(w, "an array of %s; only the network's type is written", nigh_dtype_name(o->shape.dtype)), text;
    if (s->kind == STORAGE_ARENA) snprintf(text, EXPORT_PLACE, "(s + %lld)", (long long)(s->offset / (int64_t)nigh_dtype_size(w->dtype)) + offset);
    for (int i = 0; i < w->inputs; i++)
        if (s->kind == STORAGE_INPUT && s->node == w->input[i]) snprintf(text, EXPORT_PLACE, "(x%d + %lld)", i, offset);
    for (int i = 0; i < w->outputs; i++)
        if (s->kind == STORAGE_OUTPUT && s->node == w->output[i]) snprintf(text, EXPORT_PLACE, "(y%d + %lld)", i, offset);
    if (*text) return text;
    export_array array;
    memset(&array, 0, sizeof array); /* compared as bytes */
    array.data = s->base ? s->base : (const void *)s->number;
    array.count = (int64_t)(s->base ? s->bytes / nigh_dtype_size(w->dtype) : 1);
    snprintf(text, EXPORT_PLACE, "(%s_array%d.at + %lld)", w->name, export_add_array(w, &array), offset);
    return text;
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

static void put_packed(word_writer *p, const export_array *a, int64_t from)
{
    for (int64_t j = 0; j < a->n; j += EXPORT_PANEL)
        for (int64_t i = 0; i < a->k; i++)
            for (int64_t l = j; l < j + EXPORT_PANEL; l++) put_number(p, l < a->n ? element(p->w, a->data, from + i * a->row + l * a->column) : 0);
}

static void put_array(export_writer *w, int index)
{
    const export_array a = w->array[index];
    int64_t batches = 1, size = (a.n + EXPORT_PANEL - 1) / EXPORT_PANEL * EXPORT_PANEL * a.k;
    for (int i = 0; i < a.batch_dims; i++) batches *= a.batch[i];
    const char *word = w->dtype == NIGH_F32 ? "uint32_t" : "uint64_t";
    long long count = (long long)(a.packed ? batches * size : a.count);
    export_print(w, "static const union { %s bits[%lld]; %s at[%lld]; } %s_array%d = {{\n", word, count, w->real, count, w->name, index);
    word_writer p = {w, 0};
    for (int64_t i = 0; i < a.count && !a.packed && !w->status; i++) put_number(&p, element(w, a.data, i));
    for (int64_t b = 0; b < batches && a.packed && !w->status; b++) {
        int64_t from = a.offset, rest = b;
        for (int i = a.batch_dims - 1; i >= 0; i--) from += rest % a.batch[i] * a.stride[i], rest /= a.batch[i];
        put_packed(&p, &a, from);
    }
    export_print(w, "}};\n\n");
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static void put_signature(export_writer *w, const char *name, bool many)
{
    export_print(w, "void %s(%s", name, many ? "long n, " : "");
    for (int i = 0; i < w->inputs; i++) export_print(w, "const %s *x%d, ", w->real, i);
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
    export_print(w, " *   s: %s_SCRATCH numbers of working memory, one for each thread that calls at the same time\n *\n", n);
    export_print(w, " * %s_many does n such calls on arrays behind each other. Arrays must not overlap.\n", n);
    export_print(w, " * Fast with -O3 -march=native and contraction on (-std=gnu99, or -ffp-contract=fast); with other options the results differ in their last bits only.\n */\n");
    export_print(w, "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n#define %s_SCRATCH %lld\n\n", n, (long long)w->scratch);
    put_signature(w, n, false);
    export_print(w, ";\nvoid %s_many(long n", n);
    for (int i = 0; i < w->inputs; i++) export_print(w, ", const %s *x%d", w->real, i);
    for (int i = 0; i < w->outputs; i++) export_print(w, ", %s *y%d", w->real, i);
    export_print(w, ", %s *s);\n\n", w->real);
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

static nigh_status write_file(export_writer *w, nigh_tape *tape, nigh_buffer *text)
{
    nigh_shape in[64], out[64];
    nigh_buffer steps = {.ctx = w->ctx};
    for (int i = 0; i < w->inputs; i++) in[i] = *nigh_tape_shape(tape, w->input[i]);
    for (int i = 0; i < w->outputs; i++) out[i] = *nigh_tape_shape(tape, w->output[i]);
    w->text = &steps;
    for (int i = 0; i < w->run->steps && !w->status; i++) export_step(w, &w->run->step[i]);
    put_same(w, out);
    w->scratch += w->packing;
    w->text = text;
    put_head(w, in, out);
    for (int i = 0; i < w->arrays && !w->status; i++) put_array(w, i);
    export_code(w);
    put_signature(w, w->name, false);
    export_print(w, "\n{\n");
    if (!w->status) w->status = nigh_buffer_add(text, steps.data ? steps.data : "", steps.size);
    export_print(w, "}\n");
    put_many(w, in, out);
    nigh_buffer_free(&steps);
    return w->status;
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
    if (!status) {
        w->run = run;
        w->input = node, w->output = output;
        w->scratch = (int64_t)(nigh_executor_bytes(run) / nigh_dtype_size(w->dtype)) + 64;
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
    nigh_tape_free(tape);
    nigh_free(ctx, node);
    nigh_free(ctx, w.array);
    return status;
}
