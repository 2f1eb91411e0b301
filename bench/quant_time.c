/*
 * Products with quantised weights: time over formats, shapes of two small language models, and rows of x.
 *
 *     quant_time [--quick] [--only NAME] [--json FILE]
 *
 * NAME is a part of "TYPE ROWSxCOLS". Copies of a matrix are gone through in turn, 64 MB or more, as the layers of a model are, so that weights come from
 * where a model of that size has them. Of the times of all runs the one is shown that a fifth falls below (others may use the machine). Columns: rows of x (T), microseconds for one matrix,
 * bytes of weights read (GB/s) and multiply-adds (G/s), the time over that of T = 1, and the share of the limit that is nearer: the measured rate of
 * reading the same memory, or the measured rate of f32 multiply-adds (float weights). Members: one, then all cores.
 */
#include "common.h"
#include "limits_kernels.h"

#include "tensor/quant_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL = 64 << 20, COLS = 2048, TIMES = 9, RUNS = 4000 };
static const int64_t rows_of_x[TIMES] = {1, 2, 4, 8, 16, 32, 64, 128, 512};

typedef struct shape {
    nigh_block_type type;
    const char *name;
    int64_t rows, cols;
} shape;

static const shape shapes[] = {
    {NIGH_BLOCK_Q4_1, "Q4_1", 576, 576},     {NIGH_BLOCK_Q4_1, "Q4_1", 192, 576},      {NIGH_BLOCK_Q4_1, "Q4_1", 1536, 576},  {NIGH_BLOCK_Q4_1, "Q4_1", 576, 1536},
    {NIGH_BLOCK_Q4_1, "Q4_1", 49152, 576},   {NIGH_BLOCK_Q8_0, "Q8_0", 49152, 576},    {NIGH_BLOCK_Q4_0, "Q4_0", 1536, 576},  {NIGH_BLOCK_Q5_0, "Q5_0", 2048, 640},
    {NIGH_BLOCK_Q5_0, "Q5_0", 1024, 640},    {NIGH_BLOCK_Q5_1, "Q5_1", 2048, 640},     {NIGH_BLOCK_Q8_0, "Q8_0", 2048, 640},  {NIGH_BLOCK_Q8_0, "Q8_0", 262144, 640},
    {NIGH_BLOCK_Q4_K, "Q4_K", 640, 2048},    {NIGH_BLOCK_Q4_K, "Q4_K", 640, 1024},     {NIGH_BLOCK_Q5_K, "Q5_K", 640, 2048},  {NIGH_BLOCK_Q6_K, "Q6_K", 640, 2048},
    {NIGH_BLOCK_Q6_K, "Q6_K", 640, 1024},    {NIGH_BLOCK_Q2_K, "Q2_K", 640, 2048},     {NIGH_BLOCK_Q3_K, "Q3_K", 640, 2048},  {NIGH_BLOCK_IQ4_NL, "IQ4_NL", 1536, 576},
    {NIGH_BLOCK_F32, "F32", 1536, 576},      {NIGH_BLOCK_F16, "F16", 1536, 576},       {NIGH_BLOCK_BF16, "BF16", 1536, 576},
};

typedef struct job {
    quant_matrix **copies;
    int count;
    quant_rows x;
    const float *from;
    float *y;
    int64_t T, rows;
    double until, best, fill, seconds[RUNS];
    int runs;
    bool done;
} job;

/* Runs over the copies until the time is up, which member 0 decides. */
static void time_member(void *user, team *t, int member)
{
    job *j = user;
    j->runs = 0;
    for (int c = 0;; c = (c + 1) % j->count) {
        double start = nigh_clock();
        if (member == 0) {
            quant_rows_fill(&j->x, j->from, COLS, 0, j->T);
            j->fill = fmin(j->fill, nigh_clock() - start);
        }
        team_barrier(t);
        start = nigh_clock();
        team_share *share = team_barrier(t);
        quant_run(j->copies[c], &j->x, j->T, false, j->y, j->rows, share);
        team_barrier(t);
        if (member == 0) j->seconds[j->runs++] = nigh_clock() - start;
        if (member == 0) j->done = j->runs == RUNS || (j->runs > 2 && nigh_clock() > j->until);
        team_barrier(t);
        if (j->done) return;
    }
}

static void read_member(void *user, team *t, int member)
{
    job *j = user;
    int n = team_members(t);
    const limits_kernels *k = nigh_cpu() == NIGH_CPU_AVX512 ? &limits_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &limits_avx2 : &limits_scalar;
    int64_t numbers = POOL / 8 / n / 64 * 64;
    for (int run = 0; run < 12; run++) {
        team_barrier(t);
        double start = nigh_clock();
        k->read((const double *)(const void *)j->from + member * numbers, numbers);
        team_barrier(t);
        if (member == 0) j->best = fmin(j->best, nigh_clock() - start);
    }
}

