/* Does what is wrong in each of the ways that docs/misuse.md shows, in a process each, with the numbers of that page. */
#include <alloc/alloc_family.h>
#include <alloc/alloc_gp.h>

#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* By pointers that compilers do not look through: they would warn. */
static void (*volatile sized)(void *, size_t) = alloc_free;
static void (*volatile aligned)(void *, size_t, size_t) = alloc_free_aligned;
static void (*volatile unsized)(void *) = alloc_gp_free;

static char array[1000];

static void double_free(void)
{
    void *p = alloc_malloc(100);
    sized(p, 100);
    sized(p, 100);
}

static void not_allocated(void)
{
    void *p = alloc_gp_malloc(100);
    unsized(p);
    while (alloc_purge()) {
    }
    unsized(p);
}

static void wrong_size(void) { sized(alloc_malloc(100), 300); }
static void wrong_size_of_large(void) { sized(alloc_malloc(MIB), 100); }
static void not_the_start(void) { unsized((char *)alloc_gp_malloc(100) + 1); }
static void wrong_alignment(void) { aligned(alloc_malloc_aligned(100, 64), 100, 48); }
static void foreign_pointer(void) { unsized(array); }

static void wrong_family(void)
{
    static alloc_family family = ALLOC_FAMILY_INIT("family"), other = ALLOC_FAMILY_INIT("other");
    alloc_family_free(&other, alloc_family_malloc(&family, 100), 100);
}

int main(void)
{
    static void (*const mistakes[])(void) = {double_free,   not_allocated,   wrong_size,      wrong_size_of_large,
                                             not_the_start, wrong_alignment, foreign_pointer, wrong_family};
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        pid_t child = fork();
        if (child == 0) {
            mistakes[i]();
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return 1;
    }
    return 0;
}
