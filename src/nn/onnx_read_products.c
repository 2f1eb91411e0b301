/* ONNX products of matrices, to layers. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

/* The matrix as [in, out], times `scale`. */
static int matrix(onnx_reader *r, const onnx_tensor *b, bool transposed, double scale)
{
    if (!b || r->status) return -1;
    int64_t in = b->dim[transposed ? 1 : 0], out = b->dim[transposed ? 0 : 1];
    double *data = onnx_room(r, b->count);
    if (!data) return -1;
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < out; j++) data[i * out + j] = scale * b->data[transposed ? j * in + i : i * out + j];
    return onnx_weight(r, b->name, 2, (int64_t[]){in, out}, data);
}

/* [out] from what is broadcast to rows of that size. */
static int bias(onnx_reader *r, const onnx_tensor *c, int64_t out, double scale)
{
    double *data = onnx_room(r, out);
    if (!data) return -1;
    for (int64_t i = 0; i < out; i++) data[i] = scale * c->data[c->count == 1 ? 0 : i];
    return onnx_weight(r, c->name, 1, &out, data);
}

static bool is_row(const onnx_tensor *t, int64_t out, int most)
{
    if (!t || (t->count != 1 && t->count != out) || t->ndim > most) return false;
    return t->count == 1 || (t->ndim > 0 && t->dim[t->ndim - 1] == out);
}

static int product(onnx_reader *r, int a, int b, bool ta, bool tb)
{
    return onnx_add(r, "matmul", 2, (const int[]){a, b}, 0, NULL, 2, (const nigh_attribute[]){{"transpose-a", ta, NULL}, {"transpose-b", tb, NULL}});
}

/* alpha A' B' + beta C with anything computed. */
static void gemm_any(onnx_reader *r, double alpha, double beta)
{
    int a = onnx_layer(r, 0), b = onnx_layer(r, 1);
    int y = product(r, a, b, onnx_int(r, "transA", 0) != 0, onnx_int(r, "transB", 0) != 0);
    if (alpha != 1) y = onnx_affine(r, y, alpha, 0);
    if (onnx_has(r, 2)) {
        int c = onnx_layer(r, 2);
        y = onnx_two(r, "add", y, beta == 1 ? c : onnx_affine(r, c, beta, 0));
    }
    onnx_set(r, y, -1);
}

static void gemm(onnx_reader *r)
{
    const onnx_value *v = onnx_in(r, 1), *w = onnx_has(r, 2) ? onnx_in(r, 2) : NULL;
    double alpha = onnx_float(r, "alpha", 1), beta = onnx_float(r, "beta", 1);
    if (r->status) return;
    const onnx_tensor *b = v->tensor, *c = w ? w->tensor : NULL;
    if (b && b->ndim != 2) onnx_fail(r, NIGH_FORMAT, "a factor of %d dimensions; 2 are needed", b->ndim);
    if (!b || onnx_int(r, "transA", 0) || r->status) {
        gemm_any(r, alpha, beta);
        return;
    }
    bool transposed = onnx_int(r, "transB", 0) != 0;
    int64_t out = b->dim[transposed ? 0 : 1];
    if (w && !is_row(c, out, 2)) {
        gemm_any(r, alpha, beta);
        return;
    }
    int x = onnx_layer(r, 0), weight[2] = {matrix(r, b, transposed, alpha), c ? bias(r, c, out, beta) : -1};
    onnx_set(r, onnx_add(r, "linear", 1, &x, c ? 2 : 1, weight, 0, NULL), -1);
}

