/* ONNX operators against values worked out by hand, one node a graph (constants folded: several); what is not read, and how that is said. */
#include "networks.h"
#include "onnx_words.h"

#include <math.h>

/* ---- values --------------------------------------------------------------------------------------------- */

static const struct {
    int opset;
    const char *nodes, *dims, *x, *tensors, *to, *y;
} cases[] = {
    {18, "Split x,s>a,y axis=i:1", "1,4", "1,2,3,4", "s i 2 1,3", "1,3", "2,3,4"},
    {18, "Split x>a,y axis=i:-1;num_outputs=i:2", "1,5", "1,2,3,4,5", "", "1,2", "4,5"},
    {11, "Split x>a,y axis=i:0;split=l:1,2", "3", "1,2,3", "", "2", "2,3"},
    {18, "Gather x,i>y axis=i:1", "2,3", "1,2,3,4,5,6", "i i 3 2,0,-3", "2,3", "3,1,1,6,4,4"},
    {18, "Gather x,i>y axis=i:0", "3,2", "1,2,3,4,5,6", "i i 2,1 2,0", "2,1,2", "5,6,1,2"},
    {18, "Gather x,i>y axis=i:1", "1,3", "1,2,3", "i i - 1", "1", "2"},
    {18, "Pad x,p>y mode=s:reflect", "1,3", "1,2,3", "p i 4 0,2,0,1", "1,6", "3,2,1,2,3,2"},
    {18, "Pad x,p>y mode=s:edge", "1,3", "1,2,3", "p i 4 0,1,0,2", "1,6", "1,1,2,3,3,3"},
    {19, "Pad x,p>y mode=s:wrap", "1,3", "1,2,3", "p i 4 0,1,0,2", "1,6", "3,1,2,3,1,2"},
    {18, "Pad x,p,v>y", "1,3", "1,2,3", "p i 4 0,-1,0,1|v f - 7", "1,3", "2,3,7"},
    {18, "Pad x,p,-,a>y", "1,2", "1,2", "p i 2 1,0|a i 1 -1", "1,3", "0,1,2"},
    {18, "ReduceL2 x,a>y keepdims=i:0", "1,2", "3,4", "a i 1 1", "1", "5"},
    {13, "ReduceL1 x>y axes=l:-1", "2,2", "1,-2,3,-4", "", "2,1", "3,7"},
    {18, "ReduceProd x>y keepdims=i:0", "1,3", "2,3,4", "", "-", "24"},
    {18, "ReduceSumSquare x,a>y", "1,3", "1,2,3", "a i 1 1", "1,1", "14"},
    {18, "ReduceMax x,a>y keepdims=i:1", "2,2", "1,5,3,2", "a i 1 0", "1,2", "3,5"},
    {18, "ReduceSum x>y noop_with_empty_axes=i:1", "1,2", "1,2", "", "1,2", "1,2"},
    {18, "ReduceLogSumExp x>y keepdims=i:0", "1,2", "0,0", "", "-", "0.69314718"},
    {18, "ConvTranspose x,w>y strides=l:2;output_padding=l:1", "1,1,2", "1,2", "w f 1,1,2 1,10", "1,1,5", "1,10,2,20,0"},
    {18, "ConvTranspose x,w>y strides=l:2;auto_pad=s:SAME_UPPER", "1,1,2", "1,2", "w f 1,1,3 1,10,100", "1,1,4", "1,10,102,20"},
    {18, "ConvTranspose x,w>y group=i:2", "1,2,1", "1,2", "w f 2,1,2 3,4,5,6", "1,2,2", "3,4,10,12"},
    {18, "Conv x,w,b>y auto_pad=s:SAME_LOWER", "1,1,3", "1,2,3", "w f 1,1,2 10,1|b f 1 0.5", "1,1,3", "1.5,12.5,23.5"},
    {18, "MaxPool x>y kernel_shape=l:2;strides=l:3;ceil_mode=i:1", "1,1,4", "1,2,3,4", "", "1,1,2", "2,4"},
    {18, "MaxPool x>y kernel_shape=l:2;dilations=l:2", "1,1,4", "4,1,3,2", "", "1,1,2", "4,2"},
    {18, "AveragePool x>y kernel_shape=l:3;strides=l:2;pads=l:1,1;ceil_mode=i:1;count_include_pad=i:1", "1,1,4", "1,2,3,4", "", "1,1,3", "1,3,2"},
    {18, "AveragePool x>y kernel_shape=l:2;strides=l:2;pads=l:1,1", "1,1,2", "1,2", "", "1,1,2", "1,2"},
    {18, "GlobalMaxPool x>y", "1,2,2", "1,3,5,4", "", "1,2,1", "3,5"},
    {18, "ThresholdedRelu x>y alpha=f:2", "1,3", "1,2,3", "", "1,3", "0,0,3"},
    {18, "HardSigmoid x>y", "1,3", "-5,0,5", "", "1,3", "0,0.5,1"},
    {18, "HardSwish x>y", "1,3", "-4,1.5,4", "", "1,3", "0,1.125,4"},
    {18, "Selu x>y alpha=f:1;gamma=f:2", "1,2", "-0.69314718,3", "", "1,2", "-1,6"},
    {18, "Celu x>y alpha=f:2", "1,2", "-1.38629436,3", "", "1,2", "-1,3"},
    {18, "Mish x>y", "1,2", "0,1", "", "1,2", "0,0.8650984"},
    {18, "Shrink x>y lambd=f:1;bias=f:0.5", "1,3", "-2,0.5,2", "", "1,3", "-1.5,0,1.5"},
    {18, "Softsign x>y", "1,2", "-1,3", "", "1,2", "-0.5,0.75"},
    {18, "PRelu x,s>y", "1,2", "-1,-2", "s f 2 0.5,3", "1,2", "-0.5,-6"},
    {18, "Ceil x>y", "1,2", "-1.5,1.5", "", "1,2", "-1,2"},
    {18, "Clip x,-,h>y", "1,2", "-9,9", "h f - 2", "1,2", "-9,2"},
    {18, "Sum x,w,x>y", "1,2", "1,2", "w f 1 10", "1,2", "12,14"},
    {18, "Mean x,w>y", "1,2", "1,2", "w f 2 3,6", "1,2", "2,4"},
    {18, "Sub w,x>y", "1,2", "1,2", "w f - 1", "1,2", "0,-1"},
    {18, "Less x,w>m|Where m,x,w>y", "1,3", "1,2,3", "w f - 2", "1,3", "1,2,2"},
    {18, "GreaterOrEqual x,w>m|Cast m>y to=i:1", "1,3", "1,2,3", "w f - 2", "1,3", "0,1,1"},
    {18, "Cast x>t to=i:7|Cast t>y to=i:1", "1,3", "-1.7,1.7,2", "", "1,3", "-1,1,2"},
    {18, "Mod x,w>y fmod=i:1", "1,2", "-5,5", "w f - 3", "1,2", "-2,2"},
    {18, "Resize x,-,-,s>y mode=s:linear", "1,1,2", "1,2", "s i 3 1,1,4", "1,1,4", "1,1.25,1.75,2"},
    {18, "Resize x,-,f>y mode=s:nearest;coordinate_transformation_mode=s:asymmetric;nearest_mode=s:floor", "1,1,2", "1,2", "f f 3 1,1,2", "1,1,4", "1,1,2,2"},
    {18, "Resize x,-,f>y mode=s:nearest;nearest_mode=s:ceil", "1,1,3", "1,2,3", "f f 3 1,1,2", "1,1,6", "1,2,2,3,3,3"},
    {18, "Resize x,-,-,s>y mode=s:linear;coordinate_transformation_mode=s:align_corners", "1,1,2", "1,3", "s i 3 1,1,3", "1,1,3", "1,2,3"},
    {9, "Upsample x,f>y mode=s:nearest", "1,1,2", "1,2", "f f 3 1,1,2", "1,1,4", "1,1,2,2"},
    {18, "Gemm x,b,c>y transA=i:1;alpha=f:0.5;beta=f:2", "2,1", "1,2", "b f 2,1 3,4|c f 1 1", "1,1", "7.5"},
    {18, "Gemm x,b,c>y transB=i:1", "2,2", "1,2,3,4", "b f 1,2 3,4|c f 2,1 1,2", "2,1", "12,27"},
    {18, "MatMul w,x>y", "2,1", "1,2", "w f 2,2 1,2,3,4", "2,1", "5,11"},
    {18, "MatMul x,v>y", "2,2", "1,2,3,4", "v f 2 10,1", "2", "12,34"},
    {18, "Einsum x,w>y equation=s:ab,cb->ca", "1,2", "1,2", "w f 2,2 1,2,3,4", "2,1", "5,11"},
    {18, "InstanceNormalization x,s,b>y epsilon=f:0", "1,2,2", "1,3,5,9", "s f 2 2,3|b f 2 0,1", "1,2,2", "-2,2,-2,4"},
    {18, "GroupNormalization x,s,b>y epsilon=f:0;num_groups=i:1", "1,2,1", "1,3", "s f 1 2|b f 1 1", "1,2,1", "-1,3"},
    {18, "LayerNormalization x,s>y epsilon=f:0;axis=i:1", "1,2", "1,3", "s f 2 2,3", "1,2", "-2,3"},
    {18, "LpNormalization x>y p=i:1;axis=i:1", "1,2", "1,3", "", "1,2", "0.25,0.75"},
    {18, "LRN x>y size=i:1;alpha=f:1;beta=f:1;bias=f:1", "1,2,1", "1,2", "", "1,2,1", "0.5,0.4"},
    {11, "Softmax x>y axis=i:1", "1,2,2", "0,0,0,0", "", "1,2,2", "0.25,0.25,0.25,0.25"},
    {18, "Trilu x>y upper=i:1", "2,2", "1,2,3,4", "", "2,2", "1,2,0,4"},
    {18, "CumSum x,a>y reverse=i:1;exclusive=i:1", "1,3", "1,2,3", "a i - 1", "1,3", "5,3,0"},
    {18, "Tile x,t>y", "1,2", "1,2", "t i 2 2,2", "2,4", "1,2,1,2,1,2,1,2"},
    {18, "DepthToSpace x>y blocksize=i:2;mode=s:CRD", "1,4,1,1", "1,2,3,4", "", "1,1,2,2", "1,2,3,4"},
    {18, "SpaceToDepth x>y blocksize=i:2", "1,1,2,2", "1,2,3,4", "", "1,4,1,1", "1,2,3,4"},
    {18, "Flatten x>y axis=i:2", "1,2,3", "1,2,3,4,5,6", "", "2,3", "1,2,3,4,5,6"},
    {18, "Slice x,s,e,a,t>y", "1,4", "1,2,3,4", "s i 1 -1|e i 1 -9|a i 1 1|t i 1 -2", "1,2", "4,2"},
    /* folded: 10 times 0, 1, 2 and the size of x; infinities in masks */
    {18, "Shape x>s start=i:1|Gather s,z>n|Range z,n,o>r|Cast r>f to=i:1|Mul f,t>g|Add x,g>y", "1,3", "1,2,3", "z i - 0|o i - 1|t f - 10", "1,3", "1,12,23"},
    {18, "ConstantOfShape s>c value=t:v f 1 -inf|Trilu c,k>m upper=i:1|Add x,m>a|Softmax a>y", "2,2", "0,0,0,0", "s i 2 2,2|k i - 1", "2,2", "1,0,0.5,0.5"},
    {18, "Size x>n|Div n,t>h|Cast h>f to=i:1|Add x,f>y", "1,3", "1,2,3", "t i - 2", "1,3", "2,3,4"},
};

