/*
 * Linear bounds of chains of dense maps and relus on small boxes, one box at a time: intervals of the relus that are not known to be stable by rows taken back to
 * the input (CROWN), then the rows of the query. Rows of stable relus are not formed, columns of dead ones not multiplied: with few inputs most relus of
 * a small box are stable.
 *
 * Rounding. A row a of lower bounds on z = W x + b goes on as a' = fl(a W): a W x >= a' x - gamma |a| (|W| |x|). With |x| <= X over the root box this
 * is sum_j |a_j| r_j, r = gamma (|W| X + |b|), and the same r covers what the products with slopes and the sums of constants are off by, when gamma counts all
 * roundings of a row; errors of biases and the roundings of an evaluation in f32 are added to r.
 */
#include "verify/split_input.h"
#include "core/round.h"
#include "verify/split_kernels.h"

#include <string.h>

#define LOST 0x1p-600 /* above what underflow can do: 2^30 roundings that lose 2^-1022 each, times magnitudes below 2^200 */
enum { BLOCK = 32 }; /* rows at once: what fits into the first-level cache with 50 neurons */

struct split_chain {
    nigh_context *ctx;
    nigh_arena *arena;
    const search_query *query;
    const split_kernels *kernels;
    bounds_options options;
    int layers;             /* affine maps, 1 .. layers; relus behind 1 .. layers - 1 */
    int64_t *size, *ld;     /* [layers + 1] */
    int64_t *first;         /* [layers + 1] of a layer's neurons among all of them; [layers]: how many */
    const bound_node **node; /* [layers + 1] */
    double **weight;        /* [layers + 1] each [size[k], ld[k - 1]], */
    double **turned;        /* and [size[k - 1], ld[k]]; */
    double **heavy;         /* the same of magnitudes; single only */
    double **real, *narrow; /* single only: [layers + 1] each [ld[k]], the rest without f32's roundings; those of f32 by sum_i |w_i x_i| + |b| */
    double **bias, **rest;  /* [layers + 1] each [ld[k]] */
    double **most, **reach; /* of |z_k|, and of |x_k| behind the relu; reach[0]: of the input */
    double *row, *row_constant, *row_rest; /* [rows, ld[layers - 1]], [rows] */
    double gamma;           /* of all roundings of a row */
    int64_t widest;
};

/* Scratch of one box. */
typedef struct work {
    split_lines *lines; /* [layers] */
    double *low, *high; /* [neurons] */
    int32_t **live;
    int64_t *lives;
    double *a, *b;      /* [BLOCK, widest] */
    double *constant, *rest; /* [BLOCK] */
    int32_t *order;     /* [widest] */
    int8_t *phase;      /* [neurons] at a point */
    double *slope;      /* [neurons, ld[0]]: the linear lower bounds of unstable neurons */
    double **gap;       /* [layers] each [ld] */
    double **of_layer;  /* [layers + 1] each [ld]: the rests of affine maps; single: on this box */
    double *reach, *sum; /* single only: middles, radii and magnitudes [3, widest] of a layer's results on the box; products with them */
} work;

static int64_t padded(int64_t n) { return (n + SPLIT_PAD - 1) / SPLIT_PAD * SPLIT_PAD; }

double split_chain_cost(const split_chain *c)
{
    double cost = 0, one = 0; /* one: of a row on layer k's results */
    for (int k = 1; k < c->layers; k++) {
        cost += 2 * (double)c->size[k] * (one + (double)c->size[k]);
        one += (double)c->size[k] * (double)c->size[k - 1];
    }
    return cost + (double)c->query->rows * one;
}

int64_t split_chain_neurons(const split_chain *c) { return c->first[c->layers]; }

/* ---- preparing ---- */

