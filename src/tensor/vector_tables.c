/* The numbers of the vector functions; bench/vector_tables.c says where they come from. */
#include "tensor/vector.h"

#include "tensor/vector_tables.inc"
