/* Submodular functions against their definitions: gains over every prefix, after cuts, in any order; the random test; bad input. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

enum { ITEMS = 24, ELEMENTS = 40, DIM = 3, CLIENTS = 17 };

typedef struct world {
    nigh_context *ctx;
    int64_t start[ITEMS + 1], element[ITEMS * ELEMENTS];
    double weight[ELEMENTS], points[ITEMS * DIM], clients[CLIENTS * DIM], client_weight[CLIENTS];
    float similarity[ITEMS * CLIENTS];
    int64_t times;
    nigh_nearness near;
    bool use_matrix, linear, weighted;
} world;

static void make_world(world *w, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    memset(w, 0, sizeof *w);
    w->ctx = test_context_new();
    w->times = 1;
    w->weighted = true;
    for (int i = 0; i < ITEMS; i++) {
        w->start[i + 1] = w->start[i];
        for (int u = 0; u < ELEMENTS; u++)
            if (nigh_rng_f64(&rng) < 0.15) w->element[w->start[i + 1]++] = u;
    }
    for (int u = 0; u < ELEMENTS; u++) w->weight[u] = nigh_rng_exponential(&rng, 1);
    for (int i = 0; i < ITEMS * DIM; i++) w->points[i] = nigh_rng_normal(&rng);
    for (int i = 0; i < CLIENTS * DIM; i++) w->clients[i] = nigh_rng_normal(&rng);
    for (int i = 0; i < CLIENTS; i++) w->client_weight[i] = nigh_rng_exponential(&rng, 1);
    for (int i = 0; i < ITEMS * CLIENTS; i++) w->similarity[i] = (float)nigh_rng_f64(&rng);
}

/* ---- definitions ------------------------------------------------------------------------------------------------ */

static double covered(const world *w, int64_t count, const int64_t *item)
{
    double sum = 0;
    for (int u = 0; u < ELEMENTS; u++) {
        int64_t times = 0;
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = w->start[item[i]]; j < w->start[item[i] + 1]; j++) times += w->element[j] == u;
        sum += (w->weighted ? w->weight[u] : 1) * (double)(times < w->times ? times : w->times);
    }
    return sum;
}

