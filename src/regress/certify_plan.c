/* Plans as Taylor expansions, and the rounding of their arithmetic. See certify.h. */
#include "regress/certify.h"

#include <string.h>

/* ---- the plan's function ------------------------------------------------------------------------------ */

static bool has_terms(const map_model *m) { return m->body == MAP_TERMS; }

nigh_status certify_room_new(nigh_arena *arena, const taylor *t, const map_model *model, certify_room *room)
{
    size_t count = (size_t)t->count, size = sizeof(span);
    room->z = nigh_arena_alloc(arena, (size_t)(model->d + model->r) * count * size);
    room->one = nigh_arena_alloc(arena, (has_terms(model) ? (size_t)(model->r * (model->degree + 1)) : 1) * count * size);
    room->term = nigh_arena_alloc(arena, (has_terms(model) ? (size_t)model->count : 1) * count * size);
    room->c = nigh_arena_alloc(arena, (size_t)(model->q + 1) * count * size);
    room->work = nigh_arena_alloc(arena, 6 * count * size);
    return room->z && room->one && room->term && room->c && room->work ? NIGH_OK : NIGH_MEMORY;
}

/* out += w a */
static void add_scaled(const taylor *t, double w, const span *a, span *out)
{
    if (w == 0) return;
    for (int i = 0; i < t->count; i++)
        if (!span_is_zero(a[i])) out[i] = span_add(out[i], span_scale(w, a[i]));
}

/* z [r][count] */
static void encode(const taylor *t, const map_model *model, const certify_room *room, const span *x)
{
    int64_t n = t->count, r = model->r, padded = map_padded(r);
    span *s = room->z + r * n;
    for (int64_t j = 0; j < model->d; j++) {
        memcpy(s + j * n, x + j * n, (size_t)n * sizeof *s);
        s[j * n] = span_sub(s[j * n], span_of(model->shift[j]));
        taylor_scale(t, span_of(model->stretch[j]), s + j * n, s + j * n);
    }
    if (!model->project) {
        memcpy(room->z, s, (size_t)(r * n) * sizeof *s);
        return;
    }
    for (int64_t k = 0; k < r; k++) {
        taylor_constant(t, span_of(model->latent[k]), room->z + k * n);
        for (int64_t j = 0; j < model->d; j++) add_scaled(t, model->project[j * padded + k], s + j * n, room->z + k * n);
    }
}

/* P_0 .. P_degree of every z. */
static void legendre(const taylor *t, const map_model *model, const certify_room *room)
{
    int64_t n = t->count;
    for (int64_t v = 0; v < model->r; v++) {
        span *p = room->one + v * (model->degree + 1) * n;
        taylor_constant(t, span_of(1), p);
        if (model->degree >= 1) memcpy(p + n, room->z + v * n, (size_t)n * sizeof *p);
        for (int k = 1; k < model->degree; k++) {
            taylor_mul(t, room->z + v * n, p + k * n, room->work);
            taylor_scale(t, span_div(span_of(2.0 * k + 1), span_of(k + 1)), room->work, room->work);
            taylor_scale(t, span_div(span_of(k), span_of(k + 1)), p + (k - 1) * n, p + (k + 1) * n);
            taylor_sub(t, room->work, p + (k + 1) * n, p + (k + 1) * n);
        }
    }
}

static void add_terms(const taylor *t, const map_model *model, const certify_room *room)
{
    int64_t n = t->count, q = map_padded(model->q);
    legendre(t, model, room);
    for (int64_t k = 0; k < model->count; k++) {
        span *to = room->term + k * n;
        const span *factor = room->one + model->factor[k] * n;
        if (model->parent[k] < 0) memcpy(to, factor, (size_t)n * sizeof *to);
        else taylor_mul(t, room->term + model->parent[k] * n, factor, to);
        for (int64_t o = 0; o < model->q; o++) add_scaled(t, model->weight[k * q + o], to, room->c + o * n);
    }
}

