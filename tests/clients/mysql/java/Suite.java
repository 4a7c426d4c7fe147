// SPDX-License-Identifier: Apache-2.0
// Runs the cases of MariaDB Connector/J and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done`.
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;

final class Suite {
    interface Body {
        void run(Target target) throws Exception;
    }

    private record Case(String name, Map<String, String> properties, Body body) {}

    // The driver's ways to talk; the cases of `everyWay` are run in each.
    private static final Map<String, Map<String, String>> WAYS = Map.of(
            "prepared", Map.of("useServerPrepStmts", "true"),
            "prepared, none cached", Map.of("useServerPrepStmts", "true", "cachePrepStmts", "false"),
            "bulk", Map.of("useServerPrepStmts", "true", "useBulkStmts", "true"),
            "rewritten", Map.of("rewriteBatchedStatements", "true"),
            "several statements", Map.of("allowMultiQueries", "true"),
            "no pipelining", Map.of("useBatchMultiSend", "false", "usePipelineAuth", "false"),
            "compressed", Map.of("useCompression", "true"));
    private static final long PATIENCE_MS = 30_000;

    private final List<Case> cases = new ArrayList<>();

    void add(String name, Body body) {
        cases.add(new Case(name, Map.of(), body));
    }

    void everyWay(String name, Body body) {
        add(name, body);
        WAYS.keySet().stream().sorted().forEach(way -> cases.add(new Case(name + ", " + way, WAYS.get(way), body)));
    }

    private static String end(Case one) throws InterruptedException {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try (Target target = new Target(one.properties())) {
                one.body().run(target);
            } catch (Throwable error) {
                thrown.set(error);
            }
        });
        thread.setDaemon(true);
        thread.start();
        thread.join(PATIENCE_MS);
        if (thread.isAlive()) {
            return "no end after " + PATIENCE_MS / 1000 + " s, at " + place(thread.getStackTrace());
        }
        return thrown.get() == null ? "" : thrown.get() + " at " + place(thrown.get().getStackTrace());
    }

    // The lines of our own that the stack passes through.
    private static String place(StackTraceElement[] stack) {
        StringBuilder lines = new StringBuilder();
        for (StackTraceElement frame : stack) {
            if (frame.getFileName() != null && frame.getFileName().endsWith("Cases.java")) {
                lines.append(frame.getFileName()).append(' ').append(frame.getLineNumber()).append(' ');
            }
        }
        return lines.toString().strip();
    }

    static void same(Object expected, Object actual) {
        if (!Objects.deepEquals(expected, actual)) {
            throw new AssertionError("expected <" + expected + ">, got <" + actual + ">");
        }
    }

    // arguments: parts of names; only cases that contain one are run
    public static void main(String[] arguments) throws Exception {
        Suite suite = new Suite();
        StatementCases.addTo(suite);
        ConnectionCases.addTo(suite);
        for (Case one : suite.cases) {
            boolean wanted = arguments.length == 0;
            for (String part : arguments) {
                wanted |= one.name().contains(part);
            }
            if (wanted) {
                String why = end(one).replace('\n', ' ');
                System.out.println(why.isEmpty() ? "ok " + one.name() : "not ok " + one.name() + ": " + why);
            }
        }
        System.out.println("done");
        System.exit(0); // threads of cases that did not end
    }
}
