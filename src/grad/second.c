/* Products with Jacobians, Hessians and Gauss-Newton matrices of recorded computations. Declared in nigh/second.h. */
#include "nigh/second.h"

#include "grad/executor.h"

#include <string.h>

/* One end of a product: arrays of a vector. */
typedef struct side {
    int n;
    nigh_node *node;   /* inputs that hold the vector, or results */
    int64_t *offset, *count;
    int64_t size;
    bool gaps;
} side;

struct nigh_product {
    nigh_context *ctx;
    nigh_arena *arena;
    nigh_executor *run;
    nigh_dtype dtype;
    side in, out;
    bool *bound;       /* [out.n]: the result is written where it belongs */
};

/* ---- the ends ----------------------------------------------------------------------------------------- */

static nigh_status check_over(nigh_context *ctx, const nigh_tape *tape, const nigh_over *over, nigh_dtype dtype)
{
    if (over->n < 1) return nigh_fail(ctx, NIGH_INVALID, "product over %d nodes; 1 or more is allowed", over->n);
    int64_t at = 0;
    for (int i = 0; i < over->n; i++) {
        const nigh_shape *shape = nigh_tape_shape(tape, over->node[i]);
        if (!shape) return nigh_fail(ctx, NIGH_INVALID, "product: node %d of the list is %d, which is not on the tape", i, (int)over->node[i]);
        if (shape->dtype != dtype)
            return nigh_fail(ctx, NIGH_INVALID, "product: node %d of the list is %s; %s is needed, the type of the others", i, nigh_dtype_name(shape->dtype), nigh_dtype_name(dtype));
        int64_t offset = over->offset ? over->offset[i] : at, count = nigh_shape_count(shape);
        if (offset < at || (over->offset && offset + count > over->size))
            return nigh_fail(ctx, NIGH_INVALID, "product: node %d of the list lies at %lld with %lld elements; from %lld on, and below %lld, is allowed", i, (long long)offset,
                             (long long)count, (long long)at, (long long)over->size);
        at = offset + count;
    }
    return NIGH_OK;
}

/* Takes the layout of `over` for other nodes of the same shapes, which the caller fills in. */
static nigh_status make_side(nigh_product *p, const nigh_tape *tape, const nigh_over *over, side *s)
{
    s->n = over->n;
    s->node = nigh_arena_alloc(p->arena, (size_t)over->n * sizeof *s->node);
    s->offset = nigh_arena_alloc(p->arena, (size_t)over->n * sizeof *s->offset);
    s->count = nigh_arena_alloc(p->arena, (size_t)over->n * sizeof *s->count);
    if (!s->node || !s->offset || !s->count) return NIGH_MEMORY;
    int64_t at = 0, used = 0;
    for (int i = 0; i < over->n; i++) {
        s->node[i] = over->node[i];
        s->offset[i] = over->offset ? over->offset[i] : at;
        s->count[i] = nigh_shape_count(tape_shape(tape, over->node[i]));
        at = s->offset[i] + s->count[i];
        used += s->count[i];
    }
    s->size = over->offset ? over->size : at;
    s->gaps = used != s->size;
    return NIGH_OK;
}

/* The nodes of the vector: inputs of the shapes of `s`. */
static nigh_status record_vector(nigh_tape *tape, side *s)
{
    for (int i = 0; i < s->n; i++) {
        const nigh_shape shape = *tape_shape(tape, s->node[i]);
        s->node[i] = nigh_tape_input(tape, "vector", shape.dtype, shape.ndim, shape.dim);
    }
    return tape->status;
}

/* ---- construction ------------------------------------------------------------------------------------- */

/* in, out: what the vector and the result are over. */
static nigh_status begin(nigh_context *ctx, nigh_tape *tape, const nigh_over *in, const nigh_over *out, nigh_product **product)
{
    nigh_status status = nigh_tape_status(tape);
    const nigh_shape *shape = in->n > 0 ? nigh_tape_shape(tape, in->node[0]) : NULL;
    nigh_dtype dtype = shape ? shape->dtype : NIGH_F64;
    if (!status && !tape_is_float(dtype)) status = nigh_fail(ctx, NIGH_INVALID, "product over nodes of %s; f32 and f64 are allowed", nigh_dtype_name(dtype));
    if (!status) status = check_over(ctx, tape, in, dtype);
    if (!status) status = check_over(ctx, tape, out, dtype);
    if (status) return status;
    nigh_product *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx;
    p->dtype = dtype;
    status = nigh_arena_new(ctx, &p->arena);
    if (!status) status = make_side(p, tape, in, &p->in);
    if (!status) status = make_side(p, tape, out, &p->out);
    if (!status && !(p->bound = nigh_arena_alloc_zero(p->arena, (size_t)out->n, sizeof *p->bound))) status = NIGH_MEMORY;
    if (!status) status = record_vector(tape, &p->in);
    if (status) nigh_product_free(p);
    else *product = p;
    return status;
}

