/*
 * Certificates of map plans for expressions: the largest error over the whole box, proved by Taylor expansions with spans (core/taylor.h) of the difference between the
 * expression's real function and the plan's, on boxes that are cut where the bound is worst; what the plan's own arithmetic can be off by is added.
 *
 * Covered: up to TAYLOR_MOST_DIMS inputs; plans that are linear, sums of polynomial terms, or sums of activations.
 */
#include "core/taylor.h"
#include "regress/certify.h"

#include <string.h>

enum { ORDER_1 = 8, ORDER_2 = 6, ORDER_MORE = 4, MOST_BOXES = 400000, MOST_UNBOUNDED = 4000, TELL_EVERY = 256 };
static const double ENOUGH = 1.1; /* proved bound over largest error seen */

typedef struct cell {
    double bound, low[TAYLOR_MOST_DIMS], high[TAYLOR_MOST_DIMS];
} cell;

typedef struct proof {
    nigh_context *ctx;
    nigh_arena *arena;
    const map_model *model;
    const expression_parts *parts;
    certify_measure measure;
    taylor *t;
    double *rounding;             /* [m] */
    span *variables[2], *room, *series;
    span *exact[2], *answer[2];   /* at the centre, over the cell: [m][count] */
    certify_room plan;
    cell *cells;
    int64_t count, room_cells;
    double seen;                  /* largest error found */
} proof;

/* ---- one cell ----------------------------------------------------------------------------------------- */

/* Bounds of the error of each output, and of the smallest modulus of the exact value, into the measure. */
static double combine(const proof *p, const double *error, const double *least)
{
    double most = 0, squares = 0, norm = 0;
    int64_t m = p->model->m;
    for (int64_t k = 0; k < m; k++) {
        most = fmax(most, p->measure == CERTIFY_RELATIVE ? (error[k] > 0 ? round_up(error[k] / least[k]) : 0) : error[k]);
        squares = round_up(squares + round_up(error[k] * error[k])), norm = round_down(norm + round_down(least[k] * least[k]));
    }
    if (p->measure == CERTIFY_RMS) return round_up(sqrt(round_up(squares / (double)m)));
    if (p->measure == CERTIFY_RELATIVE_L2) return squares > 0 ? round_up(round_up(sqrt(squares)) / round_down(sqrt(fmax(norm, 0)))) : 0;
    return most;
}

/* What the error at a point is at least, for `seen`. */
static double at_point(const proof *p)
{
    double error[CERTIFY_MOST_OUTPUTS], value[CERTIFY_MOST_OUTPUTS];
    for (int64_t k = 0; k < p->model->m; k++) {
        span gap = span_sub(p->exact[0][k * p->t->count], p->answer[0][k * p->t->count]);
        error[k] = fmax(span_least(gap), 0), value[k] = span_most(p->exact[0][k * p->t->count]);
        if (!(value[k] > 0)) value[k] = INFINITY;
    }
    return combine(p, error, value);
}

