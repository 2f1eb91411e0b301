/* Networks whose sorting layers were put in a form that graphs of bounds pass on unchanged: a product with the identity and a relu of the layer's name. */
#ifndef NIGH_VERIFY_LIPSDP_NETWORK_H
#define NIGH_VERIFY_LIPSDP_NETWORK_H
#include "nigh/network.h"

typedef struct lip_sorted {
    nigh_context *ctx;
    nigh_network *net;   /* of its own, or the one that was given */
    bool own;
    nigh_status status;  /* while it is made */
    int count;
    struct lip_sorted_layer {
        const char *name;
        int64_t group;
    } *layer;            /* [count] */
} lip_sorted;

/* group > 1: relus stand for groups of this size too (files that cannot say so). NIGH_INVALID: a width that the group does not divide. */
nigh_status lip_sorted_new(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, int64_t group, lip_sorted *sorted);
void lip_sorted_free(lip_sorted *sorted); /* {0} is fine */

/* The size of the groups that the layer of this name sorts; 0: it does not sort. */
int64_t lip_sorted_group(const lip_sorted *sorted, const char *name);
#endif
