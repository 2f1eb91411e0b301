/* Names that an exported function cannot have. */
#ifndef NIGH_PLAN_EXPORT_H
#define NIGH_PLAN_EXPORT_H
#include <stdbool.h>

/* Keywords of C, and functions of <math.h> and <string.h>, which exported files include. */
bool export_name_taken(const char *name);
#endif
