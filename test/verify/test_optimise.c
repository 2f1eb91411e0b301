/* Optimised slopes and multipliers: never worse than plain, never above what is reached, equal to the exact minimum where all signs are known. */
#include "crown_support.h"

static const bounds_options proved = {.threads = 1}, fast = {.fast = true, .threads = 1}, two = {.threads = 2};

/* The least of row . y over random points of domain d; points whose arguments leave the domain's intervals do not count. */
static double sampled(const bound_graph *g, const bounds_batch *batch, int64_t d, const double *row, int points)
{
    double *x = malloc((size_t)g->inputs * sizeof *x), *y = malloc((size_t)g->node[g->output].size * sizeof *y), **value = calloc((size_t)g->nodes, sizeof *value), least = INFINITY;
    for (int k = 0; k < g->nodes; k++) value[k] = malloc((size_t)g->node[k].size * sizeof **value + 1);
    for (int s = 0; s < points; s++) {
        bool inside = true;
        for (int64_t i = 0; i < g->inputs; i++) {
            double l = batch->low[d * g->inputs + i], h = batch->high[d * g->inputs + i];
            x[i] = s % 2 ? uniform(l, h) : uniform(-1, 1) > 0 ? l : h;
        }
        bound_graph_evaluate(g, x, y, value);
        for (int t = 0; t < g->activations; t++) {
            int m = g->node[g->activation[t]].input[0];
            for (int64_t j = 0; j < g->node[m].size; j++) inside = inside && value[m][j] >= batch->pre_low[t][d * g->node[m].size + j] && value[m][j] <= batch->pre_high[t][d * g->node[m].size + j];
        }
        double sum = 0;
        for (int64_t j = 0; j < g->node[g->output].size; j++) sum += row[j] * y[j];
        if (inside && sum < least) least = sum;
    }
    for (int k = 0; k < g->nodes; k++) free(value[k]);
    free(value), free(x), free(y);
    return least;
}

static void climb(nigh_context *ctx, int kind, bound_function f, const bounds_options *options, int each)
{
    enum { DOMAINS = 2, MOST = 4 };
    bound_graph *g = random_graph(ctx, kind, f);
    bounds *b = new_bounds(ctx, g, options);
    bounds_batch batch;
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, BOUNDS_SLOPE, &batch));
    random_boxes(g, &batch, DOMAINS, 0.2);
    bounds_interval(b, &batch, false);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    bounds_slopes(g, &batch, 0);
    int64_t n = g->node[g->output].size;
    double *row = malloc((size_t)(DOMAINS * each * n) * sizeof *row), plain[DOMAINS * MOST], best[DOMAINS * MOST];
    for (int64_t i = 0; i < DOMAINS * each * n; i++) row[i] = uniform(-1, 1);
    bounds_rows rows = {.node = g->output, .rows = each, .coefficient = row, .bound = plain};
    assert_ok(ctx, bounds_lower(b, &batch, &rows));
    rows.bound = best;
    assert_ok(ctx, bounds_optimise(b, &batch, &rows, &(bounds_optimise_options){.steps = f == BOUND_TANH || f == BOUND_SIGMOID ? 5 : 20}));
    for (int d = 0; d < DOMAINS; d++) {
        double before = 0, after = 0;
        for (int r = 0; r < each; r++) {
            int at = d * each + r;
            before += plain[at], after += best[at];
            assert_near(best[at], textbook(g, &batch, d, g->output, row + at * n, true, NULL), 1e-9, 1e-9);
            assert_true(sampled(g, &batch, d, row + at * n, 100) >= best[at] - 1e-12);
        }
        assert_true(after >= before - 1e-11 * (1 + fabs(before)));
        if (f == BOUND_RELU && each == 1 && kind == GRAPH_DEEP) assert_true(after > before); /* something is gained */
    }
    free(row);
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
}

