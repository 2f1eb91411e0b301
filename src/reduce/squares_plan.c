/* The planner of least squares: rates of the parts, measured on the first rows, and what each method would cost to meet E. */
#include "reduce/squares.h"

#include "nigh/special.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* ---- what sketches give ------------------------------------------------------------------------------------------------- */

bool squares_is_sketch(nigh_squares_method m)
{
    return m == NIGH_SQUARES_SRHT || m == NIGH_SQUARES_COUNT || m == NIGH_SQUARES_SPARSE || m == NIGH_SQUARES_GAUSSIAN;
}

double sketch_share(nigh_squares_method method, int64_t n, int64_t m)
{
    double padded = exp2(ceil(log2((double)n)));
    return method == NIGH_SQUARES_SRHT ? fmax(0, 1 - (double)m / padded) : 1;
}

/*
 * The edge of the law of Marchenko and Pastur and a tail. Sparse sketches have another worst case, d rows that each carry a direction alone: as many of them as
 * meet in one of the m sums add up.
 */
double sketch_distortion(nigh_squares_method method, int64_t d, int64_t m, double delta)
{
    double edge = sqrt((double)d / (double)m) + sqrt(2 * log(2 / delta) / (double)m), meet = 1, chance = (double)d;
    while (method == NIGH_SQUARES_COUNT && chance > delta && meet < (double)d) {
        meet++;
        chance *= (double)d / (double)m / meet;
    }
    return method == NIGH_SQUARES_SPARSE ? 1.25 + edge : sqrt(meet) + edge;
}

double sketch_quantile(int64_t d, double delta) { return nigh_normal_tail_quantile(delta / (2 * (double)d)); }

/* The largest ratio of the true error to |R^-T g| for the solution of the sketch that R is of: small directions of the sketch enlarge both. */
static double own_ratio(nigh_squares_method method, int64_t d, int64_t m, double delta)
{
    double sigma = sketch_distortion(method, d, m, delta), level = 1 + nigh_normal_tail_quantile(delta) * sqrt(2 / (double)d);
    return (method == NIGH_SQUARES_SRHT || method == NIGH_SQUARES_GAUSSIAN) && level < sigma ? level : sigma;
}

/* With d / (m - d - 1) for the mean of the square, and once more d / m because |R^-T g| is measured by the sketch. */
double sketch_error(nigh_squares_method method, int64_t n, int64_t d, int64_t m, double delta)
{
    if (m <= d + 1) return INFINITY;
    double mean = (double)d / (double)(m - d - 1) * sketch_share(method, n, m), level = 1 + 1.5 / sqrt((double)d);
    return sqrt(mean * level / (1 - (double)d / (double)m)) * own_ratio(method, d, m, delta);
}

double squares_wanted(const nigh_squares_options *o) { return sqrt(o->error * (2 + o->error)); }

int64_t squares_rows(const nigh_squares_options *o, nigh_squares_method method, int64_t n, int64_t m)
{
    if (o->rows) m = o->rows;
    else m = (m + 63) / 64 * 64;
    if (method == NIGH_SQUARES_SPARSE) m = (m + 7) / 8 * 8;
    return method == NIGH_SQUARES_SRHT || m <= n ? m : n;
}

/* Passes of conjugate gradients after a sketch of m rows; -1: more than allowed. */
static int64_t passes_needed(const nigh_squares *p, const nigh_squares_options *o, nigh_squares_method method, int64_t m)
{
    double d = (double)p->d, rate = fmin(0.95, 1.1 * sqrt(d / (double)m) + 0.01), sigma = sketch_distortion(method, p->d, m, o->delta);
    double start = sketch_error(method, p->n, p->d, m, o->delta), wanted = squares_wanted(o);
    if (o->coordinates) { /* the first bound needs no pass; the second loses sqrt(d) */
        double first = sketch_quantile(p->d, o->delta) * sqrt(d / (double)(m - p->d - 1) * sketch_share(method, p->n, m));
        if (first <= o->error && method != NIGH_SQUARES_COUNT && method != NIGH_SQUARES_SPARSE) return 0;
        wanted = o->error / sqrt(d) / sigma;
    }
    if (start <= wanted) return 0;
    int64_t passes = (int64_t)ceil(log(start / wanted) / -log(rate)) + 1; /* and one that looks at the result */
    return passes <= (o->most ? o->most : 60) ? passes : -1;
}

