/*
 * The executor's inside: steps, values, and where they lie. Built by executor_build.c (order, views, copies), executor_memory.c
 * (one arena for all intermediate results), executor_tiles.c (fused elementwise chains); run by executor.c.
 */
#ifndef NIGH_GRAD_EXECUTOR_H
#define NIGH_GRAD_EXECUTOR_H
#include "grad/tape.h"

#include "tensor/elementwise.h"

typedef enum storage_kind {
    STORAGE_ARENA,    /* an intermediate result, or scratch of a step */
    STORAGE_INPUT,    /* bound, or the executor's own */
    STORAGE_OUTPUT,   /* the same */
    STORAGE_CONSTANT  /* on the tape, or a number of a fill */
} storage_kind;

typedef struct storage {
    storage_kind kind;
    size_t bytes;
    int first, last;   /* steps between which it is in use */
    int64_t offset;    /* ARENA: in the arena */
    void *base;        /* INPUT, OUTPUT: bound or own; CONSTANT: its data */
    void *own;         /* INPUT, OUTPUT: the executor's memory, NULL until needed */
    nigh_node node;    /* INPUT, OUTPUT */
    int end;           /* INPUT, OUTPUT: place in the executor's list; -1 */
    bool moves;        /* its numbers change from run to run of one point; see executor_new_holding */
    double number[2];  /* CONSTANT of a fill: converted to its type, base points here */
} storage;

/* Where the elements of a node are. */
typedef struct value {
    int storage;       /* -1: not there (yet) */
    tape_layout layout;
    bool contiguous;
} value;

typedef struct operand {
    int storage;
    int64_t offset;    /* bytes */
    nigh_shape shape;
    int64_t stride[NIGH_MAX_DIMS];
    bool contiguous;
} operand;

/* ---- fused elementwise chains ------------------------------------------------------------------------- */

enum { TILE_SLOTS = 48, TILE_OPS = 40, TILE_BYTES = 4096 };

typedef enum tile_source { TILE_DENSE, TILE_SCALAR, TILE_PERIODIC, TILE_GATHER } tile_source;

typedef struct tile_load {
    tile_source source;
    int operand, slot, buffer; /* buffer -1: DENSE, the slot points into the operand */
    int64_t period;
    int ndim;                  /* GATHER: the iteration space as this operand sees it, neighbours merged */
    int64_t dim[NIGH_MAX_DIMS], stride[NIGH_MAX_DIMS];
} tile_load;

typedef struct tile_op {
    elementwise_kernel *kernel;
    int inputs, in[3], out;    /* slots */
    double p[2];
    elementwise_id id;
} tile_op;

typedef struct tile_slot {
    int operand;               /* >= 0: moves along this operand (in or out); else fixed */
    int buffer;
} tile_slot;

typedef struct tiles {
    size_t size;               /* bytes of an element */
    int64_t count, tile;       /* elements in all, and in a tile */
    int loads, ops, slots, buffers, threads;
    size_t buffer_bytes;       /* of each of the buffers of a thread */
    tile_load load[TILE_SLOTS];
    tile_op op[TILE_OPS];
    tile_slot slot[TILE_SLOTS];
} tiles;

/* ---- steps -------------------------------------------------------------------------------------------- */

typedef struct exec_step {
    tape_node node;            /* a copy: the tape may grow */
    int inputs, outputs;
    operand *operand;          /* [inputs + outputs] */
    tape_operand *at;          /* the same with addresses */
    int scratch;               /* storage, -1: none */
    void *workspace;
    void *state;
    tiles *tiles;              /* of a fused chain */
    bool copy;                 /* operand 0 to operand 1 */
    bool fixed;                /* not run again while the point is held */
} exec_step;

struct nigh_executor {
    nigh_context *ctx;
    nigh_arena *arena;         /* of the descriptions */
    int threads;
    uint64_t seed, count;
    int moving;                /* inputs that move while all others are held; -1: nothing is held */
    const nigh_node *move;
    bool held;                 /* the fixed steps' results are there */
    int steps, steps_room;
    exec_step *step;
    int storages, storages_room;
    storage *storage;
    char *memory;              /* the arena of intermediate results */
    size_t bytes;
    bool moved;                /* addresses must be worked out again */
    int ends;                  /* inputs that are used, then outputs */
    nigh_node *end;
    int most_operands;         /* of a step */
};

/*
 * An executor whose first run computes everything and keeps what does not depend on the inputs move[moving]; later runs compute only what does,
 * until executor_release: right for a linear map at a fixed point. What is kept takes memory of its own.
 */
nigh_status executor_new_holding(nigh_context *ctx, nigh_tape *tape, int n, const nigh_node *outputs, int moving, const nigh_node *move, nigh_executor **executor);

/* The other inputs have changed: the next run computes everything. */
void executor_release(nigh_executor *e);

/* A step under construction, at the end of the list; NULL out of memory. `operands` inputs and outputs together. */
exec_step *executor_add_step(nigh_executor *e, int inputs, int outputs);
int executor_add_storage(nigh_executor *e, storage_kind kind, size_t bytes); /* -1 out of memory */

/* The input or output of that node; NULL: neither. */
storage *executor_find_storage(const nigh_executor *e, nigh_node node);

nigh_status executor_build(nigh_executor *e, const nigh_tape *tape, int n, const nigh_node *outputs);

/* Decides who shares memory with whom, and allocates it. */
nigh_status executor_plan_memory(nigh_executor *e);

/* Makes step->tiles for a chain of `n` nodes whose operands are set: values inside the chain have operand -1. */
typedef struct chain_value {
    int operand;               /* of the step; -1: only inside */
} chain_value;
typedef struct chain_op {
    elementwise_id id;
    double p[2];
    int inputs;
    int in[3];                 /* >= 0: result of that op of the chain; < 0: operand -1 - in */
    int out;                   /* operand, or -1 */
} chain_op;
nigh_status tiles_build(nigh_executor *e, exec_step *step, nigh_dtype dtype, const nigh_shape *shape, int n, const chain_op *op);
void tiles_run(const tiles *t, const tape_operand *with, void *workspace);

/* One step on operands with addresses. */
void executor_run_step(const nigh_executor *e, const exec_step *step, tape_operand *at, void *workspace);

/* The list of what nigh_executor_run_in is handed. */
nigh_status executor_list_ends(nigh_executor *e, int n, const nigh_node *outputs);
size_t tiles_workspace(const tiles *t);
#endif