static void test_slopes(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const bound_function functions[] = {BOUND_RELU, BOUND_TANH, BOUND_ABS, BOUND_LEAKY, BOUND_SIGMOID};
    for (int kind = 0; kind < GRAPHS; kind++)
        for (int f = 0; f < 5; f++) {
            bool smooth = functions[f] == BOUND_TANH || functions[f] == BOUND_SIGMOID; /* lines of these take long */
            if (smooth && kind != GRAPH_CHAIN && kind != GRAPH_MIXED && kind != GRAPH_GROUPS) continue;
            climb(ctx, kind, functions[f], f % 2 ? &proved : &fast, f ? 1 : 4);
        }
    climb(ctx, GRAPH_DEEP, BOUND_RELU, &proved, 1);
    climb(ctx, GRAPH_FIELDS, BOUND_RELU, &two, 1);
    test_context_free(ctx);
}

/* Rows on halves of a domain have the bounds of the domains that the halves are. */
static void halves(nigh_context *ctx, int kind, bound_function f, const bounds_options *options)
{
    enum { DOMAINS = 3 };
    bound_graph *g = random_graph(ctx, kind, f);
    bounds *b = new_bounds(ctx, g, options);
    bounds_batch batch, apart;
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, BOUNDS_SLOPE | BOUNDS_SPLIT, &batch));
    assert_ok(ctx, bounds_batch_new(ctx, g, 1, BOUNDS_SLOPE | BOUNDS_SPLIT, &apart));
    random_boxes(g, &batch, DOMAINS, 0.2);
    bounds_interval(b, &batch, false);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    bounds_slopes(g, &batch, 0);
    int64_t n = g->node[g->output].size;
    double *row = malloc((size_t)(DOMAINS * 3 * n) * sizeof *row), bound[DOMAINS * 3], alone;
    for (int64_t i = 0; i < DOMAINS * 3 * n; i++) row[i] = uniform(-1, 1);
    int used = 0;
    for (int a = 0; a < g->activations; a++) {
        int64_t size = g->node[g->activation[a]].size, j = a % size;
        for (int d = 0; d < DOMAINS; d++) { /* a split that is there already, with its multiplier */
            int64_t other = d * size + size - 1;
            if (j == size - 1 || batch.pre_low[a][other] >= 0 || batch.pre_high[a][other] <= 0) continue;
            batch.pre_low[a][other] = 0, batch.split[a][other] = 1, batch.beta[a][other] = 0.01;
        }
        bounds_half half[DOMAINS * 3];
        for (int r = 0; r < DOMAINS * 3; r++) half[r] = (bounds_half){r % 3 < 2 ? a : -1, j, r % 3 == 1};
        bounds_rows rows = {.node = g->output, .rows = 3, .coefficient = row, .half = half, .bound = bound};
        assert_ok(ctx, bounds_lower(b, &batch, &rows));
        for (int r = 0; r < DOMAINS * 3; r++) {
            bounds_batch_copy(g, &batch, r / 3, &apart, 0);
            apart.domains = 1;
            double *low = &apart.pre_low[a][j], *high = &apart.pre_high[a][j];
            if (*low >= 0 || *high <= 0) continue;
            if (r % 3 == 0) *low = 0;
            if (r % 3 == 1) *high = 0;
            assert_ok(ctx, bounds_lower(b, &apart, &(bounds_rows){.node = g->output, .rows = 1, .coefficient = row + r * n, .bound = &alone}));
            assert_near(bound[r], alone, 1e-9, 1e-9);
            used++;
        }
    }
    if (kind == GRAPH_DEEP) assert_true(used > 0);
    free(row);
    bounds_batch_free(ctx, g, &batch);
    bounds_batch_free(ctx, g, &apart);
    bounds_free(b);
    bound_graph_free(g);
}

static void test_halves(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const bound_function functions[] = {BOUND_RELU, BOUND_ABS, BOUND_LEAKY};
    for (int kind = 0; kind < GRAPHS; kind++)
        for (int f = 0; f < 3; f++)
            for (int repeat = 0; repeat < 3; repeat++) halves(ctx, kind, functions[f], repeat == 1 ? &fast : repeat ? &two : &proved);
    test_context_free(ctx);
}

