# The allocators to compare with, as imported targets peer::jemalloc, mimalloc, tcmalloc, snmalloc and rpmalloc.
#
#   alloc_find_peers(found)     sets `found` to the names of those that exist here
#
# They come from the system; with ALLOC_FETCH_PEERS=ON they are built from pinned sources instead.
include(ExternalProject)

# alloc_find_peer(name library [header]): from the system. Without a header: who uses it calls malloc.
function(alloc_find_peer name library)
    find_library(ALLOC_PEER_${name}_LIBRARY ${library})
    mark_as_advanced(ALLOC_PEER_${name}_LIBRARY)
    if(NOT ALLOC_PEER_${name}_LIBRARY)
        return()
    endif()
    if(ARGC GREATER 2)
        find_path(ALLOC_PEER_${name}_INCLUDE_DIR ${ARGV2})
        mark_as_advanced(ALLOC_PEER_${name}_INCLUDE_DIR)
        if(NOT ALLOC_PEER_${name}_INCLUDE_DIR)
            return()
        endif()
    endif()
    add_library(peer::${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(peer::${name} PROPERTIES IMPORTED_LOCATION "${ALLOC_PEER_${name}_LIBRARY}")
    if(ARGC GREATER 2)
        set_target_properties(peer::${name} PROPERTIES
            INTERFACE_INCLUDE_DIRECTORIES "${ALLOC_PEER_${name}_INCLUDE_DIR}")
    endif()
endfunction()

# alloc_fetch_peer(name repository commit library STEPS...): from source, into a prefix of its own.
function(alloc_fetch_peer name repository commit library)
    set(prefix "${CMAKE_BINARY_DIR}/peers/${name}")
    ExternalProject_Add(peer_${name} PREFIX "${prefix}/build" INSTALL_DIR "${prefix}"
        GIT_REPOSITORY https://github.com/${repository} GIT_TAG ${commit} GIT_SUBMODULES "" UPDATE_DISCONNECTED ON
        CMAKE_ARGS -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=<INSTALL_DIR> -DCMAKE_INSTALL_LIBDIR=lib
        BUILD_BYPRODUCTS "${prefix}/lib/${library}" LOG_CONFIGURE ON LOG_BUILD ON LOG_INSTALL ON ${ARGN})
    file(MAKE_DIRECTORY "${prefix}/include")
    add_library(peer::${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(peer::${name} PROPERTIES
        IMPORTED_LOCATION "${prefix}/lib/${library}" INTERFACE_INCLUDE_DIRECTORIES "${prefix}/include")
    add_dependencies(peer::${name} peer_${name})
endfunction()

function(alloc_find_peers found)
    if(ALLOC_FETCH_PEERS)
        # 5.3.1; needs autoconf
        alloc_fetch_peer(jemalloc jemalloc/jemalloc 81034ce1f1373e37dc865038e1bc8eeecf559ce8 libjemalloc.so
            CONFIGURE_COMMAND sh -c "cd <SOURCE_DIR> && ./autogen.sh"
                COMMAND <SOURCE_DIR>/configure --prefix=<INSTALL_DIR> --libdir=<INSTALL_DIR>/lib
            BUILD_COMMAND make -j2 build_lib_shared INSTALL_COMMAND make install_include install_lib_shared)
        # 3.4.3
        alloc_fetch_peer(mimalloc microsoft/mimalloc 152fbf2634aeafca3774df791b0a77683035f076 libmimalloc.so
            CMAKE_CACHE_ARGS -DMI_BUILD_TESTS:BOOL=OFF -DMI_INSTALL_TOPLEVEL:BOOL=ON)
        # 2.18.1
        alloc_fetch_peer(tcmalloc gperftools/gperftools d837a42788ba591d5d791c3b686f2738e7a93562 libtcmalloc_minimal.so
            CMAKE_CACHE_ARGS -DBUILD_TESTING:BOOL=OFF -Dgperftools_build_minimal:BOOL=ON
            BUILD_COMMAND ${CMAKE_COMMAND} --build . --target tcmalloc_minimal
            INSTALL_COMMAND sh -c "mkdir -p <INSTALL_DIR>/lib && cp -P libtcmalloc_minimal.so* <INSTALL_DIR>/lib"
                COMMAND ${CMAKE_COMMAND} -E copy_directory <SOURCE_DIR>/src/gperftools <INSTALL_DIR>/include/gperftools)
        # 0.7.5
        alloc_fetch_peer(snmalloc microsoft/snmalloc 526c55bdffa17aae20a9a3d24fe68a7a3b8d9894 libsnmallocshim.so
            CMAKE_CACHE_ARGS -DSNMALLOC_BUILD_TESTING:BOOL=OFF
            BUILD_COMMAND ${CMAKE_COMMAND} --build . --target snmallocshim
            INSTALL_COMMAND ${CMAKE_COMMAND} -E copy libsnmallocshim.so <INSTALL_DIR>/lib/libsnmallocshim.so)
        # 2.0.1
        alloc_fetch_peer(rpmalloc mjansson/rpmalloc beef233c176b235587c0145f765e4316e5ca60d1 librpmalloc.so
            CONFIGURE_COMMAND ${CMAKE_COMMAND} -E make_directory <INSTALL_DIR>/lib
            BUILD_COMMAND ${CMAKE_C_COMPILER} -O3 -DNDEBUG -DENABLE_OVERRIDE=1 -DENABLE_PRELOAD=1 -fPIC -shared
                -ftls-model=initial-exec -Wl,-soname,librpmalloc.so -o <INSTALL_DIR>/lib/librpmalloc.so
                <SOURCE_DIR>/rpmalloc/rpmalloc.c -lpthread
            INSTALL_COMMAND ${CMAKE_COMMAND} -E true)
    else()
        alloc_find_peer(jemalloc jemalloc jemalloc/jemalloc.h)
        alloc_find_peer(mimalloc mimalloc mimalloc.h)
        alloc_find_peer(tcmalloc tcmalloc_minimal gperftools/tcmalloc.h)
        alloc_find_peer(snmalloc snmallocshim)
        alloc_find_peer(rpmalloc rpmalloc)
    endif()
    set(names "")
    foreach(name IN ITEMS jemalloc mimalloc tcmalloc snmalloc rpmalloc)
        if(TARGET peer::${name})
            list(APPEND names ${name})
        endif()
    endforeach()
    set(${found} ${names} PARENT_SCOPE)
endfunction()
