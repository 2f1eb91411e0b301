/* Included by roots.c once per real type, with REAL, EPSILON, ROOT_EPSILON and NAME defined. Brent's book is cited in
 * nigh/roots.h; names of variables follow its chapter 4. */

static REAL NAME(size)(REAL x) { return x < 0 ? -x : x; }

static nigh_status NAME(check_range)(nigh_context *ctx, REAL low, REAL high, REAL tolerance)
{
    if (!(low < high) || !(high - low < (REAL)DBL_MAX))
        return nigh_fail(ctx, NIGH_INVALID, "the range is %g to %g; finite and increasing is needed", (double)low, (double)high);
    if (!(tolerance >= 0)) return nigh_fail(ctx, NIGH_INVALID, "the tolerance is %g; 0 or more is allowed", (double)tolerance);
    return NIGH_OK;
}

static nigh_status NAME(check_value)(nigh_context *ctx, REAL at, REAL value)
{
    return value == value ? NIGH_OK : nigh_fail(ctx, NIGH_FAILED, "the function gives NaN at %.17g", (double)at);
}

static nigh_status NAME(check_signs)(nigh_context *ctx, REAL low, REAL at_low, REAL high, REAL at_high)
{
    nigh_status status = NAME(check_value)(ctx, low, at_low);
    if (!status) status = NAME(check_value)(ctx, high, at_high);
    if (status) return status;
    if ((at_low > 0 && at_high > 0) || (at_low < 0 && at_high < 0))
        return nigh_fail(ctx, NIGH_INVALID, "f(%g) = %g and f(%g) = %g have one sign: no zero is bracketed", (double)low,
                         (double)at_low, (double)high, (double)at_high);
    return NIGH_OK;
}

nigh_status NAME(nigh_root_bisect)(nigh_context *ctx, NAME(nigh_real_fn) *f, void *user, REAL low, REAL high,
                                   REAL tolerance, REAL *x)
{
    nigh_status status = NAME(check_range)(ctx, low, high, tolerance);
    if (status) return status;
    REAL at_low = f(user, low), at_high = f(user, high);
    if ((status = NAME(check_signs)(ctx, low, at_low, high, at_high))) return status;
    bool up = at_low < 0 || at_high > 0;
    if (at_low == 0) high = low;
    if (at_high == 0) low = high;
    while (high - low > tolerance + 2 * EPSILON * NAME(size)(high)) {
        REAL middle = low + (high - low) / 2;
        if (!(middle > low && middle < high)) break;
        REAL value = f(user, middle);
        if ((status = NAME(check_value)(ctx, middle, value))) return status;
        if (value == 0) low = high = middle;
        else if ((value > 0) == up) high = middle;
        else low = middle;
    }
    *x = low + (high - low) / 2;
    return NIGH_OK;
}

/* The step from b by inverse quadratic interpolation or secant, as a fraction p / q with p >= 0. */
static void NAME(interpolate)(REAL a, REAL b, REAL c, REAL fa, REAL fb, REAL fc, REAL *p, REAL *q)
{
    REAL s = fb / fa, m = (c - b) / 2;
    if (a == c) {
        *p = 2 * m * s;
        *q = 1 - s;
    } else {
        REAL t = fa / fc, r = fb / fc;
        *p = s * (2 * m * t * (t - r) - (b - a) * (r - 1));
        *q = (t - 1) * (r - 1) * (s - 1);
    }
    if (*p > 0) *q = -*q;
    else *p = -*p;
}