/* ---- rates ----------------------------------------------------------------------------------------------------------------- */

/* Of a core with AVX-512 of some 60 GFlop/s in products, measured with the rows in the third-level cache (near) and beyond it. */
static void guess(const nigh_squares *p, int threads, nigh_squares_rates *r)
{
    double d = (double)p->d, n = (double)p->n, fill = p->a ? d : (double)nigh_sparse_count(p->sparse) / n;
    double slow = nigh_cpu() == NIGH_CPU_AVX512 ? 1 : nigh_cpu() == NIGH_CPU_AVX2 ? 1.6 : 6, share = n * fill < 1 << 17 ? 1 : 1 / (double)threads;
    bool near = n * fill < 6e6;
    *r = (nigh_squares_rates){.d = p->d, .threads = threads, .factor = slow * (3e-11 * d * d * d + 2e-8 * d * d)};
    r->pass = share * ((near ? 0.48e-9 : 0.68e-9) * fill + (p->a ? 1e-9 : 5e-9));
    r->gram = share * (p->a ? slow * 1.65e-11 * d * d + 0.6e-9 * d + 2e-9 : 2e-9 * fill * fill);
    r->qr = share * slow * (7e-11 * d * d + 4e-9 * d);
    r->srht = share * slow * 1.35e-9 * (8 * ceil(d / 8) + 8), r->srht_sum = share * slow * 1.3e-9 * d;
    r->count = share * (p->a ? (near ? 0.55e-9 : 0.95e-9) * d + 2.5e-8 : 0.9e-9 * fill + 4e-8);
    r->sparse = share * (p->a ? 4e-9 : 5e-9) * fill + share * 1e-7;
}

typedef struct trial {
    nigh_context *ctx;
    rows r;
    nigh_squares problem;
    double *room, *g, *gram;
} trial;

/* The second of two runs: memory that is new costs more than the work on so few rows. */
static nigh_status timed_sketch(trial *t, nigh_sketch_kind kind, int64_t m, double *seconds)
{
    nigh_sketch *s = NULL;
    int64_t n = t->problem.n, d = t->problem.d;
    double *out = nigh_alloc(t->ctx, (size_t)(m * d) * sizeof *out), began = nigh_clock(), drawn = 0;
    nigh_status status = out ? nigh_sketch_new(t->ctx, &(nigh_sketch_spec){.kind = kind, .n = n, .m = m}, &s) : NIGH_MEMORY;
    drawn = nigh_clock() - began;
    for (int k = 0; k < 2 && !status; k++) {
        began = nigh_clock();
        status = t->problem.a ? nigh_sketch_apply(t->ctx, s, d, d, t->problem.a, NULL, out) : nigh_sketch_apply_sparse(t->ctx, s, t->problem.sparse, NULL, out);
    }
    *seconds = (nigh_clock() - began + drawn) / (double)n;
    nigh_sketch_free(t->ctx, s);
    nigh_free(t->ctx, out);
    return status;
}

