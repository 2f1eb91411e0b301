/* A user's own program as a problem. Declared in nigh/program.h. */
#include "nigh/program.h"

#include "core/cache.h"
#include "core/json.h"
#include "nigh/io.h"
#include "regress/program_text.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEVELS = 16, MOST_SLOTS = 72, MOST_NUMBERS = 64 };

typedef struct program_state {
    nigh_problem problem;
    nigh_arena *arena;
    nigh_program *program;
    disk_cache *cache;
    nigh_context *home;    /* the cache's; a plan that runs the program may be applied in other contexts and threads */
    pthread_mutex_t guard; /* of cache and home */
    nigh_limits limits;
    int64_t d, m, rows;
    nigh_shape in;         /* of one input */
    double *inputs; /* [rows, d] */
    char content[65];
    char *knob;     /* its name, NULL: none */
    double knob_values[MOST_LEVELS + 1]; /* levels, then the exact value */
    char *level_names[MOST_LEVELS];
    const char *in_place, *out_place; /* NULL: numbers in arguments; standard output */
} program_state;

static program_state *state_of(const nigh_problem *problem) { return problem->self; }

/* ---- many runs ---- */

typedef struct run_batch {
    nigh_context *ctx;
    program_state *s;
    int64_t n;
    const double *in;
    double *out;
    double knob;
    bool cached;
    int64_t *missing;      /* indices that are not in the cache */
    nigh_buffer *bytes; /* input file of each run under way, by index in missing */
    char (*numbers)[32];
    char knob_text[32];
} run_batch;

static void batch_key(const run_batch *b, int64_t i, char key[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, b->s->content);
    nigh_sha256_text(&hash, b->knob_text);
    nigh_sha256_add(&hash, b->in + i * b->s->d, (size_t)b->s->d * sizeof(double));
    nigh_sha256_hex(&hash, key);
}

static bool from_cache(run_batch *b, int64_t i)
{
    char key[65], *bytes = NULL;
    size_t size = 0, wanted = (size_t)b->s->m * sizeof(double);
    if (!b->s->cache || !b->cached || b->s->m == 0) return false;
    batch_key(b, i, key);
    pthread_mutex_lock(&b->s->guard);
    bool there = disk_cache_get(b->s->cache, key, &bytes, &size) == NIGH_OK && bytes && size == wanted;
    if (there) memcpy(b->out + i * b->s->m, bytes, wanted);
    nigh_free(b->s->home, bytes);
    pthread_mutex_unlock(&b->s->guard);
    return there;
}

static nigh_status fill_slots(void *user, int64_t run, nigh_slot *slots)
{
    run_batch *b = user;
    program_state *s = b->s;
    const double *x = b->in + b->missing[run] * s->d;
    int count = 0;
    if (s->in_place) {
        nigh_buffer *bytes = &b->bytes[run];
        bytes->ctx = b->ctx;
        nigh_status status = program_text_write(b->ctx, s->in_place, &s->in, x, bytes);
        if (status) return status;
        slots[count++] = (nigh_slot){s->in_place, NIGH_SLOT_INPUT, NULL, bytes->data, bytes->size};
    }
    if (s->out_place) slots[count++] = (nigh_slot){.place = s->out_place, .kind = NIGH_SLOT_OUTPUT};
    if (s->knob) slots[count++] = (nigh_slot){.place = s->knob, .kind = NIGH_SLOT_TEXT, .text = b->knob_text};
    static const char *const places[MOST_NUMBERS] = {
        "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22",
        "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44",
        "45", "46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60", "61", "62", "63", "64"};
    for (int64_t j = 0; j < s->d && j < MOST_NUMBERS; j++) {
        if (!nigh_program_has(s->program, places[j])) continue;
        char *text = b->numbers[run * MOST_NUMBERS + j];
        snprintf(text, sizeof *b->numbers, "%.17g", x[j]);
        slots[count++] = (nigh_slot){.place = places[j], .kind = NIGH_SLOT_TEXT, .text = text};
    }
    return NIGH_OK;
}

