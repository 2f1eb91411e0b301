/* The claims kit: running claims, keeping their figures. See common.h; common_print.c shows the verdicts. */
#include "common.h"
#include "common_inside.h"

#include "core/words.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- seeds ---------------------------------------------------------------------------------------------- */

/* FNV-1a: a seed that belongs to the slug and to nothing that moves. */
static uint64_t slug_seed(const char *slug)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *slug; slug++) hash = (hash ^ (unsigned char)*slug) * 0x100000001b3u;
    return hash;
}

uint64_t claim_seed(const claim_run *run) { return run->seed; }
uint64_t claim_tuning_seed(const claim_run *run) { return nigh_seed_split(slug_seed(run->claim->slug), 1); }

static nigh_status reporting_seed(nigh_context *ctx, const nigh_claim *claim, uint64_t *seed)
{
    const char *text = getenv("NIGH_CLAIM_SEED");
    *seed = nigh_seed_split(slug_seed(claim->slug), 2);
    if (!text || !*text) return NIGH_OK;
    char *end;
    errno = 0;
    uint64_t given = strtoull(text, &end, 0);
    if (errno || *end || strchr(text, '-')) return nigh_fail(ctx, NIGH_INVALID, "NIGH_CLAIM_SEED is '%s'; a number from 0 to 2^64 - 1 is allowed", text);
    *seed = given;
    return NIGH_OK;
}

bool claim_sabotaged(const claim_run *run, const char *name) { return run->sabotage && strcmp(run->sabotage, name) == 0; }

/* ---- figures -------------------------------------------------------------------------------------------- */

static void add(claim_run *run, const char *name, const char *note, claim_result result)
{
    if (run->failed) return;
    if (run->count == run->room) {
        int room = run->room ? 2 * run->room : 16;
        claim_result *more = nigh_resize(run->ctx, run->results, (size_t)room * sizeof *more);
        if (!more) {
            run->failed = NIGH_MEMORY;
            return;
        }
        run->results = more;
        run->room = room;
    }
    result.name = nigh_strdup(run->ctx, name);
    result.note = note ? nigh_strdup(run->ctx, note) : NULL;
    if (!result.name || (note && !result.note)) {
        nigh_free(run->ctx, result.name);
        nigh_free(run->ctx, result.note);
        run->failed = NIGH_MEMORY;
        return;
    }
    switch (result.relation) { /* every comparison is false for NAN */
    case CLAIM_AT_LEAST: result.holds = result.value >= result.threshold; break;
    case CLAIM_AT_MOST: result.holds = result.value <= result.threshold; break;
    case CLAIM_WITHIN: result.holds = result.value >= result.threshold && result.value <= result.upper; break;
    }
    run->results[run->count++] = result;
}

void claim_bar(claim_run *run, const char *name, double value, claim_relation relation, double threshold, const char *note)
{
    add(run, name, note, (claim_result){.value = value, .low = NAN, .high = NAN, .relation = relation, .threshold = threshold, .upper = NAN});
}

void claim_bar_interval(claim_run *run, const char *name, const nigh_figure *figure, claim_relation relation, double threshold,
                        const char *note)
{
    add(run, name, note,
        (claim_result){.value = figure->estimate, .low = figure->low, .high = figure->high, .relation = relation, .threshold = threshold, .upper = NAN});
}

void claim_bar_within(claim_run *run, const char *name, double value, double low, double high, const char *note)
{
    add(run, name, note, (claim_result){.value = value, .low = NAN, .high = NAN, .relation = CLAIM_WITHIN, .threshold = low, .upper = high});
}

void claim_note(claim_run *run, const char *format, ...)
{
    if (run->failed) return;
    if (run->notes == run->notes_room) {
        int room = run->notes_room ? 2 * run->notes_room : 16;
        char **more = nigh_resize(run->ctx, run->note_lines, (size_t)room * sizeof *more);
        if (!more) {
            run->failed = NIGH_MEMORY;
            return;
        }
        run->note_lines = more;
        run->notes_room = room;
    }
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = nigh_strdup(run->ctx, text);
    if (!copy) run->failed = NIGH_MEMORY;
    else run->note_lines[run->notes++] = copy;
}

