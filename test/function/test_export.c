/* Exported C, compiled by gcc and clang at two levels, gives the bits of apply; its loops are vectors; contraction finds nothing. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "function/approximation.h"
#include "function/export.h"
#include "support.h"

enum { NUMBERS = 100000, CORES = 3 * FUNCTION_REDUCTIONS, ROOM = 64 };

static int run(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One core of every form and reduction, with a factor in one of the types, in one C file, so that the compilers start few times. */
typedef struct batch {
    nigh_dtype type;
    int count;
    function_core core[CORES];
    double data[CORES][ROOM];
    char name[CORES][64];
} batch;

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static void fill(batch *b, int form, int reduction, bool factor, uint64_t *state)
{
    static const double scaled[6] = {1.4426950408889634, -0.693145751953125, -1.4286068203094172e-06};
    static const double turns[6] = {0.3183098861837907, -3.140625, -9.67653589793e-4, 1e-12, -.5, 1};
    function_core *core = &b->core[b->count];
    bool table = form == FUNCTION_TABLE;
    *core = (function_core){.type = b->type, .form = (function_form)form, .reduction = (function_reduction)reduction, .factor = factor};
    core->data = b->data[b->count];
    core->upper = table ? 11 : 3 + (int)(uniform(state) * 9);
    core->lower = table ? 2 + 2 * (uniform(state) < .5) : form == FUNCTION_RATIONAL ? 2 + (int)(uniform(state) * 4) : 0;
    core->square = uniform(state) < .5;
    core->affine = table || uniform(state) < .5;
    core->scale = core->affine ? .25 : 1;
    core->shift = core->affine ? -.375 : 0;
    if (reduction == FUNCTION_SCALED) memcpy(core->constant, scaled, sizeof scaled);
    else if (reduction == FUNCTION_TURNS) memcpy(core->constant, turns, sizeof turns);
    else core->constant[0] = reduction == FUNCTION_BINADE ? .6931471805599453 : 4;
    for (int i = 0; i < 6; i++) core->constant[i] = function_round(b->type, core->constant[i]);
    for (int64_t i = 0; i < function_core_numbers(core); i++) function_core_set(core, i, function_round(b->type, uniform(state) * 2 - 1));
    snprintf(b->name[b->count], sizeof b->name[0], "f%d", b->count);
    b->count++;
}

static void add_cores(nigh_context *ctx, batch *b, nigh_buffer *text)
{
    uint64_t state = 9;
    for (int form = 0; form < 3; form++)
        for (int reduction = 0; reduction < FUNCTION_REDUCTIONS; reduction++) {
            fill(b, form, reduction, (form + reduction + (b->type == NIGH_F32)) % 2 != 0, &state);
            assert_ok(ctx, function_core_export(ctx, &b->core[b->count - 1], b->name[b->count - 1], text));
        }
}

/* Of all signs and sizes where the reduction takes them; ends, zeros of both signs, NaN. */
static void inputs(const function_core *core, uint64_t *state, void *x)
{
    bool positive = core->reduction == FUNCTION_BINADE || core->reduction == FUNCTION_ROOT || core->reduction == FUNCTION_INVERSE_ROOT;
    for (int i = 0; i < NUMBERS; i++) {
        double value = (uniform(state) - .5) * (i % 2 ? 12 : 80);
        if (i % 500 == 7) value = i % 1000 == 7 ? -0.0 : 0.0;
        if (i % 1000 == 0) value = i % 2000 ? NAN : value * 3;
        if (i % 100 == 3) value = ldexp(value, -60);
        if (positive) value = fabs(value);
        if (core->type == NIGH_F32) ((float *)x)[i] = (float)value;
        else ((double *)x)[i] = value;
    }
}

static void compare(const batch *b, void *library, const char *how)
{
    static double x[NUMBERS], mine[NUMBERS], theirs[NUMBERS];
    uint64_t state = 3;
    for (int p = 0; p < b->count; p++) {
        void (*function)(long, const void *, void *);
        *(void **)&function = dlsym(library, b->name[p]);
        assert_non_null(function);
        inputs(&b->core[p], &state, x);
        function_core_apply(&b->core[p], NUMBERS, x, mine);
        function(NUMBERS, x, theirs);
        size_t size = nigh_dtype_size(b->type);
        for (int i = 0; i < NUMBERS; i++) {
            bool nan = b->type == NIGH_F32 ? isnan(((float *)mine)[i]) && isnan(((float *)theirs)[i]) : isnan(mine[i]) && isnan(theirs[i]);
            if (!nan && memcmp((char *)mine + (size_t)i * size, (char *)theirs + (size_t)i * size, size) != 0)
                fail_msg("%s: form %d, reduction %d: number %d differs", how, (int)b->core[p].form, (int)b->core[p].reduction, i);
        }
    }
}

/* What disassembly shows of one exported loop. */
typedef struct shape {
    int fma, packed; /* fma instructions; those on whole vectors of the type */
} shape;

static bool count_fma(const char *library, nigh_dtype type, int count, shape *shapes)
{
    char command[4200], line[1024];
    int at = -1;
    memset(shapes, 0, (size_t)count * sizeof *shapes);
    snprintf(command, sizeof command, "objdump -d --no-show-raw-insn %s 2>/dev/null", library);
    FILE *text = popen(command, "r");
    assert_non_null(text);
    while (fgets(line, sizeof line, text)) {
        const char *name = strstr(line, " <f");
        if (line[0] != ' ' && name) {
            char end = 0;
            if (sscanf(name, " <f%d>%c", &at, &end) != 2 || end != ':' || at >= count) at = -1;
            continue;
        }
        if (at < 0 || !(strstr(line, "vfm") || strstr(line, "vfnm"))) continue;
        shapes[at].fma++;
        bool wide = strstr(line, "ymm") || strstr(line, "zmm");
        if (wide && strstr(line, type == NIGH_F32 ? "ps " : "pd ")) shapes[at].packed++;
    }
    return pclose(text) == 0;
}

