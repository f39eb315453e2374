# The allocators to compare with, as imported targets peer::jemalloc, peer::mimalloc and peer::tcmalloc.
#
#   alloc_find_peers(found)     sets `found` to the names of those that exist here
#
# They come from the system; with ALLOC_FETCH_PEERS=ON they are built from pinned sources instead.
include(ExternalProject)

# alloc_find_peer(name header library): from the system.
function(alloc_find_peer name header library)
    find_path(ALLOC_PEER_${name}_INCLUDE_DIR ${header})
    find_library(ALLOC_PEER_${name}_LIBRARY ${library})
    mark_as_advanced(ALLOC_PEER_${name}_INCLUDE_DIR ALLOC_PEER_${name}_LIBRARY)
    if(ALLOC_PEER_${name}_INCLUDE_DIR AND ALLOC_PEER_${name}_LIBRARY)
        add_library(peer::${name} UNKNOWN IMPORTED GLOBAL)
        set_target_properties(peer::${name} PROPERTIES
            IMPORTED_LOCATION "${ALLOC_PEER_${name}_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${ALLOC_PEER_${name}_INCLUDE_DIR}")
    endif()
endfunction()

# alloc_fetch_peer(name library URL_AND_STEPS...): from source, into a prefix of its own.
function(alloc_fetch_peer name library)
    set(prefix "${CMAKE_BINARY_DIR}/peers/${name}")
    ExternalProject_Add(peer_${name} PREFIX "${prefix}/build" INSTALL_DIR "${prefix}"
        BUILD_BYPRODUCTS "${prefix}/lib/${library}" LOG_CONFIGURE ON LOG_BUILD ON LOG_INSTALL ON ${ARGN})
    file(MAKE_DIRECTORY "${prefix}/include")
    add_library(peer::${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(peer::${name} PROPERTIES
        IMPORTED_LOCATION "${prefix}/lib/${library}" INTERFACE_INCLUDE_DIRECTORIES "${prefix}/include")
    add_dependencies(peer::${name} peer_${name})
endfunction()

function(alloc_find_peers found)
    if(ALLOC_FETCH_PEERS)
        alloc_fetch_peer(jemalloc libjemalloc.so
            URL https://github.com/jemalloc/jemalloc/releases/download/5.3.0/jemalloc-5.3.0.tar.bz2
            URL_HASH SHA256=2db82d1e7119df3e71b7640219b6dfe84789bc0537983c3b7ac4f7189aecfeaa
            CONFIGURE_COMMAND <SOURCE_DIR>/configure --prefix=<INSTALL_DIR> --libdir=<INSTALL_DIR>/lib
            BUILD_COMMAND make -j2 INSTALL_COMMAND make install_include install_lib)
        alloc_fetch_peer(mimalloc libmimalloc.so
            URL https://github.com/microsoft/mimalloc/archive/refs/tags/v2.1.7.tar.gz
            URL_HASH SHA256=0eed39319f139afde8515010ff59baf24de9e47ea316a315398e8027d198202d
            CMAKE_ARGS -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=<INSTALL_DIR> -DCMAKE_INSTALL_LIBDIR=lib
                -DMI_BUILD_TESTS=OFF -DMI_INSTALL_TOPLEVEL=ON)
        alloc_fetch_peer(tcmalloc libtcmalloc_minimal.so
            URL https://github.com/gperftools/gperftools/releases/download/gperftools-2.15/gperftools-2.15.tar.gz
            URL_HASH SHA256=c69fef855628c81ef56f12e3c58f2b7ce1f326c0a1fe783e5cae0b88cbbe9a80
            CONFIGURE_COMMAND <SOURCE_DIR>/configure --prefix=<INSTALL_DIR> --libdir=<INSTALL_DIR>/lib --enable-minimal
            BUILD_COMMAND make -j2 INSTALL_COMMAND make install)
    else()
        alloc_find_peer(jemalloc jemalloc/jemalloc.h jemalloc)
        alloc_find_peer(mimalloc mimalloc.h mimalloc)
        alloc_find_peer(tcmalloc gperftools/tcmalloc.h tcmalloc_minimal)
    endif()
    set(names "")
    foreach(name IN ITEMS jemalloc mimalloc tcmalloc)
        if(TARGET peer::${name})
            list(APPEND names ${name})
        endif()
    endforeach()
    set(${found} ${names} PARENT_SCOPE)
endfunction()
