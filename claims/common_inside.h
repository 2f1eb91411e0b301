/* Between common.c and common_print.c. */
#ifndef NIGH_CLAIMS_COMMON_INSIDE_H
#define NIGH_CLAIMS_COMMON_INSIDE_H
#include "common.h"

/* One claim's verdict as a table, or as an element of a JSON array (a comma in front unless it is the first). */
void claims_print(const claim_run *run, bool fell, double seconds, FILE *out);
void claims_print_json(const claim_run *run, bool fell, double seconds, bool first, FILE *out);
#endif
