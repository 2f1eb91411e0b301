/* Which kernels of rows.h belong to a type and CPU level; group and batch norm made of them. */
#include <math.h>
#include <string.h>

#include "tensor/rows_tables.h"

const rows_kernels *rows_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64) return NULL;
    bool single = dtype == NIGH_F32;
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return single ? &rows_avx512_f32 : &rows_avx512_f64;
    if (level >= NIGH_CPU_AVX2) return single ? &rows_avx2_f32 : &rows_avx2_f64;
#endif
    return single ? &rows_scalar_f32 : &rows_scalar_f64;
}

const rows_kernels *rows_kernels_find(nigh_dtype dtype) { return rows_kernels_at(nigh_cpu(), dtype); }

/* ---- numbers of either type, one a channel ---- */

static double number(nigh_dtype dtype, const void *p, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)p)[i] : ((const double *)p)[i]; }

static void set_number(nigh_dtype dtype, void *p, int64_t i, double x)
{
    if (dtype == NIGH_F32) ((float *)p)[i] = (float)x;
    else ((double *)p)[i] = x;
}

static size_t size_of(nigh_dtype dtype) { return dtype == NIGH_F32 ? 4 : 8; }

/* ---- group norm ---- */

enum { PARTS = 32, PART_ELEMENTS = 1 << 13, VECTORS_OF_CHANNELS = 4 };

size_t rows_group_workspace(int64_t channels) { return (size_t)(2 * PARTS + VECTORS_OF_CHANNELS) * (size_t)channels * sizeof(double); }

/* One sample's places in parts, and where their sums go: `sums` [parts][2][channels], then four arrays [channels]. */
typedef struct sample {
    const rows_group *group;
    const rows_kernels *kernels;
    int parts, threads;
    size_t row;
    char *sums, *channel[VECTORS_OF_CHANNELS];
} sample;

static sample sample_of(const rows_group *group, void *workspace)
{
    sample s = {.group = group, .kernels = rows_kernels_find(group->dtype), .sums = workspace};
    int64_t parts = group->space * group->channels / PART_ELEMENTS;
    parts = parts > PARTS ? PARTS : parts;
    parts = parts > group->space / 8 ? group->space / 8 : parts;
    s.parts = parts < 1 ? 1 : (int)parts;
    s.threads = group->threads < s.parts ? group->threads : s.parts;
    s.row = size_of(group->dtype) * (size_t)group->channels;
    for (int k = 0; k < VECTORS_OF_CHANNELS; k++) s.channel[k] = s.sums + (size_t)(2 * PARTS + k) * (size_t)group->channels * sizeof(double);
    return s;
}

typedef enum sum_kind { SUM_PLAIN, SUM_SQUARES, SUM_PRODUCTS } sum_kind;

static void sum_part(const sample *s, int part, sum_kind kind, const char *x, const char *dy)
{
    int64_t from = s->group->space * part / s->parts, rows = s->group->space * (part + 1) / s->parts - from, n = s->group->channels;
    char *first = s->sums + (size_t)(2 * part) * s->row, *second = first + s->row;
    x += (size_t)from * s->row;
    memset(first, 0, 2 * s->row);
    if (kind == SUM_PLAIN) s->kernels->column_sums(rows, n, x, first);
    else if (kind == SUM_SQUARES) s->kernels->column_squares(rows, n, x, s->channel[0], first);
    else s->kernels->column_products(rows, n, x, s->channel[0], dy + (size_t)from * s->row, first, second);
}

static void sum_all(const sample *s, sum_kind kind, const char *x, const char *dy)
{
    if (s->threads <= 1) {
        for (int part = 0; part < s->parts; part++) sum_part(s, part, kind, x, dy);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int part = 0; part < s->parts; part++) sum_part(s, part, kind, x, dy);
}

/* The first (0) or second (1) sum of a channel over all parts. */
static double sum_of(const sample *s, int which, int64_t channel)
{
    double sum = 0;
    for (int part = 0; part < s->parts; part++) sum += number(s->group->dtype, s->sums + (size_t)(2 * part + which) * s->row, channel);
    return sum;
}

static double group_sum(const sample *s, int64_t first, int64_t channels)
{
    double sum = 0;
    for (int64_t c = first; c < first + channels; c++) sum += sum_of(s, 0, c);
    return sum;
}

static void norm_part(const sample *s, int part, const char *x, const void *beta, char *y)
{
    int64_t from = s->group->space * part / s->parts, rows = s->group->space * (part + 1) / s->parts - from;
    size_t at = (size_t)from * s->row;
    s->kernels->centre_scale(rows, s->group->channels, x + at, s->channel[0], s->channel[1], beta, y + at);
}

