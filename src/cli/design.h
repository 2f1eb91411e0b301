/* nigh sample --design: where to evaluate a program of one's own. */
#ifndef NIGH_CLI_DESIGN_H
#define NIGH_CLI_DESIGN_H
#include "cli/cli.h"

typedef struct design_words {
    const char *design; /* "dpp" ...; NULL: none is wanted */
    const char *basis, *set;
    int64_t degree, times;
    double least;
    bool thin;
} design_words;

#define DESIGN_FLAGS(w)                                                                                                                     \
    {"design", 0, CLI_TEXT, &(w).design, "KIND", "points for a weighted fit instead of random ones: dpp, volume, volume-input, iid", 0, 0}, \
    {"degree", 0, CLI_INT, &(w).degree, "K", "of the space that will be fitted (default 4)", 1, 255},                                     \
    {"basis", 0, CLI_TEXT, &(w).basis, "NAME", "legendre (default), hermite (normal: box is mean -+ sd), fourier (box is a period)", 0, 0}, \
    {"set", 0, CLI_TEXT, &(w).set, "NAME", "total (default), hyperbolic, tensor", 0, 0},                                                    \
    {"times", 0, CLI_INT, &(w).times, "R", "points for each function of the space (default 2)", 1, 1000},                                 \
    {"least", 0, CLI_REAL, &(w).least, "EIGENVALUE", "smallest one of the Gram matrix (default 0.1; 0: as drawn)", 0, 0.95},                \
    {"thin", 0, CLI_SWITCH, &(w).thin, NULL, "take points away while that eigenvalue stays", 0, 0}

/* Points in the box and their weights into a csv, npy or npz file. */
nigh_status design_write(nigh_context *ctx, const design_words *words, const char *box, const char *path);
#endif
