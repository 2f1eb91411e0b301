/* Matrix products for any strides without vectors of a CPU level: sums in f64, 64 columns at a time. Also what the others are tested against. */
#include "tensor/matmul_kernel.h"

enum { COLUMNS = 64 };

static inline double real_f32(const char *at) { return *(const float *)at; }
static inline double real_f64(const char *at) { return *(const double *)at; }
static inline double real_bf16(const char *at) { return matmul_from_bf16(*(const uint16_t *)at); }
static inline double real_f16(const char *at) { return matmul_from_f16(*(const uint16_t *)at); }

/* Sums of one row of A with `columns` columns of B, real and complex. */
#define SUMS(name, A, B)                                                                                               \
    static void name(const matmul *p, int64_t columns, const char *a, const char *b, double *x, double *y)            \
    {                                                                                                                  \
        const matmul_spec *s = &p->spec;                                                                               \
        const int64_t a_step = s->a_column * (int64_t)p->a_size, b_step = s->b_row * (int64_t)p->b_size,               \
                      b_next = s->b_column * (int64_t)p->b_size;                                                       \
        for (int64_t l = 0; l < s->k; l++)                                                                             \
            for (int64_t q = 0; q < columns; q++) x[q] += A(a + l * a_step) * B(b + l * b_step + q * b_next);          \
    }
SUMS(sums_f32, real_f32, real_f32)
SUMS(sums_f64, real_f64, real_f64)
SUMS(sums_bf16, real_f32, real_bf16)
SUMS(sums_f16, real_f32, real_f16)

#define COMPLEX_SUMS(name, A, SIZE)                                                                                    \
    static void name(const matmul *p, int64_t columns, const char *a, const char *b, double *x, double *y)            \
    {                                                                                                                  \
        const matmul_spec *s = &p->spec;                                                                               \
        const int64_t a_step = s->a_column * 2 * SIZE, b_step = s->b_row * 2 * SIZE, b_next = s->b_column * 2 * SIZE;  \
        const double sign_a = s->conjugate_a ? -1 : 1, sign_b = s->conjugate_b ? -1 : 1;                               \
        for (int64_t l = 0; l < s->k; l++) {                                                                           \
            double u = A(a + l * a_step), v = sign_a * A(a + l * a_step + SIZE);                                       \
            for (int64_t q = 0; q < columns; q++) {                                                                    \
                const char *at = b + l * b_step + q * b_next;                                                          \
                double w = A(at), z = sign_b * A(at + SIZE);                                                           \
                x[q] += u * w - v * z, y[q] += u * z + v * w;                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }
COMPLEX_SUMS(sums_c64, real_f32, 4)
COMPLEX_SUMS(sums_c128, real_f64, 8)

typedef void sums_fn(const matmul *p, int64_t columns, const char *a, const char *b, double *x, double *y);

static sums_fn *sums_of(const matmul_spec *s)
{
    switch (s->dtype) {
    case NIGH_F64: return sums_f64;
    case NIGH_C64: return sums_c64;
    case NIGH_C128: return sums_c128;
    default: return s->b_dtype == NIGH_BF16 ? sums_bf16 : s->b_dtype == NIGH_F16 ? sums_f16 : sums_f32;
    }
}

static void finish(const matmul *p, double sum, const char *bias, char *c)
{
    double y = p->spec.alpha * sum;
    bool single = p->real == 4;
    if (p->spec.beta != 0) y += p->spec.beta * (single ? real_f32(c) : real_f64(c));
    if (bias) y += single ? real_f32(bias) : real_f64(bias);
    if (single)
        *(float *)c = (float)y;
    else
        *(double *)c = y;
}

void matmul_scalar(const matmul *p, const matmul_range *range, const char *a, const char *b, const char *bias, char *c)
{
    const matmul_spec *s = &p->spec;
    const int64_t size = (int64_t)p->a_size, b_size = (int64_t)p->b_size;
    sums_fn *sums = sums_of(s);
    for (int64_t item = range->batch[0]; item < range->batch[1]; item++) {
        int64_t ai, bi, ci;
        matmul_offsets(s, item, &ai, &bi, &ci);
        for (int64_t i = range->m[0]; i < range->m[1]; i++)
            for (int64_t j = range->n[0]; j < range->n[1]; j += COLUMNS) {
                int64_t columns = range->n[1] - j < COLUMNS ? range->n[1] - j : COLUMNS;
                double x[COLUMNS] = {0}, y[COLUMNS] = {0};
                sums(p, columns, a + (ai + i * s->a_row) * size, b + (bi + j * s->b_column) * b_size, x, y);
                for (int64_t q = 0; q < columns; q++) {
                    char *to = c + (ci + i * s->c_row + (j + q) * s->c_column) * size;
                    const char *add = bias ? bias + (j + q) * size : NULL;
                    finish(p, x[q], add, to);
                    if (p->unit == 2) finish(p, y[q], add ? add + p->real : NULL, to + p->real);
                }
            }
    }
}

#define ADD_INTO(name, R)                                                                                              \
    static void name(int64_t n, R *to, const R *from)                                                                  \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) to[i] += from[i];                                                              \
    }
ADD_INTO(add_f32, float)
ADD_INTO(add_f64, double)

static void add_reals(const matmul *p, int64_t n, char *to, const char *from)
{
    if (p->real == 4)
        add_f32(n, (float *)to, (const float *)from);
    else
        add_f64(n, (double *)to, (const double *)from);
}

void matmul_add_sums(const matmul *p, int64_t row0, int64_t row1, char *sums, char *c)
{
    const matmul_spec *s = &p->spec;
    const int64_t count = p->grid[3] - 1, row_bytes = s->n * (int64_t)p->a_size;
    for (int64_t row = row0; row < row1; row++) {
        char *first = sums + row * row_bytes;
        for (int64_t step = 1; step < count; step *= 2)
            for (int64_t i = 0; i + step < count; i += 2 * step)
                add_reals(p, s->n * p->unit, first + i * (int64_t)p->sum_bytes, first + (i + step) * (int64_t)p->sum_bytes);
        int64_t ai, bi, ci;
        matmul_offsets(s, row / s->m, &ai, &bi, &ci);
        char *to = c + (ci + row % s->m * s->c_row) * (int64_t)p->a_size;
        if (s->c_column == 1)
            add_reals(p, s->n * p->unit, to, first);
        else
            for (int64_t j = 0; j < s->n; j++)
                add_reals(p, p->unit, to + j * s->c_column * (int64_t)p->a_size, first + j * (int64_t)p->a_size);
    }
}