static void norm_sample(const sample *s, const char *x, const void *gamma, const void *beta, char *y, void *mean, void *rstd, int64_t index)
{
    const rows_group *g = s->group;
    int64_t width = g->channels / g->groups;
    double count = (double)(width * g->space);
    sum_all(s, SUM_PLAIN, x, NULL);
    for (int64_t k = 0; k < g->groups; k++) {
        set_number(g->dtype, mean, index + k, group_sum(s, k * width, width) / count);
        for (int64_t c = k * width; c < (k + 1) * width; c++) set_number(g->dtype, s->channel[0], c, number(g->dtype, mean, index + k));
    }
    sum_all(s, SUM_SQUARES, x, NULL);
    for (int64_t k = 0; k < g->groups; k++) {
        double steep = 1 / sqrt(group_sum(s, k * width, width) / count + g->eps);
        set_number(g->dtype, rstd, index + k, steep);
        for (int64_t c = k * width; c < (k + 1) * width; c++) set_number(g->dtype, s->channel[1], c, gamma ? steep * number(g->dtype, gamma, c) : steep);
    }
    if (s->threads <= 1) {
        for (int part = 0; part < s->parts; part++) norm_part(s, part, x, beta, y);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int part = 0; part < s->parts; part++) norm_part(s, part, x, beta, y);
}

void rows_group_norm(const rows_group *group, const void *x, const void *gamma, const void *beta, void *y, void *mean, void *rstd, void *workspace)
{
    sample s = sample_of(group, workspace);
    size_t bytes = s.row * (size_t)group->space;
    for (int64_t i = 0; i < group->samples; i++)
        norm_sample(&s, (const char *)x + (size_t)i * bytes, gamma, beta, (char *)y + (size_t)i * bytes, mean, rstd, i * group->groups);
}

static void add_number(nigh_dtype dtype, void *p, int64_t i, double x)
{
    if (p) set_number(dtype, p, i, number(dtype, p, i) + x);
}

/* channel 1 to 3: the factors of dy, of x - mean, and the constant. */
static void slopes_of(const sample *s, const void *gamma, const void *rstd, int64_t index, void *dgamma, void *dbeta)
{
    const rows_group *g = s->group;
    int64_t width = g->channels / g->groups;
    double count = (double)(width * g->space);
    for (int64_t k = 0; k < g->groups; k++) {
        double first = 0, second = 0, steep = number(g->dtype, rstd, index + k);
        for (int64_t c = k * width; c < (k + 1) * width; c++) {
            double one = sum_of(s, 0, c), two = sum_of(s, 1, c) * steep, by = gamma ? number(g->dtype, gamma, c) : 1;
            add_number(g->dtype, dbeta, c, one);
            add_number(g->dtype, dgamma, c, two);
            first += by * one, second += by * two;
            set_number(g->dtype, s->channel[1], c, by * steep);
        }
        for (int64_t c = k * width; c < (k + 1) * width; c++) {
            set_number(g->dtype, s->channel[2], c, -steep * steep * second / count);
            set_number(g->dtype, s->channel[3], c, -steep * first / count);
        }
    }
}

static void back_part(const sample *s, int part, const char *x, const char *dy, char *dx)
{
    int64_t from = s->group->space * part / s->parts, rows = s->group->space * (part + 1) / s->parts - from;
    size_t at = (size_t)from * s->row;
    s->kernels->combine(rows, s->group->channels, dy + at, x + at, s->channel[0], s->channel[1], s->channel[2], s->channel[3], dx + at);
}

static void back_sample(const sample *s, const char *x, const char *dy, char *dx)
{
    if (s->threads <= 1) {
        for (int part = 0; part < s->parts; part++) back_part(s, part, x, dy, dx);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int part = 0; part < s->parts; part++) back_part(s, part, x, dy, dx);
}

void rows_group_norm_back(const rows_group *group, const void *x, const void *gamma, const void *mean, const void *rstd, const void *dy, void *dx, void *dgamma,
                          void *dbeta, void *workspace)
{
    sample s = sample_of(group, workspace);
    size_t bytes = s.row * (size_t)group->space;
    int64_t width = group->channels / group->groups;
    if (dgamma) memset(dgamma, 0, s.row);
    if (dbeta) memset(dbeta, 0, s.row);
    for (int64_t i = 0; i < group->samples; i++) {
        size_t at = (size_t)i * bytes;
        for (int64_t c = 0; c < group->channels; c++) set_number(group->dtype, s.channel[0], c, number(group->dtype, mean, i * group->groups + c / width));
        sum_all(&s, SUM_PRODUCTS, (const char *)x + at, (const char *)dy + at);
        slopes_of(&s, gamma, rstd, i * group->groups, dgamma, dbeta);
        back_sample(&s, (const char *)x + at, (const char *)dy + at, (char *)dx + at);
    }
}
