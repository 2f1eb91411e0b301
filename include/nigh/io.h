/*
 * nigh/io.h: arrays in files. npy and npz (NumPy), safetensors, HDF5, IDX, csv, libsvm, edge lists (the last four also gzipped).
 *
 * Common to all of it:
 *  - A path "-" means standard input (reading) or standard output (writing). A file is written under a temporary
 *    name in the same folder, flushed to disk and renamed, so a reader sees the old file or the whole new one; a
 *    path that is a device or a pipe is written directly.
 *  - `_parse` reads bytes that are in memory; `name` stands for them in messages. They may be hostile: sizes are
 *    checked against the bytes that are there before anything of that size is allocated.
 *  - `_read` holds the whole file in memory beside the result: at its peak, file plus arrays.
 *  - Long work polls for cancellation (nigh_context_cancel) and gives NIGH_INTERRUPTED.
 *  - Errors. NIGH_IO: cannot open, read or write. NIGH_FORMAT: the content is wrong; the message names the file, the
 *    place (byte offset, or line and column), what stands there and what is allowed. NIGH_UNSUPPORTED: right, but of a
 *    type that is not read here. NIGH_RESOURCE: the disk is full or a stated cap is reached. NIGH_MEMORY.
 *    On failure outputs are untouched and nothing is left behind, on disk either.
 *  - Booleans become 0 or 1 whatever byte other than 0 a file holds for true.
 */
#ifndef NIGH_IO_H
#define NIGH_IO_H

#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- npy: one array (numpy.lib.format, versions 1.0, 2.0, 3.0) ------------------------------------------------- */

/*
 * Reads f2 f4 f8, i1 .. i8, u1 .. u8, b1, c8, c16 in either byte order, in C or Fortran order (given back in C order),
 * with up to NIGH_MAX_DIMS dimensions. Object, structured, string and date types are NIGH_UNSUPPORTED; bytes after
 * the data are NIGH_FORMAT. Free the result with nigh_array_free.
 */
NIGH_API nigh_status nigh_npy_read(nigh_context *ctx, const char *path, nigh_array *out);
NIGH_API nigh_status nigh_npy_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_array *out);

/* Writes version 1.0, little endian, C order, data aligned to 64 bytes. npy has no bf16: such an array is written as
 * f32, which holds it exactly. nigh_npy_format appends to `out`, which the caller frees. */
NIGH_API nigh_status nigh_npy_write(nigh_context *ctx, const char *path, const nigh_array *array);
NIGH_API nigh_status nigh_npy_format(nigh_context *ctx, const nigh_array *array, nigh_buffer *out);

/* ---- bundles: sets of named arrays ---------------------------------------------------------------------------- */

typedef struct nigh_named_array {
    char *name;
    nigh_array array;
} nigh_named_array;

/* Zero-initialise with ctx set to build one; end it with nigh_bundle_free. Names are unique and not empty. `metadata` is
 * JSON text, an object whose values are strings (safetensors only; npz neither reads nor writes it), or NULL; it is
 * allocated by nigh_alloc or nigh_strdup and owned by the bundle. */
typedef struct nigh_bundle {
    nigh_context *ctx;
    int64_t count;
    nigh_named_array *items;
    char *metadata;
} nigh_bundle;

NIGH_API void nigh_bundle_free(nigh_bundle *bundle); /* what it holds, not the struct; it is empty afterwards */

/* The array of that name, owned by the bundle; NULL when absent. */
NIGH_API const nigh_array *nigh_bundle_find(const nigh_bundle *bundle, const char *name);

/* Adds a copy. NIGH_INVALID when the name is empty or taken. */
NIGH_API nigh_status nigh_bundle_add(nigh_bundle *bundle, const char *name, const nigh_array *array);

/* ---- npz: a zip file of npy files ----------------------------------------------------------------------------- */

/*
 * Stored and deflated entries, zip64, data descriptors, comments; names lose their ".npy", may hold folders ("a/b"),
 * and are refused when absolute or with "..". Every CRC is checked. Entries that are not npy files are refused, folder entries skipped.
 * NIGH_UNSUPPORTED: encryption, other compressions, files in several parts. Items come in the order of the directory.
 */
NIGH_API nigh_status nigh_npz_read(nigh_context *ctx, const char *path, nigh_bundle *out);
NIGH_API nigh_status nigh_npz_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_bundle *out);

/* level 0: stored, like numpy.savez; 1 to 9: deflate of that effort, like numpy.savez_compressed (6). zip64 where sizes
 * need it. Dates are fixed (1980-01-01), so equal bundles give equal files. Names must be fit for nigh_npz_read. */
