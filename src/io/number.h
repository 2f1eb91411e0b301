/* Decimal text to double and back, whatever the locale. */
#ifndef NIGH_IO_NUMBER_H
#define NIGH_IO_NUMBER_H
#include <locale.h>
#include <stdbool.h>

/*
 * Reads a decimal number (sign, digits, point, exponent; inf and infinity) at `at`, never beyond `end`. Returns where it
 * ends, or NULL when there is none. Correctly rounded; a value too large for a double gives an infinity and sets
 * *overflow, which is otherwise left alone. `c` is the C locale.
 */
const char *nigh_io_number_read(const char *at, const char *end, locale_t c, double *value, bool *overflow);

/* The shortest of 15, 16 and 17 digits that reads back as `value`, "nan", "inf" or "-inf". The thread must be in the C
 * locale (uselocale). Returns the length. */
int nigh_io_number_write(char out[32], double value, locale_t c);
#endif
