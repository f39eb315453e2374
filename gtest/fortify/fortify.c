/* What a block is said to hold may be used, at every level of _FORTIFY_SOURCE; one byte more may not. Compiled as C and as C++. With an
 * argument: the overflow of that number, of a size that the compiler knows. */
#include <alloc/alloc_gp.h>
#include <alloc/alloc_std.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile size_t unknown = 100;

/* The compiler must not find that nobody looks at it. */
static void use(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }
#define USE(block, size) use(memset(block, 1, size))

static void use_what_is_said_to_be_usable(void)
{
    void *p = alloc_malloc(100);
    USE(p, alloc_good_size(100));
    p = alloc_realloc(p, 100, 300);
    USE(p, alloc_good_size(300));
    alloc_free(p, 300);
    p = alloc_calloc(10, 30);
    USE(p, alloc_good_size(300));
    alloc_free(p, 300);
    p = alloc_zalloc(700000);
    USE(p, alloc_good_size(700000));
    alloc_free(p, 700000);
    p = alloc_malloc(unknown);
    USE(p, alloc_good_size(unknown));
    alloc_free(p, unknown);
    p = alloc_malloc_aligned(100, 8);
    USE(p, alloc_good_size_aligned(100, 8));
    p = alloc_realloc_aligned(p, 100, unknown * 3, 8);
    USE(p, alloc_good_size_aligned(unknown * 3, 8));
    alloc_free_aligned(p, unknown * 3, 8);
    p = alloc_gp_malloc(100);
    USE(p, alloc_gp_usable_size(p));
    p = alloc_gp_realloc(p, unknown * 7);
    USE(p, alloc_gp_usable_size(p));
    alloc_gp_free(p);
    p = alloc_gp_calloc(3, 30);
    USE(p, alloc_gp_usable_size(p));
    alloc_gp_free(p);
}

static void overflow_natural(void) { USE(alloc_malloc(100), 29 + unknown); }
static void overflow_aligned(void) { USE(alloc_malloc_aligned(100, 8), 13 + unknown); }
static void overflow_object(void) { USE(alloc_gp_malloc(100), 13 + unknown); }
static void (*const overflows[])(void) = {overflow_natural, overflow_aligned, overflow_object};

int main(int argc, char **argv)
{
    if (argc > 1) {
        overflows[atoi(argv[1])]();
        return 0;
    }
    use_what_is_said_to_be_usable();
    puts("all of it was used");
    return 0;
}
