/* Characters of a text: decoding as llama.cpp does it, and their classes (general categories of Unicode, put together). */
#ifndef NIGH_LM_CHARACTERS_H
#define NIGH_LM_CHARACTERS_H
#include "nigh/core.h"

enum { CHAR_LETTER = 1, CHAR_NUMBER = 2, CHAR_SPACE = 4, CHAR_MARK = 8, CHAR_PUNCTUATION = 16, CHAR_SYMBOL = 32, CHAR_OTHER = 64, CHAR_ALL = 127 };

extern const unsigned char char_ascii[128]; /* classes below 128 */

/* The class of a code point >= 128. */
unsigned char_class_of(uint32_t point);

/* Bytes of the character that begins with this byte of a mended text. */
static inline size_t char_size(unsigned char byte) { return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4; }

/* The code point at p of a mended text. */
static inline uint32_t char_point(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) return p[0];
    if (p[0] < 0xE0) return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    if (p[0] < 0xF0) return (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    return (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
}

static inline unsigned char_class(const char *text)
{
    unsigned char byte = (unsigned char)*text;
    return byte < 0x80 ? char_ascii[byte] : char_class_of(char_point(text));
}

/* Writes a code point below 2^21; returns its size. */
size_t char_put(uint32_t point, char text[4]);

/*
 * The size of the longest front of the text that is right: nothing broken, cut off, longer than need be, above U+10FFFF. Surrogates count as right
 * (llama.cpp lets them through).
 */
size_t char_right(const char *text, size_t size);

/* Appends the text with each broken byte as U+FFFD and characters that are written too long in their short form. */
nigh_status char_mend(const char *text, size_t size, nigh_buffer *out);
#endif
