/* Activations: which part of them is linear, and which is a unit that is 1-Lipschitz in a linear function of what went before; see lipsdp.h. */
#include <math.h>
#include <string.h>

#include "verify/lipsdp.h"
#include "core/round.h"

int64_t lip_units(const lip_node *node)
{
    if (node->form == NIGH_LIPSCHITZ_SORT) return node->size / node->group * (node->group - 1);
    if (node->form == NIGH_LIPSCHITZ_HOUSEHOLDER) return node->size / node->group;
    return node->size;
}

/* Opens a block for up to `units` units; rows are written by the caller, who closes it with their number. */
static double *open_block(lip_system *s) { return s->a + (s->start[s->blocks] - s->inputs) * s->width; }

static void close_block(lip_system *s, int64_t units, const double *error)
{
    memcpy(s->a_error + s->blocks * s->room, error, (size_t)s->blocks * sizeof *error);
    s->start[s->blocks + 1] = s->start[s->blocks] + units;
    s->blocks++;
}

static void add_row(int64_t n, double factor, const double *from, double *to)
{
    for (int64_t j = 0; j < n; j++) to[j] += factor * from[j];
}

/* ---- slopes --------------------------------------------------------------------------------------------- */

/* phi = middle x + half u with |du| <= |dx|; elements with the same (or the opposite) argument as an earlier one of an even form take its unit. */
static nigh_status slopes(lip_system *s, const lip_node *node, const lip_value *in, int64_t *unit_of, lip_value *out)
{
    double middle = 0.5 * node->low + 0.5 * node->high, half = round_up(fmax(node->high - middle, middle - node->low));
    if (node->low == -node->high || (node->low == 0 && node->high == 1)) half = node->high - middle; /* exact */
    int64_t first = s->start[s->blocks], used = first, units = 0;
    double *a = open_block(s);
    for (int64_t i = 0; i < node->size; i++) {
        int64_t column = node->share && node->share[i] ? unit_of[node->share[i] - 1] - 1 : -1;
        if (column < 0) {
            memcpy(a + units * s->width, in->e + i * s->width, (size_t)used * sizeof *a);
            column = first + units++;
            s->variable[column] = s->multipliers++;
        }
        unit_of[node->first + i] = column + 1;
        add_row(used, middle, in->e + i * s->width, out->e + i * s->width);
        out->e[i * s->width + column] += half;
    }
    for (int l = 0; l < s->blocks; l++) out->error[l] = 1.001 * (fabs(middle) * (in->error[l] + 2 * ROUND_UNIT * lip_columns(s, in, l)));
    close_block(s, units, in->error);
    /* A shared unit's column can have got two coefficients that were rounded. */
    for (int l = 0; node->share && l < s->blocks; l++) out->error[l] += 4 * ROUND_UNIT * lip_columns(s, out, l);
    double most = fmax(fabs(node->low), fabs(node->high));
    for (int k = 0; k < 2; k++) out->naive[k] = round_up(most * in->naive[k]);
    return NIGH_OK;
}

/* ---- sorted groups -------------------------------------------------------------------------------------- */

/* Row j of the orthonormal basis of what is orthogonal to (1, .., 1): j ones, -j, zeros, over sqrt(j (j + 1)), j = 1 .. group - 1 (Helmert's). */
static double helmert(int64_t j, int64_t i) { return (i < j ? 1.0 : i == j ? -(double)j : 0.0) / sqrt((double)(j * (j + 1))); }

