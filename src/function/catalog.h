/* Functions of numbers that nigh knows by name beside the operations of nigh/expr.h: what `nigh eval` and `nigh list functions` show. */
#ifndef NIGH_FUNCTION_CATALOG_H
#define NIGH_FUNCTION_CATALOG_H
#include "nigh/core.h"

#define CATALOG_MOST_ARGUMENTS 4

typedef struct catalog_entry {
    const char *name;      /* as in C without nigh_: "log_bessel_k" */
    const char *arguments; /* "v x" */
    int count;             /* of arguments */
    const char *summary;
    /* One of these, by count. */
    double (*one)(double);
    double (*two)(double, double);
    double (*three)(double, double, double);
} catalog_entry;

extern const catalog_entry catalog[]; /* ends with a name of NULL */

/* NULL when there is none of this name; *near: the nearest name (NULL: none is near). */
const catalog_entry *catalog_find(const char *name, const char **near);

/* The value at x[entry->count]. */
double catalog_value(const catalog_entry *entry, const double *x);
#endif
