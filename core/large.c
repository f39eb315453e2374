#include "large.h"

#include "os/os.h"
#include "size_class.h"

#include <errno.h>
#include <string.h>

size_t large_good_size(size_t size)
{
    size += size == 0; /* an alignment can be what makes a block large */
    return size > (size_t)PTRDIFF_MAX - os_page_size() ? 0 : round_up(size, os_page_size());
}

size_t large_natural_align(size_t size) { return size > ALIGN_MAX / 2 ? ALIGN_MAX : (size_t)1 << log2_ceil(size); }

void *large_allocate(size_t size, size_t align)
{
    size_t bytes = large_good_size(size);
    void *p = bytes == 0 ? NULL : os_map(bytes, align);
    if (p == NULL)
        errno = ENOMEM;
    return p;
}

void large_free(void *p, size_t size) { os_release(p, large_good_size(size)); }

void *large_resize(void *p, size_t old_size, size_t new_size, size_t align)
{
    size_t old_bytes = large_good_size(old_size), new_bytes = large_good_size(new_size);
    if (new_bytes == old_bytes)
        return p;
    if (new_bytes != 0 && new_bytes < old_bytes) {
        os_release((char *)p + new_bytes, old_bytes - new_bytes);
        return p; /* the alignment of the larger size is a multiple of the smaller one's */
    }
    if (new_bytes != 0 && ((uintptr_t)p & (align - 1)) == 0 && os_extend(p, old_bytes, new_bytes))
        return p;
    void *moved = large_allocate(new_size, align);
    if (moved == NULL)
        return NULL;
    if (!os_move(p, old_bytes, moved)) {
        memcpy(moved, p, old_bytes);
        os_release(p, old_bytes);
    }
    return moved;
}