/* Errors of rows by layer k's affine map, from magnitudes of what goes in. */
static void set_rest(split_chain *c, int k)
{
    const bound_node *node = c->node[k];
    for (int64_t j = 0; j < c->size[k]; j++) {
        double sum = fabs(c->bias[k][j]);
        for (int64_t i = 0; i < c->size[k - 1]; i++) sum += fabs(c->weight[k][j * c->ld[k - 1] + i]) * c->reach[k - 1][i];
        sum = round_sum_up(sum, 2 * (double)c->size[k - 1] + 2);
        double wrong = node->bias_error ? node->bias_error[j] : 0; /* the real argument, or that of an evaluation in f32, is that much from w x + b */
        double stored = round_gamma(node->slack, ROUND_UNIT) * 1.001 * sum; /* and w x + b from w' x + b */
        if (c->options.single) {
            c->narrow[k] = round_gamma(node->roundings, ROUND_UNIT_SINGLE) * 1.001;
            c->real[k][j] = (4 * c->gamma * sum + stored + wrong + ROUND_TINY_SINGLE) * (1 + 0x1p-40);
            wrong += c->narrow[k] * sum + ROUND_TINY_SINGLE;
        }
        c->most[k][j] = fmin(c->most[k][j], (sum + wrong + stored) * (1 + 0x1p-40) + ROUND_TINY);
        c->reach[k][j] = fmin(c->reach[k][j], c->most[k][j]);
        c->rest[k][j] = (c->options.fast ? wrong : 4 * c->gamma * sum + stored + wrong) * (1 + 0x1p-40);
    }
}

static double row_rest(const split_chain *c, const double *of_layer, int64_t r)
{
    const search_query *q = c->query;
    int64_t out = c->size[c->layers];
    double rest = c->options.fast ? 0 : c->gamma * fabs(q->level[r]);
    for (int64_t o = 0; o < out; o++) rest += fabs(q->row[r * out + o]) * of_layer[o];
    return rest * (1 + 0x1p-40);
}

static void set_rows(split_chain *c)
{
    int last = c->layers;
    const search_query *q = c->query;
    int64_t in = c->size[last - 1], ld = c->ld[last - 1], out = c->size[last];
    for (int64_t r = 0; r < q->rows; r++) {
        double constant = q->level[r], *to = c->row + r * ld;
        memset(to, 0, (size_t)ld * sizeof *to);
        for (int64_t o = 0; o < out; o++) {
            double factor = q->row[r * out + o];
            constant -= factor * c->bias[last][o];
            for (int64_t i = 0; i < in && factor != 0; i++) to[i] -= factor * c->weight[last][o * ld + i];
        }
        c->row_constant[r] = constant, c->row_rest[r] = row_rest(c, c->rest[last], r);
    }
}

static void set_rests(split_chain *c)
{
    for (int k = 1; k <= c->layers; k++) set_rest(c, k);
    set_rows(c);
}

static void *zeros(nigh_arena *arena, int64_t n, size_t size) { return nigh_arena_alloc_zero(arena, (size_t)(n > 0 ? n : 1), size); }

/* Layer k's numbers; false: no memory. */
static bool take_layer(split_chain *c, int k)
{
    const bound_node *node = c->node[k];
    c->size[k] = node->size, c->ld[k] = padded(node->size);
    c->bias[k] = zeros(c->arena, c->ld[k], sizeof(double)), c->rest[k] = zeros(c->arena, c->ld[k], sizeof(double));
    c->most[k] = zeros(c->arena, c->ld[k], sizeof(double)), c->reach[k] = zeros(c->arena, c->ld[k], sizeof(double));
    if (!c->bias[k] || !c->rest[k] || !c->most[k] || !c->reach[k]) return false;
    if (c->options.single && !(c->real[k] = zeros(c->arena, c->ld[k], sizeof(double)))) return false;
    for (int64_t j = 0; j < node->size; j++) c->most[k][j] = c->reach[k][j] = INFINITY;
    if (k == 0) return true;
    if (!(c->weight[k] = zeros(c->arena, c->size[k] * c->ld[k - 1], sizeof(double)))) return false;
    if (!(c->turned[k] = zeros(c->arena, c->size[k - 1] * c->ld[k], sizeof(double)))) return false;
    if (c->options.single && !(c->heavy[k] = zeros(c->arena, c->size[k - 1] * c->ld[k], sizeof(double)))) return false;
    for (int64_t j = 0; j < node->size; j++)
        for (int64_t i = 0; i < c->size[k - 1]; i++)
            c->weight[k][j * c->ld[k - 1] + i] = c->turned[k][i * c->ld[k] + j] = node->weight[j * c->size[k - 1] + i];
    for (int64_t i = 0; c->heavy[k] && i < c->size[k - 1] * c->ld[k]; i++) c->heavy[k][i] = fabs(c->turned[k][i]);
    if (node->bias) memcpy(c->bias[k], node->bias, (size_t)node->size * sizeof(double));
    return true;
}

