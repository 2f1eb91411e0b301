/* Map plans saved and loaded (same bits), damaged, and exported as C, compiled by gcc and clang. */
#include "map_support.h"

#include "regress/model.h"

#include <sys/wait.h>
#include <unistd.h>

/*
 * Exported C sums in the same order, but may fuse differently and has libm's exp and log: it agrees to this, relative to
 * the largest sum of the magnitudes of an output's terms (which the weights of a smooth kernel make much larger than
 * the output itself).
 */
static const double EXPORT_TOLERANCE = 1e-13;

static double magnitude(const nigh_plan *plan, int64_t outputs, const double *out)
{
    double most = 0, terms = 0;
    for (int64_t k = 0; k < outputs; k++) most = fmax(most, fabs(out[k]));
    if (plan->method == &nigh_method_nearest || ((const map_model *)plan->state)->body < MAP_POINTS) return most;
    const map_model *model = plan->state;
    double value = model->body == MAP_FEATURES ? 1 : model->radial == MAP_CUBIC || model->radial == MAP_THIN_PLATE ? 20 : 1; /* at the distances that occur */
    for (int64_t j = 0; j < model->q; j++) {
        double sum = 0;
        for (int64_t k = 0; k < model->count; k++) sum += value * fabs(model->weight[k * map_padded(model->q) + j]);
        terms = fmax(terms, sum);
    }
    return most + terms;
}

static void register_all(nigh_context *ctx)
{
    for (int i = 0; nigh_regress_methods[i]; i++) {
        const nigh_method *found = NULL;
        if (nigh_method_find(ctx, "map", nigh_regress_methods[i]->name, &found) != NIGH_OK) assert_ok(ctx, nigh_register(ctx, nigh_regress_methods[i]));
    }
}

/* The sets and the number of fit samples that every method is tried on; NULL plan: the method does not do that set. */
static nigh_plan *plan_of(nigh_context *ctx, const map_set *set, int i, int64_t n)
{
    nigh_plan *plan = NULL;
    nigh_status status = map_try(ctx, map_cases[i].method, map_cases[i].settings, set, n, &plan);
    bool terms = map_cases[i].method == &nigh_method_polynomial_ridge && set->d == MAP_FIELD_IN; /* more terms than samples */
    if (status && status != NIGH_UNSUPPORTED && !terms) fail_msg("%s: %s", map_cases[i].method->name, nigh_message(ctx));
    return plan;
}

static void test_round_trip(void **state)
{
    nigh_context *ctx = test_context_new();
    register_all(ctx);
    map_set sets[2] = {map_set_new(ctx, 300, 4, 3, -1, 1, 20, map_projectile), map_field_set(ctx, 300, 21)};
    char *folder = test_folder_new(), path[256];
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < MAP_CASES; i++) {
            nigh_plan *plan = plan_of(ctx, &sets[s], i, 120), *loaded = NULL;
            if (!plan) continue;
            snprintf(path, sizeof path, "%s/plan-%d-%d.nigh", folder, s, i);
            assert_ok(ctx, nigh_plan_save(ctx, plan, path));
            assert_ok(ctx, nigh_plan_load(ctx, path, &loaded));
            int64_t n = sets[s].n, m = sets[s].m;
            double *a = malloc((size_t)(n * m) * sizeof *a), *b = malloc((size_t)(n * m) * sizeof *b);
            nigh_status first = map_apply(ctx, plan, n, sets[s].x, a), second = map_apply(ctx, loaded, n, sets[s].x, b);
            assert_int_equal(first, second);
            assert_memory_equal(a, b, (size_t)(n * m) * sizeof *a);
            assert_true(loaded->work.flops == plan->work.flops && loaded->bytes == plan->bytes);
            free(a), free(b);
            nigh_plan_free(ctx, loaded);
            nigh_plan_free(ctx, plan);
        }
    test_folder_remove(folder);
    map_set_free(ctx, &sets[0]);
    map_set_free(ctx, &sets[1]);
    test_context_free(ctx);
}

