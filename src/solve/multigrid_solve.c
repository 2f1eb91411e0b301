/* The multigrid solver's coarse operators, cycles and solvers (nigh/multigrid.h). */
#include "solve/multigrid.h"

#include <math.h>
#include <string.h>

typedef struct run {
    const nigh_multigrid *mg;
    const multigrid_kernels *k;
    char *workspace;
} run;

static void *base(const run *r, int level) { return multigrid_base(r->mg, level, r->workspace); }
static void *plane(const run *r, int level, int k, int q) { return (char *)base(r, level) + (size_t)multigrid_at(&r->mg->level[level], k, q) * r->k->size; }
static void *dense(const run *r, int64_t at) { return r->workspace + (size_t)(r->mg->dense + at) * r->k->size; }
static bool wraps(const multigrid_level *g) { return g->wrap_x || g->wrap_y; }

/* The four planes of an array of level 0 with their guards. */
static void *whole_array(const run *r, int k)
{
    const multigrid_level *g = &r->mg->level[0];
    return (char *)plane(r, 0, k, 0) - (size_t)(g->plane - g->count) * r->k->size;
}

static void wrap(const run *r, int level, int k)
{
    for (int q = 0; q < 4 && wraps(&r->mg->level[level]); q++) r->k->wrap(&r->mg->level[level], plane(r, level, k, q), q);
}

/* ---- coarse operators -------------------------------------------------------------------------------------------------------------- */

static double number(const run *r, const void *x, int64_t at) { return r->k->size == 4 ? ((const float *)x)[at] : ((const double *)x)[at]; }

static void more(const run *r, void *x, int64_t at, double value)
{
    if (r->k->size == 4)
        ((float *)x)[at] += (float)value;
    else
        ((double *)x)[at] += value;
}

/* The last level's matrix and its inverse, from the arrays that the kernel `galerkin` left on the level above. */
static void set_dense(const run *r)
{
    const nigh_multigrid *mg = r->mg;
    const int above = mg->levels - 1;
    const multigrid_level *g = &mg->level[above];
    const int64_t ny = g->rows, nx = g->cols, n = ny * nx;
    const void *stencil[4];
    for (int k = 0; k < 4; k++) stencil[k] = plane(r, above, MG_R, k);
    const void *center = plane(r, above, MG_X, 1);
    static const int down[4] = {0, 1, 1, 1}, across[4] = {1, 0, 1, -1};
    void *matrix = dense(r, 0);
    memset(matrix, 0, (size_t)(n * n) * r->k->size);
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            int64_t own = i * nx + j, from = i * g->step + j;
            more(r, matrix, own * n + own, number(r, center, from));
            for (int k = 0; k < 4; k++) {
                int64_t y = i + down[k], x = j + across[k];
                if (g->wrap_y) y = (y + ny) % ny;
                if (g->wrap_x) x = (x + nx) % nx;
                if (y < 0 || y >= ny || x < 0 || x >= nx) continue;
                double value = number(r, stencil[k], from);
                more(r, matrix, own * n + y * nx + x, -value);
                more(r, matrix, (y * nx + x) * n + own, -value);
            }
        }
    r->k->inverse(n, matrix);
}

/* The inner solver's finest operator, rounded. */
static void narrow_operator(const run *r)
{
    const nigh_multigrid *inner = r->mg->inner;
    const multigrid_level *g = &r->mg->level[0];
    run in = {inner, inner->kernels, multigrid_inner(r->mg, r->workspace)};
    static const int arrays[] = {MG_E, MG_N, MG_C, MG_F, MG_G};
    multigrid_guards(inner, in.workspace);
    for (int k = 0; k < (g->nine ? 5 : 3); k++) r->mg->mixed->narrow(4 * g->plane, 1, whole_array(r, arrays[k]), whole_array(&in, arrays[k]));
    inner->kernels->invert(g, base(&in, 0));
    *(multigrid_header *)in.workspace = *(const multigrid_header *)r->workspace;
}

void multigrid_chain(const nigh_multigrid *mg, void *workspace)
{
    run r = {mg, mg->kernels, workspace};
    if (mg->inner) {
        narrow_operator(&r);
        multigrid_chain(mg->inner, multigrid_inner(mg, workspace));
        return;
    }
    static const int to[4] = {MG_E, MG_N, MG_F, MG_G};
    for (int l = 0; l < mg->levels; l++) {
        const multigrid_level *g = &mg->level[l], *next = g + 1;
        r.k->weights(g, base(&r, l));
        r.k->galerkin(g, base(&r, l));
        if (l + 1 == mg->levels) break;
        for (int k = 0; k < 4; k++) {
            r.k->split(next, base(&r, l + 1), to[k], plane(&r, l, MG_R, k), g->step);
            wrap(&r, l + 1, to[k]);
        }
        r.k->split(next, base(&r, l + 1), MG_C, plane(&r, l, MG_X, 1), g->step);
        r.k->invert(next, base(&r, l + 1));
    }
    set_dense(&r);
}

