/*
 * Reading rows from disk, and choosing a subset while they pass.
 *
 *   row_stream generate FILE ROWS DIGITS [SEED]    csv of 20 columns, x0 .. x18 normal and y linear in them with noise, of so many digits
 *   row_stream FILE [THREADS=2] [M=10000]          then, for each line on standard input:
 *     parse      one pass, rows only
 *     pass       one pass with a reservoir of M rows for least squares on y, and the fit to them
 *     read       all of it into a table (nigh_csv_read)
 * answers "seconds CPU-seconds bytes rows peak-MB" of that pass.
 */
#include "nigh/merge_reduce.h"
#include "nigh/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { COLUMNS = 20 };

static int generate(int argc, char **argv)
{
    int64_t rows = argc > 3 ? (int64_t)atof(argv[3]) : 10000000;
    int digits = argc > 4 ? atoi(argv[4]) : 8;
    nigh_rng rng = nigh_rng_new(argc > 5 ? strtoull(argv[5], NULL, 10) : 1, 0);
    FILE *file = fopen(argv[2], "w");
    if (!file) return perror(argv[2]), 2;
    for (int c = 0; c + 1 < COLUMNS; c++) fprintf(file, "x%d,", c);
    fputs("y\n", file);
    for (int64_t i = 0; i < rows; i++) {
        char line[COLUMNS * 32], *p = line;
        double x[COLUMNS], y = 0;
        nigh_rng_fill_normal(&rng, COLUMNS, x);
        for (int c = 0; c + 1 < COLUMNS; c++) y += x[c] * (1 - .1 * c);
        x[COLUMNS - 1] = y + .1 * x[COLUMNS - 1];
        for (int c = 0; c < COLUMNS; c++) p += sprintf(p, "%.*g%c", digits, x[c], c + 1 < COLUMNS ? ',' : '\n');
        if (fwrite(line, 1, (size_t)(p - line), file) != (size_t)(p - line)) return perror(argv[2]), 2;
    }
    return fclose(file) ? 2 : 0;
}

static nigh_status fit(nigh_context *ctx, const nigh_loss *loss, const nigh_kept_rows *kept)
{
    double model[COLUMNS];
    return nigh_loss_train(ctx, loss, &kept->rows, NULL, model, NULL);
}

static nigh_status go(nigh_context *ctx, const char *path, bool choose, const nigh_loss *loss, int64_t m, nigh_row_about *about)
{
    nigh_row_stream *s = NULL;
    nigh_reservoir *r = NULL;
    nigh_kept_rows kept = {0};
    nigh_row_block block = {0};
    nigh_status status = nigh_row_stream_open(ctx, path, &(nigh_row_options){.target = choose ? "y" : NULL}, &s);
    if (!status && choose) status = nigh_reservoir_new(ctx, COLUMNS - 1, true, &(nigh_reservoir_options){.m = m, .loss = loss}, &r);
    while (!status) {
        nigh_rows rows;
        status = nigh_row_stream_next(s, &block);
        if (status || block.count == 0) break;
        if (choose) status = nigh_block_rows(ctx, s, &block, loss, 0, 1, NULL, &rows);
        if (!status && choose) status = nigh_reservoir_add(r, &rows, block.first, NULL);
    }
    if (!status && choose) status = nigh_reservoir_finish(r, &kept);
    if (!status && choose) status = fit(ctx, loss, &kept);
    if (s) *about = nigh_row_stream_about(s);
    nigh_kept_rows_free(ctx, &kept);
    nigh_reservoir_free(r);
    nigh_row_stream_free(s);
    return status;
}

static nigh_status read_table(nigh_context *ctx, const char *path, nigh_row_about *about)
{
    nigh_table table = {0};
    nigh_status status = nigh_csv_read(ctx, path, NULL, &table);
    about->rows = table.rows;
    nigh_table_free(ctx, &table);
    return status;
}

int main(int argc, char **argv)
{
    nigh_context *ctx = NULL;
    nigh_loss *loss = NULL;
    char word[32];
    if (argc > 2 && strcmp(argv[1], "generate") == 0) return generate(argc, argv);
    if (argc < 2) return fputs("usage: row_stream FILE [THREADS] [M], or row_stream generate FILE ROWS DIGITS\n", stderr), 2;
    nigh_status status = nigh_context_new(&ctx);
    if (!status) status = nigh_context_set_threads(ctx, argc > 2 ? atoi(argv[2]) : 2);
    if (!status) status = nigh_loss_parse(ctx, "squares", &loss);
    while (!status && scanf("%31s", word) == 1) {
        nigh_row_about about = {0};
        struct rusage usage;
        double start = nigh_clock(), cpu = nigh_clock_cpu();
        status = strcmp(word, "read") == 0 ? read_table(ctx, argv[1], &about) : go(ctx, argv[1], strcmp(word, "pass") == 0, loss, argc > 3 ? atoll(argv[3]) : 10000, &about);
        getrusage(RUSAGE_SELF, &usage);
        printf("%.6f %.6f %llu %lld %.1f\n", nigh_clock() - start, nigh_clock_cpu() - cpu, (unsigned long long)about.bytes, (long long)about.rows, (double)usage.ru_maxrss / 1e3);
        fflush(stdout);
    }
    if (status) fprintf(stderr, "row_stream: %s\n", nigh_message(ctx));
    nigh_loss_free(loss);
    nigh_context_free(ctx);
    return status != NIGH_OK;
}
