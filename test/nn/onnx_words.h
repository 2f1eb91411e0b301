/* A small writer of ONNX files from words, for tests of the reader. */
#ifndef NIGH_TEST_ONNX_WORDS_H
#define NIGH_TEST_ONNX_WORDS_H
#include "support.h"

#include "nigh/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void varint(nigh_buffer *b, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        assert_int_equal(nigh_buffer_add(b, &byte, 1), NIGH_OK);
    } while (v >>= 7);
}

static void whole(nigh_buffer *b, int field, int64_t v) { varint(b, (uint64_t)field << 3), varint(b, (uint64_t)v); }

static void bytes(nigh_buffer *b, int field, const void *data, size_t size)
{
    varint(b, (uint64_t)field << 3 | 2), varint(b, size);
    if (size) assert_int_equal(nigh_buffer_add(b, data, size), NIGH_OK);
}

static void text(nigh_buffer *b, int field, const char *s) { bytes(b, field, s, strlen(s)); }

static void message(nigh_buffer *b, int field, nigh_buffer *inner)
{
    bytes(b, field, inner->data ? inner->data : "", inner->size);
    inner->size = 0;
}

static int numbers(const char *s, double *out)
{
    int n = 0;
    for (char *end; *s; s = *end ? end + 1 : end) out[n++] = strtod(s, &end);
    return n;
}

/* "1,2,4" with -1 for an open dimension; type 1: float, 7: int64. */
static void end_of(nigh_context *ctx, nigh_buffer *graph, int field, const char *name, int type, const char *dims)
{
    nigh_buffer dim = {.ctx = ctx}, shape = {.ctx = ctx}, tensor = {.ctx = ctx}, outer = {.ctx = ctx}, info = {.ctx = ctx};
    double size[8];
    int n = numbers(dims, size);
    for (int i = 0; i < n; i++) {
        if (size[i] < 0) text(&dim, 2, "n");
        else whole(&dim, 1, (int64_t)size[i]);
        message(&shape, 1, &dim);
    }
    whole(&tensor, 1, type);
    message(&tensor, 2, &shape);
    message(&outer, 1, &tensor);
    text(&info, 1, name);
    message(&info, 2, &outer);
    message(graph, field, &info);
    nigh_buffer_free(&dim), nigh_buffer_free(&shape), nigh_buffer_free(&tensor), nigh_buffer_free(&outer), nigh_buffer_free(&info);
}

/* "NAME f 2,2 1,2,3,4" (f: float, i: int64; "-": no dimensions) into the field. */
static void tensor_of(nigh_context *ctx, nigh_buffer *to, int field, const char *spec)
{
    char name[64], type, dims[64], data[512];
    double dim[8], value[64];
    nigh_buffer t = {.ctx = ctx};
    assert_int_equal(sscanf(spec, "%63s %c %63s %511s", name, &type, dims, data), 4);
    int n = *dims == '-' ? 0 : numbers(dims, dim), count = numbers(data, value);
    for (int i = 0; i < n; i++) whole(&t, 1, (int64_t)dim[i]);
    whole(&t, 2, type == 'i' ? 7 : 1);
    for (int i = 0; i < count; i++) {
        float single = (float)value[i];
        if (type == 'i') whole(&t, 7, (int64_t)value[i]);
        else varint(&t, 4 << 3 | 5), assert_int_equal(nigh_buffer_add(&t, &single, 4), NIGH_OK);
    }
    text(&t, 8, name);
    message(to, field, &t);
    nigh_buffer_free(&t);
}

/* "OP a,b>y,z key=i:1;key=l:0,1;key=f:0.5;key=s:word;key=t:NAME f - 1" */
static void node_of(nigh_context *ctx, nigh_buffer *graph, const char *spec)
{
    char copy[512], *rest = copy, *op, *ends, *in, *out, *one;
    nigh_buffer node = {.ctx = ctx}, a = {.ctx = ctx};
    snprintf(copy, sizeof copy, "%s", spec);
    op = strsep(&rest, " ");
    ends = strsep(&rest, " ");
    in = strsep(&ends, ">"), out = ends;
    while (in && *in && (one = strsep(&in, ","))) text(&node, 1, strcmp(one, "-") ? one : "");
    while ((one = strsep(&out, ","))) text(&node, 2, one);
    char *domain = strchr(op, ':');
    if (domain) *domain = 0, text(&node, 7, domain + 1);
    text(&node, 3, "the-node");
    text(&node, 4, op);
    while (rest && (one = strsep(&rest, ";"))) {
        char *value = strchr(one, '=');
        double list[32];
        *value++ = 0;
        text(&a, 1, one);
        float single = (float)strtod(value + 2, NULL);
        if (*value == 'i') whole(&a, 3, strtoll(value + 2, NULL, 10));
        else if (*value == 's') text(&a, 4, value + 2);
        else if (*value == 'f') varint(&a, 2 << 3 | 5), assert_int_equal(nigh_buffer_add(&a, &single, 4), NIGH_OK);
        else if (*value == 't') tensor_of(ctx, &a, 5, value + 2);
        else
            for (int i = 0, n = numbers(value + 2, list); i < n; i++) whole(&a, 8, (int64_t)list[i]);
        message(&node, 5, &a);
    }
    message(graph, 1, &node);
    nigh_buffer_free(&node), nigh_buffer_free(&a);
}

/* Nodes with '|' between, tensors with '|' between, outputs with ',' between; input x. */
static void model_with(nigh_context *ctx, int opset, const char *nodes, const char *dims, const char *tensors, const char *outputs, nigh_buffer *model)
{
    nigh_buffer graph = {.ctx = ctx}, set = {.ctx = ctx};
    char copy[1024], *rest, *one;
    snprintf(copy, sizeof copy, "%s", nodes);
    for (rest = copy; (one = strsep(&rest, "|"));) node_of(ctx, &graph, one);
    snprintf(copy, sizeof copy, "%s", tensors);
    for (rest = copy; (one = strsep(&rest, "|"));)
        if (*one) tensor_of(ctx, &graph, 5, one);
    end_of(ctx, &graph, 11, "x", 1, dims);
    snprintf(copy, sizeof copy, "%s", outputs);
    for (rest = copy; (one = strsep(&rest, ","));) end_of(ctx, &graph, 12, one, 1, "");
    message(model, 7, &graph);
    whole(&set, 2, opset);
    message(model, 8, &set);
    nigh_buffer_free(&graph), nigh_buffer_free(&set);
}

/* The same with the output y. */
static void model_of(nigh_context *ctx, int opset, const char *nodes, const char *dims, const char *tensors, nigh_buffer *model)
{
    model_with(ctx, opset, nodes, dims, tensors, "y", model);
}
#endif
