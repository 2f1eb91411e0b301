/* The V-cycle itself: linear for any weights, and the textbook's for the textbook's weights. */
#include "parts.h"

#include <math.h>
#include <string.h>

/* Fake: an activation behind each correction from below, as in a U-Net. */
static nigh_node bend(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    size_t length = strlen(nigh_network_at(user, layer)->name);
    bool up = length > 2 && !strcmp(nigh_network_at(user, layer)->name + length - 2, "up");
    return up ? nigh_tape_gelu(tape, value) : value;
}

typedef struct machine {
    nigh_network *net;
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node x, y;
} machine;

static void machine_free(machine *m)
{
    nigh_executor_free(m->run);
    nigh_tape_free(m->tape);
    nigh_network_free(m->net);
}

static nigh_status machine_new(nigh_context *ctx, nigh_dtype dtype, const nigh_mgno_spec *s, int64_t rows, bool bent, machine *m)
{
    *m = (machine){0};
    nigh_status status = nigh_mgno_cycle_new(ctx, dtype, s, &m->net);
    if (!status) status = nigh_tape_new(ctx, &m->tape);
    nigh_node *parameter = status ? NULL : nigh_alloc(ctx, (size_t)nigh_parameters_count(nigh_network_parameters(m->net)) * sizeof *parameter);
    if (!status && !parameter) status = NIGH_MEMORY;
    nigh_recording how = {.hook = bent ? bend : NULL, .user = m->net};
    if (!status) {
        m->x = nigh_tape_input(m->tape, "f", dtype, 4, (int64_t[]){rows, s->size[0], s->size[1], s->in});
        status = nigh_parameters_record(nigh_network_parameters(m->net), m->tape, parameter);
    }
    if (!status) status = nigh_network_record(m->net, m->tape, &how, &m->x, parameter, &m->y);
    if (!status) status = nigh_executor_new(ctx, m->tape, 1, &m->y, &m->run);
    if (!status) status = nigh_parameters_bind(nigh_network_parameters(m->net), m->run, parameter);
    nigh_free(ctx, parameter);
    if (status) machine_free(m);
    return status;
}

static nigh_status departure_of(nigh_context *ctx, const nigh_mgno_spec *s, uint64_t seed, bool bent, double *departure)
{
    machine m;
    nigh_status status = machine_new(ctx, NIGH_F32, s, 3, bent, &m);
    if (status) return status;
    int64_t in = s->size[0] * s->size[1] * s->in, out = s->size[0] * s->size[1] * s->width;
    nigh_rng rng = nigh_rng_new(seed, 2);
    float *x = nigh_executor_data(m.run, m.x);
    for (int64_t i = 0; i < 2 * in; i++) x[i] = (float)(2 * nigh_rng_f64(&rng) - 1);
    for (int64_t i = 0; i < in; i++) x[2 * in + i] = 1.5F * x[i] - 0.75F * x[in + i];
    status = nigh_parameters_draw(nigh_network_parameters(m.net), seed);
    if (!status) status = nigh_executor_run(m.run);
    const float *y = nigh_executor_data(m.run, m.y);
    double off = 0, all = 0;
    for (int64_t i = 0; i < out && !status; i++) {
        double sum = 1.5 * y[i] - 0.75 * y[out + i];
        off += (y[2 * out + i] - sum) * (y[2 * out + i] - sum), all += sum * sum;
    }
    machine_free(&m);
    if (!status) *departure = fmax(*departure, sqrt(off / all));
    return status;
}

nigh_status cycle_linearity(nigh_context *ctx, uint64_t seed, bool bent, double *departure)
{
    static const nigh_mgno_level steps[] = {{2, 1, 0}, {1, 1, 12}, {1, 2, 16}, {2, 0, 4}};
    static const nigh_mgno_spec specs[] = {
        {.dims = 2, .size = {32, 32}, .in = 8, .width = 8},
        {.dims = 2, .size = {33, 20}, .in = 3, .width = 8, .padding = NIGH_PAD_REFLECT},
        {.dims = 2, .size = {32, 16}, .in = 2, .width = 8, .padding = NIGH_PAD_CIRCULAR, .residual = true},
        {.dims = 2, .size = {31, 31}, .in = 1, .width = 8, .inside = true, .levels = 4, .level = steps, .residual = true}};
    nigh_status status = NIGH_OK;
    *departure = 0;
    for (size_t i = 0; i < sizeof specs / sizeof *specs && !status; i++) status = departure_of(ctx, &specs[i], seed + i, bent, departure);
    return status;
}

