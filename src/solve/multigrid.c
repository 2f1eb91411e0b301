/* The multigrid solver's grids, and systems from cells, faces and stencils (nigh/multigrid.h; the layout is in multigrid.h beside this file). */
#include "solve/multigrid.h"

#include <math.h>
#include <string.h>

static int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }

static void set_level(multigrid_level *g, int64_t ny, int64_t nx, bool nine, bool wrap_y, bool wrap_x, int arrays, int64_t *total)
{
    *g = (multigrid_level){.ny = ny, .nx = nx, .rows = (ny + 1) / 2, .cols = (nx + 1) / 2, .nine = nine, .wrap_y = wrap_y, .wrap_x = wrap_x};
    g->step = g->cols + 1;
    g->count = whole(g->rows * g->step);
    int64_t guard = whole((wrap_y ? 2 : 1) * (g->step + 18)); /* the row behind one plane and the row before the next */
    g->plane = guard + g->count;
    g->base = *total;
    *total += 4 * arrays * g->plane + guard;
}

static nigh_status check(nigh_context *ctx, const nigh_multigrid_spec *s)
{
    if (s->rows < 1 || s->rows > 32768) return nigh_fail(ctx, NIGH_INVALID, "multigrid: rows is %lld; 1 to 32768 is allowed", (long long)s->rows);
    if (s->cols < 1 || s->cols > 32768) return nigh_fail(ctx, NIGH_INVALID, "multigrid: cols is %lld; 1 to 32768 is allowed", (long long)s->cols);
    if (!(s->row_spacing >= 0 && s->row_spacing <= 1e100))
        return nigh_fail(ctx, NIGH_INVALID, "multigrid: row_spacing is %g; a positive number is allowed, or 0 for 1/rows", s->row_spacing);
    if (!(s->col_spacing >= 0 && s->col_spacing <= 1e100))
        return nigh_fail(ctx, NIGH_INVALID, "multigrid: col_spacing is %g; a positive number is allowed, or 0 for 1/cols", s->col_spacing);
    if ((s->low == NIGH_MULTIGRID_PERIODIC) != (s->high == NIGH_MULTIGRID_PERIODIC)) return nigh_fail(ctx, NIGH_INVALID, "multigrid: only one of low and high is periodic; both or none is allowed");
    if ((s->left == NIGH_MULTIGRID_PERIODIC) != (s->right == NIGH_MULTIGRID_PERIODIC)) return nigh_fail(ctx, NIGH_INVALID, "multigrid: only one of left and right is periodic; both or none is allowed");
    return NIGH_OK;
}

static bool odd(bool wrap, int64_t n) { return wrap && n % 2; }

