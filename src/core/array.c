/* Element types, shapes and dense arrays. Declared in nigh/core.h. */
#include "nigh/core.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [NIGH_F64] = {"f64", 8}, [NIGH_F32] = {"f32", 4}, [NIGH_F16] = {"f16", 2}, [NIGH_BF16] = {"bf16", 2},
    [NIGH_I64] = {"i64", 8}, [NIGH_I32] = {"i32", 4}, [NIGH_I16] = {"i16", 2}, [NIGH_I8] = {"i8", 1},
    [NIGH_U64] = {"u64", 8}, [NIGH_U32] = {"u32", 4}, [NIGH_U16] = {"u16", 2}, [NIGH_U8] = {"u8", 1},
    [NIGH_BOOL] = {"bool", 1}, [NIGH_C64] = {"c64", 8}, [NIGH_C128] = {"c128", 16},
};

size_t nigh_dtype_size(nigh_dtype dtype) { return types[dtype].size; }
const char *nigh_dtype_name(nigh_dtype dtype) { return types[dtype].name; }

int64_t nigh_shape_count(const nigh_shape *shape)
{
    int64_t count = 1, bytes;
    for (int d = 0; d < shape->ndim; d++)
        if (shape->dim[d] < 0 || __builtin_mul_overflow(count, shape->dim[d], &count)) return -1;
    if (__builtin_mul_overflow(count, (int64_t)types[shape->dtype].size, &bytes)) return -1;
    return count;
}

nigh_status nigh_array_new(nigh_context *ctx, const nigh_shape *shape, nigh_array *out)
{
    int64_t count = nigh_shape_count(shape);
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "an array of this shape has more bytes than can be counted");
    void *data = nigh_alloc_zero(ctx, (size_t)count, types[shape->dtype].size);
    if (!data) return NIGH_MEMORY;
    *out = (nigh_array){*shape, data};
    return NIGH_OK;
}

void nigh_array_free(nigh_context *ctx, nigh_array *array)
{
    nigh_free(ctx, array->data);
    array->data = NULL;
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double half_get(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
    if (exponent == 31) return float_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) return (sign ? -1.0 : 1.0) * fraction * 0x1p-24;
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* To f32 with the last bit set wherever something was lost: rounding that to 16 bits then rounds the double itself, once. */
static float sticky(double value)
{
    float near = (float)value;
    if ((double)near == value || !isfinite(near)) return near;
    uint32_t bits = bits_from_float(near);
    if (fabs((double)near) > fabs(value)) bits--;
    return float_from_bits(bits | 1);
}

/* Round to nearest even by adding the half-way magnitude in a float of the right scale. */
static uint16_t half_set(float value)
{
    uint32_t bits = bits_from_float(value), sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits >= 0x7f800000) return (uint16_t)(sign | 0x7c00 | (bits > 0x7f800000 ? 0x200 : 0));
    if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (bits < 0x38800000) return (uint16_t)(sign | (bits_from_float(float_from_bits(bits) + 0.5f) & 0x7ff));
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits - 0x38000000) >> 13));
}

static uint16_t bfloat_set(float value)
{
    uint32_t bits = bits_from_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double nigh_array_get(const nigh_array *array, int64_t i)
{
    const void *p = array->data;
    switch (array->shape.dtype) {
    case NIGH_F64: return ((const double *)p)[i];
    case NIGH_F32: return ((const float *)p)[i];
    case NIGH_F16: return half_get(((const uint16_t *)p)[i]);
    case NIGH_BF16: return float_from_bits((uint32_t)((const uint16_t *)p)[i] << 16);
    case NIGH_I64: return (double)((const int64_t *)p)[i];
    case NIGH_I32: return ((const int32_t *)p)[i];
    case NIGH_I16: return ((const int16_t *)p)[i];
    case NIGH_I8: return ((const int8_t *)p)[i];
    case NIGH_U64: return (double)((const uint64_t *)p)[i];
    case NIGH_U32: return ((const uint32_t *)p)[i];
    case NIGH_U16: return ((const uint16_t *)p)[i];
    case NIGH_U8:
    case NIGH_BOOL: return ((const uint8_t *)p)[i];
    case NIGH_C64: return ((const float *)p)[2 * i];
    case NIGH_C128: return ((const double *)p)[2 * i];
    }
    return 0;
}

void nigh_array_set(nigh_array *array, int64_t i, double value)
{
    void *p = array->data;
    switch (array->shape.dtype) {
    case NIGH_F64: ((double *)p)[i] = value; break;
    case NIGH_F32: ((float *)p)[i] = (float)value; break;
    case NIGH_F16: ((uint16_t *)p)[i] = half_set(sticky(value)); break;
    case NIGH_BF16: ((uint16_t *)p)[i] = bfloat_set(sticky(value)); break;
    case NIGH_I64: ((int64_t *)p)[i] = (int64_t)value; break;
    case NIGH_I32: ((int32_t *)p)[i] = (int32_t)value; break;
    case NIGH_I16: ((int16_t *)p)[i] = (int16_t)value; break;
    case NIGH_I8: ((int8_t *)p)[i] = (int8_t)value; break;
    case NIGH_U64: ((uint64_t *)p)[i] = (uint64_t)value; break;
    case NIGH_U32: ((uint32_t *)p)[i] = (uint32_t)value; break;
    case NIGH_U16: ((uint16_t *)p)[i] = (uint16_t)value; break;
    case NIGH_U8: ((uint8_t *)p)[i] = (uint8_t)value; break;
    case NIGH_BOOL: ((uint8_t *)p)[i] = value != 0; break;
    case NIGH_C64: ((float *)p)[2 * i] = (float)value, ((float *)p)[2 * i + 1] = 0; break;
    case NIGH_C128: ((double *)p)[2 * i] = value, ((double *)p)[2 * i + 1] = 0; break;
    }
}

nigh_status nigh_array_to_f64(nigh_context *ctx, const nigh_array *array, double *out)
{
    if (array->shape.dtype == NIGH_C64 || array->shape.dtype == NIGH_C128)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "complex numbers (%s) have no place here; split them into real and imaginary parts",
                         nigh_dtype_name(array->shape.dtype));
    int64_t count = nigh_shape_count(&array->shape);
    if (array->shape.dtype == NIGH_F64)
        memcpy(out, array->data, (size_t)count * sizeof *out);
    else
        for (int64_t i = 0; i < count; i++) out[i] = nigh_array_get(array, i);
    return NIGH_OK;
}