static const split_kernels *kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &split_avx512;
    if (level == NIGH_CPU_AVX2) return &split_avx2;
#endif
    (void)level;
    return &split_scalar;
}

/* False: no memory. */
static bool prepare(split_chain *c, const int *dense)
{
    const search_query *q = c->query;
    int64_t count = c->layers + 1;
    c->size = zeros(c->arena, count, sizeof *c->size), c->ld = zeros(c->arena, count, sizeof *c->ld), c->first = zeros(c->arena, count, sizeof *c->first);
    c->node = zeros(c->arena, count, sizeof *c->node), c->weight = zeros(c->arena, count, sizeof *c->weight);
    c->turned = zeros(c->arena, count, sizeof *c->turned), c->heavy = zeros(c->arena, count, sizeof *c->heavy);
    c->real = zeros(c->arena, count, sizeof *c->real), c->narrow = zeros(c->arena, count, sizeof *c->narrow);
    c->bias = zeros(c->arena, count, sizeof *c->bias), c->rest = zeros(c->arena, count, sizeof *c->rest);
    c->most = zeros(c->arena, count, sizeof *c->most), c->reach = zeros(c->arena, count, sizeof *c->reach);
    if (!c->size || !c->ld || !c->first || !c->node || !c->weight || !c->turned || !c->heavy || !c->real || !c->narrow || !c->bias || !c->rest || !c->most || !c->reach) return false;
    for (int k = 0; k < count; k++) {
        c->node[k] = &q->graph->node[k ? dense[k - 1] : 0];
        if (!take_layer(c, k)) return false;
        if (k) c->first[k] = c->first[k - 1] + (k > 1 ? c->size[k - 1] : 0);
        if (c->ld[k] > c->widest) c->widest = c->ld[k];
    }
    c->row = zeros(c->arena, q->rows * c->ld[c->layers - 1], sizeof(double));
    c->row_constant = zeros(c->arena, q->rows, sizeof(double)), c->row_rest = zeros(c->arena, q->rows, sizeof(double));
    return c->row && c->row_constant && c->row_rest;
}

nigh_status split_chain_new(nigh_context *ctx, const search_query *query, int layers, const int *dense, const bounds_options *options, split_chain **out)
{
    split_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    *c = (split_chain){.ctx = ctx, .query = query, .kernels = kernels_at(nigh_cpu()), .options = *options, .layers = layers};
    if (nigh_arena_new(ctx, &c->arena) || !prepare(c, dense)) {
        split_chain_free(c);
        return NIGH_MEMORY;
    }
    double roundings = 64;
    for (int k = 0; k <= layers; k++) roundings += 4 * (double)c->ld[k];
    c->gamma = round_gamma(roundings, ROUND_UNIT);
    for (int64_t i = 0; i < c->size[0]; i++) c->reach[0][i] = fmax(fabs(query->low[i]), fabs(query->high[i]));
    set_rests(c);
    double largest = 0;
    for (int k = 0; k <= layers; k++)
        for (int64_t j = 0; j < c->size[k]; j++) largest = fmax(largest, c->reach[k][j]);
    if (roundings > 0x1p30 || !(largest < 0x1p200)) { /* what is lost by underflow would not be covered by LOST */
        split_chain_free(c);
        return NIGH_UNSUPPORTED;
    }
    *out = c;
    return NIGH_OK;
}

void split_chain_free(split_chain *c)
{
    if (!c) return;
    nigh_arena_free(c->arena);
    nigh_free(c->ctx, c);
}

/* ---- one box ---- */

/* The next `bytes` of scratch from `at` on (NULL: only counted). */
static void *take(char *at, size_t *used, int64_t n, size_t size)
{
    char *here = at ? at + *used : NULL;
    *used += ((size_t)n * size + 63) / 64 * 64;
    return here;
}