nigh_status claim_progress(claim_run *run, const char *what, double done, double total)
{
    nigh_progress(run->ctx, what, done, total);
    if (run->seconds > 0 && nigh_clock() - run->began > run->seconds)
        return nigh_fail(run->ctx, NIGH_RESOURCE, "claim '%s' did not finish within %g seconds%s", run->claim->slug, run->seconds,
                         run->resume ? "; what is done is kept, run it again to go on" : "; give --resume FILE to go on later");
    return nigh_poll(run->ctx);
}

/* ---- resume file: lines of  slug mode seed saboteur key count values (hexadecimal floats) ------------------- */

static void part_name(const claim_run *run, const char *key, int count, char *out, size_t size)
{
    snprintf(out, size, "%s %s %016" PRIx64 " %s %s %d", run->claim->slug, run->quick ? "quick" : "full", run->seed,
             run->sabotage ? run->sabotage : "-", key, count);
}

/* The numbers behind the name, left alone when values is NULL; false when the line was cut off by a kill. */
static bool read_values(const char *text, int count, double *values)
{
    for (int i = 0; i < count; i++) {
        char *end;
        double value = strtod(text, &end);
        if (end == text) return false;
        if (values) values[i] = value;
        text = end;
    }
    return strcmp(text, " .\n") == 0;
}

bool claim_recall(claim_run *run, const char *key, int count, double *values)
{
    FILE *file = run->resume ? fopen(run->resume, "r") : NULL;
    if (!file) return false;
    char name[512], *line = NULL;
    size_t room = 0;
    bool found = false;
    part_name(run, key, count, name, sizeof name);
    size_t length = strlen(name);
    while (!found && getline(&line, &room, file) > 0)
        found = strncmp(line, name, length) == 0 && line[length] == ' ' && read_values(line + length, count, NULL);
    if (found) read_values(line + length, count, values);
    free(line);
    fclose(file);
    return found;
}

nigh_status claim_keep(claim_run *run, const char *key, int count, const double *values)
{
    if (!run->resume) return NIGH_OK;
    char name[512];
    part_name(run, key, count, name, sizeof name);
    nigh_buffer line = {.ctx = run->ctx};
    nigh_status status = nigh_buffer_print(&line, "%s", name);
    for (int i = 0; !status && i < count; i++) status = nigh_buffer_print(&line, " %a", values[i]);
    if (!status) status = nigh_buffer_print(&line, " .\n");
    if (!status) {
        FILE *file = fopen(run->resume, "a");
        bool good = file && fwrite(line.data, 1, line.size, file) == line.size;
        int error = errno;
        if (file && fclose(file) != 0) good = false, error = errno;
        if (!good) status = nigh_fail(run->ctx, NIGH_IO, "resume file '%s': %s", run->resume, strerror(error));
    }
    nigh_buffer_free(&line);
    return status;
}

/* ---- running -------------------------------------------------------------------------------------------- */

static nigh_status find_claim(nigh_context *ctx, const nigh_claim *const *claims, const char *slug, const nigh_claim **out)
{
    const char *nearest = NULL;
    for (; *claims; claims++) {
        if (strcmp(slug, (*claims)->slug) == 0) {
            *out = *claims;
            return NIGH_OK;
        }
        nearest = word_nearer(slug, strlen(slug), (*claims)->slug, nearest);
    }
    return nigh_fail(ctx, NIGH_INVALID, "there is no claim '%s'; %s%s%s", slug, nearest ? "did you mean '" : "nigh claims --list shows all",
                     nearest ? nearest : "", nearest ? "'?" : "");
}

static nigh_status find_saboteur(nigh_context *ctx, const nigh_claim *claim, const char *name, const char **out)
{
    if (!claim->saboteurs || !claim->saboteurs[0]) return nigh_fail(ctx, NIGH_UNSUPPORTED, "claim '%s' has no saboteur", claim->slug);
    const char *nearest = NULL;
    for (int i = 0; claim->saboteurs[i]; i++) {
        if (!name || strcmp(name, claim->saboteurs[i]) == 0) {
            *out = claim->saboteurs[i];
            return NIGH_OK;
        }
        nearest = word_nearer(name, strlen(name), claim->saboteurs[i], nearest);
    }
    return nigh_fail(ctx, NIGH_INVALID, "claim '%s' has no saboteur '%s'; %s%s%s", claim->slug, name,
                     nearest ? "did you mean '" : "nigh claims --list shows all", nearest ? nearest : "", nearest ? "'?" : "");
}