nigh_status NAME(nigh_root_brent)(nigh_context *ctx, NAME(nigh_real_fn) *f, void *user, REAL low, REAL high,
                                  REAL tolerance, REAL *x)
{
    nigh_status status = NAME(check_range)(ctx, low, high, tolerance);
    if (status) return status;
    REAL a = low, b = high, fa = f(user, a), fb = f(user, b);
    if ((status = NAME(check_signs)(ctx, a, fa, b, fb))) return status;
    REAL c = a, fc = fa, step = b - a, before = step; /* the zero lies between b (best) and c; a is the b before */
    for (;;) {
        if (NAME(size)(fc) < NAME(size)(fb)) a = b, b = c, c = a, fa = fb, fb = fc, fc = fa;
        REAL near = EPSILON * NAME(size)(b) + tolerance / 2, m = (c - b) / 2;
        if (near == 0) near = (REAL)DBL_MIN * EPSILON; /* a zero at 0 itself: stop among the tiniest */
        if (NAME(size)(m) <= near || fb == 0) break;
        if (NAME(size)(before) < near || NAME(size)(fa) <= NAME(size)(fb)) {
            step = before = m;
        } else {
            REAL p, q;
            NAME(interpolate)(a, b, c, fa, fb, fc, &p, &q);
            bool good = 2 * p < 3 * m * q - NAME(size)(near * q) && p < NAME(size)(before * q / 2);
            before = good ? step : m;
            step = good ? p / q : m;
        }
        a = b, fa = fb;
        b += NAME(size)(step) > near ? step : m > 0 ? near : -near;
        fb = f(user, b);
        if ((status = NAME(check_value)(ctx, b, fb))) return status;
        if ((fb > 0) == (fc > 0)) c = a, fc = fa, step = before = b - a;
    }
    *x = b;
    return NIGH_OK;
}

nigh_status NAME(nigh_root_newton)(nigh_context *ctx, NAME(nigh_slope_fn) *f, void *user, REAL low, REAL high,
                                   REAL tolerance, REAL *x)
{
    nigh_status status = NAME(check_range)(ctx, low, high, tolerance);
    if (status) return status;
    REAL at_low, at_high, value, slope;
    f(user, low, &at_low, &slope);
    f(user, high, &at_high, &slope);
    if ((status = NAME(check_signs)(ctx, low, at_low, high, at_high))) return status;
    if (at_low == 0 || at_high == 0) {
        *x = at_low == 0 ? low : high;
        return NIGH_OK;
    }
    bool up = at_low < 0;
    REAL at = low + (high - low) / 2, step = high - low, before = step;
    for (;;) {
        f(user, at, &value, &slope);
        if ((status = NAME(check_value)(ctx, at, value))) return status;
        if (value == 0) break;
        if ((value > 0) == up) high = at;
        else low = at;
        REAL near = tolerance + 2 * EPSILON * NAME(size)(at), next = at - value / slope;
        if (high - low <= near) break;
        REAL newton = NAME(size)(next - at);
        bool good = next > low && next < high && 2 * newton < before; /* false for a NaN slope too */
        if (!good) next = low + (high - low) / 2;
        before = step, step = NAME(size)(next - at);
        if (next == at || (good && step <= near / 2)) {
            at = next;
            break;
        }
        at = next;
    }
    *x = at;
    return NIGH_OK;
}

nigh_status NAME(nigh_minimum_golden)(nigh_context *ctx, NAME(nigh_real_fn) *f, void *user, REAL low, REAL high,
                                      REAL tolerance, REAL *x)
{
    const REAL part = (REAL)0.381966011250105151795413165634361882L;
    nigh_status status = NAME(check_range)(ctx, low, high, tolerance);
    if (status) return status;
    REAL a = low + part * (high - low), b = high - part * (high - low), fa = f(user, a), fb = f(user, b);
    if ((status = NAME(check_value)(ctx, a, fa))) return status;
    if ((status = NAME(check_value)(ctx, b, fb))) return status;
    while (high - low > tolerance + ROOT_EPSILON * (NAME(size)(a) + (REAL)DBL_MIN)) {
        REAL at, value;
        if (fa <= fb) {
            high = b, b = a, fb = fa;
            at = a = low + part * (high - low);
            value = fa = f(user, a);
        } else {
            low = a, a = b, fa = fb;
            at = b = high - part * (high - low);
            value = fb = f(user, b);
        }
        if ((status = NAME(check_value)(ctx, at, value))) return status;
        if (!(a < b)) break;
    }
    *x = fa <= fb ? a : b;
    return NIGH_OK;
}
