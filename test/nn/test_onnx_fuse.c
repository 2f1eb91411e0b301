/* Activations that ONNX files spread over several operators become one layer, in any order, and have bounds; what is not the same, or is read elsewhere, stays as it is. */
#include "networks.h"
#include "onnx_words.h"
#include "verify/graph.h"

#include <math.h>

static const char constants[] = "h f - 0.5|o f - 1|r f - 1.4142135|i f - 0.70710678|s f - 0.7978846|k f - 0.044715|t f - 3|two f 1 2|four f 1 4|n f - -1";

static double silu(double x) { return x / (1 + exp(-x)); }
static double silu_twice(double x) { return silu(2 * x) / 2; }
static double silu_back(double x) { return -silu(-x); }
static double gelu(double x) { return 0.5 * x * (1 + erf(x * sqrt(0.5))); }
static double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }
static double silu_deep(double x) { return silu(silu(x)); }

/* The gate of each is called g. */
static const struct {
    const char *nodes, *kinds;
    double (*f)(double);
} fused[] = {
    {"Sigmoid x>g|Mul x,g>y", "silu", silu},
    {"Sigmoid x>g|Mul g,x>y", "silu", silu},
    {"Mul x,two>a|Sigmoid a>g|Mul x,g>y", "affine silu affine", silu_twice},
    {"Mul x,n>a|Sigmoid a>g|Mul x,g>y", "affine silu affine", silu_back},
    {"Sigmoid x>q|Mul x,q>z|Sigmoid z>g|Mul z,g>y", "silu silu", silu_deep},
    {"Div x,r>a|Erf a>g|Add g,o>b|Mul x,b>c|Mul c,h>y", "gelu", gelu},
    {"Mul x,i>a|Erf a>g|Add o,g>b|Mul b,x>c|Mul h,c>y", "gelu", gelu},
    {"Mul x,h>d|Div x,r>a|Erf a>g|Add g,o>b|Mul d,b>y", "gelu", gelu},
    {"Mul i,x>a|Erf a>g|Add g,o>b|Mul b,h>c|Mul c,x>y", "gelu", gelu},
    {"Div x,r>a|Erf a>g|Add g,o>b|Mul x,b>c|Div c,two>y", "gelu", gelu},
    {"Mul i,x>a|Erf a>g|Mul g,h>b|Add b,h>c|Mul c,x>y", "gelu", gelu},
    {"Constant >w value=t:w f - 1.41421354|Div x,w>a|Erf a>g|Constant >v value=t:v f - 1|Add g,v>b|Mul x,b>c|Constant >u value=t:u f - 0.5|Mul c,u>y", "gelu", gelu},
    {"Pow x,t>a|Mul a,k>b|Add x,b>c|Mul c,s>d|Tanh d>g|Add g,o>e|Mul x,h>f|Mul f,e>y", "gelu-tanh", gelu_tanh},
    {"Mul x,x>q|Mul q,x>a|Mul k,a>b|Add b,x>c|Mul s,c>d|Tanh d>g|Add o,g>e|Mul x,e>f|Mul h,f>y", "gelu-tanh", gelu_tanh},
    {"Mul x,x>q|Mul q,k>a|Add a,o>b|Mul x,b>c|Mul c,s>d|Tanh d>g|Add o,g>e|Mul x,e>f|Mul h,f>y", "gelu-tanh", gelu_tanh},
};

/* Kinds behind the input, with spaces between. */
static void kinds_of(const nigh_network *net, char *text, size_t size)
{
    *text = 0;
    for (int i = 1; i < nigh_network_layers(net); i++) {
        size_t at = strlen(text);
        snprintf(text + at, size - at, i > 1 ? " %s" : "%s", nigh_network_at(net, i)->kind);
    }
}

static nigh_network *read_words(nigh_context *ctx, const char *nodes, const char *dims, const char *tensors, const char *outputs)
{
    nigh_buffer model = {.ctx = ctx};
    nigh_network *net;
    model_with(ctx, 18, nodes, dims, tensors, outputs, &model);
    if (nigh_onnx_parse(ctx, model.data, model.size, "m", &net)) fail_msg("%s: %s", nodes, nigh_message(ctx));
    nigh_buffer_free(&model);
    return net;
}