/* The node that adds a fixed row to the result, when it is the next and the only one that reads it; -1: none. */
static int following_sum(onnx_reader *r, int64_t out, int rank, const onnx_tensor **row)
{
    const char *name = r->node->output[0];
    int found = (int)(r->node - r->graph->node) + 1, readers = 0;
    const onnx_node *sum = &r->graph->node[found];
    if (r->folding || found >= r->graph->nodes || strcmp(sum->op, "Add") || sum->inputs != 2 || sum->outputs != 1 || *sum->domain) return -1;
    if (strcmp(sum->input[0], name) && strcmp(sum->input[1], name)) return -1;
    for (int i = 0; i < r->graph->nodes; i++)
        for (int k = 0; k < r->graph->node[i].inputs; k++) readers += !strcmp(r->graph->node[i].input[k], name);
    for (int i = 0; i < r->graph->outputs; i++) readers += !strcmp(r->graph->output[i].name, name);
    if (readers != 1) return -1;
    const char *other = sum->input[strcmp(sum->input[0], name) ? 0 : 1];
    for (int i = 0; i < r->values; i++)
        if (!strcmp(r->value[i].name, other)) *row = r->value[i].tensor;
    return is_row(*row, out, rank) ? found : -1;
}

static void by_matrix(onnx_reader *r, const onnx_tensor *factor)
{
    const onnx_tensor *row = NULL;
    int x = onnx_layer(r, 0), weight[2] = {matrix(r, factor, false, 1), -1};
    if (r->status) return;
    int sum = following_sum(r, factor->dim[1], onnx_shape(r, x)->ndim, &row);
    if (sum >= 0) weight[1] = bias(r, row, factor->dim[1], 1);
    int y = onnx_add(r, "linear", 1, &x, sum >= 0 ? 2 : 1, weight, 0, NULL);
    if (r->status) return;
    if (sum >= 0) r->skip = sum, r->node = &r->graph->node[sum];
    onnx_set(r, y, -1);
}

/* As NumPy has it: a vector is a row on the left, a column on the right, and goes out again. */
static void matmul(onnx_reader *r)
{
    const onnx_value *b = onnx_in(r, 1);
    if (!b) return;
    if (b->tensor && b->tensor->ndim == 2) {
        by_matrix(r, b->tensor);
        return;
    }
    int x = onnx_layer(r, 0), y = onnx_layer(r, 1);
    if (r->status) return;
    const nigh_shape left = *onnx_shape(r, x), right = *onnx_shape(r, y);
    if (!left.ndim || !right.ndim) {
        onnx_fail(r, NIGH_FORMAT, "a single number as a factor");
        return;
    }
    if (left.ndim == 1) x = onnx_reshape(r, x, 2, (const int64_t[]){1, left.dim[0]});
    if (right.ndim == 1) y = onnx_reshape(r, y, 2, (const int64_t[]){right.dim[0], 1});
    int z = onnx_two(r, "matmul", x, y), made = 0;
    if (r->status) return;
    const nigh_shape full = *onnx_shape(r, z);
    int64_t dim[NIGH_MAX_DIMS];
    for (int i = 0; i < full.ndim; i++)
        if (!(left.ndim == 1 && i == full.ndim - 2) && !(right.ndim == 1 && i == full.ndim - 1)) dim[made++] = full.dim[i];
    onnx_set(r, made < full.ndim ? onnx_reshape(r, z, made, dim) : z, -1);
}

/* ---- Einsum --------------------------------------------------------------------------------------------- */

enum { LETTERS = 26 };

typedef struct einsum {
    char in[2][NIGH_MAX_DIMS + 1], out[NIGH_MAX_DIMS + 1];
    int64_t size[LETTERS];
    bool has[3][LETTERS];
} einsum;

/* "ab,bc->ac" of two terms, each letter once a term, the result written out. */
static bool parse_einsum(onnx_reader *r, einsum *e)
{
    const char *p = onnx_text(r, "equation", "");
    char *part[3] = {e->in[0], e->in[1], e->out};
    int which = 0, n = 0;
    *e = (einsum){.out = ""};
    for (; *p; p++) {
        if (*p == ' ') continue;
        if (*p == ',' && which == 0) which = 1, n = 0;
        else if (*p == '-' && p[1] == '>' && which == 1) which = 2, n = 0, p++;
        else if (*p >= 'a' && *p <= 'z' && n < NIGH_MAX_DIMS && !e->has[which][*p - 'a']) e->has[which][*p - 'a'] = true, part[which][n++] = *p;
        else return false;
    }
    for (int l = 0; l < LETTERS; l++)
        if (e->has[2][l] && !e->has[0][l] && !e->has[1][l]) return false;
    return which == 2;
}

