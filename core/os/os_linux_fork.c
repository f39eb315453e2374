/* The drop-in's fork handlers are registered when they are needed: when there is a second thread, or right before anybody
 * else's, which they must come inside of. Registering touches pages of the C library that a small program uses for nothing
 * else: a tenth of all that it has resident.
 *
 * So this library, which comes before the C library where symbols are looked up, defines the function behind
 * pthread_atfork.
 */
#define _GNU_SOURCE
#include "os/os_linux_fork.h"
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.3.2"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#endif

#ifdef FIRST_VERSION

typedef void handler(void);
typedef int register_function(handler *prepare, handler *parent, handler *child, void *library);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): the C library's name */
__attribute__((visibility("default"))) register_function __register_atfork;

/* What others find under that name: the function above, unless this library was loaded later than they. */
__attribute__((visibility("default"))) register_function found;
__asm__(".symver found, __register_atfork@" FIRST_VERSION);

/* Whether that is the one above. Compilers may take two functions of different names for different ones. */
static bool finds_itself(void)
{
    register_function *first = found;
    __asm__("" : "+r"(first));
    return first == __register_atfork;
}

/* The C library's. */
static register_function *next(void)
{
    OS_SMALL_STATE static _Atomic(register_function *) known;
    register_function *function = atomic_load_explicit(&known, memory_order_relaxed);
    if (function == NULL) {
        if (!finds_itself())
            function = found;
        else
            *(void **)&function = dlsym(RTLD_NEXT, "__register_atfork");
        atomic_store_explicit(&known, function, memory_order_relaxed);
    }
    return function;
}

bool os_sees_fork_handlers(void) { return next() != NULL && finds_itself(); }

/* Also called by libraries that are initialised before this one. */
int __register_atfork(handler *prepare, handler *parent, handler *child, void *library)
{
    os_register_fork();
    return next() == NULL ? ENOMEM : next()(prepare, parent, child, library);
}

#else

bool os_sees_fork_handlers(void) { return false; }

#endif
