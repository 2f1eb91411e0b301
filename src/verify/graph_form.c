/* Forms: affine expressions in results of nodes. Declared in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <string.h>

bool form_new(lowering *l, int64_t count, int64_t entries, bool rows, graph_form *form)
{
    *form = (graph_form){.count = count, .plain = -1};
    if (rows) form->row = lower_alloc(l, count + 1, sizeof *form->row);
    form->node = lower_alloc(l, entries, sizeof *form->node);
    form->index = lower_alloc(l, entries, sizeof *form->index);
    form->coefficient = lower_alloc(l, entries, sizeof *form->coefficient);
    form->shift = lower_alloc(l, 3 * count, sizeof *form->shift);
    if (l->status) return false;
    form->error = form->shift + count;
    form->size = form->error + count;
    for (int64_t i = 0; i < entries; i++) form->node[i] = -1;
    return true;
}

void form_plain(const lowering *l, int node, graph_form *form) { *form = (graph_form){.count = l->build.graph->node[node].size, .plain = node}; }

bool form_weights(lowering *l, int i, graph_form *to)
{
    const double *w = lower_parameter(l, i);
    int64_t n = w ? lower_parameter_count(l, i) : 0;
    if (!w || !form_new(l, n, n, false, to)) return false;
    for (int64_t k = 0; k < n; k++) to->shift[k] = w[k], to->size[k] = fabs(w[k]);
    return true;
}

bool form_constant(const graph_form *form)
{
    if (form->plain >= 0) return false;
    for (int64_t e = form_first(form, 0); e < form_end(form, form->count - 1); e++)
        if (form->node[e] >= 0) return false;
    return true;
}

bool form_open(lowering *l, const graph_form *from, graph_form *to)
{
    if (from->plain < 0) {
        *to = *from;
        return true;
    }
    if (!form_new(l, from->count, from->count, false, to)) return false;
    for (int64_t i = 0; i < from->count; i++) {
        to->node[i] = from->plain;
        to->index[i] = (int32_t)i;
        to->coefficient[i] = 1;
    }
    return true;
}

/* A form that is a node as it is becomes plain. */
static void settle(const lowering *l, graph_form *f)
{
    if (f->plain >= 0 || f->row || f->count == 0 || f->node[0] < 0 || l->build.graph->node[f->node[0]].size != f->count) return;
    for (int64_t i = 0; i < f->count; i++)
        if (f->node[i] != f->node[0] || f->index[i] != i || f->coefficient[i] != 1 || f->shift[i] != 0 || f->error[i] != 0) return;
    form_plain(l, f->node[0], f);
}

bool form_gather(lowering *l, const graph_form *from, int64_t count, const int64_t *map, double fill, graph_form *to)
{
    graph_form in;
    int64_t entries = 0;
    if (!form_open(l, from, &in)) return false;
    for (int64_t i = 0; i < count; i++) entries += map[i] < 0 ? 0 : form_end(&in, map[i]) - form_first(&in, map[i]);
    if (!form_new(l, count, in.row ? entries : count, in.row != NULL, to)) return false;
    to->slack = in.slack;
    to->roundings = in.roundings;
    for (int64_t i = 0, at = 0; i < count; i++) {
        int64_t s = map[i], first = s < 0 ? 0 : form_first(&in, s), n = s < 0 ? 0 : form_end(&in, s) - first;
        if (in.row) to->row[i] = at;
        else at = i;
        for (int64_t e = 0; e < n; e++, at++) {
            to->node[at] = in.node[first + e];
            to->index[at] = in.index[first + e];
            to->coefficient[at] = in.coefficient[first + e];
        }
        to->shift[i] = s < 0 ? fill : in.shift[s];
        to->error[i] = s < 0 ? 0 : in.error[s];
        to->size[i] = s < 0 ? fabs(fill) : in.size[s];
        if (in.row) to->row[i + 1] = at;
    }
    settle(l, to);
    return true;
}

double form_product_error(double a, double b, double p) { return fabs(fma(a, b, -p)) + (p != 0 && fabs(p) > 0x1p-900 ? 0 : a != 0 && b != 0 ? 0x1p-1000 : 0); }

double form_product(lowering *l, double a, double b, bool *inexact)
{
    double p = a * b;
    if (a != 0 && b != 0 && !(fabs(p) > 0x1p-900 && isfinite(p))) lower_fail(l, NIGH_UNSUPPORTED, "a product of the factors %g and %g", a, b);
    *inexact = *inexact || form_product_error(a, b, p) != 0;
    return p;
}