static int slot_count(const program_state *s)
{
    int count = (s->in_place != NULL) + (s->out_place != NULL) + (s->knob != NULL);
    char place[16];
    int numbers = s->d < MOST_NUMBERS ? (int)s->d : MOST_NUMBERS;
    for (int j = 0; j < numbers; j++) {
        snprintf(place, sizeof place, "%d", j + 1);
        count += nigh_program_has(s->program, place);
    }
    return count;
}

static nigh_status take_answer(void *user, int64_t run, nigh_status status, nigh_slot *slots, nigh_run *result)
{
    run_batch *b = user;
    program_state *s = b->s;
    int64_t i = b->missing[run];
    nigh_buffer_free(&b->bytes[run]);
    if (status) return nigh_within(b->ctx, status, "input %lld", (long long)(i + 1));
    const char *bytes = result->out;
    size_t size = result->out_size;
    for (int k = 0; s->out_place && k < slot_count(s); k++)
        if (slots[k].kind == NIGH_SLOT_OUTPUT) bytes = slots[k].bytes, size = slots[k].size;
    double *values;
    int64_t count;
    status = program_text_read(b->ctx, s->out_place, bytes, size, &values, &count);
    if (status) return nigh_within(b->ctx, status, "answer to input %lld", (long long)(i + 1));
    if (s->m == 0) s->m = count; /* the first run of all */
    if (count != s->m)
        status = nigh_fail(b->ctx, NIGH_FAILED, "answer to input %lld has %lld numbers; the first answer had %lld", (long long)(i + 1),
                           (long long)count, (long long)s->m);
    for (int64_t j = 0; j < count && !status; j++)
        if (!isfinite(values[j]))
            status = nigh_fail(b->ctx, NIGH_FAILED, "answer to input %lld: number %lld is %g; finite numbers are needed", (long long)(i + 1),
                               (long long)(j + 1), values[j]);
    if (!status && b->out) {
        char key[65];
        memcpy(b->out + i * s->m, values, (size_t)s->m * sizeof *values);
        batch_key(b, i, key);
        if (s->cache && b->cached) {
            pthread_mutex_lock(&s->guard);
            disk_cache_put(s->cache, key, values, (size_t)s->m * sizeof *values);
            pthread_mutex_unlock(&s->guard);
        }
    }
    nigh_free(b->ctx, values);
    return status;
}

/* Answers for n inputs at a knob value. out may be NULL for the first run, which learns how many numbers come. */
static nigh_status run_all(nigh_context *ctx, program_state *s, double knob, bool cached, int workers, int64_t n, const double *in, double *out)
{
    run_batch b = {.ctx = ctx, .s = s, .n = n, .in = in, .out = out, .knob = knob, .cached = cached};
    snprintf(b.knob_text, sizeof b.knob_text, "%.17g", knob);
    b.missing = nigh_alloc(ctx, (size_t)n * sizeof *b.missing);
    int64_t count = 0;
    if (!b.missing) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++)
        if (!out || !from_cache(&b, i)) b.missing[count++] = i;
    b.bytes = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *b.bytes);
    b.numbers = nigh_alloc_zero(ctx, ((size_t)count + 1) * MOST_NUMBERS, sizeof *b.numbers);
    nigh_status status = b.bytes && b.numbers ? NIGH_OK : NIGH_MEMORY;
    if (!status && count)
        status = nigh_program_map(ctx, s->program, count, slot_count(s), fill_slots, take_answer, &b, &s->limits, (int64_t)1 << 30, workers);
    for (int64_t i = 0; b.bytes && i < count; i++) nigh_buffer_free(&b.bytes[i]);
    nigh_free(ctx, b.numbers);
    nigh_free(ctx, b.bytes);
    nigh_free(ctx, b.missing);
    return status;
}

/* ---- what the planner calls ---- */

static double exact_knob(const program_state *s) { return s->knob_values[s->problem.levels]; }

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const program_state *s = state_of(problem);
    double *x = in;
    nigh_rng_fill_f64(rng, n * s->d, x);
    for (int64_t i = 0; i < n * s->d; i++) x[i] = problem->low[i % s->d] + x[i] * (problem->high[i % s->d] - problem->low[i % s->d]);
    return NIGH_OK;
}