static void bound_cell(proof *p, cell *c)
{
    const taylor *t = p->t;
    double radius[TAYLOR_MOST_DIMS], error[CERTIFY_MOST_OUTPUTS] = {0}, least[CERTIFY_MOST_OUTPUTS] = {0};
    for (int v = 0; v < t->dims; v++) {
        double centre = 0.5 * (c->low[v] + c->high[v]);
        radius[v] = round_up(fmax(c->high[v] - centre, centre - c->low[v]));
        taylor_variable(t, v, span_of(centre), p->variables[0] + v * t->count);
        taylor_variable(t, v, (span){c->low[v], c->high[v]}, p->variables[1] + v * t->count);
    }
    for (int w = 0; w < 2; w++) {
        for (int64_t k = 0; k < p->model->m; k++) taylor_expr(t, p->parts->part[k], p->variables[w], p->exact[w] + k * t->count, p->room);
        certify_answer(t, p->model, &p->plan, p->variables[w], p->answer[w]);
    }
    for (int64_t k = 0; k < p->model->m; k++) {
        span *centre = p->series, *whole = centre + t->count;
        taylor_sub(t, p->exact[0] + k * t->count, p->answer[0] + k * t->count, centre);
        taylor_sub(t, p->exact[1] + k * t->count, p->answer[1] + k * t->count, whole);
        error[k] = round_up(taylor_bound(t, radius, centre, whole) + p->rounding[k]);
        double away = span_least(p->exact[0][k * t->count]); /* |f| >= |f(centre)| - what it can vary */
        taylor_constant(t, span_of(0), centre);
        memcpy(centre + 1, p->exact[0] + k * t->count + 1, (size_t)(t->count - 1) * sizeof *centre);
        memcpy(whole, p->exact[1] + k * t->count, (size_t)t->count * sizeof *whole);
        whole[0] = SPAN_ALL;
        least[k] = fmax(span_least(p->exact[1][k * t->count]), round_down(away - taylor_bound(t, radius, centre, whole)));
        least[k] = fmax(least[k], 0);
    }
    c->bound = combine(p, error, least);
    if (isnan(c->bound)) c->bound = INFINITY;
    double seen = at_point(p);
    if (seen > p->seen && isfinite(seen)) p->seen = seen;
}

/* ---- cells, the worst first --------------------------------------------------------------------------- */

static nigh_status add_cell(proof *p, const cell *c)
{
    if (p->count == p->room_cells) {
        int64_t room = p->room_cells ? 2 * p->room_cells : 1024;
        cell *more = nigh_alloc(p->ctx, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        if (p->count) memcpy(more, p->cells, (size_t)p->count * sizeof *more);
        nigh_free(p->ctx, p->cells);
        p->cells = more, p->room_cells = room;
    }
    int64_t at = p->count++;
    for (; at > 0 && p->cells[(at - 1) / 2].bound < c->bound; at = (at - 1) / 2) p->cells[at] = p->cells[(at - 1) / 2];
    p->cells[at] = *c;
    return NIGH_OK;
}

static cell take_worst(proof *p)
{
    cell worst = p->cells[0], last = p->cells[--p->count];
    int64_t at = 0;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= p->count) break;
        if (child + 1 < p->count && p->cells[child + 1].bound > p->cells[child].bound) child++;
        if (p->cells[child].bound <= last.bound) break;
        p->cells[at] = p->cells[child], at = child;
    }
    if (p->count) p->cells[at] = last;
    return worst;
}

static int widest(const proof *p, const cell *c)
{
    int best = 0;
    double most = -1;
    for (int v = 0; v < p->t->dims; v++) {
        double width = (c->high[v] - c->low[v]) / (p->parts->high[v] - p->parts->low[v]);
        if (width > most) most = width, best = v;
    }
    return best;
}

static nigh_status refine(proof *p)
{
    nigh_status status = NIGH_OK;
    for (int64_t boxes = 1; !status && boxes < MOST_BOXES; boxes++) {
        if (p->cells[0].bound <= ENOUGH * p->seen || p->cells[0].bound <= 1e-300) break;
        if (boxes > MOST_UNBOUNDED && !isfinite(p->cells[0].bound)) break; /* a pole, or a relative error where the value is 0 */
        cell worst = take_worst(p);
        int v = widest(p, &worst);
        double middle = 0.5 * (worst.low[v] + worst.high[v]);
        cell left = worst, right = worst;
        left.high[v] = right.low[v] = middle;
        if (!(middle > worst.low[v] && middle < worst.high[v])) { /* nothing left to cut */
            status = add_cell(p, &worst);
            break;
        }
        bound_cell(p, &left), bound_cell(p, &right);
        left.bound = fmin(left.bound, worst.bound), right.bound = fmin(right.bound, worst.bound);
        status = add_cell(p, &left);
        if (!status) status = add_cell(p, &right);
        if (!status && boxes % TELL_EVERY == 0) status = nigh_poll(p->ctx);
    }
    return status;
}

