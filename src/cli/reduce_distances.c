/* nigh reduce distances: Hamming distances of a pattern to every place of a text, in stretches, with a receipt. */
#include "cli/reduce.h"
#include "cli/symbols.h"
#include "core/file.h"

#include <math.h>
#include <string.h>

static const char usage[] =
    "usage: nigh reduce distances TEXT PATTERN [OPTION...]\n"
    "       nigh reduce distances TEXT --pattern-text STRING [OPTION...]\n"
    "\n"
    "At every shift of PATTERN along TEXT: how many symbols differ (the Hamming distance). Prints the places with the least distances\n"
    "and a receipt: what was computed how, times, what other ways would have cost. TEXT and PATTERN are files of the same kind.\n"
    "\n"
    "  --at-most K      distances above K are not needed: K + 1 stands for them\n"
    "  --error E        each distance may be off by a factor 1 +- E; all at once hold with probability 1 - delta\n"
    "  --delta D        default 0.01\n"
    "  --symbols KIND   bytes (default), u16, u32 (little endian), npy (integers; default for files named *.npy),\n"
    "                   words (between blanks), lines\n"
    "  --alphabet N     symbols are 0 .. N - 1: one that is not is an error with its position\n"
    "  --best N         how many places to print; default 5\n"
    "  -o FILE.npy      all distances, u32, in order of shift; written as they come\n"
    "  --variant NAME   direct, sliced, transform, heavy-light; with --at-most early-exit, pieces, kangaroo; with --error sampled,\n"
    "                   hashed (never above the distance); default: the cheapest by costs measured on this machine\n"
    "  --threads N, --seed N (of samples and hashes), --json, --quiet\n"
    "\n"
    "Bytes, u16 and u32 are mapped, not read: a text may be larger than memory. The pattern has at most 2^31 - 1 symbols; a pattern longer than\n"
    "the text has no shift, which is no error.\n"
    "example: nigh reduce distances genome.txt read.txt --at-most 60 -o distances.npy\n"
    "Exit: 0 done, 2 bad usage or input, 3 out of memory, 130 interrupted.\n";

enum { STRETCH = 1 << 20, MOST_BEST = 100000 };

typedef struct place {
    int64_t shift;
    uint32_t distance;
} place;

typedef struct arguments {
    const char *pattern_text, *symbols, *variant, *out;
    int64_t at_most, best, alphabet;
    double error, delta;
} arguments;

typedef struct result {
    place *best;
    int64_t best_count, within; /* within: distances of at most K */
    double seconds, cpu, sum; /* cpu: with choosing */
} result;

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static nigh_status kind_of(nigh_context *ctx, const char *name, symbols_kind *kind)
{
    int k = 0;
    while (name && k < SYMBOLS_KINDS && strcmp(name, symbols_kind_names[k]) != 0) k++;
    *kind = (symbols_kind)k;
    return k < SYMBOLS_KINDS ? NIGH_OK : nigh_fail(ctx, NIGH_INVALID, "--symbols is '%s'; bytes, u16, u32, npy, words and lines are allowed", name);
}