/* Lays the scratch out from `at` on (NULL: only measured); bytes. */
static size_t lay_out(const split_chain *c, char *at, work *w)
{
    size_t used = 0, real = sizeof(double);
    int64_t neurons = split_chain_neurons(c);
    w->lines = take(at, &used, c->layers, sizeof *w->lines), w->live = take(at, &used, c->layers, sizeof *w->live);
    w->lives = take(at, &used, c->layers, sizeof *w->lives), w->gap = take(at, &used, c->layers, sizeof *w->gap);
    w->low = take(at, &used, neurons, real), w->high = take(at, &used, neurons, real);
    w->order = take(at, &used, c->widest, sizeof *w->order), w->phase = take(at, &used, neurons, 1), w->slope = take(at, &used, neurons * c->ld[0], real);
    w->a = take(at, &used, BLOCK * c->widest, real), w->b = take(at, &used, BLOCK * c->widest, real);
    w->constant = take(at, &used, BLOCK, real), w->rest = take(at, &used, BLOCK, real);
    w->of_layer = take(at, &used, c->layers + 1, sizeof *w->of_layer);
    w->reach = take(at, &used, c->options.single ? 3 * c->widest : 0, real), w->sum = take(at, &used, c->options.single ? 3 * c->widest : 0, real);
    for (int k = 1; k <= c->layers; k++) {
        double *rest = c->options.single ? take(at, &used, c->ld[k], real) : c->rest[k];
        if (at) w->of_layer[k] = rest;
    }
    for (int k = 1; k < c->layers; k++) {
        split_lines lines = {.bias = c->bias[k], .rest = at ? w->of_layer[k] : NULL};
        lines.lower = take(at, &used, c->ld[k], real), lines.upper = take(at, &used, c->ld[k], real);
        lines.shift = take(at, &used, c->ld[k], real);
        lines.below = take(at, &used, c->ld[k], real), lines.above = take(at, &used, c->ld[k], real);
        int32_t *live = take(at, &used, c->ld[k], sizeof *live);
        double *gap = take(at, &used, c->ld[k], real);
        if (at) w->lines[k] = lines, w->live[k] = live, w->gap[k] = gap;
    }
    return used;
}

size_t split_chain_workspace(const split_chain *c)
{
    work w;
    return lay_out(c, NULL, &w);
}

/* Rows in w->a [rows, ld[k]] of lower bounds on layer k's results become rows on the input [rows, ld[0]]: where they are. */
static double *take_back(const split_chain *c, work *w, int k, int64_t rows, bool gaps)
{
    double *a = w->a, *b = w->b;
    for (; k > 0; k--) {
        c->kernels->relu(rows, c->ld[k], &w->lines[k], a, c->ld[k], w->constant, w->rest, gaps ? w->gap[k] : NULL);
        c->kernels->back(rows, w->lives[k], w->live[k], a, c->ld[k], c->weight[k], c->ld[k - 1], b);
        double *other = a;
        a = b, b = other;
    }
    return a;
}

/* The constant of a row on the input without what rounding can be off by. */
static double sure(const split_chain *c, const double *a, double constant, double rest)
{
    if (c->options.fast && !c->options.single) return constant;
    double more = 0;
    for (int64_t i = 0; i < c->size[0]; i++) more += fabs(a[i]) * c->reach[0][i];
    rest = (rest + 2 * c->gamma * more) * (1 + 0x1p-30) + LOST;
    return constant - rest;
}

static double least(int64_t n, const double *a, double constant, const double *low, const double *high)
{
    for (int64_t i = 0; i < n; i++) constant += a[i] > 0 ? a[i] * low[i] : a[i] * high[i];
    return constant;
}

/* Lines of a relu on what is known of it; false: its result is 0. */
static bool draw(split_lines *lines, int64_t j, int8_t phase, double low, double high)
{
    if (phase != 0) {
        lines->upper[j] = lines->lower[j] = phase > 0;
        lines->shift[j] = lines->above[j] = lines->below[j] = 0;
        return phase > 0;
    }
    double upper = high / (high - low) * (1 + 0x1p-50);
    if (!(upper <= 1)) upper = 1;
    lines->upper[j] = upper, lines->lower[j] = high > -low, lines->shift[j] = -low;
    lines->above[j] = upper * -low, lines->below[j] = fmin(high, -low);
    return true;
}

/* ---- what evaluations in f32 can be off by on a box: magnitudes there are smaller than over the root box ---- */

