/* The ledger's levels and the search for rows that two sets share. Declared in nigh/release.h. */
#include "nigh/release.h"

#include <math.h>
#include <string.h>

double nigh_ledger_level(int64_t k, double level)
{
    if (k < 1 || !(level > 0 && level < 1)) return NAN;
    return level / ((double)k * ((double)k + 1));
}

double nigh_release_holdout_level(int64_t k, double level, int64_t n)
{
    (void)n; /* Thresholdout with its T of 4/sqrt n never beat the ledger at n from 100 to 10,000 (docs/release.md) */
    return nigh_ledger_level(k, level);
}

/* ---- overlap -------------------------------------------------------------------------------------------- */

/* One bit pattern for numbers that are equal. */
static uint64_t pattern(double x)
{
    uint64_t bits;
    if (x == 0) x = 0;
    if (isnan(x)) x = NAN;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t row_hash(int64_t columns, const double *row)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int64_t c = 0; c < columns; c++) {
        hash = (hash ^ pattern(row[c])) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool same_row(int64_t columns, const double *a, const double *b)
{
    for (int64_t c = 0; c < columns; c++)
        if (pattern(a[c]) != pattern(b[c])) return false;
    return true;
}

nigh_status nigh_holdout_overlap(nigh_context *ctx, int64_t columns, int64_t n_train, const double *train, int64_t n_held,
                                 const double *held, int64_t *count, int64_t *train_row, int64_t *held_row)
{
    if (columns < 1 || n_train < 0 || n_held < 0 || n_train > INT64_MAX / 8)
        return nigh_fail(ctx, NIGH_INVALID, "%lld columns, %lld training rows, %lld hold-out rows; at least 1, 0 and 0 are allowed",
                         (long long)columns, (long long)n_train, (long long)n_held);
    size_t slots = 2;
    while (slots < 2 * (size_t)n_train) slots *= 2;
    int64_t *table = nigh_alloc_zero(ctx, slots, sizeof *table); /* row + 1; 0: empty */
    if (!table) return NIGH_MEMORY;
    for (int64_t i = 0; i < n_train; i++) {
        size_t slot = row_hash(columns, train + i * columns) & (slots - 1);
        while (table[slot] && !same_row(columns, train + (table[slot] - 1) * columns, train + i * columns)) slot = (slot + 1) & (slots - 1);
        if (!table[slot]) table[slot] = i + 1;
    }
    int64_t found = 0, first = -1, partner = -1;
    for (int64_t i = 0; i < n_held; i++) {
        size_t slot = row_hash(columns, held + i * columns) & (slots - 1);
        while (table[slot] && !same_row(columns, train + (table[slot] - 1) * columns, held + i * columns)) slot = (slot + 1) & (slots - 1);
        if (!table[slot]) continue;
        if (found++ == 0) first = i, partner = table[slot] - 1;
    }
    nigh_free(ctx, table);
    if (found)
        nigh_log(ctx, NIGH_LOG_WARNING,
                 "%lld of %lld hold-out rows are also training rows (row %lld of the hold-out is row %lld of the training set): what is "
                 "learned from these the hold-out cannot judge; remove them from one of the two",
                 (long long)found, (long long)n_held, (long long)first, (long long)partner);
    *count = found;
    *train_row = partner;
    *held_row = first;
    return NIGH_OK;
}
