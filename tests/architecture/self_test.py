# SPDX-License-Identifier: Apache-2.0
"""Feeds tests/architecture/check a small sound tree, then the same tree with one violation after the other."""
import pathlib
import shutil

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = HEAD + "#pragma once\n"

SOUND = {
    "config/url.hpp": HEADER,
    "config/load.cpp": HEAD + '#include "config/url.hpp"\n#include <yaml-cpp/yaml.h>\n',
    "pool/backend.hpp": HEADER + "#include <boost/asio/awaitable.hpp>\n",
    "pool/pool.cpp": HEAD + '#include "pool/backend.hpp"\n#include <boost/asio/steady_timer.hpp>\n',
    "dialects/CMakeLists.txt": "leasehold_library(leasehold_wire_protocol\n  SOURCES wire/cursor.cpp\n  LINK Crypto)\n"
                              "set(io_names dialect control)\n",
    "dialects/README.md": "# d\n\n## Files of both dialects\n\n`framing` `control`\n\n## Files of one dialect only\n\n- `mysql/charset`: only here\n",
    "dialects/dialect.hpp": HEADER + '#include "pool/backend.hpp"\n#include "dialects/wire/transport.hpp"\n',
    "dialects/wire/cursor.hpp": HEADER,
    "dialects/wire/cursor.cpp": HEAD + '#include "dialects/wire/cursor.hpp"\n',
    "dialects/wire/transport.hpp": HEADER + "#include <boost/asio/ip/tcp.hpp>\n",
    "dialects/postgres/framing.hpp": HEADER + '#include "dialects/wire/cursor.hpp"\n',
    "dialects/postgres/control.cpp": HEAD + '#include "dialects/dialect.hpp"\n#include <libpq-fe.h>\n',
    "dialects/mysql/framing.cpp": HEAD + '#include "dialects/wire/cursor.hpp"\n',
    "dialects/mysql/control.cpp": HEAD + "#include <mysql.h>\n",
    "dialects/mysql/charset.hpp": HEADER,
    "daemon/server.cpp": HEAD + '#include "dialects/dialect.hpp"\n#include <spdlog/spdlog.h>\n'
                                'void f() { co_spawn(executor, run(), report); }  // never detached\n'
                                'auto s = [](int fd) -> wire::awaitable<void> { co_return; };\n',
    "cmd/leasehold/main.cpp": HEAD + '#include "daemon/server.hpp"\n#include <CLI/CLI.hpp>\n',
    "tests/unit/pool/pool_test.cpp": HEAD + '#include "pool/backend.hpp"\n#include <gtest/gtest.h>\n',
    "tests/support/install": "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\n",
    "README.md": "leasehold\n",
}


def code(line):
    return HEAD + line + "\n"


