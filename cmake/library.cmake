# The libraries. The sources are compiled once; the shared library, the static one and the white-box tests link the
# same objects, so what is tested and proven is what is shipped.
#
#   alloc::shared     liballoc.so, exporting what abi/alloc.map lists
#   alloc::static     liballoc.a, for executables and shared objects alike
#   alloc::alloc      one of the two: the shared one where ALLOC_SHARED says so, or BUILD_SHARED_LIBS if that is not set
#   alloc::malloc         liballoc_malloc.so, the same under the names of malloc and operator new too: to link, or to preload
#   alloc::malloc_static  liballoc_malloc.a, for executables
#   alloc_internals       the objects of alloc::static and the core's headers, for tests
include(CheckLinkerFlag)

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    message(FATAL_ERROR "alloc is written for 64-bit Linux; ${CMAKE_SYSTEM_NAME} with pointers of "
        "${CMAKE_SIZEOF_VOID_P} bytes is neither")
endif()
set(alloc_sources
    abi/alloc_ctl.c abi/alloc_family.c abi/alloc_gp.c abi/alloc_std.c
    core/bin.c core/check.c core/cold.c core/family.c core/heap.c core/inspect.c core/large.c core/lock.c core/map.c core/memory.c core/misuse.c
    core/option.c core/outbox.c core/pages.c core/pool.c core/refill.c core/region.c core/report.c core/reservation.c core/settle.c
    core/slab.c core/stats.c core/sweep.c core/thread.c core/units.c core/os/os_linux.c)
list(TRANSFORM alloc_sources PREPEND "${PROJECT_SOURCE_DIR}/")

# Run at most once per slab: small rather than fast.
set(seldom_run abi/alloc_ctl.c core/check.c core/family.c core/inspect.c core/lock.c core/misuse.c core/option.c core/pool.c core/region.c core/report.c
    core/reservation.c core/stats.c core/os/os_linux.c)
list(TRANSFORM seldom_run PREPEND "${PROJECT_SOURCE_DIR}/")
set_source_files_properties(${seldom_run} PROPERTIES
    COMPILE_OPTIONS $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-Os>)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
endif()
if(ALLOC_THREADS)
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
endif()

# Thread-local variables: glibc keeps room for those of libraries that are loaded late; musl refuses to load such libraries, and
# has descriptors, which cost a call.
include(CheckCCompilerFlag)
include(CheckSymbolExists)
check_symbol_exists(__GLIBC__ "limits.h" ALLOC_HAVE_GLIBC)
if(ALLOC_HAVE_GLIBC)
    set(tls -ftls-model=initial-exec)
else()
    check_c_compiler_flag(-mtls-dialect=gnu2 ALLOC_HAVE_TLS_DESCRIPTORS)
    if(ALLOC_HAVE_TLS_DESCRIPTORS)
        set(tls -mtls-dialect=gnu2)
    endif()
endif()

# Probes for tracers need a header (Debian: systemtap-sdt-dev), and nothing at run time.
include(CheckIncludeFile)
check_include_file(sys/sdt.h ALLOC_HAVE_SDT)
set(probes 0)
if(ALLOC_PROBES AND ALLOC_HAVE_SDT)
    set(probes 1)
endif()

# No jump tables: the proof of loop-freedom follows every edge of a function's graph. The fast paths are written for
# -O2; -O3 would only make them longer. No vectors of two words: a free stores two, and packing them first costs more.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES) # of a project that includes this one
    set(optimization -O2 -DNDEBUG)
endif()
# What the sources are built with, and what tests must know of it.
set(alloc_configuration
    ALLOC_THREADS=$<BOOL:${ALLOC_THREADS}> ALLOC_DEBUG=$<BOOL:${ALLOC_DEBUG}> ALLOC_MALLOC_ALIGN=${ALLOC_MALLOC_ALIGN})
function(alloc_add_objects name)
    add_library(${name} OBJECT ${ARGN})
    set_target_properties(${name} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}/abi/include")
    target_compile_definitions(${name} PRIVATE ALLOC_NO_FORTIFY ALLOC_PROBES=${probes} ${alloc_configuration})
    target_compile_options(${name} PRIVATE
        -fno-plt -fno-semantic-interposition ${tls} -fno-jump-tables -fno-tree-slp-vectorize
        ${optimization} $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-O2>
        $<$<BOOL:${PROJECT_IS_TOP_LEVEL}>:-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes>)
endfunction()

# No unloading: its thread-exit destructor and fork handlers stay registered.
function(alloc_set_exports target map)
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${PROJECT_SOURCE_DIR}/${map}")
    target_link_options(${target} PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/${map}"
        LINKER:-Bsymbolic-functions LINKER:-z,nodelete)
endfunction()

alloc_add_objects(alloc_objects ${alloc_sources})
alloc_add_objects(alloc_valgrind_objects "${PROJECT_SOURCE_DIR}/abi/alloc_valgrind.c")
target_compile_options(alloc_valgrind_objects PRIVATE -fno-builtin -Wno-missing-prototypes)
add_library(alloc_shared SHARED $<TARGET_OBJECTS:alloc_objects> $<TARGET_OBJECTS:alloc_valgrind_objects>)
alloc_set_exports(alloc_shared abi/alloc.map)

