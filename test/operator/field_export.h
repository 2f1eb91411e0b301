/* Plans of methods for fields as C: compiled, run, held against the plan. */
#ifndef NIGH_TEST_FIELD_EXPORT_H
#define NIGH_TEST_FIELD_EXPORT_H
#include "support.h"

#include "nigh/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void export_write(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* Answers of the plan's C for n inputs, compiled without a warning: within absolute + relative |answer| of the plan's own. */
static void check_exported_plan(nigh_context *ctx, const nigh_plan *plan, const char *compiler, int64_t n, const double *in, double absolute, double relative)
{
    static const char main_c[] = "#include <stdio.h>\n#include <stdlib.h>\nvoid model(long n, const double *in, double *out);\n"
                                 "int main(int argc, char **argv)\n{\n    long d = atol(argv[1]), m = atol(argv[2]), n = atol(argv[3]);\n"
                                 "    double *in = malloc(n * d * sizeof *in), *out = malloc(n * m * sizeof *out);\n"
                                 "    if (argc != 4 || fread(in, sizeof *in, n * d, stdin) != (size_t)(n * d)) return 2;\n    model(n, in, out);\n"
                                 "    return fwrite(out, sizeof *out, n * m, stdout) != (size_t)(n * m);\n}\n";
    int64_t d = nigh_shape_count(&plan->in), m = nigh_shape_count(&plan->out);
    size_t bytes = (size_t)(n * m) * sizeof(double), room = nigh_plan_workspace(plan);
    double *ours = malloc(bytes), *theirs = malloc(bytes);
    void *workspace = nigh_alloc(ctx, room);
    char *folder = test_folder_new(), command[1024];
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_plan_export(ctx, plan, "model", &text));
    export_write(folder, "main.c", main_c, sizeof main_c - 1);
    export_write(folder, "model.c", text.data, text.size);
    export_write(folder, "in", in, (size_t)(n * d) * sizeof(double));
    snprintf(command, sizeof command, "cd %s && %s -Wall -Wextra -Werror -pedantic -c model.c && cc main.c model.o -lm -o run && ./run %lld %lld %lld < in > out", folder, compiler, (long long)d,
             (long long)m, (long long)n);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/out", folder);
    FILE *file = fopen(command, "rb");
    assert_int_equal(fread(theirs, 1, bytes, file), bytes);
    fclose(file);
    assert_ok(ctx, nigh_plan_apply(plan, n, in, ours, workspace, room));
    for (int64_t k = 0; k < n * m; k++) assert_near(theirs[k], ours[k], absolute, relative);
    nigh_buffer_free(&text);
    nigh_free(ctx, workspace);
    free(ours), free(theirs);
    test_folder_remove(folder);
}
#endif
