/*
 * Products with a matrix of weights in any of the formats of nigh/quant.h: y = W x for T rows x at once, for passes of language models.
 *
 * Weights are repacked once into panels of 16 rows: all numbers of 16 rows for the same 4 columns stand together, so that a vector of 16 sums
 * grows by one instruction for every 4 columns, without sums across lanes. Weights keep their bits (nothing is quantised anew).
 *
 * The arithmetic is fixed, so that a row of y has the same bits for any T, any number of threads, and on every CPU level:
 *  - quantised weights: x is rounded to s8 in blocks of 32 columns: d_x = most / 127 in f32 for the largest magnitude, s8 = x (127 / most) to nearest even. A
 *    block whose largest magnitude is below 1e-30 counts as zeros; where it is not finite, d_x is NaN and so are the sums. Products within a block (of
 *    weights: 32, or 16 for Q2_K, Q3_K, Q6_K) are summed in integers, exactly; then, blocks in ascending order,
 *        acc = fma(d_w * d_x, (float)sum, acc),   and for formats with a minimum   low = fma(m_w, d_x * (float)sum_x, low),
 *    and y = acc + low; d_w and m_w of the K formats are products of an f16 and a small integer, exact in f32, m_w with the sign that makes it added.
 *    One accumulator a row and output; no splitting along the columns.
 *  - float weights (F32, F16, BF16): acc = fma(w, x, acc), columns ascending, in f32.
 * Integer sums are the same by any instructions (VNNI, maddubs, AMX tiles), so T chooses kernels freely.
 *
 * All functions below `quant_matrix_new` allocate nothing and cannot fail. `quant_run*` is called by every member of a team (core/team.h), each with the
 * same arguments and the phase's counter; it returns when no work is left to take; the caller places the barrier.
 */
#ifndef NIGH_TENSOR_QUANT_H
#define NIGH_TENSOR_QUANT_H
#include "core/team.h"
#include "nigh/quant.h"

typedef struct quant_matrix quant_matrix;

/*
 * One piece of memory for all matrices of a model, on large pages where the system gives them on request: reading 100 MB in pages of 4 KB takes a quarter longer.
 * Matrices made in it must be freed first. NIGH_MEMORY.
 */
typedef struct quant_store quant_store;
nigh_status quant_store_new(nigh_context *ctx, size_t bytes, quant_store **store);
void quant_store_free(quant_store *store); /* NULL is fine */
/* From now on `read` hears of blocks that a matrix was made of and that it reads no more, about 1 MB at a time, on any thread: mapped pages can be given back. */
void quant_store_on_read(quant_store *store, void (*read)(void *user, const void *first, size_t bytes), void *user);

/* Rows of a matrix: [rows, cols] in `type`, row after row. A matrix may be several parts one below the other (q, k and v), each of its own type. */
typedef struct quant_part {
    nigh_block_type type;
    int64_t rows;
    const void *blocks;
} quant_part;

/*
 * `paired`: parts[0] and parts[1] have the same number of rows (gate and up): for quant_run_gated. Repacks on `threads` members. `blocks` need not live on:
 * a caller with mapped pages gives them back (madvise) afterwards. NIGH_MEMORY; NIGH_INVALID: cols is no multiple of a block's length.
 */
nigh_status quant_matrix_new(nigh_context *ctx, const quant_part *parts, int count, int64_t cols, bool paired, int threads, quant_matrix **m);

/* The same in memory of a store, if quant_matrix_room bytes are left there; otherwise (and for store = NULL) in memory of its own. */
nigh_status quant_matrix_new_in(nigh_context *ctx, quant_store *store, const quant_part *parts, int count, int64_t cols, bool paired, int threads, quant_matrix **m);
size_t quant_matrix_room(const quant_part *parts, int count, int64_t cols); /* 0: an unknown type */
void quant_matrix_free(quant_matrix *m); /* NULL is fine */
int64_t quant_matrix_rows(const quant_matrix *m);
int64_t quant_matrix_cols(const quant_matrix *m);
size_t quant_matrix_bytes(const quant_matrix *m); /* what one pass reads */

/* Row `row` as f32 [cols]: an embedding whose matrix is also the head. */
void quant_matrix_row(const quant_matrix *m, int64_t row, float *out);

/* T rows of input, prepared for products: rounded to s8 with scales and sums, and as they are. Views memory of the caller (64-byte aligned). */
typedef struct quant_rows {
    int64_t cols, room;
    const float *x; /* as given to quant_rows_fill last, for float weights */
    int64_t ldx;
    void *memory;
} quant_rows;
size_t quant_rows_bytes(int64_t cols, int64_t room);
void quant_rows_bind(quant_rows *r, int64_t cols, int64_t room, void *memory);

/* Rows first .. first + count - 1 of x (row t at x + t ldx, which must stay until the products are done). Members may fill disjoint rows; any order. */
void quant_rows_fill(quant_rows *r, const float *x, int64_t ldx, int64_t first, int64_t count);

/* y[t ldy + i] = sum over columns (add: what stood there is added to, once, at the end), t < T, i < rows. */
void quant_run(const quant_matrix *m, const quant_rows *x, int64_t T, bool add, float *y, int64_t ldy, team_share *share);

/* y[t ldy + i] = f(gate_i) * up_i for paired parts. */
typedef enum quant_gate { QUANT_SILU, QUANT_GELU_TANH, QUANT_GELU } quant_gate;
void quant_run_gated(const quant_matrix *m, const quant_rows *x, int64_t T, quant_gate gate, float *y, int64_t ldy, team_share *share);

/* Only some rows of the matrix: y[t ldy + j] for rows[j], j < count (logits of a few candidates). Same bits as quant_run gives. */
void quant_run_rows(const quant_matrix *m, const quant_rows *x, int64_t T, const int32_t *rows, int64_t count, float *y, int64_t ldy, team_share *share);

/* The same by one plain loop over nigh_block_decode's formats and the arithmetic above: the reference of tests. blocks as in quant_part. */
nigh_status quant_reference(nigh_context *ctx, const quant_part *part, int64_t cols, const float *x, int64_t T, float *y);
#endif
