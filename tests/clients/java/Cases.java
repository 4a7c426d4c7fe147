// SPDX-License-Identifier: Apache-2.0
// The cases of pgjdbc.
import java.util.Map;

final class Cases {
    private Cases() {}

    // The driver's ways to talk; the cases of `everyWay` are run in each.
    static final Map<String, Map<String, String>> WAYS = Map.of(
            "simple", Map.of("preferQueryMode", "simple"),
            "extended for prepared", Map.of("preferQueryMode", "extendedForPrepared"),
            "cache everything", Map.of("preferQueryMode", "extendedCacheEverything"),
            "binary at once", Map.of("prepareThreshold", "-1"),
            "rewritten batches", Map.of("reWriteBatchedInserts", "true"),
            "autosave", Map.of("autosave", "always"));

    static void addTo(Suite suite) {
        QueryCases.addTo(suite);
        TransactionCases.addTo(suite);
        CursorCases.addTo(suite);
        CopyCases.addTo(suite);
        ValueCases.addTo(suite);
        ConnectionCases.addTo(suite);
        StartupCases.addTo(suite);
    }
}
