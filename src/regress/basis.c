/*
 * Spaces of products of orthonormal functions of one variable. Cohen and DeVore, "Approximation of high-dimensional parametric
 * PDEs", section 1 (index sets); Cohen and Migliorati, "Optimal weighted least-squares methods", section 5 (drawing from the mixture
 * of squares). Declared in nigh/design.h.
 */
#include "regress/basis.h"

#include <math.h>
#include <string.h>

static nigh_status check_spec(nigh_context *ctx, const nigh_basis_spec *spec)
{
    if ((int)spec->family < 0 || spec->family > NIGH_FOURIER || (int)spec->set < 0 || spec->set > NIGH_FULL_TENSOR)
        return nigh_fail(ctx, NIGH_INVALID, "basis family %d with index set %d; " BASIS_FAMILY_NAMES " and " BASIS_SET_NAMES " are allowed",
                         (int)spec->family, (int)spec->set);
    if (spec->dims < 1 || spec->dims > NIGH_DESIGN_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "a basis in %lld variables; 1 to %d are allowed", (long long)spec->dims, NIGH_DESIGN_DIMS);
    if (spec->degree < 0 || spec->degree > 255) return nigh_fail(ctx, NIGH_INVALID, "a basis of degree %d; 0 to 255 is allowed", spec->degree);
    if (!spec->low != !spec->high) return nigh_fail(ctx, NIGH_INVALID, "the box of the basis has no %s; give both or none", spec->low ? "high" : "low");
    for (int64_t i = 0; i < spec->dims && spec->low; i++)
        if (!(isfinite(spec->low[i]) && isfinite(spec->high[i]) && spec->low[i] < spec->high[i] && isfinite(spec->high[i] - spec->low[i])))
            return nigh_fail(ctx, NIGH_INVALID, "variable %lld of the basis has the box %g:%g; LOW:HIGH with finite LOW < HIGH is needed",
                             (long long)i + 1, spec->low[i], spec->high[i]);
    return NIGH_OK;
}

/* May this product, all of whose lower ones are in the set, be in it? */
static bool in_set(const nigh_basis_spec *spec, basis_family family, const int *index)
{
    int sum = 0;
    double product = 1;
    for (int64_t v = 0; v < spec->dims; v++) {
        int k = basis_degree(family, index[v]);
        sum += k, product *= k + 1;
        if (k > spec->degree) return false;
    }
    return spec->set == NIGH_TOTAL_DEGREE ? sum <= spec->degree : spec->set == NIGH_HYPERBOLIC_CROSS ? product <= spec->degree + 1 : true;
}

/* Variable by variable: every product so far times the functions of this variable, while the set allows. */
static int64_t list_products(const nigh_basis_spec *spec, nigh_basis *basis)
{
    int64_t d = spec->dims, count = 1;
    memset(basis->index, 0, (size_t)d * sizeof *basis->index);
    for (int64_t v = 0; v < d; v++) {
        int64_t before = count;
        for (int64_t t = 0; t < before; t++)
            for (int k = 1;; k++) {
                int trial[NIGH_DESIGN_DIMS];
                memcpy(trial, basis->index + t * d, (size_t)d * sizeof *trial);
                trial[v] = k;
                if (!in_set(spec, basis->family, trial)) break;
                if (count == NIGH_DESIGN_TERMS) return count + 1;
                memcpy(basis->index + count * d, trial, (size_t)d * sizeof *trial);
                basis->parent[count] = (int32_t)t, basis->last[count] = (int32_t)v;
                if (k + 1 > basis->count) basis->count = k + 1;
                count++;
            }
    }
    return count;
}

