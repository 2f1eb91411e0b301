/* A constant sparse matrix times an array. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <string.h>

#include "grad/fused.h"

/* Rows of the matrix that is applied, and of its transpose for the gradient; in the tape's arena. */
typedef struct rows_of {
    int64_t rows, cols;
    const int64_t *start;
    const int32_t *column;
    const double *value;
} rows_of;

typedef struct sparse_attributes {
    const rows_of *matrix, *transposed;
} sparse_attributes;

static bool copy_rows(nigh_tape *t, const nigh_sparse *a, rows_of *out)
{
    size_t count = (size_t)nigh_sparse_count(a);
    int64_t *start = nigh_arena_alloc(t->arena, (size_t)(a->rows + 1) * sizeof *start);
    int32_t *column = nigh_arena_alloc(t->arena, (count + 1) * sizeof *column);
    double *value = nigh_arena_alloc(t->arena, (count + 1) * sizeof *value);
    if (!start || !column || !value) return t->status = NIGH_MEMORY, false;
    memcpy(start, a->start, (size_t)(a->rows + 1) * sizeof *start);
    if (count) memcpy(column, a->column, count * sizeof *column), memcpy(value, a->value, count * sizeof *value);
    *out = (rows_of){a->rows, a->cols, start, column, value};
    return true;
}

typedef struct sparse_share {
    const tape_call *call;
    const rows_of *m;
    int64_t q;
} sparse_share;

#define MULTIPLY(type)                                                                                                                     \
    do {                                                                                                                                   \
        const type *u = (const type *)s->call->in->data + r / m->rows * m->cols * s->q;                                                    \
        type *out = (type *)s->call->out->data + r * s->q;                                                                                 \
        for (int64_t j = 0; j < s->q; j++) out[j] = 0;                                                                                     \
        for (int64_t k = m->start[i]; k < m->start[i + 1]; k++) {                                                                          \
            type v = (type)m->value[k];                                                                                                    \
            const type *x = u + m->column[k] * s->q;                                                                                       \
            for (int64_t j = 0; j < s->q; j++) out[j] += v * x[j];                                                                         \
        }                                                                                                                                  \
    } while (0)

/* Rows of the whole stack: row r is row r % rows of matrix r / rows. */
static void multiply_part(const void *user, int part, int64_t from, int64_t to)
{
    const sparse_share *s = user;
    const rows_of *m = s->m;
    bool single = s->call->in->shape->dtype == NIGH_F32;
    for (int64_t r = from; r < to; r++) {
        int64_t i = r % m->rows;
        if (single) MULTIPLY(float);
        else MULTIPLY(double);
    }
}

static void run(const void *state, const tape_call *call)
{
    const rows_of *m = ((const sparse_attributes *)call->node->attributes)->matrix;
    const nigh_shape *u = call->in->shape;
    int64_t q = u->ndim == 1 ? 1 : shape_last(u), stacks = u->ndim == 1 ? 1 : shape_span(u, 0, u->ndim - 2), rows = stacks * m->rows;
    sparse_share s = {call, m, q};
    share_rows(share_parts(call->threads, rows, stacks * m->start[m->rows] * q), rows, multiply_part, &s);
}

static const tape_operator op_sparse;

static nigh_node record(nigh_tape *t, nigh_node u, const sparse_attributes *a)
{
    nigh_shape shape = *tape_shape(t, u);
    shape.dim[shape.ndim == 1 ? 0 : shape.ndim - 2] = a->matrix->rows;
    return tape_record_one(t, &op_sparse, &shape, 1, &u, a, sizeof *a);
}

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const sparse_attributes *a = tape_at(t, self)->attributes, back = {a->transposed, a->matrix};
    grad_in[0] = record(t, grad_out[0], &back);
}

static double flops(const tape_call *call)
{
    const rows_of *m = ((const sparse_attributes *)call->node->attributes)->matrix;
    return 2 * (double)nigh_shape_count(call->out->shape) / (double)m->rows * (double)m->start[m->rows];
}

static const tape_operator op_sparse = {.name = "sparse", .kind = TAPE_KERNEL, .flops = flops, .run = run, .gradient = gradient};

nigh_node nigh_tape_sparse(nigh_tape *t, const nigh_sparse *a, nigh_node u, bool transposed)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "sparse", u, 1)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, u);
    int64_t need = transposed ? a->rows : a->cols;
    if (shape.dim[shape.ndim == 1 ? 0 : shape.ndim - 2] != need)
        return tape_fail(t, "sparse", "the matrix is [%lld,%lld]%s, u is %s; u [%lld] or [..., %lld, q] is needed", (long long)a->rows, (long long)a->cols,
                         transposed ? " transposed" : "", tape_shape_text(&shape, text), (long long)need, (long long)need);
    if ((t->status = nigh_sparse_check(t->ctx, a))) return NIGH_NONE;
    nigh_sparse *turned;
    if ((t->status = nigh_sparse_transpose(t->ctx, a, &turned))) return NIGH_NONE;
    rows_of *both = nigh_arena_alloc(t->arena, 2 * sizeof *both);
    if (!both) t->status = NIGH_MEMORY;
    bool copied = both && copy_rows(t, a, &both[0]) && copy_rows(t, turned, &both[1]);
    nigh_sparse_free(t->ctx, turned);
    if (!copied) return NIGH_NONE;
    sparse_attributes attributes = {&both[transposed], &both[!transposed]};
    return record(t, u, &attributes);
}
