/*
 * Philox4x32-10 of "Parallel random numbers: as easy as 1, 2, 3" (Salmon, Moraes, Dror, Shaw 2011), uniforms, the
 * normal ziggurat, permutations and subsets. Declared in nigh/random.h; distributions are in dist.c.
 */
#include "nigh/random.h"
#include "core/philox.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static void philox_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void nigh_philox_fill_scalar(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out)
{
    for (int64_t b = 0; b < blocks; b++) philox_block(seed, stream, first + (uint64_t)b, out + 4 * b);
}

static philox_fill_fn *fill_kernel(void)
{
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX512) return nigh_philox_fill_avx512;
    if (nigh_cpu() >= NIGH_CPU_AVX2) return nigh_philox_fill_avx2;
#endif
    return nigh_philox_fill_scalar;
}

nigh_rng nigh_rng_new(uint64_t seed, uint64_t stream)
{
    return (nigh_rng){.seed = seed, .stream = stream};
}

void nigh_rng_seek(nigh_rng *rng, uint64_t position)
{
    rng->position = position;
    if (position & 3) philox_block(rng->seed, rng->stream, position >> 2, rng->block);
}

uint64_t nigh_seed_split(uint64_t seed, uint64_t index)
{
    uint32_t out[4];
    philox_block(seed, 0x73706c6974ull, index, out); /* a stream of its own: "split" */
    return out[0] | (uint64_t)out[1] << 32;
}

uint32_t nigh_rng_u32(nigh_rng *rng)
{
    if (!(rng->position & 3)) philox_block(rng->seed, rng->stream, rng->position >> 2, rng->block);
    return rng->block[rng->position++ & 3];
}

uint64_t nigh_rng_u64(nigh_rng *rng)
{
    uint64_t low = nigh_rng_u32(rng);
    return low | (uint64_t)nigh_rng_u32(rng) << 32;
}

float nigh_rng_f32(nigh_rng *rng) { return (float)(nigh_rng_u32(rng) >> 8) * 0x1p-24f; }
double nigh_rng_f64(nigh_rng *rng) { return (double)(nigh_rng_u64(rng) >> 11) * 0x1p-53; }

