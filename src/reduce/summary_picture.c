/*
 * A summary as a picture: the largest supernodes as discs, superedges between them as lines. Declared in nigh/summary.h.
 *
 * Places come from "Graph drawing by force-directed placement" (Fruchterman and Reingold 1991): all discs repel each other, superedges pull as their weight
 * share asks, and steps grow shorter.
 */
#include "reduce/ssumm.h"

#include "nigh/random.h"
#include "plan/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DISCS = 60, STEPS = 400, WIDTH = 720, HEIGHT = 560, EDGE = 16 };

typedef struct disc {
    int64_t supernode, size;
    double x, y, radius, inner; /* inner: density of its own superedge */
} disc;

typedef struct drawing {
    const nigh_summary *s;
    int count;
    disc disc[MOST_DISCS];
    double pull[MOST_DISCS][MOST_DISCS]; /* density of the superedge, 0 for none */
} drawing;

static int larger_first(const void *a, const void *b)
{
    const disc *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return (x->supernode > y->supernode) - (x->supernode < y->supernode);
}

/* The largest supernodes that have a superedge; those without are dust. */
static nigh_status pick(nigh_context *ctx, drawing *d)
{
    const nigh_summary *s = d->s;
    int64_t n = 0;
    disc *all = nigh_alloc(ctx, (size_t)s->supernodes * sizeof *all);
    if (!all) return NIGH_MEMORY;
    for (int64_t a = 0; a < s->supernodes; a++)
        if (s->start[a + 1] > s->start[a]) all[n++] = (disc){.supernode = a, .size = s->size[a]};
    if (n) qsort(all, (size_t)n, sizeof *all, larger_first);
    d->count = n < MOST_DISCS ? (int)n : MOST_DISCS;
    memcpy(d->disc, all, (size_t)d->count * sizeof *all);
    nigh_free(ctx, all);
    return NIGH_OK;
}

static double density_between(const nigh_summary *s, int64_t a, int64_t b)
{
    for (int64_t i = s->start[a]; i < s->start[a + 1]; i++)
        if (s->other[i] == b) {
            double x = (double)s->size[a], y = (double)s->size[b];
            return s->weight[i] / (a == b ? x * (x - 1) / 2 : x * y);
        }
    return 0;
}

static void measure(drawing *d)
{
    double area = 0;
    for (int i = 0; i < d->count; i++) area += (double)d->disc[i].size;
    for (int i = 0; i < d->count; i++) {
        disc *p = &d->disc[i];
        p->radius = fmax(2.5, sqrt((double)p->size / area * 0.12 * WIDTH * HEIGHT / 3.1416));
        p->radius = fmin(p->radius, 60);
        p->inner = density_between(d->s, p->supernode, p->supernode);
        for (int j = 0; j < d->count; j++) d->pull[i][j] = i == j ? 0 : density_between(d->s, p->supernode, d->disc[j].supernode);
    }
}

static void scatter(drawing *d)
{
    nigh_rng rng = nigh_rng_new(1, 0);
    for (int i = 0; i < d->count; i++) {
        d->disc[i].x = WIDTH * (0.2 + 0.6 * nigh_rng_f64(&rng));
        d->disc[i].y = HEIGHT * (0.2 + 0.6 * nigh_rng_f64(&rng));
    }
}

static void step(drawing *d, double ideal, double longest)
{
    double fx[MOST_DISCS] = {0}, fy[MOST_DISCS] = {0};
    for (int i = 0; i < d->count; i++) {
        const disc *p = &d->disc[i];
        for (int j = 0; j < d->count; j++) {
            const disc *q = &d->disc[j];
            if (i == j) continue;
            double dx = p->x - q->x, dy = p->y - q->y, far = fmax(hypot(dx, dy), 1e-3), gap = fmax(far - p->radius - q->radius, 2);
            double force = ideal * ideal / gap - 1.6 * sqrt(d->pull[i][j]) * far * far / ideal;
            fx[i] += force * dx / far;
            fy[i] += force * dy / far;
        }
        fx[i] += (WIDTH / 2.0 - p->x) * 1.1; /* parts that nothing joins stay in sight */
        fy[i] += (HEIGHT / 2.0 - p->y) * 1.5;
    }
    for (int i = 0; i < d->count; i++) {
        disc *p = &d->disc[i];
        double force = hypot(fx[i], fy[i]), length = fmin(force, longest);
        if (force > 0) p->x += fx[i] / force * length, p->y += fy[i] / force * length;
        p->x = fmin(fmax(p->x, p->radius + EDGE), WIDTH - p->radius - EDGE);
        p->y = fmin(fmax(p->y, p->radius + EDGE), HEIGHT - p->radius - EDGE);
    }
}

static nigh_status draw_lines(const drawing *d, nigh_buffer *html)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < d->count; i++)
        for (int j = 0; j < i && !status; j++) {
            double x = d->pull[i][j];
            if (x == 0) continue;
            status = nigh_buffer_print(html, "<line class=\"s2\" stroke=\"currentColor\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke-width=\"%.2f\" stroke-opacity=\"%.2f\"/>",
                                       d->disc[i].x, d->disc[i].y, d->disc[j].x, d->disc[j].y, 0.6 + 3.4 * x, 0.15 + 0.6 * x);
        }
    return status;
}

static nigh_status draw_discs(const drawing *d, nigh_buffer *html)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < d->count && !status; i++) {
        const disc *p = &d->disc[i];
        status = nigh_buffer_print(html, "<circle class=\"s1\" stroke=\"currentColor\" stroke-width=\"1.2\" fill=\"currentColor\" fill-opacity=\"%.2f\" cx=\"%.1f\" cy=\"%.1f\" "
                                         "r=\"%.1f\"><title>supernode %lld: %lld node%s, %lld superedge%s, %.0f%% of the pairs inside are edges</title></circle>",
                                   0.12 + 0.8 * p->inner, p->x, p->y, p->radius, (long long)p->supernode, (long long)p->size, p->size == 1 ? "" : "s",
                                   (long long)(d->s->start[p->supernode + 1] - d->s->start[p->supernode]),
                                   d->s->start[p->supernode + 1] - d->s->start[p->supernode] == 1 ? "" : "s", 100 * p->inner);
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)p->size);
        if (!status && p->radius > 4.2 * (double)strlen(text))
            status = nigh_buffer_print(html, "<text class=\"label\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>", p->x, p->y + 4, text);
    }
    return status;
}

nigh_status nigh_summary_picture(nigh_context *ctx, const nigh_summary *s, nigh_buffer *html)
{
    drawing *d = nigh_alloc_zero(ctx, 1, sizeof *d);
    if (!d) return NIGH_MEMORY;
    d->s = s;
    nigh_status status = pick(ctx, d);
    if (!status) {
        measure(d);
        scatter(d);
        double ideal = 0.55 * sqrt((double)WIDTH * HEIGHT / (d->count + 1));
        for (int k = 0; k < STEPS; k++) step(d, ideal, 60.0 * (STEPS - k) / STEPS + 0.5);
        status = nigh_buffer_print(html, "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"the largest %d of %lld supernodes\">", WIDTH, HEIGHT, d->count,
                                   (long long)s->supernodes);
    }
    if (!status) status = draw_lines(d, html);
    if (!status) status = draw_discs(d, html);
    if (!status) status = nigh_buffer_print(html, "</svg>");
    nigh_free(ctx, d);
    return status;
}