static void check_values(const char *nodes, nigh_network *net, nigh_array *x, const double *to, int rank, const double *want, int count)
{
    nigh_array y;
    run_on_tape(net, x, &y);
    bool same = y.shape.ndim == rank;
    for (int i = 0; i < rank && same; i++) same = y.shape.dim[i] == (int64_t)to[i];
    if (!same) fail_msg("%s: another shape, of %d dimensions", nodes, y.shape.ndim);
    for (int i = 0; i < count; i++)
        if (!(fabs(nigh_array_get(&y, i) - want[i]) <= 3e-6 * (1 + fabs(want[i])))) fail_msg("%s: number %d is %.9g, not %g", nodes, i, nigh_array_get(&y, i), want[i]);
    nigh_array_free(nigh_network_context(net), &y);
}

static void gives_values(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nigh_buffer model = {.ctx = ctx}, back = {.ctx = ctx};
        nigh_network *net, *again = NULL;
        double dim[8], value[32], to[8], want[32];
        nigh_array x = {.shape = {.dtype = NIGH_F32, .ndim = numbers(cases[c].dims, dim)}};
        int count = numbers(cases[c].x, value), rank = *cases[c].to == '-' ? 0 : numbers(cases[c].to, to), wanted = numbers(cases[c].y, want);
        for (int i = 0; i < x.shape.ndim; i++) x.shape.dim[i] = (int64_t)dim[i];
        assert_int_equal(nigh_shape_count(&x.shape), count);
        assert_ok(ctx, nigh_array_new(ctx, &x.shape, &x));
        for (int i = 0; i < count; i++) nigh_array_set(&x, i, value[i]);
        model_of(ctx, cases[c].opset, cases[c].nodes, cases[c].dims, cases[c].tensors, &model);
        if (nigh_onnx_parse(ctx, model.data, model.size, "m", &net)) fail_msg("%s: %s", cases[c].nodes, nigh_message(ctx));
        check_values(cases[c].nodes, net, &x, to, rank, want, wanted);
        if (nigh_onnx_format(net, &x.shape, &back) || nigh_onnx_parse(ctx, back.data, back.size, "back", &again)) fail_msg("%s, written: %s", cases[c].nodes, nigh_message(ctx));
        check_values(cases[c].nodes, again, &x, to, rank, want, wanted);
        nigh_network_free(net);
        nigh_network_free(again);
        nigh_array_free(ctx, &x);
        nigh_buffer_free(&model);
        nigh_buffer_free(&back);
    }
    test_context_free(ctx);
}

