/* What the commands of `nigh verify` share: one file each, verify_NAME.c. */
#ifndef NIGH_CLI_VERIFY_H
#define NIGH_CLI_VERIFY_H
#include "cli/cli.h"
#include "nigh/verify.h"

typedef int verify_run(nigh_context *ctx, int argc, char **argv);

typedef struct verify_verb {
    const char *name, *summary;
    verify_run *run;
} verify_verb;

verify_run verify_bounds; /* NETWORK */
verify_run verify_lipschitz;
verify_run verify_files; /* NETWORK.onnx PROPERTY.vnnlib, --instances FILE.csv */
verify_run verify_tightness; /* NETWORK DATA */
verify_run verify_train; /* DATA */
verify_run verify_local_lipschitz; /* NETWORK --at FILE --radius E */

/* A network from a file: ONNX, or what nigh_network_save wrote (told by what is inside). A file that is not there but has a twin with ".gz" is read from that. */
nigh_status verify_load_network(nigh_context *ctx, const char *path, nigh_network **net);

/* ---- files -------------------------------------------------------------------------------------------- */

typedef struct verify_words {
    const char *network, *property, *instances, *expected, *semantics, *split, *out, *journal, *report, *only;
    double timeout;
    bool fast;
    nigh_verify_options options;
} verify_words;

/* One line of a batch, and what came of it. */
typedef struct verify_line {
    const char *network, *property, *expected; /* expected NULL: unknown */
    double limit;
    bool done, failed;
    char verdict[16], how[32];
    double seconds, cpu, bound;
    int64_t domains;
    char message[200];                         /* of a failure, or why it is open */
} verify_line;

const char *verify_verdict_word(nigh_verify_verdict verdict); /* sat, unsat, timeout, unknown */

/* Reads both files and decides. */
nigh_status verify_one(nigh_context *ctx, const char *network, const char *property_path, const nigh_verify_options *options, nigh_property *property,
                       nigh_verify_result *result);

int verify_batch(nigh_context *ctx, verify_words *w);

/* The page of a batch: solved instances against time, and all lines. */
nigh_status verify_report(nigh_context *ctx, const verify_words *w, int64_t n, const verify_line *line);
#endif
