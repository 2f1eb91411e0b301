/*
 * Sobol sequences and Latin hypercubes. Declared in nigh/random.h.
 *
 * Direction numbers follow Bratley and Fox ("Algorithm 659: implementing Sobol's quasirandom sequence generator", 1988)
 * with primitive polynomials over GF(2) in order of degree, found here rather than stored. The free odd numbers of each
 * dimension are the best of a few seeded candidates: the one whose projections with the dimensions just before have
 * the smallest quality parameters t (as the tables of Joe and Kuo 2008 were made, with a far shorter search).
 */
#include "nigh/random.h"

#include <math.h>
#include <string.h>

enum { BITS = 32, WIDTH = 53, CANDIDATES = 12, NEIGHBOURS = 6, PROBE = 10 };

/* ---- primitive polynomials ---- */

static uint32_t multiply_modulo(uint32_t a, uint32_t b, uint32_t polynomial, int degree)
{
    uint32_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1) product ^= a;
        a <<= 1;
        if (a >> degree & 1) a ^= polynomial;
    }
    return product;
}

static uint32_t power_of_x(uint32_t exponent, uint32_t polynomial, int degree)
{
    uint32_t result = 1, base = degree > 1 ? 2 : 2 ^ polynomial;
    for (; exponent; exponent >>= 1, base = multiply_modulo(base, base, polynomial, degree))
        if (exponent & 1) result = multiply_modulo(result, base, polynomial, degree);
    return result;
}

/* The order of x modulo the polynomial is 2^degree - 1. */
static bool primitive(uint32_t polynomial, int degree)
{
    uint32_t order = (1u << degree) - 1, rest = order;
    if (power_of_x(order, polynomial, degree) != 1) return false;
    for (uint32_t q = 2; rest > 1; q++) {
        if (q * q > rest) q = rest;
        if (rest % q) continue;
        while (rest % q == 0) rest /= q;
        if (power_of_x(order / q, polynomial, degree) == 1) return false;
    }
    return true;
}

/* The next primitive polynomial after *polynomial (1 at first); the leading bit is its degree. */
static void next_primitive(uint32_t *polynomial, int *degree)
{
    do {
        *polynomial += 2;
        while (*polynomial >> (*degree + 1)) ++*degree;
    } while (!primitive(*polynomial, *degree));
}

/* ---- direction numbers: column k of the generator matrix, top bit first ---- */

static void directions_from(uint32_t polynomial, int degree, nigh_rng rng, uint32_t v[BITS])
{
    for (int k = 0; k < BITS; k++) {
        if (k < degree) { /* odd, below 2^(k+1) */
            uint32_t m = (nigh_rng_u32(&rng) >> (31 - k)) | 1;
            v[k] = m << (31 - k);
            continue;
        }
        v[k] = v[k - degree] ^ (v[k - degree] >> degree);
        for (int i = 1; i < degree; i++)
            if (polynomial >> (degree - i) & 1) v[k] ^= v[k - i];
    }
}

/* Row r of the PROBE x PROBE generator matrix as bits over columns. */
static void rows_of(const uint32_t v[BITS], uint32_t rows[PROBE])
{
    for (int r = 0; r < PROBE; r++) {
        rows[r] = 0;
        for (int k = 0; k < PROBE; k++) rows[r] |= (v[k] >> (31 - r) & 1) << k;
    }
}

/* Adds a row to a reduced basis; false when it depends on it. */
static bool basis_add(uint32_t basis[PROBE], uint32_t row)
{
    for (int bit = PROBE - 1; bit >= 0; bit--) {
        if (!(row >> bit & 1)) continue;
        if (!basis[bit]) {
            basis[bit] = row;
            return true;
        }
        row ^= basis[bit];
    }
    return false;
}

/* t of the first 2^PROBE points of two coordinates: PROBE minus the largest s for which any split of s leading rows is
 * independent. For each number of rows of a: how many rows of b can follow. */
static int quality(const uint32_t a[PROBE], const uint32_t b[PROBE])
{
    int strength = PROBE;
    uint32_t basis_a[PROBE] = {0};
    for (int rows = 0; rows <= PROBE && rows <= strength; rows++) {
        uint32_t basis[PROBE];
        memcpy(basis, basis_a, sizeof basis);
        int more = 0;
        while (rows + more < strength && more < PROBE && basis_add(basis, b[more])) more++;
        if (rows + more < strength) strength = rows + more;
        if (rows < PROBE) basis_add(basis_a, a[rows]);
    }
    return PROBE - strength;
}

