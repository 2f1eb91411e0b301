#include "exported.h"

#include "networks.h"
#include "support.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const exported_way exported_all[] = {{"gcc", "-std=c99 -O2"}, {"gcc", "-std=c99 -O3 -march=native"}, {"clang", "-std=c99 -O2"}, {"clang", "-std=c99 -O3 -march=native"}, {NULL, NULL}};

/* NULL when this compiler is not here. */
static void *compile(const char *folder, int number, const exported_way *way)
{
    char command[1024], path[512];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", way->compiler);
    if (system(command)) return NULL;
    snprintf(path, sizeof path, "%s/net-%d.so", folder, number);
    snprintf(command, sizeof command, "%s %s -Wall -Wextra -Werror -pedantic -shared -fPIC -o %s %s/net.c -lm", way->compiler, way->options, path, folder);
    if (system(command)) fail_msg("not compiled: %s", command);
    void *library = dlopen(path, RTLD_NOW);
    if (!library) fail_msg("%s", dlerror());
    return library;
}

long exported_number(const nigh_buffer *text, const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "#define %s ", name);
    const char *at = strstr(text->data, line);
    assert_non_null(at);
    return atol(at + strlen(line));
}

/* One to three inputs, one output. */
static void call(void *library, int inputs, const nigh_array *x, void *y, void *s)
{
    void *symbol = dlsym(library, "net");
    void (*one)(const void *, void *, void *), (*two)(const void *, const void *, void *, void *), (*three)(const void *, const void *, const void *, void *, void *);
    assert_non_null(symbol);
    *(void **)&one = *(void **)&two = *(void **)&three = symbol;
    if (inputs == 1) one(x[0].data, y, s);
    else if (inputs == 2) two(x[0].data, x[1].data, y, s);
    else three(x[0].data, x[1].data, x[2].data, y, s);
}

static void compare(void *library, int inputs, const nigh_array *x, const nigh_array *want, size_t scratch, double tolerance, const char *options)
{
    size_t size = nigh_dtype_size(want->shape.dtype), count = (size_t)nigh_shape_count(&want->shape);
    char *s = malloc(scratch * size + 64), *y = malloc(count * size + 64);
    memset(s, 0xff, scratch * size + 64);
    memset(y, 0x55, count * size + 64);
    nigh_array got = {.shape = want->shape, .data = y};
    for (int again = 0; again < 2; again++) { /* what is left in s must not matter */
        call(library, inputs, x, y, s);
        for (size_t k = 0; k < count; k++) {
            double a = nigh_array_get(&got, (int64_t)k), b = nigh_array_get(want, (int64_t)k);
            if (!(a - b <= tolerance * (1 + (b < 0 ? -b : b)) && b - a <= tolerance * (1 + (b < 0 ? -b : b)))) fail_msg("%s: number %zu is %.9g, by the tape %.9g", options, k, a, b);
        }
    }
    for (int k = 0; k < 64; k++)
        if (s[scratch * size + (size_t)k] != (char)0xff || y[count * size + (size_t)k] != 0x55) fail_msg("%s: written beyond an array", options);
    free(s);
    free(y);
}

void check_exported(nigh_network *net, const nigh_shape *shapes, const double *low, const double *high, double tolerance, const exported_way *ways, nigh_buffer *text)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_array x[3] = {{{0}, NULL}}, want[1];
    nigh_buffer own = {.ctx = ctx};
    char *folder = test_folder_new(), path[512];
    int inputs = nigh_network_inputs(net);
    assert_in_range(inputs, 1, 3);
    assert_int_equal(nigh_network_outputs(net), 1);
    for (int i = 0; i < inputs; i++) {
        assert_ok(ctx, nigh_array_new(ctx, &shapes[i], &x[i]));
        fill_uniform(&x[i], low ? low[i] : -1, high ? high[i] : 1, 11 + (uint64_t)i);
    }
    if (!text) text = &own;
    assert_ok(ctx, nigh_network_export(net, shapes, "net", text));
    run_on_tape(net, x, want);
    snprintf(path, sizeof path, "%s/net.c", folder);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    assert_int_equal(fclose(file), 0);
    assert_null(strstr(text->data, "alloc("));
    for (int i = 0; ways[i].compiler; i++) {
        void *library = compile(folder, i, &ways[i]);
        if (!library) continue;
        compare(library, inputs, x, &want[0], (size_t)exported_number(text, "net_SCRATCH"), tolerance, ways[i].options);
        dlclose(library);
    }
    test_folder_remove(folder);
    for (int i = 0; i < inputs; i++) nigh_array_free(ctx, &x[i]);
    nigh_array_free(ctx, &want[0]);
    nigh_buffer_free(&own);
}

nigh_network *new_network(nigh_context *ctx, nigh_dtype dtype)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    return net;
}

int add_layer(nigh_network *net, const char *kind, int x, int weights, const int *weight, int n, const nigh_attribute *attribute)
{
    char name[32];
    snprintf(name, sizeof name, "layer%d", nigh_network_layers(net));
    return nigh_network_add(net, kind, name, 1, &x, weights, weight, n, attribute);
}

void check_output(nigh_network *net, int x, const nigh_shape *shape, double weights, double tolerance, const exported_way *ways)
{
    nigh_network_output(net, x);
    if (nigh_network_status(net)) fail_msg("%s", nigh_message(nigh_network_context(net)));
    fill_weights(net, -weights, weights, 6);
    check_exported(net, shape, NULL, NULL, tolerance, ways, NULL);
    nigh_network_free(net);
}