/* Any number of samples through reshapes whose sizes are computed from the input, wherever the samples are. */
static void keeps_samples_open(void **state)
{
    (void)state;
    static const char *const graphs[] = {"Shape x>s|Gather s,z>n|Unsqueeze n,a>u|Concat u,m>d axis=i:0|Reshape x,d>y", "Transpose x>t perm=l:1,0|Unsqueeze t,a>u|Squeeze u,a>q|Transpose q>y perm=l:1,0",
                                         "Unsqueeze x,a>u|Gather u,z>y axis=i:0"};
    nigh_context *ctx = test_context_new();
    for (int g = 0; g < 3; g++) {
        nigh_buffer model = {.ctx = ctx}, back = {.ctx = ctx};
        nigh_network *net, *again = NULL;
        const double value[] = {1, 2, 3, 4, 5, 6}, to[] = {3, 2};
        nigh_array x = {.shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {3, 2}}};
        assert_ok(ctx, nigh_array_new(ctx, &x.shape, &x));
        for (int i = 0; i < 6; i++) nigh_array_set(&x, i, value[i]);
        model_of(ctx, 18, graphs[g], "-1,2", "z i - 0|a i 1 0|m i 1 -1", &model);
        if (nigh_onnx_parse(ctx, model.data, model.size, "m", &net)) fail_msg("%s: %s", graphs[g], nigh_message(ctx));
        check_values(graphs[g], net, &x, to, 2, value, 6);
        assert_ok(ctx, nigh_onnx_format(net, &(nigh_shape){NIGH_F32, 2, {-1, 2}}, &back));
        assert_ok(ctx, nigh_onnx_parse(ctx, back.data, back.size, "back", &again));
        check_values(graphs[g], again, &x, to, 2, value, 6);
        nigh_network_free(net);
        nigh_network_free(again);
        nigh_array_free(ctx, &x);
        nigh_buffer_free(&model);
        nigh_buffer_free(&back);
    }
    test_context_free(ctx);
}