static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    program_state *s = state_of(problem);
    return run_all(ctx, s, exact_knob(s), true, nigh_context_threads(ctx), n, in, out);
}

static nigh_status exact_timed(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    program_state *s = state_of(problem);
    return run_all(ctx, s, exact_knob(s), false, 1, n, in, out);
}

static nigh_status coarse(nigh_context *ctx, const nigh_problem *problem, int level, int64_t n, const void *in, void *out)
{
    program_state *s = state_of(problem);
    return run_all(ctx, s, s->knob_values[level], n > 1, n > 1 ? nigh_context_threads(ctx) : 1, n, in, out);
}

static const char *level_name(const nigh_problem *problem, int level) { return state_of(problem)->level_names[level]; }

static nigh_status rows(nigh_context *ctx, const nigh_problem *problem, int64_t n, const int64_t *index, void *in, void *out)
{
    const program_state *s = state_of(problem);
    for (int64_t i = 0; i < n; i++) memcpy((double *)in + i * s->d, s->inputs + index[i] * s->d, (size_t)s->d * sizeof(double));
    return exact(ctx, problem, n, in, out);
}

static void free_problem(nigh_context *ctx, nigh_problem *problem)
{
    program_state *s = state_of(problem);
    nigh_program_free(s->program);
    disk_cache_close(s->cache);
    pthread_mutex_destroy(&s->guard);
    nigh_arena_free(s->arena);
}

static const nigh_problem_ops drawn_ops = {.draw = draw, .exact = exact, .exact_timed = exact_timed, .coarse = coarse, .level_name = level_name, .free = free_problem};
static const nigh_problem_ops row_ops = {.rows = rows, .exact = exact, .exact_timed = exact_timed, .coarse = coarse, .level_name = level_name, .free = free_problem};

/* ---- making one ---- */

/* "n=16:256" -> name, and values 16, 32, ... 256. */
static nigh_status read_knob(nigh_context *ctx, program_state *s, const char *text)
{
    size_t name = strcspn(text, "=");
    char *end = NULL;
    double low = text[name] ? strtod(text + name + 1, &end) : NAN, high = end && *end == ':' ? strtod(end + 1, &end) : NAN;
    if (name == 0 || !end || *end || !(low > 0 && low < high))
        return nigh_fail(ctx, NIGH_INVALID, "the knob is '%s'; NAME=COARSEST:EXACT is needed, such as n=16:256", text);
    if (!(s->knob = nigh_arena_format(s->arena, "%.*s", (int)name, text))) return NIGH_MEMORY;
    if (!nigh_program_has(s->program, s->knob))
        return nigh_fail(ctx, NIGH_INVALID, "the knob '%s' has no place {%s} in the command '%s'", s->knob, s->knob, nigh_program_command(s->program));
    double values[MOST_LEVELS];
    int count = 0;
    for (double v = high / 2; v >= low && count < MOST_LEVELS; v /= 2) values[count++] = high == floor(high) ? floor(v) : v;
    for (int i = 0; i < count; i++) {
        s->knob_values[i] = values[count - 1 - i];
        s->level_names[i] = nigh_arena_format(s->arena, "%s=%.6g", s->knob, s->knob_values[i]);
        if (!s->level_names[i]) return NIGH_MEMORY;
    }
    s->knob_values[count] = high;
    s->problem.levels = count;
    return NIGH_OK;
}

static nigh_status read_places(nigh_context *ctx, program_state *s)
{
    static const char *const ins[] = {"in", "in.npy", "in.csv"}, *const outs[] = {"out", "out.npy", "out.csv"};
    bool number = false;
    for (int i = 0; nigh_program_place(s->program, i); i++) {
        const char *place = nigh_program_place(s->program, i);
        bool known = s->knob && strcmp(place, s->knob) == 0;
        for (int k = 0; k < 3; k++) {
            if (strcmp(place, ins[k]) == 0) s->in_place = ins[k], known = true;
            if (strcmp(place, outs[k]) == 0) s->out_place = outs[k], known = true;
        }
        char *end;
        long at = strtol(place, &end, 10);
        if (!*end && at >= 1 && at <= s->d && at <= MOST_NUMBERS) number = known = true;
        if (!known)
            return nigh_fail(ctx, NIGH_INVALID, "place {%s} of the command is none of {in} {out} {in.npy} {out.npy} {in.csv} {out.csv} {1}..{%lld}%s%s%s",
                             place, (long long)(s->d < MOST_NUMBERS ? s->d : MOST_NUMBERS), s->knob ? " {" : "", s->knob ? s->knob : "", s->knob ? "}" : "");
    }
    if (s->in_place || number) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "the command '%s' has no place for its input: {in}, {in.npy}, {in.csv} or {1} {2} ...", nigh_program_command(s->program));
}