/* ---- cycles -------------------------------------------------------------------------------------------------------------------------- */

/* How a cycle smooths. omega: of the colours of the first half; the second half's is 1, so that no residual is left on the last plane (the last two of 5-point ones). */
typedef struct smoothing {
    int before, after;
    double omega;
    bool mirrored; /* the steps after run backwards: a symmetric cycle */
} smoothing;

static const int colours[4] = {0, 3, 1, 2};
static double weight(const smoothing *s, int colour) { return colour < 2 ? s->omega : 1; }

static void smooth(const run *r, int level, const smoothing *s, int steps, bool backwards, bool from_zero)
{
    const multigrid_level *g = &r->mg->level[level];
    void *at = base(r, level);
    for (int step = 0; step < steps; step++)
        for (int c = 0; c < 4; c++) {
            int colour = backwards ? 3 - c : c, q = colours[colour];
            if (from_zero && !step && (c == 0 || (c == 1 && !g->nine)))
                r->k->start(g, at, q, weight(s, colour));
            else
                r->k->relax(g, at, q, weight(s, colour));
        }
}

static void clear_u(const run *r, int level, int from, int to)
{
    const multigrid_level *g = &r->mg->level[level];
    for (int c = from; c < to; c++) {
        memset(plane(r, level, MG_U, colours[c]), 0, (size_t)g->count * r->k->size);
        if (wraps(g)) r->k->wrap(g, plane(r, level, MG_U, colours[c]), colours[c]);
    }
}

/* R of all planes that have one after the steps before; the sum of its squares. */
static double residuals(const run *r, int level, const smoothing *s, unsigned *planes)
{
    const multigrid_level *g = &r->mg->level[level];
    void *at = base(r, level);
    double sum = r->k->residual(g, at, 0) + r->k->residual(g, at, 3);
    *planes = 9;
    if (g->nine || !s->before) sum += r->k->residual(g, at, 1), *planes |= 2;
    if (!s->before) sum += r->k->residual(g, at, 2), *planes |= 4;
    return sum;
}

/* From array k of a level to the next one's right side. */
static void down(const run *r, int level, int k, unsigned planes)
{
    const multigrid_level *g = &r->mg->level[level];
    r->k->restricted(g, base(r, level), k, planes);
    const char *from = plane(r, level, MG_X, 0);
    if (level + 1 < r->mg->levels) {
        r->k->split(g + 1, base(r, level + 1), MG_B, from, g->step);
        return;
    }
    char *to = dense(r, g->rows * g->cols * g->rows * g->cols);
    for (int64_t i = 0; i < g->rows; i++) memcpy(to + (size_t)(i * g->cols) * r->k->size, from + (size_t)(i * g->step) * r->k->size, (size_t)g->cols * r->k->size);
}

static void direct(const run *r)
{
    const multigrid_level *g = &r->mg->level[r->mg->levels];
    int64_t n = g->ny * g->nx;
    r->k->dense(n, dense(r, 0), dense(r, n * n), dense(r, n * n + n));
}

static void up(const run *r, int level, bool add)
{
    const multigrid_level *g = &r->mg->level[level];
    char *to = plane(r, level, MG_X, 0);
    r->k->clear(g, to);
    if (level + 1 < r->mg->levels)
        r->k->merge(g + 1, base(r, level + 1), MG_U, to, g->step);
    else {
        int64_t n = g->rows * g->cols;
        const char *from = dense(r, n * n + n);
        for (int64_t i = 0; i < g->rows; i++) memcpy(to + (size_t)(i * g->step) * r->k->size, from + (size_t)(i * g->cols) * r->k->size, (size_t)g->cols * r->k->size);
    }
    if (wraps(g)) r->k->wrap(g, to, 0);
    r->k->prolonged(g, base(r, level), add);
}

