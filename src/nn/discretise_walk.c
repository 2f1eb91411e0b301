/* Goes through a network at the trained grid: shapes, then what each layer is. Declared in nn/discretise.h. */
#include "grad/tape.h"
#include "nn/discretise.h"

#include <stdio.h>
#include <string.h>

enum { MOST_POINTS = 1 << 16, MOST_ENDS = 64 };

static const char *const names[] = {"auto", "linear", "fourier", "points", "derivative"};

const char *nigh_resampling_name(nigh_resampling how) { return (size_t)how < sizeof names / sizeof *names ? names[how] : "unknown"; }

bool nigh_resampling_find(const char *name, nigh_resampling *how)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) return *how = (nigh_resampling)i, true;
    return false;
}

nigh_status discretise_check(nigh_context *ctx, const nigh_discretisation *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "discretisation: dims is %d; 1 or 2 is allowed", s->dims);
    for (int i = 0; i < s->dims; i++)
        if (s->trained[i] < 2 || s->trained[i] > MOST_POINTS)
            return nigh_fail(ctx, NIGH_INVALID, "discretisation: the trained grid has %lld points in dimension %d; 2 to %d are allowed", (long long)s->trained[i], i, MOST_POINTS);
    if (s->grid != NIGH_GRID_CELL && s->grid != NIGH_GRID_NODE && s->grid != NIGH_GRID_PERIODIC)
        return nigh_fail(ctx, NIGH_INVALID, "discretisation: where the points lie is not said; cell, node or periodic is needed. Points of other grids need layers with quadrature weights "
                                            "(weighted-attention)");
    if (!(s->length >= 0)) return nigh_fail(ctx, NIGH_INVALID, "discretisation: length is %g; it must be positive", s->length);
    if (s->resampling == NIGH_RESAMPLING_FOURIER && s->grid != NIGH_GRID_PERIODIC)
        return nigh_fail(ctx, NIGH_INVALID, "discretisation: Fourier resampling of a %s grid would ring at its edges; linear or points is for those", nigh_grid_name(s->grid));
    return NIGH_OK;
}

/* The shape of input i at the trained grid: fields are [N, s.., C] or [N, s..]; anything else is as declared. */
static nigh_status input_shape(walk *w, int i, nigh_shape *shape, walk_step *step)
{
    nigh_context *ctx = nigh_network_context(w->net);
    const nigh_shape *declared = nigh_network_input_shape(w->net, i);
    const char *name = nigh_network_at(w->net, nigh_network_input_layer(w->net, i))->name;
    int dims = w->spec.dims;
    *shape = *declared;
    bool field = declared->dtype != NIGH_I32 && (declared->ndim == dims + 1 || declared->ndim == dims + 2);
    if (!field) return nigh_fail(ctx, NIGH_INVALID, "input '%s' is no field: it has %d dimensions; %d or %d are those of a field of %d", name, declared->ndim, dims + 1, dims + 2, dims);
    for (int k = 0; k < declared->ndim; k++) {
        int64_t want = k == 0 ? WALK_SAMPLES : k <= dims ? w->spec.trained[k - 1] : 1;
        if (k >= 1 && k <= dims && declared->dim[k] >= 0 && declared->dim[k] != want)
            return nigh_fail(ctx, NIGH_INVALID, "input '%s' has %lld points in dimension %d; the trained grid is said to have %lld", name, (long long)declared->dim[k], k - 1, (long long)want);
        if (declared->dim[k] < 0) shape->dim[k] = want;
    }
    if (declared->dim[0] >= 0 && declared->dim[0] != WALK_SAMPLES)
        return nigh_fail(ctx, NIGH_INVALID, "input '%s' is for %lld samples only; any number must be allowed", name, (long long)declared->dim[0]);
    step->place = declared->ndim == dims + 2 ? WALK_FIELD : WALK_PLAIN;
    memcpy(step->size, w->spec.trained, sizeof step->size);
    step->scaled = !w->spec.wrapper;
    step->action = WALK_INPUT;
    step->rewrite = "kept";
    return NIGH_OK;
}

static nigh_node look(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    walk *w = user;
    w->step[layer].shape = *nigh_tape_shape(tape, value);
    return value;
}

/* The shapes of all results, by recording the network. */
static nigh_status find_shapes(walk *w, const nigh_shape *input)
{
    nigh_context *ctx = nigh_network_context(w->net);
    nigh_parameters *set = nigh_network_parameters(w->net);
    nigh_tape *tape = NULL;
    nigh_node in[MOST_ENDS], out[MOST_ENDS], *parameter = nigh_alloc(ctx, (size_t)(nigh_parameters_count(set) + 1) * sizeof *parameter);
    nigh_recording how = {.hook = look, .user = w};
    nigh_status status = parameter ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(w->net) && !status; i++) {
        in[i] = nigh_tape_input(tape, "input", input[i].dtype, input[i].ndim, input[i].dim);
        status = nigh_tape_status(tape);
    }
    if (!status) status = nigh_parameters_record(set, tape, parameter);
    if (!status) status = nigh_network_record(w->net, tape, &how, in, parameter, out);
    nigh_tape_free(tape);
    nigh_free(ctx, parameter);
    return status;
}

static nigh_status go(walk *w)
{
    nigh_shape input[MOST_ENDS];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < nigh_network_inputs(w->net) && !status; i++) status = input_shape(w, i, &input[i], &w->step[nigh_network_input_layer(w->net, i)]);
    if (!status) status = find_shapes(w, input);
    for (int i = 0; i < nigh_network_layers(w->net) && !status; i++)
        if (w->step[i].action != WALK_INPUT) walk_layer(w, i);
    return status;
}

nigh_status walk_new(nigh_network *net, const nigh_discretisation *spec, walk **out)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_arena *arena = NULL;
    nigh_status status = nigh_network_status(net);
    if (!status) status = discretise_check(ctx, spec);
    if (!status && nigh_network_inputs(net) < 1) status = nigh_fail(ctx, NIGH_INVALID, "discretisation: the network has no inputs");
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    walk *w = nigh_arena_alloc_zero(arena, 1, sizeof *w);
    if (w) *w = (walk){.net = net, .spec = *spec, .arena = arena, .least = {2, 2}};
    if (w) w->step = nigh_arena_alloc_zero(arena, (size_t)nigh_network_layers(net) + 1, sizeof *w->step);
    if (!w || !w->step) status = NIGH_MEMORY;
    else {
        if (w->spec.dims == 1) w->spec.trained[1] = 1;
        if (w->spec.resampling == NIGH_RESAMPLING_AUTO) w->spec.resampling = w->spec.grid == NIGH_GRID_PERIODIC ? NIGH_RESAMPLING_FOURIER : NIGH_RESAMPLING_POINTS;
        if (w->spec.length == 0) w->spec.length = 1;
        status = go(w);
    }
    if (status) nigh_arena_free(arena);
    else *out = w;
    return status;
}

void walk_free(walk *w)
{
    if (w) nigh_arena_free(w->arena);
}
