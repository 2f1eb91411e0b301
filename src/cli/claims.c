/* nigh claims: runs the claims of papers and shows each figure beside its bar. The kit is claims/common.c. */
#include "cli/cli.h"

#include <string.h>

#ifdef NIGH_HAVE_CLAIMS
#include "../../claims/common.h"

static const char usage[] =
    "usage: nigh claims [--quick] [--sabotage[=NAME]] [--json] [--list] [--resume FILE] [--seconds S] [SLUG...]\n"
    "\n"
    "Measures what papers claim and holds each figure against its bar. Without SLUG: all claims, one after the other.\n"
    "  --quick            small sizes, at most 5 seconds a claim\n"
    "  --sabotage[=NAME]  does it wrong on purpose (NAME: which way); the claim must then fall short\n"
    "  --json             figures as JSON\n"
    "  --list             slugs, titles and saboteurs\n"
    "  --resume FILE      keeps finished parts in FILE, and takes them from there\n"
    "  --seconds S        time for each claim; with --resume a later run goes on from there\n"
    "  --threads N, --quiet as everywhere\n"
    "NIGH_CLAIM_SEED in the environment replaces the reporting seed.\n"
    "Exit: 0 all bars hold, 1 one fell short, 2 bad usage, 3 out of time or memory, 130 interrupted.\n";

/* --help; --sabotage and --sabotage=NAME, whose value is optional. They are taken out of argv; true when help was asked for. */
static bool take_special(int *argc, char **argv, claims_options *options)
{
    int kept = 1;
    bool help = false;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) help = true;
        else if (strcmp(argv[i], "--sabotage") == 0) options->sabotage = true;
        else if (strncmp(argv[i], "--sabotage=", 11) == 0) options->sabotage = true, options->saboteur = argv[i] + 11;
        else argv[kept++] = argv[i];
    }
    *argc = kept;
    return help;
}

int cli_claims(nigh_context *ctx, int argc, char **argv)
{
    enum { MOST = 128 };
    const char *slugs[MOST];
    claims_options options = {.out = stdout, .slugs = slugs};
    const cli_flag flags[] = {{"quick", 0, CLI_SWITCH, &options.quick, NULL, "small sizes", 0, 0},
                              {"list", 0, CLI_SWITCH, &options.list, NULL, "slugs, titles and saboteurs", 0, 0},
                              {"resume", 0, CLI_TEXT, &options.resume, "FILE", "keeps finished parts", 0, 0},
                              {"seconds", 0, CLI_REAL, &options.seconds, "S", "time for each claim", 1e-3, 1e9},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    if (take_special(&argc, argv, &options)) {
        fputs(usage, stdout);
        return 0;
    }
    int code = cli_parse(ctx, "claims", argc, argv, flags, slugs, MOST, &options.count);
    if (code >= 0) return code;
    options.json = cli_json;
    cli_progress_start(ctx);
    nigh_status status = claims_main(ctx, claims_all, &options);
    cli_progress_stop(ctx);
    code = cli_print(ctx, "", 0);
    return code ? code : status == NIGH_OK || status == NIGH_UNMET ? cli_exit_code(status) : cli_fail(ctx, status);
}
#else
int cli_claims(nigh_context *ctx, int argc, char **argv)
{
    (void)argc, (void)argv;
    return cli_misuse(ctx, "this build was made without claims (NIGH_CLAIMS=OFF)");
}
#endif
