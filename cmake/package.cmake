# `cpack` makes packages of what is installed: liballoc1 and liballoc-dev for Debian (-G DEB), and a tarball (-G TGZ); `cpack --config
# CPackSourceConfig.cmake` one of the sources. For Debian, configure with -DCMAKE_INSTALL_PREFIX=/usr: libraries go to its folders then. The
# packager's name is DEBFULLNAME's and DEBEMAIL's, as for Debian's own tools.
set(CPACK_PACKAGE_NAME alloc)
set(CPACK_PACKAGE_VENDOR "The alloc authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "memory allocator without loops and without metadata per block")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_RESOURCE_FILE_README "${PROJECT_SOURCE_DIR}/README.md")
set(CPACK_GENERATOR TGZ)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_STRIP_FILES OFF) # valgrind finds what to replace in the symbol table

set(CPACK_SOURCE_GENERATOR TGZ)
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" source_pattern "${PROJECT_SOURCE_DIR}")
set(CPACK_SOURCE_IGNORE_FILES "/[.]git(/|$)" "^${source_pattern}/build/" "/__pycache__/")
set(CPACK_SOURCE_PACKAGE_FILE_NAME "alloc-${PROJECT_VERSION}")
set(CPACK_VERBATIM_VARIABLES ON)

# For Debian: a package per component, with what its policy asks of one.
set(debian_library liballoc${PROJECT_VERSION_MAJOR})
set(debian_control "${CMAKE_CURRENT_BINARY_DIR}/debian")
file(WRITE "${debian_control}/triggers" "activate-noawait ldconfig\n")
file(WRITE "${debian_control}/shlibs"
    "liballoc ${PROJECT_VERSION_MAJOR} ${debian_library} (>= ${PROJECT_VERSION})\n"
    "liballoc_malloc ${PROJECT_VERSION_MAJOR} ${debian_library} (>= ${PROJECT_VERSION})\n")
set(debian_packager "$ENV{DEBFULLNAME}")
set(debian_email "$ENV{DEBEMAIL}")
if(NOT debian_packager)
    set(debian_packager "${CPACK_PACKAGE_VENDOR}")
endif()
if(NOT debian_email)
    set(debian_email unknown@unknown)
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${debian_packager} <${debian_email}>")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${debian_library})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${debian_control}/triggers" "${debian_control}/shlibs")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME liballoc-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${debian_library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libc6-dev")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Libraries that programs are linked with: liballoc.so is for programs that\n\
know the size of what they free, liballoc_malloc.so takes the place of\n\
malloc and operator new, also when it is preloaded.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "Headers, static libraries, the manual, and what CMake and pkg-config need to\n\
find them.")
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/package_debian.cmake")
include(CPack)
