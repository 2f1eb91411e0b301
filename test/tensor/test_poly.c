/* Polynomial activations and ordered pairs: every CPU level and length against plain loops in f64. */
#include "tensor/poly.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MOST = 5000 };

typedef struct arrays {
    double x[MOST], g[MOST], y[MOST], dx[MOST], scale[MOST], a[POLY_TERMS];
    float x32[MOST], g32[MOST], y32[MOST], dx32[MOST], scale32[MOST], a32[POLY_TERMS];
} arrays;

static arrays v;

static void fill(void)
{
    for (int i = 0; i < MOST; i++) {
        v.x[i] = v.x32[i] = (float)(sin(i * 1.7) * 1.5), v.g[i] = v.g32[i] = (float)cos(i * 0.3);
        v.y[i] = v.dx[i] = v.scale[i] = v.y32[i] = v.dx32[i] = v.scale32[i] = 77;
    }
    for (int i = 0; i < POLY_TERMS; i++) v.a[i] = v.a32[i] = (float)(1.0 / (i + 1) - 0.3);
}

static void near(double a, double b, double size, bool single, const char *what)
{
    if (!(fabs(a - b) <= (single ? 2e-5 : 1e-12) * size)) fail_msg("%s: %.12g, not %.12g", what, a, b);
}

static void check_relu(const poly_kernels *k, bool single, int n, int terms)
{
    double sums[POLY_TERMS] = {0}, expect[POLY_TERMS] = {0}, size = 1;
    fill();
    k->relu(n, terms, single ? (void *)v.a32 : v.a, single ? (void *)v.x32 : v.x, single ? (void *)v.y32 : v.y);
    k->relu_back(n, terms, single ? (void *)v.a32 : v.a, single ? (void *)v.x32 : v.x, single ? (void *)v.g32 : v.g, single ? (void *)v.dx32 : v.dx, sums);
    for (int i = 0; i < n; i++) {
        double r = v.x[i] > 0 ? v.x[i] : 0, y = 0, d = 0;
        for (int p = 0; p < terms; p++) {
            double power = p ? pow(r, p) : 1;
            y += v.a[p] * power, expect[p] += v.g[i] * power, size += fabs(power);
            if (p) d += v.x[i] > 0 ? p * v.a[p] * pow(r, p - 1) * v.g[i] : 0;
        }
        near(single ? (double)v.y32[i] : v.y[i], y, 20, single, "relu");
        near(single ? (double)v.dx32[i] : v.dx[i], d, 100, single, "slope of relu");
    }
    for (int p = 0; p < terms; p++) near(sums[p], expect[p], size, single, "sums of relu");
    assert_true(single ? v.y32[n] == 77 && v.dx32[n] == 77 : v.y[n] == 77 && v.dx[n] == 77);
}

static void check_norm(const poly_kernels *k, bool single, int rows, int n, int terms)
{
    double sums[POLY_TERMS] = {0}, expect[POLY_TERMS] = {0};
    fill();
    k->norm(rows, n, terms, 1e-3, single ? (void *)v.a32 : v.a, single ? (void *)v.x32 : v.x, single ? (void *)v.y32 : v.y, single ? (void *)v.scale32 : v.scale);
    k->norm_back(rows, n, terms, single ? (void *)v.a32 : v.a, single ? (void *)v.x32 : v.x, single ? (void *)v.scale32 : v.scale, single ? (void *)v.g32 : v.g,
                 single ? (void *)v.dx32 : v.dx, sums);
    for (int r = 0; r < rows; r++) {
        double scale[POLY_TERMS], dot[POLY_TERMS];
        for (int p = 0; p < terms; p++) {
            double square = 0;
            dot[p] = 0;
            for (int i = r * n; i < (r + 1) * n; i++) square += pow(v.x[i], 2 * p + 2), dot[p] += v.g[i] * pow(v.x[i], p + 1);
            scale[p] = 1 / sqrt(square / n + 1e-3);
            expect[p] += scale[p] * dot[p];
        }
        for (int i = r * n; i < (r + 1) * n; i++) {
            double y = 0, d = 0;
            for (int p = 0; p < terms; p++) {
                y += v.a[p] * pow(v.x[i], p + 1) * scale[p];
                d += (p + 1) * pow(v.x[i], p) * v.a[p] * scale[p] * (v.g[i] - pow(v.x[i], p + 1) * scale[p] * scale[p] * dot[p] / n);
            }
            near(single ? (double)v.y32[i] : v.y[i], y, 10, single, "norm");
            near(single ? (double)v.dx32[i] : v.dx[i], d, 1e3, single, "slope of norm");
        }
    }
    for (int p = 0; p < terms; p++) near(sums[p], expect[p], 10 + rows * n, single, "sums of norm");
    assert_true(single ? v.y32[rows * n] == 77 && v.dx32[rows * n] == 77 : v.y[rows * n] == 77 && v.dx[rows * n] == 77);
}

static void check_pairs(const poly_kernels *k, bool single, int pairs)
{
    fill();
    k->max_min(pairs, single ? (void *)v.x32 : v.x, single ? (void *)v.y32 : v.y);
    k->max_min_back(pairs, single ? (void *)v.x32 : v.x, single ? (void *)v.g32 : v.g, single ? (void *)v.dx32 : v.dx);
    for (int i = 0; i < 2 * pairs; i++) {
        int other = i ^ 1;
        double y = i % 2 ? fmin(v.x[i], v.x[other]) : fmax(v.x[i], v.x[other]), d = v.x[i & ~1] >= v.x[i | 1] ? v.g[i] : v.g[other];
        assert_true((single ? (double)v.y32[i] : v.y[i]) == y && (single ? (double)v.dx32[i] : v.dx[i]) == d);
    }
}

static void test_levels(void **state)
{
    static const int lengths[] = {0, 1, 7, 16, 33, 4095, 4096, 4099};
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++)
        for (int single = 0; single < 2; single++) {
            const poly_kernels *k = poly_kernels_at((nigh_cpu_level)level, single ? NIGH_F32 : NIGH_F64);
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                for (int terms = 1; terms <= POLY_TERMS; terms += i < 5 ? 1 : 3) {
                    check_relu(k, single, lengths[i], terms);
                    if (lengths[i] && terms < 5) check_norm(k, single, lengths[i] < 1000 ? 5 : 1, lengths[i], terms);
                }
                check_pairs(k, single, lengths[i] / 2);
            }
        }
    assert_null(poly_kernels_find(NIGH_I32));
}

static void test_nan(void **state)
{
    float x[3] = {NAN, -1, 2}, a[2] = {0.5f, 1}, y[3];
    poly_kernels_find(NIGH_F32)->relu(3, 2, a, x, y);
    assert_true(isnan(y[0]) && y[1] == 0.5f && y[2] == 2.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_nan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
