/* Public functions of nigh/bessel.h: one point, arrays sorted by region. The mathematics stands in bessel_kernel.inc and bessel_rare.c. */
#include "function/bessel_kernel.h"

#include <math.h>
#include <string.h>

const bessel_kernels *const *bessel_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return bessel_kernels_avx512;
    if (level == NIGH_CPU_AVX2) return bessel_kernels_avx2;
#endif
    return bessel_kernels_scalar;
}

static bool of_second_kind(bessel_what what) { return what == BESSEL_LOG_K || what == BESSEL_RATIO_K; }

static double one(bessel_what what, bool scaled, double v, double x)
{
    const bessel_kernels *kernels = bessel_kernels_at(nigh_cpu())[0];
    double region, y;
    kernels->classify[BESSEL_FULL][of_second_kind(what)](1, &v, &x, &region);
    if (region == BESSEL_RARE) return bessel_rare(what, scaled, v, x);
    kernels->run[BESSEL_FULL][what][(int)region](1, &v, &x, scaled, &y);
    return y;
}

/* ---- arrays ---- */

enum { BLOCK = 512, MOST_LANES = 8, RUNS = 4 };

/* Points of one block put together by region, each part filled up to whole vectors with its own last point. */
typedef struct sorted {
    double v[BLOCK + BESSEL_REGIONS * MOST_LANES], x[BLOCK + BESSEL_REGIONS * MOST_LANES], y[BLOCK + BESSEL_REGIONS * MOST_LANES];
    double region[BLOCK];
    int16_t place[BLOCK];
    int start[BESSEL_REGIONS], count[BESSEL_REGIONS];
} sorted;

static void find_regions(const bessel_kernels *kernels, bessel_classifier *classify, int n, const double *v, const double *x, double *region)
{
    int lanes = kernels->lanes, whole = n - n % lanes;
    classify(whole, v, x, region);
    if (whole < n) {
        double last_v[MOST_LANES], last_x[MOST_LANES], last[MOST_LANES];
        for (int i = 0; i < lanes; i++) last_v[i] = v[whole + i < n ? whole + i : n - 1], last_x[i] = x[whole + i < n ? whole + i : n - 1];
        classify(lanes, last_v, last_x, last);
        memcpy(region + whole, last, (size_t)(n - whole) * sizeof *last);
    }
}

static inline void place(sorted *s, int *next, int i, const double *v, const double *x)
{
    int to = next[(int)s->region[i]]++;
    s->place[i] = (int16_t)to;
    s->v[to] = v[i];
    s->x[to] = x[i];
}

/* The block is counted and placed in RUNS runs side by side: one counter alone, mostly of one region, would wait for itself. */
static void sort_block(const bessel_kernels *kernels, bessel_classifier *classify, int n, const double *v, const double *x, sorted *s)
{
    int lanes = kernels->lanes, length = n / RUNS, next[RUNS][BESSEL_REGIONS] = {{0}}, at = 0;
    find_regions(kernels, classify, n, v, x, s->region);
    for (int i = 0; i < length; i++)
        for (int run = 0; run < RUNS; run++) next[run][(int)s->region[run * length + i]]++;
    for (int i = RUNS * length; i < n; i++) next[RUNS - 1][(int)s->region[i]]++;
    for (int r = 0; r < BESSEL_REGIONS; r++) {
        s->start[r] = at;
        for (int run = 0; run < RUNS; run++) {
            int count = next[run][r];
            next[run][r] = at;
            at += count;
        }
        s->count[r] = at - s->start[r];
        at += (lanes - s->count[r] % lanes) % lanes;
    }
    for (int i = 0; i < length; i++)
        for (int run = 0; run < RUNS; run++) place(s, next[run], run * length + i, v, x);
    for (int i = RUNS * length; i < n; i++) place(s, next[RUNS - 1], i, v, x);
    for (int r = 0; r < BESSEL_RARE; r++)
        for (int end = s->start[r] + s->count[r]; s->count[r] && (end - s->start[r]) % lanes; end++)
            s->v[end] = s->v[end - 1], s->x[end] = s->x[end - 1];
}

