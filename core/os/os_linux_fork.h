/* Between os_linux.c and what else knows of forks: os_linux_fork.c in the drop-in, os_linux_no_fork.c elsewhere. */
#ifndef ALLOC_OS_LINUX_FORK_H
#define ALLOC_OS_LINUX_FORK_H

#include <stdbool.h>

/* Registers the fork handlers, if that was put off. */
void os_register_fork(void);

/* Whether os_register_fork is called before anybody else registers a fork handler. Only the drop-in has it. At load: it asks
 * the dynamic linker, whose lock no allocation may wait for. */
bool os_sees_fork_handlers(void);

#endif