/* As good as the best of all slopes on a grid. */
static void test_best_slopes(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    graph_build build;
    assert_ok(ctx, graph_build_new(ctx, &build));
    int at = add_dense(&build, add_activation(&build, add_dense(&build, add_activation(&build, add_dense(&build, add_input(&build, 2), 3), BOUND_RELU), 3), BOUND_RELU), 1);
    assert_ok(ctx, graph_build_finish(&build, at, 1));
    bound_graph *g = build.graph;
    bounds *b = new_bounds(ctx, g, &proved);
    bounds_batch batch;
    assert_ok(ctx, bounds_batch_new(ctx, g, 1, BOUNDS_SLOPE, &batch));
    batch.domains = 1;
    for (int i = 0; i < 2; i++) batch.low[i] = -1, batch.high[i] = 1;
    bounds_interval(b, &batch, false);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    double bound, best = -INFINITY, one = 1;
    bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = &one, .bound = &bound};
    int steps = 5, count = 1;
    for (int i = 0; i < 6; i++) count *= steps;
    for (int i = 0; i < count; i++) {
        for (int j = 0, q = i; j < 6; j++, q /= steps) batch.slope[j / 3][j % 3] = (double)(q % steps) / (steps - 1);
        assert_ok(ctx, bounds_lower(b, &batch, &rows));
        if (bound > best) best = bound;
    }
    bounds_slopes(g, &batch, 0);
    assert_ok(ctx, bounds_optimise(b, &batch, &rows, &(bounds_optimise_options){.steps = 200, .rate = 0.1, .decay = 0.97}));
    assert_true(bound >= best - 1e-6);
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
    test_context_free(ctx);
}

/* ---- multipliers against the exact minimum ----------------------------------------------------------------- */

enum { H1 = 3, H2 = 3, LINES = 4 + H1 + H2 };

/* Half planes n . x >= c of the box and of all signs; the affine function row of the output on them. */
typedef struct cell {
    double normal[LINES][2], level[LINES], slope[2], shift;
} cell;

static void make_cell(const bound_graph *g, const int *sign, cell *out)
{
    const bound_node *w1 = &g->node[1], *w2 = &g->node[3], *w3 = &g->node[5];
    double hidden[H1][3], next[H2][3], sum[3] = {0, 0, w3->bias[0]};
    for (int i = 0; i < 4; i++) {
        out->normal[i][0] = i < 2 ? (i ? -1 : 1) : 0, out->normal[i][1] = i < 2 ? 0 : (i == 3 ? -1 : 1);
        out->level[i] = -1;
    }
    for (int j = 0; j < H1; j++) {
        double z[3] = {w1->weight[2 * j], w1->weight[2 * j + 1], w1->bias[j]};
        for (int i = 0; i < 3; i++) hidden[j][i] = sign[j] > 0 ? z[i] : 0;
        out->normal[4 + j][0] = sign[j] * z[0], out->normal[4 + j][1] = sign[j] * z[1], out->level[4 + j] = -sign[j] * z[2];
    }
    for (int j = 0; j < H2; j++) {
        double z[3] = {0, 0, w2->bias[j]};
        for (int q = 0; q < H1; q++)
            for (int i = 0; i < 3; i++) z[i] += w2->weight[j * H1 + q] * hidden[q][i];
        for (int i = 0; i < 3; i++) next[j][i] = sign[H1 + j] > 0 ? z[i] : 0, sum[i] += w3->weight[j] * next[j][i];
        out->normal[4 + H1 + j][0] = sign[H1 + j] * z[0], out->normal[4 + H1 + j][1] = sign[H1 + j] * z[1], out->level[4 + H1 + j] = -sign[H1 + j] * z[2];
    }
    out->slope[0] = sum[0], out->slope[1] = sum[1], out->shift = sum[2];
}

