/* A user's program in C99: every header, and a call of every kind. Exit status 0 when all is well. */
#include <alloc/alloc_ext.h>
#include <alloc/alloc_inspect.h>
#include <alloc/alloc_std.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    size_t capacity = 0;
    char *text = alloc_strdup("alloc");
    int *numbers = alloc_grow_array(int, NULL, &capacity, 100);
    char *page = alloc_zalloc_aligned(100, 4096);

    if (text == NULL || numbers == NULL || page == NULL || (size_t)page % 4096 != 0)
        return 1;
    if (alloc_version() != ALLOC_VERSION) {
        fprintf(stderr, "header %d, library %u\n", ALLOC_VERSION, alloc_version());
        return 1;
    }
    printf("%s %s\n", text, alloc_version_string());
    alloc_free(text, strlen(text) + 1);
    alloc_delete_array(numbers, capacity);
    if (alloc_owns(page + 99) != 1)
        return 1;
    alloc_free_aligned(page, 100, 4096);
    return 0;
}