/* One V-cycle from `top` down; true when the residual there was at most `enough` after the steps before, and the rest was left out. */
static bool cycle(const run *r, int top, const smoothing *s, bool from_zero, double enough, double *squares)
{
    for (int l = top; l < r->mg->levels; l++) {
        const multigrid_level *g = &r->mg->level[l];
        bool fresh = l > top || from_zero;
        if (fresh && !s->before) clear_u(r, l, 0, 4);
        if (fresh && s->before) clear_u(r, l, g->nine ? 1 : 2, 4);
        smooth(r, l, s, s->before, false, fresh);
        unsigned planes;
        double sum = residuals(r, l, s, &planes);
        if (l == top) {
            if (squares) *squares = sum;
            if (sum <= enough) return true;
        }
        down(r, l, MG_R, planes);
    }
    direct(r);
    for (int l = r->mg->levels - 1; l >= top; l--) {
        up(r, l, true);
        smooth(r, l, s, s->after, s->mirrored, false);
    }
    return false;
}

/* Full multigrid: U of level 0 from B, `cycles` of them on every level but 0. */
static void start(const run *r, const smoothing *s, int cycles)
{
    for (int l = 0; l < r->mg->levels; l++) {
        wrap(r, l, MG_B);
        down(r, l, MG_B, 15);
    }
    direct(r);
    for (int l = r->mg->levels - 1; l >= 0; l--) {
        up(r, l, false);
        for (int i = 0; i < cycles && l; i++) cycle(r, l, s, false, -1, NULL);
    }
}

/* ---- solvers -------------------------------------------------------------------------------------------------------------------------- */

static void copy(const run *r, int from, int to)
{
    const multigrid_level *g = &r->mg->level[0];
    for (int q = 0; q < 4; q++) memcpy(plane(r, 0, to, q), plane(r, 0, from, q), (size_t)g->count * r->k->size);
}

/* Array k becomes 0 outside the system, and of mean 0 inside when that is singular. */
static void confine(const run *r, int k)
{
    const multigrid_level *g = &r->mg->level[0];
    const multigrid_header *header = (const multigrid_header *)r->workspace;
    if (!header->singular && !header->holes) return;
    double sum = 0, count = 0, mean = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int q = 0; q < 4; q++) {
            void *x = plane(r, 0, k, q);
            const void *d = plane(r, 0, MG_D, q);
            for (int64_t i = 0; i < g->rows; i++)
                for (int64_t t = i * g->step; t < i * g->step + g->cols; t++) {
                    const double value = number(r, x, t);
                    const bool inside = number(r, d, t) > 0;
                    if (pass)
                        more(r, x, t, inside ? -mean : -value);
                    else if (inside)
                        sum += value, count++;
                }
        }
        mean = header->singular && count > 0 ? sum / count : 0;
    }
}

static run inside(const run *r) { return (run){r->mg->inner, r->mg->inner->kernels, multigrid_inner(r->mg, r->workspace)}; }

/* U = one cycle's answer to B. size: of B, about. */
static void correct(const run *r, const smoothing *s, double size)
{
    if (!r->mg->inner) {
        cycle(r, 0, s, true, -1, NULL);
        return;
    }
    const int64_t n = 4 * r->mg->level[0].plane;
    run in = inside(r);
    double *u = whole_array(r, MG_U);
    r->mg->mixed->narrow(n, size > 0 ? 1 / size : 1, whole_array(r, MG_B), whole_array(&in, MG_B));
    cycle(&in, 0, s, true, -1, NULL);
    memset(u, 0, (size_t)n * sizeof *u);
    r->mg->mixed->widen(n, size > 0 ? size : 1, whole_array(&in, MG_U), u);
}

/* Conjugate gradients from U on; the solution is left in MG_SOLUTION. */
static void gradients(const run *r, const smoothing *s, double enough, int most, nigh_multigrid_report *report)
{
    const multigrid_level *g = &r->mg->level[0];
    void *at = base(r, 0);
    const multigrid_kernels *k = r->k;
    k->multiply(g, at, MG_U, MG_IMAGE);
    copy(r, MG_U, MG_SOLUTION);
    double squares = k->add(g, at, -1, MG_IMAGE, MG_B), before = 1;
    report->stop = NIGH_KRYLOV_MOST;
    for (;; report->cycles++, report->steps++) {
        report->residual = sqrt(squares);
        if (!isfinite(squares)) {
            report->stop = NIGH_KRYLOV_STALLED;
            return;
        }
        if (squares <= enough || squares == 0) {
            report->stop = squares <= enough ? NIGH_KRYLOV_MET : NIGH_KRYLOV_EXHAUSTED;
            return;
        }
        if (report->cycles >= most) return;
        correct(r, s, report->residual);
        double next = k->dot(g, at, MG_B, MG_U);
        if (!(next > 0)) {
            report->stop = NIGH_KRYLOV_INDEFINITE;
            return;
        }
        if (!report->steps)
            copy(r, MG_U, MG_DIRECTION);
        else /* conjugate to the direction before, whatever the cycle did */
            k->direction(g, at, -k->dot(g, at, MG_U, MG_IMAGE) / before, MG_U, MG_DIRECTION);
        double curvature = k->multiply(g, at, MG_DIRECTION, MG_IMAGE);
        if (!(curvature > 0)) {
            report->stop = NIGH_KRYLOV_INDEFINITE;
            return;
        }
        double along = k->dot(g, at, MG_DIRECTION, MG_B), alpha = along / curvature;
        k->add(g, at, alpha, MG_DIRECTION, MG_SOLUTION);
        squares = k->add(g, at, -alpha, MG_IMAGE, MG_B);
        before = curvature;
    }
}

