/* Exported C, compiled by gcc and clang at two levels, gives the bits of apply; its loops are vectors; contraction finds nothing. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "function/approximation.h"
#include "support.h"

extern const nigh_method *const nigh_function_methods[];

enum { NUMBERS = 100000 };

static int run(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

typedef struct sample {
    const char *text;
    double low, high;
} sample;

static const sample samples[] = {
    {"exp", -30, 60}, {"exp2", -100, 20}, {"log", .002, 5000}, {"log2", .5, 3}, {"sin", -400, 300}, {"cos", -30, 200}, {"tanh", -8, 9},
    {"erf", -5, 5}, {"sigmoid", -12, 9}, {"gelu", -8, 8}, {"silu", -15, 15}, {"softplus", -10, 20}, {"sqrt", .01, 90},
    {"rsqrt", .1, 70}, {"exp(-x*x)*cos(3*x)", -2, 2}, {"x*exp(x)", -1, 3}};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* All plans of one type in one C file, so that the compilers start few times. */
typedef struct batch {
    nigh_dtype type;
    int count;
    nigh_plan *plan[400];
    char name[400][64];
} batch;

static void add_plans(nigh_context *ctx, batch *b, nigh_buffer *text)
{
    for (int s = b->type == NIGH_F32; s < SAMPLES; s += 1 + (b->type == NIGH_F64)) /* f64: every second */
        for (int i = 0; nigh_function_methods[i]; i++)
            for (int native = 0; native < 2; native++) {
                const nigh_method *method = nigh_function_methods[i];
                if (method->flags & NIGH_METHOD_ASKED) continue; /* test_autonumerics_zero.c */
                nigh_settings settings = nigh_settings_default(method);
                nigh_problem *problem;
                nigh_progress_point point;
                void *fit = NULL;
                const char *measure = (s + i) % 2 ? "absolute" : "relative";
                assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){samples[s].text, samples[s].low, samples[s].high, b->type, measure}, &problem));
                assert_ok(ctx, nigh_settings_parse(ctx, method, native ? "reduction=native" : "reduction=none", &settings));
                if (method->start(ctx, method, problem, NULL, &settings, &fit) == NIGH_OK && method->advance(ctx, fit, 1, &point) == NIGH_OK) {
                    int at = b->count++;
                    assert_true(at < 400);
                    assert_ok(ctx, method->finish(ctx, fit, &b->plan[at]));
                    snprintf(b->name[at], sizeof b->name[at], "f%d", at);
                    assert_ok(ctx, b->plan[at]->ops->export_c(ctx, b->plan[at], b->name[at], text));
                }
                method->abandon(ctx, fit);
                nigh_problem_free(ctx, problem);
            }
}

static void inputs(const nigh_plan *plan, uint64_t *state, void *x)
{
    for (int i = 0; i < NUMBERS; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        double u = (double)(*state >> 11) * 0x1p-53, value = plan->low[0] + (plan->high[0] - plan->low[0]) * u;
        if (i % 1000 == 0) value = i % 2000 ? NAN : value * 3; /* outside, too */
        if (i < 4) value = i < 2 ? plan->low[0] : plan->high[0];
        if (i % 500 == 7) value = i % 1000 == 7 ? -0.0 : 0.0;
        if (plan->in.dtype == NIGH_F32) ((float *)x)[i] = (float)value;
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
        inputs(b->plan[p], &state, x);
        nigh_plan_apply(b->plan[p], NUMBERS, x, mine, NULL, 0);
        function(NUMBERS, x, theirs);
        size_t size = nigh_dtype_size(b->type);
        for (int i = 0; i < NUMBERS; i++) {
            bool nan = b->type == NIGH_F32 ? isnan(((float *)mine)[i]) && isnan(((float *)theirs)[i]) : isnan(mine[i]) && isnan(theirs[i]);
            if (!nan && memcmp((char *)mine + (size_t)i * size, (char *)theirs + (size_t)i * size, size) != 0)
                fail_msg("%s, %s %s: number %d differs", how, b->plan[p]->method->name, b->name[p], i);
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
    static shape fast[400], plain[400];
    build(compiler, "-std=gnu11 -O3 -march=native -ffp-contract=off", source, off);
    if (!count_fma(on, b->type, b->count, fast) || !count_fma(off, b->type, b->count, plain)) {
        print_message("objdump fails: loops are not looked at\n");
        return;
    }
    for (int i = 0; i < b->count; i++) {
        if (fast[i].fma != plain[i].fma)
            fail_msg("%s, %s %s: %d fma instructions with contraction, %d without", compiler, b->plan[i]->method->name, b->name[i], fast[i].fma, plain[i].fma);
        if (fast[i].packed == 0) fail_msg("%s, %s %s: the loop has no vectors", compiler, b->plan[i]->method->name, b->name[i]);
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
        batch b = {.type = type ? NIGH_F32 : NIGH_F64};
        nigh_buffer text = {.ctx = ctx};
        add_plans(ctx, &b, &text);
        assert_true(b.count > 60);
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
        for (int i = 0; i < b.count; i++) nigh_plan_free(ctx, b.plan[i]);
        nigh_buffer_free(&text);
        test_context_free(ctx);
    }
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
