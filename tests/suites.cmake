# The suites beside the unit tests. Python is Debian's own: the packages that tests/support/install brings are for it.
set(LEASEHOLD_PYTHON /usr/bin/python3)

# --- architecture: the arrows between the layers, and that the script which checks them would notice -----------------
add_test(NAME architecture.check COMMAND ${LEASEHOLD_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/architecture/check)
add_test(NAME architecture.self_test COMMAND ${LEASEHOLD_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/architecture/check --self-test)
set_tests_properties(architecture.check architecture.self_test PROPERTIES LABELS architecture TIMEOUT 60)

# --- integration: one ctest per file; the promises run under the sanitizers too --------------------------------------
# Files that measure times or loads have the machine to themselves.
set(load_sensitive test_load test_load_mysql test_tables_load test_programs test_demo test_hostile test_hostile_servers test_tls_load
  test_hostile_mysql test_hostile_mysql_layers)

# Where lifetimes are at stake: under the sanitizers as well.
set(sanitized test_drain test_foreign_state test_limits test_notify test_auth test_cancel test_copy test_errors test_handshake test_log_targets test_logs test_reload test_reload_servers test_replication test_mysql_compression test_mysql_replication test_mysql_state test_session_mode test_settings test_tables
  test_startup test_template test_tls_clients test_tls_servers)
list(APPEND sanitized test_hostile_mysql test_hostile_mysql_layers test_mysql_change_user test_mysql_change_user_hostile test_mysql_framing test_mysql_kill test_mysql_login test_mysql_prepared test_mysql_unseen
  test_mysql_timeouts test_mysql_tls test_mysql_tls_clients test_pool_rules)
list(APPEND sanitized test_hidden test_listen test_listen_along test_listen_faults test_pins test_sequences test_settings_carried test_settings_replayed)
list(APPEND sanitized test_commands test_commands_daemon test_commands_kill test_commands_users)

file(GLOB files CONFIGURE_DEPENDS integration/test_*.py)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "" short ${name})
  set(test integration.${short})
  add_test(NAME ${test}
    COMMAND ${LEASEHOLD_PYTHON} -m pytest -q -p no:cacheprovider --tb=short --color=no -rs ${file}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/integration)
  set(labels integration)
  if(name MATCHES "^test_fidelity")
    set(labels fidelity)
  endif()
  if(name MATCHES "^test_promises")
    list(APPEND labels promise)
  endif()
  if(name IN_LIST sanitized)
    list(APPEND labels sanitized)
  endif()
  set_tests_properties(${test} PROPERTIES LABELS "${labels}" TIMEOUT 900
    ENVIRONMENT "LEASEHOLD_BIN=$<TARGET_FILE:leasehold>;PYTHONDONTWRITEBYTECODE=1")
  if(name STREQUAL test_clients_python_suite)
    set_tests_properties(${test} PROPERTIES PROCESSORS 2 TIMEOUT 2400)  # two runs of a suite at once, five under --long
  elseif(name STREQUAL test_clients_mysql_sqlalchemy)
    set_tests_properties(${test} PROPERTIES TIMEOUT 2400)  # eight suites under --long
  endif()
  if(name IN_LIST load_sensitive)
    set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
  endif()
endforeach()

# --- fidelity: the daemon with switches, which test_fidelity runs, and seeds of each commit's own -----------------------
add_subdirectory(fidelity)
add_test(NAME integration.fidelity_seeds COMMAND ${LEASEHOLD_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/fidelity/run)
set_tests_properties(integration.fidelity_seeds PROPERTIES LABELS fidelity TIMEOUT 1800
  ENVIRONMENT "LEASEHOLD_SWITCHED=$<TARGET_FILE:leasehold_switched>")

# --- faults: what breaks between leasehold and its servers, and between it and its clients --------------------------------
file(GLOB files CONFIGURE_DEPENDS faults/test_*.py)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "" short ${name})
  add_test(NAME faults.${short}
    COMMAND ${LEASEHOLD_PYTHON} -m pytest -q -p no:cacheprovider --tb=short --color=no -rs ${file}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/faults)
  set_tests_properties(faults.${short} PROPERTIES LABELS faults TIMEOUT 1800
    ENVIRONMENT "LEASEHOLD_BIN=$<TARGET_FILE:leasehold>;PYTHONDONTWRITEBYTECODE=1")
  if(name MATCHES "^test_ledger")
    set_tests_properties(faults.${short} PROPERTIES PROCESSORS 2 TIMEOUT 36000)  # --long: 100 seeds of two minutes
  endif()
endforeach()

# --- bench: the lexer alone, for tests/bench/instructions ---------------------------------------------------------------
add_executable(lexer_cost bench/lexer.cpp)
target_link_libraries(lexer_cost PRIVATE leasehold_postgres_protocol leasehold_options)

# --- thread safety: what several workers share, meant for the tsan preset ---------------------------------------------
file(GLOB sources CONFIGURE_DEPENDS thread_safety/*.cpp)
add_executable(thread_safety ${sources})
target_link_libraries(thread_safety PRIVATE leasehold_daemon GTest::gtest_main leasehold_options)
gtest_discover_tests(thread_safety DISCOVERY_MODE PRE_TEST TEST_PREFIX "thread_safety."
  PROPERTIES LABELS thread_safety TIMEOUT 120)
add_test(NAME thread_safety.workers
  COMMAND ${LEASEHOLD_PYTHON} -m pytest -q -p no:cacheprovider --tb=short --color=no test_workers.py
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/thread_safety)
set_tests_properties(thread_safety.workers PROPERTIES LABELS thread_safety TIMEOUT 300 RUN_SERIAL ON
  ENVIRONMENT "LEASEHOLD_BIN=$<TARGET_FILE:leasehold>;PYTHONDONTWRITEBYTECODE=1")

# --- fuzzing: the corpus and all that ever crashed, replayed by an ordinary program ---------------------------------
add_subdirectory(fuzz)