nigh_status nigh_basis_new(nigh_context *ctx, const nigh_basis_spec *spec, nigh_basis **out)
{
    nigh_status status = check_spec(ctx, spec);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    size_t d = (size_t)spec->dims;
    nigh_basis *basis = nigh_arena_alloc_zero(arena, 1, sizeof *basis);
    if (basis) {
        *basis = (nigh_basis){.family = (basis_family)spec->family, .dims = spec->dims, .count = 1, .arena = arena};
        basis->middle = nigh_arena_alloc(arena, d * sizeof(double)), basis->half = nigh_arena_alloc(arena, d * sizeof(double));
        basis->index = nigh_arena_alloc(arena, NIGH_DESIGN_TERMS * d * sizeof *basis->index);
        basis->parent = nigh_arena_alloc_zero(arena, NIGH_DESIGN_TERMS, sizeof *basis->parent);
        basis->last = nigh_arena_alloc_zero(arena, NIGH_DESIGN_TERMS, sizeof *basis->last);
    }
    if (!basis || !basis->middle || !basis->half || !basis->index || !basis->parent || !basis->last) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    for (size_t i = 0; i < d; i++) {
        basis->middle[i] = spec->low ? 0.5 * spec->low[i] + 0.5 * spec->high[i] : 0;
        basis->half[i] = spec->low ? 0.5 * spec->high[i] - 0.5 * spec->low[i] : 1;
    }
    basis->m = list_products(spec, basis);
    if (basis->m > NIGH_DESIGN_TERMS) {
        nigh_arena_free(arena);
        return nigh_fail(ctx, NIGH_INVALID, "degree %d in %lld variables gives more than %d functions, the most allowed; lower the degree or take a smaller index set",
                         spec->degree, (long long)spec->dims, NIGH_DESIGN_TERMS);
    }
    *out = basis;
    return NIGH_OK;
}

void nigh_basis_free(nigh_basis *basis)
{
    if (basis) nigh_arena_free(basis->arena);
}

int64_t nigh_basis_size(const nigh_basis *basis) { return basis->m; }
int64_t nigh_basis_dims(const nigh_basis *basis) { return basis->dims; }
const int *nigh_basis_index(const nigh_basis *basis, int64_t j) { return basis->index + j * basis->dims; }

/* phi[m] from z[dims]. */
static void values_at(const nigh_basis *basis, const double *z, double *phi)
{
    double one[NIGH_DESIGN_DIMS][512];
    for (int64_t v = 0; v < basis->dims; v++) basis_values(basis->family, basis->count, z[v], one[v]);
    phi[0] = 1;
    for (int64_t j = 1; j < basis->m; j++) {
        int32_t v = basis->last[j];
        phi[j] = phi[basis->parent[j]] * one[v][basis->index[j * basis->dims + v]];
    }
}

void nigh_basis_values(const nigh_basis *basis, int64_t n, const double *x, double *phi)
{
    double z[NIGH_DESIGN_DIMS];
    for (int64_t i = 0; i < n; i++) {
        for (int64_t v = 0; v < basis->dims; v++) z[v] = (x[i * basis->dims + v] - basis->middle[v]) / basis->half[v];
        values_at(basis, z, phi + i * basis->m);
    }
}

static void draw_from(const nigh_basis *basis, const int *index, nigh_rng *rng, double *x, double *phi)
{
    for (int64_t v = 0; v < basis->dims; v++)
        x[v] = basis->middle[v] + basis->half[v] * basis_draw(basis->family, index ? index[v] : 0, rng);
    nigh_basis_values(basis, 1, x, phi); /* of x as it was rounded: what the caller will evaluate f at */
}

/* K / m is the mean over j of phi_j^2, each a product of densities of one variable. */
void basis_draw_optimal(const nigh_basis *basis, nigh_rng *rng, double *x, double *phi)
{
    draw_from(basis, nigh_basis_index(basis, (int64_t)nigh_rng_below(rng, (uint64_t)basis->m)), rng, x, phi);
}

void basis_draw_input(const nigh_basis *basis, nigh_rng *rng, double *x, double *phi) { draw_from(basis, NULL, rng, x, phi); }
