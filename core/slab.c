#include "slab.h"

#include "report.h"

#if ALLOC_DEBUG

void slab_check(struct slab *slab)
{
    size_t capacity = slab_capacity(slab_kind_of(slab), slab->class);
    size_t freed = slab_freed_count(slab);
    check(slab_granted(slab) <= capacity && freed <= slab_granted(slab));
    check(freed == map_check(slab->local, slab_granted(slab)));
}

void slab_check_quiet(struct slab *slab)
{
    slab_check(slab);
    uint32_t waiting = atomic_load(&slab_remote(slab)->pushed) - slab_remote(slab)->popped;
    check(waiting == (ALLOC_THREADS ? map_check(slab->remote, slab_granted(slab)) : 0));
}

#endif
