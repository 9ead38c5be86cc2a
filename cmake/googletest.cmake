# GTest::gtest_main: installed, or for another architecture than this machine's built from the sources that Debian's
# package googletest (which libgtest-dev brings) puts down.
if(NOT CMAKE_CROSSCOMPILING)
  find_package(GTest REQUIRED)
  return()
endif()
set(QUERN_GOOGLETEST /usr/src/googletest/googletest CACHE PATH "GoogleTest's sources, for cross builds")
add_library(quern_gtest STATIC ${QUERN_GOOGLETEST}/src/gtest-all.cc ${QUERN_GOOGLETEST}/src/gtest_main.cc)
target_include_directories(quern_gtest SYSTEM PUBLIC ${QUERN_GOOGLETEST}/include PRIVATE ${QUERN_GOOGLETEST})
target_link_libraries(quern_gtest PUBLIC Threads::Threads)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "wasm32")
  target_compile_definitions(quern_gtest PUBLIC GTEST_HAS_STREAM_REDIRECTION=0)  # WASI has no dup
endif()
add_library(GTest::gtest_main ALIAS quern_gtest)
