/*
 * What matmul.c, its driver and its kernels share. All kernels of a type and CPU level stand in one table; packing depends on the size of an
 * element alone. A complex number is two reals: strides of kernels count reals.
 *
 * One kernel computes a tile of C from a strip of A (a few rows) and a strip of B (one or two vectors wide) without a copy of A: it
 * broadcasts single numbers of A, whatever their strides, and loads vectors of B. So a product runs unpacked as long as the rows of B are
 * contiguous, and packing (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication") is only a copy into a better layout.
 */
#ifndef NIGH_TENSOR_MATMUL_KERNEL_H
#define NIGH_TENSOR_MATMUL_KERNEL_H
#include "tensor/matmul.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(NIGH_SANITIZED) /* with a check at every load the unrolled kernels would take minutes to compile */
#ifdef __clang__
#define MATMUL_UNROLL _Pragma("nounroll")
#else
#define MATMUL_UNROLL _Pragma("GCC unroll 1")
#endif
#elif defined(__clang__)
#define MATMUL_UNROLL _Pragma("unroll")
#else
#define MATMUL_UNROLL _Pragma("GCC unroll 16")
#endif

enum {
    MATMUL_ROWS = 14, /* most rows of a tile at any level */
    MATMUL_PARTS = 64 /* most threads */
};

/* What all tiles of one run share. */
typedef struct matmul_tile {
    int64_t k;
    int64_t a_stride; /* along: from one l to the next; else from one row to the next */
    int64_t b_row, c_row;
    int64_t tail;          /* reals in the last vector of B, 1 .. lanes */
    bool plain;            /* C = the sums: alpha 1, beta 0, no bias, no conjugate */
    double alpha, beta;
    double s0[2], s1[2];   /* complex: C = s0 * sum(re(a) b) + s1 * swapped(sum(im(a) b)), elementwise on pairs */
} matmul_tile;

typedef void matmul_tile_fn(const matmul_tile *t, const void *a, const void *b, const void *bias, void *c);

/* to[l * width + j] = from[l * k_stride + j * stride] for l < k, j < count, and 0 for count <= j < width. Strides in elements of `from`. */
typedef void matmul_pack_fn(int64_t k, int64_t count, int64_t width, const void *from, int64_t k_stride, int64_t stride, void *to);

/* c[i * c_row] = alpha sum_l a[i * a_row + l] b[l] + beta c + bias[0] (bias NULL: none), i < m. */
typedef void matmul_dot_fn(const matmul_tile *t, int64_t m, int64_t a_row, const void *a, const void *b, const void *bias, void *c);

typedef struct matmul_kernels {
    int rows, lanes; /* most rows of a tile; elements in a vector */
    matmul_tile_fn *tile[2][MATMUL_ROWS + 1][2]; /* [along: consecutive rows of A lie side by side][rows][vectors - 1] */
    matmul_dot_fn *dot;                          /* real types */
    matmul_pack_fn *pack;
} matmul_kernels;

typedef struct matmul_level {
    matmul_kernels f32, f64, c64, c128;
    matmul_pack_fn *widen_bf16, *widen_f16; /* to f32 */
} matmul_level;

matmul_pack_fn matmul_pack_4, matmul_pack_8, matmul_pack_16, matmul_widen_bf16, matmul_widen_f16;
extern const matmul_level matmul_avx2, matmul_avx512;

typedef struct matmul_range {
    int64_t batch[2], m[2], n[2], k[2];
} matmul_range;

struct matmul {
    nigh_context *ctx;
    matmul_spec spec; /* simplified: merged batches, perhaps C and its operands transposed */
    const matmul_kernels *kernels; /* NULL: the scalar path */
    matmul_pack_fn *pack_b_with;
    bool swapped;               /* C^T = B^T A^T is computed: the caller's a is our b */
    bool along;                 /* of unpacked A: a_row is 1 */
    bool pack_a, pack_b;
    bool scatter;               /* tiles of C go through a buffer: c_column is not 1 */
    struct matmul_onednn *onednn; /* computes it, when not NULL */
    bool dot;                   /* columns of B one by one, as dot products with the rows of A */
    int64_t items, kc, nc;      /* products of the batch; block of k and of n */
    int parts, grid[4];         /* of batch, m, n, k; their product is parts */
    size_t real, a_size, b_size;      /* bytes of a real, of an element of A and C, of B as stored */
    int unit;                   /* reals an element: 1 or 2 */
    size_t a_bytes, b_bytes, tile_bytes, part_bytes, sum_bytes; /* of the workspace: strip of A, block of B, tile; all three; one sum over a part of k */
};

/* matmul_new at a CPU level that this CPU has. */
nigh_status matmul_new_at(nigh_context *ctx, nigh_cpu_level cpu, const matmul_spec *spec, int threads, matmul **out);

/* One part of the work with its own piece of workspace; `sum`: C is this dense [items, m, n] array and gets the bare sums. */
void matmul_block(const matmul *p, const matmul_range *range, const char *a, const char *b, const char *bias, char *c, char *workspace, bool sum);
void matmul_scalar(const matmul *p, const matmul_range *range, const char *a, const char *b, const char *bias, char *c);

/* Rows [row0, row1) of all products of the batch: the sums over the other parts of k (grid[3] - 1 arrays) are added up as a tree and then to C. */
void matmul_add_sums(const matmul *p, int64_t row0, int64_t row1, char *sums, char *c);

/* f32 products of some size by oneDNN. *out NULL: not for this product. run: false when the library failed; c may then hold anything. */
typedef struct matmul_onednn matmul_onednn;
nigh_status matmul_onednn_new(nigh_context *ctx, const matmul_spec *spec, int threads, matmul_onednn **out);
void matmul_onednn_free(nigh_context *ctx, matmul_onednn *x);
size_t matmul_onednn_workspace(const matmul_onednn *x);
bool matmul_onednn_run(matmul_onednn *x, const void *a, const void *b, const void *bias, void *c, void *workspace);

/* Offsets in elements of item `item` of the batch. */
static inline void matmul_offsets(const matmul_spec *s, int64_t item, int64_t *a, int64_t *b, int64_t *c)
{
    *a = *b = *c = 0;
    for (int d = s->batch_dims - 1; d >= 0; d--) {
        int64_t i = d ? item % s->batch[d] : item;
        item = d ? item / s->batch[d] : 0;
        *a += i * s->a_batch[d], *b += i * s->b_batch[d], *c += i * s->c_batch[d];
    }
}

static inline float matmul_from_bf16(uint16_t x)
{
    union {
        uint32_t u;
        float f;
    } bits = {(uint32_t)x << 16};
    return bits.f;
}

static inline float matmul_from_f16(uint16_t x)
{
    union {
        uint32_t u;
        float f;
    } bits = {(uint32_t)(x & 0x7fff) << 13}, magic = {(254u - 15) << 23};
    bits.f *= magic.f; /* moves the exponent's bias; subnormals become normal */
    if ((x & 0x7c00) == 0x7c00) bits.u |= 0x7f800000;
    bits.u |= (uint32_t)(x & 0x8000) << 16;
    return bits.f;
}
#endif
