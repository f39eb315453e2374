# What `cmake --install` puts where: libraries, commands for gdb, headers, the CMake package, alloc.pc and alloc-malloc.pc. All of it relocatable: nothing
# installed names the prefix. What programs need that are linked already is the component `runtime`, all else `dev`.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/abi/include/alloc" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT dev)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/alloc" COMPONENT dev)

# gdb looks for commands beside the library, whatever directory it is in.
foreach(kind IN LISTS alloc_kinds)
    if(NOT kind MATCHES "static")
        install(FILES "${PROJECT_SOURCE_DIR}/gdb/alloc-gdb.py" DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            RENAME "$<TARGET_FILE_NAME:alloc_${kind}>-gdb.py" COMPONENT dev)
    endif()
endforeach()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/alloc")
foreach(kind IN LISTS alloc_kinds)
    install(TARGETS alloc_${kind} EXPORT alloc_${kind}
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT dev
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
    install(EXPORT alloc_${kind} NAMESPACE alloc:: FILE alloc-${kind}.cmake DESTINATION "${package_dir}" COMPONENT dev)
endforeach()
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/alloc-config.cmake.in" alloc-config.cmake
    INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(alloc-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/alloc-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/alloc-config-version.cmake"
    DESTINATION "${package_dir}" COMPONENT dev)

# They find the prefix from where it lies itself.
file(RELATIVE_PATH pc_to_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
file(RELATIVE_PATH pc_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
if(ALLOC_THREADS)
    set(pc_libs_private -pthread)
endif()
set(pc_files alloc.pc)
if(TARGET alloc_malloc)
    list(APPEND pc_files alloc-malloc.pc)
endif()
foreach(pc IN LISTS pc_files)
    configure_file("${PROJECT_SOURCE_DIR}/pkgconfig/${pc}.in" ${pc} @ONLY)
    install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${pc}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)
endforeach()

if(PROJECT_IS_TOP_LEVEL AND NOT TARGET uninstall)
    add_custom_target(uninstall VERBATIM COMMAND "${CMAKE_COMMAND}" "-DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt"
        -P "${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake")
endif()
