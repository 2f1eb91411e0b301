/* The empirical tangent kernel from products of layers. Declared in nigh/samples.h. */
#include "nn/samples.h"

#include <string.h>

enum { BATCH = 128, TILE = 1024 };             /* samples of a sweep; rows and columns of a block of products */
static const int64_t BUDGET = (int64_t)256 << 20; /* bytes of derivatives held at once by nigh_ntk */

/* The points of one side, with what the sweeps gave. */
typedef struct side {
    int64_t n;
    const char *points;
    char **x, **d;   /* [uses]: [n, t, in]; [outputs of the group, n, t, out] */
    bool have_x;
    int64_t first, count; /* outputs whose d are there; count 0: none */
} side;

typedef struct kernel {
    nigh_context *ctx;
    nigh_sample_gradients *s;
    nigh_ntk_kind kind;
    size_t size;
    int64_t budget, outputs, group;
    side a, b;
    side *right;     /* &a when both sides are the same */
    char *batch, *seed, *gx, *gd;
    double *out;
} kernel;

/* ---- what the sweeps give ----------------------------------------------------------------------------- */

static nigh_status make_side(kernel *k, side *p)
{
    int uses = k->s->uses;
    p->x = nigh_alloc_zero(k->ctx, (size_t)uses + 1, sizeof *p->x);
    p->d = nigh_alloc_zero(k->ctx, (size_t)uses + 1, sizeof *p->d);
    if (!p->x || !p->d) return NIGH_MEMORY;
    for (int i = 0; i < uses; i++) {
        const samples_use *use = &k->s->use[i];
        if (use->weight >= 0 && !(p->x[i] = nigh_alloc(k->ctx, (size_t)(p->n * use->t * use->in) * k->size + 1))) return NIGH_MEMORY;
        if (!(p->d[i] = nigh_alloc(k->ctx, (size_t)(k->group * p->n * use->t * use->out) * k->size + 1))) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

static void free_side(kernel *k, side *p)
{
    for (int i = 0; i < k->s->uses && p->x && p->d; i++) nigh_free(k->ctx, p->x[i]), nigh_free(k->ctx, p->d[i]);
    nigh_free(k->ctx, p->x);
    nigh_free(k->ctx, p->d);
}

/* One weight of 1 in each of the rows' seeds, or 0 again. */
static void set_seed(kernel *k, int64_t rows, int64_t o, double weight)
{
    nigh_array seeds = {.shape = {.dtype = k->s->dtype, .ndim = 1, .dim = {rows * k->outputs}}, .data = k->seed};
    for (int64_t i = 0; i < rows; i++) nigh_array_set(&seeds, i * k->outputs + o, weight);
}

static nigh_status sweep_batch(kernel *k, side *p, int64_t at, int64_t rows)
{
    nigh_sample_gradients *s = k->s;
    nigh_status status = NIGH_OK;
    for (int64_t o = 0; o < p->count && !status; o++) {
        set_seed(k, s->spec.batch, p->first + o, 1);
        status = samples_sweep(s, k->seed);
        for (int i = 0; i < s->uses && !status; i++) {
            const samples_use *use = &s->use[i];
            size_t x = (size_t)(use->t * use->in) * k->size, d = (size_t)(use->t * use->out) * k->size;
            if (use->weight >= 0 && !p->have_x && o == 0) memcpy(p->x[i] + (size_t)at * x, samples_x(s, use), (size_t)rows * x);
            memcpy(p->d[i] + (size_t)(o * p->n + at) * d, samples_delta(s, use), (size_t)rows * d);
        }
        set_seed(k, s->spec.batch, p->first + o, 0);
    }
    return status;
}

/* The derivatives of outputs first .. first + count - 1 at all points. */
static nigh_status sweep_side(kernel *k, side *p, int64_t first, int64_t count)
{
    nigh_sample_gradients *s = k->s;
    size_t row = (size_t)s->x_count * k->size;
    nigh_status status = NIGH_OK;
    if (p->first == first && p->count == count) return NIGH_OK;
    p->first = first;
    p->count = count;
    for (int64_t at = 0; at < p->n && !status; at += s->spec.batch) {
        int64_t rows = p->n - at < s->spec.batch ? p->n - at : s->spec.batch;
        memcpy(k->batch, p->points + (size_t)at * row, (size_t)rows * row);
        for (int64_t i = rows; i < s->spec.batch; i++) memcpy(k->batch + (size_t)i * row, k->batch, row);
        nigh_samples_point(s, k->batch, NULL);
        status = sweep_batch(k, p, at, rows);
    }
    p->have_x = !status;
    return status;
}

/* ---- products ----------------------------------------------------------------------------------------- */

static double *entry(const kernel *k, int64_t i, int64_t oi, int64_t j, int64_t oj)
{
    int64_t m = k->right->n;
    switch (k->kind) {
    case NIGH_NTK_SUM: return &k->out[i * m + j];
    case NIGH_NTK_EACH: return &k->out[(oi * k->a.n + i) * m + j];
    default: return &k->out[((i * k->outputs + oi) * m + j) * k->outputs + oj];
    }
}

/* g[rows, cols] = x y^T with `width` columns each. */
static nigh_status products(const kernel *k, int64_t rows, int64_t cols, int64_t width, const char *x, const char *y, char *g)
{
    matmul *product;
    matmul_spec spec = {.dtype = k->s->dtype, .b_dtype = k->s->dtype, .m = rows, .n = cols, .k = width, .a_row = width, .a_column = 1, .b_row = 1, .b_column = width,
                        .c_row = cols, .c_column = 1, .alpha = 1};
    nigh_status status = matmul_new(k->ctx, &spec, nigh_context_threads(k->ctx), &product);
    if (status) return status;
    void *workspace = nigh_alloc(k->ctx, matmul_workspace(product) + 1);
    if (workspace) matmul_run(product, x, y, NULL, g, workspace);
    nigh_free(k->ctx, workspace);
    matmul_free(product);
    return workspace ? NIGH_OK : NIGH_MEMORY;
}

static double at(const kernel *k, const char *g, int64_t i) { return k->size == sizeof(float) ? (double)((const float *)g)[i] : ((const double *)g)[i]; }

/* The sum over the rows of two samples of (weight x.y + bias) d.e. */
static double pair_sum(const kernel *k, int64_t i, int64_t j, int64_t ti, int64_t tj, int64_t cols, double weight, double bias)
{
    double sum = 0;
    for (int64_t p = 0; p < ti; p++)
        for (int64_t q = 0; q < tj; q++) {
            int64_t e = (i * ti + p) * cols + j * tj + q;
            sum += ((weight != 0 ? weight * at(k, k->gx, e) : 0) + bias) * at(k, k->gd, e);
        }
    return sum;
}

/* Samples i0 .. and j0 .. of one pair of uses with a common array. */
static nigh_status add_block(kernel *k, int u, int v, int64_t i0, int64_t rows, int64_t j0, int64_t cols)
{
    const samples_use *a = &k->s->use[u], *b = &k->s->use[v];
    side *left = &k->a, *right = k->right;
    double weight = a->weight >= 0 && a->weight == b->weight ? a->scale * b->scale : 0, bias = a->bias >= 0 && a->bias == b->bias ? a->bias_scale * b->bias_scale : 0;
    nigh_status status = NIGH_OK;
    if (weight != 0)
        status = products(k, rows * a->t, cols * b->t, a->in, left->x[u] + (size_t)(i0 * a->t * a->in) * k->size, right->x[v] + (size_t)(j0 * b->t * b->in) * k->size, k->gx);
    for (int64_t oi = 0; oi < left->count && !status; oi++)
        for (int64_t oj = 0; oj < right->count && !status; oj++) {
            if (k->kind != NIGH_NTK_FULL && oi != oj) continue;
            status = products(k, rows * a->t, cols * b->t, a->out, left->d[u] + (size_t)((oi * left->n + i0) * a->t * a->out) * k->size,
                     right->d[v] + (size_t)((oj * right->n + j0) * b->t * b->out) * k->size, k->gd);
            for (int64_t i = 0; i < rows && !status; i++)
                for (int64_t j = 0; j < cols; j++)
                    *entry(k, i0 + i, left->first + oi, j0 + j, right->first + oj) += pair_sum(k, i, j, a->t, b->t, cols * b->t, weight, bias);
        }
    return status;
}

static int64_t samples_in_tile(int64_t t) { return t < TILE ? TILE / t : 1; }

static nigh_status add_uses(kernel *k)
{
    nigh_status status = NIGH_OK;
    for (int u = 0; u < k->s->uses; u++)
        for (int v = 0; v < k->s->uses; v++) {
            const samples_use *a = &k->s->use[u], *b = &k->s->use[v];
            if (!(a->weight >= 0 && a->weight == b->weight) && !(a->bias >= 0 && a->bias == b->bias)) continue;
            int64_t r = samples_in_tile(a->t), c = samples_in_tile(b->t);
            for (int64_t i = 0; i < k->a.n && !status; i += r) {
                status = nigh_poll(k->ctx);
                for (int64_t j = 0; j < k->right->n && !status; j += c)
                    status = add_block(k, u, v, i, k->a.n - i < r ? k->a.n - i : r, j, k->right->n - j < c ? k->right->n - j : c);
            }
        }
    return status;
}

/* Groups of outputs whose derivatives fit the budget, every pair of groups when outputs are compared with each other. */
static nigh_status add_products(kernel *k)
{
    nigh_status status = NIGH_OK;
    for (int64_t first = 0; first < k->outputs && !status && k->s->uses; first += k->group) {
        int64_t count = k->outputs - first < k->group ? k->outputs - first : k->group;
        int64_t from = k->kind == NIGH_NTK_FULL ? 0 : first, to = k->kind == NIGH_NTK_FULL ? k->outputs : first + 1;
        status = sweep_side(k, &k->a, first, count);
        for (int64_t other = from; other < to && !status; other += k->group) {
            int64_t others = k->outputs - other < k->group ? k->outputs - other : k->group;
            if (k->right != &k->a) status = sweep_side(k, k->right, other, others);
            if (!status) status = add_uses(k);
        }
    }
    return status;
}

/* ---- arrays that are differentiated sample by sample -------------------------------------------------- */

/* Columns first .. first + count - 1 of these arrays' gradients, behind each other: rows[outputs, n, count]. */
static nigh_status other_columns(kernel *k, const side *p, int64_t first, int64_t count, char *rows)
{
    nigh_sample_gradients *s = k->s;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < p->n && !status; i++)
        for (int64_t o = 0; o < k->outputs && !status; o++) {
            set_seed(k, 1, o, 1);
            status = samples_run_one(s, p->points + (size_t)(i * s->x_count) * k->size, NULL, k->seed);
            set_seed(k, 1, o, 0);
            int64_t begin = 0;
            char *to = rows + (size_t)((o * p->n + i) * count) * k->size;
            for (int array = 0; array < s->arrays && !status; array++) {
                if (!s->other[array]) continue;
                int64_t size = nigh_shape_count(&nigh_parameters_at(s->set, array)->shape), low = first > begin ? first : begin;
                int64_t high = first + count < begin + size ? first + count : begin + size;
                if (low < high)
                    memcpy(to + (size_t)(low - first) * k->size, (const char *)samples_other(s, array) + (size_t)(low - begin) * k->size, (size_t)(high - low) * k->size);
                begin += size;
            }
        }
    return status;
}

static nigh_status add_other_block(kernel *k, const char *left, const char *right, int64_t width)
{
    int64_t n = k->a.n, m = k->right->n;
    nigh_status status = NIGH_OK;
    for (int64_t oi = 0; oi < k->outputs; oi++)
        for (int64_t oj = 0; oj < k->outputs; oj++)
            for (int64_t i0 = 0; i0 < n && (k->kind == NIGH_NTK_FULL || oi == oj); i0 += TILE)
                for (int64_t j0 = 0; j0 < m && !status; j0 += TILE) {
                    int64_t rows = n - i0 < TILE ? n - i0 : TILE, cols = m - j0 < TILE ? m - j0 : TILE;
                    status = products(k, rows, cols, width, left + (size_t)((oi * n + i0) * width) * k->size, right + (size_t)((oj * m + j0) * width) * k->size, k->gd);
                    for (int64_t i = 0; i < rows && !status; i++)
                        for (int64_t j = 0; j < cols; j++) *entry(k, i0 + i, oi, j0 + j, oj) += at(k, k->gd, i * cols + j);
                }
    return status;
}

static nigh_status add_others(kernel *k)
{
    nigh_sample_gradients *s = k->s;
    int64_t points = k->outputs * (k->a.n + (k->right == &k->a ? 0 : k->right->n)), width = k->budget / ((int64_t)k->size * points);
    if (width < 1) width = 1;
    if (width > s->others) width = s->others;
    char *left = nigh_alloc(k->ctx, (size_t)(points * width) * k->size + 1), *right = left;
    nigh_status status = left ? NIGH_OK : NIGH_MEMORY;
    if (k->right != &k->a && left) right = left + (size_t)(k->outputs * k->a.n * width) * k->size;
    for (int64_t first = 0; first < s->others && !status; first += width) {
        int64_t count = s->others - first < width ? s->others - first : width;
        status = other_columns(k, &k->a, first, count, left);
        if (!status && right != left) status = other_columns(k, k->right, first, count, right);
        if (!status) status = add_other_block(k, left, right, count);
    }
    nigh_free(k->ctx, left);
    return status;
}

/* ---- all ---------------------------------------------------------------------------------------------- */

/* How many outputs' derivatives fit, and room for one batch and one block of products. */
static nigh_status make_room(kernel *k)
{
    nigh_sample_gradients *s = k->s;
    int64_t each = 0, points = k->a.n + (k->right == &k->a ? 0 : k->right->n), t = 1;
    k->outputs = s->outputs;
    for (int i = 0; i < s->uses; i++) {
        each += s->use[i].t * s->use[i].out;
        t = s->use[i].t > t ? s->use[i].t : t;
    }
    int64_t bytes = each * points * (int64_t)k->size;
    k->group = bytes > 0 && k->budget / bytes < k->outputs ? k->budget / bytes : k->outputs;
    if (k->group < 1) k->group = 1;
    if (k->kind == NIGH_NTK_FULL && k->right == &k->a && k->group < k->outputs) { /* two groups are needed at once: the second side holds the same points */
        k->b = k->a;
        k->right = &k->b;
        if (k->group > 1) k->group /= 2;
    }
    int64_t tile = t < TILE ? TILE : t, rows = k->a.n * t < tile ? k->a.n * t : tile, cols = k->right->n * t < tile ? k->right->n * t : tile;
    k->batch = nigh_alloc(k->ctx, (size_t)(s->spec.batch * s->x_count) * k->size + 1);
    k->seed = nigh_alloc_zero(k->ctx, (size_t)(s->spec.batch * k->outputs) + 1, k->size);
    k->gx = nigh_alloc(k->ctx, (size_t)(rows * cols) * k->size + 1);
    k->gd = nigh_alloc(k->ctx, (size_t)(rows * cols) * k->size + 1);
    nigh_status status = k->batch && k->seed && k->gx && k->gd ? make_side(k, &k->a) : NIGH_MEMORY;
    if (!status && k->right != &k->a) status = make_side(k, k->right);
    return status;
}

/* Products of one matrix with itself are symmetric but for rounding; here they are made so. */
static void mirror(double *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.5 * (a[i * n + j] + a[j * n + i]);
}

nigh_status nigh_ntk(nigh_context *ctx, nigh_network *net, nigh_ntk_kind kind, int64_t n, const void *x, int64_t m, const void *y, double *out)
{
    return samples_ntk(ctx, net, kind, n, x, m, y, BUDGET, out);
}

nigh_status samples_ntk(nigh_context *ctx, nigh_network *net, nigh_ntk_kind kind, int64_t n, const void *x, int64_t m, const void *y, int64_t budget, double *out)
{
    if (!y) m = n;
    if (n < 1 || m < 1) return nigh_fail(ctx, NIGH_INVALID, "ntk: %lld and %lld points; 1 or more are allowed", (long long)n, (long long)m);
    kernel k = {.ctx = ctx, .kind = kind, .budget = budget, .a = {.n = n, .points = x}, .b = {.n = m, .points = y}};
    k.right = y ? &k.b : &k.a;
    int64_t batch = n > m ? n : m;
    nigh_status status = nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = batch < BATCH ? batch : BATCH}, &k.s);
    if (status) return status;
    k.size = nigh_dtype_size(k.s->dtype);
    k.outputs = k.s->outputs;
    int64_t blocks = kind == NIGH_NTK_SUM ? 1 : kind == NIGH_NTK_EACH ? k.outputs : k.outputs * k.outputs;
    if (!(k.out = nigh_alloc_zero(ctx, (size_t)(blocks * n * m), sizeof *k.out))) status = NIGH_MEMORY;
    if (!status) status = make_room(&k);
    if (!status) nigh_samples_point(k.s, k.batch, NULL); /* the weights are bound */
    if (!status) status = add_products(&k);
    if (!status && k.s->others) status = add_others(&k);
    for (int64_t o = 0; o < k.outputs && !status && !y && kind != NIGH_NTK_FULL; o += kind == NIGH_NTK_SUM ? k.outputs : 1) mirror(k.out + o * n * n, n);
    if (!status && !y && kind == NIGH_NTK_FULL) mirror(k.out, n * k.outputs);
    if (!status) memcpy(out, k.out, (size_t)(blocks * n * m) * sizeof *out);
    free_side(&k, &k.a);
    free_side(&k, &k.b);
    nigh_free(ctx, k.out);
    nigh_free(ctx, k.batch);
    nigh_free(ctx, k.seed);
    nigh_free(ctx, k.gx);
    nigh_free(ctx, k.gd);
    nigh_samples_free(k.s);
    return status;
}
