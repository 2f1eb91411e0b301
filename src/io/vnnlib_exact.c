/* Exact numbers of property files. Declared in io/vnnlib.h. */
#include "io/vnnlib.h"

#include <math.h>
#include <string.h>

enum { MOST_LIMBS = 256, MOST_DIGITS = 800, MOST_EXPONENT = 1200, MOST_SIZE = 300, CHUNK = 9 };

/* ---- whole numbers -------------------------------------------------------------------------------------- */

static whole make(exact_room *room, int n)
{
    static uint32_t nothing;
    uint32_t *limb = room->status ? NULL : nigh_arena_alloc_zero(room->arena, (size_t)n + 1, sizeof *limb);
    if (!limb && !room->status) room->status = NIGH_MEMORY;
    return limb ? (whole){n, limb} : (whole){0, &nothing};
}

static whole trim(whole a)
{
    while (a.n && !a.limb[a.n - 1]) a.n--;
    return a;
}

static int compare(whole a, whole b)
{
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    for (int i = a.n - 1; i >= 0; i--)
        if (a.limb[i] != b.limb[i]) return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}

static bool is_one(whole a) { return a.n == 1 && a.limb[0] == 1; }

static whole times(exact_room *room, whole a, whole b)
{
    if (is_one(b)) return a;
    if (is_one(a)) return b;
    whole c = make(room, a.n + b.n);
    for (int i = 0; i < a.n && c.n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < b.n; j++) {
            carry += (uint64_t)a.limb[i] * b.limb[j] + c.limb[i + j];
            c.limb[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        c.limb[i + b.n] = (uint32_t)carry;
    }
    return trim(c);
}

static whole plus(exact_room *room, whole a, whole b)
{
    whole c = make(room, (a.n > b.n ? a.n : b.n) + 1);
    uint64_t carry = 0;
    for (int i = 0; i < c.n; i++) {
        carry += (uint64_t)(i < a.n ? a.limb[i] : 0) + (i < b.n ? b.limb[i] : 0);
        c.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return trim(c);
}

/* a - b, a >= b */
static whole minus(exact_room *room, whole a, whole b)
{
    whole c = make(room, a.n);
    int64_t carry = 0;
    for (int i = 0; i < c.n; i++) {
        carry += (int64_t)a.limb[i] - (i < b.n ? b.limb[i] : 0);
        c.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return trim(c);
}

static whole shifted(exact_room *room, whole a, int bits)
{
    whole c = make(room, a.n ? a.n + bits / 32 + 1 : 0);
    if (!c.n) return c;
    for (int i = 0; i < a.n; i++) {
        uint64_t both = (uint64_t)a.limb[i] << bits % 32;
        c.limb[i + bits / 32] |= (uint32_t)both;
        c.limb[i + bits / 32 + 1] |= (uint32_t)(both >> 32);
    }
    return trim(c);
}

/* a b + c in place; there is room for one limb more. */
static void step(whole *a, uint32_t b, uint32_t c)
{
    uint64_t carry = c;
    for (int i = 0; i < a->n; i++) {
        carry += (uint64_t)a->limb[i] * b;
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) a->limb[a->n++] = (uint32_t)carry;
}

static whole from_digits(exact_room *room, const char *digit, int n)
{
    whole a = make(room, n / CHUNK + 2);
    bool good = a.n > 0;
    a.n = 0;
    for (int i = 0; i < n && good;) {
        uint32_t chunk = 0, power = 1;
        for (int end = i + CHUNK < n ? i + CHUNK : n; i < end; i++) chunk = 10 * chunk + (uint32_t)(digit[i] - '0'), power *= 10;
        step(&a, power, chunk);
    }
    return a;
}

static whole power_of_ten(exact_room *room, int n)
{
    whole a = make(room, n / CHUNK + 2);
    if (!a.n) return a;
    a.n = 1, a.limb[0] = 1;
    for (; n >= CHUNK; n -= CHUNK) step(&a, 1000000000, 0);
    for (; n; n--) step(&a, 10, 0);
    return a;
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

static exact checked(exact_room *room, exact x)
{
    if (!x.sign || !x.top.n) return (exact){.below = exact_small(room, 1).top, .top = {0, x.top.limb}};
    if (!room->status && (x.top.n > MOST_LIMBS || x.below.n > MOST_LIMBS || x.exponent > MOST_EXPONENT || x.exponent < -MOST_EXPONENT)) room->status = NIGH_UNSUPPORTED;
    return x;
}

exact exact_small(exact_room *room, int value)
{
    exact x = {.sign = (value > 0) - (value < 0), .top = make(room, 1), .below = make(room, 1)};
    if (room->status) return (exact){.top = x.top, .below = x.below};
    x.top.limb[0] = (uint32_t)(value < 0 ? -value : value), x.below.limb[0] = 1;
    x.top = trim(x.top);
    return x;
}

bool exact_parse(exact_room *room, const char *text, size_t size, exact *x)
{
    char digit[MOST_DIGITS];
    const char *at = text, *end = text + size;
    int n = 0, sign = 1, exponent = 0, any = 0;
    bool point = false, wide = false;
    if (at < end && (*at == '-' || *at == '+')) sign = *at++ == '-' ? -1 : 1;
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !point)); at++) {
        if (*at == '.') point = true;
        else {
            any = 1;
            if (n || *at != '0') {
                if (n < MOST_DIGITS) digit[n++] = *at;
                else wide = true;
            }
            if (point && exponent > -2 * MOST_EXPONENT) exponent--;
        }
    }
    if (!any) return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int value = 0, direction = 1;
        if (++at < end && (*at == '-' || *at == '+')) direction = *at++ == '-' ? -1 : 1;
        if (at == end) return false;
        for (; at < end && *at >= '0' && *at <= '9'; at++) value = value < 100000 ? 10 * value + (*at - '0') : value;
        exponent += direction * value;
    }
    if (at != end) return false;
    if (n && (wide || exponent < -MOST_EXPONENT || n + exponent > MOST_SIZE)) {
        if (!room->status) room->status = NIGH_UNSUPPORTED;
        n = 0;
    }
    *x = checked(room, (exact){.sign = n ? sign : 0, .exponent = exponent, .top = from_digits(room, digit, n), .below = exact_small(room, 1).top});
    return true;
}

