# What the tests and the benchmark need: from the system where it has it, else from a pinned source.
include(FetchContent)
if(ALLOC_BENCH)
    include(peers)
endif()

block()
    set(CMAKE_COMPILE_WARNING_AS_ERROR OFF) # warnings in what others wrote are not ours to fix
    if(ALLOC_TESTS)
        set(INSTALL_GTEST OFF)
        FetchContent_Declare(googletest
            URL https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
            URL_HASH SHA256=8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7
            FIND_PACKAGE_ARGS NAMES GTest)
        FetchContent_MakeAvailable(googletest)
    endif()
    if(ALLOC_BENCH)
        set(BENCHMARK_ENABLE_TESTING OFF)
        set(BENCHMARK_ENABLE_INSTALL OFF)
        set(BENCHMARK_ENABLE_WERROR OFF)
        FetchContent_Declare(benchmark
            URL https://github.com/google/benchmark/archive/refs/tags/v1.8.3.tar.gz
            URL_HASH SHA256=6bc180a57d23d4d9515519f92b0c83d61b05b5bab188961f36ac7b06b0d9e9ce
            FIND_PACKAGE_ARGS)
        FetchContent_MakeAvailable(benchmark)
    endif()
endblock()
