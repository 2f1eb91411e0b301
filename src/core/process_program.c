/* A program as a function from files to files: commands with places, a private folder for each run. See nigh/process.h. */
#include "core/file.h"
#include "core/process.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct nigh_program {
    nigh_context *ctx;
    nigh_arena *arena;
    const char *command;
    char **words; /* made absolute; ends in NULL */
    int count;
    const char **places;
    int place_count;
};

/* ---- places in words ---- */

typedef struct piece {
    const char *start;
    size_t length;
    bool place;
} piece;

/* Cuts the next piece off *p: plain text, a single brace, or the name within {..}. NIGH_INVALID for a brace that is none of these. */
static nigh_status next_piece(nigh_context *ctx, const char *word, const char **p, piece *out)
{
    const char *s = *p;
    if (*s != '{' && *s != '}') {
        *out = (piece){s, strcspn(s, "{}"), false};
        *p = s + out->length;
        return NIGH_OK;
    }
    if (s[1] == s[0]) {
        *out = (piece){s, 1, false};
        *p = s + 2;
        return NIGH_OK;
    }
    size_t length = 0;
    while (isalnum((unsigned char)s[1 + length]) || (s[1 + length] && strchr("._-", s[1 + length]))) length++;
    if (*s == '}' || length == 0 || s[1 + length] != '}')
        return nigh_fail(ctx, NIGH_INVALID, "'%s' in the command: the brace at position %td opens no place such as {in}; a brace itself is written twice",
                         word, s - word + 1);
    *out = (piece){s + 1, length, true};
    *p = s + length + 2;
    return NIGH_OK;
}

static nigh_status add_place(nigh_program *program, piece found)
{
    char *name = nigh_arena_format(program->arena, "%.*s", (int)found.length, found.start);
    if (!name) return NIGH_MEMORY;
    if (!nigh_program_has(program, name)) program->places[program->place_count++] = name;
    return NIGH_OK;
}

static nigh_status find_places(nigh_program *program)
{
    size_t most = 1; /* and one NULL */
    for (const char *s = program->command; *s; s++) most += *s == '{';
    program->places = nigh_arena_alloc_zero(program->arena, most, sizeof *program->places);
    if (!program->places) return NIGH_MEMORY;
    for (int i = 0; i < program->count; i++)
        for (const char *p = program->words[i]; *p;) {
            piece found;
            nigh_status status = next_piece(program->ctx, program->words[i], &p, &found);
            if (!status && found.place && i == 0)
                status = nigh_fail(program->ctx, NIGH_INVALID, "the program itself, '%s', cannot be a place", program->words[0]);
            if (!status && found.place) status = add_place(program, found);
            if (status) return status;
        }
    return NIGH_OK;
}

/* ---- programs ---- */

/* "model.py" of "python3 model.py": files, and folders that are written with a slash, are meant relative to here. */
static nigh_status make_absolute(nigh_program *program, const char *here, char **word)
{
    struct stat info;
    if ((*word)[0] == '/' || stat(*word, &info) < 0) return NIGH_OK;
    if (!S_ISREG(info.st_mode) && !(S_ISDIR(info.st_mode) && strchr(*word, '/'))) return NIGH_OK;
    char *full = nigh_arena_format(program->arena, "%s/%s", here, *word);
    if (!full) return NIGH_MEMORY;
    *word = full;
    return NIGH_OK;
}

static nigh_status resolve(nigh_program *program)
{
    nigh_context *ctx = program->ctx;
    char *path = NULL, *here = getcwd(NULL, 0);
    if (!here) return nigh_fail(ctx, NIGH_IO, "the working directory cannot be told: %s", strerror(errno));
    nigh_status status = program_find(ctx, program->words[0], NULL, &path);
    if (!status && !(program->words[0] = nigh_arena_strdup(program->arena, path))) status = NIGH_MEMORY;
    for (int i = 1; !status && i < program->count; i++) status = make_absolute(program, here, &program->words[i]);
    nigh_free(ctx, path);
    free(here);
    return status;
}

