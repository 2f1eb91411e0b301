/* nigh claims: runs the claims of papers and shows each figure beside its bar. The kit is claims/common.c. */
#include "nigh/core.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_claims(nigh_context *ctx, int argc, char **argv);

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
    "NIGH_CLAIM_SEED in the environment replaces the reporting seed.\n"
    "Exit: 0 all bars hold, 1 one fell short, 2 bad usage, 3 out of time or memory, 130 interrupted.\n";

static int exit_code(nigh_status status)
{
    switch (status) {
    case NIGH_OK:
    case NIGH_OUTSIDE: return 0;
    case NIGH_UNMET: return 1;
    case NIGH_MEMORY:
    case NIGH_RESOURCE:
    case NIGH_INTERNAL: return 3;
    case NIGH_UNDECIDED: return 4;
    case NIGH_INTERRUPTED: return 130;
    default: return 2;
    }
}

int cli_claims(nigh_context *ctx, int argc, char **argv)
{
    static const struct option longs[] = {{"quick", no_argument, NULL, 'q'},          {"sabotage", optional_argument, NULL, 'b'},
                                          {"json", no_argument, NULL, 'j'},           {"list", no_argument, NULL, 'l'},
                                          {"resume", required_argument, NULL, 'r'},   {"seconds", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    claims_options options = {.out = stdout};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 'q': options.quick = true; break;
        case 'b': options.sabotage = true, options.saboteur = optarg; break;
        case 'j': options.json = true; break;
        case 'l': options.list = true; break;
        case 'r': options.resume = optarg; break;
        case 's':
            options.seconds = strtod(optarg, &end);
            if (*end || end == optarg || !(options.seconds > 0) || !isfinite(options.seconds)) {
                fprintf(stderr, "nigh claims: --seconds is '%s'; a number above 0 is allowed\n", optarg);
                return 2;
            }
            break;
        case 'h': fputs(usage, stdout); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    options.count = argc - optind;
    options.slugs = (const char *const *)(argv + optind);
    nigh_status status = claims_main(ctx, claims_all, &options);
    if (fflush(stdout) != 0 && !status) status = nigh_fail(ctx, NIGH_IO, "standard output: %s", strerror(errno));
    if (status && status != NIGH_UNMET) fprintf(stderr, "nigh claims: %s\n", nigh_message(ctx));
    return exit_code(status);
}
#else
int cli_claims(nigh_context *ctx, int argc, char **argv)
{
    (void)ctx, (void)argc, (void)argv;
    fputs("nigh claims: this build was made without claims (NIGH_CLAIMS=OFF)\n", stderr);
    return 2;
}
#endif
