/*
 * Nanoseconds an element of nigh's elementwise kernels, of rows and of copies:
 *
 *     elementwise [FILTER]
 *
 * Arrays of 2048 numbers (in the first-level cache), the best of 7 runs; each CPU level in a column. Rows and reductions: shapes as printed. bench/torch_elementwise.py
 * times the same in PyTorch.
 */
#include "nigh/random.h"
#include "tensor/copy.h"
#include "tensor/elementwise.h"
#include "tensor/random_fill.h"
#include "tensor/reduce.h"
#include "tensor/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2048, BIG = 1 << 22 };
static const char *filter = "";
static _Alignas(64) double room[4][N];
static float *a, *b, *c, *d;

#define BEST(result, repeats, count, statement)                                 \
    do {                                                                        \
        result = 1e9;                                                           \
        for (int run_ = 0; run_ < 7; run_++) {                                  \
            double start_ = nigh_clock();                                       \
            for (int i_ = 0; i_ < (repeats); i_++) statement;                   \
            double took_ = (nigh_clock() - start_) * 1e9 / (repeats) / (double)(count); \
            if (took_ < result) result = took_;                                 \
        }                                                                       \
    } while (0)

static void operators(nigh_dtype t)
{
    const double p[2] = {t == NIGH_F32 || t == NIGH_F64 ? 1.5 : 1, 2};
    for (int id = 0; id < ELEMENTWISE_COUNT; id++) {
        if (!elementwise_find(t, (elementwise_id)id) || !strstr(elementwise_name((elementwise_id)id), filter)) continue;
        printf("%-5s %-14s", nigh_dtype_name(t), elementwise_name((elementwise_id)id));
        for (int level = 0; level <= (int)nigh_cpu(); level++) {
            const void *in[3] = {room[0], room[1], room[2]};
            elementwise_kernel *kernel = elementwise_at((nigh_cpu_level)level, t, (elementwise_id)id);
            double best;
            BEST(best, level ? 100 : 20, N, kernel(N, in, p, room[3]));
            printf(" %8.3f", best);
        }
        printf("\n");
    }
}

static void show(const char *what, double ns, double bytes) { printf("%-44s %8.3f ns  %6.1f GB/s\n", what, ns, bytes / ns); }

static void rows(void)
{
    const rows_kernels *k = rows_kernels_find(NIGH_F32);
    static float mean[1 << 16], rstd[1 << 16], gamma[4096], beta[4096];
    double best;
    for (int i = 0; i < 4096; i++) gamma[i] = 1;
    BEST(best, 5, BIG, k->softmax(BIG / 128, 128, a, b));
    show("softmax [32768, 128]", best, 8);
    BEST(best, 5, BIG, k->softmax_back(BIG / 128, 128, b, a, c));
    show("softmax slope [32768, 128]", best, 12);
    BEST(best, 5, BIG, k->layer_norm(BIG / 128, 128, 1e-5, a, gamma, beta, b, mean, rstd));
    show("layer norm [32768, 128]", best, 8);
    BEST(best, 5, BIG, k->layer_norm_back(BIG / 128, 128, a, gamma, mean, rstd, b, c));
    show("layer norm slope [32768, 128]", best, 12);
    BEST(best, 5, BIG, k->norm_weights(BIG / 128, 128, a, mean, rstd, b, gamma, beta));
    show("gamma, beta slopes [32768, 128]", best, 8);
    static int32_t target[1 << 16];
    BEST(best, 5, BIG, k->cross_entropy(BIG / 128, 128, a, target, mean, rstd));
    show("cross-entropy [32768, 128]", best, 4);
}

static void moves(void)
{
    double best;
    for (int threads = 1; threads <= 2; threads++) {
        printf("%d thread%s\n", threads, threads > 1 ? "s" : "");
        reduce_spec s = {REDUCE_SUM, NIGH_F32, 1, 81920, 32, threads};
        void *work = malloc(reduce_workspace(&s) + 1);
        BEST(best, 5, 81920 * 32, reduce_run(&s, a, NULL, b, work));
    show("column sums [81920, 32]", best, 4);
        free(work);
        reduce_spec r = {REDUCE_SUM, NIGH_F32, BIG / 128, 128, 1, threads};
        BEST(best, 5, BIG, reduce_run(&r, a, NULL, b, NULL));
    show("row sums [32768, 128]", best, 4);
        copy_spec t = {2, {2048, 2048}, {1, 2048}, {2048, 1}, threads};
        BEST(best, 5, BIG, copy_run(&t, 4, a, b));
    show("transposed [2048, 2048]", best, 8);
        copy_spec h = {4, {16, 128, 8, 32}, {32768, 32, 4096, 1}, {32768, 256, 32, 1}, threads};
        BEST(best, 20, 16 * 128 * 256, copy_run(&h, 4, a, b));
    show("heads [16, 8, 128, 32] to [16, 128, 8, 32]", best, 8);
        copy_spec w = {3, {32, 64, 64}, {1, 32, 2048}, {4096, 64, 1}, threads};
        BEST(best, 20, 32 * 4096, copy_run(&w, 4, a, b));
    show("channels [64, 64, 32] to first, turned", best, 8);
    }
    BEST(best, 20, 1 << 16, random_fill_uniform(NIGH_F32, 1, 2, 0, 1 << 16, 0, 1, b));
    show("uniform f32", best, 4);
    BEST(best, 20, 1 << 16, random_fill_normal(NIGH_F32, 1, 2, 0, 1 << 16, 0, 1, b));
    show("normal f32", best, 4);
    BEST(best, 20, 1 << 16, random_fill_mask(NIGH_F32, 1, 2, 0, 1 << 16, .9, 1, b));
    show("mask f32", best, 4);
    BEST(best, 5, 1 << 20, copy_cast(1 << 20, NIGH_F32, a, NIGH_BF16, b, 1));
    show("f32 to bf16", best, 6);
    BEST(best, 5, 1 << 20, copy_cast(1 << 20, NIGH_F16, a, NIGH_F32, b, 1));
    show("f16 to f32", best, 6);
    BEST(best, 5, 1 << 20, copy_cast(1 << 20, NIGH_F64, a, NIGH_F32, b, 1));
    show("f64 to f32", best, 12);
}

int main(int argc, char **argv)
{
    if (argc > 1) filter = argv[1];
    a = malloc(4 * BIG), b = malloc(4 * BIG), c = malloc(4 * BIG), d = malloc(4 * BIG);
    random_fill_normal(NIGH_F32, 1, 1, 0, BIG, 0, 1, a);
    memcpy(b, a, 4 * BIG), memset(c, 0, 4 * BIG), memset(d, 0, 4 * BIG);
    static const nigh_dtype types[] = {NIGH_F32, NIGH_F64, NIGH_C64, NIGH_I32};
    printf("%-20s   scalar     avx2   avx512\n", "ns an element");
    for (int t = 0; t < 4; t++) {
        for (int k = 0; k < 3; k++) random_fill_normal(types[t] == NIGH_F64 ? NIGH_F64 : NIGH_F32, 2, (uint64_t)k, 0, types[t] == NIGH_C64 ? 2 * N : N, 0, 2, room[k]);
        operators(types[t]);
    }
    if (*filter) return 0;
    rows();
    moves();
    free(a), free(b), free(c), free(d);
    return 0;
}