/* The executor of p->out.node, recorded by now when `status` is good; frees p otherwise. */
static nigh_status finish(nigh_tape *tape, nigh_product *p, nigh_status status, nigh_product **out)
{
    if (!status) status = executor_new_holding(p->ctx, tape, p->out.n, p->out.node, p->in.n, p->in.node, &p->run);
    if (status) {
        nigh_product_free(p);
        return status;
    }
    for (int i = 0; i < p->out.n; i++) { /* a vector handed through, or a node that stands twice, is copied */
        bool own = tape_at(tape, p->out.node[i])->op != &tape_op_input;
        for (int k = 0; k < i && own; k++) own = p->out.node[k] != p->out.node[i];
        p->bound[i] = own;
    }
    *out = p;
    return NIGH_OK;
}

void nigh_product_free(nigh_product *p)
{
    if (!p) return;
    nigh_executor_free(p->run);
    nigh_arena_free(p->arena);
    nigh_free(p->ctx, p);
}

/* Room for the nodes of a list. */
static nigh_node *list(nigh_product *p, int n) { return nigh_arena_alloc(p->arena, (size_t)n * sizeof(nigh_node)); }

static nigh_status check_loss(nigh_context *ctx, const nigh_tape *tape, nigh_node loss)
{
    char text[TAPE_SHAPE_TEXT];
    const nigh_shape *shape = nigh_tape_shape(tape, loss);
    if (nigh_tape_status(tape)) return nigh_tape_status(tape);
    if (!shape) return nigh_fail(ctx, NIGH_INVALID, "product: the loss is node %d, which is not on the tape", (int)loss);
    if (nigh_shape_count(shape) != 1) return nigh_fail(ctx, NIGH_INVALID, "product: the loss is %s; one element is needed", tape_shape_text(shape, text));
    return NIGH_OK;
}

nigh_status nigh_jvp_new(nigh_context *ctx, nigh_tape *tape, nigh_node y, const nigh_over *over, nigh_product **out)
{
    nigh_product *p;
    nigh_status status = begin(ctx, tape, over, &(nigh_over){.n = 1, .node = &y}, &p);
    if (status) return status;
    status = nigh_tape_tangent(tape, y, over->n, over->node, p->in.node, p->out.node);
    return finish(tape, p, status, out);
}

nigh_status nigh_vjp_new(nigh_context *ctx, nigh_tape *tape, nigh_node y, const nigh_over *over, nigh_product **out)
{
    nigh_product *p;
    nigh_status status = begin(ctx, tape, &(nigh_over){.n = 1, .node = &y}, over, &p);
    if (status) return status;
    status = nigh_tape_gradient(tape, y, p->in.node[0], over->n, over->node, p->out.node);
    return finish(tape, p, status, out);
}

nigh_status nigh_mixed_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, const nigh_over *x, const nigh_over *y, nigh_product **out)
{
    nigh_product *p;
    nigh_status status = check_loss(ctx, tape, loss);
    if (!status) status = begin(ctx, tape, x, y, &p);
    if (status) return status;
    nigh_node *g = list(p, x->n);
    status = g ? nigh_tape_gradient(tape, loss, NIGH_NONE, x->n, x->node, g) : NIGH_MEMORY;
    if (!status) status = tape_pull_back(tape, x->n, g, p->in.node, y->n, y->node, p->out.node);
    return finish(tape, p, status, out);
}

nigh_status nigh_hessian_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, const nigh_over *over, nigh_product **out)
{
    return nigh_mixed_new(ctx, tape, loss, over, over, out);
}

