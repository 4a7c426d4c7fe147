// SPDX-License-Identifier: Apache-2.0
// The lists themselves: words in front of a parenthesis that is no call, and functions of pg_catalog (PostgreSQL 13 to 18)
// that leave nothing in a session, or what their own names tell the lexer. Left out on purpose: what runs a text that it is
// given (query_to_xml, ts_stat, ...), temporary replication slots, backups, and what only types and operators call.
#include "dialects/postgres/known_names.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace leasehold::postgres {
namespace {

// clang-format off
constexpr std::string_view keywords =
    "all analyze and any array as asc asymmetric bernoulli between bigint bit boolean both by call case cast "
    "char character check collation columns concurrently conflict constraint copy cross cube current_date "
    "current_time current_timestamp cycle dec decimal default delete desc distinct do double else end escape "
    "except exclude exists explain extract false fetch filter float foreign from full generated group "
    "grouping having if ilike in include index inner inout insert int integer intersect interval into is "
    "isnull join json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar "
    "json_serialize json_table json_value key lateral leading left like limit localtime localtimestamp "
    "materialized merge merge_action national natural nchar nfc normalize not notnull null nullif numeric of "
    "offset on only options or order out over overlaps partition precision primary range real recursive "
    "references reindex returning returns right rollup row rows select set setof sets similar smallint some "
    "stdin stdout storage substring symmetric system system_rows system_time table tablesample then time "
    "timestamp to trailing treat trim true truncate union unique update user using vacuum values varchar "
    "variadic varying verbose when where window with within without xmlattributes xmlconcat xmlelement "
    "xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable zone ";
constexpr std::string_view functions =
    "abbrev abs acldefault aclexplode acos acosd acosh age any_value area array_agg array_append array_cat "
    "array_dims array_fill array_length array_lower array_ndims array_position array_positions array_prepend "
    "array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_json "
    "array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg "
    "bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or box bpchar broadcast btrim bytea "
    "cardinality casefold cash_words cbrt ceil ceiling center char_length character_length chr cidr circle "
    "clock_timestamp coalesce col_description concat concat_ws convert convert_from convert_to corr cos cosd "
    "cosh cot cotd count covar_pop covar_samp crc32 crc32c cume_dist current_database current_query "
    "current_schema current_schemas current_setting current_user currval date date_add date_bin date_part "
    "date_subtract date_trunc datemultirange daterange decode degrees dense_rank diagonal diameter div "
    "encode enum_first enum_last enum_range erf erfc every exp factorial family first_value float4 float8 "
    "floor format format_type gamma gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte "
    "get_current_ts_config getdatabaseencoding getpgusername greatest has_any_column_privilege "
    "has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege "
    "has_language_privilege has_largeobject_privilege has_parameter_privilege has_schema_privilege "
    "has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege "
    "has_type_privilege height host hostmask inet inet_client_addr inet_client_port inet_merge "
    "inet_same_family inet_server_addr inet_server_port initcap int2 int4 int4multirange int4range int8 "
    "int8multirange int8range is_normalized isclosed isempty isfinite ishorizontal isopen isparallel isperp "
    "isvertical json json_agg json_agg_strict json_array_elements json_array_elements_text json_array_length "
    "json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text "
    "json_object_agg json_object_agg_strict json_object_agg_unique json_object_keys json_populate_record "
    "json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_to_tsvector json_typeof "
    "jsonb jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array "
    "jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert "
    "jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match "
    "jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz "
    "jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record "
    "jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record "
    "jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lag "
    "last_value lastval lcm lead least length lgamma like_escape line ln lo_close lo_creat lo_create "
    "lo_export lo_from_bytea lo_get lo_import lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 "
    "lo_truncate lo_truncate64 lo_unlink log log10 loread lower lower_inc lower_inf lowrite lpad lseg ltrim "
    "macaddr macaddr8 macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz "
    "makeaclitem masklen max md5 min min_scale mod mode money multirange mxid_age name nameconcatoid netmask "
    "network nextval notlike now npoints nth_value ntile num_nonnulls num_nulls numeric_div_trunc "
    "numeric_exp numeric_ln numeric_log numeric_sqrt nummultirange numnode numrange obj_description "
    "octet_length oid oidvectortypes overlay parse_ident path pclose percent_rank percentile_cont "
    "percentile_disc pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all "
    "pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared "
    "pg_available_extension_versions pg_available_extensions pg_backend_pid pg_basetype pg_blocking_pids "
    "pg_cancel_backend pg_char_to_encoding pg_client_encoding pg_collation_actual_version pg_collation_for "
    "pg_collation_is_visible pg_column_compression pg_column_is_updatable pg_column_size "
    "pg_column_toast_chunk_id pg_conf_load_time pg_config pg_control_checkpoint pg_control_init "
    "pg_control_recovery pg_control_system pg_conversion_is_visible pg_current_logfile pg_current_snapshot "
    "pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_current_xact_id "
    "pg_current_xact_id_if_assigned pg_cursor pg_database_collation_actual_version pg_database_size "
    "pg_describe_object pg_encoding_max_length pg_encoding_to_char pg_event_trigger_ddl_commands "
    "pg_event_trigger_dropped_objects pg_event_trigger_table_rewrite_oid "
    "pg_event_trigger_table_rewrite_reason pg_export_snapshot pg_extension_config_dump "
    "pg_extension_update_paths pg_filenode_relation pg_function_is_visible pg_get_acl "
    "pg_get_backend_memory_contexts pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr "
    "pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments "
    "pg_get_function_result pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_keywords "
    "pg_get_multixact_members pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef "
    "pg_get_publication_tables pg_get_replica_identity_index pg_get_replication_slots pg_get_ruledef "
    "pg_get_serial_sequence pg_get_shmem_allocations pg_get_statisticsobjdef pg_get_statisticsobjdef_columns "
    "pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_userbyid pg_get_viewdef "
    "pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_has_role pg_hba_file_rules "
    "pg_ident_file_mappings pg_identify_object pg_identify_object_as_address pg_index_column_has_property "
    "pg_index_has_property pg_indexam_has_property pg_indexam_progress_phasename pg_indexes_size "
    "pg_input_error_info pg_input_is_valid pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused "
    "pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn "
    "pg_last_xact_replay_timestamp pg_listening_channels pg_lock_status pg_log_backend_memory_contexts "
    "pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir pg_ls_logicalsnapdir "
    "pg_ls_replslotdir pg_ls_tmpdir pg_ls_waldir pg_lsn pg_mcv_list_items pg_my_temp_schema "
    "pg_notification_queue_usage pg_notify pg_opclass_is_visible pg_operator_is_visible "
    "pg_opfamily_is_visible pg_options_to_table pg_partition_ancestors pg_partition_root pg_partition_tree "
    "pg_postmaster_start_time pg_prepared_statement pg_prepared_xact pg_promote pg_read_binary_file "
    "pg_read_file pg_relation_filenode pg_relation_filepath pg_relation_is_publishable "
    "pg_relation_is_updatable pg_relation_size pg_reload_conf pg_rotate_logfile "
    "pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_sequence_parameters pg_settings_get_flags "
    "pg_show_all_file_settings pg_show_all_settings pg_show_replication_origin_status pg_size_bytes "
    "pg_size_pretty pg_sleep pg_sleep_for pg_sleep_until pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin "
    "pg_stat_clear_snapshot pg_stat_file pg_stat_force_next_flush pg_stat_have_stats pg_stat_reset "
    "pg_stat_reset_replication_slot pg_stat_reset_shared pg_stat_reset_single_function_counters "
    "pg_stat_reset_single_table_counters pg_stat_reset_slru pg_stat_reset_subscription_stats "
    "pg_statistics_obj_is_visible pg_switch_wal pg_table_is_visible pg_table_size pg_tablespace_databases "
    "pg_tablespace_location pg_tablespace_size pg_terminate_backend pg_timezone_abbrevs pg_timezone_names "
    "pg_total_relation_size pg_trigger_depth pg_try_advisory_lock pg_try_advisory_lock_shared "
    "pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_ts_config_is_visible "
    "pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible pg_typeof "
    "pg_visible_in_snapshot pg_wal_lsn_diff pg_wal_replay_pause pg_wal_replay_resume pg_walfile_name "
    "pg_walfile_name_offset pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status "
    "phraseto_tsquery pi plainto_tsquery point polygon popen position pow power querytree quote_ident "
    "quote_literal quote_nullable radians radius random random_normal range_agg range_intersect "
    "range_intersect_agg range_merge rank regclass regexp_count regexp_instr regexp_like regexp_match "
    "regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx "
    "regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace "
    "reverse round row_number row_security_active row_to_json rpad rtrim satisfies_hash_partition scale "
    "session_user set_bit set_byte set_config set_masklen setseed setval setweight sha224 sha256 sha384 "
    "sha512 shobj_description sign similar_escape similar_to_escape sin sind sinh slope split_part sqrt "
    "starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array "
    "string_to_table strip strpos substr sum tan tand tanh text textlen timeofday timestamptz timetz "
    "timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct to_regclass "
    "to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole "
    "to_regtype to_regtypemod to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array "
    "trim_scale trunc ts_debug ts_delete ts_filter ts_headline ts_lexize ts_parse ts_rank ts_rank_cd "
    "ts_token_type tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array "
    "txid_current txid_current_if_assigned txid_current_snapshot txid_snapshot_xip txid_snapshot_xmax "
    "txid_snapshot_xmin txid_status txid_visible_in_snapshot unistr unnest upper upper_inc upper_inf uuid "
    "uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 var_pop var_samp varbit variance version "
    "websearch_to_tsquery width width_bucket xid xml xml_is_well_formed xml_is_well_formed_content "
    "xml_is_well_formed_document xmlagg xmlcomment xmltext xmlvalidate xpath xpath_exists ";
// clang-format on

constexpr std::uint32_t hash_of(std::string_view word) noexcept {
    std::uint32_t hash = 0;
    for (const char c : word) hash = hash * 31 + static_cast<unsigned char>(c);
    return hash ^ hash >> 13;
}

// Where each word begins and ends in its list; looked up by hash, with room to spare.
template <std::size_t Slots>
class Words {
  public:
    explicit consteval Words(std::string_view list) : list_(list) {
        for (std::size_t begin = 0, end = 0; begin < list.size(); begin = end + 1) {
            end = list.find(' ', begin);
            std::size_t slot = hash_of(list.substr(begin, end - begin)) % Slots;
            while (places_[slot].size > 0) slot = (slot + 1) % Slots;
            places_[slot] = {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
        }
    }
    [[nodiscard]] bool contain(std::string_view word) const noexcept {
        for (std::size_t slot = hash_of(word) % Slots; places_[slot].size > 0; slot = (slot + 1) % Slots) {
            if (list_.substr(places_[slot].begin, places_[slot].size) == word) return true;
        }
        return false;
    }

  private:
    struct Place {
        std::uint16_t begin = 0, size = 0;
    };
    std::string_view list_;
    std::array<Place, Slots> places_{};
};
constexpr Words<1024> known_keywords(keywords);
constexpr Words<4096> known_functions(functions);

}  // namespace

bool may_name_function(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 42> words{
        "bernoulli",   "call",     "collation", "columns", "concurrently", "copy",    "cube",
        "cycle",       "delete",   "double",    "escape",  "exclude",      "explain", "filter",
        "generated",   "if",       "include",   "index",   "insert",       "key",     "merge",
        "nfc",         "of",       "options",   "range",   "recursive",    "reindex", "returns",
        "rollup",      "rows",     "set",       "sets",    "storage",      "system",  "system_rows",
        "system_time", "truncate", "update",    "vacuum",  "varying",      "verbose", "zone"};
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_keyword(std::string_view word) noexcept { return known_keywords.contain(word); }

bool is_harmless(std::string_view function) noexcept {
    return function.starts_with("pg_stat_get_") || known_functions.contain(function);
}

}  // namespace leasehold::postgres
