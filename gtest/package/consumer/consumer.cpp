// A user's program in C++11: every header, and a call of every kind. Exit status 0 when all is well.
#include <alloc/alloc_ext.h>
#include <alloc/alloc_std.h>

#include <cstdio>

int main()
{
    struct Point {
        double x, y;
    };
    static_assert(noexcept(alloc_free(nullptr, 0)), "callers may rely on it");

    Point *point = alloc_new(Point);
    Point *points = alloc_new_array(Point, 100);
    void *text = alloc_realloc(alloc_memdup("alloc", 6), 6, 600);
    if (point == nullptr || points == nullptr || text == nullptr || alloc_version() != ALLOC_VERSION)
        return 1;
    std::printf("%s %s\n", static_cast<char *>(text), alloc_version_string());
    alloc_delete(point);
    alloc_delete_array(points, 100);
    alloc_free(text, 600);
    return 0;
}
