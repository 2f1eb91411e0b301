/* What `nigh reduce` can do: one file per subcommand, reduce_NAME.c, and one line in reduce.c. */
#ifndef NIGH_CLI_REDUCE_H
#define NIGH_CLI_REDUCE_H
#include "cli/cli.h"

typedef struct reduce_verb {
    const char *name, *summary;
    int (*run)(nigh_context *ctx, int argc, char **argv); /* argv[0] is the name; it prints its own --help */
} reduce_verb;

int reduce_least_squares(nigh_context *ctx, int argc, char **argv);
int reduce_select(nigh_context *ctx, int argc, char **argv);
int reduce_graph(nigh_context *ctx, int argc, char **argv);
int reduce_distances(nigh_context *ctx, int argc, char **argv);
int reduce_rows(nigh_context *ctx, int argc, char **argv);
int reduce_toto(nigh_context *ctx, int argc, char **argv);
#endif
