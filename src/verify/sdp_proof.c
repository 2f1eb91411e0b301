/* Proofs of semidefiniteness, of norms, and of smaller matrices that make as much; see sdp.h. */
#include <math.h>
#include <string.h>

#include "tensor/dense.h"
#include "core/round.h"
#include "verify/sdp.h"

/* ---- positive definite ---------------------------------------------------------------------------------- */

static double dot(int64_t n, const double *a, const double *b)
{
    double sum[4] = {0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int j = 0; j < 4; j++) sum[j] += a[k + j] * b[k + j];
    for (; k < n; k++) sum[0] += a[k] * b[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/*
 * The factor by definition, row by row, every entry one inner product, one division: what the theorem is about (blocked factors of libraries multiply by reciprocals).
 * False: it breaks down.
 */
static bool cholesky(int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (int64_t j = 0; j < i; j++) row[j] = (row[j] - dot(j, row, a + j * n)) / a[j * n + j];
        double left = row[i] - dot(i, row, row);
        if (!(left > 0 && left < INFINITY)) return false;
        row[i] = sqrt(left);
    }
    return true;
}

/* Rump's theorem: a factor that does not break down shows that the least eigenvalue is above -sum_j g_j a_jj, g_j = gamma_(j+1) / (1 - gamma_(j+1)), but for underflow. */
bool sdp_definite(int64_t n, double *a, double error)
{
    double trace = 0;
    for (int64_t i = 0; i < n; i++) trace += fabs(a[i * n + i]);
    double margin = round_up((error + 1.1 * round_gamma((double)n + 4, ROUND_UNIT) * trace) * 1.01) + (double)n * ROUND_TINY;
    if (!(margin < INFINITY)) return false;
    for (int64_t i = 0; i < n; i++) a[i * n + i] = round_down(a[i * n + i] - margin);
    return cholesky(n, a);
}

/* ---- points of the program ------------------------------------------------------------------------------ */

static double power_of_two(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, -(exponent / 2));
}

/* Squared Frobenius norm of rows [count, n] with columns scaled, rounded up. */
static double scaled_square(int64_t count, int64_t n, const double *a, const double *scale)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < n; j++) sum += (a[i * n + j] * scale[j]) * (a[i * n + j] * scale[j]);
    return round_sum_up(sum, 3 * (double)(count * n));
}

/* How far errors (2-norm, one a block) move a matrix whose columns are scaled. */
static double scaled_error(const sdp_problem *p, int blocks, const double *error, const double *scale)
{
    double sum = 0;
    for (int l = 0; l < blocks; l++) {
        double most = 0;
        for (int64_t j = p->start[l]; j < p->start[l + 1]; j++) most = fmax(most, scale[j]);
        sum += (error[l] * most) * (error[l] * most);
    }
    return sqrt(round_sum_up(sum, 3 * blocks)) * (1 + 0x1p-50);
}

/* A bound of the 2-norm of (scaled M as computed) - (scaled M of the meant A and C). */
static double matrix_error(const sdp_problem *p, const double *y, const double *scale)
{
    double sizes = 0, moved = 0;
    for (int64_t i = 0; i < p->n; i++) sizes += y[p->variable[i]] * scale[i] * scale[i];
    for (int k = 1; k < p->blocks; k++) {
        double most = 0, all = 0;
        for (int64_t i = p->start[k]; i < p->start[k + 1]; i++) {
            double square = scaled_square(1, p->n, p->a + (i - p->start[1]) * p->n, scale);
            sizes += y[p->variable[i]] * square, all += square, most = fmax(most, y[p->variable[i]]);
        }
        double error = scaled_error(p, k, p->a_error + k * p->blocks, scale);
        moved += most * error * (2 * sqrt(all) + error);
    }
    double outputs = scaled_square(p->outputs, p->n, p->c, scale), error = scaled_error(p, p->blocks, p->c_error, scale);
    sizes += outputs, moved += error * (2 * sqrt(outputs) + error);
    return 1.001 * (round_gamma((double)(p->units + p->outputs) + 8, ROUND_UNIT) * sizes + moved);
}

