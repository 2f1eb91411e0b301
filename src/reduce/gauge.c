/* What is needed of the rows to measure the distortion of subsets; see nigh/sensitivity.h. */
#include "reduce/gauge.h"

#include "tensor/dense.h"
#include "tensor/select.h"

#include <math.h>
#include <string.h>

/* ---- sums of powers ---- */

enum { CHUNK = 2048 };

int64_t gauge_room(const nigh_gauge *g, int64_t m)
{
    int64_t most = g->reference.m > m ? g->reference.m : m, chunks = (most + CHUNK - 1) / CHUNK;
    return chunks * (2 * CHUNK + g->k + 1) + 3 * g->lift.count + g->k;
}

static void chunk_value(const gauge_side *side, int64_t k, double p, int64_t from, const double *z, double *slope, double *room)
{
    int64_t rows = side->m - from < CHUNK ? side->m - from : CHUNK;
    const double *u = side->u + from * k, *w = side->w ? side->w + from : NULL;
    double *r = room, *power = room + CHUNK, *sum = room + 2 * CHUNK, *part = sum + 1;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)rows, (int)k, 1, u, (int)k, z, 1, 0, r, 1);
    row_powers(rows, r, p, power);
    *sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        power[i] *= w ? w[i] : 1;
        *sum += power[i];
    }
    if (!slope) return;
    for (int64_t i = 0; i < rows; i++) power[i] = r[i] != 0 ? p * power[i] / r[i] : 0;
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)rows, (int)k, 1, u, (int)k, power, 1, 0, part, 1);
}

double gauge_value(const gauge_side *side, int64_t k, double p, int threads, const double *z, double *slope, double *room)
{
    int64_t chunks = (side->m + CHUNK - 1) / CHUNK, size = 2 * CHUNK + 1 + k;
    double sum = 0;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && side->m * k > 200000)
    for (int64_t c = 0; c < chunks; c++) chunk_value(side, k, p, c * CHUNK, z, slope, room + c * size);
    for (int64_t j = 0; slope && j < k; j++) slope[j] = 0;
    for (int64_t c = 0; c < chunks; c++) {
        sum += room[c * size + 2 * CHUNK];
        for (int64_t j = 0; slope && j < k; j++) slope[j] += room[c * size + 2 * CHUNK + 1 + j];
    }
    return sum;
}

/* |root products(z)|^2 */
static double form_value(const lift *l, const double *z, double *slope, double *room)
{
    int64_t n = l->count, r = l->space.rank;
    double *product = room, *image = room + n, *back = room + 2 * n, sum = 0;
    lift_row(l, z, product);
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)r, (int)n, 1, l->space.root, (int)n, product, 1, 0, image, 1);
    for (int64_t i = 0; i < r; i++) sum += image[i] * image[i];
    if (!slope) return sum;
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)r, (int)n, 2, l->space.root, (int)n, image, 1, 0, back, 1);
    lift_slope(l, z, back, slope);
    return sum;
}

double gauge_reference(const nigh_gauge *g, int threads, const double *z, double *slope, double *room)
{
    return g->form ? form_value(&g->lift, z, slope, room) : gauge_value(&g->reference, g->k, g->p, threads, z, slope, room);
}

int gauge_steps(int64_t m, int64_t k)
{
    double steps = 2e9 / ((double)m * (double)k * (double)k);
    return steps < 2 ? 2 : steps > 12 ? 12 : (int)steps;
}

nigh_status gauge_flat(nigh_context *ctx, const gauge_side *side, int64_t k, double p, double *h)
{
    double *d = dense_doubles(ctx, side->m), *room = dense_doubles(ctx, weighted_gram_room(k));
    if (d && room) {
        for (int64_t i = 0; i < side->m; i++) {
            double square = 0;
            for (int64_t j = 0; j < k; j++) square += side->u[i * k + j] * side->u[i * k + j];
            d[i] = square > 0 ? (side->w ? side->w[i] : 1) * row_power(square, p / 2 - 1) : 0;
        }
        weighted_gram(side->m, k, side->u, d, h, room);
    }
    nigh_free(ctx, d);
    nigh_free(ctx, room);
    return d && room ? NIGH_OK : NIGH_MEMORY;
}

