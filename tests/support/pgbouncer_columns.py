# SPDX-License-Identifier: Apache-2.0
"""The columns of PgBouncer 1.18's console (Debian 12), and which of them leasehold has no meaning for, with the reason.
test_tables compares the list with the real program's where that is installed."""

COLUMNS = {
    "POOLS": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel "
             "sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode",
    "STATS": "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time "
             "total_wait_time avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time",
    "STATS_TOTALS": "database xact_count query_count bytes_received bytes_sent xact_time query_time wait_time",
    "STATS_AVERAGES": "database xact_count query_count bytes_received bytes_sent xact_time query_time wait_time",
    "TOTALS": "name value",
    "CLIENTS": "type user database state addr port local_addr local_port connect_time request_time wait wait_us "
               "close_needed ptr link remote_pid tls application_name",
    "SERVERS": "type user database state addr port local_addr local_port connect_time request_time wait wait_us "
               "close_needed ptr link remote_pid tls application_name",
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool pool_mode max_connections "
                 "current_connections paused disabled",
    "USERS": "name pool_mode",
    "CONFIG": "key value default changeable",
    "LISTS": "list items",
    "VERSION": "version",
}

CANCELS = "a cancel request is delivered beside the pool and waits for none of its connections"
MISSING = {
    "POOLS": {"cl_active_cancel_req": CANCELS, "cl_waiting_cancel_req": CANCELS, "sv_active_cancel": CANCELS,
              "sv_being_canceled": CANCELS},
    "CLIENTS": {"remote_pid": "the peer's process is looked at for `auth: peer` alone, and not kept"},
    "SERVERS": {"local_addr": "remote_pid finds the connection on the server's side", "local_port": "likewise",
                "request_time": "the holder's request_time in CLIENTS and LEASES says it",
                "wait": "a backend waits for nobody", "wait_us": "a backend waits for nobody",
                "tls": "the pool's URL says it for all its backends: sslmode, ssl_mode"},
}

# Rows that exporters look up by name.
LISTS = ("databases users pools free_clients used_clients login_clients free_servers used_servers dns_names dns_zones "
         "dns_queries dns_pending")
TOTALS = ("total_xact_count total_query_count total_client_bytes total_server_bytes total_xact_time total_query_time "
          "total_wait_time avg_xact_count avg_query_count avg_client_bytes avg_server_bytes avg_xact_time "
          "avg_query_time avg_wait_time")

# Tables of PgBouncer's that there are none of here; the console's error says what to ask instead.
ABSENT = ("MEM", "FDS", "SOCKETS", "ACTIVE_SOCKETS", "DNS_HOSTS", "DNS_ZONES")