# rule, what is added to the sound tree: path → text
VIOLATIONS = [
    ("arrows", {"pool/peek.cpp": code('#include "dialects/wire/cursor.hpp"')}),
    ("arrows", {"dialects/mysql/charset.hpp": HEADER + '#include "daemon/server.hpp"\n'}),
    ("arrows", {"dialects/wire/transport.hpp": HEADER + '#include "pool/backend.hpp"\n'}),
    ("arrows", {"dialects/postgres/control.cpp": code('#include "dialects/mysql/charset.hpp"')}),
    ("arrows", {"dialects/mysql/control.cpp": code('#include "pool/pool.hpp"')}),
    ("arrows", {"config/load.cpp": code('#include "pool/backend.hpp"')}),
    ("arrows", {"daemon/server.cpp": code('#include "dialects/postgres/framing.hpp"')}),
    ("arrows", {"cmd/leasehold/main.cpp": code('#include "pool/pool.hpp"')}),
    ("arrows", {"config/load.cpp": code('#include "url.hpp"')}),
    ("vendors", {"pool/pool.cpp": code("#include <spdlog/spdlog.h>")}),
    ("vendors", {"daemon/server.cpp": code("#include <libpq-fe.h>")}),
    ("vendors", {"dialects/mysql/charset.hpp": HEADER + "#include <mysql.h>\n"}),
    ("vendors", {"daemon/server.cpp": code("#include <yaml-cpp/yaml.h>")}),
    ("vendors", {"pool/pool.cpp": code("#include <boost/asio/ip/tcp.hpp>")}),
    ("vendors", {"daemon/server.cpp": code("#include <boost/asio.hpp>")}),
    ("rare_headers", {f"daemon/web{n}.cpp": code("#include <boost/beast/http.hpp>") for n in range(4)}),
    ("pure_protocol", {"dialects/wire/cursor.cpp": code("#include <boost/asio/post.hpp>")}),
    ("pure_protocol", {"dialects/mysql/framing.cpp": code('#include "dialects/dialect.hpp"')}),
    ("pure_protocol", {"dialects/wire/cursor.hpp": HEADER + '#include "dialects/wire/transport.hpp"\n'}),
    ("pure_protocol", {"dialects/CMakeLists.txt": "\n"}),
    ("pure_protocol", {"dialects/CMakeLists.txt": "leasehold_wire_protocol SOURCES wire/transport.cpp\n LINK Crypto\n"
                                                  "set(io_names dialect control)\n",
                       "dialects/wire/transport.cpp": code('#include "dialects/wire/transport.hpp"')}),
    ("twins", {"dialects/README.md": "# nothing\n"}),
    ("twins", {"dialects/README.md": "## Files of both dialects\n`framing` `control` `auth`\n"
                                     "## Files of one dialect only\n`mysql/charset`\n"}),
    ("twins", {"dialects/postgres/surprise.hpp": HEADER}),
    ("coroutines", {"daemon/server.cpp": code("void f() { co_spawn(executor, run(), boost::asio::detached); }")}),
    ("coroutines", {"daemon/server.cpp": code("using boost::asio::detached;")}),
    ("coroutines", {"daemon/server.cpp": code("auto s = [this](int fd) -> awaitable<void> { co_return; };")}),
    ("coroutines", {"daemon/server.cpp": code("class SessionManager final {};")}),
    ("heads", {"pool/pool.cpp": "int x;\n"}),
    ("heads", {"tests/support/install": "#!/usr/bin/env bash\ntrue\n"}),
    ("heads", {"pool/pool.cpp": HEAD + "int x;\n" * 400}),
    ("heads", {"pool/README.md": "line\n" * 81}),
    ("heads", {"config/url.hpp": HEAD}),
    ("texts", {"README.md": "see /wo" + "rk/main\n"}),
    ("texts", {"README.md": "as DESI" + "GN says\n"}),
    ("texts", {"README.md": "see ../sha" + "red/notes/speed.md\n"}),
    ("texts", {"Dockerfile": "RUN curl https://deb." + "debian.org/\n"}),
]
# What must not be found: near misses.
HARMLESS = [
    {"pool/pool.cpp": HEAD + "// longer than 400 lines because it is one table\n" + "int x;\n" * 400},
    {"daemon/server.cpp": code('// detached, co_spawn(x, detached)\nauto text = "asio::detached";')},
    {"tests/unit/config/load_test.cpp": code("#include <yaml-cpp/yaml.h>")},
    {"README.md": "work/ and network/ and /workers, /tmp/work\n"},
]


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def run(folder, findings):
    root, failures = pathlib.Path(folder) / "tree", []
    cases = [(None, {}), *((None, files) for files in HARMLESS), *VIOLATIONS]
    for rule, files in cases:
        shutil.rmtree(root, ignore_errors=True)
        write(root, {**SOUND, **files})
        found = findings(root)
        rules = {entry[0] for entry in found}
        if rules != ({rule} if rule else set()):
            failures.append(f"expected {rule or 'nothing'} for {sorted(files) or 'the sound tree'}, found {found}")
    print("\n".join(failures) or f"{len(cases)} trees judged rightly")
    return 1 if failures else 0
