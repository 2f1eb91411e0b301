/* Chains of matrices, and boxes of small networks held against what is drawn inside them. */
#include "parts.h"

#include "nigh/blocks.h"
#include "verify/certified_training_ibp.h"

#include <math.h>
#include <string.h>

enum { MOST_CHAIN = 10 };

nigh_status chain_tightness(nigh_context *ctx, int64_t in, int64_t width, int layers, int draws, uint64_t seed, double *mean)
{
    double *w[MOST_CHAIN] = {0}, *exact = nigh_alloc(ctx, (size_t)width * sizeof *exact), *layered = nigh_alloc(ctx, (size_t)width * sizeof *layered);
    int64_t size[MOST_CHAIN + 1] = {in};
    nigh_status status = exact && layered ? NIGH_OK : NIGH_MEMORY;
    for (int l = 0; l < layers && !status; l++) {
        size[l + 1] = width;
        if (!(w[l] = nigh_alloc(ctx, (size_t)(size[l] * width) * sizeof(double)))) status = NIGH_MEMORY;
    }
    double sum = 0;
    for (int d = 0; d < draws && !status; d++) {
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)d);
        for (int l = 0; l < layers; l++) nigh_rng_fill_normal(&rng, size[l] * size[l + 1], w[l]);
        status = nigh_tightness_chain(ctx, layers, size, (const double *const *)w, exact, layered);
        for (int64_t j = 0; j < width && !status; j++) sum += exact[j] / layered[j] / (double)(width * draws);
    }
    for (int l = 0; l < layers; l++) nigh_free(ctx, w[l]);
    nigh_free(ctx, exact);
    nigh_free(ctx, layered);
    if (!status) *mean = sum;
    return status;
}

/* ---- boxes ----------------------------------------------------------------------------------------------- */

enum { IN = 6, OUT = 3, BATCH = 100 };

static nigh_node as_they_are(nigh_tape *t, nigh_node w) { return nigh_tape_scale(t, w, 1); }

typedef struct held {
    nigh_network *net;
    nigh_tape *tape;
    nigh_node parameters[16], low, high, x, outputs[1];
    nigh_box_recording boxes;
    nigh_executor *run;
} held;

static nigh_status held_new(nigh_context *ctx, uint64_t seed, bool plain, held *h)
{
    nigh_rng rng = nigh_rng_new(seed, 7);
    nigh_status status = nigh_network_new(ctx, NIGH_F64, &h->net);
    if (status) return status;
    nigh_mlp spec = {.in = IN, .out = OUT, .hidden = 1 + (int)(nigh_rng_u64(&rng) % 3), .width = 4 + (int64_t)(nigh_rng_u64(&rng) % 13), .activation = "relu", .bias_gain = 0.5};
    nigh_network_output(h->net, nigh_network_mlp(h->net, "net", nigh_network_input(h->net, "x", 2, (int64_t[]){-1, IN}), &spec));
    status = nigh_network_status(h->net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(h->net), seed);
    if (!status) status = nigh_tape_new(ctx, &h->tape);
    if (!status) status = nigh_parameters_record(nigh_network_parameters(h->net), h->tape, h->parameters);
    if (status) return status;
    h->low = nigh_tape_input(h->tape, "low", NIGH_F64, 2, (int64_t[]){1, IN});
    h->high = nigh_tape_input(h->tape, "high", NIGH_F64, 2, (int64_t[]){1, IN});
    h->x = nigh_tape_input(h->tape, "x", NIGH_F64, 2, (int64_t[]){BATCH, IN});
    h->boxes = (nigh_box_recording){.network = h->net, .tape = h->tape, .parameters = h->parameters, .low = h->low, .high = h->high, .labels = NIGH_NONE};
    status = box_record(&h->boxes, plain ? as_they_are : nigh_tape_abs);
    if (!status) status = nigh_network_record(h->net, h->tape, NULL, &h->x, h->parameters, h->outputs);
    if (!status) status = nigh_executor_new(ctx, h->tape, 3, (nigh_node[]){h->boxes.lower, h->boxes.upper, h->outputs[0]}, &h->run);
    return status ? status : nigh_parameters_bind(nigh_network_parameters(h->net), h->run, h->parameters);
}

