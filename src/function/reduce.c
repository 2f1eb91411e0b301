/* Range reductions of the named functions; see reduce.h. */
#include "function/reduce.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of doubles: binary128 has no portable literals. */
static const double ln2_parts[3] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56, 0x1.7b57a079a1934p-111};
static const double pi_parts[3] = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53, -0x1.f1976b7ed8fbcp-109};
#define LN2 ((nigh_f128)ln2_parts[0] + ln2_parts[1] + ln2_parts[2])
#define PI ((nigh_f128)pi_parts[0] + pi_parts[1] + pi_parts[2])
#define HALF_ROOT 0.70710678118654752440L

double function_round(nigh_dtype type, nigh_f128 x)
{
    return type == NIGH_F32 ? (double)(float)x : (double)x;
}

double function_neighbour(nigh_dtype type, double x, int steps)
{
    for (; steps > 0; steps--) x = type == NIGH_F32 ? (double)nextafterf((float)x, INFINITY) : nextafter(x, INFINITY);
    for (; steps < 0; steps++) x = type == NIGH_F32 ? (double)nextafterf((float)x, -INFINITY) : nextafter(x, -INFINITY);
    return x;
}

static nigh_f128 power_of_two(int k)
{
    return (nigh_f128)ldexpl(1.0L, k);
}

nigh_f128 function_measure_weight(function_measure measure, nigh_dtype type, nigh_f128 f)
{
    if (measure == FUNCTION_ABSOLUTE) return 1;
    f = function_abs(f);
    if (measure == FUNCTION_RELATIVE) {
        double least = type == NIGH_F32 ? (double)FLT_MIN : DBL_MIN;
        return 1 / (f > least ? f : (nigh_f128)least);
    }
    int exponent = 0, mantissa = type == NIGH_F32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    int least = (type == NIGH_F32 ? FLT_MIN_EXP : DBL_MIN_EXP) - mantissa;
    if (f > 0) (void)frexpl((long double)f, &exponent);
    else exponent = least + mantissa;
    exponent -= mantissa;
    return power_of_two(exponent > least ? -exponent : -least);
}

static function_measure measure_of(const function_target *target)
{
    const char *name = target->measure->name;
    if (strcmp(name, "ulp") == 0) return FUNCTION_ULP;
    return strncmp(name, "relative", 8) == 0 ? FUNCTION_RELATIVE : FUNCTION_ABSOLUTE;
}

static function_reduction reduction_of(function_id id)
{
    switch (id) {
    case FUNCTION_EXP:
    case FUNCTION_EXP2: return FUNCTION_SCALED;
    case FUNCTION_LOG:
    case FUNCTION_LOG2: return FUNCTION_BINADE;
    case FUNCTION_SIN:
    case FUNCTION_COS: return FUNCTION_TURNS;
    case FUNCTION_SQRT: return FUNCTION_ROOT;
    case FUNCTION_RSQRT: return FUNCTION_INVERSE_ROOT;
    case FUNCTION_TANH:
    case FUNCTION_ERF: return FUNCTION_ODD;
    case FUNCTION_SIGMOID: return FUNCTION_MIRROR;
    case FUNCTION_GELU:
    case FUNCTION_SILU:
    case FUNCTION_SOFTPLUS: return FUNCTION_RELU;
    default: return FUNCTION_NONE;
    }
}

/* ---- the reduction's integer -------------------------------------------------------------------------- */

/* k of x: the same as the kernel's but for ties. */
static double integer_of(const function_domain *d, double x)
{
    function_id id = d->target->named->id;
    int exponent;
    switch (d->reduction) {
    case FUNCTION_SCALED: return nearbyint(id == FUNCTION_EXP ? x / 0.6931471805599453 : x);
    case FUNCTION_TURNS: return nearbyint(x / 3.141592653589793 - (id == FUNCTION_COS ? .5 : 0));
    case FUNCTION_BINADE:
        if (frexp(x, &exponent) * 2 >= 2 * (double)HALF_ROOT) return exponent;
        return exponent - 1;
    default: (void)frexp(x, &exponent); /* x in [.5, 2) 4^k: exponent 2k or 2k + 1 */
        return floor(exponent / 2.0);
    }
}

static double largest_input(const function_domain *d)
{
    return fmax(fabs(d->low), fabs(d->high));
}

