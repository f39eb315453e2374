/* A write behind a block, one to a freed block, and a leak; and much that is right. */
#include <alloc/alloc_ext.h>
#include <alloc/alloc_gp.h>
#include <alloc/alloc_std.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *volatile hidden;

static _Noreturn void fail(int line) { _Exit(line); }

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__))

static void correct(void)
{
    char *p = alloc_malloc(300);
    CHECK((uintptr_t)p % 512 == 0);
    memset(p, 1, alloc_good_size(300));
    p = alloc_realloc(p, 300, 5000);
    CHECK(p[299] == 1 && (uintptr_t)p % 8192 == 0);
    p = alloc_rezalloc(p, 5000, 6000);
    CHECK(p[5500] == 0);
    alloc_free(p, 6000);
    p = alloc_zalloc_aligned(100, 4096);
    CHECK((uintptr_t)p % 4096 == 0 && p[99] == 0);
    p = alloc_realloc_aligned(p, 100, 200, 4096);
    alloc_free_aligned(p, 200, 4096);
    CHECK(alloc_calloc(SIZE_MAX, 2) == NULL);
    CHECK(alloc_malloc_aligned(1, 3) == NULL);
    p = alloc_gp_calloc(10, 10);
    CHECK(alloc_gp_usable_size(p) >= 100 && p[99] == 0);
    p = alloc_gp_reallocarray(p, 20, 10);
    alloc_gp_free_sized(p, 200);
    alloc_gp_free(alloc_gp_aligned_alloc(64, 128));
    p = alloc_strdup("a string");
    alloc_free(p, strlen(p) + 1);
}

int main(void)
{
    correct();
    char *volatile block = alloc_malloc(100);
    block[100] = 1;
    alloc_free(block, 100);
    block[5] = 2;
    hidden = alloc_malloc(50);
    hidden = NULL;
    return 0;
}
