/* Fixed points with the gradient of the implicit function theorem. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"

enum { MIX_MOST = 8, THETA_MOST = 64 };

/* ---- Anderson's mixing: inputs z_1 .. z_m and f(z_1) .. f(z_m), each sample (first dimension) for itself ------- */

typedef struct mix_share {
    const tape_call *call;
    int m;
    int64_t n;
} mix_share;

static double element(const tape_operand *o, int64_t i) { return o->shape->dtype == NIGH_F32 ? (double)((const float *)o->data)[i] : ((const double *)o->data)[i]; }

/* a with G a = 1 made to sum to 1: least |sum a_i r_i|. A ridge of 1e-10 of the trace keeps equal residuals apart; false when all are 0. */
static bool mixing(int m, double g[MIX_MOST][MIX_MOST], double *a)
{
    double trace = 0, sum = 0;
    for (int i = 0; i < m; i++) trace += g[i][i];
    if (!(trace > 0)) return false;
    for (int i = 0; i < m; i++) a[i] = 1, g[i][i] += 1e-10 * trace;
    for (int i = 0; i < m; i++) /* positive definite: no exchanges */
        for (int k = i + 1; k < m; k++) {
            double f = g[k][i] / g[i][i];
            for (int j = i; j < m; j++) g[k][j] -= f * g[i][j];
            a[k] -= f * a[i];
        }
    for (int i = m - 1; i >= 0; i--) {
        for (int j = i + 1; j < m; j++) a[i] -= g[i][j] * a[j];
        a[i] /= g[i][i];
        sum += a[i];
    }
    for (int i = 0; i < m; i++) a[i] /= sum;
    return isfinite(sum) && sum != 0;
}

static void mix_part(const void *user, int part, int64_t from, int64_t to)
{
    const mix_share *s = user;
    const tape_operand *z = s->call->in, *f = s->call->in + s->m;
    for (int64_t sample = from; sample < to; sample++) {
        double g[MIX_MOST][MIX_MOST] = {{0}}, a[MIX_MOST], r[MIX_MOST];
        int64_t first = sample * s->n, last = first + s->n;
        for (int64_t k = first; k < last; k++) {
            for (int i = 0; i < s->m; i++) r[i] = element(&f[i], k) - element(&z[i], k);
            for (int i = 0; i < s->m; i++)
                for (int j = 0; j < s->m; j++) g[i][j] += r[i] * r[j];
        }
        if (!mixing(s->m, g, a)) /* at the fixed point: the newest value */
            for (int i = 0; i < s->m; i++) a[i] = i == s->m - 1;
        for (int64_t k = first; k < last; k++) {
            double sum = 0;
            for (int i = 0; i < s->m; i++) sum += a[i] * element(&f[i], k);
            if (z->shape->dtype == NIGH_F32) ((float *)s->call->out->data)[k] = (float)sum;
            else ((double *)s->call->out->data)[k] = sum;
        }
    }
}

static void mix_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->out->shape;
    int64_t samples = shape->ndim > 1 ? shape->dim[0] : 1;
    mix_share s = {call, call->node->inputs / 2, shape->ndim > 1 ? shape_span(shape, 1, shape->ndim) : nigh_shape_count(shape)};
    share_rows(share_parts(call->threads, samples, 8 * nigh_shape_count(shape)), samples, mix_part, &s);
}

static const tape_operator op_mix = {.name = "anderson-mixing", .kind = TAPE_KERNEL, .run = mix_run};

/* ---- iterations ------------------------------------------------------------------------------------------------ */

typedef nigh_node step_fn(const void *user, nigh_tape *t, nigh_node z);

static nigh_node iterate(nigh_tape *t, step_fn *step, const void *user, nigh_node z, int iterations, int memory)
{
    nigh_node points[2 * MIX_MOST];
    int m = 0;
    for (int k = 0; k < iterations && !t->status; k++) {
        nigh_node f = step(user, t, z);
        if (f == NIGH_NONE || memory == 0) {
            z = f;
            continue;
        }
        if (m == memory) {
            m--;
            memmove(points, points + 1, (size_t)m * sizeof *points);
            memmove(points + MIX_MOST, points + MIX_MOST + 1, (size_t)m * sizeof *points);
        }
        points[m] = z, points[MIX_MOST + m] = f, m++;
        if (m == 1) {
            z = f;
            continue;
        }
        nigh_node in[2 * MIX_MOST];
        memcpy(in, points, (size_t)m * sizeof *in);
        memcpy(in + m, points + MIX_MOST, (size_t)m * sizeof *in);
        const nigh_shape shape = *tape_shape(t, z);
        z = tape_record_one(t, &op_mix, &shape, 2 * m, in, NULL, 0);
    }
    return t->status ? NIGH_NONE : z;
}

