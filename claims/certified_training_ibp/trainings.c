/* Trainings on images of digits, by one harness for all methods. */
#include "parts.h"

#include "nigh/layers.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- images -------------------------------------------------------------------------------------------------- */

void certified_images_free(images *it)
{
    nigh_dataset_free(&it->train);
    nigh_dataset_free(&it->test);
}

nigh_status certified_images(claim_run *run, int64_t fit, int64_t tests, images *out)
{
    const char *folder = getenv("NIGH_DATA");
    bool real = !run->quick && folder && *folder;
    nigh_dataset all = {.ctx = run->ctx};
    nigh_split split = {0};
    images it = {.name = real ? "MNIST test images" : "drawn digits", .side = real ? 28 : 12, .train = {.ctx = run->ctx}, .test = {.ctx = run->ctx}};
    nigh_digits_options drawn = {.side = (int)it.side, .distortion = 0.4, .noise = 0.02};
    nigh_status status = real ? nigh_dataset_load(run->ctx, "mnist", &all) : nigh_digits_draw(run->ctx, 11, fit + tests, &drawn, &all);
    if (!status) status = nigh_dataset_split(run->ctx, &all, &(nigh_split_options){.train = fit, .test = tests, .seed = 7}, &split);
    if (!status) status = nigh_dataset_take(run->ctx, &all, split.train, split.train_count, &it.train);
    if (!status) status = nigh_dataset_take(run->ctx, &all, split.test, split.test_count, &it.test);
    int32_t *label = status ? NULL : it.train.y.data;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 50);
    for (int64_t i = 0; label && i < split.train_count && claim_sabotaged(run, "random-labels"); i++) label[i] = (int32_t)(nigh_rng_u64(&rng) % 10);
    nigh_split_free(run->ctx, &split);
    nigh_dataset_free(&all);
    if (status) certified_images_free(&it);
    else *out = it;
    return status;
}

/* ---- networks ------------------------------------------------------------------------------------------------ */

static nigh_status build(nigh_context *ctx, const training *t, nigh_network **out)
{
    nigh_network *net = NULL;
    char name[24];
    int64_t side = t->data->side, in = side * side;
    nigh_convolution how = {.stride = {2, 2}, .low = {1, 1}, .high = {1, 1}};
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
    if (status) return status;
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, side, side, 1});
    for (int i = 0; i < 2 && t->conv; i++) {
        snprintf(name, sizeof name, "conv%d", i);
        x = nigh_network_conv(net, name, x, i ? t->conv : 1, t->conv << i, 2, (int64_t[]){3, 3}, &how, true);
        snprintf(name, sizeof name, "field%d", i);
        x = nigh_network_layer(net, "relu", name, 1, &x);
        side = (side + 1) / 2;
        in = side * side * (t->conv << i);
    }
    x = nigh_network_layer(net, "flatten", "flat", 1, &x);
    for (int i = 0; i < t->hidden; i++) {
        snprintf(name, sizeof name, "hidden%d", i);
        x = nigh_network_linear(net, name, x, in, t->width, true);
        snprintf(name, sizeof name, "relu%d", i);
        x = nigh_network_layer(net, "relu", name, 1, &x);
        in = t->width;
    }
    nigh_network_output(net, nigh_network_linear(net, "out", x, in, 10, true));
    status = nigh_network_status(net);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

/* ---- one training ---------------------------------------------------------------------------------------------- */

static nigh_status tightness_now(nigh_context *ctx, nigh_network *net, const training *t, double *mean)
{
    double tau[128];
    nigh_array x = t->data->test.x, y = t->data->test.y;
    if (x.shape.dim[0] > 128) x.shape.dim[0] = y.shape.dim[0] = 128;
    nigh_status status = nigh_tightness(ctx, net, &x, &y, &(nigh_tightness_options){.radius = t->test_radius, .high = 1}, tau, NULL, NULL);
    if (!status) *mean = nigh_mean(x.shape.dim[0], tau);
    return status;
}