/* The least over all corners of the cell; infinity: empty. */
static double least_of(const cell *c)
{
    double least = INFINITY;
    for (int i = 0; i < LINES; i++)
        for (int j = 0; j < i; j++) {
            double d = c->normal[i][0] * c->normal[j][1] - c->normal[i][1] * c->normal[j][0];
            if (fabs(d) < 1e-12) continue;
            double x = (c->level[i] * c->normal[j][1] - c->normal[i][1] * c->level[j]) / d, y = (c->normal[i][0] * c->level[j] - c->level[i] * c->normal[j][0]) / d;
            bool inside = true;
            for (int k = 0; k < LINES; k++) inside = inside && c->normal[k][0] * x + c->normal[k][1] * y >= c->level[k] - 1e-9;
            if (inside) least = fmin(least, c->slope[0] * x + c->slope[1] * y + c->shift);
        }
    return least;
}

/* All patterns of signs as domains of one batch; `wrong`: multipliers are told the other side. How many bounds are above what is reached, and how many fall short of it. */
static void all_patterns(nigh_context *ctx, bool wrong, int *above, int *short_of, int *cells)
{
    graph_build build;
    assert_ok(ctx, graph_build_new(ctx, &build));
    int at = add_dense(&build, add_activation(&build, add_dense(&build, add_activation(&build, add_dense(&build, add_input(&build, 2), H1), BOUND_RELU), H2), BOUND_RELU), 1);
    assert_ok(ctx, graph_build_finish(&build, at, 1));
    bound_graph *g = build.graph;
    bounds *b = new_bounds(ctx, g, &proved);
    bounds_batch batch;
    enum { DOMAINS = 1 << (H1 + H2) };
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, BOUNDS_SLOPE | BOUNDS_SPLIT, &batch));
    batch.domains = DOMAINS;
    for (int i = 0; i < 2 * DOMAINS; i++) batch.low[i] = -1, batch.high[i] = 1;
    bounds_interval(b, &batch, false);
    double exact[DOMAINS], bound[DOMAINS], one = 1;
    for (int d = 0; d < DOMAINS; d++) {
        int sign[H1 + H2];
        for (int j = 0; j < H1 + H2; j++) {
            int t = j / H1, i = d * H1 + j % H1;
            sign[j] = d >> j & 1 ? 1 : -1;
            batch.split[t][i] = (int8_t)(wrong ? -sign[j] : sign[j]);
            if (sign[j] > 0) batch.pre_low[t][i] = fmax(batch.pre_low[t][i], 0), batch.pre_high[t][i] = fmax(batch.pre_high[t][i], 0);
            else batch.pre_high[t][i] = fmin(batch.pre_high[t][i], 0), batch.pre_low[t][i] = fmin(batch.pre_low[t][i], 0);
        }
        cell c;
        make_cell(g, sign, &c);
        exact[d] = least_of(&c);
    }
    bounds_slopes(g, &batch, 0);
    bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = &one, .shared = true, .bound = bound};
    assert_ok(ctx, bounds_optimise(b, &batch, &rows, &(bounds_optimise_options){.steps = 700, .beta_rate = 0.2, .decay = 0.994}));
    for (int d = 0; d < DOMAINS; d++) {
        if (exact[d] == INFINITY) continue;
        ++*cells;
        if (bound[d] > exact[d] + 1e-9) ++*above;
        if (bound[d] < exact[d] - 2e-3) ++*short_of; /* small cells want large multipliers */
        assert_near(bound[d], textbook(g, &batch, d, g->output, &one, true, NULL), 1e-9, 1e-9);
    }
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
}

static void test_multipliers(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int above = 0, short_of = 0, cells = 0;
    for (int i = 0; i < 4; i++) all_patterns(ctx, false, &above, &short_of, &cells);
    assert_true(cells > 25);
    assert_int_equal(above, 0);
    assert_true(8 * short_of <= cells);
    for (int i = 0; i < 2; i++) all_patterns(ctx, true, &above, &short_of, &cells); /* the other sign is noticed */
    assert_true(above > 0);
    test_context_free(ctx);
}

