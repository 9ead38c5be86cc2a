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
add_library(GTest::gtest_main ALIAS quern_gtest)