double form_sum_error(double a, double b, double s)
{
    double c = s - a;
    return fabs((a - (s - c)) + (b - c));
}

/* Bounds on relative errors as multiples of 2^-53; -1: not one. */
static int slack_of(double value, double error)
{
    if (error == 0) return 0;
    double n = error / fabs(value) * 0x1p53 * (1 + 1e-9);
    return n < 1e6 ? (int)ceil(n) : -1;
}

bool form_affine(lowering *l, const graph_form *from, const double *scale, const double *scale_error, const double *shift, const double *shift_error, int roundings, graph_form *to)
{
    graph_form in;
    int64_t entries = from->plain >= 0 || !from->row ? from->count : from->row[from->count];
    int slack = 0;
    bool inexact = false;
    if (!form_open(l, from, &in) || !form_new(l, in.count, entries, in.row != NULL, to)) return false;
    if (in.row) memcpy(to->row, in.row, (size_t)(in.count + 1) * sizeof *in.row);
    memcpy(to->node, in.node, (size_t)entries * sizeof *in.node);
    memcpy(to->index, in.index, (size_t)entries * sizeof *in.index);
    for (int64_t i = 0; i < in.count; i++) {
        double s = scale ? scale[i] : 1, se = scale_error ? scale_error[i] : 0, t = shift ? shift[i] : 0, te = shift_error ? shift_error[i] : 0;
        int more = slack_of(s, se);
        if (more < 0) return lower_fail(l, NIGH_UNSUPPORTED, "a factor of %g is known to +-%g only", s, se), false;
        slack = more > slack ? more : slack;
        for (int64_t e = form_first(&in, i); e < form_end(&in, i); e++) {
            to->coefficient[e] = form_product(l, in.coefficient[e], s, &inexact);
        }
        double p = in.shift[i] * s, sum = p + t;
        to->shift[i] = sum;
        to->error[i] = ((fabs(s) + se) * in.error[i] + fabs(in.shift[i]) * se + te + form_product_error(in.shift[i], s, p) + form_sum_error(p, t, sum)) * (1 + 0x1p-40);
        to->size[i] = (fabs(s) * in.size[i] + fabs(t)) * (1 + 0x1p-40) + (t != 0 || p != 0 ? 0x1p-90 * (1 + fabs(s)) : 0);
    }
    to->slack = in.slack + slack + (inexact || (slack && in.slack));
    to->roundings = in.roundings + roundings;
    settle(l, to);
    return !l->status;
}

static int64_t entries_of(const graph_form *f) { return f->plain >= 0 || !f->row ? f->count : f->row[f->count]; }

bool form_concat(lowering *l, int n, graph_form *const *part, graph_form *to)
{
    int64_t count = 0, entries = 0, at = 0, first = 0;
    for (int i = 0; i < n; i++) count += part[i]->count, entries += part[i]->plain >= 0 || !part[i]->row ? part[i]->count : part[i]->row[part[i]->count];
    if (!form_new(l, count, entries, true, to)) return false;
    for (int k = 0; k < n; k++) {
        graph_form f;
        if (!form_open(l, part[k], &f)) return false;
        for (int64_t i = 0; i < f.count; i++) {
            for (int64_t e = form_first(&f, i); e < form_end(&f, i); e++, at++) to->node[at] = f.node[e], to->index[at] = f.index[e], to->coefficient[at] = f.coefficient[e];
            to->row[first + i + 1] = at;
        }
        memcpy(to->shift + first, f.shift, (size_t)f.count * sizeof *f.shift);
        memcpy(to->error + first, f.error, (size_t)f.count * sizeof *f.error);
        memcpy(to->size + first, f.size, (size_t)f.count * sizeof *f.size);
        to->slack = f.slack > to->slack ? f.slack : to->slack;
        to->roundings = f.roundings > to->roundings ? f.roundings : to->roundings;
        first += f.count;
    }
    return true;
}