exact exact_multiply(exact_room *room, exact a, exact b)
{
    return checked(room, (exact){a.sign * b.sign, a.exponent + b.exponent, times(room, a.top, b.top), times(room, a.below, b.below)});
}

exact exact_divide(exact_room *room, exact a, exact b)
{
    return checked(room, (exact){a.sign * b.sign, a.exponent - b.exponent, times(room, a.top, b.below), times(room, a.below, b.top)});
}

exact exact_add(exact_room *room, exact a, exact b)
{
    if (!a.sign) return b;
    if (!b.sign) return a;
    exact c = {.exponent = a.exponent < b.exponent ? a.exponent : b.exponent, .below = a.below};
    if (a.exponent > c.exponent) a.top = times(room, a.top, power_of_ten(room, a.exponent - c.exponent));
    if (b.exponent > c.exponent) b.top = times(room, b.top, power_of_ten(room, b.exponent - c.exponent));
    if (compare(a.below, b.below)) {
        a.top = times(room, a.top, b.below);
        b.top = times(room, b.top, a.below);
        c.below = times(room, a.below, b.below);
    }
    int order = compare(a.top, b.top);
    if (a.sign == b.sign) c.sign = a.sign, c.top = plus(room, a.top, b.top);
    else if (order >= 0) c.sign = order ? a.sign : 0, c.top = minus(room, a.top, b.top);
    else c.sign = b.sign, c.top = minus(room, b.top, a.top);
    return checked(room, c);
}

/* ---- rounding ------------------------------------------------------------------------------------------- */

/* a is about value 2^exponent. */
static double leading(whole a, int *exponent)
{
    double value = 0;
    int last = a.n > 3 ? a.n - 3 : 0;
    for (int i = a.n - 1; i >= last; i--) value = value * 0x1p32 + a.limb[i];
    *exponent = 32 * last;
    return value;
}

/* The sign of top / below - v, for v >= 0. */
static int against(exact_room *room, whole top, whole below, double v)
{
    int exponent;
    if (v == 0) return top.n > 0;
    uint64_t m = (uint64_t)ldexp(frexp(v, &exponent), 53);
    exponent -= 53;
    whole factor = make(room, 2);
    if (!factor.n) return 0;
    factor.limb[0] = (uint32_t)m, factor.limb[1] = (uint32_t)(m >> 32);
    below = times(room, below, trim(factor));
    if (exponent > 0) below = shifted(room, below, exponent);
    else top = shifted(room, top, -exponent);
    return compare(top, below);
}

void exact_bounds(exact_room *room, exact x, double *down, double *up)
{
    *down = *up = 0;
    if (!x.sign || room->status) return;
    whole top = x.exponent > 0 ? times(room, x.top, power_of_ten(room, x.exponent)) : x.top;
    whole below = x.exponent < 0 ? times(room, x.below, power_of_ten(room, -x.exponent)) : x.below;
    int a, b;
    double v = leading(top, &a);
    v /= leading(below, &b);
    if (room->status) return;
    v = ldexp(v, a - b); /* off by a few units in the last place at most */
    if (!(v < 1e300)) {
        room->status = NIGH_UNSUPPORTED;
        return;
    }
    while (!room->status && against(room, top, below, v) < 0) v = nextafter(v, 0);
    while (!room->status && against(room, top, below, nextafter(v, INFINITY)) >= 0) v = nextafter(v, INFINITY);
    double above = against(room, top, below, v) ? nextafter(v, INFINITY) : v;
    *down = x.sign > 0 ? v : -above;
    *up = x.sign > 0 ? above : -v;
}