static double distance2(const double *a, const double *b)
{
    double sum = 0;
    for (int j = 0; j < DIM; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static double served(const world *w, int64_t count, const int64_t *item)
{
    double sum = 0;
    for (int c = 0; c < CLIENTS; c++) {
        double best = 0;
        for (int64_t i = 0; i < count; i++) {
            double d2 = distance2(w->points + item[i] * DIM, w->clients + c * DIM), width = 1.5, near = exp(-d2 / (2 * width * width));
            if (w->near == NIGH_NEAR_CONE) near = fmax(0, 1 - sqrt(d2) / width);
            if (w->near == NIGH_NEAR_PARABOLA) near = fmax(0, 1 - d2 / (width * width));
            if (w->use_matrix) near = (double)w->similarity[item[i] * CLIENTS + c];
            best = fmax(best, (double)(float)near);
        }
        sum += w->client_weight[c] * best;
    }
    return sum;
}

/* log det by elimination. */
static double informed(const world *w, int64_t count, const int64_t *item)
{
    double a[ITEMS][ITEMS], sum = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++) {
            const double *x = w->points + item[i] * DIM, *y = w->points + item[j] * DIM;
            double inner = 0;
            for (int d = 0; d < DIM; d++) inner += x[d] * y[d];
            a[i][j] = (i == j) + (w->linear ? inner : exp(-distance2(x, y) / 2)) / 0.3;
        }
    for (int64_t p = 0; p < count; p++) {
        sum += log(a[p][p]);
        for (int64_t i = p + 1; i < count; i++)
            for (int64_t j = count - 1; j >= p; j--) a[i][j] -= a[i][p] / a[p][p] * a[p][j];
    }
    return sum;
}

typedef double value_fn(const world *w, int64_t count, const int64_t *item);

/* Random adds and cuts; after each, gains of all items over all prefixes. */
static void check_chain(const world *w, nigh_submodular *f, value_fn *value, double tolerance)
{
    nigh_rng rng = nigh_rng_new(5, 0);
    nigh_chain *chain;
    int64_t set[ITEMS + 1];
    assert_ok(w->ctx, nigh_chain_new(f, &chain));
    assert_int_equal(nigh_submodular_items(f), ITEMS);
    for (int step = 0; step < 40; step++) {
        int64_t length = nigh_chain_length(chain), item = (int64_t)nigh_rng_below(&rng, ITEMS);
        bool inside = false;
        for (int64_t i = 0; i < length; i++) inside |= set[i] == item;
        if (inside || length == 10) {
            nigh_chain_cut(chain, (int64_t)nigh_rng_below(&rng, (uint64_t)length + 1));
        } else {
            double gain;
            set[length] = item;
            assert_ok(w->ctx, nigh_chain_add(chain, item, &gain));
            assert_near(gain, value(w, length + 1, set) - value(w, length, set), tolerance, tolerance);
        }
        length = nigh_chain_length(chain);
        assert_near(nigh_chain_value(chain, length), value(w, length, set), tolerance, tolerance);
        assert_memory_equal(nigh_chain_items(chain), set, (size_t)length * sizeof *set);
        for (int64_t prefix = length; prefix >= 0; prefix -= 3) {
            int64_t list[ITEMS], count = 0, kept = set[prefix];
            double gains[ITEMS];
            for (int64_t i = 0; i < ITEMS; i++) {
                bool in = false;
                for (int64_t j = 0; j < length; j++) in |= set[j] == i;
                if (!in) list[count++] = i;
            }
            assert_ok(w->ctx, nigh_chain_gains(chain, prefix, count, list, gains));
            for (int64_t i = 0; i < count; i++) {
                set[prefix] = list[i];
                assert_near(gains[i], value(w, prefix + 1, set) - value(w, prefix, set), tolerance, tolerance);
            }
            set[prefix] = kept;
        }
    }
    nigh_chain_free(chain);
    nigh_submodular_report report;
    assert_ok(w->ctx, nigh_submodular_check(w->ctx, f, 20, 12, 3, &report));
    assert_int_equal(report.tests, 20);
    assert_int_equal(report.negative + report.growing + report.unordered, 0);
    nigh_submodular_free(f);
}

static void coverage_is_its_definition(void **state)
{
    (void)state;
    for (int64_t times = 1; times <= 3; times++)
        for (int weighted = 0; weighted < 2; weighted++) {
            world w;
            nigh_submodular *f;
            make_world(&w, 1);
            w.times = times, w.weighted = weighted;
            const nigh_coverage spec = {.items = ITEMS, .elements = ELEMENTS, .start = w.start, .element = w.element, .weight = weighted ? w.weight : NULL,
                                        .times = times == 1 ? 0 : times};
            assert_ok(w.ctx, nigh_submodular_coverage(w.ctx, &spec, &f));
            check_chain(&w, f, covered, 1e-12);
            test_context_free(w.ctx);
        }
}

static void repeated_elements_count_once(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const int64_t start[] = {0, 3, 3}, element[] = {1, 1, 0}, item[] = {0, 1};
    const nigh_coverage spec = {.items = 2, .elements = 2, .start = start, .element = element, .times = 5};
    nigh_submodular *f;
    nigh_chain *chain;
    double gain[2];
    assert_ok(ctx, nigh_submodular_coverage(ctx, &spec, &f));
    assert_ok(ctx, nigh_chain_new(f, &chain));
    assert_ok(ctx, nigh_chain_gains(chain, 0, 2, item, gain));
    assert_true(gain[0] == 2 && gain[1] == 0);
    assert_int_equal(nigh_submodular_count(f), 2);
    nigh_chain_free(chain);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

static void graphs_cover_closed_neighbourhoods(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const int64_t from[] = {0, 0, 1, 3, 2}, to[] = {1, 1, 2, 3, 1}, item[] = {0, 1, 2, 3}; /* a repeat, a mirror, a loop */
    for (int undirected = 0; undirected < 2; undirected++) {
        nigh_submodular *f;
        nigh_chain *chain;
        double gain[4];
        assert_ok(ctx, nigh_submodular_graph(ctx, 4, 5, from, to, undirected, &f));
        assert_ok(ctx, nigh_chain_new(f, &chain));
        assert_ok(ctx, nigh_chain_gains(chain, 0, 4, item, gain));
        assert_true(gain[0] == 2 && gain[1] == (undirected ? 3 : 2) && gain[2] == 2 && gain[3] == 1);
        nigh_chain_free(chain);
        nigh_submodular_free(f);
    }
    test_context_free(ctx);
}

static void facility_is_its_definition(void **state)
{
    (void)state;
    for (int way = 0; way < 8; way++) { /* three kernels, rows kept, few kept and none, and a matrix */
        world w;
        nigh_submodular *f;
        make_world(&w, 2);
        w.near = (nigh_nearness)(way % 3), w.use_matrix = way == 7;
        nigh_facility spec = {.items = ITEMS, .clients = CLIENTS, .d = DIM, .points = w.points, .client = w.clients, .weight = w.client_weight, .near = w.near, .width = 1.5,
                              .keep_bytes = way < 3 ? 0 : way < 6 ? -1 : 5 * CLIENTS * (int64_t)sizeof(float)};
        if (w.use_matrix) spec.points = spec.client = NULL, spec.similarity = w.similarity;
        assert_ok(w.ctx, nigh_submodular_facility(w.ctx, &spec, &f));
        check_chain(&w, f, served, 1e-12);
        test_context_free(w.ctx);
    }
}

static void logdet_is_its_definition(void **state)
{
    (void)state;
    for (int linear = 0; linear < 2; linear++) {
        world w;
        nigh_submodular *f;
        make_world(&w, 3);
        w.linear = linear;
        const nigh_logdet spec = {.items = ITEMS, .d = DIM, .points = w.points, .width = linear ? 0 : 1, .noise = 0.3};
        assert_ok(w.ctx, nigh_submodular_logdet(w.ctx, &spec, &f));
        check_chain(&w, f, informed, 1e-11);
        test_context_free(w.ctx);
    }
}

/* ---- from values; the random test ------------------------------------------------------------------------------- */

static nigh_status shifted(void *user, int64_t count, const int64_t *item, double *value)
{
    *value = 7 + covered(user, count, item);
    return NIGH_OK;
}

static nigh_status squared(void *user, int64_t count, const int64_t *item, double *value)
{
    (void)user, (void)item;
    *value = (double)(count * count);
    return NIGH_OK;
}

static nigh_status falling(void *user, int64_t count, const int64_t *item, double *value)
{
    (void)user, (void)item;
    *value = (double)count * (4 - (double)count);
    return NIGH_OK;
}

static nigh_status broken(void *user, int64_t count, const int64_t *item, double *value)
{
    *value = count > 2 ? NAN : covered(user, count, item);
    return NIGH_OK;
}

static void plain_values_make_a_function(void **state)
{
    (void)state;
    world w;
    nigh_submodular *f;
    make_world(&w, 4);
    assert_ok(w.ctx, nigh_submodular_values(w.ctx, ITEMS, shifted, &w, &f));
    check_chain(&w, f, covered, 1e-12);
    test_context_free(w.ctx);
}

static int warnings;

static void count_warnings(void *user, nigh_log_level level, const char *text)
{
    (void)user, (void)text;
    warnings += level == NIGH_LOG_WARNING;
}

static void random_test_finds_faults(void **state)
{
    (void)state;
    world w;
    nigh_submodular *f;
    nigh_submodular_report report;
    make_world(&w, 4);
    nigh_context_set_log(w.ctx, count_warnings, NULL);
    assert_ok(w.ctx, nigh_submodular_values(w.ctx, ITEMS, squared, &w, &f));
    assert_ok(w.ctx, nigh_submodular_check(w.ctx, f, 10, 8, 1, &report));
    assert_true(report.growing == 10 && report.negative == 0 && warnings == 1 && report.worst > 0.01);
    nigh_submodular_free(f);
    assert_ok(w.ctx, nigh_submodular_values(w.ctx, ITEMS, falling, &w, &f));
    assert_ok(w.ctx, nigh_submodular_check(w.ctx, f, 10, 8, 1, &report));
    assert_true(report.growing == 0 && report.negative == 10 && warnings == 2);
    nigh_submodular_free(f);
    assert_ok(w.ctx, nigh_submodular_values(w.ctx, ITEMS, broken, &w, &f));
    assert_fails(w.ctx, nigh_submodular_check(w.ctx, f, 10, 8, 1, &report), NIGH_FAILED, "finite");
    nigh_submodular_free(f);
    test_context_free(w.ctx);
}

/* ---- bad input -------------------------------------------------------------------------------------------------- */

static void bad_specs_are_named(void **state)
{
    (void)state;
    world w;
    nigh_submodular *f = NULL;
    make_world(&w, 5);
    nigh_coverage c = {.items = ITEMS, .elements = ELEMENTS, .start = w.start, .element = w.element, .times = 70000};
    assert_fails(w.ctx, nigh_submodular_coverage(w.ctx, &c, &f), NIGH_INVALID, "times is 70000");
    c.times = 1, w.element[w.start[3]] = ELEMENTS;
    assert_fails(w.ctx, nigh_submodular_coverage(w.ctx, &c, &f), NIGH_INVALID, "item 3 has element 40; 0 to 39");
    w.element[w.start[3]] = 0, w.weight[2] = -1, c.weight = w.weight;
    assert_fails(w.ctx, nigh_submodular_coverage(w.ctx, &c, &f), NIGH_INVALID, "weight 2 is -1");
    w.weight[2] = 1, w.start[2] = w.start[1] - 1;
    assert_fails(w.ctx, nigh_submodular_coverage(w.ctx, &c, &f), NIGH_INVALID, "start falls at item 1");
    int64_t from = 0, to = 9;
    assert_fails(w.ctx, nigh_submodular_graph(w.ctx, 5, 1, &from, &to, true, &f), NIGH_INVALID, "edge 0 is 0 to 9");
    nigh_facility p = {.items = ITEMS, .d = DIM, .points = w.points};
    assert_fails(w.ctx, nigh_submodular_facility(w.ctx, &p, &f), NIGH_INVALID, "width is 0");
    p.width = 1, w.points[DIM + 1] = INFINITY;
    assert_fails(w.ctx, nigh_submodular_facility(w.ctx, &p, &f), NIGH_INVALID, "point 1, number 1 is inf");
    nigh_logdet l = {.items = ITEMS, .d = DIM, .points = w.points, .width = 1, .noise = 1};
    assert_fails(w.ctx, nigh_submodular_logdet(w.ctx, &l, &f), NIGH_INVALID, "point 1, number 1 is inf");
    w.points[DIM + 1] = 0, l.noise = 0;
    assert_fails(w.ctx, nigh_submodular_logdet(w.ctx, &l, &f), NIGH_INVALID, "noise is 0");
    l.noise = 1, l.near = NIGH_NEAR_CONE;
    assert_fails(w.ctx, nigh_submodular_logdet(w.ctx, &l, &f), NIGH_INVALID, "positive definite");
    p.points = NULL;
    assert_fails(w.ctx, nigh_submodular_facility(w.ctx, &p, &f), NIGH_INVALID, "clients");
    p.clients = CLIENTS;
    assert_fails(w.ctx, nigh_submodular_facility(w.ctx, &p, &f), NIGH_INVALID, "either points or similarity");
    p.similarity = w.similarity, w.similarity[CLIENTS + 4] = -0.5f;
    assert_fails(w.ctx, nigh_submodular_facility(w.ctx, &p, &f), NIGH_INVALID, "item 1 and client 4 is -0.5");
    assert_null(f);
    test_context_free(w.ctx);
}

/* Every allocation fails in turn: the status says so, nothing is left. */
static nigh_status exercise(nigh_context *ctx, world *w, int which)
{
    nigh_submodular *f = NULL;
    nigh_chain *chain = NULL;
    const nigh_coverage c = {.items = ITEMS, .elements = ELEMENTS, .start = w->start, .element = w->element, .weight = w->weight};
    const nigh_facility p = {.items = ITEMS, .d = DIM, .points = w->points, .width = 1};
    const nigh_logdet l = {.items = ITEMS, .d = DIM, .points = w->points, .width = 1, .noise = 1};
    nigh_status status = which == 0   ? nigh_submodular_coverage(ctx, &c, &f)
                         : which == 1 ? nigh_submodular_facility(ctx, &p, &f)
                         : which == 2 ? nigh_submodular_logdet(ctx, &l, &f)
                                      : nigh_submodular_values(ctx, ITEMS, shifted, w, &f);
    if (!status) status = nigh_chain_new(f, &chain);
    for (int64_t i = 0; i < 6 && !status; i++) status = nigh_chain_add(chain, i, NULL);
    for (int64_t i = 5; i >= 0 && !status; i -= 2) {
        double gain;
        int64_t item = 10;
        status = nigh_chain_gains(chain, i, 1, &item, &gain);
    }
    nigh_submodular_report report;
    if (!status) status = nigh_submodular_check(ctx, f, 2, 5, 0, &report);
    nigh_chain_free(chain);
    nigh_submodular_free(f);
    return status;
}

static void memory_failures_are_clean(void **state)
{
    (void)state;
    world w;
    make_world(&w, 6);
    for (int which = 0; which < 4; which++) {
        nigh_status status = NIGH_MEMORY;
        for (long at = 1; status == NIGH_MEMORY && at < 200; at++) {
            test_allocator allocator = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&allocator);
            if (ctx) {
                status = exercise(ctx, &w, which);
                assert_true(status == NIGH_OK || status == NIGH_MEMORY);
                nigh_context_free(ctx);
            }
            assert_int_equal(allocator.live, 0);
        }
        assert_int_equal(status, NIGH_OK);
    }
    test_context_free(w.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_is_its_definition),    cmocka_unit_test(repeated_elements_count_once), cmocka_unit_test(graphs_cover_closed_neighbourhoods),
        cmocka_unit_test(facility_is_its_definition),    cmocka_unit_test(logdet_is_its_definition),     cmocka_unit_test(plain_values_make_a_function),
        cmocka_unit_test(random_test_finds_faults),      cmocka_unit_test(bad_specs_are_named),          cmocka_unit_test(memory_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
