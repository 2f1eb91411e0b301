/* All families, in one place above them: their methods and the services they give the planner. */
#include "plan/registry.h"

const nigh_method *const *const nigh_families[] = {NULL};

void nigh_families_serve(nigh_services *services) { (void)services; }
