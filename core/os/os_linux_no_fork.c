/* Libraries that leave the C library's functions as they are see nobody's fork handlers. */
#include "os/os_linux_fork.h"

bool os_sees_fork_handlers(void) { return false; }
