/* Error measures by name. Declared in nigh/plan.h. */
#include "nigh/plan.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool same(double exact, double answer) { return exact == answer || (isnan(exact) && isnan(answer)); }

static double absolute(int64_t outputs, const double *exact, const double *answer, nigh_dtype type)
{
    double worst = 0;
    for (int64_t i = 0; i < outputs; i++) {
        if (same(exact[i], answer[i])) continue;
        double e = fabs(answer[i] - exact[i]);
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    return worst;
}

static double relative(int64_t outputs, const double *exact, const double *answer, nigh_dtype type)
{
    double worst = 0;
    for (int64_t i = 0; i < outputs; i++) {
        if (same(exact[i], answer[i])) continue;
        double e = fabs(answer[i] - exact[i]) / fabs(exact[i]);
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    return worst;
}

/* Distance of neighbouring numbers of the type around x (that of the smallest normal number below it). */
static double ulp_of(double x, nigh_dtype type)
{
    int digits = type == NIGH_F32 ? FLT_MANT_DIG : DBL_MANT_DIG, lowest = type == NIGH_F32 ? FLT_MIN_EXP : DBL_MIN_EXP;
    int exponent;
    frexp(x, &exponent);
    if (x == 0 || exponent < lowest) exponent = lowest;
    return ldexp(1, exponent - digits);
}

static double ulp(int64_t outputs, const double *exact, const double *answer, nigh_dtype type)
{
    double worst = 0;
    for (int64_t i = 0; i < outputs; i++) {
        if (same(exact[i], answer[i])) continue;
        double e = fabs(answer[i] - exact[i]) / ulp_of(exact[i], type);
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    return worst;
}

/*
 * Euclidean norms of answer - exact and of exact; what is equal and not finite counts in neither. Computed again, scaled,
 * where squares have overflowed or vanished.
 */
static void norms(int64_t outputs, const double *exact, const double *answer, double *difference, double *norm)
{
    const double tiny = 1e-280, huge = 1e280;
    double d = 0, n = 0, largest_d = 0, largest_n = 0;
    for (int64_t i = 0; i < outputs; i++) {
        bool equal = same(exact[i], answer[i]);
        if (equal && !isfinite(exact[i])) continue;
        double e = equal ? 0 : fabs(answer[i] - exact[i]);
        if (isnan(e)) e = INFINITY;
        d += e * e, n += exact[i] * exact[i];
        largest_d = fmax(largest_d, e), largest_n = fmax(largest_n, fabs(exact[i]));
    }
    *difference = largest_d, *norm = largest_n;
    if (largest_d > 0 && largest_d < INFINITY) {
        if (!(d > tiny && d < huge)) {
            d = 0;
            for (int64_t i = 0; i < outputs; i++)
                if (!same(exact[i], answer[i])) d += (answer[i] / largest_d - exact[i] / largest_d) * (answer[i] / largest_d - exact[i] / largest_d);
            *difference = largest_d * sqrt(d);
        } else
            *difference = sqrt(d);
    }
    if (largest_n > 0 && largest_n < INFINITY) {
        if (!(n > tiny && n < huge)) {
            n = 0;
            for (int64_t i = 0; i < outputs; i++)
                if (isfinite(exact[i])) n += exact[i] / largest_n * (exact[i] / largest_n);
            *norm = largest_n * sqrt(n);
        } else
            *norm = sqrt(n);
    }
}

static double relative_l2(int64_t outputs, const double *exact, const double *answer, nigh_dtype type)
{
    double difference, norm;
    norms(outputs, exact, answer, &difference, &norm);
    if (difference == 0) return 0;
    double e = difference / norm;
    return isnan(e) ? INFINITY : e;
}

static double rms(int64_t outputs, const double *exact, const double *answer, nigh_dtype type)
{
    double difference, norm;
    norms(outputs, exact, answer, &difference, &norm);
    return difference / sqrt((double)outputs);
}

const nigh_measure *nigh_measures(void)
{
    static const nigh_measure measures[] = {
        {"absolute", "", "largest |answer - exact| over the outputs", absolute},
        {"relative", "", "largest |answer - exact| / |exact| over the outputs", relative},
        {"ulp", "ulp", "largest |answer - exact| in units of the last place of the output's type", ulp},
        {"relative-l2", "", "|answer - exact| / |exact|, Euclidean norms over the outputs", relative_l2},
        {"rms", "", "root mean square of answer - exact over the outputs", rms},
        {NULL, NULL, NULL, NULL},
    };
    return measures;
}

const nigh_measure *nigh_measure_find(const char *name)
{
    for (const nigh_measure *m = nigh_measures(); m->name; m++)
        if (strcmp(m->name, name) == 0) return m;
    return NULL;
}
