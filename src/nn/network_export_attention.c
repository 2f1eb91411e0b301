/* Attention as C: the scores of 32 queries at a time, by products; blocks of latent spectral models, 16 patches at a time. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include "grad/attention.h"
#include "grad/latent.h"

#include <math.h>
#include <stdio.h>

/* Which input an option is; -1: none. */
typedef struct options {
    int lengths, q_segment, k_segment, bias, slopes;
} options;

static options options_of(const attention_attributes *a)
{
    int next = a->packed ? 1 : 3;
    options o = {-1, -1, -1, -1, -1};
    if (a->options & ATTENTION_HAS_LENGTHS) o.lengths = next++;
    if (a->options & ATTENTION_HAS_SEGMENTS) o.q_segment = next++, o.k_segment = next++;
    if (a->options & ATTENTION_HAS_BIAS) o.bias = next++;
    if (a->options & ATTENTION_HAS_SLOPES) o.slopes = next;
    return o;
}

/* "place + b * .. + h * ..", of head h: the head's number in the array is h / shared + first. */
static void put_array(export_writer *w, const operand *o, int64_t first, int64_t shared)
{
    char place[EXPORT_PLACE];
    export_print(w, "%s + b * (%lld) + (h / %lld + %lld) * (%lld), ", export_place(w, o, place), (long long)o->stride[0], (long long)shared, (long long)first, (long long)o->stride[2]);
}

static void put_segment(export_writer *w, const exec_step *step, int input)
{
    char place[EXPORT_PLACE];
    if (input < 0) export_print(w, "0, ");
    else export_print(w, "%s + b * %lld, ", export_index(w, &step->operand[input], place), (long long)step->operand[input].shape.dim[1]);
}

static void put_tables(export_writer *w, const exec_step *step, const attention_attributes *a, const operand *const array[3], const options *o, const int64_t bias[4])
{
    const operand *q = array[0], *k = array[1], *v = array[2], *y = &step->operand[step->inputs];
    long long t = (long long)q->shape.dim[1], s = (long long)k->shape.dim[1];
    char place[EXPORT_PLACE];
    export_print(w, "    static const long size[] = {%lld, %lld, %lld, %lld};\n", t, s, (long long)q->shape.dim[3], (long long)v->shape.dim[3]);
    export_print(w, "    static const long stride[] = {%lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld};\n", (long long)q->stride[1], (long long)q->stride[3], (long long)k->stride[1],
                 (long long)k->stride[3], (long long)v->stride[1], (long long)v->stride[3], (long long)(y->shape.dim[2] * y->shape.dim[3]), (long long)bias[2], (long long)bias[3]);
    export_print(w, "    for (long b = 0; b < %lld; b++) {\n", (long long)q->shape.dim[0]);
    if (o->lengths >= 0) export_print(w, "    const long given = %s[b], seen = given < 0 ? 0 : given < %lld ? given : %lld;\n", export_index(w, &step->operand[o->lengths], place), s, s);
    else export_print(w, "    const long seen = %lld;\n", s);
    export_print(w, "    const long how[] = {%d, %lld, %lld, seen, %s};\n", (int)a->causal, (long long)a->window, (long long)a->first, a->ragged ? "seen" : "size[1]");
}

void export_attention(export_writer *w, const exec_step *step)
{
    const attention_attributes *a = step->node.attributes;
    const operand *array[3], *y = &step->operand[step->inputs];
    const options o = options_of(a);
    int64_t bias[4] = {0}, shared = a->heads / a->kv_heads;
    char place[EXPORT_PLACE], number[48];
    for (int i = 0; i < 3; i++) array[i] = &step->operand[a->packed ? 0 : i];
    for (int i = 0; i < 4 && o.bias >= 0; i++) bias[i] = step->operand[o.bias].shape.dim[i] == 1 ? 0 : step->operand[o.bias].stride[i];
    int64_t t = array[0]->shape.dim[1], s = array[1]->shape.dim[1], d = array[0]->shape.dim[3], e = array[2]->shape.dim[3];
    double scale = a->scale != 0 ? a->scale : a->cosine ? 1 : 1 / sqrt((double)d);
    export_need(w, EXPORT_PRODUCTS | EXPORT_ATTENTION);
    export_extra(w, export_packed_size(d, s) + export_packed_size(s, e) + 64 * s + (a->cosine ? (t + s) * d : 0));
    export_print(w, "    {\n");
    put_tables(w, step, a, array, &o, bias);
    export_print(w, "    for (long h = 0; h < %lld; h++)\n        %s_attend(size, how, %d, ", (long long)a->heads, w->name, (int)a->cosine);
    put_array(w, array[0], 0, 1);
    put_array(w, array[1], a->packed ? a->heads : 0, shared);
    put_array(w, array[2], a->packed ? a->heads + a->kv_heads : 0, shared);
    export_print(w, "stride, %s, ", export_number(w, scale, number));
    if (o.bias >= 0) export_print(w, "%s + b * %lld + h * %lld, ", export_place(w, &step->operand[o.bias], place), (long long)bias[0], (long long)bias[1]);
    else export_print(w, "0, ");
    if (o.slopes >= 0) export_print(w, "%s[h], ", export_place(w, &step->operand[o.slopes], place));
    else export_print(w, "0, ");
    put_segment(w, step, o.q_segment);
    put_segment(w, step, o.k_segment);
    export_print(w, "%s + b * %lld + h * %lld, s + %s_RESULTS);\n    }\n    }\n", export_place(w, y, place), (long long)(t * a->heads * e), (long long)e, w->name);
}

void export_latent(export_writer *w, const exec_step *step)
{
    const latent_attributes *a = step->node.attributes;
    const int64_t *u = step->operand[0].shape.dim, points = a->patch[0] * a->patch[1], each = a->tokens * a->width;
    const int64_t sizes[] = {u[0] * (u[1] / a->patch[0]) * (u[2] / a->patch[1]), u[1] / a->patch[0], u[2] / a->patch[1], a->patch[0], a->patch[1], a->heads, a->width, a->tokens, a->basis};
    char place[EXPORT_PLACE], number[48];
    export_need(w, EXPORT_LATENT | EXPORT_SINES);
    export_extra(w, EXPORT_NARROW * (points * (2 * a->width + 2 * a->tokens) + 4 * each));
    export_print(w, "    {\n");
    export_list(w, "g", (int)(sizeof sizes / sizeof *sizes), sizes);
    export_print(w, "    %s_latent(g, %s, ", w->name, export_number(w, 3.14159265358979323846 / (double)(a->basis ? a->basis : 1), number));
    for (int i = 0; i < 3; i++) export_print(w, "%s, ", i == 2 && !a->basis ? "0" : export_place(w, &step->operand[i], place));
    export_print(w, "%s, ", a->added ? export_place(w, &step->operand[3], place) : "0");
    export_print(w, "%s, s + %s_RESULTS);\n    }\n", export_place(w, &step->operand[step->inputs], place), w->name);
}