/* A plan whose arrays do not fit together is refused, by whatever method it says it is of. */
static void test_wrong_method(void **state)
{
    nigh_context *ctx = test_context_new();
    register_all(ctx);
    map_set set = map_set_new(ctx, 60, 4, 3, -1, 1, 22, map_projectile);
    char *folder = test_folder_new(), path[256];
    snprintf(path, sizeof path, "%s/plan.nigh", folder);
    for (int i = 0; i < MAP_CASES; i++) {
        nigh_plan *plan = plan_of(ctx, &set, i, 60), *loaded = NULL;
        nigh_method other = map_cases[i].method == &nigh_method_nearest ? nigh_method_mean : nigh_method_nearest;
        plan->method = &other;
        plan->settings = nigh_settings_default(&other);
        assert_ok(ctx, nigh_plan_save(ctx, plan, path));
        nigh_status status = nigh_plan_load(ctx, path, &loaded);
        assert_int_equal(status, NIGH_FORMAT);
        assert_null(loaded);
        /* A sample of another shape than the arrays. */
        plan->method = map_cases[i].method;
        plan->settings = nigh_settings_default(plan->method);
        plan->out.dim[0] = 2;
        assert_ok(ctx, nigh_plan_save(ctx, plan, path));
        assert_fails(ctx, nigh_plan_load(ctx, path, &loaded), NIGH_FORMAT, "");
        nigh_plan_free(ctx, plan);
    }
    test_folder_remove(folder);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static int run(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_text(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static const char driver[] = "#include <stdio.h>\n"
                             "#include <stdlib.h>\n"
                             "void model(long n, const double *in, double *out);\n"
                             "int main(int argc, char **argv)\n"
                             "{\n"
                             "    long n = atol(argv[1]), d = atol(argv[2]), m = atol(argv[3]);\n"
                             "    double *in = malloc(n * d * sizeof *in), *out = malloc(n * m * sizeof *out);\n"
                             "    if (argc != 4 || fread(in, sizeof *in, n * d, stdin) != (size_t)(n * d)) return 2;\n"
                             "    model(n, in, out);\n"
                             "    return fwrite(out, sizeof *out, n * m, stdout) != (size_t)(n * m);\n"
                             "}\n";

static void compare_export(nigh_context *ctx, const char *folder, const char *compiler, const map_set *set, const nigh_plan *plan)
{
    enum { TRY = 100 };
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && %s -std=c99 -O1 -Wall -Wextra -Werror -c model.c && %s -O1 main.c model.o -lm -o run && ./run %d %lld %lld < in > out", folder,
             compiler, compiler, TRY, (long long)set->d, (long long)set->m);
    if (run(command) != 0) fail_msg("%s of %s failed", compiler, plan->method->name);
    double *ours = malloc((size_t)(TRY * set->m) * sizeof *ours), *theirs = malloc((size_t)(TRY * set->m) * sizeof *theirs);
    snprintf(command, sizeof command, "%s/out", folder);
    FILE *file = fopen(command, "rb");
    assert_int_equal(fread(theirs, sizeof *theirs, (size_t)(TRY * set->m), file), (size_t)(TRY * set->m));
    fclose(file);
    map_apply(ctx, plan, TRY, set->x, ours);
    double scale = magnitude(plan, TRY * set->m, ours);
    for (int64_t k = 0; k < TRY * set->m; k++) assert_near(theirs[k], ours[k], EXPORT_TOLERANCE * scale, 0);
    free(ours), free(theirs);
}

static void test_export(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set sets[2] = {map_set_new(ctx, 120, 4, 3, -1, 1, 23, map_projectile), map_field_set(ctx, 120, 24)};
    char *folder = test_folder_new(), path[256];
    bool clang = run("command -v clang > /dev/null 2>&1") == 0;
    for (int s = 0; s < 2; s++) {
        snprintf(path, sizeof path, "%s/in", folder);
        write_text(path, (const char *)sets[s].x, (size_t)(sets[s].n * sets[s].d) * sizeof(double));
        snprintf(path, sizeof path, "%s/main.c", folder);
        write_text(path, driver, sizeof driver - 1);
        for (int i = 0; i < MAP_CASES; i++) {
            nigh_plan *plan = plan_of(ctx, &sets[s], i, 60);
            if (!plan) continue;
            nigh_buffer text = {.ctx = ctx};
            assert_ok(ctx, plan->ops->export_c(ctx, plan, "model", &text));
            snprintf(path, sizeof path, "%s/model.c", folder);
            write_text(path, text.data, text.size);
            compare_export(ctx, folder, "gcc", &sets[s], plan);
            if (clang) compare_export(ctx, folder, "clang", &sets[s], plan);
            nigh_buffer_free(&text);
            nigh_plan_free(ctx, plan);
        }
    }
    test_folder_remove(folder);
    map_set_free(ctx, &sets[0]);
    map_set_free(ctx, &sets[1]);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_wrong_method),
        cmocka_unit_test(test_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
