/* Matrices that take fields and kernels from one grid to another. Declared in nn/discretise.h. */
#include "nn/discretise.h"

#include <math.h>
#include <string.h>

double discretise_place(nigh_grid grid, int64_t n, int64_t i)
{
    if (grid == NIGH_GRID_CELL) return ((double)i + 0.5) / (double)n;
    return (double)i / (double)(grid == NIGH_GRID_NODE ? n - 1 : n);
}

double discretise_ratio(nigh_grid grid, int64_t trained, int64_t n)
{
    int64_t less = grid == NIGH_GRID_NODE;
    return (double)(n - less) / (double)(trained - less);
}

void discretise_apply(int64_t before, int64_t from, int64_t to, int64_t after, const double *matrix, const double *x, double *y)
{
    for (int64_t b = 0; b < before; b++)
        for (int64_t i = 0; i < to; i++) {
            double *row = y + (b * to + i) * after;
            memset(row, 0, (size_t)after * sizeof *row);
            for (int64_t j = 0; j < from; j++) {
                double m = matrix[i * from + j];
                const double *other = x + (b * from + j) * after;
                for (int64_t k = 0; m != 0 && k < after; k++) row[k] += m * other[k];
            }
        }
}

/* ---- fields ------------------------------------------------------------------------------------------- */

/* sum over k of c_k cos(2 pi k (i / to - j / from)) / from; the highest coefficient of an even number of points counts once when the grid grows, and for both signs when it shrinks. */
static void fourier(int64_t from, int64_t to, double *matrix)
{
    int64_t least = from < to ? from : to, highest = least / 2;
    for (int64_t i = 0; i < to; i++)
        for (int64_t j = 0; j < from; j++) {
            double sum = 1;
            for (int64_t k = 1; k <= highest; k++) {
                double weight = 2 * k == least && from <= to ? 1 : 2;
                int64_t turn = k * (i * from - j * to) % (from * to); /* exact angles, however high k */
                sum += weight * cos(2 * M_PI * (double)turn / ((double)from * (double)to));
            }
            matrix[i * from + j] = sum / (double)from;
        }
}

/* Where point i of the new grid lies, counted in points of the old one. */
static double position(nigh_grid grid, int64_t from, int64_t to, int64_t i)
{
    double x = discretise_place(grid, to, i);
    return grid == NIGH_GRID_CELL ? x * (double)from - 0.5 : x * (double)(grid == NIGH_GRID_NODE ? from - 1 : from);
}

static void linear(nigh_grid grid, int64_t from, int64_t to, double *matrix)
{
    memset(matrix, 0, (size_t)(from * to) * sizeof *matrix);
    for (int64_t i = 0; i < to; i++) {
        double p = position(grid, from, to, i);
        if (grid != NIGH_GRID_PERIODIC) p = fmin(fmax(p, 0), (double)(from - 1));
        int64_t at = (int64_t)floor(p), next = at + 1;
        double part = p - (double)at;
        if (grid == NIGH_GRID_PERIODIC) at %= from, next %= from;
        if (next >= from) next = from - 1;
        matrix[i * from + at] += 1 - part;
        matrix[i * from + next] += part;
    }
}

/* Cell i of the coarser grid covers from i r to (i + 1) r of the finer one. */
static void means(int64_t from, int64_t to, double *matrix)
{
    double r = (double)from / (double)to;
    memset(matrix, 0, (size_t)(from * to) * sizeof *matrix);
    for (int64_t i = 0; i < to; i++)
        for (int64_t j = 0; j < from; j++) {
            double low = fmax((double)i * r, (double)j), high = fmin((double)(i + 1) * r, (double)(j + 1));
            if (high > low) matrix[i * from + j] = (high - low) / r;
        }
}

void discretise_matrix(nigh_grid grid, bool by_fourier, int64_t from, int64_t to, double *matrix)
{
    if (from == to) {
        memset(matrix, 0, (size_t)(from * to) * sizeof *matrix);
        for (int64_t i = 0; i < to; i++) matrix[i * from + i] = 1;
    } else if (by_fourier) fourier(from, to, matrix);
    else if (grid == NIGH_GRID_CELL && to < from) means(from, to, matrix);
    else linear(grid, from, to, matrix);
}