/* max(x, 0) = (x + |x|) / 2; exp(-x^2 / 2). */
static void activate(const taylor *t, map_activation kind, const span *x, span *out, span *work)
{
    span series[TAYLOR_MOST_ORDER + 1], *half = work + 2 * t->count;
    static const nigh_op op[] = {NIGH_OP_SIGMOID, NIGH_OP_TANH, NIGH_OP_EXP, NIGH_OP_COS, NIGH_OP_ABS};
    const span *from = x;
    if (kind == MAP_BELL) {
        taylor_mul(t, x, x, half);
        taylor_scale(t, span_of(-0.5), half, half);
        if (half[0].high > 0) half[0].high = 0;
        from = half;
    }
    taylor_series(op[kind], from[0], t->order, series);
    taylor_compose(t, series, from, out, work);
    if (kind != MAP_RELU) return;
    taylor_add(t, out, x, out);
    taylor_scale(t, span_of(0.5), out, out);
}

static void add_features(const taylor *t, const map_model *model, const certify_room *room)
{
    int64_t n = t->count, q = map_padded(model->q), points = map_padded(model->count);
    span *hidden = room->work, *value = hidden + n;
    for (int64_t k = 0; k < model->count; k++) {
        taylor_constant(t, span_of(model->start[k]), hidden);
        for (int64_t v = 0; v < model->r; v++) add_scaled(t, model->points[v * points + k], room->z + v * n, hidden);
        activate(t, model->activation, hidden, value, value + n);
        for (int64_t o = 0; o < model->q; o++) add_scaled(t, model->weight[k * q + o], value, room->c + o * n);
    }
}

void certify_answer(const taylor *t, const map_model *model, const certify_room *room, const span *variables, span *answer)
{
    int64_t n = t->count, q = map_padded(model->q), wide = map_padded(model->m);
    encode(t, model, room, variables);
    for (int64_t o = 0; o < model->q; o++) {
        taylor_constant(t, span_of(model->bias[o]), room->c + o * n);
        for (int64_t v = 0; v < model->r && model->tail; v++) add_scaled(t, model->tail[v * q + o], room->z + v * n, room->c + o * n);
    }
    if (model->body == MAP_TERMS) add_terms(t, model, room);
    if (model->body == MAP_FEATURES) add_features(t, model, room);
    for (int64_t k = 0; k < model->m; k++) {
        if (!model->decode) {
            memcpy(answer + k * n, room->c + k * n, (size_t)n * sizeof *answer);
            continue;
        }
        taylor_constant(t, span_of(model->offset[k]), answer + k * n);
        for (int64_t o = 0; o < model->q; o++) add_scaled(t, model->decode[o * wide + k], room->c + o * n, answer + k * n);
    }
}

/* ---- rounding ------------------------------------------------------------------------------------------ */

/*
 * A number of the computation: its largest modulus over the box and how far what is computed can be from the real value. Every operation on them adds what it rounds; the order of
 * sums and fused operations do not matter.
 */
typedef struct inexact {
    double most, off;
} inexact;

static inexact times(inexact a, inexact b, double roundings)
{
    double most = round_up(a.most * b.most);
    double off = round_up(round_up(a.off * (b.most + b.off)) + round_up(a.most * b.off));
    return (inexact){most, round_up(off + round_gamma(roundings, ROUND_UNIT) * (most + off) + ROUND_TINY)};
}

static inexact plus(inexact a, inexact b, double roundings)
{
    double most = round_up(a.most + b.most), off = round_up(a.off + b.off);
    return (inexact){most, round_up(off + round_gamma(roundings, ROUND_UNIT) * (most + off) + ROUND_TINY)};
}

static inexact of(double x) { return (inexact){fabs(x), 0}; }

/* Sum of w_k f_k: as many roundings as terms. */
static inexact fold(inexact sum, double w, inexact f, double terms)
{
    if (w == 0) return sum;
    inexact term = times(of(w), f, terms + 2);
    return (inexact){round_up(sum.most + term.most), round_up(sum.off + term.off)};
}

