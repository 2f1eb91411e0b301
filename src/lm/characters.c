#include "lm/characters.h"

#include <string.h>
#include <utf8proc.h>

#define ROW_8(c) c, c, c, c, c, c, c, c
#define L CHAR_LETTER
#define N CHAR_NUMBER
#define S CHAR_SPACE
#define P CHAR_PUNCTUATION
#define Y CHAR_SYMBOL
#define O CHAR_OTHER
const unsigned char char_ascii[128] = {
    ROW_8(O), O, S, S, S, S, S, O, O, ROW_8(O), ROW_8(O),
    S, P, P, P, Y, P, P, P, P, P, P, Y, P, P, P, P, N, N, N, N, N, N, N, N, N, N, P, P, Y, Y, Y, P,
    P, L, L, L, L, L, L, L, ROW_8(L), ROW_8(L), L, L, L, P, P, P, Y, P,
    Y, L, L, L, L, L, L, L, ROW_8(L), ROW_8(L), L, L, L, P, Y, P, Y, O,
};

unsigned char_class_of(uint32_t point)
{
    static const unsigned char classes[] = {
        [UTF8PROC_CATEGORY_CN] = O, [UTF8PROC_CATEGORY_LU] = L, [UTF8PROC_CATEGORY_LL] = L, [UTF8PROC_CATEGORY_LT] = L, [UTF8PROC_CATEGORY_LM] = L,
        [UTF8PROC_CATEGORY_LO] = L, [UTF8PROC_CATEGORY_MN] = CHAR_MARK, [UTF8PROC_CATEGORY_MC] = CHAR_MARK, [UTF8PROC_CATEGORY_ME] = CHAR_MARK,
        [UTF8PROC_CATEGORY_ND] = N, [UTF8PROC_CATEGORY_NL] = N, [UTF8PROC_CATEGORY_NO] = N, [UTF8PROC_CATEGORY_PC] = P, [UTF8PROC_CATEGORY_PD] = P,
        [UTF8PROC_CATEGORY_PS] = P, [UTF8PROC_CATEGORY_PE] = P, [UTF8PROC_CATEGORY_PI] = P, [UTF8PROC_CATEGORY_PF] = P, [UTF8PROC_CATEGORY_PO] = P,
        [UTF8PROC_CATEGORY_SM] = Y, [UTF8PROC_CATEGORY_SC] = Y, [UTF8PROC_CATEGORY_SK] = Y, [UTF8PROC_CATEGORY_SO] = Y, [UTF8PROC_CATEGORY_ZS] = S,
        [UTF8PROC_CATEGORY_ZL] = S, [UTF8PROC_CATEGORY_ZP] = S, [UTF8PROC_CATEGORY_CC] = O, [UTF8PROC_CATEGORY_CF] = O, [UTF8PROC_CATEGORY_CS] = O,
        [UTF8PROC_CATEGORY_CO] = O};
    if (point == 0x85) return S;
    return point > 0x10FFFF ? O : classes[utf8proc_category((utf8proc_int32_t)point)];
}

size_t char_put(uint32_t point, char text[4])
{
    if (point < 0x80) {
        text[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        text[0] = (char)(0xC0 | point >> 6), text[1] = (char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        text[0] = (char)(0xE0 | point >> 12), text[1] = (char)(0x80 | (point >> 6 & 63)), text[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    text[0] = (char)(0xF0 | point >> 18), text[1] = (char)(0x80 | (point >> 12 & 63)), text[2] = (char)(0x80 | (point >> 6 & 63)), text[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* Size of the character at p when its bytes belong together (whatever it stands for), else 0. */
static size_t whole(const unsigned char *p, size_t left)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF8 ? 4 : 0;
    if (size > left) return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return size > 1 && char_point((const char *)p) > 0x10FFFF ? 0 : size;
}

static size_t put_size(uint32_t point) { return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4; }

size_t char_right(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        for (uint64_t eight; i + 8 <= size; i += 8) {
            memcpy(&eight, text + i, 8);
            if (eight & 0x8080808080808080u) break;
        }
        while (i < size && !(text[i] & 0x80)) i++;
        if (i == size) break;
        size_t n = whole((const unsigned char *)text + i, size - i);
        if (!n || put_size(char_point(text + i)) != n) return i;
        i += n;
    }
    return i;
}

nigh_status char_mend(const char *text, size_t size, nigh_buffer *out)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < size && !status;) {
        size_t right = char_right(text + i, size - i);
        status = nigh_buffer_add(out, text + i, right);
        if ((i += right) == size || status) break;
        size_t n = whole((const unsigned char *)text + i, size - i);
        char mended[4];
        size_t m = char_put(n ? char_point(text + i) : 0xFFFD, mended);
        status = nigh_buffer_add(out, mended, m);
        i += n ? n : 1;
    }
    return status;
}