nigh_status multigrid_new_at(nigh_context *ctx, nigh_cpu_level level, const nigh_multigrid_spec *spec, nigh_multigrid **out)
{
    nigh_status status = check(ctx, spec);
    if (status != NIGH_OK) return status;
    nigh_multigrid *mg = nigh_alloc_zero(ctx, 1, sizeof *mg);
    if (!mg) return NIGH_MEMORY;
    mg->ctx = ctx;
    mg->spec = *spec;
    if (!mg->spec.row_spacing) mg->spec.row_spacing = 1 / (double)spec->rows;
    if (!mg->spec.col_spacing) mg->spec.col_spacing = 1 / (double)spec->cols;
    mg->kernels = (level == NIGH_CPU_AVX512 ? multigrid_avx512 : level == NIGH_CPU_AVX2 ? multigrid_avx2 : multigrid_scalar)[spec->single ? 0 : 1];
    bool wrap_y = spec->low == NIGH_MULTIGRID_PERIODIC && spec->rows > 1, wrap_x = spec->left == NIGH_MULTIGRID_PERIODIC && spec->cols > 1;
    mg->singular = spec->low != NIGH_MULTIGRID_ZERO && spec->high != NIGH_MULTIGRID_ZERO && spec->left != NIGH_MULTIGRID_ZERO && spec->right != NIGH_MULTIGRID_ZERO;
    int64_t ny = spec->rows, nx = spec->cols;
    mg->total = 64 / (int64_t)mg->kernels->size; /* the header */
    while (!odd(wrap_y, ny) && !odd(wrap_x, nx) && mg->levels < MG_MOST_LEVELS - 1 && (ny * nx > 16 || !mg->levels)) {
        multigrid_level *g = &mg->level[mg->levels];
        set_level(g, ny, nx, mg->levels || spec->nine, wrap_y, wrap_x, mg->levels ? MG_ARRAYS : MG_ARRAYS_FINE, &mg->total);
        ny = g->rows, nx = g->cols;
        mg->levels++;
    }
    if (ny * nx > MG_DIRECT || !mg->levels) {
        status = nigh_fail(ctx, NIGH_INVALID, "multigrid: a periodic grid of %lld x %lld cells can be halved to %lld x %lld only; at most %d cells in all may remain, after one halving at least",
                           (long long)spec->rows, (long long)spec->cols, (long long)ny, (long long)nx, MG_DIRECT);
        nigh_free(ctx, mg);
        return status;
    }
    mg->level[mg->levels] = (multigrid_level){.ny = ny, .nx = nx, .base = mg->total, .wrap_y = wrap_y, .wrap_x = wrap_x};
    mg->dense = mg->total;
    mg->total += whole(ny * nx * (ny * nx + 2));
    if (spec->mixed && !spec->single) { /* only the finest grid is kept in f64 */
        nigh_multigrid_spec inside = mg->spec;
        inside.single = true;
        status = multigrid_new_at(ctx, level, &inside, &mg->inner);
        mg->mixed = level == NIGH_CPU_AVX512 ? &multigrid_mixed_avx512 : level == NIGH_CPU_AVX2 ? &multigrid_mixed_avx2 : &multigrid_mixed_scalar;
        mg->levels = 1;
        mg->total = mg->dense = mg->level[1].base;
        if (status != NIGH_OK) {
            nigh_free(ctx, mg);
            return status;
        }
    }
    *out = mg;
    return NIGH_OK;
}

nigh_status nigh_multigrid_new(nigh_context *ctx, const nigh_multigrid_spec *spec, nigh_multigrid **mg)
{
    return multigrid_new_at(ctx, nigh_cpu(), spec, mg);
}

void nigh_multigrid_free(nigh_multigrid *mg)
{
    if (!mg) return;
    nigh_multigrid_free(mg->inner);
    nigh_free(mg->ctx, mg);
}

size_t nigh_multigrid_workspace(const nigh_multigrid *mg) { return (size_t)mg->total * mg->kernels->size + (mg->inner ? nigh_multigrid_workspace(mg->inner) : 0); }
int nigh_multigrid_levels(const nigh_multigrid *mg) { return mg->inner ? nigh_multigrid_levels(mg->inner) : mg->levels + 1; }

/* ---- single numbers of level 0 ---------------------------------------------------------------------------------------------------- */

static int64_t place(const multigrid_level *g, int k, int64_t i, int64_t j)
{
    return multigrid_at(g, k, (int)(2 * (i & 1) + (j & 1))) + (i >> 1) * g->step + (j >> 1);
}

static void put(const nigh_multigrid *mg, void *workspace, int k, int64_t i, int64_t j, double value)
{
    void *base = multigrid_base(mg, 0, workspace);
    int64_t at = place(&mg->level[0], k, i, j);
    if (mg->spec.single)
        ((float *)base)[at] = (float)value;
    else
        ((double *)base)[at] = value;
}

static void put_more(const nigh_multigrid *mg, void *workspace, int k, int64_t i, int64_t j, double value)
{
    void *base = multigrid_base(mg, 0, workspace);
    int64_t at = place(&mg->level[0], k, i, j);
    if (mg->spec.single)
        ((float *)base)[at] += (float)value;
    else
        ((double *)base)[at] += value;
}

static void *plane(const nigh_multigrid *mg, void *workspace, int k, int q)
{
    return (char *)multigrid_base(mg, 0, workspace) + (size_t)multigrid_at(&mg->level[0], k, q) * mg->kernels->size;
}

/* What is read beyond the ends of planes: neighbours' couplings and values, weights, and what they multiply. */
void multigrid_guards(const nigh_multigrid *mg, void *workspace)
{
    const uint32_t all = 1u << MG_E | 1u << MG_N | 1u << MG_U | 1u << MG_B | 1u << MG_R | 1u << MG_P | 1u << MG_Q | 1u << MG_X;
    for (int l = 0; l < mg->levels; l++)
        mg->kernels->guards(&mg->level[l], multigrid_base(mg, l, workspace), all | (mg->level[l].nine ? 1u << MG_F | 1u << MG_G : 0) | (l ? 0 : 1u << MG_DIRECTION));
}