void bessel_run(const bessel_kernels *kernels, bessel_tier tier, bessel_what what, bool scaled, int64_t n, const double *v, const double *x,
                double *y)
{
    sorted s;
    for (int64_t at = 0; at < n; at += BLOCK) {
        int size = n - at < BLOCK ? (int)(n - at) : BLOCK, lanes = kernels->lanes;
        sort_block(kernels, kernels->classify[tier][of_second_kind(what)], size, v + at, x + at, &s);
        for (int r = 0; r < BESSEL_RARE; r++) {
            int whole = (s.count[r] + lanes - 1) / lanes * lanes, start = s.start[r];
            if (whole) kernels->run[tier][what][r](whole, s.v + start, s.x + start, scaled, s.y + start);
        }
        for (int i = s.start[BESSEL_RARE]; i < s.start[BESSEL_RARE] + s.count[BESSEL_RARE]; i++) s.y[i] = bessel_rare(what, scaled, s.v[i], s.x[i]);
        for (int i = 0; i < size; i++) y[at + i] = s.y[s.place[i]];
    }
}

/* ---- public: how each function comes from a logarithm or a ratio ---- */

/* d/dx log I = I_(v+1)/I_v + v/x;  d/dx log K = v/x - K_(v+1)/K_v */
static double slope_i(double ratio, double v, double x)
{
    if (x == 0 && ratio == 0) return v > 0 ? INFINITY : 0;
    return isinf(x) && !isnan(ratio) ? 1 : ratio + v / x;
}

static double slope_k(double ratio, double v, double x)
{
    if (ratio == INFINITY) return -INFINITY;
    return isinf(x) && !isnan(ratio) ? -1 : v / x - ratio;
}

double nigh_log_bessel_i(double v, double x) { return one(BESSEL_LOG_I, false, v, x); }
double nigh_log_bessel_k(double v, double x) { return one(BESSEL_LOG_K, false, v, x); }
double nigh_log_bessel_i_scaled(double v, double x) { return one(BESSEL_LOG_I, true, v, x); }
double nigh_log_bessel_k_scaled(double v, double x) { return one(BESSEL_LOG_K, true, v, x); }
double nigh_bessel_ratio_i(double v, double x) { return one(BESSEL_RATIO_I, false, v, x); }
double nigh_bessel_ratio_k(double v, double x) { return one(BESSEL_RATIO_K, false, v, x); }
double nigh_log_bessel_i_derivative(double v, double x) { return slope_i(one(BESSEL_RATIO_I, false, v, x), v, x); }
double nigh_log_bessel_k_derivative(double v, double x) { return slope_k(one(BESSEL_RATIO_K, false, v, x), v, x); }
double nigh_bessel_i_scaled(double v, double x) { return exp(one(BESSEL_LOG_I, true, v, x)); }
double nigh_bessel_k_scaled(double v, double x) { return exp(one(BESSEL_LOG_K, true, v, x)); }

static const struct {
    bessel_what what;
    bool scaled;
} basis[NIGH_BESSEL_FUNCTIONS] = {
    [NIGH_LOG_BESSEL_I] = {BESSEL_LOG_I, false}, [NIGH_LOG_BESSEL_K] = {BESSEL_LOG_K, false},
    [NIGH_LOG_BESSEL_I_SCALED] = {BESSEL_LOG_I, true}, [NIGH_LOG_BESSEL_K_SCALED] = {BESSEL_LOG_K, true},
    [NIGH_BESSEL_RATIO_I] = {BESSEL_RATIO_I, false}, [NIGH_BESSEL_RATIO_K] = {BESSEL_RATIO_K, false},
    [NIGH_LOG_BESSEL_I_DERIVATIVE] = {BESSEL_RATIO_I, false}, [NIGH_LOG_BESSEL_K_DERIVATIVE] = {BESSEL_RATIO_K, false},
    [NIGH_BESSEL_I_SCALED] = {BESSEL_LOG_I, true}, [NIGH_BESSEL_K_SCALED] = {BESSEL_LOG_K, true}};

