/* Generated data: moments, identities and exact labels. */
#include "io_support.h"
#include "nigh/synthetic.h"

static void draws_mixtures(void **state)
{
    enum { N = 40000, D = 3, K = 2 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(1, 0);
    double mean[K * D], *x = malloc(N * D * sizeof *x), sum[K][D] = {{0}}, square = 0;
    int32_t *label = malloc(N * sizeof *label);
    int64_t count[K] = {0};
    assert_ok(ctx, nigh_synthetic_centres(ctx, &rng, K, D, 5, mean));
    for (int c = 0; c < K; c++) assert_near(mean[c * D] * mean[c * D] + mean[c * D + 1] * mean[c * D + 1] + mean[c * D + 2] * mean[c * D + 2], 25, 1e-12, 0);
    assert_ok(ctx, nigh_synthetic_mixture(ctx, &rng, N, D, K, (double[]){3, 1}, mean, 0.5, x, label));
    for (int i = 0; i < N; i++) {
        count[label[i]]++;
        for (int j = 0; j < D; j++) {
            double off = x[i * D + j] - mean[label[i] * D + j];
            sum[label[i]][j] += off;
            square += off * off;
        }
    }
    assert_near((double)count[0] / N, 0.75, 5 * sqrt(0.1875 / N), 0);
    assert_near(square / (N * D), 0.25, 5 * 0.25 * sqrt(2.0 / (N * D)), 0);
    for (int c = 0; c < K; c++)
        for (int j = 0; j < D; j++) assert_near(sum[c][j] / (double)count[c], 0, 5 * 0.5 / sqrt((double)count[c]), 0);
    assert_fails(ctx, nigh_synthetic_mixture(ctx, &rng, 1, D, K, (double[]){0, 0}, mean, 1, x, label), NIGH_INVALID, "weight");
    assert_fails(ctx, nigh_synthetic_mixture(ctx, &rng, 1, D, K, NULL, mean, -1, x, label), NIGH_INVALID, "sd is -1");
    assert_fails(ctx, nigh_synthetic_centres(ctx, &rng, 1, 1, 0, mean), NIGH_INVALID, "radius");
    free(x);
    free(label);
    test_context_free(ctx);
}

static void draws_curves(void **state)
{
    enum { N = 3000 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(2, 0);
    double x[2 * N];
    int32_t label[N];
    assert_ok(ctx, nigh_synthetic_moons(ctx, &rng, N, 0, x, label));
    for (int i = 0; i < N; i++) {
        double a = label[i] ? 1 - x[2 * i] : x[2 * i], b = label[i] ? 0.5 - x[2 * i + 1] : x[2 * i + 1];
        assert_near(a * a + b * b, 1, 1e-14, 0);
        assert_true(b >= 0 && label[i] == i % 2);
    }
    assert_ok(ctx, nigh_synthetic_spirals(ctx, &rng, N, 3, 1.5, 0, x, label));
    double mean = 0;
    for (int i = 0; i < N; i++) {
        double r = hypot(x[2 * i], x[2 * i + 1]), a = 2 * 3.14159265358979323846 * (1.5 * r + i % 3 / 3.0);
        assert_near(x[2 * i], r * cos(a), 1e-12, 0);
        assert_near(x[2 * i + 1], r * sin(a), 1e-12, 0);
        mean += r * r / N;
    }
    assert_near(mean, 0.5, 5 * sqrt(1.0 / 12 / N), 0);
    assert_fails(ctx, nigh_synthetic_spirals(ctx, &rng, N, 0, 1, 0, x, label), NIGH_INVALID, "arms");
    test_context_free(ctx);
}

/* Mean of friedman1: 10 E sin(pi u v) + 20/12 + 5 + 2.5, with E sin(pi u v) = 0.5246 by quadrature. */
static void draws_friedman(void **state)
{
    enum { N = 20000, D = 7 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    double *x = malloc(N * D * sizeof *x), *y = malloc(N * sizeof *y), mean = 0, noise = 0, expected = 20.0 / 12 + 7.5;
    for (int i = 0; i < 200; i++)
        for (int j = 0; j < 200; j++) expected += 10 * sin(3.14159265358979323846 * (i + 0.5) * (j + 0.5) / 40000) / 40000;
    assert_ok(ctx, nigh_synthetic_friedman1(ctx, &rng, N, D, 2, x, y));
    for (int i = 0; i < N; i++) {
        double off = y[i] - nigh_synthetic_friedman1_mean(x + i * D);
        mean += y[i] / N;
        noise += off * off / N;
    }
    assert_near(mean, expected, 5 * 5.5 / sqrt(N), 0);
    assert_near(noise, 4, 5 * 4 * sqrt(2.0 / N), 0);
    assert_fails(ctx, nigh_synthetic_friedman1(ctx, &rng, N, 4, 0, x, y), NIGH_INVALID, "d is 4");
    free(x);
    free(y);
    test_context_free(ctx);
}

static void teaches(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_teacher *t, *u;
    const int64_t width[] = {50, 400, 400, 10}, line[] = {3, 2};
    double x[4 * 50], y[40], z[40], square = 0;
    int32_t label[4];
    nigh_rng rng = nigh_rng_new(4, 0);
    nigh_rng_fill_normal(&rng, 200, x);
    assert_ok(ctx, nigh_teacher_new(ctx, 9, NIGH_TEACHER_RELU, 3, width, 1, 0, &t));
    assert_ok(ctx, nigh_teacher_apply(ctx, t, 4, x, y));
    assert_ok(ctx, nigh_teacher_label(ctx, t, 4, x, label));
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 10; j++) assert_true(y[10 * i + j] <= y[10 * i + label[i]]);
    for (int j = 0; j < 200; j++) x[j] *= 3; /* without biases ReLU is homogeneous */
    assert_ok(ctx, nigh_teacher_apply(ctx, t, 4, x, z));
    for (int j = 0; j < 40; j++) {
        assert_near(z[j], 3 * y[j], 1e-12, 1e-12);
        square += y[j] * y[j] / 40;
    }
    assert_true(square > 0.3 && square < 3); /* the gain keeps the variance near 1 */
    nigh_teacher_free(t);
    assert_ok(ctx, nigh_teacher_new(ctx, 9, NIGH_TEACHER_TANH, 1, line, 1, 0.5, &u));
    const double points[] = {0, 0, 0, 1, 0, 0, 2, 0, 0};
    assert_ok(ctx, nigh_teacher_apply(ctx, u, 3, points, y));
    assert_near(y[4] - y[2], y[2] - y[0], 1e-14, 0); /* one layer is affine */
    nigh_teacher_free(u);
    assert_fails(ctx, nigh_teacher_new(ctx, 9, NIGH_TEACHER_TANH, 0, line, 1, 0, &u), NIGH_INVALID, "layers is 0");
    assert_fails(ctx, nigh_teacher_new(ctx, 9, NIGH_TEACHER_TANH, 1, (int64_t[]){3, 0}, 1, 0, &u), NIGH_INVALID, "width[1]");
    test_context_free(ctx);
}

static void flips_labels(void **state)
{
    enum { N = 1000 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    int32_t label[N], keep[] = {2, 0};
    bool flipped[N];
    for (int i = 0; i < N; i++) label[i] = i % 4;
    assert_ok(ctx, nigh_synthetic_flip(ctx, &rng, N, 4, 0.3, label, flipped));
    int changed = 0;
    for (int i = 0; i < N; i++) {
        assert_int_equal(flipped[i], label[i] != i % 4);
        assert_true(label[i] >= 0 && label[i] < 4);
        changed += flipped[i];
    }
    assert_int_equal(changed, 300);
    for (int i = 0; i < N; i++) label[i] = i % 4;
    int64_t *index, count;
    assert_ok(ctx, nigh_synthetic_subset(ctx, N, label, 2, keep, &index, &count));
    assert_int_equal(count, 500);
    for (int64_t i = 0; i < count; i++) assert_int_equal(index[i], 2 * i);
    nigh_free(ctx, index);
    assert_fails(ctx, nigh_synthetic_flip(ctx, &rng, N, 3, 0.3, label, NULL), NIGH_INVALID, "label[3] is 3");
    assert_fails(ctx, nigh_synthetic_flip(ctx, &rng, N, 4, 1.1, label, NULL), NIGH_INVALID, "share");
    test_context_free(ctx);
}

static void plants_spectra(void **state)
{
    enum { N = 40 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    double value[N], a[N * N], q[N * N];
    for (int i = 0; i < N; i++) value[i] = i * i - 100;
    assert_ok(ctx, nigh_synthetic_spectrum(ctx, &rng, N, value, a, q));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double dot = 0, image = 0;
            for (int k = 0; k < N; k++) dot += q[i * N + k] * q[j * N + k], image += a[i * N + k] * q[k * N + j];
            assert_near(dot, i == j, 1e-13, 0);
            assert_near(image, value[j] * q[i * N + j], 1e-10, 0);
            assert_true(a[i * N + j] == a[j * N + i]);
        }
    /* Haar: every entry has mean 0, variance 1/n, and tr Q has mean 0, variance 1 */
    double mean = 0, square = 0, corner = 0, p[9];
    for (int i = 0; i < 4000; i++) {
        assert_ok(ctx, nigh_synthetic_orthogonal(ctx, &rng, 3, p));
        double trace = p[0] + p[4] + p[8];
        mean += trace / 4000;
        square += trace * trace / 4000;
        corner += p[2] * p[2] / 4000;
    }
    assert_near(mean, 0, 5 / sqrt(4000), 0);
    assert_near(square, 1, 5 * 1.5 / sqrt(4000), 0);
    assert_near(corner, 1.0 / 3, 5 * 0.3 / sqrt(4000), 0);
    double signs = 0;
    for (int i = 0; i < 4000; i++) {
        assert_ok(ctx, nigh_synthetic_orthogonal(ctx, &rng, 2, p));
        signs += p[0] * p[3] - p[1] * p[2] > 0;
    }
    assert_near(signs / 4000, 0.5, 5 * 0.5 / sqrt(4000), 0); /* both halves of O(n) */
    test_context_free(ctx);
}

static void draws_goe(void **state)
{
    enum { N = 200 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(7, 0);
    double *a = malloc(N * N * sizeof *a), second = 0, fourth = 0, diagonal = 0;
    assert_ok(ctx, nigh_synthetic_goe(ctx, &rng, N, a));
    for (int i = 0; i < N; i++) {
        diagonal += a[i * N + i] * a[i * N + i];
        for (int j = 0; j < N; j++) {
            double square = 0;
            for (int k = 0; k < N; k++) square += a[i * N + k] * a[k * N + j];
            second += i == j ? square / N : 0;
            fourth += square * square / N;
            assert_true(a[i * N + j] == a[j * N + i]);
        }
    }
    assert_near(second, 1 + 1.0 / N, 0.05, 0); /* moments of the semicircle: 1 and 2 */
    assert_near(fourth, 2, 0.15, 0);
    assert_near(diagonal, 2, 1, 0);
    free(a);
    test_context_free(ctx);
}

static void speaks_languages(void **state)
{
    enum { N = 50, L = 40 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    nigh_language *l;
    int32_t token[N * L], label[N * L], again[L];
    static const struct {
        nigh_language_kind kind;
        int size, tokens, labels;
    } kinds[] = {{NIGH_LANGUAGE_PARITY, 0, 2, 2}, {NIGH_LANGUAGE_COUNTER, 7, 7, 7}, {NIGH_LANGUAGE_SYMMETRIC, 3, 6, 6}, {NIGH_LANGUAGE_SYMMETRIC, 5, 120, 120},
                 {NIGH_LANGUAGE_ALTERNATING, 5, 60, 60}, {NIGH_LANGUAGE_ALTERNATING, 6, 360, 360}, {NIGH_LANGUAGE_DYCK, 2, 4, 3}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        assert_ok(ctx, nigh_language_new(ctx, kinds[k].kind, kinds[k].size, &l));
        assert_int_equal(nigh_language_tokens(l), kinds[k].tokens);
        assert_int_equal(nigh_language_labels(l), kinds[k].labels);
        assert_ok(ctx, nigh_language_sample(ctx, l, &rng, N, L, 0, token, label));
        for (int i = 0; i < N; i++) {
            assert_ok(ctx, nigh_language_label(ctx, l, L, token + i * L, again));
            assert_memory_equal(again, label + i * L, sizeof again);
            int sum = 0, p[6] = {0, 1, 2, 3, 4, 5}, q[6];
            for (int t = 0; t < L; t++) {
                sum += token[i * L + t];
                if (kinds[k].kind <= NIGH_LANGUAGE_COUNTER) assert_int_equal(label[i * L + t], sum % kinds[k].labels);
                if (kinds[k].kind != NIGH_LANGUAGE_SYMMETRIC && kinds[k].kind != NIGH_LANGUAGE_ALTERNATING) continue;
                assert_ok(ctx, nigh_language_permutation(ctx, l, token[i * L + t], q));
                for (int j = 0; j < kinds[k].size; j++) p[j] = q[p[j]];
                assert_ok(ctx, nigh_language_permutation(ctx, l, label[i * L + t], q));
                assert_memory_equal(p, q, (size_t)kinds[k].size * sizeof *p);
            }
            if (kinds[k].kind == NIGH_LANGUAGE_DYCK) assert_int_equal(label[i * L + L - 1], 2);
        }
        if (kinds[k].tokens < 60) assert_fails(ctx, nigh_language_label(ctx, l, 1, (int32_t[]){60}, again), NIGH_INVALID, "token[0] is 60");
        nigh_language_free(l);
    }
    assert_fails(ctx, nigh_language_new(ctx, NIGH_LANGUAGE_SYMMETRIC, 7, &l), NIGH_INVALID, "2 to 6");
    assert_fails(ctx, nigh_language_new(ctx, NIGH_LANGUAGE_COUNTER, 1, &l), NIGH_INVALID, "2 to 4096");
    test_context_free(ctx);
}

/* A5 has no proper normal subgroup: the commutators of its elements are all of it. */
static void knows_a5(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_language *l;
    assert_ok(ctx, nigh_language_new(ctx, NIGH_LANGUAGE_ALTERNATING, 5, &l));
    int32_t inverse[60], label[4];
    char seen[60] = {0};
    int found = 0;
    for (int a = 0; a < 60; a++)
        for (int b = 0; b < 60; b++) {
            assert_ok(ctx, nigh_language_label(ctx, l, 2, (int32_t[]){a, b}, label));
            if (label[1] == 0) inverse[a] = b;
        }
    for (int a = 0; a < 60; a++)
        for (int b = 0; b < 60; b++) {
            assert_ok(ctx, nigh_language_label(ctx, l, 4, (int32_t[]){a, b, inverse[a], inverse[b]}, label));
            found += !seen[label[3]];
            seen[label[3]] = 1;
        }
    assert_int_equal(found, 60);
    nigh_language_free(l);
    test_context_free(ctx);
}

static void balances_brackets(void **state)
{
    enum { N = 14000, L = 8 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(9, 0);
    nigh_language *l;
    int32_t *token = malloc(N * L * sizeof *token), *label = malloc(N * L * sizeof *label), out[6];
    assert_ok(ctx, nigh_language_new(ctx, NIGH_LANGUAGE_DYCK, 1, &l));
    assert_ok(ctx, nigh_language_sample(ctx, l, &rng, N, L, 0, token, label));
    int count[256] = {0}, shapes = 0;
    for (int i = 0; i < N; i++) {
        int code = 0;
        for (int t = 0; t < L; t++) code = 2 * code + token[i * L + t];
        count[code]++;
    }
    for (int c = 0; c < 256; c++) {
        if (!count[c]) continue;
        shapes++;
        assert_near(count[c], 1000, 5 * sqrt(1000), 0);
    }
    assert_int_equal(shapes, 14); /* Catalan number 4, all equally often */
    nigh_language_free(l);
    assert_ok(ctx, nigh_language_new(ctx, NIGH_LANGUAGE_DYCK, 3, &l));
    assert_ok(ctx, nigh_language_sample(ctx, l, &rng, 1000, L, 1, token, label));
    for (int i = 0; i < 1000; i++) assert_int_not_equal(label[i * L + L - 1], 2);
    assert_ok(ctx, nigh_language_label(ctx, l, 6, (int32_t[]){0, 1, 4, 3, 2, 3}, out));
    assert_memory_equal(out, ((int32_t[]){1, 1, 1, 2, 1, 0}), sizeof out);
    assert_fails(ctx, nigh_language_sample(ctx, l, &rng, 1, 7, 0, token, label), NIGH_INVALID, "even");
    nigh_language_free(l);
    free(token);
    free(label);
    test_context_free(ctx);
}

static nigh_status much(nigh_context *ctx, void *user)
{
    nigh_rng rng = nigh_rng_new(1, 1);
    double value[4] = {1, 2, 3, 4}, a[16], x[8] = {0}, y[8];
    int32_t token[16], label[16] = {0, 1, 0, 1};
    int64_t *index = NULL, count;
    nigh_language *l = NULL;
    nigh_teacher *t = NULL;
    nigh_status status = nigh_synthetic_spectrum(ctx, &rng, 4, value, a, NULL);
    if (!status) status = nigh_synthetic_mixture(ctx, &rng, 4, 2, 2, (double[]){1, 1}, value, 1, x, label);
    if (!status) status = nigh_synthetic_flip(ctx, &rng, 4, 2, 0.5, label, NULL);
    if (!status) status = nigh_synthetic_subset(ctx, 4, label, 1, label, &index, &count);
    if (!status) status = nigh_teacher_new(ctx, 1, NIGH_TEACHER_TANH, 2, (int64_t[]){2, 3, 1}, 1, 1, &t);
    if (!status) status = nigh_teacher_apply(ctx, t, 4, x, y);
    if (!status) status = nigh_language_new(ctx, NIGH_LANGUAGE_SYMMETRIC, 4, &l);
    if (!status) status = nigh_language_sample(ctx, l, &rng, 2, 4, 0, token, label);
    nigh_free(ctx, index);
    nigh_teacher_free(t);
    nigh_language_free(l);
    return status;
}
static void fails_cleanly_without_memory(void **state) { fail_every_allocation(much, NULL); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_mixtures), cmocka_unit_test(draws_curves), cmocka_unit_test(draws_friedman), cmocka_unit_test(teaches),
        cmocka_unit_test(flips_labels), cmocka_unit_test(plants_spectra), cmocka_unit_test(draws_goe), cmocka_unit_test(speaks_languages),
        cmocka_unit_test(knows_a5), cmocka_unit_test(balances_brackets), cmocka_unit_test(fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
