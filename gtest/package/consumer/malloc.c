/* A user's program that knows nothing of alloc: it is linked with what replaces malloc. Exit status 0 when that is in place:
 * a thousand bytes take 1024 with it, and 1000 with the system's. */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    void *block = malloc(1000);
    int in_place = malloc_usable_size(block) == 1024;
    free(block);
    return in_place ? 0 : 1;
}
