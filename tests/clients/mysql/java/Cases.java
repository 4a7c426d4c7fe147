// SPDX-License-Identifier: Apache-2.0
// The cases of MariaDB Connector/J.
import java.util.Map;

final class Cases {
    private Cases() {}

    // The driver's ways to talk; the cases of `everyWay` are run in each.
    static final Map<String, Map<String, String>> WAYS = Map.of(
            "prepared", Map.of("useServerPrepStmts", "true"),
            "prepared, none cached", Map.of("useServerPrepStmts", "true", "cachePrepStmts", "false"),
            "bulk", Map.of("useServerPrepStmts", "true", "useBulkStmts", "true"),
            "rewritten", Map.of("rewriteBatchedStatements", "true"),
            "several statements", Map.of("allowMultiQueries", "true"),
            "no pipelining", Map.of("useBatchMultiSend", "false", "usePipelineAuth", "false"),
            "compressed", Map.of("useCompression", "true"));

    static void addTo(Suite suite) {
        StatementCases.addTo(suite);
        ConnectionCases.addTo(suite);
    }
}