/* Half of the points are corners, where outputs are extreme. */
static nigh_status draw_and_look(held *h, int samples, nigh_rng *rng, bool *holds)
{
    double *low = nigh_executor_data(h->run, h->low), *high = nigh_executor_data(h->run, h->high), *x = nigh_executor_data(h->run, h->x);
    if (!low || !high || !x) return NIGH_MEMORY;
    for (int i = 0; i < IN; i++) low[i] = 2 * nigh_rng_f64(rng) - 1, high[i] = low[i] + nigh_rng_f64(rng);
    for (int done = 0; done < samples; done += BATCH) {
        for (int i = 0; i < BATCH * IN; i++) {
            double share = nigh_rng_f64(rng);
            x[i] = low[i % IN] + (i / IN % 2 ? share : share > 0.5) * (high[i % IN] - low[i % IN]);
        }
        nigh_status status = nigh_executor_run(h->run);
        if (status) return status;
        const double *least = nigh_executor_data(h->run, h->boxes.lower), *most = nigh_executor_data(h->run, h->boxes.upper), *y = nigh_executor_data(h->run, h->outputs[0]);
        for (int i = 0; i < BATCH * OUT; i++) *holds &= y[i] >= least[i % OUT] - 1e-12 && y[i] <= most[i % OUT] + 1e-12;
    }
    return NIGH_OK;
}

nigh_status boxes_broken(nigh_context *ctx, int networks, int samples, uint64_t seed, bool plain, double *broken)
{
    nigh_status status = NIGH_OK;
    *broken = 0;
    for (int k = 0; k < networks && !status; k++) {
        held h = {0};
        bool holds = true;
        nigh_rng rng = nigh_rng_new(seed, 1000 + (uint64_t)k);
        status = held_new(ctx, nigh_seed_split(seed, (uint64_t)k), plain, &h);
        if (!status) status = draw_and_look(&h, samples, &rng, &holds);
        nigh_executor_free(h.run);
        nigh_tape_free(h.tape);
        nigh_network_free(h.net);
        *broken += !holds;
    }
    return status;
}

/* ---- signs ------------------------------------------------------------------------------------------------ */

nigh_status rank_one(nigh_context *ctx, uint64_t seed, double *departure, double *flipped)
{
    enum { SIZE = 12, LAYERS = 3 };
    double w[LAYERS][SIZE * SIZE], exact[SIZE], layered[SIZE];
    const double *weight[LAYERS] = {w[0], w[1], w[2]};
    int sign[LAYERS + 1][SIZE];
    int64_t size[LAYERS + 1] = {SIZE, SIZE, SIZE, SIZE};
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int l = 0; l <= LAYERS; l++)
        for (int i = 0; i < SIZE; i++) sign[l][i] = nigh_rng_f64(&rng) < 0.5 ? -1 : 1;
    for (int l = 0; l < LAYERS; l++)
        for (int i = 0; i < SIZE * SIZE; i++) w[l][i] = sign[l][i / SIZE] * sign[l + 1][i % SIZE] * (0.1 + nigh_rng_f64(&rng));
    nigh_status status = nigh_tightness_chain(ctx, LAYERS, size, weight, exact, layered);
    *departure = *flipped = 0;
    for (int j = 0; j < SIZE && !status; j++) *departure = fmax(*departure, fabs(1 - exact[j] / layered[j]));
    w[0][5 * SIZE + 3] = -w[0][5 * SIZE + 3];
    if (!status) status = nigh_tightness_chain(ctx, LAYERS, size, weight, exact, layered);
    *flipped = INFINITY;
    for (int j = 0; j < SIZE && !status; j++) *flipped = fmin(*flipped, 1 - exact[j] / layered[j]);
    return status;
}