/* Input i with letters of `order` that it has, dimensions of others summed away. */
static int arrange(onnx_reader *r, const einsum *e, int i, const char *order)
{
    int x = onnx_layer(r, i), n = 0, gone = 0;
    int64_t place[NIGH_MAX_DIMS] = {0}, sum[NIGH_MAX_DIMS];
    char left[NIGH_MAX_DIMS + 1] = "";
    for (const char *p = e->in[i]; *p; p++) {
        if (strchr(order, *p)) left[n++] = *p;
        else sum[gone++] = p - e->in[i];
    }
    if (gone) x = onnx_reduce(r, "sum", x, gone, sum, false);
    n = 0;
    for (const char *p = order; *p; p++)
        if (strchr(left, *p)) place[n++] = strchr(left, *p) - left;
    return onnx_permute(r, x, place);
}

static void einsum_of(onnx_reader *r)
{
    einsum e;
    char order[2][LETTERS + 1] = {"", ""}, batch[LETTERS + 1] = "", rows[LETTERS + 1] = "", columns[LETTERS + 1] = "", inner[LETTERS + 1] = "", made[LETTERS + 1] = "";
    int64_t size[3][3] = {{1, 1, 1}, {1, 1, 1}}, dim[NIGH_MAX_DIMS], place[NIGH_MAX_DIMS];
    if (r->node->inputs != 2 || !parse_einsum(r, &e)) onnx_fail(r, NIGH_UNSUPPORTED, "equation '%.60s'; two terms, each letter once in a term, and -> are read", onnx_text(r, "equation", ""));
    for (int i = 0; i < 2 && !r->status; i++) {
        int x = onnx_layer(r, i);
        if (r->status) return;
        const nigh_shape *s = onnx_shape(r, x);
        if (s->ndim != (int)strlen(e.in[i])) onnx_fail(r, NIGH_FORMAT, "input %d has %d dimensions", i, s->ndim);
        for (int d = 0; d < s->ndim && !r->status; d++) {
            int l = e.in[i][d] - 'a';
            if (i && e.has[0][l] && e.size[l] != s->dim[d]) onnx_fail(r, NIGH_FORMAT, "sizes of '%c' differ", e.in[i][d]);
            e.size[l] = s->dim[d];
        }
    }
    if (r->status) return;
    for (int l = 0; l < LETTERS; l++) {
        char letter[2] = {(char)('a' + l), 0};
        bool a = e.has[0][l], b = e.has[1][l], out = e.has[2][l];
        if (a && b) strcat(out ? batch : inner, letter);
        else if ((a || b) && out) strcat(a ? rows : columns, letter);
        int group = a && b ? (out ? 0 : 2) : 1;
        if (a && (out || b)) size[0][group == 2 ? 2 : group] *= e.size[l];
        if (b && (out || a)) size[1][group == 2 ? 1 : group == 1 ? 2 : 0] *= e.size[l];
    }
    strcat(strcat(strcat(order[0], batch), rows), inner);
    strcat(strcat(strcat(order[1], batch), inner), columns);
    strcat(strcat(strcat(made, batch), rows), columns);
    int x = onnx_reshape(r, arrange(r, &e, 0, order[0]), 3, size[0]), y = onnx_reshape(r, arrange(r, &e, 1, order[1]), 3, size[1]), z = onnx_two(r, "matmul", x, y);
    for (int i = 0; made[i] && i < NIGH_MAX_DIMS; i++) dim[i] = e.size[made[i] - 'a'];
    z = onnx_reshape(r, z, (int)strlen(made), dim);
    for (int i = 0; e.out[i]; i++) place[i] = strchr(made, e.out[i]) - made;
    onnx_set(r, onnx_permute(r, z, place), -1);
}

const onnx_operator onnx_product_operators[] = {{"Gemm", gemm}, {"MatMul", matmul}, {"Einsum", einsum_of}, {NULL, NULL}};