static void set_reach(const split_chain *c, work *w, int64_t i, double low, double high)
{
    double middle = 0.5 * low + 0.5 * high;
    w->reach[i] = middle;
    w->reach[c->widest + i] = fmax(high - middle, middle - low) * (1 + 0x1p-50) + ROUND_TINY;
    w->reach[2 * c->widest + i] = fmax(fabs(low), fabs(high));
}

static void begin_box(const split_chain *c, work *w, const double *low, const double *high)
{
    for (int64_t i = 0; i < c->size[0]; i++) set_reach(c, w, i, low[i], high[i]);
}

/* Layer k's rests from what goes in. */
static void enter_layer(const split_chain *c, work *w, int k)
{
    int64_t lives = 0, in = c->size[k - 1], ld = c->ld[k];
    for (int64_t i = 0; i < in; i++)
        if (w->reach[2 * c->widest + i] != 0) w->order[lives++] = (int32_t)i;
    c->kernels->back(1, lives, w->order, w->reach, c->widest, c->turned[k], ld, w->sum);
    c->kernels->back(2, lives, w->order, w->reach + c->widest, c->widest, c->heavy[k], ld, w->sum + ld);
    for (int64_t j = 0; j < c->size[k]; j++) {
        double most = round_sum_up(w->sum[2 * ld + j] + fabs(c->bias[k][j]), 2 * (double)in + 2);
        w->of_layer[k][j] = fmin(c->rest[k][j], (c->real[k][j] + c->narrow[k] * most) * (1 + 0x1p-40));
    }
    for (int64_t j = c->size[k]; j < ld; j++) w->of_layer[k][j] = 0;
}

/* Layer k's results on the box, when its relus are known as far as they will be. */
static void leave_layer(const split_chain *c, work *w, int k, const int8_t *phase)
{
    int64_t ld = c->ld[k];
    for (int64_t j = 0; j < c->size[k]; j++) {
        int64_t at = c->first[k] + j;
        double middle = w->sum[j] + c->bias[k][j], off = (0x1p-40 + 2 * c->gamma) * (w->sum[2 * ld + j] + fabs(c->bias[k][j])); /* roundings of f64 */
        double radius = (w->sum[ld + j] + w->of_layer[k][j] + off) * (1 + 0x1p-40);
        double low = fmax(middle - radius, 0), high = fmin(middle + radius, c->reach[k][j]);
        if (phase[j] == 0) high = fmin(high, w->high[at]), low = 0;
        if (phase[j] < 0 || !(high > 0)) low = high = 0;
        set_reach(c, w, j, fmin(low, high), high);
        if (high == 0) w->reach[c->widest + j] = 0;
    }
}

/* Intervals of layer k's arguments that are not known to be stable, from lines of the layers before. */
static void find_intervals(const split_chain *c, work *w, int k, const double *low, const double *high, int8_t *phase)
{
    int64_t n = c->size[k], ld = c->ld[k - 1], first = c->first[k], of[BLOCK / 2];
    for (int64_t j = 0; j < n;) {
        int64_t count = 0;
        for (; j < n && count < BLOCK / 2; j++)
            if (phase[j] == 0) of[count++] = j;
        for (int64_t r = 0; r < count; r++) {
            const double *from = c->weight[k] + of[r] * ld;
            double *up = w->a + 2 * r * ld, *down = up + ld;
            for (int64_t i = 0; i < ld; i++) up[i] = from[i], down[i] = -from[i];
            w->constant[2 * r] = c->bias[k][of[r]], w->constant[2 * r + 1] = -c->bias[k][of[r]];
            w->rest[2 * r] = w->rest[2 * r + 1] = w->of_layer[k][of[r]];
        }
        const double *a = take_back(c, w, k - 1, 2 * count, false);
        for (int64_t r = 0; r < count; r++, a += 2 * c->ld[0]) {
            const double *down = a + c->ld[0];
            double most = c->most[k][of[r]];
            double from = fmax(least(c->size[0], a, sure(c, a, w->constant[2 * r], w->rest[2 * r]), low, high), -most);
            double to = fmin(-least(c->size[0], down, sure(c, down, w->constant[2 * r + 1], w->rest[2 * r + 1]), low, high), most);
            w->low[first + of[r]] = from, w->high[first + of[r]] = to;
            if (from >= 0) phase[of[r]] = 1;
            else if (to <= 0) phase[of[r]] = -1;
            else memcpy(w->slope + (first + of[r]) * c->ld[0], a, (size_t)c->ld[0] * sizeof(double));
        }
    }
    split_lines *lines = &w->lines[k];
    for (int64_t j = n; j < c->ld[k]; j++) lines->upper[j] = lines->lower[j] = lines->shift[j] = lines->above[j] = lines->below[j] = 0; /* kernels read on to here */
    w->lives[k] = 0;
    for (int64_t j = 0; j < n; j++)
        if (draw(&w->lines[k], j, phase[j], w->low[first + j], w->high[first + j])) w->live[k][w->lives[k]++] = (int32_t)j;
}

