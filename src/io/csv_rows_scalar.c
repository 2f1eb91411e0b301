/* Rows of plain numbers, one byte after another. Declared in io/csv_kernels.h. */
#include "io/csv_kernels.h"

#include "io/number.h"

enum { REACH = 0, LOOK = 2 };

static bool take_number(const csv_plain *plain, const char **at, double *value)
{
    bool overflow = false;
    const char *stop = nigh_io_number_read(*at, plain->high, plain->c, value, &overflow);
    if (!stop || overflow || stop == plain->high) return false;
    *at = stop;
    return true;
}

#define PLAIN_ROWS plain_rows
static csv_plain_rows_fn plain_rows;
#include "io/csv_rows.inc"

static int64_t count_lines(const char *at, const char *end, const char *high)
{
    int64_t n = 0;
    for (; at < end; at++) n += *at == '\n' || (*at == '\r' && (at + 1 == high || at[1] != '\n'));
    return n;
}

const csv_kernels csv_kernels_scalar = {plain_rows, count_lines};