static void run_free(claim_run *run)
{
    for (int i = 0; i < run->count; i++) {
        nigh_free(run->ctx, run->results[i].name);
        nigh_free(run->ctx, run->results[i].note);
    }
    for (int i = 0; i < run->notes; i++) nigh_free(run->ctx, run->note_lines[i]);
    nigh_free(run->ctx, run->results);
    nigh_free(run->ctx, run->note_lines);
}

/* One claim with its verdict written; *fell says whether a bar did not hold. */
static nigh_status run_claim(nigh_context *ctx, const nigh_claim *claim, const claims_options *options, bool first, bool *fell)
{
    claim_run run = {.ctx = ctx, .claim = claim, .quick = options->quick, .seconds = options->seconds, .resume = options->resume};
    nigh_status status = reporting_seed(ctx, claim, &run.seed);
    if (!status && options->sabotage) status = find_saboteur(ctx, claim, options->saboteur, &run.sabotage);
    if (status) return status;
    run.began = nigh_clock();
    status = claim->run(&run);
    if (!status) status = run.failed;
    if (!status && run.count == 0) status = nigh_fail(ctx, NIGH_INTERNAL, "claim '%s' handed in no figure", claim->slug);
    if (!status) {
        *fell = false;
        for (int i = 0; i < run.count; i++) *fell |= !run.results[i].holds;
        if (options->json) claims_print_json(&run, *fell, nigh_clock() - run.began, first, options->out);
        else claims_print(&run, *fell, nigh_clock() - run.began, options->out);
    } else
        status = nigh_within(ctx, status, "%s", claim->slug);
    run_free(&run);
    return status;
}

static void list_claims(const nigh_claim *const *claims, FILE *out)
{
    for (; *claims; claims++) {
        fprintf(out, "%-34s %s\n", (*claims)->slug, (*claims)->title);
        for (int i = 0; (*claims)->saboteurs && (*claims)->saboteurs[i]; i++)
            fprintf(out, "%-34s   saboteur %s%s\n", "", (*claims)->saboteurs[i], i ? "" : " (default)");
    }
}

nigh_status claims_main(nigh_context *ctx, const nigh_claim *const *claims, const claims_options *options)
{
    if (options->list) {
        list_claims(claims, options->out);
        return NIGH_OK;
    }
    const nigh_claim *claim;
    const char *saboteur;
    nigh_status status = NIGH_OK;
    /* all names are looked at before hours are spent on the first */
    for (int i = 0; !status && i < options->count; i++) {
        status = find_claim(ctx, claims, options->slugs[i], &claim);
        if (!status && options->sabotage) status = find_saboteur(ctx, claim, options->saboteur, &saboteur);
    }
    bool any = false, fell = false;
    if (!status && options->json) fputs("[", options->out);
    for (int i = 0; !status && (options->count ? i < options->count : claims[i] != NULL); i++) {
        claim = claims[i];
        if (options->count) status = find_claim(ctx, claims, options->slugs[i], &claim);
        if (!status) status = run_claim(ctx, claim, options, i == 0, &fell);
        any |= fell;
    }
    if (!status && options->json) fputs("\n]\n", options->out);
    if (!status && any) status = nigh_fail(ctx, NIGH_UNMET, "a claim fell short");
    return status;
}

nigh_status claim_tasks(claim_run *run, int count, claim_task_fn *task, void *user)
{
    nigh_status *status = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *status);
    char (*message)[256] = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *message);
    nigh_status result = status && message ? NIGH_OK : NIGH_MEMORY;
    int threads = nigh_context_threads(run->ctx);
    (void)threads;
    if (!result) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (int i = 0; i < count; i++) {
            nigh_context *ctx = NULL;
            status[i] = nigh_context_new(&ctx);
            if (status[i]) continue;
            status[i] = task(ctx, i, user);
            snprintf(message[i], sizeof message[i], "%s", nigh_message(ctx));
            nigh_context_free(ctx);
        }
        for (int i = 0; i < count && !result; i++)
            if (status[i]) result = nigh_fail(run->ctx, status[i], "%s", message[i]);
    }
    nigh_free(run->ctx, message);
    nigh_free(run->ctx, status);
    return result;
}
