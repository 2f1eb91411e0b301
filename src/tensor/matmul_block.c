/*
 * One part of a product: blocks of n and k, strips of A (a few rows, kept in the first-level cache), strips of B (two vectors wide, in the
 * second-level cache).
 */
#include "tensor/matmul_kernel.h"

/* Pieces of `total` that differ by one at most: where number `index` of `pieces` begins. */
static int64_t piece(int64_t total, int64_t pieces, int64_t index) { return total * index / pieces; }

typedef struct job {
    const matmul *p;
    const matmul_kernels *kernels;
    matmul_tile tile;  /* of one block of k */
    int64_t a_row, a_column, b_row, b_column, c_row, c_column;
    int64_t a_size, b_size, c_size; /* bytes of an element; of B as the tiles read it */
    char *a_pack, *b_pack, *buffer;
    bool scatter;
} job;

static double load(const matmul *p, const char *at, int part) { return p->real == 4 ? (double)((const float *)at)[part] : ((const double *)at)[part]; }

static void store(const matmul *p, char *at, int part, double x)
{
    if (p->real == 4)
        ((float *)at)[part] = (float)x;
    else
        ((double *)at)[part] = x;
}

/* A tile of C from the buffer to its place, which is not a row of neighbours. */
static void scatter(const job *j, int64_t rows, int64_t columns, double beta, const char *bias, char *c)
{
    const matmul *p = j->p;
    int64_t width = 2 * j->kernels->lanes;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t q = 0; q < columns; q++)
            for (int part = 0; part < p->unit; part++) {
                char *to = c + (i * j->c_row + q * j->c_column) * j->c_size;
                double x = load(p, j->buffer + (i * width + q) * j->c_size, part);
                if (beta != 0) x += beta * load(p, to, part);
                if (bias) x += load(p, bias + q * j->c_size, part);
                store(p, to, part, x);
            }
}

/* One strip of A against all strips of B of a block. b: packed, or where the block begins. */
static void strip(job *j, int64_t rows, const char *a, bool along, int64_t n, const char *b, const char *bias, char *c)
{
    const int64_t lanes = j->kernels->lanes, unit = j->p->unit;
    matmul_tile tile = j->tile;
    double beta = tile.beta;
    if (j->scatter) tile.c_row = 2 * lanes * unit, tile.beta = 0;
    for (int64_t q = 0; q < n; q += 2 * lanes) {
        int64_t columns = n - q < 2 * lanes ? n - q : 2 * lanes, vectors = columns > lanes ? 2 : 1;
        tile.tail = (columns - (vectors - 1) * lanes) * unit;
        const char *bq = b + q * j->b_size, *bias_q = bias ? bias + q * j->c_size : NULL;
        if (j->b_pack) {
            tile.b_row = vectors * lanes * unit;
            bq = b + q * tile.k * j->c_size;
        }
        matmul_tile_fn *run = j->kernels->tile[along][rows][vectors - 1];
        if (!j->scatter) {
            run(&tile, a, bq, bias_q, c + q * j->c_size);
        } else {
            run(&tile, a, bq, NULL, j->buffer);
            scatter(j, rows, columns, beta, bias_q, c + q * j->c_column * j->c_size);
        }
    }
}

/* All strips of B of a block [k, n], one after the other, each as wide as its vectors. */
static void pack_block(const job *j, int64_t k, int64_t n, const char *b)
{
    const int64_t lanes = j->kernels->lanes;
    for (int64_t q = 0; q < n; q += 2 * lanes) {
        int64_t columns = n - q < 2 * lanes ? n - q : 2 * lanes, width = columns > lanes ? 2 * lanes : lanes;
        j->p->pack_b_with(k, columns, width, b + q * j->b_column * j->b_size, j->b_row, j->b_column, j->b_pack + q * k * j->c_size);
    }
}

/* A thin product reads A once, in as many streams as a strip has rows, which is more than the hardware follows well. */
static void fetch(const job *j, int64_t rows, int64_t k, const char *a)
{
    enum { LINE = 64 };
    for (int64_t i = 0; i < rows; i++) {
        uintptr_t row = (uintptr_t)a + (uintptr_t)(i * j->a_row * j->a_size);
        for (int64_t at = 0; at < k * j->a_size; at += LINE) __builtin_prefetch((const void *)(row + (uintptr_t)at));
    }
}

static void block(job *j, int64_t m, int64_t n, int64_t k, const char *a, const char *b, const char *bias, char *c)
{
    const matmul *p = j->p;
    int64_t strips = (m + j->kernels->rows - 1) / j->kernels->rows;
    bool along = p->pack_a || p->along, thin = !along && n <= 2 * j->kernels->lanes && k * j->a_size <= 1024 && strips > 1;
    j->tile.k = k;
    for (int64_t s = 0; s < strips; s++) {
        int64_t i = piece(m, strips, s), rows = piece(m, strips, s + 1) - i;
        const char *from = a + i * j->a_row * j->a_size;
        if (p->pack_a) {
            j->kernels->pack(k, rows, rows, from, j->a_column, j->a_row, j->a_pack);
            from = j->a_pack, j->tile.a_stride = rows * p->unit;
        }
        if (thin && s + 1 < strips) fetch(j, rows, k, from + rows * j->a_row * j->a_size);
        strip(j, rows, from, along, n, b, bias, c + i * j->c_row * j->c_size);
    }
}