NIGH_API nigh_status nigh_npz_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle, int level);
NIGH_API nigh_status nigh_npz_format(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out);

/* ---- safetensors ---------------------------------------------------------------------------------------------- */

/*
 * Header of at most 100 MB, JSON without duplicate keys; the tensors must cover the data without hole or overlap.
 * F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64; F8 and smaller types are NIGH_UNSUPPORTED. Items come in the
 * order of their data. Loading runs nothing.
 */
NIGH_API nigh_status nigh_safetensors_read(nigh_context *ctx, const char *path, nigh_bundle *out);
NIGH_API nigh_status nigh_safetensors_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name,
                                            nigh_bundle *out);

/* Widest types first, then by name; data starts at a multiple of 64 bytes. Names must be UTF-8 and not "__metadata__".
 * NIGH_UNSUPPORTED for c128, which the format lacks; NIGH_INVALID when the metadata is no JSON object of strings. */
NIGH_API nigh_status nigh_safetensors_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle);
NIGH_API nigh_status nigh_safetensors_format(nigh_context *ctx, const nigh_bundle *bundle, nigh_buffer *out);

/* ---- HDF5 ----------------------------------------------------------------------------------------------------- */

/*
 * libhdf5 hangs and crashes on bad files, so reading never happens in this process: a program of nigh's own, nigh-hdf5, is
 * started with limits (nigh/process.h: time, memory, no network, system-call filter), reads the file and sends its data sets
 * through a pipe; names, shapes and sizes that come are checked as if they were a hostile file. A fork alone would not do: after
 * the fork of a process with threads only async-signal-safe calls are allowed, which libhdf5 is not made of. The program is
 * looked for in the folder $NIGH_LIBEXEC, beside the library or executable that holds this function, in the folder above
 * it, in ../libexec/nigh and ../../libexec/nigh from there, and where `make install` puts it. Without HDF5 at build time
 * everything here is NIGH_UNSUPPORTED.
 */

/* All zero is the default; NULL means that too. */
typedef struct nigh_hdf5_options {
    const char *const *names; /* the data sets wanted, "group/name", ended by NULL; NULL: all. Others are not touched    */
    bool skip;                /* data sets of types that nigh lacks: left out with a log note, not NIGH_UNSUPPORTED       */
    double seconds;           /* deadline; 0: 10 s and one more for every 10 MB of the file                               */
    uint64_t max_bytes;       /* of all data read; 0: 4 GiB. A small file may claim a lot. Beyond it NIGH_RESOURCE        */
} nigh_hdf5_options;

/*
 * Reads floats of 2 (IEEE or bfloat16), 4 and 8 bytes, integers of 1 to 8 bytes (odd sizes widened), bit fields as unsigned, an enum
 * FALSE = 0, TRUE = 1 as bool and any other as its integers, compounds of two floats r, i (also re, im or real, imag) as
 * c64 or c128; either byte order; scalars and up to NIGH_MAX_DIMS dimensions; contiguous, compact, chunked, with the filters
 * that libhdf5 itself has. Items come in the order of their names, all found by hard links (a data set with several
 * names once); a wanted name may lead through soft links. NIGH_UNSUPPORTED, naming the data set: strings, references,
 * other compounds, null data spaces, data in other files (external, virtual; such links are not followed). NIGH_FORMAT also when libhdf5
 * crashes, naming the data set; NIGH_RESOURCE when it is not done at the deadline; NIGH_INVALID for a wanted name that is
 * not there; NIGH_FAILED when nigh-hdf5 is not found. Cost: some ms for the start; data passes a pipe; memory twice
 * the data. nigh_hdf5_parse sends the bytes to the program.
 */
NIGH_API nigh_status nigh_hdf5_read(nigh_context *ctx, const char *path, const nigh_hdf5_options *options, nigh_bundle *out);
NIGH_API nigh_status nigh_hdf5_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name,
                                     const nigh_hdf5_options *options, nigh_bundle *out);

/*
 * Little endian, names with '/' as groups; level 0: contiguous, 1 to 9: chunks of about 1 MiB, shuffled and deflated. bf16 is
 * written as f32, which holds it; complex as compound {r, i}, bool as enum, as h5py does. No times are stored, so equal bundles
 * give equal files. NIGH_INVALID for names that are not UTF-8, have an empty part or one of dots, or of which one is a group
 * of another. Runs in this process under a lock of nigh's (libhdf5 knows no threads): not while other threads
 * of the program use libhdf5 themselves. Memory: the file beside the bundle.
 */
