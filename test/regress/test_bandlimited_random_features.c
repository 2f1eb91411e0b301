/*
 * bandlimited-random-features: activations at every CPU level beside libm, the draw, the ridge regression by QR beside the one by
 * singular values, the floor (identities, an exact norm bound, what is told), plans, bad input, failing allocations; and fakes
 * that ignore the range of the hidden weights.
 */
#include "map_support.h"

#include "regress/features.h"
#include "tensor/linalg.h"

static const nigh_method *const method = &nigh_method_bandlimited_random_features;

static void test_activations(void **state)
{
    enum { N = 4096 };
    static double x[N] __attribute__((aligned(64))), y[N] __attribute__((aligned(64)));
    const map_kernels *levels[3] = {&map_kernels_scalar};
    int count = 1;
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX2) levels[count++] = &map_kernels_avx2;
    if (nigh_cpu() >= NIGH_CPU_AVX512) levels[count++] = &map_kernels_avx512;
#endif
    nigh_rng rng = nigh_rng_new(1, 1);
    for (int i = 0; i < N; i++) x[i] = (i < 8 ? (double[]){0, -0.0, 1e-300, -800, 800, M_PI, -M_PI / 2, 1e-9}[i] : nigh_rng_normal(&rng) * exp(8 * nigh_rng_f64(&rng) - 3));
    for (int l = 0; l < count; l++)
        for (int kind = 0; kind < MAP_ACTIVATIONS; kind++) {
            memcpy(y, x, sizeof y);
            levels[l]->activate((map_activation)kind, N, y);
            for (int i = 0; i < N; i++) {
                double t = x[i], right = kind == MAP_SIGMOID ? 1 / (1 + exp(-t)) : kind == MAP_TANH ? tanh(t) : kind == MAP_BELL ? exp(-0.5 * t * t) : kind == MAP_COSINE ? cos(t) : fmax(t, 0);
                double allowed = kind == MAP_COSINE ? 4e-16 + 3e-16 * fabs(t) : kind == MAP_RELU ? 0 : 4e-16;
                if (!(fabs(y[i] - right) <= allowed)) fail_msg("level %d, %s(%.17g) = %.17g, not %.17g", l, features_name((map_activation)kind), t, y[i], right);
            }
        }
}

/* In the box and the stated ranges; the first features do not depend on how many follow. */
static void test_draw(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_arena *arena;
    assert_ok(ctx, nigh_arena_new(ctx, &arena));
    double z[40 * 5];
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int i = 0; i < 200; i++) z[i] = 2 * nigh_rng_f64(&rng) - 1;
    for (int64_t d = 1; d <= 5; d += 2) {
        features_law law = {MAP_SIGMOID, 3, features_radius(40, d, z), 9};
        map_model few = {.body = MAP_FEATURES, .d = d, .r = d, .q = 1, .m = 1, .count = 20}, many = few;
        many.count = 1000;
        assert_ok(ctx, map_model_alloc(arena, &few, false, false, false));
        assert_ok(ctx, map_model_alloc(arena, &many, false, false, false));
        features_draw(&law, 40, z, &few);
        features_draw(&law, 40, z, &many);
        double most = 0, mean = 0;
        for (int j = 0; j < 1000; j++) {
            assert_true(fabs(many.points[j]) <= 3);
            most = fmax(most, fabs(many.points[j])), mean += many.points[j] / 1000;
            if (d <= 3) assert_true(fabs(many.start[j]) <= 3 * law.radius);
            if (j < 20) assert_true(many.points[j] == few.points[j] && many.start[j] == few.start[j]);
        }
        assert_true(most > 2.9 && fabs(mean) < 0.25);
    }
    nigh_arena_free(arena);
    test_context_free(ctx);
}

/* QR beside singular values, taller and wider than square, two outputs. */
static void test_ridge_direct(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int sizes[3][2] = {{60, 20}, {20, 60}, {30, 30}};
    for (int s = 0; s < 3; s++) {
        int n = sizes[s][0], p = sizes[s][1], least = n < p ? n : p;
        double a[1200], copy[1200], y[120], x[120], right[120], sum = 0;
        nigh_rng rng = nigh_rng_new(4, (uint64_t)s);
        for (int i = 0; i < n * p; i++) a[i] = copy[i] = nigh_rng_normal(&rng), sum += a[i] * a[i];
        for (int i = 0; i < 2 * n; i++) y[i] = nigh_rng_normal(&rng);
        assert_ok(ctx, linalg_ridge_direct(ctx, n, p, 2, a, y, 0.01 * sum / least, x));
        assert_memory_equal(a, copy, (size_t)(n * p) * sizeof *a);
        assert_ok(ctx, linalg_ridge(ctx, n, p, 2, copy, y, 0.01, false, right, NULL, NULL));
        for (int i = 0; i < 2 * p; i++) assert_near(x[i], right[i], 1e-12, 0);
    }
    test_context_free(ctx);
}

static double wave_count = 1;
static void wave(const double *x, double *y) { y[0] = sin(wave_count * M_PI * x[0]); }

