/* The parser of regular expressions: what automaton_regex.c and automaton_regex_class.c share. */
#ifndef NIGH_CORE_AUTOMATON_REGEX_H
#define NIGH_CORE_AUTOMATON_REGEX_H
#include "core/automaton.h"

typedef struct regex_parser {
    nigh_context *ctx;
    nigh_arena *arena;
    const char *text;
    size_t size, at;
    regex_options options;
    bool fold, dot_all;  /* (?i) (?s) as they stand here */
    bool anchors;        /* ^ or $ was met: the bytes fe and ff stand for them */
    bool switched;       /* the last group was (?i) or the like */
    int depth;
    nigh_status status;  /* the first failure */
} regex_parser;

/* Keeps the first failure with its message; always NULL. */
pattern *regex_fail(regex_parser *p, nigh_status status, size_t at, const char *what);
bool regex_take(regex_parser *p, char c);
bool regex_sees(const regex_parser *p, const char *word);
uint32_t regex_character(regex_parser *p); /* the next character of the pattern */
/* After a backslash: true, a set was added; false, one character (or a failure). */
bool regex_escape(regex_parser *p, code_set *set, uint32_t *code);
pattern *regex_class(regex_parser *p); /* after [ */
/* The pattern of one character of a normal set, in the mode of the parser; frees the set. NULL: status says why. */
pattern *regex_set_pattern(regex_parser *p, code_set *set);
#endif
