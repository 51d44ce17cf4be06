# What run does on PostgreSQL. The yardstick is PostgreSQL's own programs, which
# must be in PATH: structure, then two tables at a time from COPY to COPY, the
# largest first, then indexes and keys by pg_restore -j2.
yardsticks=(yardstick)
yard_name=${BENCH_TARGET##*/}_yard
yard=$(beside "$BENCH_TARGET" "$yard_name")

make_databases() {
  psql -q "$(beside "$BENCH_SOURCE" postgres)" -c "CREATE DATABASE ${BENCH_SOURCE##*/}"
  psql -q "$BENCH_SOURCE" -v s="$scale" -f "$make" >"$work/make.log"
  psql -q "$BENCH_SOURCE" -c 'VACUUM ANALYZE' -c CHECKPOINT
  psql -q "$(beside "$BENCH_TARGET" postgres)" -c "CREATE DATABASE ${BENCH_TARGET##*/}"
  pg_dump -s "$BENCH_SOURCE" | psql -q "$BENCH_TARGET"
}

yardstick() {
  psql -q "$(beside "$BENCH_TARGET" postgres)" -c "DROP DATABASE IF EXISTS $yard_name" -c "CREATE DATABASE $yard_name" 2>/dev/null
  pg_dump -Fc -s -f "$work/yard.dump" "$BENCH_SOURCE"
  pg_restore --section=pre-data -d "$yard" "$work/yard.dump"
  psql "$BENCH_SOURCE" -Atc "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_table_size(oid) DESC" |
    xargs -P2 -I{} sh -c "psql '$BENCH_SOURCE' -qc 'COPY (SELECT * FROM {}) TO STDOUT' | psql '$yard' -qc 'COPY {} FROM STDIN'"
  pg_restore --section=post-data -j2 -d "$yard" "$work/yard.dump"
}
drop_yard() { psql -q "$(beside "$BENCH_TARGET" postgres)" -c "DROP DATABASE $yard_name"; }

# The server's first process, as its data directory names it; 0 if it cannot be seen from here.
server_pid() {
  local dir
  dir=$(psql "$1" -Atc 'SHOW data_directory' 2>/dev/null) || true
  head -n1 "$dir/postmaster.pid" 2>/dev/null || echo 0
}
