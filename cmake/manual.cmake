# The manual: the pages of man/, and for every other name in a page's NAME section a page that refers to it. `manual_html` makes
# the same in HTML, manual/index.html.
set(manual "${PROJECT_BINARY_DIR}/man")
file(REMOVE_RECURSE "${manual}")
file(GLOB pages "${PROJECT_SOURCE_DIR}/man/*.[1-9]")
foreach(page IN LISTS pages)
    get_filename_component(file "${page}" NAME)
    string(REGEX MATCH "[1-9]$" section "${file}")
    configure_file("${page}" "${manual}/man${section}/${file}" COPYONLY)
    file(STRINGS "${page}" names REGEX "^\\.Nm .")
    foreach(name IN LISTS names)
        string(REGEX REPLACE "^\\.Nm ([^ ]+).*" "\\1.${section}" link "${name}")
        if(NOT link STREQUAL file)
            file(WRITE "${manual}/man${section}/${link}" ".so man${section}/${file}\n")
        endif()
    endforeach()
endforeach()
install(DIRECTORY "${manual}/" DESTINATION "${CMAKE_INSTALL_MANDIR}" COMPONENT dev)

if(PROJECT_IS_TOP_LEVEL)
    find_program(ALLOC_MANDOC mandoc)
    if(ALLOC_MANDOC)
        add_custom_target(manual_html VERBATIM COMMAND sh "${PROJECT_SOURCE_DIR}/man/html.sh"
            "${ALLOC_MANDOC}" "${manual}" "${PROJECT_BINARY_DIR}/manual")
    else()
        add_custom_target(manual_html VERBATIM COMMAND "${CMAKE_COMMAND}" -E echo "The manual in HTML needs mandoc"
            COMMAND "${CMAKE_COMMAND}" -E false)
    endif()
endif()