static void encode_off(const map_model *model, const double *low, const double *high, inexact *s, inexact *z)
{
    int64_t r = model->r, padded = map_padded(r);
    for (int64_t j = 0; j < model->d; j++) {
        inexact gap = {round_up(fmax(fabs(low[j] - model->shift[j]), fabs(high[j] - model->shift[j]))), 0};
        gap.off = round_up(gap.most * 0x1p-52);
        s[j] = times(gap, of(model->stretch[j]), 1);
    }
    for (int64_t k = 0; k < r; k++) {
        if (!model->project) {
            z[k] = s[k];
            continue;
        }
        z[k] = of(model->latent[k]);
        for (int64_t j = 0; j < model->d; j++) z[k] = fold(z[k], model->project[j * padded + k], s[j], (double)model->d);
    }
}

/* |P_k| <= P_k(max(|z|, 1)); errors as the recurrence carries them on. */
static void legendre_off(const map_model *model, const inexact *z, inexact *one)
{
    for (int64_t v = 0; v < model->r; v++) {
        inexact *p = one + v * (model->degree + 1);
        double far = fmax(z[v].most, 1);
        p[0] = (inexact){1, 0};
        if (model->degree >= 1) p[1] = (inexact){far, z[v].off};
        for (int k = 1; k < model->degree; k++) {
            double a = (2.0 * k + 1) / (k + 1), b = (double)k / (k + 1);
            double bound = far > 1 ? round_up(round_up(a * far * p[k].most) * (1 + 0x1p-50)) : 1;
            inexact next = plus(times((inexact){a, a * 0x1p-52}, times(z[v], p[k], 1), 2), times((inexact){b, b * 0x1p-52}, p[k - 1], 2), 2);
            p[k + 1] = (inexact){bound, next.off};
        }
    }
}

nigh_status certify_rounding(nigh_arena *arena, const map_model *model, const double *low, const double *high, double *rounding)
{
    int64_t q = map_padded(model->q), wide = map_padded(model->m), points = map_padded(model->count), width = model->body == MAP_TERMS ? model->count : 1;
    inexact *s = nigh_arena_alloc(arena, (size_t)(model->d + model->r + 2) * sizeof *s);
    inexact *one = nigh_arena_alloc(arena, (size_t)(model->r * (model->degree + 1) + width + 1) * sizeof *one), *c = nigh_arena_alloc(arena, (size_t)model->q * sizeof *c);
    if (!s || !one || !c) return NIGH_MEMORY;
    inexact *z = s + model->d, *term = one + model->r * (model->degree + 1);
    double terms = (double)(model->body == MAP_LINEAR ? 0 : model->count) + (double)model->r + 1;
    encode_off(model, low, high, s, z);
    for (int64_t o = 0; o < model->q; o++) {
        c[o] = of(model->bias[o]);
        for (int64_t v = 0; v < model->r && model->tail; v++) c[o] = fold(c[o], model->tail[v * q + o], z[v], terms);
    }
    if (model->body == MAP_TERMS) legendre_off(model, z, one);
    for (int64_t k = 0; k < model->count && model->body != MAP_LINEAR; k++) {
        inexact f;
        if (model->body == MAP_TERMS) {
            f = term[k] = model->parent[k] < 0 ? one[model->factor[k]] : times(term[model->parent[k]], one[model->factor[k]], 1);
        } else {
            inexact hidden = of(model->start[k]);
            for (int64_t v = 0; v < model->r; v++) hidden = fold(hidden, model->points[v * points + k], z[v], (double)model->r);
            /* activations have slopes of at most 1; their kernels are within 2^-50 of 1, the cosine of its argument's size */
            f = (inexact){model->activation == MAP_RELU ? hidden.most : 1, round_up(hidden.off + 0x1p-50 * (1 + hidden.most))};
        }
        for (int64_t o = 0; o < model->q; o++) c[o] = fold(c[o], model->weight[k * q + o], f, terms);
    }
    for (int64_t k = 0; k < model->m; k++) {
        inexact y = model->decode ? of(model->offset[k]) : c[k];
        for (int64_t o = 0; o < model->q && model->decode; o++) y = fold(y, model->decode[o * wide + k], c[o], (double)model->q + 1);
        rounding[k] = round_up(y.off + round_gamma(terms + 2, ROUND_UNIT) * y.most);
    }
    return NIGH_OK;
}
