# What run does on MySQL and MariaDB. The yardsticks are mysqldump into mysql,
# and mydumper and myloader with two threads, by way of files; all must be in PATH.
# URLs are mysql://USER@HOST:PORT/DATABASE. The script of the shop needs MariaDB
# and has one size. Source and target may be two databases of one server.
yardsticks=(dump mydumper)
yard_name=${BENCH_TARGET##*/}_yard
sed -i 's/ line2,//' "$work/rules.yaml" # its shop has no such column

# access URL: sets the options of every client in a; where is the database's name.
access() {
  [[ $1 =~ ^(mysql|mariadb)://([^:@/]+)(:([^@/]*))?@([^:/]+)(:([0-9]+))?/([^?]+)$ ]] || { echo "not mysql://USER@HOST:PORT/DATABASE: the URL" >&2; exit 2; }
  a=(-u "${BASH_REMATCH[2]}" -h "${BASH_REMATCH[5]}" -P "${BASH_REMATCH[7]:-3306}") where=${BASH_REMATCH[8]}
  [ -z "${BASH_REMATCH[4]}" ] || a+=("--password=${BASH_REMATCH[4]}")
}
access "$BENCH_TARGET" && to=("${a[@]}") target=$where
access "$BENCH_SOURCE" && from=("${a[@]}") source=$where

make_databases() {
  [ "$scale" = 1.0 ] || { echo "the shop's script for MariaDB has one size: leave -s out" >&2; exit 2; }
  mysql "${from[@]}" -e "CREATE DATABASE $source CHARACTER SET utf8mb4"
  mysql "${from[@]}" "$source" <"$make" >"$work/make.log"
  mysql "${to[@]}" -e "CREATE DATABASE $target CHARACTER SET utf8mb4"
  mysqldump "${from[@]}" --no-data "$source" | mysql "${to[@]}" "$target"
}

yard() { mysql "${to[@]}" -e "DROP DATABASE IF EXISTS $yard_name; CREATE DATABASE $yard_name CHARACTER SET utf8mb4"; }
dump() {
  yard
  mysqldump "${from[@]}" --single-transaction --quick "$source" | mysql "${to[@]}" "$yard_name"
}
mydumper() {
  yard
  command mydumper "${from[@]}" -B "$source" -t 2 --trx-consistency-only -o "$work/mydumper" -v 0
  command myloader "${to[@]}" -B "$yard_name" -t 2 -d "$work/mydumper" -o -v 0
}
drop_yard() {
  mysql "${to[@]}" -e "DROP DATABASE $yard_name"
  rm -rf "$work/mydumper"
}

# The server's process, as its pid file names it; 0 if it cannot be seen from here.
server_pid() {
  local file
  access "$1"
  file=$(mysql "${a[@]}" -Ne "SELECT IF(@@pid_file LIKE '/%', @@pid_file, CONCAT(@@datadir, @@pid_file))" 2>/dev/null) || true
  cat "$file" 2>/dev/null || echo 0
}
