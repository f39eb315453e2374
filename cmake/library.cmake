# The libraries. The sources are compiled once; the shared library, the static one and the white-box tests link the
# same objects, so what is tested and proven is what is shipped.
#
#   alloc::shared     liballoc.so, exporting what abi/alloc.map lists
#   alloc::static     liballoc.a, for executables and shared objects alike
#   alloc::alloc      one of the two: the shared one where ALLOC_SHARED says so, or BUILD_SHARED_LIBS if that is not set
#   alloc_internals   alloc::static and the core's headers, for tests
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    message(FATAL_ERROR "alloc is written for 64-bit Linux; ${CMAKE_SYSTEM_NAME} with pointers of "
        "${CMAKE_SIZEOF_VOID_P} bytes is neither")
endif()
set(alloc_sources
    abi/alloc_ctl.c abi/alloc_std.c
    core/bin.c core/cache.c core/check.c core/heap.c core/large.c core/lock.c core/map.c core/memory.c core/option.c
    core/pool.c core/region.c core/slab.c core/stats.c
    core/os/os_linux.c)
list(TRANSFORM alloc_sources PREPEND "${PROJECT_SOURCE_DIR}/")

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
endif()
if(ALLOC_THREADS)
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
endif()

add_library(alloc_objects OBJECT ${alloc_sources})
set_target_properties(alloc_objects PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
target_include_directories(alloc_objects PRIVATE "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}/abi/include")
target_compile_definitions(alloc_objects PRIVATE
    ALLOC_THREADS=$<BOOL:${ALLOC_THREADS}> ALLOC_DEBUG=$<BOOL:${ALLOC_DEBUG}>)
# No jump tables: the proof of loop-freedom follows every edge of a function's graph. The fast paths are written for
# -O2; -O3 would only make them longer. No vectors of two words: a free stores two, and packing them first costs more.
target_compile_options(alloc_objects PRIVATE
    -fno-plt -fno-semantic-interposition -ftls-model=initial-exec -fno-jump-tables
    -fno-tree-slp-vectorize
    $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-O2>
    $<$<BOOL:${PROJECT_IS_TOP_LEVEL}>:-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes>)

add_library(alloc_shared SHARED $<TARGET_OBJECTS:alloc_objects>)
set(alloc_map "${PROJECT_SOURCE_DIR}/abi/alloc.map")
set_target_properties(alloc_shared PROPERTIES LINK_DEPENDS "${alloc_map}")
target_link_options(alloc_shared PRIVATE "LINKER:--version-script=${alloc_map}" LINKER:-Bsymbolic-functions
    LINKER:-z,nodelete) # its thread-exit destructor and fork handlers stay registered

add_library(alloc_static STATIC $<TARGET_OBJECTS:alloc_objects>)

foreach(kind IN ITEMS shared static)
    set_target_properties(alloc_${kind} PROPERTIES
        OUTPUT_NAME alloc EXPORT_NAME ${kind} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
        LINKER_LANGUAGE C)
    target_include_directories(alloc_${kind} INTERFACE
        "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/abi/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    if(ALLOC_THREADS)
        target_link_libraries(alloc_${kind} PRIVATE Threads::Threads)
    endif()
    add_library(alloc::${kind} ALIAS alloc_${kind})
endforeach()

if(NOT DEFINED ALLOC_SHARED)
    set(ALLOC_SHARED ${BUILD_SHARED_LIBS})
endif()
if(ALLOC_SHARED)
    add_library(alloc::alloc ALIAS alloc_shared)
else()
    add_library(alloc::alloc ALIAS alloc_static)
endif()

add_library(alloc_internals INTERFACE)
target_link_libraries(alloc_internals INTERFACE alloc_static)
target_include_directories(alloc_internals INTERFACE "${PROJECT_SOURCE_DIR}/core")
target_compile_definitions(alloc_internals INTERFACE
    ALLOC_THREADS=$<BOOL:${ALLOC_THREADS}> ALLOC_DEBUG=$<BOOL:${ALLOC_DEBUG}>)
