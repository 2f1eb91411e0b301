/*
 * Discrete Laplace and discrete Gaussian on the integers, exactly, by integer arithmetic alone: algorithms 1 to 3 of "The
 * discrete Gaussian for differential privacy" (Canonne, Kamath, Steinke 2020). Declared in nigh/random.h.
 */
#include "nigh/random.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t top_bits(u128 x) { return (uint64_t)(x >> 64); }

/* Uniform on 0 .. n-1 for n up to 2^127: as many random bits as n - 1 has, again while they are too large. */
static u128 below(nigh_rng *rng, u128 n)
{
    if (!top_bits(n)) return nigh_rng_below(rng, (uint64_t)n);
    u128 mask = n - 1;
    for (int shift = 1; shift < 128; shift *= 2) mask |= mask >> shift;
    for (;;) {
        u128 x = nigh_rng_u64(rng);
        x = (x | (u128)nigh_rng_u64(rng) << 64) & mask;
        if (x < n) return x;
    }
}

/* exp(-a/b) for 0 <= a <= b (algorithm 1): the first k at which Bernoulli(a / (b k)) fails is odd with that chance.
 * b k is kept below 2^127 by drawing the chance as two independent events, a/b and 1/k. */
static bool exp_of_fraction(nigh_rng *rng, u128 a, u128 b)
{
    uint64_t k = 1;
    while (below(rng, b) < a && nigh_rng_below(rng, k) == 0) k++;
    return k & 1;
}

static bool bernoulli_exp(nigh_rng *rng, u128 a, u128 b)
{
    for (; a > b; a -= b)
        if (!exp_of_fraction(rng, 1, 1)) return false;
    return exp_of_fraction(rng, a, b);
}

bool nigh_rng_bernoulli_exp(nigh_rng *rng, uint64_t numerator, uint64_t denominator)
{
    return denominator ? bernoulli_exp(rng, numerator, denominator) : false;
}

/* Algorithm 2 with scale t / s. */
static int64_t discrete_laplace(nigh_rng *rng, uint64_t t, uint64_t s)
{
    for (;;) {
        uint64_t u = nigh_rng_below(rng, t);
        if (!bernoulli_exp(rng, u, t)) continue;
        uint64_t v = 0;
        while (exp_of_fraction(rng, 1, 1)) v++;
        uint64_t size = (u + t * v) / s;
        bool negative = nigh_rng_u32(rng) >> 31;
        if (negative && size == 0) continue; /* zero is counted once */
        return negative ? -(int64_t)size : (int64_t)size;
    }
}

static nigh_status check_fraction(nigh_context *ctx, uint32_t numerator, uint32_t denominator)
{
    if (numerator >= 1 && denominator >= 1 && numerator <= INT32_MAX && denominator <= INT32_MAX) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "the parameter is %u/%u; both parts must be 1 to 2147483647", numerator, denominator);
}

nigh_status nigh_rng_discrete_laplace(nigh_context *ctx, nigh_rng *rng, uint32_t numerator, uint32_t denominator,
                                      int64_t *out)
{
    if (check_fraction(ctx, numerator, denominator)) return NIGH_INVALID;
    *out = discrete_laplace(rng, numerator, denominator);
    return NIGH_OK;
}

/* Algorithm 3: v = a/b, t = floor(sqrt v) + 1; a Laplace y of scale t is kept with chance
 * exp(-(|y| - v/t)^2 / (2 v)) = exp(-(|y| b t - a)^2 / (2 a b t^2)). */
nigh_status nigh_rng_discrete_gaussian(nigh_context *ctx, nigh_rng *rng, uint32_t numerator, uint32_t denominator,
                                       int64_t *out)
{
    if (check_fraction(ctx, numerator, denominator)) return NIGH_INVALID;
    uint64_t a = numerator, b = denominator, t = 1;
    while (t * t * b <= a) t++; /* at most 46341 steps */
    for (;;) {
        int64_t y = discrete_laplace(rng, t, 1);
        uint64_t size = (uint64_t)(y < 0 ? -y : y);
        if (size >= (uint64_t)1 << 28) continue; /* chance below e^-5000 even for the widest law: kept out of overflow */
        uint64_t scaled = size * b * t, gap = scaled > a ? scaled - a : a - scaled; /* b t <= 2^32 */
        if (bernoulli_exp(rng, (u128)gap * gap, (u128)2 * a * b * t * t)) {
            *out = y;
            return NIGH_OK;
        }
    }
}