static bool folded(function_reduction reduction)
{
    return reduction == FUNCTION_ODD || reduction == FUNCTION_MIRROR || reduction == FUNCTION_RELU;
}

static nigh_status refuse(nigh_context *ctx, const char *why)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "reduction=native: %s", why);
}

nigh_status function_domain_supports(nigh_context *ctx, const function_target *target)
{
    if (!target->named) return refuse(ctx, "the function is an expression; only named functions have a known range reduction");
    function_domain d = {.target = target, .low = target->low, .high = target->high, .measure = measure_of(target)};
    d.reduction = reduction_of(target->named->id);
    if (d.reduction == FUNCTION_NONE) return refuse(ctx, "no range reduction is known for this function");
    double most = largest_input(&d);
    if (folded(d.reduction)) {
        if (most <= 1) return refuse(ctx, "the interval lies inside [-1, 1], where nothing is gained by folding");
        if ((d.low >= 0 || d.high <= 0) && most <= 4)
            return refuse(ctx, "the interval lies on one side of 0 and inside [-4, 4]: there is nothing to fold");
        return NIGH_OK;
    }
    bool f32 = target->type == NIGH_F32;
    double normal = f32 ? (double)FLT_MIN : DBL_MIN;
    if (d.reduction == FUNCTION_BINADE || d.reduction == FUNCTION_ROOT || d.reduction == FUNCTION_INVERSE_ROOT) {
        bool fine = d.low >= normal || (d.reduction == FUNCTION_ROOT && d.low == 0 && d.measure == FUNCTION_ABSOLUTE);
        if (!fine) return refuse(ctx, "the interval reaches below the smallest normal number of the type");
    }
    if (d.reduction == FUNCTION_TURNS) {
        double limit = f32 ? 12868.0 : 2.1e8;
        if (most > limit) return nigh_fail(ctx, NIGH_UNSUPPORTED, "reduction=native: |x| reaches %g; up to %g is allowed", most, limit);
        if (most <= 1.5707963267948966) return refuse(ctx, "the interval lies inside [-pi/2, pi/2]");
    }
    bool at_one = d.reduction == FUNCTION_BINADE && d.measure != FUNCTION_ABSOLUTE && d.low <= 1 && d.high >= 1;
    bool zero = d.reduction == FUNCTION_TURNS && d.measure != FUNCTION_ABSOLUTE;
    if (!at_one && !zero && integer_of(&d, d.low == 0 && d.reduction == FUNCTION_ROOT ? normal : d.low) == integer_of(&d, d.high))
        return refuse(ctx, "the interval lies inside one period of the reduction");
    return NIGH_OK;
}

/* ---- making a domain ---------------------------------------------------------------------------------- */

/*
 * -c as numbers of the type whose sum is near -c; the first with few enough bits that k times it is exact. c is a sum of three doubles: its head is
 * taken off before they are added, so that the last number is good to all its bits.
 */
static void split(nigh_dtype type, const double c[3], double most, double out[3])
{
    int bits = 0, mantissa = type == NIGH_F32 ? FLT_MANT_DIG : DBL_MANT_DIG, exponent;
    while (ldexp(1, bits) <= 2 * most + 1) bits++; /* k, or k + 1/2 */
    (void)frexp(c[0], &exponent);
    double unit = ldexp(1, exponent - (mantissa - bits));
    double head = floor(c[0] / unit) * unit;
    out[0] = -head;
    nigh_f128 rest = (nigh_f128)(c[0] - head) + c[1] + c[2];
    out[1] = -function_round(type, rest);
    out[2] = -function_round(type, rest + out[1]);
}

static void domain_scaled(function_domain *d)
{
    bool natural = d->target->named->id == FUNCTION_EXP;
    double eps = d->type == NIGH_F32 ? FLT_EPSILON : DBL_EPSILON, most = fmax(abs(d->k_low), abs(d->k_high)) + 1;
    nigh_f128 period = natural ? LN2 : (nigh_f128)1;
    double parts[3] = {-1, 0, 0};
    if (natural) split(d->type, ln2_parts, most, parts);
    d->constant[0] = function_round(d->type, 1 / period);
    d->constant[1] = parts[0];
    d->constant[2] = parts[1];
    nigh_f128 half = period * (.5 + most * eps);
    d->t_low = -half;
    d->t_high = half;
}

