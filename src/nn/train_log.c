/* Rows of the log, in memory and in a csv file. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "nn/train.h"

nigh_status train_log_reserve(nigh_training *t, int64_t rows)
{
    if (rows <= t->rows_room) return NIGH_OK;
    nigh_training_row *more = nigh_resize(t->ctx, t->row, (size_t)rows * sizeof *more);
    if (!more) return NIGH_MEMORY;
    t->row = more;
    t->rows_room = rows;
    return NIGH_OK;
}

static void put(FILE *csv, double value)
{
    if (isfinite(value)) fprintf(csv, ",%.9g", value);
    else fprintf(csv, value != value ? "," : value > 0 ? ",inf" : ",-inf");
}

static bool put_row(nigh_training *t, const nigh_training_row *r)
{
    fprintf(t->csv, "%lld,%lld", (long long)r->step, (long long)r->samples);
    const double value[] = {r->epoch, r->loss, r->norm, r->rate, r->validation, r->seconds, r->flops};
    for (size_t i = 0; i < sizeof value / sizeof *value; i++) put(t->csv, value[i]);
    for (int i = 0; i < t->spec.metrics; i++) put(t->csv, r->metric[i]);
    fputc('\n', t->csv);
    return !ferror(t->csv);
}

nigh_status train_log_open(nigh_training *t)
{
    if (!t->spec.log_file) return NIGH_OK;
    train_log_close(t);
    t->csv = fopen(t->spec.log_file, "w");
    if (!t->csv) return nigh_file_fail(t->ctx, "write", t->spec.log_file, errno);
    fprintf(t->csv, "step,samples,epoch,loss,norm,rate,validation,seconds,flops");
    for (int i = 0; i < t->spec.metrics; i++) fprintf(t->csv, ",metric%d", i);
    fputc('\n', t->csv);
    for (int64_t i = 0; i < t->rows; i++) put_row(t, &t->row[i]);
    return fflush(t->csv) ? nigh_file_fail(t->ctx, "write", t->spec.log_file, errno) : NIGH_OK;
}

void train_log_close(nigh_training *t)
{
    if (t->csv) fclose(t->csv);
    t->csv = NULL;
}

nigh_status train_log_row(nigh_training *t, const nigh_training_row *row)
{
    if (t->rows == t->rows_room) {
        nigh_status status = train_log_reserve(t, t->rows_room ? 2 * t->rows_room : 64);
        if (status) return status;
    }
    t->row[t->rows++] = *row;
    if (!t->csv || (put_row(t, row) && !fflush(t->csv))) return NIGH_OK;
    return nigh_file_fail(t->ctx, "write", t->spec.log_file, errno);
}