bool sdp_proved(const sdp_problem *p, const double *y, void *workspace)
{
    double *m = workspace, *work = m + p->n * p->n, *scale = work + p->units * p->n;
    for (int64_t i = 0; i < p->variables; i++)
        if (!(y[i] >= 0 && y[i] < INFINITY)) return false;
    sdp_matrix(p, y, true, m, work);
    for (int64_t i = 0; i < p->n; i++) {
        if (!(m[i * p->n + i] > 0 && m[i * p->n + i] < INFINITY)) return false;
        scale[i] = power_of_two(m[i * p->n + i]);
    }
    double error = matrix_error(p, y, scale);
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j <= i; j++) m[i * p->n + j] *= scale[i] * scale[j];
    return sdp_definite(p->n, m, error);
}

/* ---- the proved bound ----------------------------------------------------------------------------------- */

static void set_inputs(const sdp_problem *p, const double *y, double factor, double *out)
{
    int64_t inputs = p->variable[p->start[1] - 1] + 1;
    memcpy(out, y, (size_t)p->variables * sizeof *out);
    for (int64_t i = 0; i < inputs; i++) out[i] *= factor;
}

/* The least factor of the inputs' multipliers that a few trials can prove; 0: none up to 1.5. */
static double least_factor(const sdp_problem *p, const double *y, double slack, double *at, void *workspace)
{
    double good = 0, bad = 0, width = slack;
    set_inputs(p, y, 1, at);
    bool inside = sdp_proved(p, at, workspace);
    if (inside) good = 1;
    else bad = 1;
    for (; inside ? !bad && width < 1 : !good && width < 0.5; width *= inside ? 2 : 4) {
        double factor = inside ? 1 - width : 1 + width;
        set_inputs(p, y, factor, at);
        if (sdp_proved(p, at, workspace)) good = factor;
        else bad = factor;
    }
    for (int tries = 0; good && tries < 20 && good - bad > slack; tries++) {
        double factor = 0.5 * (good + bad);
        set_inputs(p, y, factor, at);
        if (sdp_proved(p, at, workspace)) good = factor;
        else bad = factor;
    }
    return good;
}

static double cost_above(const sdp_problem *p, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < p->variables; i++) sum += p->cost[i] * y[i];
    return round_sum_up(sum, 2 * (double)p->variables);
}

nigh_status sdp_prove(nigh_context *ctx, const sdp_problem *p, const double *start, double slack, double *y, double *value, void *workspace)
{
    double *at = workspace, *mixed = at + p->variables, *rest = mixed + p->variables;
    int before = dense_enter(ctx, (double)p->n * (double)p->n * (double)p->n);
    double factor = 0, share = 0;
    for (; !factor; share = share ? 10 * share : 1e-7) {
        if (share > 1) share = 1;
        for (int64_t i = 0; i < p->variables; i++) mixed[i] = y[i] + share * (start[i] - y[i]);
        factor = least_factor(p, mixed, slack, at, rest);
        if (share == 1) break;
    }
    dense_leave(before);
    if (!factor) return nigh_fail(ctx, NIGH_UNDECIDED, "no bound could be proved: rounding is as large as what is to be shown");
    set_inputs(p, mixed, factor, y);
    *value = cost_above(p, y);
    return NIGH_OK;
}

/* ---- norms ---------------------------------------------------------------------------------------------- */