/* ---- all rows at once ---- */

typedef struct many {
    int64_t columns, count;
    const double *v; /* [columns,count] */
    double p;
} many;

static void many_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum)
{
    const many *a = user;
    (void)from;
    row_product(rows, a->columns, a->count, block, a->v, room);
    row_powers(rows * a->count, room, a->p, room);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < a->count; j++) sum[j] += room[i * a->count + j];
}

nigh_status gauge_all(nigh_context *ctx, const nigh_gauge *g, int64_t count, const double *z, double *value)
{
    int64_t columns = g->space.columns;
    double *v = dense_doubles(ctx, columns * count);
    if (!v) return NIGH_MEMORY;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)columns, (int)count, (int)g->k, 1, g->space.m, (int)g->k, z, (int)g->k, 0, v, (int)count);
    nigh_status status = row_pass(ctx, &g->a.source, count, many_block, &(many){columns, count, v, g->p}, count, value);
    nigh_free(ctx, v);
    return status;
}

/* ---- preparation ---- */

/* The rows of largest score, heaviest first; equals in their order. */
static nigh_status find_heavy(nigh_context *ctx, nigh_gauge *g, const double *score)
{
    double worst[GAUGE_HEAVY];
    (void)ctx;
    for (int64_t i = 0; i < g->rows->n; i++) {
        if (score[i] == 0 || (g->heavy == GAUGE_HEAVY && score[i] <= worst[GAUGE_HEAVY - 1])) continue;
        int64_t at = g->heavy < GAUGE_HEAVY ? g->heavy++ : GAUGE_HEAVY - 1;
        for (; at > 0 && worst[at - 1] < score[i]; at--) worst[at] = worst[at - 1], g->index[at] = g->index[at - 1];
        worst[at] = score[i], g->index[at] = i;
    }
    return NIGH_OK;
}

/* All rows, or a sample by leverage and by chance in equal parts. */
static nigh_status take_reference(nigh_context *ctx, nigh_gauge *g, double *score)
{
    int64_t n = g->rows->n, most = g->options.most / g->k, count = n;
    nigh_subset sample = {0};
    nigh_status status = NIGH_OK;
    g->whole = n <= most;
    if (!g->whole) {
        nigh_rng rng = nigh_rng_new(nigh_seed_split(g->options.seed, 1), 0);
        for (int64_t i = 0; i < n; i++) score[i] = score[i] > 0 ? 0.5 * score[i] / (double)g->k + 0.5 / (double)n : 0;
        status = nigh_subset_independent(ctx, g->rows, score, (double)most, &rng, &sample, NULL);
        count = sample.count;
    }
    if (!status && !(g->u = dense_doubles(ctx, count * g->k))) status = NIGH_MEMORY;
    if (!status && g->whole) status = row_space_map(ctx, &g->a.source, g->k, g->space.m, g->u);
    double *row = status || g->whole ? NULL : dense_doubles(ctx, g->space.columns);
    if (!status && !g->whole) status = row ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < count && !g->whole && !status; i++) {
        g->a.source.fill(&g->a, sample.index[i], sample.index[i] + 1, row);
        row_product(1, g->space.columns, g->k, row, g->space.m, g->u + i * g->k);
    }
    nigh_free(ctx, row);
    if (!g->whole) g->w = sample.weight, sample.weight = NULL;
    nigh_subset_free(ctx, &sample);
    g->reference = (gauge_side){count, g->u, g->w};
    return status;
}

