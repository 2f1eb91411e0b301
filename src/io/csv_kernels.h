/*
 * The inner loops of reading csv, one set for each CPU level: rows that are numbers and separators and nothing else. What is not so
 * plain (blanks, quotes, missing values, comments, more than 19 digits) is left to io/csv_text.h, which reads everything.
 */
#ifndef NIGH_IO_CSV_KERNELS_H
#define NIGH_IO_CSV_KERNELS_H
#include <locale.h>
#include <stddef.h>
#include <stdint.h>

typedef struct csv_plain {
    const char *low, *high; /* bytes that may be looked at */
    char separator;
    int64_t columns;
    locale_t c;
} csv_plain;

/*
 * Reads rows from `at` while they begin before `stop` and there are fewer than `most`, into out[rows, columns]. Returns the begin of the
 * first row that was not read. *rows: how many were, each of one line. Numbers as nigh_io_number_read has them.
 */
typedef const char *csv_plain_rows_fn(const csv_plain *plain, const char *at, const char *stop, int64_t most, double *out, int64_t *rows);

/* Lines ended by LF, CRLF or CR; a rest without an end is not one. at[size] is looked at when at[size - 1] is CR, unless it is `high`. */
typedef int64_t csv_count_lines_fn(const char *at, const char *end, const char *high);

typedef struct csv_kernels {
    csv_plain_rows_fn *plain_rows;
    csv_count_lines_fn *count_lines;
} csv_kernels;

extern const csv_kernels csv_kernels_scalar, csv_kernels_avx2, csv_kernels_avx512;

/* Those of nigh_cpu(). */
const csv_kernels *csv_kernels_get(void);
#endif
