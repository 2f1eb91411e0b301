/* All families, in one place above them: their methods and the services they give the planner. */
#include "nigh/release.h"
#include "plan/registry.h"

extern const nigh_method *const nigh_function_methods[];
extern const nigh_method *const nigh_regress_methods[];
extern const nigh_method *const nigh_operator_methods[];

const nigh_method *const *const nigh_families[] = {nigh_function_methods, nigh_regress_methods, nigh_operator_methods, NULL};

void nigh_families_serve(nigh_services *services) { services->holdout_level = nigh_release_holdout_level; }
