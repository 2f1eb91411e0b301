/*
 * nigh/constraint.h: sets of byte strings that an answer must belong to: regular expressions, JSON schemas, grammars, a program of one's own.
 *
 * A constraint answers two questions about a prefix: can it still become a member, and is it one. A state stands for all prefixes with the same future:
 *   int64_t s = nigh_constraint_start(c);
 *   s = nigh_constraint_step(c, s, "12", 2);       -1: no member begins like this
 *   nigh_constraint_complete(c, s)                  what was read so far is a member
 * States of a constraint are small numbers, made as they are met (a regular expression has all of its states from the start) and kept, so that results can
 * be cached by state. One thread at a time, but for reading states that exist. Dead ends are never entered: a state >= 0 has a completion.
 */
#ifndef NIGH_CONSTRAINT_H
#define NIGH_CONSTRAINT_H
#include "nigh/tokens.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_constraint nigh_constraint;

/*
 * The whole answer matches. Perl syntax over UTF-8: literals, . (any character but newline), [classes] with ranges, negation and [:alpha:] names, \d \w \s \h \v
 * \D \W \S \H \V \N (\d \w \s and [:names:] are ASCII, as in Perl without /u), escapes \n \t \r \f \a \e \0oo \xHH \x{H..} \uHHHH, \p{L} \P{Lu} \p{^N} and the other
 * general categories, groups ( ), (?: ), (?<name> ), comments (?# ), (?i) (?s) (?-i) (?i: ), | * + ? {m,n} and their lazy forms (the same set), ^ \A and $ \z (the
 * first and the last place of the answer; elsewhere they match nothing).
 * NIGH_UNSUPPORTED, by name and offset: back-references, look-around, \b, atomic groups, possessive quantifiers, conditions, recursion, (?m), (?x), scripts.
 * NIGH_FORMAT: no regular expression. states: 0: up to 5,000 states are made at once, beyond that as they are met (then up to 1,000,000); else all at
 * once, NIGH_RESOURCE when there are more. A step costs <= 5 ns a byte.
 */
NIGH_API nigh_status nigh_constraint_regex(nigh_context *ctx, const char *pattern, int64_t states, nigh_constraint **c);

/*
 * JSON texts that a schema allows (draft 2020-12): type, properties, required, additionalProperties, min/maxProperties (of objects that declare none), items,
 * prefixItems, min/maxItems, enum, const, anyOf, oneOf where its parts are seen to be apart (by type, constants, or a required property), allOf, also beside
 * other keywords, $ref into the same schema, also recursive, pattern (anywhere in the string unless ^ and $ say otherwise), min/maxLength (characters),
 * format date, time, date-time, uuid, email, ipv4, hostname, (exclusive) minimum and maximum, multipleOf of integers (1 to 10000).
 * Every text is a member of the schema's set; it is written in one way where that costs nothing:
 *   - keys in the order of the schema, extra ones last; blanks: none when `compact`, else at most one after : and ,
 *   - without additionalProperties, or without items behind prefixItems, only what is declared is written (an object that declares nothing: any)
 *   - keywords of one type without "type" mean that type; integers have no . and no exponent, numbers with bounds no exponent
 *   - constants and strings with a pattern in their shortest usual escapes; plain strings and those with lengths alone in any
 * NIGH_UNSUPPORTED names any other keyword and its place (title, description, default, examples and x-... say nothing and are passed over).
 * NIGH_RESOURCE: automata above 100,000 states, more than 20,000 parts. No text at all: a warning in the log says why, start gives -1. {} or true: any JSON.
 */
NIGH_API nigh_status nigh_constraint_json_schema(nigh_context *ctx, const char *schema, size_t size, bool compact, nigh_constraint **c);

/* GBNF, the grammars of llama.cpp (rule "root"; literals, classes, ., groups, | * + ? {m,n}, comments); left recursion and empty
 * rules are allowed. States are made as they are met, up to 1,000,000. Lists cost the same at each element, whichever side they recurse on; ambiguous rules
 * (expr ::= expr "+" expr) make new states at each element and a step that grows with their number. NIGH_FORMAT names line and column. */
NIGH_API nigh_status nigh_constraint_grammar(nigh_context *ctx, const char *text, size_t size, nigh_constraint **c);

/* A rule of one's own. prefix_ok and complete_ok get all bytes read so far and give 1, 0, or anything else: NIGH_INVALID at the next step. Prefix-closed:
 * what follows a refused prefix is refused (spot-checked; a warning in the log when not). */
typedef struct nigh_predicate {
    void *user;
    int (*prefix_ok)(void *user, const char *bytes, size_t size);
    int (*complete_ok)(void *user, const char *bytes, size_t size);
} nigh_predicate;
NIGH_API nigh_status nigh_constraint_predicate(nigh_context *ctx, const nigh_predicate *predicate, nigh_constraint **c);

/* A program, started once (nigh/process.h: own session, limits): it reads lines "P HEX" and "C HEX" (prefix? complete?) and answers each
 * with a line "1" or "0", written out at once. It has 10 s for an answer. NIGH_FAILED at the step: it ended, crashed or said nothing. */
NIGH_API nigh_status nigh_constraint_program(nigh_context *ctx, const char *command, nigh_constraint **c);

NIGH_API void nigh_constraint_free(nigh_constraint *c); /* NULL is fine */
NIGH_API int64_t nigh_constraint_start(nigh_constraint *c); /* -1: the set is empty */
NIGH_API int64_t nigh_constraint_step(nigh_constraint *c, int64_t state, const char *bytes, size_t size);
NIGH_API bool nigh_constraint_complete(nigh_constraint *c, int64_t state);
/* A failure that step and complete could not report (memory, a bad predicate); NIGH_OK: none. */
NIGH_API nigh_status nigh_constraint_status(const nigh_constraint *c);
NIGH_API int64_t nigh_constraint_steps(const nigh_constraint *c); /* calls of step so far */

/*
 * Masks: which tokens may follow in a state. Walks the byte trie of the vocabulary with the automaton, once for each state met; kept, up to `bytes` of
 * memory (0: 256 MiB; least recently used go first). End tokens (nigh_token_ends) are allowed where the state is complete.
 */
typedef struct nigh_masks nigh_masks;
/* Both must outlive the masks. The trie of a tokenizer is shared by all masks that live at once in a context. */
NIGH_API nigh_status nigh_masks_new(nigh_context *ctx, nigh_constraint *c, const nigh_tokenizer *t, size_t bytes, nigh_masks **masks);
NIGH_API void nigh_masks_free(nigh_masks *masks);
NIGH_API nigh_status nigh_masks_get(nigh_masks *masks, int64_t state, const uint64_t **allowed); /* valid until the next call */
/* The state after a token; -1: not allowed. */
NIGH_API int64_t nigh_masks_step(nigh_masks *masks, int64_t state, int32_t token);

#ifdef __cplusplus
}
#endif
#endif