static nigh_band floor_of(nigh_context *ctx, const map_set *set, nigh_band_options o)
{
    nigh_band band;
    assert_ok(ctx, nigh_band_floor(ctx, set->n, set->d, set->m, set->x, set->y, &o, &band));
    return band;
}

static void test_floor(void **state)
{
    nigh_context *ctx = test_context_new();
    wave_count = 8;
    map_set set = map_set_new(ctx, 600, 1, 1, -1, 1, 30, wave);
    const double two[] = {2, 50};
    nigh_band_options o = nigh_band_options_default();
    o.count = 2, o.lambda = two, o.samples = 150, o.features = 300, o.ridge = 1e-10, o.norm = 1e4;
    nigh_band band = floor_of(ctx, &set, o);
    assert_true(band.row[0].floor > 0.85 && band.row[0].residual > 0.85 && band.row[0].bounded > 0.9 && band.row[0].spectral > 0.9);
    assert_true(band.row[1].floor < 1e-2 && band.row[1].residual < 1e-3 && band.row[1].spectral < 0.02);
    assert_int_equal(band.chosen, 1);
    assert_near(band.row[0].reach, 2 * band.radius, 1e-14, 0);
    /* A larger norm lowers the floor, and the bound at the norm of a row is its residual. */
    double before = INFINITY;
    for (o.norm = 1; o.norm < 1e7; o.norm *= 10) {
        double now = floor_of(ctx, &set, o).row[0].bounded;
        assert_true(now <= before);
        before = now;
    }
    o.norm = band.row[1].norm;
    assert_near(floor_of(ctx, &set, o).row[1].bounded, band.row[1].residual, 0, 1e-6);
    /* The scale of outputs and the place of inputs do not matter; the same seed gives the same bits. */
    for (int64_t i = 0; i < set.n; i++) set.x[i] = 7 + 3 * set.x[i], set.y[i] = 100 - 5 * set.y[i];
    nigh_band moved = floor_of(ctx, &set, o), again = floor_of(ctx, &set, o);
    assert_near(moved.row[1].left_out, band.row[1].left_out, 0, 1e-3);
    assert_memory_equal(&moved.row[0], &again.row[0], offsetof(nigh_band_row, bounded));
    map_set_free(ctx, &set);
    /* A constant has no floor. */
    wave_count = 0;
    set = map_set_new(ctx, 60, 1, 1, -1, 1, 31, wave);
    band = floor_of(ctx, &set, o);
    assert_true(band.row[0].floor == 0 && band.chosen == 0);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* The range that is chosen grows with the frequency, and a loose tolerance is content with a smaller one. */
static void test_choice(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_band_options o = nigh_band_options_default();
    o.samples = 150, o.features = 300, o.ridge = 1e-10;
    double before = 0;
    for (wave_count = 1; wave_count <= 16; wave_count *= 4) {
        map_set set = map_set_new(ctx, 400, 1, 1, -1, 1, 32, wave);
        nigh_band band = floor_of(ctx, &set, o);
        double best = band.row[band.chosen].lambda;
        assert_true(best >= before);
        before = best;
        o.tolerance = 0.2;
        band = floor_of(ctx, &set, o);
        assert_true(band.row[band.chosen].lambda <= best && band.row[band.chosen].floor <= 0.1);
        o.tolerance = 0;
        map_set_free(ctx, &set);
    }
    assert_true(before >= 16);
    test_context_free(ctx);
}

static double fitted(nigh_context *ctx, const char *text, const map_set *set, const char *told)
{
    nigh_plan *plan = map_fit_plan(ctx, method, text, set, set->n - 200);
    double error = map_error(ctx, plan, set, set->n - 200);
    if (told && !strstr(plan->note, told)) fail_msg("%s: the note '%s' does not say '%s'", text, plan->note, told);
    nigh_plan_free(ctx, plan);
    return error;
}

static void shifted_wave(const double *x, double *y) { y[0] = 2 + sin(8 * M_PI * x[0]); } /* relative errors need y != 0 */

/* The floor in plans: features do not lift it, the range does; relu has none of that; and the note says so. */
static void test_plans(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 500, 1, 1, 3, 9, 33, shifted_wave);
    for (int64_t i = 0; i < set.n; i++) set.x[i] = (set.x[i] - 6) / 3, shifted_wave(set.x + i, set.y + i), set.x[i] = 6 + 3 * set.x[i];
    double few = fitted(ctx, "lambda=2,features=50,ridge=1e-10", &set, "no number of features gets below 0.9");
    double many = fitted(ctx, "lambda=2,features=800,ridge=1e-10", &set, "would reach");
    assert_true(many > 0.2 && many > 0.9 * few);
    double own = fitted(ctx, "features=200,ridge=1e-10", &set, "is predicted"), cosine = fitted(ctx, "activation=cos,features=100", &set, "is predicted");
    assert_true(own < 1e-2 && cosine < 1e-4);
    double small = fitted(ctx, "activation=relu,lambda=0.01,features=100,ridge=1e-8", &set, "same for every range");
    double large = fitted(ctx, "activation=relu,lambda=100,features=100,ridge=1e-8", &set, NULL);
    assert_near(small, large, 0, 1e-3);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* With fewer samples than features and without a ridge: the one that leave-one-out finds, finite weights. */
static void test_few_samples(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 300, 2, 1, -1, 1, 34, shifted_wave);
    nigh_plan *plan = map_fit_plan(ctx, method, "features=400", &set, 30);
    double out;
    assert_int_equal(map_apply(ctx, plan, 1, set.x, &out), NIGH_OK);
    assert_true(isfinite(out));
    nigh_plan_free(ctx, plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* A seed gives its bits; another one others. */
static void test_seeds(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 200, 1, 1, -1, 1, 35, shifted_wave);
    double out[3][200];
    for (int i = 0; i < 3; i++) {
        nigh_plan *plan = map_fit_plan(ctx, method, i == 2 ? "features=64,lambda=20,seed=2" : "features=64,lambda=20", &set, 100);
        map_apply(ctx, plan, 200, set.x, out[i]);
        nigh_plan_free(ctx, plan);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_not_equal(out[0], out[2], sizeof out[0]);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[40], y[40];
    for (int i = 0; i < 40; i++) x[i] = i, y[i] = sin(i);
    nigh_band band;
    nigh_band_options o = nigh_band_options_default();
    o.activation = "polynomial";
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "finite dimension");
    o.activation = "constant";
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "finite dimension");
    o.activation = "swish";
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "sigmoid,tanh,gaussian,cos,relu");
    o.activation = "tanh", o.count = 1, o.lambda = (double[]){-1};
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "lambda is -1");
    o.count = 0, o.features = 0;
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "0 features");
    o = nigh_band_options_default();
    o.ridge = NAN;
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "ridge is nan");
    o.ridge = 0;
    assert_fails(ctx, nigh_band_floor(ctx, 1, 1, 1, x, y, &o, &band), NIGH_INVALID, "1 samples");
    x[3] = INFINITY;
    assert_fails(ctx, nigh_band_floor(ctx, 40, 1, 1, x, y, &o, &band), NIGH_INVALID, "row 3");
    nigh_settings settings = nigh_settings_default(method);
    assert_fails(ctx, nigh_settings_parse(ctx, method, "lambda=-2", &settings), NIGH_INVALID, "lambda");
    assert_fails(ctx, nigh_settings_parse(ctx, method, "activation=polynomial", &settings), NIGH_INVALID, "polynomial");
    test_context_free(ctx);
}

