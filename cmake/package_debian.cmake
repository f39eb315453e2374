# Run by cpack before it packs: in what becomes a Debian package, the manual is compressed, and the documents have the names and the
# folder that Debian wants.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
    return()
endif()
get_filename_component(source "${CPACK_RESOURCE_FILE_LICENSE}" DIRECTORY)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    string(TOUPPER "${component}" upper)
    set(package "${CPACK_DEBIAN_${upper}_PACKAGE_NAME}")
    set(share "${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share")
    set(documents "${share}/doc/${package}")
    file(REMOVE_RECURSE "${share}/doc/alloc")
    configure_file("${CPACK_RESOURCE_FILE_LICENSE}" "${documents}/copyright" COPYONLY)
    configure_file("${source}/CHANGELOG.md" "${documents}/changelog" COPYONLY)
    file(WRITE "${documents}/changelog.Debian"
        "${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
        "  * Packed by cpack; what is new says the changelog beside this one.\n\n"
        " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
    file(GLOB_RECURSE texts "${share}/man/*" "${documents}/changelog*")
    execute_process(COMMAND gzip -9n ${texts} COMMAND_ERROR_IS_FATAL ANY)
    if(component STREQUAL "runtime")
        file(WRITE "${share}/lintian/overrides/${package}"
            "# valgrind finds what to replace in the symbol tables\n${package} binary: unstripped-binary-or-object\n")
    endif()
endforeach()
