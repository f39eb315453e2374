/* A library that uses the drop-in by itself. */
#include "fork_library.h"

#include <alloc/alloc_std.h>

void *library_block(void) { return alloc_malloc(100); }