/*
 * Lagrange's polynomial through the four points around each place, at the edge those that there are. What lies beyond an edge may begin with a jump, and kernels carry that to other edges
 * of the coarser grid's cells: within a cell only its own points are asked, when those are two or more.
 */
static void cubic(nigh_grid grid, int64_t from, int64_t to, double *matrix)
{
    memset(matrix, 0, (size_t)(from * to) * sizeof *matrix);
    int64_t own = grid == NIGH_GRID_CELL && from % to == 0 ? from / to : 4, order = own < 4 ? own : 4;
    if (order > from) order = from;
    for (int64_t i = 0; i < to; i++) {
        double p = position(grid, from, to, i);
        int64_t first = (int64_t)floor(p) - (order - 1) / 2;
        if (first > from - order) first = from - order;
        if (first < 0) first = 0;
        for (int64_t a = 0; a < order; a++) {
            double product = 1;
            for (int64_t b = 0; b < order; b++)
                if (b != a) product *= (p - (double)(first + b)) / (double)(a - b);
            matrix[i * from + first + a] = product;
        }
    }
}

void discretise_sampling(nigh_grid grid, int64_t from, int64_t to, double *matrix)
{
    if (grid == NIGH_GRID_PERIODIC || from == to) discretise_matrix(grid, true, from, to, matrix);
    else cubic(grid, from, to, matrix);
}

nigh_status nigh_regrid_axis(nigh_context *ctx, nigh_grid grid, nigh_resampling how, int64_t before, int64_t from, int64_t to, int64_t after, const double *x, double *y)
{
    if (before < 0 || after < 0 || from < 1 || to < 1 || from > 1 << 16 || to > 1 << 16)
        return nigh_fail(ctx, NIGH_INVALID, "regrid: %lld points to %lld; 1 to 65536 are allowed", (long long)from, (long long)to);
    if (how == NIGH_RESAMPLING_FOURIER && grid != NIGH_GRID_PERIODIC)
        return nigh_fail(ctx, NIGH_INVALID, "regrid: Fourier resampling of a %s grid would ring at its edges; linear is for those", nigh_grid_name(grid));
    double *matrix = nigh_alloc(ctx, (size_t)(from * to) * sizeof *matrix);
    if (!matrix) return NIGH_MEMORY;
    discretise_matrix(grid, how == NIGH_RESAMPLING_FOURIER, from, to, matrix);
    discretise_apply(before, from, to, after, matrix, x, y);
    nigh_free(ctx, matrix);
    return NIGH_OK;
}

/* ---- kernels ------------------------------------------------------------------------------------------ */

/* How far the hat around a point of the kernel reaches, in points of the new grid. */
static double reach(nigh_resampling how, double ratio) { return how == NIGH_RESAMPLING_LINEAR && ratio > 1 ? ratio : 1; }

discretise_taps discretise_taps_of(nigh_resampling how, double ratio, int64_t taps, int64_t dilation, int64_t low)
{
    if (how == NIGH_RESAMPLING_DERIVATIVE) return (discretise_taps){taps, taps, low};
    double first = -(double)low * ratio, last = (double)((taps - 1) * dilation - low) * ratio, hat = reach(how, ratio) - 1e-9;
    int64_t begin = (int64_t)ceil(first - hat), end = (int64_t)floor(last + hat);
    return (discretise_taps){taps, end - begin + 1, -begin};
}

/* Hats around each of the kernel's points; each sums to 1 over the new points, which keeps the kernel's sum and is (h / h0) times the hat up to O(h). */
void discretise_taps_matrix(nigh_resampling how, double ratio, const discretise_taps *t, int64_t dilation, int64_t low, double *matrix)
{
    double hat = reach(how, ratio);
    for (int64_t j = 0; j < t->taps; j++) {
        double centre = (double)(j * dilation - low) * ratio, sum = 0;
        for (int64_t i = 0; i < t->points; i++) {
            double value = how == NIGH_RESAMPLING_DERIVATIVE ? 1 : fmax(0, 1 - fabs((double)(i - t->low) - centre) / hat);
            matrix[i * t->taps + j] = value < 1e-9 ? 0 : value;
            sum += matrix[i * t->taps + j];
        }
        for (int64_t i = 0; i < t->points; i++) matrix[i * t->taps + j] /= sum;
    }
}
