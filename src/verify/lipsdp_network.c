#include "verify/lipsdp.h"
nigh_status lip_graph_of_network(nigh_context *ctx, nigh_network *net, int64_t group, lip_graph **graph) { return NIGH_UNSUPPORTED; }
