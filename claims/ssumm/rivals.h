/* Other summaries of as many bits, and merges by the wrong saving. */
#ifndef NIGH_CLAIMS_SSUMM_RIVALS_H
#define NIGH_CLAIMS_SSUMM_RIVALS_H
#include "nigh/summary.h"

typedef nigh_status rival_fn(nigh_context *ctx, const nigh_graph *g, double bits, uint64_t seed, nigh_summary *out);

/* Random merges until all superedges fit; random merges with the best superedges, at the best number of merges. */
rival_fn rival_random, rival_random_sparse;

/* Rows of the adjacency matrix clustered by k-means ("S2L: Graph summarization with quality guarantees", Riondato et al. 2017, by its distance), as many clusters as let all superedges fit. */
rival_fn rival_rows;

/* The merge of a random sample that adds least to RE_2, again and again until all superedges fit ("GraSS: Graph structure summarization", LeFevre and Terzi 2010). */
rival_fn rival_greedy;

/* Groups and rounds as they should be, the best pair by bits saved instead of by their share. */
nigh_status rival_absolute(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *o, nigh_summary *out);
#endif
