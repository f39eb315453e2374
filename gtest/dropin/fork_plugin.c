/* Loaded by fork_loading.c. */
#include "fork_library.h"

__attribute__((constructor)) static void begin(void) { wait_in_constructor(); }
