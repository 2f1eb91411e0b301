/* Minimisers: checks, steps, saved states. Declared in nigh/minimise.h. */
#include "grad/minimise.h"

#include <math.h>
#include <string.h>

static const minimise_method *const methods[] = {&minimise_lbfgs, &minimise_newton, &minimise_simplex, &minimise_residual};

const char *nigh_minimise_stop_text(nigh_minimise_stop stop)
{
    static const char *const texts[NIGH_MINIMISE_STOPS] = {
        "running", "the gradient is below its tolerance", "steps no longer lower the value", "the simplex is below its tolerance",
        "the target is reached", "no lower point is found: flat to rounding", "the most iterations are done", "the most evaluations are done"};
    return (unsigned)stop < NIGH_MINIMISE_STOPS ? texts[stop] : "";
}

nigh_status minimise_evaluate(nigh_minimiser *m, const double *x, double *f, double *g)
{
    m->state.evaluations++;
    return m->problem.gradient(m->problem.user, x, f, g);
}

double minimise_slope(const nigh_minimise_problem *problem, const double *x, const double *g)
{
    double most = 0;
    for (int64_t i = 0; i < problem->n; i++) {
        bool held = (problem->lower && x[i] <= problem->lower[i] && g[i] > 0) || (problem->upper && x[i] >= problem->upper[i] && g[i] < 0);
        double size = held ? 0 : fabs(g[i]);
        if (!(size <= most)) most = size; /* NaN too */
        if (size != size) return size;
    }
    return most;
}

void minimise_judge(nigh_minimiser *m, double before)
{
    minimise_state *s = &m->state;
    double change = before - s->f, scale = fmax(fmax(fabs(before), fabs(s->f)), 1e-300);
    s->calm = change <= m->options.decrease_tolerance * scale ? s->calm + 1 : 0;
    if (s->gradient <= m->options.gradient_tolerance) s->stop = NIGH_MINIMISE_GRADIENT;
    else if (s->calm >= 2) s->stop = NIGH_MINIMISE_DECREASE;
}

/* ---- checks ---- */

static nigh_status check_callbacks(nigh_context *ctx, const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    static const struct { int64_t most; bool bounds; } can[] = {
        {(int64_t)1 << 40, true}, {500, false}, {2000, true}, {32, false}};
    const char *name = methods[o->method]->name, *lacks = NULL;
    if (p->n < 1) return nigh_fail(ctx, NIGH_INVALID, "n is %lld unknowns; 1 or more is allowed", (long long)p->n);
    if (p->n > can[o->method].most)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s with %lld unknowns; at most %lld are allowed, L-BFGS takes more", name, (long long)p->n,
                         (long long)can[o->method].most);
    switch (o->method) {
    case NIGH_MINIMISE_NEWTON:
        if (!p->hessian) lacks = "hessian"; /* fall through */
    case NIGH_MINIMISE_LBFGS:
        if (!p->gradient) lacks = "gradient";
        break;
    case NIGH_MINIMISE_NELDER_MEAD:
        if (!p->value) lacks = "value";
        break;
    default:
        if (!p->residual) lacks = "residual";
        else if (p->rows < 1 || p->rows > 100000000)
            return nigh_fail(ctx, NIGH_INVALID, "rows is %lld residuals; 1 to 10^8 is allowed", (long long)p->rows);
    }
    if (lacks) return nigh_fail(ctx, NIGH_INVALID, "%s needs the callback %s, which is NULL", name, lacks);
    if (!can[o->method].bounds && (p->lower || p->upper))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s takes no bounds; L-BFGS and Nelder-Mead do", name);
    for (int64_t i = 0; i < p->n && (p->lower || p->upper); i++) {
        double low = p->lower ? p->lower[i] : -INFINITY, high = p->upper ? p->upper[i] : INFINITY;
        if (!(low <= high) || low == INFINITY || high == -INFINITY)
            return nigh_fail(ctx, NIGH_INVALID, "bounds of unknown %lld are %g and %g; lower <= upper is needed", (long long)i, low, high);
    }
    return NIGH_OK;
}

static double otherwise(double value, double fallback) { return value == 0 ? fallback : value; }