static nigh_status copy_words(nigh_program *program)
{
    char **split;
    nigh_status status = nigh_process_split(program->ctx, program->command, &split);
    if (status) return status;
    while (split[program->count]) program->count++;
    program->words = nigh_arena_alloc_zero(program->arena, (size_t)program->count + 1, sizeof *program->words);
    if (!program->words) status = NIGH_MEMORY;
    for (int i = 0; !status && i < program->count; i++)
        if (!(program->words[i] = nigh_arena_strdup(program->arena, split[i]))) status = NIGH_MEMORY;
    nigh_free(program->ctx, split);
    return status;
}

nigh_status nigh_program_new(nigh_context *ctx, const char *command, nigh_program **out)
{
    nigh_program *program = nigh_alloc_zero(ctx, 1, sizeof *program);
    if (!program) return NIGH_MEMORY;
    program->ctx = ctx;
    nigh_status status = nigh_arena_new(ctx, &program->arena);
    if (!status && !(program->command = nigh_arena_strdup(program->arena, command))) status = NIGH_MEMORY;
    if (!status) status = copy_words(program);
    if (!status) status = find_places(program);
    if (!status) status = resolve(program);
    if (status)
        nigh_program_free(program);
    else
        *out = program;
    return status;
}

void nigh_program_free(nigh_program *program)
{
    if (!program) return;
    nigh_arena_free(program->arena);
    nigh_free(program->ctx, program);
}

const char *nigh_program_command(const nigh_program *program) { return program->command; }

const char *nigh_program_place(const nigh_program *program, int i)
{
    return i >= 0 && i < program->place_count ? program->places[i] : NULL;
}

bool nigh_program_has(const nigh_program *program, const char *place)
{
    for (int i = 0; i < program->place_count; i++)
        if (strcmp(program->places[i], place) == 0) return true;
    return false;
}

/* ---- one run ---- */

typedef struct job {
    nigh_folder folder;
    nigh_arena *arena;
    nigh_slot *slots;
} job;