/* Rows of a form put together; products of coefficients are rounded once each. */
bool form_rows(lowering *l, graph_form *from, int64_t count, const int64_t *row, const int64_t *column, const double *weight, int slack, int roundings, graph_form *to)
{
    graph_form in;
    int64_t entries = 0, most = 0;
    for (int64_t j = 0; j < row[count]; j++) {
        int64_t n = from->plain >= 0 || !from->row ? 1 : from->row[column[j] + 1] - from->row[column[j]];
        entries += n;
    }
    if (entries > 2 * (row[count] + entries_of(from)) && form_node(l, from) < 0) return false;
    if (from->plain >= 0) entries = row[count];
    if (!form_open(l, from, &in) || !form_new(l, count, entries, true, to)) return false;
    bool inexact = false;
    for (int64_t i = 0, at = 0; i < count; i++) {
        double sum = 0, error = 0, size = 0, spread = 0;
        for (int64_t j = row[i]; j < row[i + 1]; j++) {
            int64_t c = column[j];
            double w = weight[j], p = w * in.shift[c], next = sum + p;
            error += fabs(w) * in.error[c] * (1 + slack * 0x1p-52) + form_product_error(w, in.shift[c], p) + form_sum_error(sum, p, next) + slack * 0x1p-53 * fabs(p);
            sum = next;
            size += fabs(w) * in.size[c];
            spread += fabs(w);
            for (int64_t e = form_first(&in, c); e < form_end(&in, c); e++) {
                if (in.node[e] < 0) continue;
                to->node[at] = in.node[e];
                to->index[at] = in.index[e];
                to->coefficient[at++] = form_product(l, in.coefficient[e], w, &inexact);
            }
        }
        to->row[i + 1] = at;
        most = row[i + 1] - row[i] > most ? row[i + 1] - row[i] : most;
        to->shift[i] = sum;
        to->error[i] = error * (1 + (double)(row[i + 1] - row[i] + 8) * 0x1p-50);
        to->size[i] = size * (1 + (double)(row[i + 1] - row[i] + 8) * 0x1p-50) + (in.roundings ? 0x1p-90 * spread : 0);
    }
    to->slack = in.slack + slack + (inexact || (slack && in.slack));
    to->roundings = in.roundings + roundings;
    settle(l, to);
    return !l->status;
}

/* The one node that all terms are of; -1: none or several. */
static int only_node(const graph_form *f)
{
    int found = f->plain;
    for (int64_t e = 0; f->plain < 0 && e < entries_of(f); e++) {
        if (f->node[e] < 0) continue;
        if (found >= 0 && f->node[e] != found) return -1;
        found = f->node[e];
    }
    return found;
}

/* A further term of the last row of `to`; terms in the same number are put together when no digit is lost (`exact`: their coefficients are known as they are). */
static int64_t put_term(graph_form *to, int64_t row, int64_t at, int32_t node, int32_t index, double coefficient, bool exact)
{
    for (int64_t e = to->row[row]; exact && e < at; e++) {
        double sum = to->coefficient[e] + coefficient;
        if (to->node[e] != node || to->index[e] != index || form_sum_error(to->coefficient[e], coefficient, sum) != 0) continue;
        to->coefficient[e] = sum;
        if (sum != 0) return at;
        at--; /* the last term takes its place */
        to->node[e] = to->node[at], to->index[e] = to->index[at], to->coefficient[e] = to->coefficient[at];
        to->node[at] = -1;
        return at;
    }
    to->node[at] = node;
    to->index[at] = index;
    to->coefficient[at] = coefficient;
    return at + 1;
}

/* Both side by side: the terms of both in one row for each element. */
static bool join(lowering *l, const graph_form *a, const graph_form *b, double scale, graph_form *to)
{
    graph_form x, y;
    if (!form_open(l, a, &x) || !form_open(l, b, &y) || !form_new(l, a->count, entries_of(&x) + entries_of(&y), true, to)) return false;
    bool exact = x.slack == 0 && y.slack == 0;
    for (int64_t i = 0, at = 0; i < a->count; i++) {
        for (int which = 0; which < 2; which++) {
            const graph_form *f = which ? &y : &x;
            for (int64_t e = form_first(f, i); e < form_end(f, i); e++) {
                if (f->node[e] < 0) continue;
                at = put_term(to, i, at, f->node[e], f->index[e], f->coefficient[e] * (which ? scale : 1), exact);
            }
        }
        double t = scale * y.shift[i], sum = x.shift[i] + t;
        to->row[i + 1] = at;
        to->shift[i] = sum;
        to->error[i] = (x.error[i] + y.error[i] + form_sum_error(x.shift[i], t, sum)) * (1 + 0x1p-40);
        to->size[i] = (x.size[i] + y.size[i]) * (1 + 0x1p-40);
    }
    to->slack = x.slack > y.slack ? x.slack : y.slack;
    to->roundings = 1 + (x.roundings > y.roundings ? x.roundings : y.roundings);
    return true;
}

