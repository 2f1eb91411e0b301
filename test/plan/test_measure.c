/* Error measures: identities, ulps at the edges of the types, infinities and NaN. */
#include "support.h"

#include "nigh/plan.h"

#include <float.h>
#include <math.h>

static double error_of(const char *measure, double exact, double answer, nigh_dtype type)
{
    return nigh_measure_find(measure)->error(1, &exact, &answer, type);
}

static void test_all_agree_on_the_special(void **state)
{
    static const double values[] = {0, -0.0, 1, -3.5, DBL_MIN, 5e-324, DBL_MAX, INFINITY, -INFINITY, NAN};
    enum { COUNT = sizeof values / sizeof *values };
    int measures = 0;
    for (const nigh_measure *m = nigh_measures(); m->name; m++, measures++) {
        assert_ptr_equal(nigh_measure_find(m->name), m);
        assert_true(m->unit && m->summary && *m->summary);
        for (int i = 0; i < COUNT; i++)
            for (int j = 0; j < COUNT; j++)
                for (nigh_dtype type = NIGH_F64; type <= NIGH_F32; type++) {
                    double x = values[i], a = values[j], e = m->error(1, &x, &a, type);
                    assert_false(isnan(e));
                    assert_true(e >= 0);
                    bool same = x == a || (isnan(x) && isnan(a));
                    if (same) assert_true(e == 0);
                    if (isfinite(x) && !isfinite(a)) assert_true(e == INFINITY);
                    if (!isfinite(x) && !same) assert_true(e == INFINITY); /* a finite answer to an infinite truth is no answer */
                    if (isfinite(x) && isfinite(a) && !same && fabs(x) > 1e-300 && fabs(x) < 1e300) assert_true(e > 0);
                }
    }
    assert_int_equal(measures, 5);
    assert_null(nigh_measure_find("ulps"));
    assert_null(nigh_measure_find(""));
}

static void test_ulp(void **state)
{
    assert_true(error_of("ulp", 1, nextafter(1, 2), NIGH_F64) == 1);
    assert_true(error_of("ulp", 1, nextafter(1, 0), NIGH_F64) == 0.5); /* half as wide below a power of two */
    assert_true(error_of("ulp", 1, nextafterf(1, 2), NIGH_F32) == 1);
    assert_true(error_of("ulp", -2, nextafterf(-2, -3), NIGH_F32) == 1);
    assert_true(error_of("ulp", 1.5, 1.5 + 3 * DBL_EPSILON, NIGH_F64) == 3);
    /* Subnormals are evenly spaced, down to zero. */
    double tiny = 5e-324;
    float tiny32 = nextafterf(0, 1);
    assert_true(error_of("ulp", 0, tiny, NIGH_F64) == 1);
    assert_true(error_of("ulp", tiny, 0, NIGH_F64) == 1);
    assert_true(error_of("ulp", 7 * tiny, 3 * tiny, NIGH_F64) == 4);
    assert_true(error_of("ulp", DBL_MIN, DBL_MIN - tiny, NIGH_F64) == 1);
    assert_true(error_of("ulp", 0, (double)tiny32, NIGH_F32) == 1);
    assert_true(error_of("ulp", FLT_MIN, (double)nextafterf(FLT_MIN, 0), NIGH_F32) == 1);
    assert_true(error_of("ulp", 1e-50, 0, NIGH_F32) == 1e-50 / (double)tiny32); /* far below an f32 */
    assert_true(error_of("ulp", DBL_MAX, nextafter(DBL_MAX, 0), NIGH_F64) == 1);
    assert_true(error_of("ulp", FLT_MAX, (double)nextafterf(FLT_MAX, 0), NIGH_F32) == 1);
    assert_true(error_of("ulp", 0, -0.0, NIGH_F64) == 0);
    for (int e = -1074; e < 1023; e += 13) /* 1 ulp is 1 ulp in every binade */
        assert_true(error_of("ulp", ldexp(1, e), nextafter(ldexp(1, e), INFINITY), NIGH_F64) == 1);
    for (int e = -149; e < 127; e += 7)
        assert_true(error_of("ulp", ldexp(1, e), (double)nextafterf((float)ldexp(1, e), INFINITY), NIGH_F32) == 1);
}

static void test_vectors(void **state)
{
    double x[] = {3, 4, 0}, a[] = {3, 4.5, 1e-3}, none[] = {3, 4, 0}, bad[] = {3, NAN, 0};
    assert_near(nigh_measure_find("absolute")->error(3, x, a, NIGH_F64), 0.5, 0, 1e-15);
    assert_true(nigh_measure_find("relative")->error(3, x, a, NIGH_F64) == INFINITY); /* something for nothing */
    assert_near(nigh_measure_find("relative")->error(2, x, a, NIGH_F64), 0.125, 0, 1e-15);
    assert_near(nigh_measure_find("relative-l2")->error(3, x, a, NIGH_F64), sqrt(0.25 + 1e-6) / 5, 0, 1e-15);
    assert_near(nigh_measure_find("rms")->error(3, x, a, NIGH_F64), sqrt((0.25 + 1e-6) / 3), 0, 1e-15);
    for (const nigh_measure *m = nigh_measures(); m->name; m++) {
        assert_true(m->error(3, x, none, NIGH_F64) == 0);
        assert_true(m->error(3, x, bad, NIGH_F64) == INFINITY);
    }
    double zero[] = {0, 0}, one[] = {1, 0}, big[] = {1e300, 1e300}, near[] = {1e300, 0.9e300}, small[] = {1e-300, 0}, half[] = {0.5e-300, 0};
    assert_true(nigh_measure_find("relative-l2")->error(2, zero, one, NIGH_F64) == INFINITY);
    /* Squares that overflow or vanish must not decide. */
    assert_near(nigh_measure_find("relative-l2")->error(2, big, near, NIGH_F64), 0.1 / sqrt(2), 0, 1e-12);
    assert_near(nigh_measure_find("relative-l2")->error(2, small, half, NIGH_F64), 0.5, 0, 1e-12);
    assert_near(nigh_measure_find("rms")->error(2, big, near, NIGH_F64), 0.1e300 / sqrt(2), 0, 1e-12);
    assert_near(nigh_measure_find("rms")->error(2, small, half, NIGH_F64), 0.5e-300 / sqrt(2), 0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_agree_on_the_special), cmocka_unit_test(test_ulp), cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
