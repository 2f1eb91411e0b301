/* Systems of the multigrid tests, written down from their definition alone, cell by cell. */
#ifndef NIGH_TEST_MULTIGRID_SUPPORT_H
#define NIGH_TEST_MULTIGRID_SUPPORT_H
#include "support.h"

#include "nigh/multigrid.h"
#include "nigh/random.h"
#include "nigh/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -div(a grad u) + reaction u as a sparse matrix; rows of masked cells are those of the identity. */
static nigh_sparse *matrix_of(nigh_context *ctx, const nigh_multigrid_spec *s, const nigh_multigrid_field *f)
{
    const int64_t ny = s->rows, nx = s->cols;
    const double hy = s->row_spacing ? s->row_spacing : 1 / (double)ny, hx = s->col_spacing ? s->col_spacing : 1 / (double)nx;
    int64_t *row = malloc((size_t)(9 * ny * nx) * sizeof *row), *column = malloc((size_t)(9 * ny * nx) * sizeof *column), count = 0;
    double *value = malloc((size_t)(9 * ny * nx) * sizeof *value);
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            int64_t own = i * nx + j;
            if (f->mask && f->mask[own]) {
                row[count] = column[count] = own, value[count++] = 1;
                continue;
            }
            double a = f->a ? f->a[own] : 1, diagonal = f->reaction ? f->reaction[own] : 0;
            for (int side = 0; side < 4; side++) {
                int64_t k = i + (side == 0) - (side == 1), m = j + (side == 2) - (side == 3);
                double h = side < 2 ? hy : hx;
                nigh_multigrid_edge edge = side == 0 ? s->high : side == 1 ? s->low : side == 2 ? s->right : s->left;
                if (k < 0 || k >= ny || m < 0 || m >= nx) {
                    if (edge == NIGH_MULTIGRID_ZERO) diagonal += 2 * a / (h * h);
                    if (edge != NIGH_MULTIGRID_PERIODIC) continue;
                    k = (k + ny) % ny, m = (m + nx) % nx;
                    if (k == i && m == j) continue;
                }
                int64_t other = k * nx + m;
                if (f->mask && f->mask[other]) {
                    if (f->mask[other] == 2) diagonal += 2 * a / (h * h);
                    continue;
                }
                double b = f->a ? f->a[other] : 1, face = 2 * a * b / (a + b) / (h * h);
                diagonal += face;
                row[count] = own, column[count] = other, value[count++] = -face;
            }
            row[count] = column[count] = own, value[count++] = diagonal;
        }
    nigh_sparse *matrix;
    assert_ok(ctx, nigh_sparse_new(ctx, ny * nx, ny * nx, count, row, column, value, &matrix));
    free(row), free(column), free(value);
    return matrix;
}

static double norm(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static double distance(int64_t n, const double *x, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

/* Blocks of two coefficients, with a ratio of jump. */
static void blocks(int64_t ny, int64_t nx, double jump, double *a)
{
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) a[i * nx + j] = (i * 5 / ny + j * 7 / nx) % 2 ? jump : 1;
}
#endif
