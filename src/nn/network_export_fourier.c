/* Fourier transforms of real fields and spectra of other sizes as C: real and imaginary parts lie in planes. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include "grad/fourier.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t span(const nigh_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= shape->dim[i];
    return n;
}

/* Cosines and sines of 2 pi k / n: number of the array. */
static int turns(export_writer *w, int64_t n)
{
    const double pi = 3.14159265358979323846;
    double *turn = export_numbers(w, NIGH_F64, 2 * n);
    for (int64_t k = 0; k < n && turn; k++) turn[k] = cos(2 * pi * (double)k / (double)n), turn[n + k] = sin(2 * pi * (double)k / (double)n);
    return turn ? export_own(w, 2 * n, turn) : -1;
}

/* re and im are expressions; t begins `behind` elements behind the results. */
static void put_axis(export_writer *w, const nigh_shape *shape, int axis, int sign, const char *re, const char *im, int64_t behind)
{
    int64_t n = shape->dim[axis], inner = span(shape, axis + 1, shape->ndim);
    if (n == 1) return;
    export_extra(w, behind + 2 * n * inner);
    export_print(w, "    %s_fourier(%lld, %lld, %lld, %s_array%d.at, %d, %s, %s, s + %s_RESULTS + %lld);\n", w->name, (long long)span(shape, 0, axis), (long long)n, (long long)inner,
                 w->name, turns(w, n), sign, re, im, w->name, (long long)behind);
}

static void put_weights(export_writer *w, const fourier_attributes *a, const nigh_shape *spectrum, int last, const char *from, const char *to)
{
    char number[48], pair[48];
    double share = !a->weighted ? 1 : a->kind == FOURIER_BACK ? 0.5 : 2;
    export_print(w, "    %s_weigh(%lld, %lld, %lld, %lld, %s, %s, %s, %s);\n", w->name, (long long)span(spectrum, 0, last), (long long)spectrum->dim[last],
                 (long long)span(spectrum, last + 1, spectrum->ndim), (long long)a->n, export_number(w, a->scale, number), export_number(w, share, pair), from, to);
}

typedef struct parts {
    char re[EXPORT_PLACE + 32], im[EXPORT_PLACE + 64];
} parts;

static parts parts_of(export_writer *w, const operand *o)
{
    parts p;
    char place[EXPORT_PLACE];
    int64_t plane;
    snprintf(p.re, sizeof p.re, "%s", export_complex(w, o, place, &plane));
    snprintf(p.im, sizeof p.im, "%s + %lld", p.re, (long long)plane);
    return p;
}

static void put_forth(export_writer *w, const exec_step *step, const fourier_attributes *a, int last)
{
    const nigh_shape *x = &step->operand[0].shape, *y = &step->operand[1].shape;
    int64_t inner = span(x, last + 1, x->ndim), n = a->n;
    char place[EXPORT_PLACE];
    parts to = parts_of(w, &step->operand[1]);
    export_extra(w, 4 * n * inner);
    export_print(w, "    %s_forth(%lld, %lld, %lld, %s_array%d.at, %s, %s, %s, s + %s_RESULTS);\n", w->name, (long long)span(x, 0, last), (long long)n, (long long)inner, w->name, turns(w, n),
                 export_place(w, &step->operand[0], place), to.re, to.im, w->name);
    for (int i = 0; i < last; i++)
        if (a->axes >> i & 1) put_axis(w, y, i, -1, to.re, to.im, 0);
    if (a->weighted || a->scale != 1) put_weights(w, a, y, last, to.re, to.re), put_weights(w, a, y, last, to.im, to.im);
}

static void put_back(export_writer *w, const exec_step *step, const fourier_attributes *a, int last)
{
    const nigh_shape *x = &step->operand[0].shape;
    int64_t inner = span(x, last + 1, x->ndim), n = a->n, size = nigh_shape_count(x);
    char place[EXPORT_PLACE], re[EXPORT_PLACE], im[EXPORT_PLACE];
    parts from = parts_of(w, &step->operand[0]);
    snprintf(re, sizeof re, "(s + %s_RESULTS)", w->name);
    snprintf(im, sizeof im, "(s + %s_RESULTS + %lld)", w->name, (long long)size);
    put_weights(w, a, x, last, from.re, re), put_weights(w, a, x, last, from.im, im);
    for (int i = 0; i < last; i++)
        if (a->axes >> i & 1) put_axis(w, x, i, 1, re, im, 2 * size);
    export_extra(w, 2 * size + 4 * n * inner);
    export_print(w, "    %s_back(%lld, %lld, %lld, %s_array%d.at, %s, %s, %s, s + %s_RESULTS + %lld);\n", w->name, (long long)span(x, 0, last), (long long)n, (long long)inner, w->name,
                 turns(w, n), re, im, export_place(w, &step->operand[1], place), w->name, (long long)(2 * size));
}

void export_fft(export_writer *w, const exec_step *step)
{
    const fourier_attributes *a = step->node.attributes;
    int last = 0;
    while (a->axes >> (last + 1)) last++;
    export_need(w, EXPORT_FOURIER);
    if (a->kind == FOURIER_FORTH) put_forth(w, step, a, last);
    else if (a->kind == FOURIER_BACK) put_back(w, step, a, last);
    else export_fail(w, "a Fourier transform of complex numbers has no form in C here");
}

void export_spectrum_resize(export_writer *w, const exec_step *step)
{
    const resize_attributes *a = step->node.attributes;
    const nigh_shape *x = &step->operand[0].shape, *y = &step->operand[1].shape;
    int axis = (int)a->axis;
    int64_t count = spectrum_passing(a), *from = export_numbers(w, NIGH_I64, count), *to = export_numbers(w, NIGH_I64, count);
    double *factor = export_numbers(w, NIGH_F64, count);
    for (int64_t i = 0; i < count && !w->status; i++) {
        spectrum_pass p = spectrum_passing_at(a, i);
        from[i] = p.from, to[i] = p.to, factor[i] = p.factor;
    }
    if (w->status) return;
    int places[3] = {export_own_integers(w, count, from), export_own_integers(w, count, to), export_own(w, count, factor)};
    parts in = parts_of(w, &step->operand[0]), out = parts_of(w, &step->operand[1]);
    export_need(w, EXPORT_FOURIER);
    for (int i = 0; i < 2; i++)
        export_print(w, "    %s_pass(%lld, %lld, %lld, %lld, %lld, %s_array%d.at, %s_array%d.at, %s_array%d.at, %s, %s);\n", w->name, (long long)span(x, 0, axis), (long long)x->dim[axis],
                     (long long)y->dim[axis], (long long)span(x, axis + 1, x->ndim), (long long)count, w->name, places[0], w->name, places[1], w->name, places[2], i ? in.im : in.re,
                     i ? out.im : out.re);
}