static nigh_status options_of(nigh_context *ctx, const arguments *a, nigh_hamming_options *o)
{
    *o = nigh_hamming_options_default();
    o->at_most = a->at_most;
    o->error = a->error;
    o->delta = a->delta;
    o->alphabet = (uint64_t)a->alphabet;
    if (!a->variant) return NIGH_OK;
    o->variant = nigh_hamming_variant_named(a->variant);
    if (o->variant == NIGH_HAMMING_VARIANTS || o->variant == NIGH_HAMMING_CHOOSE)
        return nigh_fail(ctx, NIGH_INVALID, "--variant is '%s'; see nigh reduce distances --help", a->variant);
    return NIGH_OK;
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

static nigh_status begin_npy(nigh_output *out, int64_t count)
{
    char header[128] = "\x93NUMPY\x01";
    int used = snprintf(header + 10, sizeof header - 10, "{'descr': '<u4', 'fortran_order': False, 'shape': (%lld,), }", (long long)count);
    memset(header + 10 + used, ' ', sizeof header - 10 - (size_t)used);
    header[127] = '\n';
    header[7] = 0;
    header[8] = (char)(sizeof header - 10);
    header[9] = 0;
    return nigh_output_add(out, header, sizeof header);
}

/* The list is sorted; ties stay in order of shift. */
static void keep_best(result *r, int64_t most, int64_t shift, uint32_t distance)
{
    int64_t at = r->best_count < most ? r->best_count++ : most - 1;
    for (; at > 0 && r->best[at - 1].distance > distance; at--) r->best[at] = r->best[at - 1];
    r->best[at] = (place){shift, distance};
}

static void add_up(result *r, const arguments *a, int64_t from, int64_t count, const uint32_t *distance)
{
    uint64_t sum = 0;
    int64_t within = 0, most = a->at_most >= 0 ? a->at_most : -1;
    for (int64_t i = 0; i < count; i++) sum += distance[i], within += distance[i] <= most;
    for (int64_t i = 0; i < count; i++)
        if (r->best_count < a->best || (a->best && distance[i] < r->best[a->best - 1].distance)) keep_best(r, a->best, from + i, distance[i]);
    r->sum += (double)sum;
    r->within += within;
}

static nigh_status run_stretches(nigh_context *ctx, nigh_hamming *h, const arguments *a, int64_t m, nigh_output *out, result *r)
{
    const nigh_hamming_report *p = nigh_hamming_report_of(h);
    int64_t shifts = p->shifts, unit = p->heavy && p->block > m ? 2 * (p->block - m + 1) * nigh_context_threads(ctx) : 1; /* whole blocks of transforms */
    int64_t stretch = (STRETCH + unit - 1) / unit * unit;
    if (stretch > shifts) stretch = shifts > 0 ? shifts : 1;
    uint32_t *distance = nigh_alloc(ctx, (size_t)stretch * sizeof *distance);
    nigh_status status = distance ? NIGH_OK : NIGH_MEMORY;
    double began = nigh_clock();
    for (int64_t done = 0; done < shifts && !status; done += stretch) {
        int64_t count = shifts - done < stretch ? shifts - done : stretch;
        nigh_progress(ctx, "comparing", (double)done, (double)shifts);
        status = nigh_hamming_run(h, done, count, distance);
        if (!status && out) status = nigh_output_add(out, distance, (size_t)count * sizeof *distance);
        if (!status) add_up(r, a, done, count, distance);
    }
    r->seconds = nigh_clock() - began;
    nigh_free(ctx, distance);
    return status;
}

/* ---- the receipt -------------------------------------------------------------------------------------------------- */

static void print_predictions(const nigh_hamming_report *p)
{
    printf("others   ");
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) {
        const nigh_hamming_prediction *x = &p->predicted[v];
        if (!isfinite(x->seconds)) continue;
        printf(" %s %.3g s", nigh_hamming_variant_name(x->variant), isnan(x->rechecked) ? x->seconds : x->rechecked);
        if (!isnan(x->rechecked)) printf(" (tried on a slice)");
        printf("%s", x->variant == p->variant ? " [taken];" : ";");
    }
    printf(" expected from costs measured on this machine\n");
}

static void print_receipt(nigh_context *ctx, const nigh_hamming_report *p, const arguments *a, int64_t n, int64_t m, const result *r)
{
    printf("text      %lld symbols, pattern %lld with %lld distinct, %lld shifts\n", (long long)n, (long long)m, (long long)p->symbols, (long long)p->shifts);
    if (p->shifts == 0) {
        printf("the pattern is longer than the text: no shifts\n");
        return;
    }
    printf("variant   %s", nigh_hamming_variant_name(p->variant));
    if (p->block && p->heavy) printf(": %lld symbols by transforms of %lld points in f%d", (long long)p->heavy, (long long)p->block, p->bits);
    if (p->rounds) printf(": %lld rounds", (long long)p->rounds);
    printf("\ntime      %.3g s with %d thread%s, and %.3g s to choose and prepare\n", r->seconds, nigh_context_threads(ctx), nigh_context_threads(ctx) > 1 ? "s" : "", p->planning);
    print_predictions(p);
    if (p->error > 0) printf("error     every distance within a factor 1 +- %g, all at once with probability %g%s\n", p->error, 1 - p->delta, p->rounds ? "; never above the distance" : "");
    else printf("error     none%s\n", p->variant == NIGH_HAMMING_KANGAROO ? " but for a collision of hashes of 122 bits" : "");
    if (p->block && p->heavy) printf("rounding  results of transforms were within %.2g of whole numbers (0.2 is allowed), %lld blocks counted again\n", p->rounding, (long long)p->fallbacks);
    if (a->at_most >= 0) printf("within    %lld shifts of distance %lld or less\n", (long long)r->within, (long long)a->at_most);
    printf("mean      %.6g%s\n", r->sum / (double)p->shifts, a->at_most >= 0 ? " (those above count as one more)" : "");
    printf("# shift\tdistance\tshare\n");
    for (int64_t i = 0; i < r->best_count; i++)
        printf("%lld\t%s%u\t%.6g\n", (long long)r->best[i].shift, a->at_most >= 0 && r->best[i].distance > a->at_most ? ">=" : "", r->best[i].distance,
               r->best[i].distance / (double)m);
}

static void print_json(nigh_context *ctx, const nigh_hamming_report *p, int64_t n, int64_t m, const result *r)
{
    printf("{\"text\": %lld, \"pattern\": %lld, \"symbols\": %lld, \"shifts\": %lld, \"variant\": \"%s\", \"heavy\": %lld, \"block\": %lld, \"bits\": %d, ", (long long)n,
           (long long)m, (long long)p->symbols, (long long)p->shifts, nigh_hamming_variant_name(p->variant), (long long)p->heavy, (long long)p->block, p->bits);
    printf("\"error\": %g, \"delta\": %g, \"threads\": %d, \"seconds\": %.6g, \"planning\": %.6g, \"cpu\": %.6g, \"rounding\": %.3g, \"fallbacks\": %lld, \"expected\": {", p->error, p->delta,
           nigh_context_threads(ctx), r->seconds, p->planning, r->cpu, p->rounding, (long long)p->fallbacks);
    bool first = true;
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) {
        const nigh_hamming_prediction *x = &p->predicted[v];
        if (p->shifts == 0 || !isfinite(x->seconds)) continue;
        printf("%s\"%s\": %.4g", first ? "" : ", ", nigh_hamming_variant_name(x->variant), isnan(x->rechecked) ? x->seconds : x->rechecked);
        first = false;
    }
    printf("}, \"best\": [");
    for (int64_t i = 0; i < r->best_count; i++) printf("%s[%lld, %u]", i ? ", " : "", (long long)r->best[i].shift, r->best[i].distance);
    printf("]}\n");
}