/* Cycles from U on; true when conjugate gradients should go on. */
static bool cycles(const run *r, const smoothing *s, double enough, int most, nigh_multigrid_report *report)
{
    double before = INFINITY;
    int slow = 0;
    report->stop = NIGH_KRYLOV_MOST;
    while (report->cycles < most) {
        double squares;
        bool met = cycle(r, 0, s, false, enough, &squares);
        report->residual = sqrt(squares);
        if (!isfinite(squares)) {
            report->stop = NIGH_KRYLOV_STALLED;
            return false;
        }
        if (met) {
            report->stop = NIGH_KRYLOV_MET;
            return false;
        }
        report->cycles++;
        slow = squares > 0.25 * before ? slow + 1 : 0;
        before = squares;
        if (slow == 2 && enough >= 0) return true;
    }
    return false;
}

/*
 * The same with cycles in f32: each time they are given the residual in f64 and their answer is added to U. A few cycles at once, as long as f32 tells what they gain: its
 * rounding leaves about 1e-8 of the residual times the square of the cells across. True when conjugate gradients should go on.
 */
static bool refine(const run *r, const smoothing *s, int full, double enough, int most, nigh_multigrid_report *report)
{
    const multigrid_level *g = &r->mg->level[0];
    const int64_t n = 4 * g->plane;
    const int across = (int)(g->ny > g->nx ? g->ny : g->nx), at_once = across <= 64 ? 3 : 2;
    run in = inside(r);
    double *u = whole_array(r, MG_U), before = INFINITY;
    bool fresh = full >= 0; /* U is 0, and R is B */
    report->stop = NIGH_KRYLOV_MOST;
    if (fresh) memset(u, 0, (size_t)n * sizeof *u);
    for (;; fresh = false) {
        double squares = 0;
        if (fresh)
            squares = r->k->dot(g, base(r, 0), MG_B, MG_B);
        else
            for (int q = 0; q < 4; q++) squares += r->k->residual(g, base(r, 0), q);
        report->residual = sqrt(squares);
        if (!isfinite(squares)) {
            report->stop = NIGH_KRYLOV_STALLED;
            return false;
        }
        if (squares <= enough || squares == 0) {
            report->stop = squares <= enough ? NIGH_KRYLOV_MET : NIGH_KRYLOV_EXHAUSTED;
            return false;
        }
        if (report->cycles >= most && !(fresh && !most)) return false;
        if (squares > before && enough >= 0) return true;
        before = squares;
        r->mg->mixed->narrow(n, 1 / report->residual, whole_array(r, fresh ? MG_B : MG_R), whole_array(&in, MG_B));
        if (fresh) start(&in, s, full ? full : 1);
        if (!most) smooth(&in, 0, s, s->after, false, false);
        for (int i = 0; i < at_once && report->cycles < most; i++) { /* 0.1: some room for what f32 does not see */
            if (cycle(&in, 0, s, !fresh && !i, 0.1 * enough / squares, NULL)) {
                before *= 0.25;
                break;
            }
            report->cycles++;
            before *= 0.25; /* slower is too slow */
        }
        r->mg->mixed->widen(n, report->residual, whole_array(&in, MG_U), u);
        if (report->cycles >= most && enough < 0) return false; /* nobody asks what is left */
    }
}