static nigh_status measure(nigh_context *ctx, const shape *s, int members, bool quick, double bandwidth, double flops)
{
    size_t bytes = quant_row_bytes(quant_format_of(s->type), s->cols) * (size_t)s->rows;
    int count = (int)(POOL / bytes) + 1;
    if (count > 400) count = 400;
    void *blocks = nigh_alloc(ctx, bytes);
    float *x = nigh_alloc_zero(ctx, 512 * COLS, sizeof *x), *y = nigh_alloc(ctx, (size_t)(512 * s->rows) * sizeof *y);
    void *memory = nigh_alloc(ctx, quant_rows_bytes(s->cols, 512));
    quant_matrix **copies = nigh_alloc_zero(ctx, (size_t)count, sizeof(quant_matrix *));
    nigh_status status = blocks && x && y && memory && copies ? NIGH_OK : NIGH_MEMORY;
    if (!status) memset(blocks, 0x11, bytes);
    for (int64_t i = 0; i < 512 * COLS && !status; i++) x[i] = (float)(i % 77) - 30;
    quant_part part = {s->type, s->rows, blocks};
    quant_store *store = NULL;
    if (!status) status = quant_store_new(ctx, quant_matrix_room(&part, 1, s->cols) * (size_t)count, &store);
    double start = nigh_clock(), packed = 1e9;
    for (int c = 0; c < count && !status; c++, start = nigh_clock()) {
        status = quant_matrix_new_in(ctx, store, &part, 1, s->cols, false, members, &copies[c]);
        packed = fmin(packed, nigh_clock() - start);
    }
    job j = {.copies = copies, .count = count, .from = x, .y = y, .rows = s->rows, .fill = 1};
    double one = 0;
    if (!status) printf("%s %lldx%lld, %d members, %zu bytes, repacked at %.1f GB/s\n", s->name, (long long)s->rows, (long long)s->cols, members, bytes, 1e-9 * (double)bytes / packed);
    for (int i = 0; i < (quick ? 6 : TIMES) && !status; i++) {
        j.T = rows_of_x[i];
        if ((double)s->rows * (double)s->cols * (double)j.T > 2e10) continue;
        quant_rows_bind(&j.x, s->cols, 512, memory);
        j.fill = 1e9, j.done = false, j.until = nigh_clock() + (quick ? 0.1 : 0.3);
        team_run(members, time_member, &j);
        qsort(j.seconds, (size_t)j.runs, sizeof *j.seconds, bench_by_value);
        j.best = j.seconds[j.runs / 5];
        if (i == 0) one = j.best;
        double read = (double)quant_matrix_bytes(copies[0]) / j.best, work = (double)(s->rows * s->cols * j.T) / j.best;
        double share = fmax(read / bandwidth, s->type <= NIGH_BLOCK_F16 || s->type == NIGH_BLOCK_BF16 ? 2 * work / flops : 0);
        printf("  T %3lld: %9.2f us %7.2f GB/s %8.1f G/s  %6.2f times T = 1, %4.0f%% of the limit; x %.2f us\n", (long long)j.T, 1e6 * j.best, 1e-9 * read, 1e-9 * work,
               j.best / one, 100 * share, 1e6 * j.fill);
    }
    for (int c = 0; copies && c < count; c++) quant_matrix_free(copies[c]);
    quant_store_free(store);
    nigh_free(ctx, copies), nigh_free(ctx, memory), nigh_free(ctx, x), nigh_free(ctx, y), nigh_free(ctx, blocks);
    return status;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "quant_time: products with quantised weights", &args);
    if (done >= 0) return done;
    int cores = 1;
#ifdef _OPENMP
    cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    nigh_status status = NIGH_OK;
    for (int members = 1; members <= cores && !status; members += cores > 1 ? cores - 1 : 1) {
        double *memory = nigh_alloc_zero(ctx, POOL / 8, 8);
        if (!memory) return 3;
        job j = {.from = (const float *)(const void *)memory, .best = 1e9};
        team_run(members, read_member, &j);
        nigh_free(ctx, memory);
        double flops = 0, bandwidth = POOL / j.best;
        const limits_kernels *k = nigh_cpu() == NIGH_CPU_AVX512 ? &limits_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &limits_avx2 : &limits_scalar;
        for (int i = 0; i < 5; i++) {
            double start = nigh_clock(), work = k->flops_f32(1000000) * 1e6;
            flops = fmax(flops, work / (nigh_clock() - start) * members);
        }
        printf("%d members: reading %d MB at %.1f GB/s, f32 %.0f GF/s\n", members, POOL >> 20, 1e-9 * bandwidth, 1e-9 * flops);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !status; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s %lldx%lld", shapes[i].name, (long long)shapes[i].rows, (long long)shapes[i].cols);
            if (!args.only || strstr(name, args.only)) status = measure(ctx, &shapes[i], members, args.quick, bandwidth, flops);
        }
    }
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
