// SPDX-License-Identifier: Apache-2.0
// Runs a driver's Cases and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the end.
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

    private static final long PATIENCE_MS = 30_000;

    private final List<Case> cases = new ArrayList<>();

    void add(String name, Body body) {
        cases.add(new Case(name, Map.of(), body));
    }

    void everyWay(String name, Body body) {
        add(name, body);
        Cases.WAYS.keySet().stream().sorted().forEach(way -> cases.add(new Case(name + ", " + way, Cases.WAYS.get(way), body)));
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

    static void holds(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    // arguments: parts of names; only cases that contain one are run
    public static void main(String[] arguments) throws Exception {
        Suite suite = new Suite();
        Cases.addTo(suite);
        for (Case one : suite.cases) {
            boolean wanted = arguments.length == 0;
            for (String part : arguments) {
                wanted |= one.name().contains(part);
            }
            if (!wanted) {
                continue;
            }
            long from = System.nanoTime();
            String why = end(one).replace('\n', ' ');
            System.out.println(why.isEmpty() ? "ok " + one.name() : "not ok " + one.name() + ": " + why);
            long took = (System.nanoTime() - from) / 1_000_000;
            if (took > 1000) {
                System.out.println("# " + one.name() + " took " + took + " ms");
            }
        }
        System.out.println("done");
        System.exit(0); // threads of cases that did not end
    }
}