static nigh_status copy_inputs(nigh_context *ctx, program_state *s, const nigh_program_problem *spec)
{
    if (!spec->inputs) {
        s->d = spec->dims;
        for (int64_t j = 0; j < spec->dims; j++)
            if (!(isfinite(spec->low[j]) && isfinite(spec->high[j]) && spec->low[j] < spec->high[j]))
                return nigh_fail(ctx, NIGH_INVALID, "dimension %lld of the box is %g:%g; LOW:HIGH with finite LOW < HIGH is needed", (long long)j + 1,
                                 spec->low[j], spec->high[j]);
    } else {
        const nigh_shape *shape = &spec->inputs->shape;
        s->rows = shape->ndim ? shape->dim[0] : 0;
        s->d = s->rows > 0 ? nigh_shape_count(shape) / s->rows : 0;
        if (s->rows < 20) return nigh_fail(ctx, NIGH_INVALID, "the inputs have %lld rows; at least 20 are needed", (long long)s->rows);
    }
    if (s->d < 1) return nigh_fail(ctx, NIGH_INVALID, "an input of the program has no numbers");
    s->in = (nigh_shape){NIGH_F64, 1, {s->d}};
    if (spec->inputs && spec->inputs->shape.ndim > 2) { /* fields stay fields */
        s->in.ndim = spec->inputs->shape.ndim - 1;
        memcpy(s->in.dim, spec->inputs->shape.dim + 1, (size_t)s->in.ndim * sizeof *s->in.dim);
    }
    double *box = nigh_arena_alloc(s->arena, 2 * (size_t)s->d * sizeof *box);
    if (!box) return NIGH_MEMORY;
    s->problem.low = box, s->problem.high = box + s->d;
    if (!spec->inputs) {
        memcpy(box, spec->low, (size_t)s->d * sizeof *box);
        memcpy(box + s->d, spec->high, (size_t)s->d * sizeof *box);
        return NIGH_OK;
    }
    s->inputs = nigh_arena_alloc(s->arena, (size_t)(s->rows * s->d) * sizeof *s->inputs);
    if (!s->inputs) return NIGH_MEMORY;
    nigh_status status = nigh_array_to_f64(ctx, spec->inputs, s->inputs);
    for (int64_t i = 0; i < s->rows * s->d && !status; i++) {
        int64_t j = i % s->d;
        if (!isfinite(s->inputs[i]))
            status = nigh_fail(ctx, NIGH_INVALID, "row %lld of the inputs has %g in column %lld; finite numbers are needed", (long long)(i / s->d + 1),
                               s->inputs[i], (long long)j + 1);
        box[j] = i < s->d ? s->inputs[i] : fmin(box[j], s->inputs[i]);
        box[s->d + j] = i < s->d ? s->inputs[i] : fmax(box[s->d + j], s->inputs[i]);
    }
    return status;
}

/* How to make it again, for plan files. */
static nigh_status describe(nigh_context *ctx, program_state *s, const nigh_program_problem *spec)
{
    json_t *origin = json_object(), *low = json_array(), *high = json_array();
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = origin && low && high ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for a program's description");
    for (int64_t j = 0; j < s->d && !status; j++) {
        status = nj_add_real(ctx, low, s->problem.low[j]);
        if (!status) status = nj_add_real(ctx, high, s->problem.high[j]);
    }
    if (!status) status = nj_set_text(ctx, origin, "kind", "program");
    if (!status) status = nj_set_text(ctx, origin, "command", spec->command);
    if (!status && spec->knob) status = nj_set_text(ctx, origin, "knob", spec->knob);
    if (!status) status = nj_set_text(ctx, origin, "measure", s->problem.measure->name);
    if (!status) status = nj_set_bool(ctx, origin, "drawn", !spec->inputs);
    if (!status) status = nj_set(ctx, origin, "low", json_incref(low));
    if (!status) status = nj_set(ctx, origin, "high", json_incref(high));
    if (!status) status = nj_dump(ctx, origin, NJ_SORTED, &text);
    if (!status && !(s->problem.origin = nigh_arena_strdup(s->arena, text.data))) status = NIGH_MEMORY;
    nigh_buffer_free(&text);
    json_decref(low), json_decref(high), json_decref(origin);
    return status;
}