bool form_sum(lowering *l, graph_form *a, graph_form *b, double scale, graph_form *to)
{
    int one = only_node(a), other = only_node(b);
    bool small = entries_of(a) + entries_of(b) <= 8 * a->count;
    if (small && (one == other || one < 0 || other < 0 || a->plain < 0 || b->plain < 0)) {
        if (form_constant(b)) {
            graph_form c;
            double *t = lower_alloc(l, b->count, sizeof *t);
            if (!t || !form_open(l, b, &c)) return false;
            for (int64_t i = 0; i < b->count; i++) t[i] = scale * c.shift[i];
            return form_affine(l, a, NULL, NULL, t, c.error, 1 + c.roundings, to);
        }
        return join(l, a, b, scale, to);
    }
    int node[2] = {form_node(l, a), form_node(l, b)};
    if (l->status) return false;
    int made = lower_add(l, &(bound_node){.kind = BOUND_SUM, .inputs = 2, .input = node, .size = a->count, .scale = (double[]){1, scale}, .roundings = 1});
    if (made < 0) return false;
    form_plain(l, made, to);
    return true;
}

/* ---- nodes of forms ------------------------------------------------------------------------------------ */

/* The terms of `f` in node `source` as a node of its own, with the shifts when `shifts`. */
static int sparse_node(lowering *l, const graph_form *f, int source, bool shifts)
{
    int64_t entries = 0, at = 0;
    for (int64_t e = 0; e < entries_of(f); e++) entries += f->node[e] == source;
    int64_t *row = lower_alloc_graph(l, f->count + 1, sizeof *row);
    int32_t *column = lower_alloc_graph(l, entries, sizeof *column);
    double *weight = lower_alloc_graph(l, entries, sizeof *weight), *bias = shifts ? lower_alloc_graph(l, 3 * f->count, sizeof *bias) : NULL;
    if (l->status) return -1;
    for (int64_t i = 0; i < f->count; i++) {
        for (int64_t e = form_first(f, i); e < form_end(f, i); e++) {
            if (f->node[e] != source) continue;
            column[at] = f->index[e];
            weight[at++] = f->coefficient[e];
        }
        row[i + 1] = at;
    }
    if (shifts) memcpy(bias, f->shift, (size_t)(3 * f->count) * sizeof *bias);
    bound_node node = {.kind = BOUND_SPARSE, .inputs = 1, .input = &source, .size = f->count, .row = row, .column = column, .weight = weight, .slack = f->slack, .roundings = f->roundings,
                       .bias = bias, .bias_error = shifts ? bias + f->count : NULL, .bias_size = shifts ? bias + 2 * f->count : NULL};
    return lower_add(l, &node);
}

int form_node(lowering *l, graph_form *form)
{
    if (l->status) return -1;
    if (form->plain >= 0) return form->plain;
    int nodes = l->build.graph->nodes, parts = 0, node = -1;
    bool shifts = false, *used = lower_alloc(l, nodes, sizeof *used);
    int *part = lower_alloc(l, nodes + 1, sizeof *part);
    double *ones = lower_alloc(l, nodes + 1, sizeof *ones);
    if (l->status) return -1;
    for (int64_t i = 0; i < form->count; i++) shifts = shifts || form->shift[i] != 0 || form->error[i] != 0 || form->size[i] != 0;
    for (int64_t e = 0; e < entries_of(form); e++)
        if (form->node[e] >= 0) used[form->node[e]] = true;
    for (int k = 0; k < nodes; k++)
        if (used[k]) part[parts++] = k;
    if (!parts) parts = 1; /* constants hang on the input */
    for (int i = 0; i < parts; i++) {
        ones[i] = 1;
        part[i] = sparse_node(l, form, part[i], shifts && i == 0);
        if (part[i] < 0) return -1;
    }
    node = parts == 1 ? part[0] : lower_add(l, &(bound_node){.kind = BOUND_SUM, .inputs = parts, .input = part, .size = form->count, .scale = ones});
    if (node >= 0) form_plain(l, node, form);
    return node;
}
