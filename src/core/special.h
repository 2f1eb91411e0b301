/* What special*.c share among themselves. */
#ifndef NIGH_CORE_SPECIAL_H
#define NIGH_CORE_SPECIAL_H
#include <stdbool.h>

double nigh_stirling_error(double a);
double nigh_poisson_term(double a, double x);
double nigh_beta_either(double a, double b, double x, double y, bool upper);
#endif
