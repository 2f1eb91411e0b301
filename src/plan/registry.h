/* Where the planner learns what families there are. src/families.c, above all of them, fills these tables. */
#ifndef NIGH_PLAN_REGISTRY_H
#define NIGH_PLAN_REGISTRY_H
#include "nigh/plan.h"

/* One list of methods per family, each ended by NULL; the whole ended by NULL. */
extern const nigh_method *const *const nigh_families[];

/* Puts the families' services over the plain defaults. */
void nigh_families_serve(nigh_services *services);
#endif