static void domain_turns(function_domain *d, bool analytic)
{
    bool cosine = d->target->named->id == FUNCTION_COS;
    double eps = d->type == NIGH_F32 ? FLT_EPSILON : DBL_EPSILON, most = fmax(abs(d->k_low), abs(d->k_high)) + 1;
    d->constant[0] = function_round(d->type, 1 / PI);
    split(d->type, pi_parts, most, d->constant + 1);
    d->constant[4] = cosine ? -.5 : 0;
    d->constant[5] = cosine;
    d->t_high = PI * (.5 + most * eps);
    d->t_low = analytic ? 0 : -d->t_high;
    d->square = analytic;
    d->factor = analytic || d->measure != FUNCTION_ABSOLUTE;
}

static void domain_native(function_domain *d, bool analytic)
{
    function_id id = d->target->named->id;
    double normal = d->type == NIGH_F32 ? (double)FLT_MIN : DBL_MIN, most = largest_input(d);
    if (folded(d->reduction)) {
        d->t_low = d->low > 0 ? d->low : d->high < 0 ? -d->high : 0;
        d->cuttable = d->reduction == FUNCTION_ODD || d->measure == FUNCTION_ABSOLUTE || d->low >= 0;
        bool vanishes = id != FUNCTION_SIGMOID && id != FUNCTION_SOFTPLUS;
        d->factor = vanishes && d->measure != FUNCTION_ABSOLUTE && d->t_low == 0;
        function_domain_cut(d, most);
        if (d->cuttable) function_domain_cut(d, function_domain_cut_for(d, d->type == NIGH_F32 ? 0x1p-28 : 0x1p-57));
        return;
    }
    d->k_low = (int)integer_of(d, d->low == 0 && d->reduction == FUNCTION_ROOT ? normal : d->low);
    d->k_high = (int)integer_of(d, d->high);
    if (d->reduction == FUNCTION_SCALED) {
        domain_scaled(d);
    } else if (d->reduction == FUNCTION_TURNS) {
        domain_turns(d, analytic);
    } else if (d->reduction == FUNCTION_BINADE) {
        d->step = id == FUNCTION_LOG ? LN2 : (nigh_f128)1;
        d->constant[0] = function_round(d->type, d->step);
        d->constant[1] = function_round(d->type, d->step - d->constant[0]);
        d->t_low = HALF_ROOT - 1;
        d->t_high = 2 * HALF_ROOT - 1;
        if (d->k_low == d->k_high) { /* k = 0: around 1 */
            d->t_low = (nigh_f128)d->low - 1;
            d->t_high = (nigh_f128)d->high - 1;
        }
        d->factor = d->measure != FUNCTION_ABSOLUTE && d->k_low <= 0 && d->k_high >= 0;
    } else {
        d->t_low = .5;
        d->t_high = 2;
    }
}

/* Symmetry, a zero at 0 and sign changes of a function taken as it is. */
static void domain_plain(function_domain *d, bool analytic)
{
    d->t_low = d->low;
    d->t_high = d->high;
    bool around = d->low <= 0 && d->high >= 0;
    if (analytic && d->low == -d->high) {
        bool odd = true, even = true;
        for (int i = 1; i <= 7; i++) {
            nigh_f128 x = (nigh_f128)d->high * i / 7.3L, above = function_value(d->target, x), below = function_value(d->target, -x);
            nigh_f128 small = function_abs(above) * 1e-28L;
            if (!(function_abs(above - below) <= small)) even = false;
            if (!(function_abs(above + below) <= small)) odd = false;
        }
        d->square = odd || even;
        d->factor = odd && !even;
        if (d->square) d->t_low = 0;
    }
    if (d->measure == FUNCTION_ABSOLUTE) return;
    if (around && !d->square) {
        nigh_f128 far = function_abs(function_value(d->target, d->high)) + function_abs(function_value(d->target, d->low));
        d->factor = function_abs(function_value(d->target, 0)) <= far * 1e-32L;
    }
    nigh_f128 a, b, largest = 0, weight;
    bool negative = false, positive = false;
    function_domain_range(d, &a, &b);
    for (int i = 0; i <= 64; i++) {
        nigh_f128 value, v = a + (b - a) * i / 64;
        function_domain_at(d, v, &value, &weight);
        if (value > 0) positive = true;
        if (value < 0) negative = true;
        if (d->factor) value *= d->square ? (nigh_f128)sqrtl((long double)v) : v;
        if (function_abs(value) > largest) largest = function_abs(value);
    }
    if (negative && positive) d->floor = largest * 0x1p-10L;
}