NIGH_API nigh_status nigh_hdf5_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle, int level);
NIGH_API nigh_status nigh_hdf5_format(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out);

/* ---- IDX: one array (the format of MNIST) ---------------------------------------------------------------------- */

/* u8, i8, i16, i32, f32, f64 of 1 to NIGH_MAX_DIMS dimensions, big endian; a gzip file is recognised by its first bytes (it may
 * grow to 4 GiB). Bytes after the data are NIGH_FORMAT. */
NIGH_API nigh_status nigh_idx_read(nigh_context *ctx, const char *path, nigh_array *out);
NIGH_API nigh_status nigh_idx_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_array *out);

/* NIGH_UNSUPPORTED for other element types, a scalar, a dimension above 2^32 - 1. A path that ends in ".gz" is gzipped. */
NIGH_API nigh_status nigh_idx_write(nigh_context *ctx, const char *path, const nigh_array *array);
NIGH_API nigh_status nigh_idx_format(nigh_context *ctx, const nigh_array *array, nigh_buffer *out);

/* ---- libsvm, svmlight: sparse rows with a label ----------------------------------------------------------------- */

/* Compressed rows: entries start[i] .. start[i+1]-1 belong to row i, columns strictly increasing. Zeroed, it is empty. */
typedef struct nigh_libsvm_rows {
    int64_t rows, columns;
    double *label;   /* [rows] */
    int64_t *query;  /* [rows], the numbers of "qid:"; NULL when no row has one */
    int64_t *start;  /* [rows + 1] */
    int64_t *column; /* [start[rows]], from 0 */
    double *value;   /* [start[rows]] */
} nigh_libsvm_rows;

typedef struct nigh_libsvm_options {
    int64_t columns;    /* 0: the largest index of the file; else a larger index is NIGH_FORMAT */
    bool zero_based;    /* indices begin at 0 instead of 1 */
    uint64_t max_bytes; /* what a gzip file may grow to; 0: 4 GiB */
} nigh_libsvm_options;

/*
 * Lines "label [qid:N] index:value ..." with blanks or tabs between, ended by LF, CRLF or CR; '#' begins a comment; lines with
 * nothing else are skipped. A row needs a label; indices increase. All rows have a qid or none. Several labels in a row are
 * NIGH_UNSUPPORTED. Numbers as for csv. options NULL: all zero. End it with nigh_libsvm_free.
 */
NIGH_API nigh_status nigh_libsvm_read(nigh_context *ctx, const char *path, const nigh_libsvm_options *options, nigh_libsvm_rows *out);
NIGH_API nigh_status nigh_libsvm_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name,
                                       const nigh_libsvm_options *options, nigh_libsvm_rows *out);
NIGH_API void nigh_libsvm_free(nigh_context *ctx, nigh_libsvm_rows *sparse);

/* 1-based indices; every stored entry, zeros too; numbers as nigh_csv_write. ".gz" as above. A matrix that breaks the rules of
 * nigh_libsvm_rows is NIGH_INVALID. */
NIGH_API nigh_status nigh_libsvm_write(nigh_context *ctx, const char *path, const nigh_libsvm_rows *sparse);
NIGH_API nigh_status nigh_libsvm_format(nigh_context *ctx, const nigh_libsvm_rows *sparse, nigh_buffer *out);

/* out: f64 [rows, columns], missing entries 0, free with nigh_array_free. NIGH_RESOURCE above max_bytes (0: 4 GiB): a line of text can
 * ask for a column of any number. And back: entries that are not 0; label [rows] or NULL (zeros). */
NIGH_API nigh_status nigh_libsvm_to_dense(nigh_context *ctx, const nigh_libsvm_rows *sparse, uint64_t max_bytes, nigh_array *out);
NIGH_API nigh_status nigh_libsvm_from_dense(nigh_context *ctx, int64_t rows, int64_t columns, const double *values,
                                            const double *label, nigh_libsvm_rows *out);

/* ---- SNAP: lists of edges -------------------------------------------------------------------------------------- */

typedef struct nigh_edges {
    int64_t count;
    int64_t *from, *to; /* [count], >= 0, in the order of the file */
    double *weight;     /* [count]; NULL when the lines have two fields */
} nigh_edges;

/* Lines "from to" or "from to weight", blanks, tabs or one comma between; '#' or '%' begins a comment line; LF, CRLF or CR; gzip
 * as above (up to 4 GiB). All lines have as many fields as the first. A file without edges is NIGH_FORMAT. Nothing is
 * sorted, merged or mirrored. */
