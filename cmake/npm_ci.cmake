# cmake -D NPM=... -D FROM=... -D TO=... -P npm_ci.cmake: installs in TO what FROM/package-lock.json pins, and writes
# TO/packages.txt when it is done. No script of a package is run.
file(COPY "${FROM}/package.json" "${FROM}/package-lock.json" DESTINATION "${TO}")
execute_process(COMMAND "${NPM}" ci --ignore-scripts --no-audit --no-fund --loglevel=error
    WORKING_DIRECTORY "${TO}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The dashboard's packages could not be installed. This takes the npm registry, or a cache "
        "that has them. npm says:\n${output}")
endif()
file(WRITE "${TO}/packages.txt" "${output}")