static nigh_status check_slots(nigh_context *ctx, const nigh_program *program, const nigh_slot *slots, int count)
{
    for (int k = 0; k < count; k++) {
        const char *name = slots[k].place;
        if (!name || !name[0]) return nigh_fail(ctx, NIGH_INVALID, "slot %d has no name", k);
        if (slots[k].kind == NIGH_SLOT_TEXT && !slots[k].text) return nigh_fail(ctx, NIGH_INVALID, "slot {%s} has no text", name);
        if (slots[k].kind != NIGH_SLOT_TEXT && (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
            return nigh_fail(ctx, NIGH_INVALID, "slot {%s} cannot be the name of a file", name);
        for (int j = 0; j < k; j++)
            if (strcmp(slots[j].place, name) == 0) return nigh_fail(ctx, NIGH_INVALID, "there are two slots {%s}", name);
    }
    for (int i = 0; i < program->place_count; i++) {
        bool found = false;
        for (int k = 0; k < count; k++) found |= strcmp(slots[k].place, program->places[i]) == 0;
        if (!found) return nigh_fail(ctx, NIGH_INVALID, "nothing is given for {%s} of the command '%s'", program->places[i], program->command);
    }
    return NIGH_OK;
}

static nigh_status fill_word(nigh_context *ctx, const char *word, const job *j, int count, nigh_buffer *text)
{
    nigh_status status = nigh_buffer_add(text, "", 0);
    for (const char *p = word; !status && *p;) {
        piece found;
        status = next_piece(ctx, word, &p, &found);
        if (status) return status;
        if (!found.place) {
            status = nigh_buffer_add(text, found.start, found.length);
            continue;
        }
        for (int k = 0; k < count; k++) {
            const nigh_slot *slot = &j->slots[k];
            if (strlen(slot->place) != found.length || memcmp(slot->place, found.start, found.length) != 0) continue;
            status = slot->kind == NIGH_SLOT_TEXT ? nigh_buffer_add(text, slot->text, strlen(slot->text))
                                                  : nigh_buffer_print(text, "%s/%s", j->folder.path, slot->place);
        }
    }
    return status;
}

static nigh_status fill_words(nigh_context *ctx, const nigh_program *program, const job *j, int count, const char ***argv)
{
    const char **words = nigh_arena_alloc_zero(j->arena, (size_t)program->count + 1, sizeof *words);
    if (!words) return NIGH_MEMORY;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    for (int i = 0; !status && i < program->count; i++) {
        text.size = 0;
        /* the program's own path is no pattern any more: a folder's name may hold braces */
        status = i == 0 ? nigh_buffer_add(&text, program->words[0], strlen(program->words[0]))
                        : fill_word(ctx, program->words[i], j, count, &text);
        if (!status && !(words[i] = nigh_arena_strdup(j->arena, text.data))) status = NIGH_MEMORY;
    }
    nigh_buffer_free(&text);
    *argv = words;
    return status;
}

static nigh_status write_inputs(nigh_context *ctx, const job *j, int count)
{
    nigh_status status = NIGH_OK;
    for (int k = 0; !status && k < count; k++) {
        if (j->slots[k].kind != NIGH_SLOT_INPUT) continue;
        char *path = nigh_arena_format(j->arena, "%s/%s", j->folder.path, j->slots[k].place);
        status = path ? nigh_file_put(ctx, path, j->slots[k].bytes, j->slots[k].size) : NIGH_MEMORY;
    }
    return status;
}

static void drop_outputs(nigh_context *ctx, nigh_slot *slots, int count)
{
    for (int k = 0; slots && k < count; k++)
        if (slots[k].kind == NIGH_SLOT_OUTPUT) {
            nigh_free(ctx, slots[k].bytes);
            slots[k].bytes = NULL;
            slots[k].size = 0;
        }
}

static nigh_status read_outputs(nigh_context *ctx, const nigh_program *program, const job *j, int count, size_t cap)
{
    nigh_status status = NIGH_OK;
    for (int k = 0; !status && k < count; k++) {
        nigh_slot *slot = &j->slots[k];
        struct stat info;
        if (slot->kind != NIGH_SLOT_OUTPUT) continue;
        char *path = nigh_arena_format(j->arena, "%s/%s", j->folder.path, slot->place), *bytes = NULL;
        if (!path)
            status = NIGH_MEMORY;
        else if (lstat(path, &info) < 0)
            status = nigh_fail(ctx, NIGH_FAILED, "'%s' ended well but wrote no %s", program->command, slot->place);
        else if (!S_ISREG(info.st_mode)) /* a link could lead anywhere, a pipe would never end */
            status = nigh_fail(ctx, NIGH_FAILED, "'%s' made %s, but not as a regular file", program->command, slot->place);
        else
            status = nigh_file_read(ctx, path, cap, &bytes, &slot->size);
        slot->bytes = bytes;
    }
    if (status) drop_outputs(ctx, j->slots, count);
    return status;
}

/* ---- many runs ---- */

typedef struct series {
    nigh_context *ctx;
    const nigh_program *program;
    int count; /* slots of each run */
    nigh_program_fill_fn *fill;
    nigh_program_take_fn *take;
    void *user;
    size_t cap;
    job *jobs; /* run i uses jobs[i % ring] until it was taken */
    int64_t ring;
} series;

static void end_job(series *s, job *j)
{
    if (j->arena) drop_outputs(s->ctx, j->slots, s->count);
    nigh_folder_remove(s->ctx, &j->folder);
    nigh_arena_free(j->arena);
    *j = (job){.folder = {NULL, -1}};
}

static nigh_status make_run(void *user, int64_t i, nigh_task *task)
{
    series *s = user;
    job *j = &s->jobs[i % s->ring];
    const char **argv = NULL;
    nigh_status status = nigh_arena_new(s->ctx, &j->arena);
    if (status) return status;
    j->slots = nigh_arena_alloc_zero(j->arena, (size_t)s->count + 1, sizeof *j->slots);
    if (!j->slots) return NIGH_MEMORY;
    status = s->fill(s->user, i, j->slots);
    for (int k = 0; k < s->count; k++)
        if (j->slots[k].kind == NIGH_SLOT_OUTPUT) j->slots[k].bytes = NULL; /* ours from here on */
    if (!status) status = check_slots(s->ctx, s->program, j->slots, s->count);
    if (!status) status = nigh_folder_temp(s->ctx, &j->folder);
    if (!status) status = write_inputs(s->ctx, j, s->count);
    if (!status) status = fill_words(s->ctx, s->program, j, s->count, &argv);
    if (!status) *task = (nigh_task){.argv = argv, .folder = j->folder.path};
    return status;
}

static nigh_status take_run(void *user, int64_t i, nigh_run *run)
{
    series *s = user;
    job *j = &s->jobs[i % s->ring];
    nigh_status status = nigh_run_check(s->ctx, s->program->command, run);
    if (!status) status = read_outputs(s->ctx, s->program, j, s->count, s->cap);
    status = s->take(s->user, i, status, j->slots, run);
    end_job(s, j);
    return status;
}

nigh_status nigh_program_map(nigh_context *ctx, const nigh_program *program, int64_t runs, int count, nigh_program_fill_fn *fill,
                             nigh_program_take_fn *take, void *user, const nigh_limits *limits, int64_t output_cap, int workers)
{
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "the number of slots is %d; it cannot be negative", count);
    if (output_cap < 0) return nigh_fail(ctx, NIGH_INVALID, "output_cap is %lld; 0 (default) or more is allowed", (long long)output_cap);
    series s = {ctx, program, count, fill, take, user, output_cap ? (size_t)output_cap : (size_t)1 << 30, NULL, 0};
    s.ring = 4 * (int64_t)(workers > 0 ? workers : nigh_context_threads(ctx)); /* what nigh_process_map has under way at most */
    s.jobs = nigh_alloc_zero(ctx, (size_t)s.ring, sizeof *s.jobs);
    if (!s.jobs) return NIGH_MEMORY;
    nigh_status status = nigh_process_map(ctx, runs, make_run, take_run, &s, limits, workers);
    for (int64_t k = 0; k < s.ring; k++) end_job(&s, &s.jobs[k]);
    nigh_free(ctx, s.jobs);
    return status;
}

typedef struct once {
    nigh_slot *slots;
    int count;
    nigh_run *run;
} once;

static nigh_status fill_once(void *user, int64_t i, nigh_slot *slots)
{
    (void)i;
    const once *o = user;
    memcpy(slots, o->slots, (size_t)o->count * sizeof *slots);
    return NIGH_OK;
}

static nigh_status take_once(void *user, int64_t i, nigh_status status, nigh_slot *slots, nigh_run *run)
{
    (void)i;
    const once *o = user;
    if (status) return status;
    for (int k = 0; k < o->count; k++) {
        if (slots[k].kind != NIGH_SLOT_OUTPUT) continue;
        o->slots[k].bytes = slots[k].bytes;
        o->slots[k].size = slots[k].size;
        slots[k].bytes = NULL;
    }
    if (o->run) {
        *o->run = *run;
        run->out = run->err = NULL;
    }
    return NIGH_OK;
}

nigh_status nigh_program_run(nigh_context *ctx, const nigh_program *program, nigh_slot *slots, int count, const nigh_limits *limits,
                             int64_t output_cap, nigh_run *run)
{
    once o = {slots, count, run};
    return nigh_program_map(ctx, program, 1, count, fill_once, take_once, &o, limits, output_cap, 1);
}
