/* The forms of operator new and delete that others are defined by, as the process has them: this library's, or a program's own. A
 * program may replace some forms only; what is not replaced then calls what is, as the C++ runtime's forms do. */
#ifndef ALLOC_OPERATORS_H
#define ALLOC_OPERATORS_H

#include <stddef.h>

struct operators {
    void *(*new_object)(size_t), *(*new_array)(size_t);
    void (*delete_object)(void *), (*delete_array)(void *);
    void *(*new_object_aligned)(size_t, size_t), *(*new_array_aligned)(size_t, size_t);
    void (*delete_object_aligned)(void *, size_t), (*delete_array_aligned)(void *, size_t);
};

/* The dynamic linker fills it in, by abi/alloc_malloc.operators. */
extern const struct operators operators __attribute__((visibility("hidden")));

#endif
