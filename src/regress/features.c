/* Random features: law, draw, values; see features.h. */
#include "regress/features.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

enum { TILE = 32, CHUNK = 256, BOX_DIMENSIONS = 3 };

const char features_choices[] = "sigmoid,tanh,gaussian,cos,relu";

const char *features_name(map_activation activation)
{
    static const char *const names[MAP_ACTIVATIONS] = {"sigmoid", "tanh", "gaussian", "cos", "relu"};
    return names[activation];
}

double features_radius(int64_t n, int64_t d, const double *z)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t k = 0; k < d; k++) square += z[i * d + k] * z[i * d + k];
        most = fmax(most, square);
    }
    return sqrt(most);
}

/* Transforms: pi / sinh(pi w) of the sigmoid, that of tanh(t) = 2 sigmoid(2 t) - 1 at w / 2, exp(-w^2 / 2), a point at 1. */
double features_bandwidth(map_activation activation, double tail)
{
    double down = -log(fmin(tail, 0.5));
    switch (activation) {
    case MAP_SIGMOID: return down / M_PI;
    case MAP_TANH: return 2 * down / M_PI;
    case MAP_BELL: return sqrt(2 * down);
    case MAP_COSINE: return 1;
    default: return INFINITY;
    }
}

void features_draw(const features_law *law, int64_t n, const double *z, map_model *model)
{
    int64_t d = model->d, wide = map_padded(model->count);
    nigh_rng rng = nigh_rng_new(law->seed, 0);
    for (int64_t j = 0; j < model->count; j++) {
        double reach = 0;
        const double *at = z + (int64_t)nigh_rng_below(&rng, (uint64_t)n) * d;
        for (int64_t k = 0; k < d; k++) {
            double a = law->lambda * (2 * nigh_rng_f64(&rng) - 1);
            model->points[k * wide + j] = a;
            reach += a * at[k];
        }
        double u = nigh_rng_f64(&rng);
        if (law->activation == MAP_COSINE)
            model->start[j] = -2 * M_PI * u;
        else
            model->start[j] = d <= BOX_DIMENSIONS ? -law->lambda * law->radius * (2 * u - 1) : -reach;
    }
}

nigh_status features_values(nigh_context *ctx, const map_model *model, int64_t n, const double *z, double *values)
{
    int64_t count = model->count, wide = map_padded(count), d = model->r;
    double *block = nigh_alloc(ctx, (size_t)(TILE * CHUNK) * sizeof *block);
    nigh_status status = block ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < n; i += TILE) {
        int64_t rows = n - i < TILE ? n - i : TILE;
        for (int64_t j = 0; j < wide; j += CHUNK) {
            int64_t part = wide - j < CHUNK ? wide - j : CHUNK, real = count - j < part ? count - j : part;
            map_model_hidden(model, rows, z + i * d, d, j, part, block);
            for (int64_t k = 0; k < rows; k++) memcpy(values + (i + k) * count + j, block + k * part, (size_t)real * sizeof *values);
        }
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, block);
    return status;
}
