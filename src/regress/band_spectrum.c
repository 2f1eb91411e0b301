/*
 * The spectral view, for one input: energy of the target beyond a frequency. The samples lie anywhere in [-1, 1]; their
 * Fourier integral is taken by the trapezoid rule between neighbours, under a Hann window so that the ends of the interval,
 * where the target is cut off, do not count as high frequencies. In more dimensions the integral of scattered samples has
 * an error of 1 / sqrt(n) at every frequency, which drowns a floor: there only the operator speaks.
 */
#include "regress/band.h"

#include <math.h>
#include <stdlib.h>

enum { FEWEST = 16 };

typedef struct band_node {
    double z;
    int64_t row;
} band_node;

static int by_place(const void *a, const void *b)
{
    const band_node *x = a, *y = b;
    return x->z != y->z ? (x->z > y->z) - (x->z < y->z) : (x->row > y->row) - (x->row < y->row);
}

/* Energy of column c between frequencies -limit and limit: windows of length 2 are resolved by steps of pi / 2. */
static double inside(const band_samples *s, const band_node *node, const double *weight, int64_t c, double limit)
{
    double step = M_PI / 2, sum = 0;
    int64_t last = (int64_t)floor(limit / step);
    for (int64_t f = 0; f <= last; f++) {
        double re = 0, im = 0, w = (double)f * step;
        for (int64_t i = 0; i < s->n; i++) {
            double y = weight[i] * s->y[node[i].row * s->q + c];
            re += y * cos(w * node[i].z), im += y * sin(w * node[i].z);
        }
        sum += (f ? 2 : 1) * (re * re + im * im);
    }
    return sum * step / (2 * M_PI);
}

nigh_status band_beyond(nigh_context *ctx, const band_samples *s, double limit, double *share)
{
    *share = NAN;
    if (s->d != 1 || s->n < FEWEST) return NIGH_OK;
    *share = 0;
    if (!(limit < M_PI / 4 * (double)s->n)) return NIGH_OK; /* beyond what so many samples show */
    band_node *node = nigh_alloc(ctx, (size_t)s->n * sizeof *node);
    double *weight = nigh_alloc(ctx, (size_t)s->n * sizeof *weight), all = 0, kept = 0;
    nigh_status status = node && weight ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    for (int64_t i = 0; i < s->n; i++) node[i] = (band_node){s->z[i], i};
    qsort(node, (size_t)s->n, sizeof *node, by_place);
    for (int64_t i = 0; i < s->n; i++) {
        double before = i ? node[i - 1].z : -1, after = i + 1 < s->n ? node[i + 1].z : 1, window = cos(M_PI / 2 * node[i].z);
        weight[i] = 0.5 * (after - before) * window * window;
        for (int64_t c = 0; c < s->q; c++) {
            double y = window * window * s->y[node[i].row * s->q + c];
            all += 0.5 * (after - before) * y * y;
        }
    }
    for (int64_t c = 0; !status && c < s->q; c++) {
        kept += inside(s, node, weight, c, limit);
        status = nigh_poll(ctx);
    }
    *share = all > 0 ? sqrt(fmin(1, fmax(0, 1 - kept / all))) : 0;
done:
    nigh_free(ctx, weight);
    nigh_free(ctx, node);
    return status;
}