static void zero(const nigh_multigrid *mg, void *workspace, int k)
{
    for (int q = 0; q < 4; q++) memset(plane(mg, workspace, k, q), 0, (size_t)mg->level[0].count * mg->kernels->size);
}

static void wrap(const nigh_multigrid *mg, void *workspace, int k)
{
    const multigrid_level *g = &mg->level[0];
    if (g->wrap_x || g->wrap_y)
        for (int q = 0; q < 4; q++) mg->kernels->wrap(g, plane(mg, workspace, k, q), q);
}

static void finish(const nigh_multigrid *mg, void *workspace, bool singular, bool holes)
{
    *(multigrid_header *)workspace = (multigrid_header){singular, holes};
    multigrid_chain(mg, workspace);
}

/* ---- cells ------------------------------------------------------------------------------------------------------------------------- */

static nigh_status complain(nigh_context *ctx, const nigh_multigrid *mg, const char *what, const char *allowed, const double *x, int64_t at)
{
    if (ctx) nigh_fail(ctx, NIGH_INVALID, "multigrid: %s is %g in row %lld, column %lld; %s is allowed", what, x[at], (long long)(at / mg->spec.cols), (long long)(at % mg->spec.cols), allowed);
    return NIGH_INVALID;
}

static nigh_status check_cells(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_field *f)
{
    int64_t n = mg->spec.rows * mg->spec.cols;
    const bool narrow = mg->spec.single || mg->spec.mixed;
    const double low = narrow ? 1e-15 : 1e-290, high = narrow ? 1e15 : 1e290;
    int64_t wrong = f->a ? mg->kernels->outside(n, f->a, low, high) : 0;
    for (int64_t i = 0; i < n && wrong; i++)
        if (!(f->a[i] >= low && f->a[i] <= high) && !(f->mask && f->mask[i]))
            return complain(ctx, mg, "the coefficient a", narrow ? "1e-15 to 1e15" : "a positive finite number", f->a, i);
    for (int64_t i = 0; i < n && f->reaction; i++)
        if (!(f->reaction[i] >= 0 && f->reaction[i] <= high) && !(f->mask && f->mask[i])) return complain(ctx, mg, "the reaction", "0 or a positive finite number", f->reaction, i);
    for (int64_t i = 0; i < n && f->mask; i++)
        if (f->mask[i] > 2) {
            if (ctx) nigh_fail(ctx, NIGH_INVALID, "multigrid: the mask is %d in row %lld, column %lld; 0, 1 or 2 is allowed", f->mask[i], (long long)(i / mg->spec.cols), (long long)(i % mg->spec.cols));
            return NIGH_INVALID;
        }
    return NIGH_OK;
}

/* Obstacles: no coefficient, no reaction. Before the faces are made. */
static void mask_out(const nigh_multigrid *mg, const nigh_multigrid_field *f, void *workspace)
{
    for (int64_t i = 0; i < mg->spec.rows; i++)
        for (int64_t j = 0; j < mg->spec.cols; j++)
            if (f->mask[i * mg->spec.cols + j]) {
                put(mg, workspace, MG_U, i, j, 0);
                put(mg, workspace, MG_C, i, j, 0);
            }
}

/* u = 0 on the walls of obstacles of kind 2: their neighbours inside feel it over half a cell. True when there are any. */
static bool mask_walls(const nigh_multigrid *mg, const nigh_multigrid_field *f, double x, double y, void *workspace)
{
    const int64_t ny = mg->spec.rows, nx = mg->spec.cols;
    bool any = false;
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            if (f->mask[i * nx + j] != 2) continue;
            for (int side = 0; side < 4; side++) {
                int64_t k = i + (side == 0) - (side == 1), m = j + (side == 2) - (side == 3);
                if (mg->level[0].wrap_y) k = (k + ny) % ny;
                if (mg->level[0].wrap_x) m = (m + nx) % nx;
                if (k < 0 || k >= ny || m < 0 || m >= nx || f->mask[k * nx + m]) continue;
                put_more(mg, workspace, MG_C, k, m, 2 * (f->a ? f->a[k * nx + m] : 1) * (side < 2 ? y : x));
                any = true;
            }
        }
    return any;
}

