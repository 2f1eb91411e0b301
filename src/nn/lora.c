/* Low-rank updates of frozen matrices. Declared in nigh/train.h. */
#include "nigh/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int part_of(nigh_parameters *set, const char *name, const char *part)
{
    char text[512];
    int size = snprintf(text, sizeof text, "%s.%s", name, part);
    return size < 0 || size >= (int)sizeof text ? -1 : nigh_parameters_find(set, text);
}

static double get(nigh_parameters *set, int index, int64_t i)
{
    nigh_array array = {.shape = nigh_parameters_at(set, index)->shape, .data = nigh_parameters_data(set, index)};
    return nigh_array_get(&array, i);
}

static void put(nigh_parameters *set, int index, int64_t i, double value)
{
    nigh_array array = {.shape = nigh_parameters_at(set, index)->shape, .data = nigh_parameters_data(set, index)};
    nigh_array_set(&array, i, value);
}

nigh_status nigh_lora_add(nigh_context *ctx, nigh_parameters *set, const char *name, int64_t rank, uint64_t seed)
{
    int index = nigh_parameters_find(set, name), a = -1, b = -1;
    if (index < 0) return nigh_fail(ctx, NIGH_INVALID, "there is no parameter '%s'", name);
    const nigh_shape shape = nigh_parameters_at(set, index)->shape;
    if (shape.ndim != 2) return nigh_fail(ctx, NIGH_INVALID, "parameter '%s' has %d dimensions; a low-rank update needs a matrix", name, shape.ndim);
    int64_t in = shape.dim[0], out = shape.dim[1];
    if (rank < 1 || rank > (in < out ? in : out))
        return nigh_fail(ctx, NIGH_INVALID, "rank is %lld; 1 to %lld is allowed for '%s'", (long long)rank, (long long)(in < out ? in : out), name);
    if (strlen(name) > 480) return nigh_fail(ctx, NIGH_INVALID, "the name of the parameter has %zu bytes; at most 480 are allowed", strlen(name));
    char text[512];
    snprintf(text, sizeof text, "%s.lora_a", name);
    nigh_status status = nigh_parameters_add(set, text, 2, (int64_t[]){in, rank}, (nigh_init){NIGH_INIT_NORMAL, 1 / sqrt((double)in)}, &a);
    if (status) return status;
    snprintf(text, sizeof text, "%s.lora_b", name);
    status = nigh_parameters_add(set, text, 2, (int64_t[]){rank, out}, (nigh_init){NIGH_INIT_ZERO, 0}, &b);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)a);
    for (int64_t i = 0; i < in * rank; i++) put(set, a, i, nigh_rng_normal(&rng) / sqrt((double)in));
    nigh_parameters_at(set, index)->frozen = true;
    return NIGH_OK;
}

nigh_status nigh_lora_record(nigh_parameters *set, nigh_tape *tape, nigh_node *nodes)
{
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const char *name = nigh_parameters_at(set, i)->name;
        int a = part_of(set, name, "lora_a"), b = part_of(set, name, "lora_b");
        if (a >= 0 && b >= 0) nodes[i] = nigh_tape_add(tape, nodes[i], nigh_tape_matmul(tape, nodes[a], nodes[b], 0));
    }
    return nigh_tape_status(tape);
}

void nigh_lora_merge(nigh_parameters *set)
{
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        int a = part_of(set, p->name, "lora_a"), b = part_of(set, p->name, "lora_b");
        if (a < 0 || b < 0) continue;
        int64_t in = p->shape.dim[0], out = p->shape.dim[1], rank = nigh_parameters_at(set, a)->shape.dim[1];
        for (int64_t r = 0; r < in; r++)
            for (int64_t c = 0; c < out; c++) {
                double sum = get(set, i, r * out + c);
                for (int64_t k = 0; k < rank; k++) sum += get(set, a, r * rank + k) * get(set, b, k * out + c);
                put(set, i, r * out + c, sum);
            }
        memset(nigh_parameters_data(set, b), 0, (size_t)(rank * out) * nigh_dtype_size(nigh_parameters_dtype(set)));
    }
}