NIGH_API nigh_status nigh_snap_read(nigh_context *ctx, const char *path, nigh_edges *out);
NIGH_API nigh_status nigh_snap_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_edges *out);
NIGH_API void nigh_edges_free(nigh_context *ctx, nigh_edges *edges);
NIGH_API nigh_status nigh_snap_write(nigh_context *ctx, const char *path, const nigh_edges *edges);
NIGH_API nigh_status nigh_snap_format(nigh_context *ctx, const nigh_edges *edges, nigh_buffer *out);

/* Renumbers the nodes 0 .. *nodes-1 in increasing order of their old numbers, which go to *old [*nodes] (nigh_free it). Sorting. */
NIGH_API nigh_status nigh_edges_compact(nigh_context *ctx, nigh_edges *edges, int64_t *nodes, int64_t **old);

/* ---- csv: a table of numbers ---------------------------------------------------------------------------------- */

typedef enum nigh_csv_header { NIGH_CSV_HEADER_GUESS, NIGH_CSV_HEADER_YES, NIGH_CSV_HEADER_NO } nigh_csv_header;
typedef enum nigh_csv_missing { NIGH_CSV_MISSING_REFUSE, NIGH_CSV_MISSING_NAN } nigh_csv_missing;

/* All zero is the default; NULL means that too. */
typedef struct nigh_csv_options {
    char separator;           /* ',' ';' '\t', ' ' (any run of blanks and tabs), '|'; 0: guessed from the first lines */
    nigh_csv_header header;   /* guessed: the first line is a header when a field of it is neither number nor missing */
    nigh_csv_missing missing; /* empty, NA, N/A, NaN, null, None, ? : refuse, naming line and column, or store NaN */
    uint64_t max_bytes;       /* what a gzip file may grow to; 0: 4 GiB. Beyond it NIGH_RESOURCE */
} nigh_csv_options;

typedef struct nigh_table {
    int64_t rows, columns;
    char **names;   /* [columns], UTF-8; NULL when there is no header */
    double *values; /* [rows, columns]; missing = NaN */
    bool had_header;
    char separator;
} nigh_table;

/*
 * Lines end in LF, CRLF or CR; a byte order mark, empty lines and lines that begin with '#' are skipped; fields may
 * stand in double quotes ("" for one). A gzip file is recognised by its first bytes and read directly. Numbers are
 * decimal with a point whatever the locale, rounded correctly; "inf" and "-inf" are numbers; what overflows a double
 * is refused. Header names that are not UTF-8 are taken as Latin-1. Every row has as many fields as the first line;
 * a file without rows is NIGH_FORMAT.
 */
NIGH_API nigh_status nigh_csv_read(nigh_context *ctx, const char *path, const nigh_csv_options *options, nigh_table *out);
NIGH_API nigh_status nigh_csv_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name,
                                    const nigh_csv_options *options, nigh_table *out);
NIGH_API void nigh_table_free(nigh_context *ctx, nigh_table *table);

/* The header if names is not NULL, then the rows: 17 significant digits at most, as few as give the same double; "nan"
 * for missing. separator 0 means ','. Reading it again gives the same bits (all NaN become one). */
NIGH_API nigh_status nigh_csv_write(nigh_context *ctx, const char *path, const nigh_table *table);
NIGH_API nigh_status nigh_csv_format(nigh_context *ctx, const nigh_table *table, nigh_buffer *out);

/*
 * The 0-based columns that `list` names, in its order: "y,z" by name, "3,5-7" by 1-based number, "-1" the last,
 * "-3--1" the last three. A name wins over a number; a name with a comma in it stands in double quotes. NIGH_INVALID
 * for an unknown column (a near name is suggested), an ambiguous name, one named twice, an empty list. *index is
 * freed with nigh_free.
 */
NIGH_API nigh_status nigh_table_columns(nigh_context *ctx, const nigh_table *table, const char *list, int64_t **index,
                                        int64_t *count);

/* ---- any of these --------------------------------------------------------------------------------------------- */

/*
 * An array from a file of any kind above but libsvm and edge lists, told apart by its first bytes and its extension (.safetensors,
 * .h5, .hdf5; gzipped IDX by "idx" or "ubyte" before .gz; what is nothing else is csv: f64 [rows, columns], missing values
 * refused). A bundle must hold exactly one array, or the path ends in ":NAME". Keeps the type of the file. Free with nigh_array_free.
 */
NIGH_API nigh_status nigh_array_read(nigh_context *ctx, const char *path, nigh_array *out);

#ifdef __cplusplus
}
#endif
#endif
