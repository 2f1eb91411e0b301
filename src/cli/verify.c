/* nigh verify: what a network can do over a whole box. Finds the subcommand; without one, files are meant. */
#include "cli/verify.h"

#include <string.h>

static const verify_verb verbs[] = {
    {"bounds", "proved ranges of the outputs over a box of inputs: NETWORK", verify_bounds},
    {"lipschitz", "how far outputs move when inputs do, anywhere: NETWORK", verify_lipschitz},
    {"tightness", "what intervals lose in a classifier, and what it certifies", verify_tightness},
    {"train", "a classifier whose robustness is proved", verify_train},
    {"local-lipschitz", "how fast outputs can change around an input, and whether they rise with it: proved", verify_local_lipschitz},
    {NULL, NULL, NULL},
};

int cli_verify(nigh_context *ctx, int argc, char **argv)
{
    for (const verify_verb *v = verbs; argc >= 2 && v->name; v++)
        if (strcmp(argv[1], v->name) == 0) return v->run(ctx, argc - 1, argv + 1);
    return verify_files(ctx, argc, argv);
}
