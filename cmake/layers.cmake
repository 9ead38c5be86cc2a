# What runs long in a test is the library's: the tests' own files are compiled in two thirds of the time.
set(QUERN_TEST_OPTIONS "-O1" CACHE STRING "For the files of tests alone, after all other options")

# quern_layer(name DEPENDS other... [LINK library...] [TEST_LINK library...] [EXCLUDE regex])
# One static library per folder of src/, from all its .cc files; its *_test.cc files become the program test_<name>.
# Which folder may depend on which is docs/layers.txt, held by tools/check_layers.py.
function(quern_layer name)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPENDS;LINK;TEST_LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
    list(FILTER tests EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  if(sources)
    add_library(quern_${name} STATIC ${sources})
    target_include_directories(quern_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    set(visibility PUBLIC)
  else()
    add_library(quern_${name} INTERFACE)
    target_include_directories(quern_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    set(visibility INTERFACE)
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND quern_)
  target_link_libraries(quern_${name} ${visibility} ${ARG_DEPENDS} ${ARG_LINK} Threads::Threads)
  if(QUERN_TESTS AND tests)
    add_executable(test_${name} ${tests})
    target_link_libraries(test_${name} PRIVATE quern_${name} ${ARG_TEST_LINK} quern_test_support GTest::gtest_main)
    target_compile_definitions(test_${name} PRIVATE QUERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_compile_options(test_${name} PRIVATE ${QUERN_TEST_OPTIONS})
    gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300
                         ENVIRONMENT "QUERN_PACKED_CACHE=")
  endif()
endfunction()

# quern_fuzz(name source... DEPENDS layer... [LINK library...]): a libFuzzer program fuzz_<name>, built with
# -DQUERN_FUZZ=ON (clang) by the target fuzzers. More sources than one: what is fuzzed, of a layer that is not needed whole.
# Every layer is then instrumented as well (the flags are set for the whole tree below), so that the fuzzer sees
# the branches of the code under test.
function(quern_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  if(NOT QUERN_FUZZ)
    return()
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND quern_)
  add_executable(fuzz_${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPENDS} ${ARG_LINK})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers fuzz_${name})
endfunction()

if(QUERN_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "QUERN_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=address,undefined)
  add_custom_target(fuzzers)
endif()