static nigh_status prepare_directions(nigh_context *ctx, nigh_gauge *g)
{
    int64_t k = g->k, count = g->options.random;
    int threads = nigh_context_threads(ctx);
    double *room = dense_doubles(ctx, gauge_room(g, 0)), *solving = dense_doubles(ctx, (int64_t)sensitivity_room(g->reference.m, k)), lower, upper;
    g->random = dense_doubles(ctx, count * k), g->value = dense_doubles(ctx, count), g->flat = dense_doubles(ctx, k * k);
    g->condition = dense_doubles(ctx, GAUGE_CONDITIONS * k), g->least = dense_doubles(ctx, GAUGE_CONDITIONS * k);
    nigh_status status = room && solving && g->random && g->value && g->flat && g->condition && g->least ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(g->options.seed, 2), 0);
    int before = dense_enter(ctx, 0);
    for (int64_t i = 0; i < count && !status; i++) {
        nigh_rng_sphere(&rng, k, g->random + i * k);
        if (g->whole || g->form) g->value[i] = gauge_reference(g, threads, g->random + i * k, NULL, room);
    }
    if (!status && !g->whole && !g->form) status = gauge_all(ctx, g, count, g->random, g->value);
    if (!status) status = gauge_flat(ctx, &g->reference, k, g->p, g->flat);
    if (!status && LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)k, g->flat, (int)k))
        for (int64_t i = 0; i < k * k; i++) g->flat[i] = i % (k + 1) == 0;
    sensitivity_problem s = {g->reference.m, k, g->reference.u, g->reference.w, g->p, 1e-3, gauge_steps(g->reference.m, k)};
    for (int c = 0; c < GAUGE_CONDITIONS && !status; c++) {
        nigh_rng_sphere(&rng, k, g->condition + c * k);
        sensitivity_solve(&s, g->condition + c * k, solving, g->least + c * k, &lower, &upper);
    }
    dense_leave(before);
    nigh_free(ctx, room);
    nigh_free(ctx, solving);
    return status;
}

static nigh_status check_options(nigh_context *ctx, const nigh_gauge_options *given, nigh_gauge_options *o)
{
    *o = given ? *given : (nigh_gauge_options){0};
    if (o->random < 0 || o->starts < 0 || o->steps < 0 || o->most < 0)
        return nigh_fail(ctx, NIGH_INVALID, "random %d, starts %d, steps %d, most %lld; not below 0 is allowed", o->random, o->starts, o->steps, (long long)o->most);
    if (!o->random) o->random = 200;
    if (!o->starts) o->starts = 2;
    if (!o->steps) o->steps = 40;
    if (!o->most) o->most = 1000000;
    return NIGH_OK;
}

nigh_status nigh_gauge_new(nigh_context *ctx, const nigh_rows *rows, int columns, double p, const nigh_gauge_options *options, nigh_gauge **gauge)
{
    nigh_gauge_options o;
    nigh_status status = power_check(ctx, p);
    if (!status) status = check_options(ctx, options, &o);
    if (status) return status;
    nigh_gauge *g = nigh_alloc_zero(ctx, 1, sizeof *g);
    if (!g) return NIGH_MEMORY;
    g->ctx = ctx, g->rows = rows, g->p = p, g->options = o;
    double *score = NULL;
    status = row_matrix_new(ctx, rows, columns, p, &g->a);
    if (!status && !(score = dense_doubles(ctx, rows->n))) status = NIGH_MEMORY;
    if (!status) status = row_space_new(ctx, &g->a.source, &g->space);
    if (!status && g->space.rank == 0) status = nigh_fail(ctx, NIGH_INVALID, "all rows are zero or have weight 0: there is nothing to keep");
    g->k = g->space.rank;
    if (!status) status = row_space_scores(ctx, &g->a.source, g->k, g->space.m, score);
    if (!status) status = find_heavy(ctx, g, score);
    if (!status && g->space.columns <= LIFT_MOST && lift_fits(p, g->k, rows->n)) status = lift_new(ctx, &g->a.source, p, &g->space, &g->lift);
    if (!status) status = take_reference(ctx, g, score);
    g->form = g->lift.count && (!g->whole || g->lift.count * g->lift.space.rank < g->reference.m * g->k / 2);
    if (!status) status = prepare_directions(ctx, g);
    nigh_free(ctx, score);
    if (status) nigh_gauge_free(g);
    else *gauge = g;
    return status;
}

void nigh_gauge_free(nigh_gauge *g)
{
    if (!g) return;
    nigh_context *ctx = g->ctx;
    row_space_free(ctx, &g->space);
    lift_free(ctx, &g->lift);
    row_matrix_free(ctx, &g->a);
    void *blocks[] = {g->u, g->w, g->random, g->value, g->flat, g->condition, g->least};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ctx, blocks[i]);
    nigh_free(ctx, g);
}