static nigh_status fill_options(nigh_context *ctx, const nigh_minimise_problem *p, nigh_minimise_options *o)
{
    bool squares = o->method == NIGH_MINIMISE_LEVENBERG_MARQUARDT;
    if (!o->memory) o->memory = 20;
    if (!o->threads) o->threads = nigh_context_threads(ctx);
    if (!o->restarts) o->restarts = 5;
    if (!o->iterations) o->iterations = p->n < 4950 ? 10000 + 200 * p->n : 1000000;
    if (!o->evaluations) o->evaluations = INT64_MAX;
    o->gradient_tolerance = otherwise(o->gradient_tolerance, squares ? -1 : 1e-8);
    o->decrease_tolerance = otherwise(o->decrease_tolerance, squares ? 1e-28 : 1e-15);
    o->simplex_tolerance = otherwise(o->simplex_tolerance, 1e-10);
    if (o->memory < 1 || o->memory > 1000) return nigh_fail(ctx, NIGH_INVALID, "memory is %d pairs; 1 to 1000 is allowed", o->memory);
    if (o->threads < 1 || o->threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "threads is %d; 1 to 1024 is allowed", o->threads);
    if (o->iterations < 1) return nigh_fail(ctx, NIGH_INVALID, "iterations is %lld; 1 or more is allowed", (long long)o->iterations);
    if (o->evaluations < 1) return nigh_fail(ctx, NIGH_INVALID, "evaluations is %lld; 1 or more is allowed", (long long)o->evaluations);
    if (o->gradient_tolerance != o->gradient_tolerance || o->decrease_tolerance != o->decrease_tolerance || o->simplex_tolerance != o->simplex_tolerance)
        return nigh_fail(ctx, NIGH_INVALID, "a tolerance is not a number");
    if (!(o->size >= 0 && o->size < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "size is %g; 0 (default) or more is allowed", o->size);
    return NIGH_OK;
}

/* ---- life ---- */

static nigh_status make(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options, nigh_minimiser **made)
{
    nigh_minimise_options full = {0};
    if (options) full = *options;
    if ((unsigned)full.method >= sizeof methods / sizeof *methods)
        return nigh_fail(ctx, NIGH_INVALID, "method is %d; 0 to 3 is allowed", (int)full.method);
    nigh_status status = fill_options(ctx, problem, &full);
    if (!status) status = check_callbacks(ctx, problem, &full);
    if (status) return status;
    nigh_minimiser *m = nigh_alloc_zero(ctx, 1, sizeof *m);
    if (!m) return NIGH_MEMORY;
    *m = (nigh_minimiser){.ctx = ctx, .method = methods[full.method], .problem = *problem, .options = full};
    m->room_count = m->method->room(problem, &full);
    m->room = nigh_alloc_zero(ctx, m->room_count, sizeof *m->room);
    if (m->room) m->scratch = nigh_alloc_zero(ctx, m->method->scratch(problem, &full), sizeof *m->scratch);
    if (!m->scratch) return nigh_minimiser_free(m), NIGH_MEMORY;
    *made = m;
    return NIGH_OK;
}

void nigh_minimiser_free(nigh_minimiser *m)
{
    if (!m) return;
    nigh_free(m->ctx, m->scratch);
    nigh_free(m->ctx, m->room);
    nigh_free(m->ctx, m);
}

nigh_status nigh_minimiser_new(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options,
                               const double *x, nigh_minimiser **made)
{
    nigh_minimiser *m = NULL;
    nigh_status status = make(ctx, problem, options, &m);
    if (status) return status;
    for (int64_t i = 0; i < problem->n; i++) {
        double at = x[i];
        if (!isfinite(at)) {
            status = nigh_fail(ctx, NIGH_INVALID, "unknown %lld starts at %g; a finite number is needed", (long long)i, at);
            goto failed;
        }
        if (problem->lower && at < problem->lower[i]) at = problem->lower[i];
        if (problem->upper && at > problem->upper[i]) at = problem->upper[i];
        m->room[i] = at;
    }
    status = m->method->start(m);
    if (status) goto failed;
    if (!isfinite(m->state.f) || isinf(m->state.gradient) || (m->method != &minimise_simplex && isnan(m->state.gradient))) {
        status = nigh_fail(ctx, NIGH_INVALID, "at the start the value is %g and the largest slope %g; both must be finite: start elsewhere",
                           m->state.f, m->state.gradient);
        goto failed;
    }
    if (m->state.gradient <= m->options.gradient_tolerance) m->state.stop = NIGH_MINIMISE_GRADIENT;
    if (m->options.has_target && m->state.f <= m->options.target) m->state.stop = NIGH_MINIMISE_TARGET;
    *made = m;
    return NIGH_OK;
failed:
    nigh_minimiser_free(m);
    return status;
}

nigh_status nigh_minimiser_step(nigh_minimiser *m, bool *running)
{
    minimise_state *s = &m->state;
    nigh_status status = nigh_poll(m->ctx);
    if (!status && s->stop == NIGH_MINIMISE_RUNNING) {
        minimise_state before = *s;
        status = m->method->step(m);
        if (status) {
            int64_t evaluations = s->evaluations;
            *s = before;
            s->evaluations = evaluations;
            return status;
        }
        s->iterations++;
        if (s->stop == NIGH_MINIMISE_RUNNING || s->stop == NIGH_MINIMISE_DECREASE) {
            if (m->options.has_target && s->f <= m->options.target) s->stop = NIGH_MINIMISE_TARGET;
        }
        if (s->stop == NIGH_MINIMISE_RUNNING && s->evaluations >= m->options.evaluations) s->stop = NIGH_MINIMISE_EVALUATIONS;
        if (s->stop == NIGH_MINIMISE_RUNNING && s->iterations >= m->options.iterations) s->stop = NIGH_MINIMISE_ITERATIONS;
        if (m->options.observe) {
            nigh_minimise_result now;
            nigh_minimiser_result(m, &now);
            status = m->options.observe(m->options.observe_user, &now);
        }
    }
    if (!status) *running = s->stop == NIGH_MINIMISE_RUNNING;
    return status;
}

void nigh_minimiser_result(const nigh_minimiser *m, nigh_minimise_result *result)
{
    const minimise_state *s = &m->state;
    *result = (nigh_minimise_result){.x = m->room, .f = s->f, .gradient = s->gradient, .iterations = s->iterations,
                                     .evaluations = s->evaluations, .stop = (nigh_minimise_stop)s->stop,
                                     .why = nigh_minimise_stop_text((nigh_minimise_stop)s->stop)};
}

nigh_status nigh_minimise(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options, double *x,
                          nigh_minimise_result *result)
{
    nigh_minimiser *m = NULL;
    nigh_status status = nigh_minimiser_new(ctx, problem, options, x, &m);
    bool running = true;
    while (!status && running) status = nigh_minimiser_step(m, &running);
    if (!status) {
        memcpy(x, m->room, (size_t)problem->n * sizeof *x);
        if (result) nigh_minimiser_result(m, result), result->x = NULL;
    }
    nigh_minimiser_free(m);
    return status;
}

/* ---- saved states: head, state, room, hash ---- */

typedef struct saved_head {
    char magic[8];
    uint64_t version, method, n, rows, memory, room;
} saved_head;

static saved_head head_of(const nigh_minimiser *m)
{
    return (saved_head){"nighmin", 1, (uint64_t)m->options.method, (uint64_t)m->problem.n, (uint64_t)m->problem.rows,
                        (uint64_t)m->options.memory, m->room_count};
}

static void hash_of(const saved_head *head, const minimise_state *state, const void *room, size_t bytes, char hex[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, head, sizeof *head);
    nigh_sha256_add(&hash, state, sizeof *state);
    nigh_sha256_add(&hash, room, bytes);
    nigh_sha256_hex(&hash, hex);
}

nigh_status nigh_minimiser_save(const nigh_minimiser *m, nigh_buffer *buffer)
{
    saved_head head = head_of(m);
    char hex[65];
    size_t bytes = m->room_count * sizeof *m->room, size = buffer->size;
    hash_of(&head, &m->state, m->room, bytes, hex);
    nigh_status status = nigh_buffer_add(buffer, &head, sizeof head);
    if (!status) status = nigh_buffer_add(buffer, &m->state, sizeof m->state);
    if (!status) status = nigh_buffer_add(buffer, m->room, bytes);
    if (!status) status = nigh_buffer_add(buffer, hex, 64);
    if (status) buffer->size = size;
    return status;
}

nigh_status nigh_minimiser_restore(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options,
                                   const void *bytes, size_t size, nigh_minimiser **restored)
{
    nigh_minimiser *m = NULL;
    nigh_status status = make(ctx, problem, options, &m);
    if (status) return status;
    saved_head head = head_of(m), found;
    size_t room = m->room_count * sizeof *m->room;
    const char *at = bytes;
    char hex[65];
    if (size < sizeof head || memcmp(at, head.magic, sizeof head.magic)) {
        status = nigh_fail(ctx, NIGH_FORMAT, "these %zu bytes are not a saved minimiser", size);
        goto failed;
    }
    memcpy(&found, at, sizeof found);
    if (memcmp(&found, &head, sizeof head)) {
        status = nigh_fail(ctx, NIGH_FORMAT,
                           "the saved minimiser is of version %llu, method %llu, %llu unknowns, %llu rows, memory %llu; this problem has "
                           "%llu, %llu, %llu, %llu, %llu",
                           (unsigned long long)found.version, (unsigned long long)found.method, (unsigned long long)found.n,
                           (unsigned long long)found.rows, (unsigned long long)found.memory, (unsigned long long)head.version,
                           (unsigned long long)head.method, (unsigned long long)head.n, (unsigned long long)head.rows,
                           (unsigned long long)head.memory);
        goto failed;
    }
    if (size != sizeof head + sizeof m->state + room + 64) {
        status = nigh_fail(ctx, NIGH_FORMAT, "the saved minimiser has %zu bytes instead of %zu", size, sizeof head + sizeof m->state + room + 64);
        goto failed;
    }
    memcpy(&m->state, at + sizeof head, sizeof m->state);
    memcpy(m->room, at + sizeof head + sizeof m->state, room);
    hash_of(&head, &m->state, m->room, room, hex);
    if (memcmp(hex, at + size - 64, 64)) {
        status = nigh_fail(ctx, NIGH_FORMAT, "the saved minimiser was changed: its hash does not fit");
        goto failed;
    }
    *restored = m;
    return NIGH_OK;
failed:
    nigh_minimiser_free(m);
    return status;
}