/* One product of the batch. packed: b_pack holds all of this B already. */
static void item(job *j, const matmul_range *r, bool packed, const char *a, const char *b, const char *bias, char *c, double beta)
{
    const matmul *p = j->p;
    int64_t m = r->m[1] - r->m[0], n = r->n[1] - r->n[0], k = r->k[1] - r->k[0], vectors = 2 * j->kernels->lanes;
    int64_t n_blocks = (n + p->nc - 1) / p->nc, k_blocks = k > p->kc ? (k + p->kc - 1) / p->kc : 1;
    int64_t nc = (n + n_blocks * vectors - 1) / (n_blocks * vectors) * vectors;
    a += (r->m[0] * j->a_row + r->k[0] * j->a_column) * j->a_size;
    b += (r->k[0] * j->b_row + r->n[0] * j->b_column) * j->b_size;
    c += (r->m[0] * j->c_row + r->n[0] * j->c_column) * j->c_size;
    for (int64_t q = 0; q < n; q += nc)
        for (int64_t s = 0; s < k_blocks; s++) {
            int64_t l = piece(k, k_blocks, s), depth = piece(k, k_blocks, s + 1) - l, columns = n - q < nc ? n - q : nc;
            const char *from = b + (l * j->b_row + q * j->b_column) * j->b_size, *add = s == 0 && bias ? bias + (r->n[0] + q) * j->c_size : NULL;
            if (p->pack_b) {
                if (!packed) pack_block(j, depth, columns, from);
                from = j->b_pack;
            }
            j->tile.beta = s == 0 ? beta : 1;
            j->tile.plain = j->tile.alpha == 1 && j->tile.beta == 0 && !add;
            block(j, m, columns, depth, a + l * j->a_column * j->a_size, from, add, c + q * j->c_column * j->c_size);
        }
}

/* Columns of B one by one; a column that is not contiguous is packed. */
static void dot_item(job *j, const matmul_range *r, const char *a, const char *b, const char *bias, char *c)
{
    const matmul *p = j->p;
    int64_t m = r->m[1] - r->m[0];
    j->tile.k = p->spec.k, j->tile.beta = p->spec.beta;
    for (int64_t q = r->n[0]; q < r->n[1]; q++) {
        const char *column = b + q * j->b_column * j->b_size;
        if (p->pack_b) {
            p->pack_b_with(p->spec.k, 1, 1, column, j->b_row, 1, j->b_pack);
            column = j->b_pack;
        }
        j->kernels->dot(&j->tile, m, j->a_row, a + r->m[0] * j->a_row * j->a_size, column, bias ? bias + q * j->c_size : NULL,
                        c + (r->m[0] * j->c_row + q * j->c_column) * j->c_size);
    }
}

void matmul_block(const matmul *p, const matmul_range *range, const char *a, const char *b, const char *bias, char *c, char *workspace, bool sum)
{
    const matmul_spec *s = &p->spec;
    job j = {.p = p, .kernels = p->kernels, .a_row = s->a_row, .a_column = s->a_column, .b_row = s->b_row, .b_column = s->b_column,
             .c_row = sum ? s->n : s->c_row, .c_column = sum ? 1 : s->c_column, .a_size = (int64_t)p->a_size, .b_size = (int64_t)p->b_size,
             .c_size = (int64_t)p->a_size, .a_pack = workspace, .b_pack = p->pack_b ? workspace + p->a_bytes : NULL,
             .buffer = workspace + p->a_bytes + p->b_bytes, .scatter = p->scatter && !sum};
    matmul_tile *t = &j.tile;
    double sign_a = s->conjugate_a ? -1 : 1, sign_b = s->conjugate_b ? -1 : 1;
    t->alpha = s->alpha;
    t->a_stride = (p->along ? s->a_column : s->a_row) * p->unit;
    t->b_row = s->b_row * p->unit;
    t->c_row = j.c_row * p->unit;
    t->s0[0] = s->alpha, t->s0[1] = s->alpha * sign_b;
    t->s1[0] = -s->alpha * sign_a * sign_b, t->s1[1] = s->alpha * sign_a;
    const char *last = NULL; /* the B that is packed, when all of it is */
    bool whole = p->pack_b && range->n[1] - range->n[0] <= p->nc && range->k[1] - range->k[0] <= p->kc;
    for (int64_t i = range->batch[0]; i < range->batch[1]; i++) {
        int64_t ai, bi, ci;
        matmul_offsets(s, i, &ai, &bi, &ci);
        if (sum) ci = i * s->m * s->n;
        const char *b_item = b + bi * j.b_size;
        if (p->dot)
            dot_item(&j, range, a + ai * j.a_size, b_item, bias, c + ci * j.c_size);
        else
            item(&j, range, whole && last == b_item, a + ai * j.a_size, b_item, bias, c + ci * j.c_size, sum ? 0 : s->beta);
        last = b_item;
    }
}