/* ---- the node: inputs the last iterate and theta ---------------------------------------------------------------- */

typedef struct fixed_attributes {
    nigh_fixed_point_fn *f;
    void *user;
    int64_t forward, backward, memory;
} fixed_attributes;

typedef struct forward_step {
    const fixed_attributes *a;
    int n;
    const nigh_node *theta;
} forward_step;

static nigh_node apply(const fixed_attributes *a, nigh_tape *t, nigh_node z, int n, const nigh_node *theta)
{
    char sz[TAPE_SHAPE_TEXT], sf[TAPE_SHAPE_TEXT];
    if (t->status) return NIGH_NONE;
    nigh_node y = a->f(a->user, t, z, n, theta);
    if (!tape_check(t, "fixed-point", 1, &y)) return NIGH_NONE;
    const nigh_shape *from = tape_shape(t, z), *to = tape_shape(t, y);
    if (from->dtype == to->dtype && tape_same_shape(from, to)) return y;
    return tape_fail(t, "fixed-point", "z is %s, f(z) is %s; equal shapes are needed", tape_shape_text(from, sz), tape_shape_text(to, sf));
}

static nigh_node step_forward(const void *user, nigh_tape *t, nigh_node z)
{
    const forward_step *s = user;
    return apply(s->a, t, z, s->n, s->theta);
}

typedef struct backward_step {
    nigh_node y, z, g;
} backward_step;

/* g + (df/dz)^T w. */
static nigh_node step_backward(const void *user, nigh_tape *t, nigh_node w)
{
    const backward_step *s = user;
    nigh_node product;
    nigh_status status = nigh_tape_gradient(t, s->y, w, 1, &s->z, &product);
    if (status && !t->status) t->status = status;
    return status ? NIGH_NONE : nigh_tape_add(t, s->g, product);
}

static bool same_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    *out = *layout;
    return true;
}

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const fixed_attributes *a = node.attributes;
    nigh_node theta[THETA_MOST], by[THETA_MOST], grad[THETA_MOST], z = fused_fresh(t, self);
    int n = node.inputs - 1, of[THETA_MOST], m = 0;
    for (int i = 0; i < n; i++) theta[i] = fused_fresh(t, node.input[1 + i]);
    backward_step s = {apply(a, t, z, n, theta), z, grad_out[0]};
    nigh_node w = iterate(t, step_backward, &s, grad_out[0], (int)a->backward, (int)a->memory);
    if (w == NIGH_NONE) return;
    for (int i = 0; i < n; i++)
        if (wanted[1 + i]) of[m] = 1 + i, by[m++] = theta[i];
    if (!m) return;
    nigh_status status = nigh_tape_gradient(t, s.y, w, m, by, grad);
    if (status && !t->status) t->status = status;
    for (int i = 0; i < m && !status; i++) grad_in[of[i]] = grad[i];
}

static const tape_operator op_fixed = {.name = "fixed-point", .kind = TAPE_VIEW, .same_order = true, .view = same_view, .gradient = gradient};

nigh_node nigh_tape_fixed_point(nigh_tape *t, nigh_fixed_point_fn *f, void *user, nigh_node start, int n, const nigh_node *theta, const nigh_fixed_point *how)
{
    if (!fused_check_float(t, "fixed-point", start, 0)) return NIGH_NONE;
    if (n < 1 || n > THETA_MOST) return tape_fail(t, "fixed-point", "%d arrays theta; 1 to %d are allowed", n, THETA_MOST);
    if (!tape_check(t, "fixed-point", n, theta)) return NIGH_NONE;
    if (how->forward < 1 || how->forward > 1000 || how->backward < 1 || how->backward > 1000 || how->memory < 0 || how->memory == 1 || how->memory > MIX_MOST)
        return tape_fail(t, "fixed-point", "%d and %d iterations, memory %d; 1 to 1000, and 0 or 2 to %d are allowed", how->forward, how->backward, how->memory, MIX_MOST);
    fixed_attributes attributes = {f, user, how->forward, how->backward, how->memory};
    forward_step s = {&attributes, n, theta};
    nigh_node in[1 + THETA_MOST], z = iterate(t, step_forward, &s, start, how->forward, how->memory);
    if (z == NIGH_NONE) return NIGH_NONE;
    in[0] = z;
    memcpy(in + 1, theta, (size_t)n * sizeof *theta);
    const nigh_shape shape = *tape_shape(t, z);
    return tape_record_one(t, &op_fixed, &shape, 1 + n, in, &attributes, sizeof attributes);
}
