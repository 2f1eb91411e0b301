/* The equations, a line each. */
#include "operator/pde.h"

#include <string.h>

const pde_equation *const pde_equations[] = {
    &pde_advection_diffusion,
    &pde_allen_cahn,
    &pde_burgers,
    &pde_darcy,
    &pde_fisher_kpp,
    &pde_korteweg_de_vries,
    &pde_kuramoto_sivashinsky,
    &pde_navier_stokes,
    &pde_poisson,
    NULL,
};

const pde_equation *pde_equation_find(const char *name)
{
    for (int i = 0; pde_equations[i]; i++)
        if (!strcmp(pde_equations[i]->info.name, name)) return pde_equations[i];
    return NULL;
}

const nigh_equation *nigh_equation_at(int i)
{
    for (int k = 0; pde_equations[k]; k++)
        if (k == i) return &pde_equations[k]->info;
    return NULL;
}