static void test_levels(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    bound_graph *g = random_graph(ctx, GRAPH_DEEP, BOUND_RELU);
    bounds *b = new_bounds(ctx, g, &two);
    bounds_batch batch;
    enum { DOMAINS = 200 };
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, BOUNDS_SLOPE, &batch));
    random_boxes(g, &batch, DOMAINS, 0.1);
    bounds_interval(b, &batch, false);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    bounds_slopes(g, &batch, 0);
    double plain[2 * DOMAINS], bound[2 * DOMAINS], row[] = {1, 0, 0, -1, 0.5, 0}, level[2] = {0, 0};
    bounds_rows rows = {.node = g->output, .rows = 2, .coefficient = row, .shared = true, .bound = plain};
    assert_ok(ctx, bounds_lower(b, &batch, &rows));
    level[0] = level[1] = (plain[0] + plain[1]) / 2 - 0.2;
    rows.bound = bound;
    assert_ok(ctx, bounds_optimise(b, &batch, &rows, &(bounds_optimise_options){.level = level}));
    for (int d = 0; d < DOMAINS; d++) {
        double before = fmin(plain[2 * d] - level[0], plain[2 * d + 1] - level[1]), after = fmin(bound[2 * d] - level[0], bound[2 * d + 1] - level[1]);
        assert_true(after >= before - 1e-12);
        if (before >= 0) assert_near(after, before, 1e-12, 0); /* done before anything moved */
    }
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
    test_context_free(ctx);
}

static void test_tighten(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    enum { DOMAINS = 2 };
    for (int kind = 0; kind < GRAPHS; kind++) {
        bound_graph *g = random_graph(ctx, kind, kind == GRAPH_GROUPS ? BOUND_TANH : BOUND_RELU);
        bounds *b = new_bounds(ctx, g, kind % 3 ? &proved : &two);
        bounds_batch plain, tight;
        assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, 0, &plain));
        assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, 0, &tight));
        random_boxes(g, &plain, DOMAINS, 0.2);
        bounds_interval(b, &plain, false);
        tight.domains = DOMAINS;
        for (int d = 0; d < DOMAINS; d++) bounds_batch_copy(g, &plain, d, &tight, d);
        assert_ok(ctx, bounds_crown(b, &plain, 0));
        assert_ok(ctx, bounds_tighten(b, &tight, &(bounds_optimise_options){.steps = 4}));
        double width[2] = {0, 0}, *row = malloc((size_t)g->node[g->output].size * sizeof *row);
        for (int t = 0; t < g->activations; t++)
            for (int64_t i = 0; i < DOMAINS * g->node[g->activation[t]].size; i++) {
                width[0] += plain.pre_high[t][i] - plain.pre_low[t][i];
                width[1] += tight.pre_high[t][i] - tight.pre_low[t][i];
            }
        assert_true(width[1] <= width[0] * (1 + 1e-9));
        if (kind == GRAPH_DEEP) assert_true(width[1] < width[0]);
        /* Arguments of sampled points are within: with both signs of the first output, the least of samples that count is that of all. */
        for (int64_t j = 0; j < g->node[g->output].size; j++) row[j] = 1;
        uint64_t seed = crown_seed;
        for (int d = 0; d < DOMAINS; d++) {
            double least = sampled(g, &tight, d, row, 200);
            crown_seed = seed;
            bounds_batch wide = plain;
            assert_true(least < INFINITY);
            assert_near(least, sampled(g, &wide, d, row, 200), 0, 0);
            seed = crown_seed;
        }
        free(row);
        bounds_batch_free(ctx, g, &plain);
        bounds_batch_free(ctx, g, &tight);
        bounds_free(b);
        bound_graph_free(g);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slopes), cmocka_unit_test(test_halves), cmocka_unit_test(test_best_slopes), cmocka_unit_test(test_multipliers), cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_tighten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
