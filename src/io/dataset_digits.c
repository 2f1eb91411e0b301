/*
 * Digits drawn by a pen: each is some polylines through control points in the unit square (y downwards), bent at random, mapped by a random
 * affine map and inked by the distance of a pixel's centre to the nearest piece. Declared in nigh/dataset.h.
 */
#include "nigh/dataset.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

enum { POINTS = 24, FORMS = 13 };

/* A point with x < 0 lifts the pen. */
typedef struct form {
    int digit, count;
    float at[POINTS][2];
} form;

static const form forms[FORMS] = {
    {0, 13, {{.5f, .1f}, {.66f, .15f}, {.77f, .3f}, {.8f, .5f}, {.77f, .7f}, {.66f, .85f}, {.5f, .9f}, {.34f, .85f}, {.23f, .7f}, {.2f, .5f}, {.23f, .3f}, {.34f, .15f}, {.5f, .1f}}},
    {1, 3, {{.36f, .26f}, {.54f, .1f}, {.54f, .9f}}},
    {1, 2, {{.52f, .1f}, {.5f, .9f}}},
    {2, 10, {{.23f, .3f}, {.28f, .17f}, {.42f, .1f}, {.6f, .11f}, {.73f, .2f}, {.74f, .35f}, {.64f, .52f}, {.45f, .7f}, {.22f, .89f}, {.8f, .89f}}},
    {3, 14, {{.24f, .18f}, {.4f, .1f}, {.6f, .11f}, {.72f, .22f}, {.7f, .37f}, {.56f, .47f}, {.42f, .48f}, {.6f, .51f}, {.74f, .62f}, {.76f, .75f}, {.66f, .86f}, {.48f, .91f}, {.32f, .88f}, {.22f, .79f}}},
    {4, 4, {{.62f, .9f}, {.62f, .1f}, {.19f, .62f}, {.83f, .62f}}},
    {4, 6, {{.28f, .12f}, {.24f, .52f}, {.8f, .52f}, {-1, 0}, {.66f, .12f}, {.64f, .9f}}},
    {5, 11, {{.74f, .1f}, {.33f, .1f}, {.28f, .45f}, {.42f, .39f}, {.58f, .4f}, {.72f, .49f}, {.77f, .63f}, {.71f, .79f}, {.56f, .89f}, {.38f, .89f}, {.23f, .81f}}},
    {6, 13, {{.66f, .1f}, {.47f, .2f}, {.32f, .38f}, {.25f, .6f}, {.29f, .79f}, {.42f, .9f}, {.59f, .89f}, {.72f, .78f}, {.74f, .64f}, {.65f, .52f}, {.5f, .48f}, {.36f, .53f}, {.27f, .66f}}},
    {7, 3, {{.2f, .11f}, {.79f, .11f}, {.42f, .9f}}},
    {7, 6, {{.2f, .13f}, {.78f, .11f}, {.43f, .9f}, {-1, 0}, {.35f, .5f}, {.73f, .5f}}},
    {8, 17, {{.5f, .47f}, {.34f, .39f}, {.28f, .27f}, {.35f, .14f}, {.5f, .1f}, {.65f, .14f}, {.72f, .27f}, {.66f, .39f}, {.5f, .47f}, {.31f, .57f}, {.24f, .71f}, {.32f, .85f}, {.5f, .9f}, {.68f, .85f}, {.76f, .71f}, {.69f, .57f}, {.5f, .47f}}},
    {9, 13, {{.73f, .36f}, {.64f, .48f}, {.5f, .52f}, {.35f, .47f}, {.27f, .35f}, {.3f, .2f}, {.43f, .11f}, {.58f, .11f}, {.7f, .2f}, {.73f, .36f}, {.72f, .58f}, {.65f, .76f}, {.5f, .9f}}},
};

typedef struct pen {
    int count;
    double at[POINTS][2]; /* in pixels; x NaN lifts the pen */
    double radius;
} pen;

static const form *choose_form(nigh_rng *rng, int digit)
{
    const form *found[2] = {NULL, NULL};
    int count = 0;
    for (int i = 0; i < FORMS; i++)
        if (forms[i].digit == digit) found[count++] = &forms[i];
    return found[nigh_rng_below(rng, (uint64_t)count)];
}