static void names_what_is_not_read(void **state)
{
    (void)state;
    static const struct {
        const char *nodes, *dims, *tensors;
        nigh_status status;
        const char *part;
    } bad[] = {
        {"ArgMax x>y", "1,2", "", NIGH_UNSUPPORTED, "'m': node 'the-node' (ArgMax): this operator is not read"},
        {"LSTM x>y", "1,2", "", NIGH_UNSUPPORTED, "(LSTM): this operator is not read"},
        {"Attention:com.microsoft x>y", "1,2", "", NIGH_UNSUPPORTED, "domain 'com.microsoft'"},
        {"MatMul x,w>y", "1,2", "w f 3,1 1,2,3", NIGH_FORMAT, "(MatMul)"},
        {"Reshape x,s>y", "1,4", "s i 2 1,3", NIGH_FORMAT, "(Reshape)"},
        {"Add x,w>y", "1,2", "w f 3 1,2,3", NIGH_FORMAT, "(Add)"},
        {"Conv x,x>y", "1,1,3", "", NIGH_UNSUPPORTED, "input 1 is computed"},
        {"Conv x,w>y", "1,2,3", "w f 1,1,2 1,2", NIGH_FORMAT, "(Conv)"},
        {"Split x,s>a,y axis=i:1", "1,4", "s i 2 1,2", NIGH_FORMAT, "3 elements of 4"},
        {"Gather x,i>y axis=i:1", "1,3", "i i 1 3", NIGH_FORMAT, "element -1 of dimension 1"},
        {"Softmax x>y axis=i:5", "1,2", "", NIGH_FORMAT, "axis 5"},
        {"Resize x,-,f>y mode=s:linear;antialias=i:1", "1,1,2", "f f 3 1,1,2", NIGH_UNSUPPORTED, "antialias"},
        {"Pad x,p>y mode=s:odd", "1,2", "p i 4 0,1,0,1", NIGH_UNSUPPORTED, "mode 'odd'"},
        {"Add x,b>y", "1,2", "", NIGH_FORMAT, "input 1 ('b') is missing"},
        {"ConstantOfShape s>c|Add x,c>y", "1,2", "s i 2 100000,100000", NIGH_UNSUPPORTED, "too many numbers"},
        {"Range z,n,o>c|Cast c>f to=i:1|Add x,f>y", "1,2", "z i - 0|n i - 999999999999|o i - 1", NIGH_UNSUPPORTED, "(Range)"},
        {"Expand w,s>e|ReduceSum e>r keepdims=i:0|Add x,r>y", "1,2", "w f 1 1|s i 3 10000,10000,10000", NIGH_UNSUPPORTED, "(Expand): too many numbers"},
        {"MatMul w,w>p|Add x,p>y", "1,2", "w f 2 nan,1", NIGH_FORMAT, "is not a number"},
        {"Einsum x,x>y equation=s:aa,ab->b", "2,2", "", NIGH_UNSUPPORTED, "equation 'aa,ab->b'"},
        {"BatchNormalization x,s,s,s,s>y training_mode=i:1", "1,1", "s f 1 1", NIGH_UNSUPPORTED, "training_mode"},
    };
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        nigh_buffer model = {.ctx = ctx};
        nigh_network *net;
        model_of(ctx, 18, bad[c].nodes, bad[c].dims, bad[c].tensors, &model);
        assert_fails(ctx, nigh_onnx_parse(ctx, model.data, model.size, "m", &net), bad[c].status, bad[c].part);
        nigh_buffer_free(&model);
    }
    test_context_free(ctx);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    nigh_context *plain = test_context_new();
    nigh_buffer model = {.ctx = plain};
    model_of(plain, 18, "ConstantOfShape s>c value=t:v f 1 2|Trilu c,k>m upper=i:1|Add x,m>a|Pad a,p>q mode=s:reflect|Softmax q>s1|Sigmoid s1>g|Mul s1,g>y", "2,2", "s i 2 2,2|k i - 1|p i 4 0,1,0,0", &model);
    for (long at = 1;; at += 1 + at / 40) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_network *net = NULL;
        nigh_status status = ctx ? nigh_onnx_parse(ctx, model.data, model.size, "m", &net) : NIGH_MEMORY;
        if (!status) nigh_network_free(net);
        else assert_int_equal(status, NIGH_MEMORY);
        if (ctx) nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) break;
        assert_true(at < 100000);
    }
    nigh_buffer_free(&model);
    test_context_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gives_values), cmocka_unit_test(keeps_samples_open), cmocka_unit_test(names_what_is_not_read), cmocka_unit_test(survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
