# What `cmake --install` puts where.
install(TARGETS alloc_shared alloc_static EXPORT alloc
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY abi/include/alloc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
