/* What `nigh reduce select` chooses from: items with names, and the function on them. */
#ifndef NIGH_CLI_REDUCE_ITEMS_H
#define NIGH_CLI_REDUCE_ITEMS_H
#include "nigh/io.h"
#include "nigh/submodular.h"

/* Flags as given. */
typedef struct items_words {
    const char *function; /* coverage, facility, logdet */
    bool graph, directed;
    int64_t times;
    const char *near, *clients;
    double width, noise;
} items_words;

typedef struct items {
    nigh_context *ctx;
    const char *path;
    int64_t count;
    nigh_submodular *f;
    char what[200];  /* the function in words, settings that were filled in too */
    char hash[65];   /* of the items and the function */
    char *text;      /* sets: the file, each word ended by a 0 */
    char **name;     /* sets: [count], into text */
    int64_t *slot;   /* sets: [slots] a hash table of items; -1: free */
    int64_t slots;
    int64_t *old;    /* graph: [count] numbers of the nodes in the file, increasing */
    double *points, *clients;
} items;

nigh_status items_open(nigh_context *ctx, const items_words *words, const char *path, items *out);
void items_close(items *it);

/* -1: there is no such item. */
int64_t items_find(const items *it, const char *word);

/* The name of an item as it is found. */
const char *items_name(const items *it, int64_t item, char room[24]);
#endif