static void search(int64_t dimension, uint32_t polynomial, int degree, uint32_t (*rows)[PROBE], uint32_t v[BITS])
{
    int best = INT32_MAX;
    for (uint64_t candidate = 0; candidate < CANDIDATES; candidate++) {
        uint32_t trial[BITS], mine[PROBE];
        directions_from(polynomial, degree, nigh_rng_new(0x50b01, (uint64_t)dimension << 8 | candidate), trial);
        rows_of(trial, mine);
        int score = 0;
        for (int64_t other = dimension - 1; other >= 0 && other >= dimension - NEIGHBOURS; other--) {
            int t = quality(mine, rows[other % NEIGHBOURS]);
            score += t * t * t;
        }
        if (score >= best) continue;
        best = score;
        memcpy(v, trial, sizeof trial);
    }
    rows_of(v, rows[dimension % NEIGHBOURS]);
}

/* A random lower triangular matrix with unit diagonal (rows: output bits), applied to each column, then a shift. */
static uint64_t scramble(uint64_t seed, int64_t dimension, const uint32_t v[BITS], uint64_t columns[BITS])
{
    for (int k = 0; k < BITS; k++) columns[k] = (uint64_t)v[k] << (WIDTH - BITS);
    if (!seed) return 0;
    nigh_rng rng = nigh_rng_new(seed, 0x736f626f6c000000ull + (uint64_t)dimension);
    uint64_t mask[WIDTH];
    for (int r = 0; r < WIDTH; r++) { /* row r sees input bits 0 .. r, counted from the top */
        uint64_t above = ~(((uint64_t)1 << (WIDTH - r)) - 1);
        mask[r] = ((nigh_rng_u64(&rng) & above) | (uint64_t)1 << (WIDTH - 1 - r)) & (((uint64_t)1 << WIDTH) - 1);
    }
    for (int k = 0; k < BITS; k++) {
        uint64_t in = columns[k], out = 0;
        for (int r = 0; r < WIDTH; r++) out |= (uint64_t)__builtin_parityll(in & mask[r]) << (WIDTH - 1 - r);
        columns[k] = out;
    }
    return nigh_rng_u64(&rng) >> (64 - WIDTH);
}

/* One coordinate of all points, in Gray-code order: point i is the sum of the columns at the bits of i ^ (i >> 1). */
static void coordinate(const uint64_t columns[BITS], uint64_t shift, int64_t d, int64_t skip, int64_t n, double *out)
{
    uint64_t gray = (uint64_t)skip ^ ((uint64_t)skip >> 1), x = shift;
    for (int k = 0; k < BITS; k++)
        if (gray >> k & 1) x ^= columns[k];
    for (int64_t i = 0; i < n; i++) {
        out[i * d] = (double)x * 0x1p-53;
        int k = __builtin_ctzll((uint64_t)(skip + i + 1));
        if (k < BITS) x ^= columns[k];
    }
}

nigh_status nigh_sobol(nigh_context *ctx, int64_t d, uint64_t scramble_seed, int64_t skip, int64_t n, double *out)
{
    if (d < 1 || d > NIGH_SOBOL_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "d is %lld; 1 to %d dimensions are allowed", (long long)d, NIGH_SOBOL_DIMS);
    const int64_t most = (int64_t)1 << BITS;
    if (skip < 0 || n < 0 || skip > most || n > most - skip)
        return nigh_fail(ctx, NIGH_INVALID, "points %lld to %lld + %lld; they must lie in 0 to 2^32", (long long)skip,
                         (long long)skip, (long long)n);
    uint32_t rows[NEIGHBOURS][PROBE] = {{0}}, polynomial = 1;
    int degree = 0;
    for (int64_t dimension = 0; dimension < d; dimension++) {
        uint32_t v[BITS];
        if (dimension == 0) { /* van der Corput */
            for (int k = 0; k < BITS; k++) v[k] = 1u << (31 - k);
            rows_of(v, rows[0]);
        } else {
            next_primitive(&polynomial, &degree);
            search(dimension, polynomial, degree, rows, v);
        }
        uint64_t columns[BITS], shift = scramble(scramble_seed, dimension, v, columns);
        coordinate(columns, shift, d, skip, n, out + dimension);
    }
    return NIGH_OK;
}

nigh_status nigh_latin_hypercube(nigh_context *ctx, nigh_rng *rng, int64_t d, int64_t n, double *out)
{
    if (d < 1 || n < 0)
        return nigh_fail(ctx, NIGH_INVALID, "%lld points in %lld dimensions; 0 or more in 1 or more are allowed",
                         (long long)n, (long long)d);
    int64_t *cell = nigh_alloc_zero(ctx, (size_t)n, sizeof *cell);
    if (!cell) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int64_t j = 0; j < d && status == NIGH_OK; j++) {
        status = nigh_rng_permutation(ctx, rng, n, cell);
        for (int64_t i = 0; status == NIGH_OK && i < n; i++) {
            double x = ((double)cell[i] + nigh_rng_f64(rng)) / (double)n, end = ((double)cell[i] + 1) / (double)n;
            out[i * d + j] = x < end ? x : nextafter(end, 0); /* rounding must not leave the cell */
        }
    }
    nigh_free(ctx, cell);
    return status;
}