static void fuses(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof fused / sizeof *fused; c++) {
        nigh_network *net = read_words(ctx, fused[c].nodes, "1,41", constants, "y"), *apart = read_words(ctx, fused[c].nodes, "1,41", constants, "y,g");
        nigh_array x = {.shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {1, 41}}}, y, both[2];
        char kinds[200];
        kinds_of(net, kinds, sizeof kinds);
        if (strcmp(kinds, fused[c].kinds)) fail_msg("%s: %s, not %s", fused[c].nodes, kinds, fused[c].kinds);
        kinds_of(apart, kinds, sizeof kinds);
        if (!strstr(kinds, "mul") || strstr(kinds, "gelu")) fail_msg("%s: %s though the gate is an output", fused[c].nodes, kinds);
        assert_ok(ctx, nigh_array_new(ctx, &x.shape, &x));
        for (int i = 0; i < 41; i++) nigh_array_set(&x, i, 0.25 * (i - 20));
        run_on_tape(net, &x, &y);
        run_on_tape(apart, &x, both);
        for (int i = 0; i < 41; i++) {
            double got = nigh_array_get(&y, i), other = nigh_array_get(&both[0], i), want = fused[c].f(0.25 * (i - 20));
            bool near = fabs(got - want) <= 1e-6 * (1 + fabs(want)) && fabs(got - other) <= 1e-6 * (1 + fabs(want));
            if (!near) fail_msg("%s at %g: %.9g, apart %.9g, not %.9g", fused[c].nodes, 0.25 * (i - 20), got, other, want);
        }
        bound_graph *graph;
        assert_ok(ctx, bound_graph_new(ctx, net, &x.shape, false, &graph));
        assert_true(graph->activations >= 1);
        bound_graph_free(graph);
        assert_fails(ctx, bound_graph_new(ctx, apart, &x.shape, false, &graph), NIGH_UNSUPPORTED, "the-node");
        nigh_array_free(ctx, &x), nigh_array_free(ctx, &y), nigh_array_free(ctx, &both[0]), nigh_array_free(ctx, &both[1]);
        nigh_network_free(net), nigh_network_free(apart);
    }
    test_context_free(ctx);
}

static void leaves_others(void **state)
{
    (void)state;
    static const char *const other[] = {
        "HardSwish x>y",
        "Mul x,c1702>a|Sigmoid a>g|Mul x,g>y",             /* no power of two: 1 / 1.702 would be rounded */
        "Add x,o>a|Sigmoid a>g|Mul x,g>y",                 /* shifted inside */
        "Sigmoid x>g|Mul x,g>z|Add z,g>y",                 /* the gate is read twice */
        "Sigmoid x>g|Mul x,g>z|Sigmoid w>v|Mul g,v>y",     /* and once more beside the product */
        "Div x,off>a|Erf a>g|Add g,o>b|Mul x,b>c|Mul c,h>y", /* 1.4143 */
        "Div x,r>a|Erf a>g|Add g,o>b|Mul x,b>c|Mul c,o>y", /* twice gelu */
        "Div x,r>a|Erf a>g|Sub g,o>b|Mul x,b>c|Mul c,h>y", /* another sign */
        "Div x,r>a|Erf a>g|Add g,o>b|Mul x,b>c|Mul c,h>d|Mul d,b>y", /* 1 + erf is read twice */
        "Div x,rr>a|Erf a>g|Add g,o>b|Mul x,b>c|Mul c,h>y", /* a number for each element */
        "Tanh x>g|Add g,o>b|Mul x,b>c|Mul c,h>y",
        "Relu x>a|Sigmoid a>g|Mul x,g>y",
    };
    char tensors[600];
    snprintf(tensors, sizeof tensors, "%s|c1702 f - 1.702|off f - 1.4143|w f 1,3 1,2,3|rr f 3 1.4142135,1.4142135,1.4142135", constants);
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof other / sizeof *other; c++) {
        char kinds[200];
        nigh_network *net = read_words(ctx, other[c], "1,3", tensors, "y");
        kinds_of(net, kinds, sizeof kinds);
        if (strstr(kinds, "silu") || strstr(kinds, "gelu")) fail_msg("%s: %s", other[c], kinds);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Swish as an operator, with any factor; shapes that numbers of one dimension give; fixed tensors. */
static void reads_swish(void **state)
{
    (void)state;
    static const struct {
        const char *nodes, *dims, *kinds;
        double x, y;
        int rank;
    } cases[] = {
        {"Swish x>y", "1,1", "silu", 1.5, 1.2263617, 2},
        {"Swish x>y alpha=f:0.5", "1,1", "affine silu affine", 1.5, 1.0187680, 2},
        {"Swish x>y alpha=f:1.702", "1,1", "affine sigmoid mul", 1.5, 1.3916622, 2},
        {"Mul x,two>a|Sigmoid a>g|Mul x,g>y", "", "affine silu affine reshape", 1.5, 1.4288612, 1},
        {"Sigmoid two>g|Mul two,g>w|Add x,w>y", "1,1", "affine", 1, 2.7615942, 2},
    };
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nigh_buffer model = {.ctx = ctx};
        nigh_network *net;
        char kinds[200];
        nigh_array x = {.shape = {.dtype = NIGH_F32, .ndim = *cases[c].dims ? 2 : 0, .dim = {1, 1}}}, y;
        model_of(ctx, 24, cases[c].nodes, cases[c].dims, constants, &model);
        if (nigh_onnx_parse(ctx, model.data, model.size, "m", &net)) fail_msg("%s: %s", cases[c].nodes, nigh_message(ctx));
        kinds_of(net, kinds, sizeof kinds);
        assert_string_equal(kinds, cases[c].kinds);
        assert_ok(ctx, nigh_array_new(ctx, &x.shape, &x));
        nigh_array_set(&x, 0, cases[c].x);
        run_on_tape(net, &x, &y);
        assert_int_equal(y.shape.ndim, cases[c].rank);
        assert_near(nigh_array_get(&y, 0), cases[c].y, 1e-6, 1e-6);
        nigh_array_free(ctx, &x), nigh_array_free(ctx, &y);
        nigh_network_free(net);
        nigh_buffer_free(&model);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fuses), cmocka_unit_test(leaves_others), cmocka_unit_test(reads_swish)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
