/* The sized surface: what is passed to allocate is passed to free. */
#include <alloc/alloc_ext.h>
#include <stdio.h>

struct point {
    double x, y, z;
};

int main(void)
{
    /* An object: its type says the size when it is freed. */
    struct point *point = alloc_new(struct point);
    if (point == NULL)
        return 1;
    point->x = point->y = point->z = 1;
    printf("a point has %zu bytes and holds %zu\n", sizeof *point, alloc_good_size(sizeof *point));
    alloc_delete(point);

    /* A buffer that grows: it stays where it is as long as its block holds what is asked for. */
    size_t size = 100;
    char *line = alloc_malloc(size);
    if (line == NULL)
        return 1;
    char *grown = alloc_realloc(line, size, 120);
    if (grown == NULL) { /* the old block is still there */
        alloc_free(line, size);
        return 1;
    }
    size = 120;
    printf("%s\n", grown == line ? "from 100 to 120 bytes nothing moved" : "moved");
    alloc_free(grown, size);

    /* A page, with an alignment of its own: freed with size and alignment. */
    void *page = alloc_zalloc_aligned(4096, 4096);
    if (page == NULL)
        return 1;
    printf("65 bytes take %zu in the natural family, %zu in the aligned one\n", alloc_good_size(65),
           alloc_good_size_aligned(65, 8));
    alloc_free_aligned(page, 4096, 4096);
    return 0;
}
