# ALLOC_HEADER_VERSION: the version as the public header states it, which is the only place that does.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../abi/include/alloc/alloc_std.h" lines
    REGEX "^#define ALLOC_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
list(TRANSFORM lines REPLACE "^.* " "")
list(JOIN lines "." ALLOC_HEADER_VERSION)
unset(lines)