uint64_t nigh_rng_below(nigh_rng *rng, uint64_t n)
{
    /* Lemire, "Fast random integer generation in an interval": multiply, reject the few that would make it uneven. */
    if (n <= 1) return 0;
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)nigh_rng_u64(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t uneven = (0 - n) % n;
        while ((uint64_t)product < uneven) product = (u128)nigh_rng_u64(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

/* ---- many at once ---- */

void nigh_rng_fill_u32(nigh_rng *rng, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    while (i < n && (rng->position & 3)) out[i++] = nigh_rng_u32(rng);
    int64_t groups = (n - i) / (4 * PHILOX_GROUP);
    if (groups > 0) {
        fill_kernel()(rng->seed, rng->stream, rng->position >> 2, groups * PHILOX_GROUP, out + i);
        i += groups * 4 * PHILOX_GROUP;
        rng->position += (uint64_t)groups * 4 * PHILOX_GROUP;
    }
    while (i < n) out[i++] = nigh_rng_u32(rng);
}

enum { CHUNK = 1024 }; /* words, on the stack */

void nigh_rng_fill_f32(nigh_rng *rng, int64_t n, float *out)
{
    uint32_t words[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = n - i < CHUNK ? n - i : CHUNK;
        nigh_rng_fill_u32(rng, m, words);
        for (int64_t j = 0; j < m; j++) out[i + j] = (float)(words[j] >> 8) * 0x1p-24f;
    }
}

void nigh_rng_fill_f64(nigh_rng *rng, int64_t n, double *out)
{
    uint32_t words[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK / 2) {
        int64_t m = n - i < CHUNK / 2 ? n - i : CHUNK / 2;
        nigh_rng_fill_u32(rng, 2 * m, words);
        for (int64_t j = 0; j < m; j++)
            out[i + j] = (double)((words[2 * j] | (uint64_t)words[2 * j + 1] << 32) >> 11) * 0x1p-53;
    }
}

/* ---- normal: the ziggurat of Marsaglia and Tsang with 256 layers of equal area ---- */

enum { LAYERS = 256 };
static const double ziggurat_tail = 3.6541528853610088; /* where the lowest layer's tail begins */
static double layer_x[LAYERS + 1];                       /* right edges, layer 0 the widest (area / density) */
static double layer_y[LAYERS + 1];                       /* density exp(-x^2/2) at them */
static pthread_once_t ziggurat_once = PTHREAD_ONCE_INIT;

static void ziggurat_make(void)
{
    double r = ziggurat_tail, top = exp(-0.5 * r * r);
    double area = r * top + sqrt(acos(-1.0) / 2) * erfc(r / sqrt(2.0));
    layer_x[0] = area / top, layer_y[0] = top; /* a rectangle as wide as layer and tail together */
    layer_x[1] = r, layer_y[1] = top;
    for (int i = 2; i < LAYERS; i++) {
        layer_y[i] = layer_y[i - 1] + area / layer_x[i - 1];
        layer_x[i] = sqrt(-2 * log(layer_y[i]));
    }
    layer_x[LAYERS] = 0, layer_y[LAYERS] = 1;
}

static double normal_tail(nigh_rng *rng)
{
    for (;;) {
        double x = -log(1 - nigh_rng_f64(rng)) / ziggurat_tail;
        double y = -log(1 - nigh_rng_f64(rng));
        if (2 * y > x * x) return ziggurat_tail + x;
    }
}

/* The ordinary case, 98.8% of draws: inside the layer. */
static inline bool normal_inside(uint64_t bits, double *x)
{
    int layer = (int)(bits & (LAYERS - 1));
    double sign = bits & LAYERS ? -1 : 1, size = (double)(bits >> 11) * 0x1p-53 * layer_x[layer];
    *x = sign * size;
    return size < layer_x[layer + 1];
}

static double normal_draw(nigh_rng *rng)
{
    for (;;) {
        uint64_t bits = nigh_rng_u64(rng);
        int layer = (int)(bits & (LAYERS - 1));
        double x;
        if (normal_inside(bits, &x)) return x;
        if (layer == 0) return copysign(normal_tail(rng), x);
        double y = layer_y[layer] + nigh_rng_f64(rng) * (layer_y[layer + 1] - layer_y[layer]);
        if (y < exp(-0.5 * x * x)) return x;
    }
}

double nigh_rng_normal(nigh_rng *rng)
{
    pthread_once(&ziggurat_once, ziggurat_make);
    return normal_draw(rng);
}

/* Words are drawn many at once; the rare draw that needs more than two of them goes back to its place and is made alone. */
void nigh_rng_fill_normal(nigh_rng *rng, int64_t n, double *out)
{
    uint32_t words[CHUNK + 4];
    pthread_once(&ziggurat_once, ziggurat_make);
    for (int64_t i = 0; i < n;) {
        uint64_t start = rng->position;
        int64_t room = CHUNK + (int64_t)(-start & 3), m = 2 * (n - i) < room ? 2 * (n - i) : room, used = 0;
        nigh_rng_fill_u32(rng, m, words);
        while (used + 2 <= m && i < n) {
            if (normal_inside(words[used] | (uint64_t)words[used + 1] << 32, &out[i])) used += 2;
            else {
                nigh_rng_seek(rng, start + (uint64_t)used);
                out[i] = normal_draw(rng);
                used = (int64_t)(rng->position - start);
            }
            i++;
        }
        nigh_rng_seek(rng, start + (uint64_t)used);
    }
}

void nigh_rng_fill_normal_f32(nigh_rng *rng, int64_t n, float *out)
{
    double part[CHUNK / 2];
    for (int64_t i = 0; i < n; i += CHUNK / 2) {
        int64_t m = n - i < CHUNK / 2 ? n - i : CHUNK / 2;
        nigh_rng_fill_normal(rng, m, part);
        for (int64_t j = 0; j < m; j++) out[i + j] = (float)part[j];
    }
}

/* ---- permutations and subsets ---- */

nigh_status nigh_rng_permutation(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t *out)
{
    if (n < 0) return nigh_fail(ctx, NIGH_INVALID, "a permutation of %lld elements; 0 or more are allowed", (long long)n);
    for (int64_t i = 0; i < n; i++) { /* Fisher-Yates, inside out */
        int64_t j = (int64_t)nigh_rng_below(rng, (uint64_t)i + 1);
        if (j < i) out[i] = out[j];
        out[j] = i;
    }
    return NIGH_OK;
}

/* What a Fisher-Yates shuffle has moved, kept sparse: slot i of the virtual array holds `value`, else i itself. */
typedef struct moved {
    int64_t slot, value;
} moved;

static moved *moved_find(moved *table, uint64_t mask, int64_t slot)
{
    uint64_t at = (uint64_t)slot * 0x9E3779B97F4A7C15ull;
    for (at ^= at >> 32;; at++) {
        moved *entry = &table[at & mask];
        if (entry->slot == slot || entry->slot < 0) return entry;
    }
}

nigh_status nigh_rng_choose(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t k, int64_t *out)
{
    if (k < 0 || k > n)
        return nigh_fail(ctx, NIGH_INVALID, "%lld of %lld elements were asked for; 0 to all are allowed", (long long)k, (long long)n);
    uint64_t room = 16;
    while (room < 2 * (uint64_t)k) room *= 2;
    moved *table = nigh_alloc_zero(ctx, room, sizeof *table);
    if (!table) return NIGH_MEMORY;
    for (uint64_t i = 0; i < room; i++) table[i].slot = -1;
    for (int64_t i = 0; i < k; i++) {
        int64_t j = i + (int64_t)nigh_rng_below(rng, (uint64_t)(n - i));
        moved *at_j = moved_find(table, room - 1, j);
        out[i] = at_j->slot == j ? at_j->value : j;
        /* Slot i is never drawn again, so its value moves to j. It stays in the table as a dead entry. */
        moved *at_i = moved_find(table, room - 1, i);
        int64_t value = at_i->slot == i ? at_i->value : i;
        at_j->slot = j, at_j->value = value;
    }
    nigh_free(ctx, table);
    return NIGH_OK;
}