/* What is <= 0 where the relus that were split are as they are meant to be; how many. */
static int32_t bound_splits(const split_chain *c, work *w, const int8_t *phase, double *coefficient, double *constant)
{
    int32_t done = 0;
    int64_t n = c->size[0];
    for (int k = 1; k < c->layers; k++)
        for (int64_t j = 0; j < c->size[k]; j++) {
            int8_t side = phase[c->first[k] + j];
            if (side != 2 && side != -2) continue;
            int64_t ld = c->ld[k - 1];
            double sign = side > 0 ? -1 : 1;
            for (int64_t i = 0; i < ld; i++) w->a[i] = sign * c->weight[k][j * ld + i];
            w->constant[0] = sign * c->bias[k][j], w->rest[0] = w->of_layer[k][j];
            const double *a = take_back(c, w, k - 1, 1, false);
            memcpy(coefficient + done * n, a, (size_t)n * sizeof(double));
            constant[done++] = sure(c, a, w->constant[0], w->rest[0]);
        }
    return done;
}

/* How much halving an input may tighten the relus that the rows meet: their gaps shrink with their intervals. */
static void set_score(const split_chain *c, const work *w, const int8_t *phase, split_batch *b, int64_t box)
{
    int64_t n = c->size[0];
    double *score = b->score + box * n, most = -1;
    memset(score, 0, (size_t)n * sizeof *score);
    b->unstable[box] = 0, b->relu[box] = -1;
    for (int k = 1; k < c->layers; k++)
        for (int64_t j = 0; j < c->size[k]; j++) {
            int64_t at = c->first[k] + j;
            if (phase[at] != 0) continue;
            double gap = w->gap[k][j], weight = gap / (w->high[at] - w->low[at]);
            b->unstable[box]++;
            if (gap > most) most = gap, b->relu[box] = (int32_t)at;
            for (int64_t i = 0; i < n; i++) score[i] += weight * fabs(w->slope[at * c->ld[0] + i]);
        }
    for (int64_t i = 0; i < n; i++) score[i] *= b->high[box * n + i] - b->low[box * n + i];
}

/* Bounds of the rows of[count]. */
static void bound_rows(const split_chain *c, work *w, int64_t count, const int64_t *of, double *coefficient, double *constant)
{
    int64_t ld = c->ld[c->layers - 1], n = c->size[0];
    for (int64_t r = 0; r < count; r++) {
        memcpy(w->a + r * ld, c->row + of[r] * ld, (size_t)ld * sizeof(double));
        w->constant[r] = c->row_constant[of[r]], w->rest[r] = c->options.single ? row_rest(c, w->of_layer[c->layers], of[r]) : c->row_rest[of[r]];
    }
    const double *a = take_back(c, w, c->layers - 1, count, true);
    for (int64_t r = 0; r < count; r++, a += c->ld[0]) {
        memcpy(coefficient + of[r] * n, a, (size_t)n * sizeof(double));
        constant[of[r]] = sure(c, a, w->constant[r], w->rest[r]);
    }
}