/* Affine map around the middle: rotation, shear, two scales, shift. */
static pen make_pen(nigh_rng *rng, int digit, int side, double distortion)
{
    const form *f = choose_form(rng, digit);
    pen p = {.count = f->count};
    double turn = 0.12 * distortion * nigh_rng_normal(rng), shear = 0.12 * distortion * nigh_rng_normal(rng);
    double wide = exp(0.1 * distortion * nigh_rng_normal(rng)), high = exp(0.1 * distortion * nigh_rng_normal(rng));
    double right = 0.04 * distortion * nigh_rng_normal(rng), down = 0.04 * distortion * nigh_rng_normal(rng);
    double c = cos(turn), s = sin(turn);
    p.radius = 0.5 * side * (0.07 + 0.05 * nigh_rng_f64(rng));
    for (int i = 0; i < f->count; i++) {
        double x = (double)f->at[i][0] - 0.5 + 0.02 * distortion * nigh_rng_normal(rng);
        double y = (double)f->at[i][1] - 0.5 + 0.02 * distortion * nigh_rng_normal(rng);
        x = wide * (x + shear * y);
        y = high * y;
        p.at[i][0] = f->at[i][0] < 0 ? (double)NAN : side * (0.5 + 0.9 * (c * x - s * y) + right);
        p.at[i][1] = side * (0.5 + 0.9 * (s * x + c * y) + down);
    }
    return p;
}

static double distance_squared(const double a[2], const double b[2], double x, double y)
{
    double dx = b[0] - a[0], dy = b[1] - a[1], length = dx * dx + dy * dy;
    double t = length > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / length : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    double ox = x - a[0] - t * dx, oy = y - a[1] - t * dy;
    return ox * ox + oy * oy;
}

static void draw(nigh_rng *rng, const pen *p, int side, double noise, float *out)
{
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            double nearest = INFINITY;
            for (int i = 1; i < p->count; i++) {
                if (isnan(p->at[i][0]) || isnan(p->at[i - 1][0])) continue;
                double d = distance_squared(p->at[i - 1], p->at[i], column + 0.5, row + 0.5);
                if (d < nearest) nearest = d;
            }
            double ink = p->radius + 0.5 - sqrt(nearest); /* the share of the pixel under the pen's straight edge */
            ink = ink < 0 ? 0 : ink > 1 ? 1 : ink;
            if (noise > 0) ink += noise * nigh_rng_normal(rng);
            out[row * side + column] = (float)(ink < 0 ? 0 : ink > 1 ? 1 : ink);
        }
}

static nigh_status name_classes(nigh_context *ctx, nigh_dataset *set)
{
    set->name = nigh_strdup(ctx, "drawn digits");
    set->class_names = nigh_alloc_zero(ctx, 10, sizeof *set->class_names);
    if (!set->name || !set->class_names) return NIGH_MEMORY;
    set->classes = 10;
    for (int i = 0; i < 10; i++)
        if (!(set->class_names[i] = nigh_format(ctx, "%d", i))) return NIGH_MEMORY;
    return NIGH_OK;
}

nigh_status nigh_digits_draw(nigh_context *ctx, uint64_t seed, int64_t n, const nigh_digits_options *options, nigh_dataset *out)
{
    nigh_digits_options o = options ? *options : (nigh_digits_options){28, 1, 0.1};
    if (o.side == 0) o.side = 28;
    if (o.side < 8 || o.side > 64) return nigh_fail(ctx, NIGH_INVALID, "side is %d; 8 to 64 pixels are allowed", o.side);
    if (!(o.distortion >= 0) || o.distortion > 4) return nigh_fail(ctx, NIGH_INVALID, "distortion is %g; 0 to 4 is allowed", o.distortion);
    if (!(o.noise >= 0) || o.noise > 2) return nigh_fail(ctx, NIGH_INVALID, "noise is %g; 0 to 2 is allowed", o.noise);
    if (n < 0) return nigh_fail(ctx, NIGH_INVALID, "n is %lld; 0 or more images can be drawn", (long long)n);
    nigh_dataset set = {.ctx = ctx};
    nigh_status status = nigh_array_new(ctx, &(nigh_shape){NIGH_F32, 4, {n, o.side, o.side, 1}}, &set.x);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_I32, 1, {n}}, &set.y);
    if (!status) status = name_classes(ctx, &set);
    for (int64_t i = 0; i < n && !status; i++) {
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)i);
        if (i % 256 == 0) status = nigh_poll(ctx);
        pen p = make_pen(&rng, (int)(i % 10), o.side, o.distortion);
        draw(&rng, &p, o.side, o.noise, (float *)set.x.data + i * o.side * o.side);
        ((int32_t *)set.y.data)[i] = (int32_t)(i % 10);
    }
    if (status)
        nigh_dataset_free(&set);
    else
        *out = set;
    return status;
}