/* The smaller Gram matrix of w[m,n], [k,k], k = min(m, n); *square: at least the squared Frobenius norm. */
static void gram(int64_t m, int64_t n, const double *w, double *g, double *square)
{
    bool wide = m <= n;
    int k = (int)(wide ? m : n), inner = (int)(wide ? n : m);
    cblas_dgemm(CblasRowMajor, wide ? CblasNoTrans : CblasTrans, wide ? CblasTrans : CblasNoTrans, k, k, inner, 1, w, (int)n, w, (int)n, 0, g, k);
    double sum = 0;
    for (int64_t i = 0; i < m * n; i++) sum += w[i] * w[i];
    *square = round_sum_up(sum, 2 * (double)(m * n));
}

/* sqrt(1-norm infinity-norm), for matrices too large for more. */
static double plain_norm(int64_t m, int64_t n, const double *w)
{
    double rows = 0, columns = 0;
    for (int64_t i = 0; i < m; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) sum += fabs(w[i * n + j]);
        rows = fmax(rows, sum);
    }
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < m; i++) sum += fabs(w[i * n + j]);
        columns = fmax(columns, sum);
    }
    return round_up(round_up(sqrt(round_sum_up(rows, (double)n))) * round_up(sqrt(round_sum_up(columns, (double)m))));
}

nigh_status sdp_norm(nigh_context *ctx, int64_t m, int64_t n, const double *w, double *norm)
{
    enum { LARGE = 1500 };
    int64_t k = m < n ? m : n;
    double plain = plain_norm(m, n, w), square;
    if (k > LARGE || k < 1 || !(plain > 0x1p-300 && plain < 0x1p300)) {
        *norm = plain;
        return NIGH_OK;
    }
    double *g = nigh_alloc(ctx, (size_t)(2 * k * k + k) * sizeof *g), *x = g + k * k, *value = x + k * k;
    if (!g) return NIGH_MEMORY;
    gram(m, n, w, g, &square);
    memcpy(x, g, (size_t)(k * k) * sizeof *x);
    int before = dense_enter(ctx, 2.0 * (double)k * (double)k * (double)k);
    nigh_status status = dense_eigen(ctx, NIGH_F64, k, false, x, value);
    dense_leave(before);
    const bool found = !status;
    double error = round_gamma((double)(m > n ? m : n) + 4, ROUND_UNIT) * square, top = found ? value[k - 1] : 0, best = plain;
    for (double by = 1e-9; found && by < 1e-2; by *= 30) {
        double level = top * (1 + by) + error;
        for (int64_t i = 0; i < k * k; i++) x[i] = -g[i];
        for (int64_t i = 0; i < k; i++) x[i * k + i] += level;
        if (!sdp_definite(k, x, error + 0x1p-52 * (level + top))) continue;
        best = fmin(best, round_up(sqrt(round_up(level))));
        break;
    }
    nigh_free(ctx, g);
    if (status == NIGH_MEMORY) return status;
    *norm = best;
    return NIGH_OK;
}

nigh_status sdp_compress(nigh_context *ctx, int64_t m, int64_t n, const double *w, double error, double *l)
{
    double square;
    gram(m, n, w, l, &square);
    /* What the Gram matrix is off by, what the factor (l l^T is within gamma_(m+1) of |l| |l|^T, whose norm is below the trace), and what w is. */
    double norm = sqrt(square), off = round_gamma((double)n + 4, ROUND_UNIT) * square + error * (2 * norm + error);
    for (int tries = 0; tries < 8; tries++, off *= 10) {
        double add = 1.01 * (off + 1.1 * round_gamma((double)m + 8, ROUND_UNIT) * (square + (double)m * off)) + ROUND_TINY;
        if (tries) gram(m, n, w, l, &square);
        for (int64_t i = 0; i < m; i++) l[i * m + i] = round_up(l[i * m + i] + add);
        if (!cholesky(m, l)) continue;
        for (int64_t i = 0; i < m; i++) memset(l + i * m + i + 1, 0, (size_t)(m - i - 1) * sizeof *l);
        return NIGH_OK;
    }
    return nigh_fail(ctx, NIGH_UNDECIDED, "the first layer's %lld rows are too close to dependent to be replaced by fewer columns", (long long)m);
}