nigh_status function_domain_new(nigh_context *ctx, const function_target *target, bool native, bool analytic,
                                function_domain *out)
{
    function_domain d = {.target = target, .type = target->type, .low = target->low, .high = target->high};
    d.measure = measure_of(target);
    d.smooth = d.measure != FUNCTION_ULP;
    if (native) {
        nigh_status status = function_domain_supports(ctx, target);
        if (status != NIGH_OK) return status;
        d.reduction = reduction_of(target->named->id);
        domain_native(&d, analytic);
    } else {
        domain_plain(&d, analytic);
    }
    *out = d;
    return NIGH_OK;
}

void function_domain_cut(function_domain *d, double cut)
{
    if (cut < (double)d->t_low + 1e-3) cut = (double)d->t_low + 1e-3;
    double rounded = function_round(d->type, cut);
    d->t_high = rounded;
    d->constant[0] = rounded;
}

nigh_f128 function_domain_tail(const function_domain *d, nigh_f128 cut)
{
    static const double further[] = {0, .25, .5, 1, 2}; /* h of gelu and silu has one bump */
    nigh_f128 end = largest_input(d), most = 0;
    if (cut >= end) return 0;
    nigh_f128 last = function_domain_value(d, end), at_cut = function_domain_value(d, cut), error = function_abs(at_cut - last);
    for (int i = 0; i < 5; i++) {
        nigh_f128 t = cut + further[i];
        if (t > end) break;
        nigh_f128 value = function_domain_value(d, t), off = function_abs(value - at_cut);
        if (off > error) error = off;
        off = error * function_domain_weight(d, t, value);
        if (off > most) most = off;
    }
    return most;
}

double function_domain_cut_for(const function_domain *d, nigh_f128 error)
{
    enum { HALVINGS = 14 };
    double below = (double)d->t_low, at = fmin(largest_input(d), 64);
    if (function_domain_tail(d, at) > error) return largest_input(d);
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (at + below) / 2;
        if (function_domain_tail(d, middle) <= error) at = middle;
        else below = middle;
    }
    return at;
}

/* ---- the core function -------------------------------------------------------------------------------- */

/* The target's argument whose value is g(t). */
static nigh_f128 argument(const function_domain *d, nigh_f128 t)
{
    switch (d->reduction) {
    case FUNCTION_BINADE: return 1 + t;
    case FUNCTION_TURNS: return d->target->named->id == FUNCTION_COS ? t - PI / 2 : t;
    case FUNCTION_MIRROR:
    case FUNCTION_RELU: return -t;
    default: return t;
    }
}

nigh_f128 function_domain_value(const function_domain *d, nigh_f128 t)
{
    return function_value(d->target, argument(d, t));
}

static nigh_f128 larger(nigh_f128 a, nigh_f128 b)
{
    return a > b ? a : b;
}

nigh_f128 function_domain_weight(const function_domain *d, nigh_f128 t, nigh_f128 value)
{
    nigh_f128 weight = 0;
    bool absolute = d->measure == FUNCTION_ABSOLUTE;
    switch (d->reduction) {
    case FUNCTION_NONE: return function_measure_weight(d->measure, d->type, larger(function_abs(value), d->floor));
    case FUNCTION_SCALED:
    case FUNCTION_ROOT: return absolute ? power_of_two(d->k_high) : function_measure_weight(d->measure, d->type, value);
    case FUNCTION_INVERSE_ROOT: return absolute ? power_of_two(-d->k_low) : function_measure_weight(d->measure, d->type, value);
    case FUNCTION_BINADE:
        for (int k = -1; k <= 1; k++) {
            int near = k < d->k_low ? d->k_low : k > d->k_high ? d->k_high : k;
            weight = larger(weight, function_measure_weight(d->measure, d->type, near * d->step + value));
        }
        return weight;
    case FUNCTION_MIRROR:
        if (d->low < 0) weight = function_measure_weight(d->measure, d->type, value);
        if (d->high > 0) weight = larger(weight, function_measure_weight(d->measure, d->type, 1 - value));
        return weight;
    case FUNCTION_RELU:
        if (d->low < 0) weight = function_measure_weight(d->measure, d->type, value);
        if (d->high > 0) weight = larger(weight, function_measure_weight(d->measure, d->type, t + value));
        return weight;
    default: return function_measure_weight(d->measure, d->type, value);
    }
}

