// SPDX-License-Identifier: Apache-2.0
// The lexer alone, for tests/bench/instructions: lexer_cost TEXT COPIES TURNS reads the text so many times over, in a row,
// and that so many turns.
#include "dialects/postgres/digest.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
    using namespace leasehold::postgres;
    if (argc != 4) return 64;
    std::string text;
    for (int i = std::atoi(argv[2]); i > 0; --i) text += argv[1];
    std::size_t found = 0;
    for (int turn = std::atoi(argv[3]); turn > 0; --turn) {
        each_statement(text, true, [&](const Statement& statement) { found += statement.marks + 1u; });
    }
    std::printf("%zu\n", found);
    return 0;
}
