/* Rounding, bounded: see core/round.h. */
#include "core/round.h"