/* What the edges with u = 0 add to the diagonal: twice the coefficient of what is along them. faces: those of the edges, else a's cells. */
static void edges(const nigh_multigrid *mg, const nigh_multigrid_field *f, const nigh_multigrid_faces *faces, double x, double y, void *workspace)
{
    const nigh_multigrid_spec *s = &mg->spec;
    const int64_t ny = s->rows, nx = s->cols;
    for (int end = 0; end < 2; end++) {
        int64_t i = end ? ny - 1 : 0, j = end ? nx - 1 : 0;
        if ((end ? s->high : s->low) == NIGH_MULTIGRID_ZERO)
            for (int64_t k = 0; k < nx; k++)
                if (!f || !f->mask || !f->mask[i * nx + k])
                    put_more(mg, workspace, MG_C, i, k, 2 * y * (faces ? faces->row_faces[(i + end) * nx + k] : f->a ? f->a[i * nx + k] : 1));
        if ((end ? s->right : s->left) == NIGH_MULTIGRID_ZERO)
            for (int64_t k = 0; k < ny; k++)
                if (!f || !f->mask || !f->mask[k * nx + j])
                    put_more(mg, workspace, MG_C, k, j, 2 * x * (faces ? faces->col_faces[k * (nx + 1) + j + end] : f->a ? f->a[k * nx + j] : 1));
    }
}

static bool any_above_zero(int64_t n, const double *x)
{
    for (int64_t i = 0; x && i < n; i++)
        if (x[i] > 0) return true;
    return false;
}

nigh_status nigh_multigrid_cells(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_field *field, void *workspace)
{
    nigh_status status = check_cells(ctx, mg, field);
    if (status != NIGH_OK) return status;
    const nigh_multigrid_spec *s = &mg->spec;
    const multigrid_level *g = &mg->level[0];
    void *base = multigrid_base(mg, 0, workspace);
    double x = 1 / (s->col_spacing * s->col_spacing), y = 1 / (s->row_spacing * s->row_spacing);
    multigrid_guards(mg, workspace);
    if (field->a)
        mg->kernels->split_f64(g, base, MG_U, field->a);
    else {
        zero(mg, workspace, MG_U);
        for (int64_t i = 0; i < s->rows; i++)
            for (int64_t j = 0; j < s->cols; j++) put(mg, workspace, MG_U, i, j, 1);
    }
    if (field->reaction)
        mg->kernels->split_f64(g, base, MG_C, field->reaction);
    else
        zero(mg, workspace, MG_C);
    if (field->mask) mask_out(mg, field, workspace);
    wrap(mg, workspace, MG_U);
    mg->kernels->harmonic(g, base, MG_U, x, y);
    wrap(mg, workspace, MG_E), wrap(mg, workspace, MG_N);
    bool singular = mg->singular && !any_above_zero(s->rows * s->cols, field->reaction);
    if (field->mask && mask_walls(mg, field, x, y, workspace)) singular = false;
    edges(mg, field, NULL, x, y, workspace);
    mg->kernels->diagonal(g, base);
    finish(mg, workspace, singular, field->mask != NULL);
    return NIGH_OK;
}

/* ---- faces and stencils -------------------------------------------------------------------------------------------------------------- */

static nigh_status check_array(nigh_context *ctx, const char *what, int64_t rows, int64_t cols, const double *x, double low)
{
    for (int64_t i = 0; x && i < rows * cols; i++)
        if (!(x[i] >= low && x[i] <= 1e290)) {
            if (ctx) nigh_fail(ctx, NIGH_INVALID, "multigrid: %s is %g at [%lld, %lld]; %s is allowed", what, x[i], (long long)(i / cols), (long long)(i % cols), low < 0 ? "a finite number" : "0 or a positive finite number");
            return NIGH_INVALID;
        }
    return NIGH_OK;
}