/* ---- making ready ------------------------------------------------------------------------------------- */

static nigh_status prepare(proof *p)
{
    const map_model *model = p->model;
    int dims = (int)model->d;
    nigh_status status = taylor_new(p->arena, dims, dims == 1 ? ORDER_1 : dims == 2 ? ORDER_2 : ORDER_MORE, &p->t);
    if (status) return status;
    size_t count = (size_t)p->t->count, most = 0, m = (size_t)model->m;
    for (size_t k = 0; k < m; k++) {
        size_t need = taylor_expr_room(p->t, p->parts->part[k]);
        most = need > most ? need : most;
    }
    p->room = nigh_arena_alloc(p->arena, most * sizeof(span));
    p->series = nigh_arena_alloc(p->arena, 2 * count * sizeof(span));
    p->rounding = nigh_arena_alloc(p->arena, m * sizeof(double));
    if (!p->room || !p->series || !p->rounding) return NIGH_MEMORY;
    for (int w = 0; w < 2; w++) {
        p->variables[w] = nigh_arena_alloc(p->arena, (size_t)dims * count * sizeof(span));
        p->exact[w] = nigh_arena_alloc(p->arena, m * count * sizeof(span));
        p->answer[w] = nigh_arena_alloc(p->arena, m * count * sizeof(span));
        if (!p->variables[w] || !p->exact[w] || !p->answer[w]) return NIGH_MEMORY;
    }
    status = certify_room_new(p->arena, p->t, model, &p->plan);
    return status ? status : certify_rounding(p->arena, model, p->parts->low, p->parts->high, p->rounding);
}

static nigh_status run(proof *p)
{
    cell all = {0};
    for (int v = 0; v < p->t->dims; v++) all.low[v] = p->parts->low[v], all.high[v] = p->parts->high[v];
    bound_cell(p, &all);
    nigh_status status = add_cell(p, &all);
    return status ? status : refine(p);
}

nigh_status map_certify(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out)
{
    static const char *const names[] = {"absolute", "relative", "rms", "relative-l2"};
    const map_model *model = plan->state;
    expression_parts parts;
    proof p = {.ctx = ctx, .model = model, .parts = &parts};
    if (!expression_take(problem, &parts)) return nigh_fail(ctx, NIGH_UNSUPPORTED, "a certificate needs an expression as the problem; of '%s' only answers are known", problem->name);
    if (model->d > TAYLOR_MOST_DIMS || model->m > CERTIFY_MOST_OUTPUTS)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a certificate covers up to %d inputs and %d outputs, not %lld and %lld", TAYLOR_MOST_DIMS, CERTIFY_MOST_OUTPUTS, (long long)model->d,
                         (long long)model->m);
    if (model->body == MAP_POINTS || (model->body == MAP_TERMS && model->periodic))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "no certificate of plans that sum %s", model->body == MAP_POINTS ? "functions of distances" : "sines and cosines");
    while (p.measure < CERTIFY_MEASURES && strcmp(names[p.measure], problem->measure->name) != 0) p.measure++;
    if (p.measure == CERTIFY_MEASURES) return nigh_fail(ctx, NIGH_UNSUPPORTED, "no certificate in the measure '%s'", problem->measure->name);
    nigh_status status = nigh_arena_new(ctx, &p.arena);
    if (!status) status = prepare(&p);
    if (!status) status = run(&p);
    if (!status) *out = (nigh_certificate){.worst = p.cells[0].bound, .inputs = INFINITY, .at = NAN, .how = "every point of the box: Taylor expansions over cells, rounding of the plan included"};
    if (!status && !isfinite(out->worst)) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "no finite bound of the %s error on the whole box", problem->measure->name);
    nigh_free(ctx, p.cells);
    nigh_arena_free(p.arena);
    return status;
}
