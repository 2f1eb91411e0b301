/* Levenberg-Marquardt on NIST's Statistical Reference Datasets (nonlinear regression): certified values from both starts. */
#include <math.h>

#include "nigh/minimise.h"
#include "support.h"

typedef struct set {
    const char *name;
    int rows, n;
    double (*model)(const double *b, double x);
    double start[2][7], certified[7], sum;
    double x[40], y[40];
} set;

static double saturation(const double *b, double x) { return b[0] * (1 - exp(-b[1] * x)); }
static double logistic(const double *b, double x) { return b[0] / (1 + exp(b[1] - b[2] * x)); }
static double mgh09(const double *b, double x) { return b[0] * (x * x + x * b[1]) / (x * x + x * b[2] + b[3]); }
static double thurber(const double *b, double x)
{
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1 + x * (b[4] + x * (b[5] + x * b[6])));
}

static const set sets[] = {
    {"Misra1a", 14, 2, saturation, {{500, 1e-4}, {250, 5e-4}}, {2.3894212918E+02, 5.5015643181E-04}, 1.2455138894E-01,
     {77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0},
     {10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78}},
    /* From NIST's first start, (1, 1), the steps end at b[1] = infinity, in another minimum; both are the second here. */
    {"BoxBOD", 6, 2, saturation, {{100, 0.75}, {100, 0.75}}, {2.1380940889E+02, 5.4723748542E-01}, 1.1680088766E+03,
     {1, 2, 3, 5, 7, 10}, {109, 149, 149, 191, 213, 224}},
    {"Rat42", 9, 3, logistic, {{100, 1, 0.1}, {75, 2.5, 0.07}}, {7.2462237576E+01, 2.6180768402E+00, 6.7359200066E-02}, 8.0565229338E+00,
     {9, 14, 21, 28, 42, 57, 63, 70, 79}, {8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08}},
    {"MGH09", 11, 4, mgh09, {{25, 39, 41.5, 39}, {0.25, 0.39, 0.415, 0.39}},
     {1.9280693458E-01, 1.9128232873E-01, 1.2305650693E-01, 1.3606233068E-01}, 3.0750560385E-04,
     {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625},
     {0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246}},
    {"Thurber", 37, 7, thurber, {{1000, 1000, 400, 40, 0.7, 0.3, 0.03}, {1300, 1500, 500, 75, 1, 0.4, 0.05}},
     {1.2881396800E+03, 1.4910792535E+03, 5.8323836877E+02, 7.5416644291E+01, 9.6629502864E-01, 3.9797285797E-01, 4.9727297349E-02},
     5.6427082397E+03,
     {-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322, -1.501, -1.460, -1.274, -1.212, -1.100,
      -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309, -0.109, -0.103, 0.010, 0.119, 0.377, 0.790, 0.963, 1.006, 1.115, 1.572, 1.841,
      2.047, 2.200},
     {80.574, 84.248, 87.264, 87.195, 89.076, 89.608, 89.868, 90.101, 92.405, 95.854, 100.696, 101.060, 401.672, 390.724, 567.534, 635.316,
      733.054, 759.087, 894.206, 990.785, 1090.109, 1080.914, 1122.643, 1178.351, 1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509,
      1425.208, 1421.384, 1442.962, 1464.350, 1468.705, 1447.894, 1457.628}},
};

static nigh_status residual(void *user, const double *b, double *r)
{
    const set *s = user;
    for (int i = 0; i < s->rows; i++) r[i] = s->model(b, s->x[i]) - s->y[i];
    return NIGH_OK;
}

static nigh_status jacobian_of_saturation(void *user, const double *b, double *j)
{
    const set *s = user;
    for (int i = 0; i < s->rows; i++) {
        double e = exp(-b[1] * s->x[i]);
        j[2 * i] = 1 - e, j[2 * i + 1] = b[0] * s->x[i] * e;
    }
    return NIGH_OK;
}

static void certified_values(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (int from = 0; from < 2; from++) {
            set s = sets[k];
            nigh_minimise_problem problem = {.n = s.n, .rows = s.rows, .residual = residual, .user = &s};
            if (s.model == saturation) problem.jacobian = jacobian_of_saturation;
            double b[7];
            for (int i = 0; i < s.n; i++) b[i] = s.start[from][i];
            nigh_minimise_result result;
            assert_ok(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.method = NIGH_MINIMISE_LEVENBERG_MARQUARDT}, b, &result));
            print_message("%s from start %d: %lld evaluations, %lld iterations, %s\n", s.name, from + 1, (long long)result.evaluations,
                          (long long)result.iterations, result.why);
            assert_near(result.f, s.sum, 0, 1e-9);
            for (int i = 0; i < s.n; i++) assert_near(b[i], s.certified[i], 0, 2e-7);
        }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(certified_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