void split_chain_bound(const split_chain *c, split_batch *batch, int64_t i, void *workspace)
{
    const search_query *q = c->query;
    work w;
    lay_out(c, workspace, &w);
    int64_t n = c->size[0], neurons = split_chain_neurons(c), of[BLOCK], count = 0;
    const double *low = batch->low + i * n, *high = batch->high + i * n;
    int8_t *phase = batch->phase + i * neurons;
    if (c->options.single) begin_box(c, &w, low, high);
    for (int k = 1; k <= c->layers; k++) {
        if (c->options.single) enter_layer(c, &w, k);
        if (k == c->layers) break;
        find_intervals(c, &w, k, low, high, phase + c->first[k]);
        if (c->options.single) leave_layer(c, &w, k, phase + c->first[k]);
        memset(w.gap[k], 0, (size_t)c->ld[k] * sizeof(double));
    }
    double *coefficient = batch->coefficient + i * (q->rows + SPLIT_RELUS) * n, *constant = batch->constant + i * (q->rows + SPLIT_RELUS);
    batch->splits[i] = bound_splits(c, &w, phase, coefficient + q->rows * n, constant + q->rows);
    for (int g = 0; g < q->groups; g++)
        for (int64_t r = q->group[g]; batch->open[i * q->groups + g] && r < q->group[g + 1]; r++) {
            of[count++] = r;
            if (count == BLOCK) bound_rows(c, &w, count, of, coefficient, constant), count = 0;
        }
    if (count) bound_rows(c, &w, count, of, coefficient, constant);
    set_score(c, &w, phase, batch, i);
}

/* The network at a point in plain arithmetic: values of the rows, and what its relus are there. */
static void evaluate(const split_chain *c, work *w, const double *x, double *value, int8_t *phase)
{
    const search_query *q = c->query;
    double *a = w->a, *b = w->b;
    memcpy(a, x, (size_t)c->size[0] * sizeof(double));
    for (int k = 1; k <= c->layers; k++) {
        int64_t lives = 0;
        for (int64_t i = 0; i < c->size[k - 1]; i++)
            if (a[i] != 0) w->order[lives++] = (int32_t)i;
        c->kernels->back(1, lives, w->order, a, c->ld[k - 1], c->turned[k], c->ld[k], b);
        for (int64_t j = 0; j < c->size[k]; j++) {
            b[j] += c->bias[k][j];
            if (k == c->layers) continue;
            if (phase) phase[c->first[k] + j] = b[j] > 0 ? 1 : -1;
            if (!(b[j] > 0)) b[j] = 0;
        }
        double *other = a;
        a = b, b = other;
    }
    int64_t out = c->size[c->layers];
    for (int64_t r = 0; r < q->rows; r++) {
        value[r] = q->level[r];
        for (int64_t o = 0; o < out; o++) value[r] -= q->row[r * out + o] * a[o];
    }
}

void split_chain_values(const split_chain *c, const double *x, double *value, void *workspace)
{
    work w;
    lay_out(c, workspace, &w);
    evaluate(c, &w, x, value, NULL);
}

void split_chain_local(const split_chain *c, const double *x, int64_t first, int64_t count, double *value, double *coefficient, double *constant, void *workspace)
{
    work w;
    lay_out(c, workspace, &w);
    evaluate(c, &w, x, value, w.phase);
    for (int k = 1; k <= c->layers && c->options.single; k++) memset(w.of_layer[k], 0, (size_t)c->ld[k] * sizeof(double));
    int64_t of[BLOCK];
    for (int k = 1; k < c->layers; k++) {
        w.lives[k] = 0;
        for (int64_t j = 0; j < c->size[k]; j++)
            if (draw(&w.lines[k], j, w.phase[c->first[k] + j], 0, 0)) w.live[k][w.lives[k]++] = (int32_t)j;
    }
    for (int64_t r = first; r < first + count;) {
        int64_t now = 0;
        for (; r < first + count && now < BLOCK; r++) of[now++] = r;
        bound_rows(c, &w, now, of, coefficient, constant);
    }
}

void split_chain_root(split_chain *c, const int8_t *phase, const void *workspace)
{
    work w;
    lay_out(c, (char *)workspace, &w);
    for (int k = 1; k < c->layers; k++)
        for (int64_t j = 0; j < c->size[k]; j++) {
            int64_t at = c->first[k] + j;
            double low = w.low[at], high = w.high[at];
            c->most[k][j] = fmin(c->most[k][j], fmax(fabs(low), fabs(high)));
            c->reach[k][j] = phase[at] < 0 ? 0 : fmin(c->reach[k][j], fmax(high, 0));
        }
    set_rests(c);
}