void nigh_multigrid_solve(const nigh_multigrid *mg, const double *b, double *x, const nigh_multigrid_options *options, nigh_multigrid_report *report, void *workspace)
{
    static const nigh_multigrid_options usual = {.tolerance = 1e-10};
    if (!options) options = &usual;
    run r = {mg, mg->kernels, workspace};
    const multigrid_level *g = &mg->level[0];
    void *at = base(&r, 0);
    const smoothing s = {.before = options->before > 0 ? options->before : !options->before, .after = options->after > 0 ? options->after : !options->after, .omega = 1.15};
    const int most = options->most > 0 ? options->most : options->most < 0 ? 0 : 100;
    nigh_multigrid_report made = {.stop = NIGH_KRYLOV_MOST, .residual = NAN};
    if (options->full < 0) {
        r.k->split_f64(g, at, MG_U, x);
        wrap(&r, 0, MG_U);
    }
    r.k->split_f64(g, at, MG_B, b);
    confine(&r, MG_B);
    double enough = -1;
    if (options->tolerance > 0) enough = options->tolerance * options->tolerance * r.k->dot(g, at, MG_B, MG_B);
    if (!mg->inner) {
        if (options->full >= 0) start(&r, &s, options->full ? options->full : 1);
        if (!most) smooth(&r, 0, &s, s.after, false, false);
    } else if (options->gradients && most && options->full >= 0) /* no start there */
        memset(whole_array(&r, MG_U), 0, 4 * (size_t)g->plane * sizeof(double));
    int solution = MG_U;
    bool go_on = options->gradients && most ? true : mg->inner ? refine(&r, &s, options->full, enough, most, &made) : cycles(&r, &s, enough, most, &made);
    if (go_on) {
        gradients(&r, &s, enough, most, &made);
        solution = MG_SOLUTION;
    }
    confine(&r, solution);
    r.k->merge_f64(g, at, solution, x);
    if (report) *report = made;
}

void nigh_multigrid_multiply(const nigh_multigrid *mg, const double *x, double *y, void *workspace)
{
    run r = {mg, mg->kernels, workspace};
    r.k->split_f64(&mg->level[0], base(&r, 0), MG_DIRECTION, x);
    r.k->multiply(&mg->level[0], base(&r, 0), MG_DIRECTION, MG_IMAGE);
    r.k->merge_f64(&mg->level[0], base(&r, 0), MG_IMAGE, y);
}

void nigh_multigrid_precondition(const nigh_multigrid *mg, int smoothing_steps, const double *x, double *y, void *workspace)
{
    run r = {mg, mg->kernels, workspace};
    const int steps = smoothing_steps < 1 ? 1 : smoothing_steps;
    const smoothing s = {.before = steps, .after = steps, .omega = 1, .mirrored = true};
    r.k->split_f64(&mg->level[0], base(&r, 0), MG_B, x);
    confine(&r, MG_B);
    correct(&r, &s, sqrt(r.k->dot(&mg->level[0], base(&r, 0), MG_B, MG_B)));
    confine(&r, MG_U);
    r.k->merge_f64(&mg->level[0], base(&r, 0), MG_U, y);
}

nigh_status nigh_multigrid_apply_operator(void *user, const void *x, void *y)
{
    const nigh_multigrid_operator *o = user;
    nigh_multigrid_multiply(o->mg, x, y, o->workspace);
    return NIGH_OK;
}

nigh_status nigh_multigrid_apply_preconditioner(void *user, const void *x, void *y)
{
    const nigh_multigrid_operator *o = user;
    nigh_multigrid_precondition(o->mg, o->smoothing, x, y, o->workspace);
    return NIGH_OK;
}

/*
 * Operations a cell: of five points 9 a relaxation, of nine 17; every coarser level has a quarter of the cells. Bytes: arrays that pass by. What is in f64 beside cycles in f32 is the
 * finest operator, and a residual every third cycle.
 */
nigh_multigrid_work nigh_multigrid_cost(const nigh_multigrid_spec *spec)
{
    enum { SETUP = 85, CYCLE = 48, FULL = 36, SETUP_ARRAYS = 40, CYCLE_ARRAYS = 26, FULL_ARRAYS = 18, OUTER_SETUP = 20, OUTER_SETUP_ARRAYS = 14, OUTER_CYCLE = 5, OUTER_CYCLE_ARRAYS = 5 };
    const bool mixed = spec->mixed && !spec->single;
    const double cells = (double)spec->rows * (double)spec->cols, bytes = cells * (spec->single || mixed ? 4 : 8), outer = mixed ? cells : 0;
    return (nigh_multigrid_work){SETUP * cells + OUTER_SETUP * outer, SETUP_ARRAYS * bytes + OUTER_SETUP_ARRAYS * 8 * outer, FULL * cells, FULL_ARRAYS * bytes,
                                 CYCLE * cells + OUTER_CYCLE * outer, CYCLE_ARRAYS * bytes + OUTER_CYCLE_ARRAYS * 8 * outer};
}