static void build(const char *compiler, const char *flags, const char *source, const char *library)
{
    char command[16384];
    snprintf(command, sizeof command, "%s %s -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror -shared -fPIC %s -o %s -lm", compiler,
             flags, source, library);
    assert_int_equal(run(command), 0);
}

static void check_build(const batch *b, const char *compiler, const char *flags, const char *source, const char *library)
{
    build(compiler, flags, source, library);
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(loaded);
    compare(b, loaded, compiler);
    dlclose(loaded);
}

static bool missing(const char *command)
{
    char line[256];
    snprintf(line, sizeof line, "command -v %s >/dev/null 2>&1", command);
    if (run(line) == 0) return false;
    print_message("%s is missing: not tried\n", command);
    return true;
}

/* Loops of vectors, and as many fma instructions whether the compiler may contract or not. */
static void check_loops(const batch *b, const char *compiler, const char *source, const char *on, const char *off)
{
    static shape fast[CORES], plain[CORES];
    build(compiler, "-std=gnu11 -O3 -march=native -ffp-contract=off", source, off);
    if (!count_fma(on, b->type, b->count, fast) || !count_fma(off, b->type, b->count, plain)) {
        print_message("objdump fails: loops are not looked at\n");
        return;
    }
    for (int i = 0; i < b->count; i++) {
        if (fast[i].fma != plain[i].fma)
            fail_msg("%s, form %d, reduction %d: %d fma instructions with contraction, %d without", compiler, (int)b->core[i].form, (int)b->core[i].reduction,
                     fast[i].fma, plain[i].fma);
        if (fast[i].packed == 0) fail_msg("%s, form %d, reduction %d: the loop has no vectors", compiler, (int)b->core[i].form, (int)b->core[i].reduction);
    }
}

static void write_text(const char *path, const nigh_buffer *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    fclose(file);
}

static void same_bits(void **unused)
{
    static const char *const compilers[] = {"gcc", "clang"};
    char *folder = test_folder_new(), source[4096], on[4096], off[4096], command[8192];
    bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !missing("objdump");
    for (int type = 0; type < 2; type++) {
        nigh_context *ctx = test_context_new();
        static batch b;
        b = (batch){.type = type ? NIGH_F32 : NIGH_F64};
        nigh_buffer text = {.ctx = ctx};
        add_cores(ctx, &b, &text);
        snprintf(source, sizeof source, "%s/x.c", folder);
        write_text(source, &text);
        for (int c = 0; c < 2; c++) {
            if (missing(compilers[c])) continue;
            snprintf(on, sizeof on, "%s/on%d%d.so", folder, type, c);
            snprintf(off, sizeof off, "%s/off%d%d.so", folder, type, c);
            check_build(&b, compilers[c], "-std=c99 -O2", source, off);
            check_build(&b, compilers[c], "-std=gnu11 -O3 -march=native -ffp-contract=fast", source, on);
            snprintf(off, sizeof off, "%s/plain%d%d.so", folder, type, c);
            if (fma) check_loops(&b, compilers[c], source, on, off);
            snprintf(command, sizeof command, "%s -ffast-math -c %s -o /dev/null 2>/dev/null", compilers[c], source);
            assert_int_not_equal(run(command), 0);
        }
        nigh_buffer_free(&text);
        test_context_free(ctx);
    }
    test_folder_remove(folder);
}

/* A plan's file compiled alone, and included twice elsewhere: both find the function. */
static void as_header(void **unused)
{
    static const char main_text[] = "#include \"e.c\"\n#include \"e.c\"\nint main(void)\n{\n    double in = 0.5, out = 0;\n    e(1, &in, &out);\n"
                                    "    return out == e_one(in) && out > 1.6 && out < 1.7 ? 0 : 1;\n}\n";
    extern const nigh_method *const nigh_function_methods[];
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[4096], command[16384];
    const nigh_method *method = nigh_function_methods[0];
    nigh_settings settings = nigh_settings_default(method);
    nigh_buffer text = {.ctx = ctx}, user = {.ctx = ctx};
    nigh_problem *problem;
    nigh_progress_point point;
    nigh_plan *plan;
    void *fit;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"exp", -1, 1, NIGH_F64, NULL}, &problem));
    assert_ok(ctx, method->start(ctx, method, problem, NULL, &settings, &fit));
    assert_ok(ctx, method->advance(ctx, fit, 1, &point));
    assert_ok(ctx, method->finish(ctx, fit, &plan));
    assert_ok(ctx, nigh_plan_export(ctx, plan, "e", &text));
    assert_non_null(strstr(text.data, "rounded once, to nearest"));
    assert_non_null(strstr(text.data, "flush-to-zero"));
    snprintf(path, sizeof path, "%s/e.c", folder);
    write_text(path, &text);
    assert_ok(ctx, nigh_buffer_print(&user, "%s", main_text));
    snprintf(path, sizeof path, "%s/main.c", folder);
    write_text(path, &user);
    snprintf(command, sizeof command, "cd %s && cc -std=c99 -Wall -Wextra -Werror main.c -o main -lm && ./main && cc -c e.c && nm e.o | grep -q ' T e$'", folder);
    assert_int_equal(run(command), 0);
    method->abandon(ctx, fit);
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    nigh_buffer_free(&text);
    nigh_buffer_free(&user);
    test_folder_remove(folder);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(as_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