nigh_status nigh_gauss_newton_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, nigh_node z, const nigh_over *over, nigh_product **out)
{
    nigh_product *p;
    nigh_node tangent, g, curved;
    nigh_status status = loss == NIGH_NONE ? NIGH_OK : check_loss(ctx, tape, loss);
    if (!status) status = nigh_tape_status(tape);
    if (!status && !nigh_tape_shape(tape, z)) status = nigh_fail(ctx, NIGH_INVALID, "product: z is node %d, which is not on the tape", (int)z);
    if (!status) status = begin(ctx, tape, over, over, &p);
    if (status) return status;
    status = nigh_tape_tangent(tape, z, over->n, over->node, p->in.node, &tangent);
    curved = tangent;
    if (!status && loss != NIGH_NONE) {
        status = nigh_tape_gradient(tape, loss, NIGH_NONE, 1, &z, &g);
        if (!status) status = nigh_tape_gradient(tape, g, tangent, 1, &z, &curved);
    }
    if (!status) status = nigh_tape_gradient(tape, z, curved, over->n, over->node, p->out.node);
    return finish(tape, p, status, out);
}

nigh_status nigh_tape_linearise(nigh_tape *tape, nigh_node y, int n, const nigh_node *at, const nigh_node *moved, nigh_node *out)
{
    nigh_node *way = nigh_alloc(tape->ctx, (size_t)(n > 0 ? n : 1) * sizeof *way), tangent;
    if (!way) return NIGH_MEMORY;
    for (int i = 0; i < n; i++) way[i] = nigh_tape_sub(tape, moved[i], at[i]);
    nigh_status status = nigh_tape_tangent(tape, y, n, at, way, &tangent);
    nigh_free(tape->ctx, way);
    nigh_node sum = status ? NIGH_NONE : nigh_tape_add(tape, y, tangent);
    if (!status) status = tape->status;
    if (!status) *out = sum;
    return status;
}

/* ---- running ------------------------------------------------------------------------------------------ */

nigh_executor *nigh_product_executor(nigh_product *p) { return p->run; }
int64_t nigh_product_rows(const nigh_product *p) { return p->out.size; }
int64_t nigh_product_cols(const nigh_product *p) { return p->in.size; }
void nigh_product_moved(nigh_product *p) { executor_release(p->run); }

nigh_status nigh_product_run(nigh_product *p, const void *v, void *y)
{
    size_t size = nigh_dtype_size(p->dtype);
    for (int i = 0; i < p->in.n; i++) /* the executor does not write to inputs */
        if (nigh_executor_has(p->run, p->in.node[i])) nigh_executor_bind(p->run, p->in.node[i], (char *)(uintptr_t)v + (size_t)p->in.offset[i] * size);
    if (p->out.gaps) memset(y, 0, (size_t)p->out.size * size);
    for (int i = 0; i < p->out.n; i++)
        if (p->bound[i]) nigh_executor_bind(p->run, p->out.node[i], (char *)y + (size_t)p->out.offset[i] * size);
    nigh_status status = nigh_executor_run(p->run);
    for (int i = 0; i < p->out.n && !status; i++)
        if (!p->bound[i] && p->out.count[i])
            memcpy((char *)y + (size_t)p->out.offset[i] * size, nigh_executor_data(p->run, p->out.node[i]), (size_t)p->out.count[i] * size);
    return status;
}

nigh_status nigh_product_block(nigh_product *p, int64_t k, const void *v, void *y)
{
    nigh_status status = NIGH_OK;
    size_t size = nigh_dtype_size(p->dtype);
    for (int64_t i = 0; i < k && !status; i++)
        status = nigh_product_run(p, (const char *)v + (size_t)(i * p->in.size) * size, (char *)y + (size_t)(i * p->out.size) * size);
    return status;
}

static nigh_status apply(void *user, const void *x, void *y) { return nigh_product_run(user, x, y); }
static nigh_status apply_forward(void *user, const void *x, void *y) { return nigh_product_run(((nigh_product_pair *)user)->forward, x, y); }
static nigh_status apply_back(void *user, const void *x, void *y) { return nigh_product_run(((nigh_product_pair *)user)->back, x, y); }

nigh_operator nigh_product_operator(nigh_product *p)
{
    return (nigh_operator){.dtype = p->dtype, .rows = p->out.size, .cols = p->in.size, .apply = apply, .user = p, .name = "the product"};
}

nigh_operator nigh_product_pair_operator(nigh_product_pair *pair)
{
    nigh_product *p = pair->forward;
    return (nigh_operator){.dtype = p->dtype, .rows = p->out.size, .cols = p->in.size, .apply = apply_forward, .transposed = apply_back, .user = pair, .name = "the Jacobian"};
}
