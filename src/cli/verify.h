/* What `nigh verify WHAT` can be besides files: one file each, verify_NAME.c. */
#ifndef NIGH_CLI_VERIFY_H
#define NIGH_CLI_VERIFY_H
#include "cli/cli.h"

typedef int verify_run(nigh_context *ctx, int argc, char **argv);

typedef struct verify_verb {
    const char *name, *summary;
    verify_run *run;
} verify_verb;

verify_run verify_files; /* NETWORK.onnx PROPERTY.vnnlib, --instances FILE.csv */
verify_run verify_tightness; /* NETWORK DATA */
verify_run verify_train; /* DATA */
#endif