/* Noise above the tolerance: no range is blamed, and the ridge is not the smallest. */
static void test_noise(void **state)
{
    nigh_context *ctx = test_context_new();
    wave_count = 1;
    map_set set = map_set_new(ctx, 300, 1, 1, -1, 1, 36, wave);
    nigh_rng rng = nigh_rng_new(5, 5);
    for (int64_t i = 0; i < set.n; i++) set.y[i] += 0.5 * nigh_rng_normal(&rng);
    nigh_band_options o = nigh_band_options_default();
    o.samples = 150, o.features = 200, o.tolerance = 1e-3;
    nigh_band band = floor_of(ctx, &set, o);
    const nigh_band_row *row = &band.row[band.chosen];
    assert_true(row->floor > 0.3 && row->ridge > 1e-16 && !strstr(band.words, "would reach") && strstr(band.words, "noise"));
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_failing_allocations(void **state)
{
    double x[60], y[60];
    for (int i = 0; i < 60; i++) x[i] = i, y[i] = sin(0.2 * i);
    nigh_band band;
    nigh_band_options o = nigh_band_options_default();
    o.samples = 50, o.features = 20, o.count = 1, o.lambda = (double[]){5};
    nigh_status status = NIGH_MEMORY;
    for (long fail = 2; status; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = nigh_band_floor(ctx, 60, 1, 1, x, y, &o, &band);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_true(fail < 200);
        test_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

/* Features whose range is another than stated reach what the stated range cannot: the floor test catches it. */
static void test_fake(void **state)
{
    nigh_context *ctx = test_context_new();
    wave_count = 8;
    map_set set = map_set_new(ctx, 400, 1, 1, -1, 1, 37, wave);
    nigh_band_options o = nigh_band_options_default();
    const double told = 2, drawn = 50;
    o.count = 1, o.samples = 150, o.features = 300, o.ridge = 1e-10;
    o.lambda = &told;
    double honest = floor_of(ctx, &set, o).row[0].floor;
    o.lambda = &drawn;
    double fake = floor_of(ctx, &set, o).row[0].floor;
    assert_true(honest > 0.85 && fake < 0.01);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),   cmocka_unit_test(test_draw),
        cmocka_unit_test(test_ridge_direct),  cmocka_unit_test(test_floor),
        cmocka_unit_test(test_choice),        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_few_samples),   cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_bad_input),     cmocka_unit_test(test_noise),
        cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_fake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