nigh_status nigh_multigrid_from_faces(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_faces *faces, void *workspace)
{
    const nigh_multigrid_spec *s = &mg->spec;
    const int64_t ny = s->rows, nx = s->cols;
    nigh_status status = check_array(ctx, "row_faces", ny + 1, nx, faces->row_faces, 0);
    if (status == NIGH_OK) status = check_array(ctx, "col_faces", ny, nx + 1, faces->col_faces, 0);
    if (status == NIGH_OK) status = check_array(ctx, "reaction", ny, nx, faces->reaction, 0);
    if (status != NIGH_OK) return status;
    const multigrid_level *g = &mg->level[0];
    void *base = multigrid_base(mg, 0, workspace);
    double x = 1 / (s->col_spacing * s->col_spacing), y = 1 / (s->row_spacing * s->row_spacing);
    multigrid_guards(mg, workspace);
    if (faces->reaction)
        mg->kernels->split_f64(g, base, MG_C, faces->reaction);
    else
        zero(mg, workspace, MG_C);
    zero(mg, workspace, MG_E), zero(mg, workspace, MG_N);
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            if (j + 1 < nx || g->wrap_x) put(mg, workspace, MG_E, i, j, x * faces->col_faces[i * (nx + 1) + (j + 1 < nx ? j + 1 : 0)]);
            if (i + 1 < ny || g->wrap_y) put(mg, workspace, MG_N, i, j, y * faces->row_faces[(i + 1 < ny ? i + 1 : 0) * nx + j]);
        }
    wrap(mg, workspace, MG_E), wrap(mg, workspace, MG_N);
    edges(mg, NULL, faces, x, y, workspace);
    mg->kernels->diagonal(g, base);
    finish(mg, workspace, mg->singular && !any_above_zero(ny * nx, faces->reaction), true);
    return NIGH_OK;
}

/* Couplings beyond edges that are not periodic become 0. */
static void cut(const nigh_multigrid *mg, void *workspace)
{
    const int64_t ny = mg->spec.rows, nx = mg->spec.cols;
    const bool nine = mg->spec.nine;
    for (int64_t i = 0; i < ny && !mg->level[0].wrap_x; i++) {
        put(mg, workspace, MG_E, i, nx - 1, 0);
        if (nine) put(mg, workspace, MG_F, i, nx - 1, 0), put(mg, workspace, MG_G, i, 0, 0);
    }
    for (int64_t j = 0; j < nx && !mg->level[0].wrap_y; j++) {
        put(mg, workspace, MG_N, ny - 1, j, 0);
        if (nine) put(mg, workspace, MG_F, ny - 1, j, 0), put(mg, workspace, MG_G, ny - 1, j, 0);
    }
}

/* Whether a constant is solved to 0: in f64 from what was given. */
static bool sums_are_zero(const nigh_multigrid *mg, const nigh_multigrid_stencil *s)
{
    const int64_t ny = mg->spec.rows, nx = mg->spec.cols;
    const bool wrap_x = mg->level[0].wrap_x, wrap_y = mg->level[0].wrap_y;
    double rest = 0, all = 0;
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            int64_t k = i * nx + j;
            bool right = j + 1 < nx || wrap_x, left = j > 0 || wrap_x, up = i + 1 < ny || wrap_y;
            double half = (right ? s->east[k] : 0) + (up ? s->north[k] : 0);
            if (mg->spec.nine) half += (up && right ? s->north_east[k] : 0) + (up && left ? s->north_west[k] : 0);
            rest += s->center[k] - 2 * half;
            all += s->center[k];
        }
    return fabs(rest) <= 1e-13 * all * sqrt((double)(ny * nx));
}

nigh_status nigh_multigrid_from_stencil(nigh_context *ctx, const nigh_multigrid *mg, const nigh_multigrid_stencil *s, void *workspace)
{
    const double *const array[5] = {s->center, s->east, s->north, s->north_east, s->north_west};
    static const char *const name[5] = {"center", "east", "north", "north_east", "north_west"};
    static const int to[5] = {MG_C, MG_E, MG_N, MG_F, MG_G};
    const int count = mg->spec.nine ? 5 : 3;
    for (int k = 0; k < count; k++) {
        nigh_status status = check_array(ctx, name[k], mg->spec.rows, mg->spec.cols, array[k], k ? -1e290 : 0);
        if (status != NIGH_OK) return status;
    }
    void *base = multigrid_base(mg, 0, workspace);
    multigrid_guards(mg, workspace);
    for (int k = 0; k < count; k++) mg->kernels->split_f64(&mg->level[0], base, to[k], array[k]);
    cut(mg, workspace);
    for (int k = 1; k < count; k++) wrap(mg, workspace, to[k]);
    mg->kernels->invert(&mg->level[0], base);
    finish(mg, workspace, sums_are_zero(mg, s), true);
    return NIGH_OK;
}
