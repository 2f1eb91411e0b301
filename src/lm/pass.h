/* Inside of a cache of a model: pages, and the memory of a pass. */
#ifndef NIGH_LM_PASS_H
#define NIGH_LM_PASS_H
#include "lm/cache.h"
#include "lm/model.h"

enum { PASS_ROWS = 512 }; /* of one walk through the layers */

struct nigh_cache {
    nigh_context *ctx;
    const nigh_lm *lm;
    cache_pages *pages;
    int threads;
    int64_t *window; /* of layers, for the pages */
    char *memory;    /* of a walk, grown to `room` rows */
    int64_t room;
};

/* One walk through the layers with rows that cache_begin has taken; count <= PASS_ROWS. Writes logits of wanted rows and hidden states. */
nigh_status pass_walk(nigh_cache *c, const nigh_lm_pass *pass, const int64_t *position, bool streams);
#endif