/* ---- by hand ---- */

enum { NODES = 63, ALL = NODES * NODES, GRIDS = 6, STEPS = 2 };

static void set_weight(nigh_network *net, int level, const char *part, const double *stencil, double factor)
{
    char name[64];
    snprintf(name, sizeof name, "%d.%s.weight", level, part);
    double *w = nigh_parameters_data(nigh_network_parameters(net), nigh_parameters_find(nigh_network_parameters(net), name));
    for (int i = 0; i < 9; i++) w[i] = factor * stencil[i];
}

static void set_weights(nigh_network *net)
{
    static const double laplacian[9] = {0, -1, 0, -1, 4, -1, 0, -1, 0}, centre[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0}, tent[9] = {1, 2, 1, 2, 4, 2, 1, 2, 1};
    const double damping = 0.8;
    for (int j = 0; j < GRIDS; j++) {
        double square = pow(4, j) / ((NODES + 1) * (NODES + 1));
        int steps = j + 1 < GRIDS ? 2 * STEPS : STEPS, defects = j + 1 < GRIDS ? steps + 1 : steps;
        char name[16];
        for (int i = 0; i < steps; i++) snprintf(name, sizeof name, "S%d", i), set_weight(net, j, name, centre, damping * square / 4);
        for (int i = 1; i < defects; i++) snprintf(name, sizeof name, "A%d", i), set_weight(net, j, name, laplacian, 1 / square);
        if (j + 1 < GRIDS) set_weight(net, j, "R", tent, 1.0 / 16), set_weight(net, j, "P", tent, 1.0 / 4);
    }
}

nigh_status cycle_factor(nigh_context *ctx, uint64_t seed, int cycles, bool bent, double *factor)
{
    nigh_mgno_level level[GRIDS];
    for (int j = 0; j < GRIDS; j++) level[j] = (nigh_mgno_level){.pre = STEPS, .post = j + 1 < GRIDS ? STEPS : 0};
    nigh_mgno_spec s = {.dims = 2, .size = {NODES, NODES}, .in = 1, .width = 1, .levels = GRIDS, .level = level, .inside = true, .residual = true};
    machine m;
    double *error = nigh_alloc(ctx, ALL * sizeof *error), before = 0;
    nigh_status status = error ? machine_new(ctx, NIGH_F64, &s, 1, bent, &m) : NIGH_MEMORY;
    if (status) {
        nigh_free(ctx, error);
        return status;
    }
    set_weights(m.net);
    nigh_rng rng = nigh_rng_new(seed, 3);
    for (int i = 0; i < ALL; i++) error[i] = 2 * nigh_rng_f64(&rng) - 1;
    *factor = 0;
    for (int k = 0; k < cycles && !status; k++) {
        double *f = nigh_executor_data(m.run, m.x), after = 0;
        for (int i = 0; i < ALL; i++) {
            int row = i / NODES, column = i % NODES;
            f[i] = 4 * error[i] - (row ? error[i - NODES] : 0) - (row < NODES - 1 ? error[i + NODES] : 0) - (column ? error[i - 1] : 0) - (column < NODES - 1 ? error[i + 1] : 0);
            f[i] *= (NODES + 1) * (NODES + 1);
        }
        status = nigh_executor_run(m.run);
        const double *u = nigh_executor_data(m.run, m.y);
        for (int i = 0; i < ALL; i++) error[i] -= u[i], after += error[i] * error[i];
        if (k) *factor = fmax(*factor, sqrt(after / before));
        before = after;
    }
    machine_free(&m);
    nigh_free(ctx, error);
    return status;
}
