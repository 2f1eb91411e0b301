/* Types of HDF5 files as element types of nigh. */
#include "helper/hdf5_types.h"

#include <string.h>

/* A float of 2 bytes: IEEE (5 bits of exponent) or bfloat16 (8 bits). HDF5 has no predefined type of either. */
static hid_t half(bool brain)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    size_t exponent = brain ? 8 : 5, mantissa = 15 - exponent;
    if (type < 0) return -1;
    if (H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) < 0 || H5Tset_precision(type, 16) < 0 || H5Tset_size(type, 2) < 0 ||
        H5Tset_ebias(type, brain ? 127 : 15) < 0) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

/* True when the two differ at most in byte order. */
static bool same_but_order(hid_t a, hid_t little)
{
    hid_t copy = H5Tcopy(a);
    bool same = copy >= 0 && H5Tset_order(copy, H5T_ORDER_LE) >= 0 && H5Tequal(copy, little) > 0;
    if (copy >= 0) H5Tclose(copy);
    return same;
}

static hid_t map_float(hid_t type, nigh_dtype *dtype, const char **why)
{
    if (same_but_order(type, H5T_IEEE_F32LE)) return *dtype = NIGH_F32, H5Tcopy(H5T_IEEE_F32LE);
    if (same_but_order(type, H5T_IEEE_F64LE)) return *dtype = NIGH_F64, H5Tcopy(H5T_IEEE_F64LE);
    for (int brain = 0; brain < 2; brain++) {
        hid_t small = half(brain);
        if (small >= 0 && same_but_order(type, small)) return *dtype = brain ? NIGH_BF16 : NIGH_F16, small;
        if (small >= 0) H5Tclose(small);
    }
    *why = "its floating-point format is none of f16, bf16, f32, f64";
    return -1;
}

static hid_t map_integer(size_t size, bool is_signed, nigh_dtype *dtype, const char **why)
{
    if (size == 1) return *dtype = is_signed ? NIGH_I8 : NIGH_U8, H5Tcopy(is_signed ? H5T_STD_I8LE : H5T_STD_U8LE);
    if (size == 2) return *dtype = is_signed ? NIGH_I16 : NIGH_U16, H5Tcopy(is_signed ? H5T_STD_I16LE : H5T_STD_U16LE);
    if (size <= 4) return *dtype = is_signed ? NIGH_I32 : NIGH_U32, H5Tcopy(is_signed ? H5T_STD_I32LE : H5T_STD_U32LE);
    if (size <= 8) return *dtype = is_signed ? NIGH_I64 : NIGH_U64, H5Tcopy(is_signed ? H5T_STD_I64LE : H5T_STD_U64LE);
    *why = "its integers are longer than 8 bytes";
    return -1;
}

static hid_t map_bits(size_t size, nigh_dtype *dtype, const char **why)
{
    if (size == 1) return *dtype = NIGH_U8, H5Tcopy(H5T_STD_B8LE);
    if (size == 2) return *dtype = NIGH_U16, H5Tcopy(H5T_STD_B16LE);
    if (size == 4) return *dtype = NIGH_U32, H5Tcopy(H5T_STD_B32LE);
    if (size == 8) return *dtype = NIGH_U64, H5Tcopy(H5T_STD_B64LE);
    *why = "its bit fields are not of 1, 2, 4 or 8 bytes";
    return -1;
}

/* h5py's bool: an enum over a byte with FALSE = 0 and TRUE = 1. */
static bool is_bool(hid_t type)
{
    unsigned char value[2] = {255, 255};
    static const char *const names[2] = {"FALSE", "TRUE"};
    if (H5Tget_nmembers(type) != 2 || H5Tget_size(type) != 1) return false;
    for (int i = 0; i < 2; i++)
        if (H5Tenum_valueof(type, names[i], &value[i]) < 0) return false;
    return value[0] == 0 && value[1] == 1;
}

/* libhdf5 converts from an enum to integers whatever names it has. */
static hid_t map_enum(hid_t type, nigh_dtype *dtype, const char **why)
{
    hid_t base = H5Tget_super(type);
    if (base < 0) return *why = "its enum is damaged", -1;
    size_t size = H5Tget_size(base);
    bool is_signed = H5Tget_sign(base) == H5T_SGN_2;
    H5Tclose(base);
    if (is_bool(type)) {
        *dtype = NIGH_BOOL;
        return H5Tcopy(type);
    }
    if (size != 1 && size != 2 && size != 4 && size != 8) return *why = "its enum is not of 1, 2, 4 or 8 bytes", -1;
    return map_integer(size, is_signed, dtype, why);
}

static bool is_name_of_pair(hid_t type, const char *real, const char *imaginary)
{
    return H5Tget_member_index(type, real) == 0 && H5Tget_member_index(type, imaginary) == 1;
}

static hid_t map_compound(hid_t type, nigh_dtype *dtype, const char **why)
{
    static const char *const pairs[][2] = {{"r", "i"}, {"re", "im"}, {"real", "imag"}};
    *why = "it is a compound other than a pair {r, i} of f32 or f64";
    if (H5Tget_nmembers(type) != 2) return -1;
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
        nigh_dtype part[2];
        const char *reason;
        if (!is_name_of_pair(type, pairs[p][0], pairs[p][1])) continue;
        for (unsigned i = 0; i < 2; i++) {
            hid_t member = H5Tget_member_type(type, i);
            bool real = member >= 0 && H5Tget_class(member) == H5T_FLOAT;
            hid_t mapped = real ? map_float(member, &part[i], &reason) : -1;
            if (member >= 0) H5Tclose(member);
            if (mapped < 0) return -1;
            H5Tclose(mapped);
        }
        if (part[0] != part[1] || (part[0] != NIGH_F32 && part[0] != NIGH_F64)) return -1;
        size_t size = part[0] == NIGH_F32 ? 4 : 8;
        hid_t little = part[0] == NIGH_F32 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, pair = H5Tcreate(H5T_COMPOUND, 2 * size);
        if (pair < 0 || H5Tinsert(pair, pairs[p][0], 0, little) < 0 || H5Tinsert(pair, pairs[p][1], size, little) < 0) return -1;
        *dtype = size == 4 ? NIGH_C64 : NIGH_C128;
        return pair;
    }
    return -1;
}

hid_t types_map(hid_t file_type, nigh_dtype *dtype, const char **why)
{
    *why = "its element type is damaged";
    size_t size = H5Tget_size(file_type);
    switch (H5Tget_class(file_type)) {
    case H5T_FLOAT: return map_float(file_type, dtype, why);
    case H5T_INTEGER: return map_integer(size, H5Tget_sign(file_type) == H5T_SGN_2, dtype, why);
    case H5T_BITFIELD: return map_bits(size, dtype, why);
    case H5T_ENUM: return map_enum(file_type, dtype, why);
    case H5T_COMPOUND: return map_compound(file_type, dtype, why);
    case H5T_STRING: return *why = "strings are not read", -1;
    case H5T_REFERENCE: return *why = "references are not read", -1;
    case H5T_VLEN: return *why = "sequences of varying length are not read", -1;
    case H5T_ARRAY: return *why = "array elements are not read", -1;
    case H5T_OPAQUE: return *why = "opaque elements are not read", -1;
    case H5T_TIME: return *why = "times are not read", -1;
    default: return -1;
    }
}
