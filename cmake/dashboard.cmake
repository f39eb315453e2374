# The page of the benchmark's dashboard: one file that holds Chart.js and everything else, bundled from
# bench/dashboard/. The packages come from the npm registry, at the versions and with the hashes of its
# package-lock.json.
#
#   dashboard_page      a target that bundles the page, <binary dir>/dashboard/page.html; run.py puts results into it
#   ${dashboard_page}   its name, or nothing where node and npm are missing: then there is no dashboard
find_program(ALLOC_NODE NAMES node nodejs)
find_program(ALLOC_NPM npm)
mark_as_advanced(ALLOC_NODE ALLOC_NPM)
set(dashboard_page "")
if(NOT ALLOC_NODE OR NOT ALLOC_NPM)
    message(STATUS "Benchmark: no dashboard, node and npm are not installed")
    return()
endif()

set(dashboard_page dashboard_page)
set(dashboard_sources "${PROJECT_SOURCE_DIR}/bench/dashboard")
set(dashboard_binary "${CMAKE_CURRENT_BINARY_DIR}/dashboard")
file(GLOB_RECURSE dashboard_files CONFIGURE_DEPENDS "${dashboard_sources}/src/*")

add_custom_command(OUTPUT "${dashboard_binary}/packages.txt"
    COMMAND "${CMAKE_COMMAND}" -D NPM=${ALLOC_NPM} -D FROM=${dashboard_sources} -D TO=${dashboard_binary}
        -P "${PROJECT_SOURCE_DIR}/cmake/npm_ci.cmake"
    DEPENDS "${dashboard_sources}/package.json" "${dashboard_sources}/package-lock.json"
        "${PROJECT_SOURCE_DIR}/cmake/npm_ci.cmake"
    COMMENT "Installing the dashboard's packages" VERBATIM)
add_custom_command(OUTPUT "${dashboard_binary}/page.html"
    COMMAND "${ALLOC_NODE}" "${dashboard_sources}/bundle.mjs" "${dashboard_binary}"
    DEPENDS "${dashboard_binary}/packages.txt" "${dashboard_sources}/bundle.mjs" ${dashboard_files}
    COMMENT "Bundling the dashboard's page" VERBATIM)
add_custom_target(dashboard_page DEPENDS "${dashboard_binary}/page.html")