static nigh_status measure(nigh_context *ctx, const nigh_squares *problem, nigh_squares_rates *rates)
{
    int64_t d = problem->d, entries = problem->a ? problem->n * d : nigh_sparse_count(problem->sparse), least = (1 << 18) / d;
    nigh_squares_rates found;
    guess(problem, nigh_context_threads(ctx), &found);
    if ((double)entries * (double)(problem->a ? d : 64) < 2e9 || d > 4000) return *rates = found, NIGH_OK;
    least = least < 1024 ? 1024 : least;
    int64_t n = problem->a ? least : problem->n / 16 + 1;
    if (n > problem->n) n = problem->n;
    nigh_sparse head = problem->sparse ? *problem->sparse : (nigh_sparse){0};
    head.rows = n;
    trial t = {.ctx = ctx, .problem = {n, d, problem->a, problem->sparse ? &head : NULL, problem->b, NULL}};
    nigh_status status = rows_new(ctx, &t.problem, 0, &t.r);
    if (status) return status;
    t.room = nigh_alloc(ctx, (size_t)rows_room(&t.r) * sizeof *t.room);
    t.g = nigh_alloc(ctx, 2 * (size_t)d * sizeof *t.g);
    t.gram = nigh_alloc(ctx, (size_t)(d * d) * sizeof *t.gram);
    if (!t.room || !t.g || !t.gram) status = NIGH_MEMORY;
    int before = dense_enter(ctx, 0);
    double square, began = nigh_clock();
    if (!status) {
        memset(t.g + d, 0, (size_t)d * sizeof *t.g);
        rows_pass(&t.r, true, t.g + d, &square, t.g, t.room);
        found.pass = (nigh_clock() - began) / (double)n;
        began = nigh_clock();
        status = rows_gram(&t.r, t.gram, t.g);
        found.gram = (nigh_clock() - began) / (double)n;
    }
    if (!status) status = timed_sketch(&t, NIGH_SKETCH_COUNT, n < 1024 ? n : 1024, &found.count);
    if (!status && problem->a) status = timed_sketch(&t, NIGH_SKETCH_SRHT, n < 1024 ? n : 1024, &found.srht);
    found.srht_sum = 0.45 * found.srht;
    found.sparse = fmax(8 * found.count, 2 * found.srht);
    found.qr = 3.2 * found.gram; /* twice the work, at less speed; to measure it would take longer than it can save */
    dense_leave(before);
    rows_free(&t.r);
    nigh_free(ctx, t.room);
    nigh_free(ctx, t.g);
    nigh_free(ctx, t.gram);
    if (!status) *rates = found;
    return status;
}

nigh_status nigh_squares_measure(nigh_context *ctx, const nigh_squares *problem, nigh_squares_rates *rates)
{
    nigh_status status = rows_check(ctx, problem);
    return status ? status : measure(ctx, problem, rates);
}

/* ---- costs ------------------------------------------------------------------------------------------------------------------- */

static double sketch_seconds(const nigh_squares *p, const nigh_squares_rates *r, nigh_squares_method method, int64_t m)
{
    double n = (double)p->n, out = (double)m;
    if (method == NIGH_SQUARES_SRHT) return n * (r->srht + r->srht_sum * out / 4096);
    if (method == NIGH_SQUARES_COUNT) return n * r->count;
    if (method == NIGH_SQUARES_SPARSE) return n * r->sparse;
    return n * out * (double)p->d * 4e-11 + n * out * 4e-9;
}

static const double MOST_NUMBERS = 1 << 29, LEAST_SECONDS = 0.5;