# A static library is one object of which only the interface can be named: a program may have a map_take of its own.
function(alloc_add_archive target)
    set(whole "${CMAKE_CURRENT_BINARY_DIR}/${target}.o")
    add_custom_command(OUTPUT "${whole}" VERBATIM COMMAND_EXPAND_LISTS
        COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib -o "${whole}" ${ARGN}
        COMMAND "${CMAKE_OBJCOPY}" --localize-hidden "${whole}"
        DEPENDS ${ARGN} COMMENT "Making one object of ${target}")
    set_source_files_properties("${whole}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    add_library(${target} STATIC "${whole}")
    # Makefiles know of an object's rule in its own target alone.
    foreach(objects IN ITEMS alloc_objects alloc_valgrind_objects alloc_no_fork_objects alloc_malloc_objects)
        if(TARGET ${objects})
            add_dependencies(${target} ${objects})
        endif()
    endforeach()
endfunction()

set(static_objects $<TARGET_OBJECTS:alloc_objects> $<TARGET_OBJECTS:alloc_valgrind_objects>)
if(ALLOC_THREADS)
    alloc_add_objects(alloc_no_fork_objects "${PROJECT_SOURCE_DIR}/core/os/os_linux_no_fork.c")
    list(APPEND static_objects $<TARGET_OBJECTS:alloc_no_fork_objects>)
    target_sources(alloc_shared PRIVATE $<TARGET_OBJECTS:alloc_no_fork_objects>)
endif()
alloc_add_archive(alloc_static ${static_objects})

# abi/alloc_malloc.c contains abi/alloc_gp.c. A sanitizer has a malloc of its own.
set(alloc_kinds shared static)
if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    list(APPEND alloc_kinds malloc malloc_static)
    alloc_add_objects(alloc_malloc_objects
        "${PROJECT_SOURCE_DIR}/abi/alloc_malloc.c" "${PROJECT_SOURCE_DIR}/abi/alloc_operators.c")
    # Exceptions of operator new pass through, and not every processor has unwind tables for C unless asked.
    target_compile_options(alloc_malloc_objects PRIVATE -fno-builtin -fexceptions)
    set(objects $<FILTER:$<TARGET_OBJECTS:alloc_objects>,EXCLUDE,/alloc_gp> $<TARGET_OBJECTS:alloc_malloc_objects>
        $<TARGET_OBJECTS:alloc_valgrind_objects>)
    add_library(alloc_malloc SHARED ${objects})
    set(static_objects ${objects})
    if(ALLOC_THREADS)
        list(APPEND static_objects $<TARGET_OBJECTS:alloc_no_fork_objects>)
    endif()
    if(ALLOC_THREADS)
        alloc_add_objects(alloc_fork_objects "${PROJECT_SOURCE_DIR}/core/os/os_linux_fork.c")
        target_sources(alloc_malloc PRIVATE $<TARGET_OBJECTS:alloc_fork_objects>)
    endif()
    alloc_set_exports(alloc_malloc abi/alloc_malloc.map)
    target_link_options(alloc_malloc PRIVATE LINKER:-z,now
        "LINKER:--dynamic-list=${PROJECT_SOURCE_DIR}/abi/alloc_malloc.operators")
    # Every process has it: as few pages as may be.
    set(layout LINKER:-z,noseparate-code "LINKER:-T,${PROJECT_SOURCE_DIR}/abi/alloc_malloc.ld")
    check_linker_flag(C "${layout}" ALLOC_LINKER_TAKES_LAYOUT)
    if(ALLOC_LINKER_TAKES_LAYOUT)
        target_link_options(alloc_malloc PRIVATE ${layout})
        set_property(TARGET alloc_malloc APPEND PROPERTY LINK_DEPENDS "${PROJECT_SOURCE_DIR}/abi/alloc_malloc.ld")
    endif()
    alloc_add_archive(alloc_malloc_static ${static_objects})
    # Weakly named: a program linked without shared libraries would leave it out, and operator new could not throw.
    target_link_options(alloc_malloc_static INTERFACE $<$<LINK_LANGUAGE:CXX>:LINKER:-u,_ZSt17__throw_bad_allocv>)
endif()

foreach(kind IN LISTS alloc_kinds)
    set(name alloc)
    if(kind MATCHES malloc)
        set(name alloc_malloc)
    endif()
    set_target_properties(alloc_${kind} PROPERTIES
        OUTPUT_NAME ${name} EXPORT_NAME ${kind} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
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

# The same objects, of which everything can be named.
add_library(alloc_named STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:alloc_objects>)
if(ALLOC_THREADS)
    target_sources(alloc_named PRIVATE $<TARGET_OBJECTS:alloc_no_fork_objects>)
    target_link_libraries(alloc_named PRIVATE Threads::Threads)
endif()
target_include_directories(alloc_named INTERFACE "${PROJECT_SOURCE_DIR}/abi/include")
add_library(alloc_internals INTERFACE)
target_link_libraries(alloc_internals INTERFACE alloc_named)
target_include_directories(alloc_internals INTERFACE "${PROJECT_SOURCE_DIR}/core")
target_compile_definitions(alloc_internals INTERFACE ${alloc_configuration})
