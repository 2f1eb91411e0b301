/* nigh reduce: less data, with a guarantee. Finds the subcommand. */
#include "cli/reduce.h"
#include "core/words.h"

#include <string.h>

static const reduce_verb verbs[] = {
    {"least-squares", "coefficients of a linear fit from a sketch or in full, whichever is faster", reduce_least_squares},
    {"toto", "rows of a pool of 13 matches for a wanted number of strikes", reduce_toto},
    {"select", "the best k of items that come and go: coverage, facility location, log-determinant", reduce_select},
    {"graph", "a list of edges as a summary within so many bits", reduce_graph},
    {"rows", "weighted rows of a file of any size, for a loss; one pass", reduce_rows},
    {"distances", "Hamming distances of a pattern to every place of a text", reduce_distances},
    {NULL, NULL, NULL},
};

static int print_verbs(FILE *to)
{
    fprintf(to, "usage: nigh reduce WHAT ...\n\n");
    for (const reduce_verb *v = verbs; v->name; v++) fprintf(to, "  %-14s %s\n", v->name, v->summary);
    fprintf(to, "\nnigh reduce WHAT --help tells more. Rows for a loss: nigh plan FILE --loss LOSS --error E.\n");
    return 0;
}

int cli_reduce(nigh_context *ctx, int argc, char **argv)
{
    if (argc < 2) return print_verbs(stderr), 2;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return print_verbs(stdout);
    const char *near = NULL;
    for (const reduce_verb *v = verbs; v->name; v++) {
        if (strcmp(argv[1], v->name) == 0) return v->run(ctx, argc - 1, argv + 1);
        near = word_nearer(argv[1], strlen(argv[1]), v->name, near);
    }
    return cli_misuse(ctx, "nigh reduce cannot do '%s'%s%s%s; see nigh reduce --help", argv[1], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