void bessel_array(nigh_cpu_level level, nigh_bessel what, double error, int64_t n, const double *v, const double *x, double *y)
{
    double order[BLOCK], argument[BLOCK];
    bool exponential = what == NIGH_BESSEL_I_SCALED || what == NIGH_BESSEL_K_SCALED;
    bool slope = what == NIGH_LOG_BESSEL_I_DERIVATIVE || what == NIGH_LOG_BESSEL_K_DERIVATIVE;
    bessel_tier tier = error >= NIGH_BESSEL_FAST_ERROR && !exponential ? BESSEL_FAST : BESSEL_FULL;
    for (int64_t at = 0; at < n; at += BLOCK) {
        int size = n - at < BLOCK ? (int)(n - at) : BLOCK;
        double *to = y + at;
        if (slope) { /* y may be v or x */
            memcpy(order, v + at, (size_t)size * sizeof *order);
            memcpy(argument, x + at, (size_t)size * sizeof *argument);
        }
        bessel_run(bessel_kernels_at(level)[1], tier, basis[what].what, basis[what].scaled, size, v + at, x + at, to);
        if (exponential)
            for (int i = 0; i < size; i++) to[i] = exp(to[i]);
        else if (what == NIGH_LOG_BESSEL_I_DERIVATIVE)
            for (int i = 0; i < size; i++) to[i] = slope_i(to[i], order[i], argument[i]);
        else if (what == NIGH_LOG_BESSEL_K_DERIVATIVE)
            for (int i = 0; i < size; i++) to[i] = slope_k(to[i], order[i], argument[i]);
    }
}

void nigh_bessel_f64(nigh_bessel what, double error, int64_t n, const double *v, const double *x, double *y)
{
    if ((unsigned)what < NIGH_BESSEL_FUNCTIONS) bessel_array(nigh_cpu(), what, error, n, v, x, y);
    else
        for (int64_t i = 0; i < n; i++) y[i] = NAN;
}

void nigh_bessel_f32(nigh_bessel what, int64_t n, const float *v, const float *x, float *y)
{
    double order[BLOCK], argument[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        int size = n - at < BLOCK ? (int)(n - at) : BLOCK;
        for (int i = 0; i < size; i++) order[i] = (double)v[at + i], argument[i] = (double)x[at + i];
        nigh_bessel_f64(what, NIGH_BESSEL_FAST_ERROR, size, order, argument, order);
        for (int i = 0; i < size; i++) y[at + i] = (float)order[i];
    }
}

void nigh_log_bessel_i_f64(int64_t n, const double *v, const double *x, double *y) { nigh_bessel_f64(NIGH_LOG_BESSEL_I, 0, n, v, x, y); }
void nigh_log_bessel_k_f64(int64_t n, const double *v, const double *x, double *y) { nigh_bessel_f64(NIGH_LOG_BESSEL_K, 0, n, v, x, y); }
void nigh_bessel_ratio_i_f64(int64_t n, const double *v, const double *x, double *y) { nigh_bessel_f64(NIGH_BESSEL_RATIO_I, 0, n, v, x, y); }
void nigh_bessel_ratio_k_f64(int64_t n, const double *v, const double *x, double *y) { nigh_bessel_f64(NIGH_BESSEL_RATIO_K, 0, n, v, x, y); }
void nigh_log_bessel_i_f32(int64_t n, const float *v, const float *x, float *y) { nigh_bessel_f32(NIGH_LOG_BESSEL_I, n, v, x, y); }
void nigh_log_bessel_k_f32(int64_t n, const float *v, const float *x, float *y) { nigh_bessel_f32(NIGH_LOG_BESSEL_K, n, v, x, y); }
