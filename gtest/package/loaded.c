/* loaded LIBRARY: loads it and allocates. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        puts(dlerror());
        return 1;
    }
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(library, "alloc_malloc");
    puts(allocate != NULL && allocate(100) != NULL ? "right" : "wrong");
    return 0;
}