/* Identity: what the program is, and where its inputs come from. */
static nigh_status identify(nigh_context *ctx, program_state *s, const nigh_program_problem *spec)
{
    nigh_status status = program_text_content(ctx, spec->command, s->content);
    if (status) return status;
    char hex[65];
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, s->content);
    nigh_sha256_text(&hash, spec->knob ? spec->knob : "");
    nigh_sha256_text(&hash, s->problem.measure->name);
    nigh_sha256_add(&hash, s->problem.low, 2 * (size_t)s->d * sizeof(double));
    if (s->inputs) nigh_sha256_add(&hash, s->inputs, (size_t)(s->rows * s->d) * sizeof(double));
    nigh_sha256_hex(&hash, hex);
    s->problem.identity = nigh_arena_strdup(s->arena, hex);
    s->problem.name = nigh_arena_strdup(s->arena, spec->command);
    return s->problem.identity && s->problem.name ? describe(ctx, s, spec) : NIGH_MEMORY;
}

/* The middle of the box, or the first row: the run that shows whether the program works at all. */
static nigh_status first_run(nigh_context *ctx, program_state *s)
{
    double *x = nigh_arena_alloc(s->arena, (size_t)s->d * sizeof *x);
    if (!x) return NIGH_MEMORY;
    for (int64_t j = 0; j < s->d; j++) x[j] = s->inputs ? s->inputs[j] : 0.5 * (s->problem.low[j] + s->problem.high[j]);
    nigh_status status = run_all(ctx, s, exact_knob(s), true, 1, 1, x, NULL);
    if (status) return nigh_within(ctx, status, "a first run of '%s'", nigh_program_command(s->program));
    return s->m > 0 ? NIGH_OK : nigh_fail(ctx, NIGH_FAILED, "'%s' gave no numbers", nigh_program_command(s->program));
}

nigh_status nigh_program_problem_new(nigh_context *ctx, const nigh_program_problem *spec, nigh_problem **out)
{
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    program_state *s = nigh_arena_alloc_zero(arena, 1, sizeof *s);
    if (!s) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    s->arena = arena, s->limits = spec->limits, s->home = ctx;
    pthread_mutex_init(&s->guard, NULL);
    const char *measure = spec->measure ? spec->measure : "relative-l2";
    s->problem = (nigh_problem){.size = sizeof(nigh_problem), .kind = "map", .child = true, .measure = nigh_measure_find(measure), .self = s,
                                .ops = spec->inputs ? &row_ops : &drawn_ops};
    if (!s->problem.measure) status = nigh_fail(ctx, NIGH_INVALID, "measure '%s' is unknown; see `nigh list measures`", measure);
    if (!status) status = nigh_program_new(ctx, spec->command, &s->program);
    if (!status) status = copy_inputs(ctx, s, spec);
    if (!status && spec->knob) status = read_knob(ctx, s, spec->knob);
    if (!status) status = read_places(ctx, s);
    if (!status) status = identify(ctx, s, spec);
    if (!status && !spec->no_cache) status = disk_cache_open(ctx, NULL, 0, &s->cache);
    if (!status) status = first_run(ctx, s);
    if (status) {
        free_problem(ctx, &s->problem);
        return status;
    }
    s->problem.rows = s->rows;
    s->problem.in = s->in, s->problem.out = s->m == s->d ? s->in : (nigh_shape){NIGH_F64, 1, {s->m}};
    *out = &s->problem;
    return NIGH_OK;
}
