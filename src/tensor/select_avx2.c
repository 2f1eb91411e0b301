/* Selection in rows at one CPU level. */
#include "tensor/select.h"

#include <string.h>
#define LANES_BITS 32
#define KEY uint32_t
#include "lanes.inc"
#include "select.inc"
#undef LANES_BITS
#undef KEY
#define LANES_BITS 64
#define KEY uint64_t
#include "lanes.inc"
#include "select.inc"
select_row *const select_avx2[2] = {row_f32, row_f64};