/* Arguments nearer to 0 than this share of the interval are not used where core(t) / t is a limit. */
#define NEAR_ZERO 1e-10L

void function_domain_range(const function_domain *d, nigh_f128 *low, nigh_f128 *high)
{
    nigh_f128 a = d->t_low, b = d->t_high, near = (b - a) * NEAR_ZERO;
    if (d->factor && a == 0) a = near;
    if (d->factor && b == 0) b = -near;
    *low = d->square ? a * a : a;
    *high = d->square ? b * b : b;
}

static nigh_f128 root(nigh_f128 v)
{
    if (!(v > 0)) return 0;
    nigh_f128 t = sqrtl((long double)v);
    return t > 0 ? (t + v / t) / 2 : 0;
}

void function_domain_at(const function_domain *d, nigh_f128 v, nigh_f128 *value, nigh_f128 *weight)
{
    nigh_f128 t = d->square ? root(v) : v, near = (d->t_high - d->t_low) * NEAR_ZERO * .5L;
    if (d->factor && function_abs(t) < near) { /* the mean of both sides: exact to the second order */
        nigh_f128 other, w;
        function_domain_at(d, d->square ? near * near : near, value, weight);
        if (d->square) return;
        function_domain_at(d, -near, &other, &w);
        *value = (*value + other) / 2;
        return;
    }
    nigh_f128 g = function_domain_value(d, t);
    *weight = function_domain_weight(d, t, g);
    *value = g;
    if (d->factor) {
        *value = g / t;
        *weight *= function_abs(t);
    }
}

nigh_status function_domain_jet(nigh_context *ctx, const function_domain *d, nigh_f128 v0, int order, nigh_f128 *c)
{
    enum { MOST = 200 };
    nigh_f128 jet[MOST + 1];
    int need = d->square ? 2 * order + 1 : order + 1;
    if (need > MOST) return nigh_fail(ctx, NIGH_INVALID, "Taylor series of order %d; up to %d is allowed", need, MOST);
    nigh_status status = function_jet(ctx, d->target, argument(d, d->square ? 0 : v0), need, jet);
    if (status != NIGH_OK) return status;
    if (d->reduction == FUNCTION_MIRROR || d->reduction == FUNCTION_RELU)
        for (int k = 1; k <= need; k += 2) jet[k] = -jet[k];
    for (int k = 0; k <= order; k++) {
        if (d->square) c[k] = jet[2 * k + (d->factor ? 1 : 0)];
        else if (!d->factor) c[k] = jet[k];
        else if (v0 == 0) c[k] = jet[k + 1];
        else c[k] = (jet[k] - (k ? c[k - 1] : 0)) / v0; /* f = (v0 + s) G */
    }
    return NIGH_OK;
}

int function_domain_images(const function_domain *d, double t, double x[6])
{
    double all[6];
    int count = 0, kept = 0, k[5] = {d->k_low, d->k_high, -1, 0, 1};
    double offset = d->constant[4];
    for (int i = 0; i < 5; i++) {
        if (d->reduction == FUNCTION_NONE) {
            all[count++] = t;
            if (d->square) all[count++] = -t;
            break;
        }
        if (folded(d->reduction)) {
            all[count++] = t;
            all[count++] = -t;
            break;
        }
        if (k[i] < d->k_low || k[i] > d->k_high) continue;
        if (d->reduction == FUNCTION_SCALED) all[count++] = t + k[i] * (d->target->named->id == FUNCTION_EXP ? (double)LN2 : 1);
        else if (d->reduction == FUNCTION_TURNS) all[count++] = (k[i] & 1 ? -t : t) + (k[i] - offset) * (double)PI;
        else if (d->reduction == FUNCTION_BINADE) all[count++] = ldexp(1 + t, k[i]);
        else all[count++] = ldexp(t, 2 * k[i]);
    }
    for (int i = 0; i < count; i++) {
        double rounded = function_round(d->type, all[i]);
        if (rounded >= d->low && rounded <= d->high) x[kept++] = rounded;
    }
    return kept;
}

void function_domain_core(const function_domain *d, function_core *core)
{
    core->type = d->type;
    core->reduction = d->reduction;
    core->square = d->square;
    core->factor = d->factor;
    memcpy(core->constant, d->constant, sizeof core->constant);
}