/* The best size of a sketch, or that asked for; `why` when none will do. */
static void cost_sketch(const nigh_squares *p, const nigh_squares_options *o, const nigh_squares_rates *r, nigh_squares_choice *c)
{
    static const int times[] = {4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
    c->why = o->rows ? "the sketch asked for does not reach the error" : "fewer than 16 rows a column: a sketch gains nothing";
    for (size_t k = 0; k < sizeof times / sizeof *times; k++) {
        int64_t m = squares_rows(o, c->method, p->n, times[k] * p->d);
        if (!o->rows && m > p->n / 4) break;
        /* rows whose numbers form a subcube have but d different rows in the transform, and all d must be drawn */
        if (!o->rows && c->method == NIGH_SQUARES_SRHT && (double)m < (double)p->d * log((double)p->d / o->delta)) continue;
        if ((double)m * (double)p->d > MOST_NUMBERS) {
            c->why = "the sketch would be larger than 4 GiB";
            break;
        }
        int64_t passes = passes_needed(p, o, c->method, m);
        if (passes < 0) {
            c->why = "more passes than are allowed";
            continue;
        }
        double seconds = sketch_seconds(p, r, c->method, m) + (double)m * (p->a ? r->gram + 1.5 * r->pass : 6e-11 * (double)p->d * (double)p->d) + r->factor + (double)(passes + 1 + o->correct) * (double)p->n * r->pass;
        if (seconds < c->seconds) c->seconds = seconds, c->rows = m, c->passes = passes, c->why = NULL;
        if (o->rows) break;
    }
}

static void cost(const nigh_squares *p, const nigh_squares_options *o, const nigh_squares_rates *r, nigh_squares_choice *c)
{
    double n = (double)p->n, d = (double)p->d, pass = n * r->pass;
    bool wide = p->n < p->d && !(o->ridge > 0);
    c->seconds = INFINITY;
    if (wide && c->method != NIGH_SQUARES_LSQR) {
        c->why = "fewer rows than columns";
    } else if (p->d > 20000 && c->method != NIGH_SQUARES_LSQR && c->method != NIGH_SQUARES_DIRECT) {
        c->why = "more than 20000 columns: no dense factor";
    } else if (c->method == NIGH_SQUARES_QR) {
        if (p->sparse) c->why = "for dense rows";
        else c->seconds = n * r->qr + r->factor + pass;
    } else if (c->method == NIGH_SQUARES_NORMAL) {
        if (d * d * (double)r->threads > MOST_NUMBERS) c->why = "the Gram matrices of the threads would be larger than 4 GiB";
        else c->seconds = n * r->gram + r->factor + (p->a ? 0 : pass);
    } else if (c->method == NIGH_SQUARES_DIRECT) {
        if (p->a) c->why = "for sparse rows";
        else c->passes = 1, c->seconds = n * r->gram * 2 + 4e-9 * d * d + 2 * pass; /* before the factor is known: that of few fill-ins */
    } else if (c->method == NIGH_SQUARES_LSQR) {
        if (p->a) c->why = "for sparse rows: others have bounds";
        else if (o->coordinates) c->why = "no bound on coefficients";
        else c->passes = 200, c->seconds = 200 * pass;
    } else if (c->method == NIGH_SQUARES_GAUSSIAN && o->method != NIGH_SQUARES_GAUSSIAN) {
        c->why = "for reference only";
    } else if (p->sparse && (c->method == NIGH_SQUARES_SRHT || c->method == NIGH_SQUARES_GAUSSIAN)) {
        c->why = "a dense sketch fills sparse rows";
    } else {
        cost_sketch(p, o, r, c);
    }
}

/*
 * Fixed figures decide where one way is clearly the best or the work is small; a trial costs as much as the first 1024 rows, so it must be a small part of the whole.
 */
static nigh_status rank(nigh_context *ctx, const nigh_squares *p, const nigh_squares_options *o, const nigh_squares_rates *r, nigh_squares_choice *choices)
{
    for (int k = 0; k < NIGH_SQUARES_METHODS - 1; k++) {
        nigh_squares_choice c = {.method = (nigh_squares_method)(k + 1)};
        cost(p, o, r, &c);
        int at = k;
        for (; at > 0 && choices[at - 1].seconds > c.seconds; at--) choices[at] = choices[at - 1];
        choices[at] = c;
    }
    return nigh_poll(ctx);
}

nigh_status squares_plan(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *o, nigh_squares_choice *choices, nigh_squares_rates *rates)
{
    nigh_squares_rates used;
    bool given = o->rates && o->rates->d == problem->d;
    if (given) used = *o->rates;
    else guess(problem, nigh_context_threads(ctx), &used);
    nigh_status status = rank(ctx, problem, o, &used, choices);
    if (!status && !given && o->method == NIGH_SQUARES_AUTO && choices[0].seconds > LEAST_SECONDS && choices[1].seconds < 1.5 * choices[0].seconds) {
        status = measure(ctx, problem, &used);
        if (!status) status = rank(ctx, problem, o, &used, choices);
    }
    if (!status && rates) *rates = used;
    return status;
}

nigh_status nigh_squares_plan(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *options, nigh_squares_choice *choices,
                              nigh_squares_rates *rates)
{
    nigh_squares_options o = *options;
    if (!(o.error > 0)) o.error = 1e-10;
    if (!(o.delta > 0)) o.delta = 0.01;
    nigh_status status = rows_check(ctx, problem);
    return status ? status : squares_plan(ctx, problem, &o, choices, rates);
}