static nigh_status measure(nigh_context *ctx, nigh_network *net, training *t, bool whole, double radius, nigh_certified_figures *f)
{
    nigh_array x = t->data->test.x, y = t->data->test.y;
    if (x.shape.dim[0] > t->samples) x.shape.dim[0] = y.shape.dim[0] = t->samples;
    nigh_certified_measuring how = {.radius = radius, .high = 1, .attack_steps = whole ? -1 : 20, .intervals_only = whole, .tightness = !whole, .whole = whole, .seed = t->seed};
    return nigh_certified_measure(ctx, net, &x, &y, &how, f);
}

/* Ways of getting it wrong. */
static nigh_status spoil(claim_run *run, nigh_context *ctx, nigh_network *net, training *t)
{
    nigh_certified_figures f;
    if (claim_sabotaged(run, "constants"))
        t->figures = (nigh_certified_figures){.samples = t->samples, .standard = 0.95, .attacked = 0.9, .intervals = 0.85, .certified = 0.85, .tightness = 0.9}, t->loose = 0.8, t->initial = 0.01;
    if (claim_sabotaged(run, "elision-left-out")) t->figures.intervals = t->loose;
    if (!claim_sabotaged(run, "smaller-box")) return NIGH_OK;
    nigh_status status = measure(ctx, net, t, false, 0.25 * t->test_radius, &f);
    t->figures.intervals = f.intervals, t->figures.certified = f.certified;
    return status;
}

typedef struct share {
    claim_run *run;
    training *all;
} share;

static nigh_status train(nigh_context *ctx, int index, void *user)
{
    share *s = user;
    training *t = &s->all[index];
    nigh_certified_options o = nigh_certified_defaults(t->method);
    nigh_network *net = NULL;
    nigh_certified *it = NULL;
    nigh_certified_figures loose;
    if (t->seconds > 0) return NIGH_OK; /* remembered */
    o.radius = t->radius, o.epochs = t->epochs, o.batch = 64, o.seed = t->seed;
    double start = nigh_clock();
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = build(ctx, t, &net);
    if (!status) status = nigh_certified_new(ctx, net, &t->data->train.x, &t->data->train.y, &o, &it);
    if (!status) status = tightness_now(ctx, net, t, &t->initial);
    if (!status) status = nigh_certified_run(it);
    t->seconds = nigh_clock() - start;
    if (!status) status = measure(ctx, net, t, false, t->test_radius, &t->figures);
    if (!status) status = measure(ctx, net, t, true, t->test_radius, &loose);
    if (!status) t->loose = loose.intervals, status = spoil(s->run, ctx, net, t);
    nigh_certified_free(it);
    nigh_network_free(net);
    return status;
}

enum { KEPT = 9 };

nigh_status certified_run(claim_run *run, const char *key, int count, training *all)
{
    nigh_status status = NIGH_OK;
    char name[64];
    int threads = nigh_context_threads(run->ctx);
    for (int first = 0; first < count && !status; first += threads) {
        int some = count - first < threads ? count - first : threads;
        status = claim_progress(run, key, first, count);
        for (int i = first; i < first + some && !status; i++) {
            double v[KEPT];
            training *t = &all[i];
            snprintf(name, sizeof name, "%s-%d", key, i);
            if (!claim_recall(run, name, KEPT, v)) continue;
            t->figures = (nigh_certified_figures){.samples = t->samples, .standard = v[0], .attacked = v[1], .intervals = v[2], .certified = v[3], .tightness = v[4], .contradictions = (int64_t)v[5]};
            t->initial = v[6], t->seconds = v[7], t->loose = v[8];
        }
        share s = {run, all + first};
        if (!status) status = claim_tasks(run, some, train, &s);
        for (int i = first; i < first + some && !status; i++) {
            const nigh_certified_figures *f = &all[i].figures;
            snprintf(name, sizeof name, "%s-%d", key, i);
            status = claim_keep(run, name, KEPT, (double[]){f->standard, f->attacked, f->intervals, f->certified, f->tightness, (double)f->contradictions, all[i].initial, all[i].seconds, all[i].loose});
        }
    }
    return status;
}
