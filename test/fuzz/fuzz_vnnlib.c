/* Arbitrary bytes as a property; what parses must keep its promises about order, ranges and finite numbers. */
#include "nigh/property.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_case(const nigh_property *p, const nigh_property_case *c)
{
    for (int64_t i = 0; i < p->inputs; i++) {
        if (!(c->low[i] <= c->inner_low[i]) || !(c->inner_high[i] <= c->high[i]) || !(c->low[i] <= c->high[i])) abort();
        if (nextafter(c->low[i], INFINITY) < c->inner_low[i] || nextafter(c->high[i], -INFINITY) > c->inner_high[i]) abort();
        if (!*c->low_text[i] || !*c->high_text[i]) abort();
    }
    if (c->groups < 1) abort();
    for (int64_t g = 0; g < c->groups; g++)
        if (c->group[g].first < 0 || c->group[g].count < 0 || c->group[g].first + c->group[g].count > p->conditions) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_property p = {0};
    if (nigh_context_new(&ctx)) abort();
    if (nigh_property_parse(ctx, data, size, "input", &p) == NIGH_OK) {
        if (p.cases < 1) abort();
        for (int64_t i = 0; i < p.cases; i++) check_case(&p, &p.item[i]);
        for (int64_t i = 0; i < p.conditions; i++) {
            const nigh_condition *c = &p.condition[i];
            if (!isfinite(c->level) || !isfinite(c->level_above) || c->level_above < c->level || c->terms < 1) abort();
            for (int k = 0; k < c->terms; k++)
                if (c->index[k] < 0 || c->index[k] >= p.inputs + p.outputs || !isfinite(c->value[k])) abort();
        }
    } else if (!*nigh_message(ctx)) abort();
    nigh_property_free(&p);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