static nigh_status sorted(lip_system *s, const lip_node *node, const lip_value *in, lip_value *out)
{
    const int64_t g = node->group, used = s->start[s->blocks], units = node->size / g * (g - 1);
    double *a = open_block(s);
    for (int64_t i = 0; i < node->size; i++) {
        int64_t group = i / g, place = i % g;
        for (int64_t k = 0; k < g; k++) add_row(used, 1 / (double)g, in->e + i * s->width, out->e + (group * g + k) * s->width);
        for (int64_t j = place > 0 ? place : 1; j < g; j++) {
            int64_t unit = group * (g - 1) + j - 1;
            add_row(used, helmert(j, place), in->e + i * s->width, a + unit * s->width);
            out->e[i * s->width + used + unit] = helmert(j, place);
            s->variable[used + unit] = s->multipliers + group;
        }
    }
    s->multipliers += node->size / g;
    /* Both maps have norm 1; their coefficients are within 4 roundings, and add g terms. */
    double off = 1.001 * round_gamma((double)g + 8, ROUND_UNIT) * sqrt((double)g), moved[64], *error = s->room <= 64 ? moved : nigh_arena_alloc(s->arena, (size_t)s->room * sizeof *error);
    if (!error) return NIGH_MEMORY;
    for (int l = 0; l < s->blocks; l++) error[l] = out->error[l] = 1.001 * (in->error[l] + off * lip_columns(s, in, l));
    close_block(s, units, error);
    out->error[s->blocks - 1] = off;
    out->naive[0] = in->naive[0], out->naive[1] = in->naive[1];
    return NIGH_OK;
}

/* ---- Householder ---------------------------------------------------------------------------------------- */

/* At least the infinity-norm of I - 2 v v^T / |v|^2 of any group. */
static double reflection_norm(const lip_node *node)
{
    double most = 1;
    for (int64_t from = 0; from < node->size; from += node->group) {
        double square = 0, sum = 0;
        for (int64_t i = 0; i < node->group; i++) square += node->vector[from + i] * node->vector[from + i], sum += fabs(node->vector[from + i]);
        for (int64_t i = 0; i < node->group; i++) {
            double v = fabs(node->vector[from + i]);
            most = fmax(most, fabs(1 - 2 * v * v / square) + 2 * v * (sum - v) / square);
        }
    }
    return most * (1 + round_gamma(4 * (double)node->group + 16, ROUND_UNIT));
}

/* phi = x - v (v . x) + v u with |du| <= |v . dx|, v of length 1. */
static nigh_status householder(lip_system *s, const lip_node *node, const lip_value *in, lip_value *out)
{
    const int64_t g = node->group, used = s->start[s->blocks], units = node->size / g;
    double *a = open_block(s);
    for (int64_t group = 0; group < units; group++) {
        const double *v = node->vector + group * g;
        double square = 0, *row = a + group * s->width;
        for (int64_t i = 0; i < g; i++) square += v[i] * v[i];
        double length = sqrt(square);
        for (int64_t i = 0; i < g; i++) add_row(used, v[i] / length, in->e + (group * g + i) * s->width, row);
        for (int64_t i = 0; i < g; i++) {
            double *to = out->e + (group * g + i) * s->width;
            memcpy(to, in->e + (group * g + i) * s->width, (size_t)used * sizeof *to);
            add_row(used, -v[i] / length, row, to);
            to[used + group] = v[i] / length;
        }
        s->variable[used + group] = s->multipliers++;
    }
    double off = 1.001 * round_gamma(4 * (double)g + 24, ROUND_UNIT) * sqrt((double)g), moved[64], *error = s->room <= 64 ? moved : nigh_arena_alloc(s->arena, (size_t)s->room * sizeof *error);
    if (!error) return NIGH_MEMORY;
    for (int l = 0; l < s->blocks; l++) error[l] = out->error[l] = 1.001 * (in->error[l] + off * lip_columns(s, in, l));
    close_block(s, units, error);
    out->error[s->blocks - 1] = off;
    out->naive[0] = in->naive[0], out->naive[1] = round_up(reflection_norm(node) * in->naive[1]);
    return NIGH_OK;
}

nigh_status lip_activation(lip_system *s, const lip_node *node, const lip_value *in, int64_t *unit_of, lip_value *out)
{
    nigh_status status = lip_value_new(s, node->size, out);
    if (status) return status;
    if (node->form == NIGH_LIPSCHITZ_SORT) return sorted(s, node, in, out);
    if (node->form == NIGH_LIPSCHITZ_HOUSEHOLDER) return householder(s, node, in, out);
    return slopes(s, node, in, unit_of, out);
}