/* ------------------------------------------------------------------------------------------------------------------- */

static nigh_status distances(nigh_context *ctx, const arguments *a, const nigh_symbols *text, const nigh_symbols *pattern)
{
    nigh_hamming_options options;
    nigh_hamming *h = NULL;
    nigh_output *out = NULL;
    result r = {.best = nigh_alloc(ctx, (size_t)(a->best + 1) * sizeof *r.best)};
    nigh_status status = r.best ? options_of(ctx, a, &options) : NIGH_MEMORY;
    double began = nigh_clock_cpu();
    if (!status) status = nigh_hamming_new(ctx, text, pattern, &options, &h);
    if (!status && a->out) status = nigh_output_open(ctx, a->out, &out);
    if (!status && out) status = begin_npy(out, nigh_hamming_report_of(h)->shifts);
    if (!status) status = run_stretches(ctx, h, a, pattern->count, out, &r);
    r.cpu = nigh_clock_cpu() - began;
    if (out && status) nigh_output_abandon(out);
    else if (out) status = nigh_output_commit(out);
    cli_clear();
    bool quiet = a->out && strcmp(a->out, "-") == 0;
    if (!status && cli_json && !quiet) print_json(ctx, nigh_hamming_report_of(h), text->count, pattern->count, &r);
    else if (!status && !quiet) print_receipt(ctx, nigh_hamming_report_of(h), a, text->count, pattern->count, &r);
    nigh_hamming_free(h);
    nigh_free(ctx, r.best);
    return status;
}

static nigh_status run(nigh_context *ctx, const arguments *a, int count, const char *const *words)
{
    symbols_kind kind = SYMBOLS_AUTO;
    symbols_dictionary *dictionary = NULL;
    symbols_file text = {0}, pattern = {0};
    if (count != (a->pattern_text ? 1 : 2)) return nigh_fail(ctx, NIGH_INVALID, "distances takes TEXT PATTERN, or TEXT --pattern-text STRING (nigh reduce distances --help)");
    nigh_status status = a->symbols ? kind_of(ctx, a->symbols, &kind) : NIGH_OK;
    if (!status) status = symbols_dictionary_new(ctx, &dictionary);
    if (!status) status = symbols_open(ctx, words[0], kind, dictionary, &text);
    if (!status) status = a->pattern_text ? symbols_of_text(ctx, a->pattern_text, kind, dictionary, &pattern) : symbols_open(ctx, words[1], kind, dictionary, &pattern);
    if (!status) status = distances(ctx, a, &text.view, &pattern.view);
    symbols_dictionary_free(dictionary);
    symbols_close(ctx, &text);
    symbols_close(ctx, &pattern);
    return status;
}

int reduce_distances(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {.at_most = -1, .best = 5, .delta = 0.01};
    const cli_flag flags[] = {{"at-most", 0, CLI_INT, &a.at_most, "K", "", 0, 9007199254740992.0},
                              {"error", 0, CLI_REAL, &a.error, "E", "", 0, 0},
                              {"delta", 0, CLI_REAL, &a.delta, "D", "", 0, 0},
                              {"symbols", 0, CLI_TEXT, &a.symbols, "KIND", "", 0, 0},
                              {"alphabet", 0, CLI_INT, &a.alphabet, "N", "", 1, 9007199254740992.0},
                              {"best", 0, CLI_INT, &a.best, "N", "", 0, MOST_BEST},
                              {"out", 'o', CLI_TEXT, &a.out, "FILE.npy", "", 0, 0},
                              {"variant", 0, CLI_TEXT, &a.variant, "NAME", "", 0, 0},
                              {"pattern-text", 0, CLI_TEXT, &a.pattern_text, "STRING", "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    const char *words[2];
    int count;
    bool wanted = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        wanted |= strncmp(argv[i], "--error", 7) == 0;
    }
    int code = cli_parse(ctx, "reduce", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    cli_progress_start(ctx);
    nigh_status status = wanted && !(a.error > 0 && a.error < 1)
                             ? nigh_fail(ctx, NIGH_INVALID, "--error is %g; above 0 and below 1 is allowed", a.error)
                             : run(ctx, &a, count, words);
    cli_progress_stop(ctx);
    code = cli_print(ctx, "", 0);
    return code ? code : status ? cli_fail(ctx, status) : 0;
}
