/* Least squares: linear ones at once, known minima in all three types, narrow valleys, held and dependent unknowns. */
#include <math.h>
#include <string.h>

#include "grad/levenberg_marquardt.h"
#include "support.h"

#include "core/expr.h"

enum { ROWS = 24 };

/* y = a exp(-b t) + c exp(-d t) at ROWS points, for one type. */
#define SUM_OF_EXPONENTIALS(REAL, S, EXP)                                                                              \
    static void residuals##S(void *user, const REAL *x, REAL *r)                                                       \
    {                                                                                                                  \
        const REAL *truth = user;                                                                                      \
        for (int i = 0; i < ROWS; i++) {                                                                               \
            REAL t = (REAL)i / 8;                                                                                      \
            r[i] = x[0] * EXP(-x[1] * t) + x[2] * EXP(-x[3] * t);                                                      \
            r[i] -= truth[0] * EXP(-truth[1] * t) + truth[2] * EXP(-truth[3] * t);                                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void jacobian##S(void *user, const REAL *x, REAL *j)                                                        \
    {                                                                                                                  \
        for (int i = 0; i < ROWS; i++) {                                                                               \
            REAL t = (REAL)i / 8;                                                                                      \
            j[i] = EXP(-x[1] * t), j[ROWS + i] = -t * x[0] * EXP(-x[1] * t);                                           \
            j[2 * ROWS + i] = EXP(-x[3] * t), j[3 * ROWS + i] = -t * x[2] * EXP(-x[3] * t);                            \
        }                                                                                                              \
    }                                                                                                                  \
    static double recovered##S(double tolerance)                                                                       \
    {                                                                                                                  \
        REAL truth[4] = {2, (REAL)0.5, -1, 3}, x[4] = {1, 1, -2, 2};                                                   \
        static REAL room[GRAD_LM_ROOM(ROWS, 4)] __attribute__((aligned(64)));                                          \
        grad_lm##S problem = {residuals##S, jacobian##S, truth, ROWS, 4, 200, (REAL)tolerance};                        \
        grad_levenberg_marquardt##S(&problem, x, room);                                                                \
        double worst = 0;                                                                                              \
        for (int k = 0; k < 4; k++) worst = fmax(worst, fabs((double)(x[k] - truth[k])));                              \
        return worst;                                                                                                  \
    }
SUM_OF_EXPONENTIALS(double, , exp)
SUM_OF_EXPONENTIALS(long double, l, expl)
SUM_OF_EXPONENTIALS(nigh_f128, q, F128(exp))

static void every_type_to_its_precision(void **state)
{
    assert_true(recovered(0) < 1e-12);
    assert_true(recoveredl(0) < 1e-15);
    assert_true(recoveredq(0) < 1e-30);
}

/* r = A x - b with three columns; the third may depend on the second or be held (zero). */
typedef struct linear {
    int third; /* 0: of its own, 1: twice the second, 2: zero */
    int calls;
} linear;

static double entry(const linear *l, int i, int k)
{
    double t = i / 10.0;
    if (k < 2) return k ? t : 1;
    return l->third == 0 ? t * t : l->third == 1 ? 2 * t : 0;
}

static void linear_residuals(void *user, const double *x, double *r)
{
    linear *l = user;
    l->calls++;
    for (int i = 0; i < ROWS; i++) {
        r[i] = -(3 - 2 * i / 10.0);
        for (int k = 0; k < 3; k++) r[i] += entry(l, i, k) * x[k];
    }
}

static void linear_jacobian(void *user, const double *x, double *j)
{
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < 3; k++) j[k * ROWS + i] = entry(user, i, k);
}

static void linear_problems(void **state)
{
    static double room[GRAD_LM_ROOM(ROWS, 3)] __attribute__((aligned(64)));
    for (int third = 0; third < 3; third++) {
        linear l = {third, 0};
        double x[3] = {10, 10, 7};
        grad_lm problem = {linear_residuals, linear_jacobian, &l, ROWS, 3, 40, 0};
        double sum = grad_levenberg_marquardt(&problem, x, room);
        assert_true(sum < 1e-20);
        assert_near(x[0], 3, 0, 1e-9);
        if (third == 0) assert_near(x[2], 0, 1e-8, 0);
        if (third == 1) assert_near(x[1] + 2 * x[2], -2, 0, 1e-9);
        if (third == 2) assert_true(x[2] == 7); /* held: not moved at all */
    }
}

/* Rosenbrock's valley, ten times as steep as usual. */
static void valley_residuals(void *user, const double *x, double *r)
{
    ++*(int *)user;
    r[0] = 1 - x[0];
    r[1] = 100 * (x[1] - x[0] * x[0]);
}

static void valley_jacobian(void *user, const double *x, double *j)
{
    j[0] = -1, j[2] = 0;
    j[1] = -200 * x[0], j[3] = 100;
}

static void along_a_valley(void **state)
{
    double room[GRAD_LM_ROOM(2, 2)] __attribute__((aligned(64))), x[2] = {-3, 9};
    int calls = 0;
    grad_lm problem = {valley_residuals, valley_jacobian, &calls, 2, 2, 100, 0};
    assert_true(grad_levenberg_marquardt(&problem, x, room) < 1e-20);
    assert_near(x[0], 1, 0, 1e-9);
    assert_near(x[1], 1, 0, 1e-9);
    assert_true(calls < 160); /* two for a step */
}

static void root_residuals(void *user, const double *x, double *r) { r[0] = sqrt(x[0]) - 2; }
static void root_jacobian(void *user, const double *x, double *j) { j[0] = 0.5 / sqrt(x[0]); }

static void where_the_function_ends(void **state)
{
    double room[GRAD_LM_ROOM(1, 1)] __attribute__((aligned(64))), x = -1;
    grad_lm problem = {root_residuals, root_jacobian, NULL, 1, 1, 60, 0};
    assert_true(isinf(grad_levenberg_marquardt(&problem, &x, room)));
    assert_true(x == -1);
    x = 40; /* a full step would leave the domain */
    assert_true(grad_levenberg_marquardt(&problem, &x, room) < 1e-20);
    assert_near(x, 4, 0, 1e-9);
}

/* With a tolerance it stops early, and never above its start. */
static void stops(void **state)
{
    static double room[GRAD_LM_ROOM(ROWS, 3)] __attribute__((aligned(64)));
    linear l = {0, 0};
    double x[3] = {3, -2, 1e-9};
    grad_lm problem = {linear_residuals, linear_jacobian, &l, ROWS, 3, 1000, 0.5};
    grad_levenberg_marquardt(&problem, x, room);
    assert_true(l.calls < 40);
    problem.evaluations = 1;
    l.calls = 0;
    x[0] = 5;
    assert_near(grad_levenberg_marquardt(&problem, x, room), 4 * ROWS, 0, 1e-6);
    assert_true(l.calls == 1 && x[0] == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_to_its_precision), cmocka_unit_test(linear_problems), cmocka_unit_test(along_a_valley),
        cmocka_unit_test(where_the_function_ends),     cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
