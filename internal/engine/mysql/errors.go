package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	client "github.com/go-sql-driver/mysql"

	"understudy/internal/engine"
	"understudy/internal/engine/network"
	"understudy/internal/schema"
)

// wrap turns an error of the driver into one that holds no value: the server's
// message quotes rows and statements, so only its number is taken. The driver's
// error is not kept, not even as a cause. nil stays nil; an *engine.Error stays
// as it is.
func wrap(ctx context.Context, err error, doing string) error {
	if err == nil {
		return nil
	}
	var done *engine.Error
	if errors.As(err, &done) {
		return done
	}
	if e := network.Interrupted(ctx, doing); e != nil {
		return e
	}
	e := &engine.Error{Code: engine.Failed, Doing: doing}
	var told *client.MySQLError
	if errors.As(err, &told) {
		m := meaningOf(told.Number)
		e.Code, e.Say, e.Hint = m.code, m.say, m.hint
		e.State = "error " + strconv.Itoa(int(told.Number))
		return e
	}
	e.Code, e.Say, e.Hint = transportFailure(err)
	if e.Code == engine.Unreachable && brokenOff(err) {
		e.Err = io.ErrUnexpectedEOF
	}
	return e
}

// wrapTable is wrap with the table and, for what refused a row, the column or
// key that the message names: only names that the table has, nothing else.
func wrapTable(ctx context.Context, err error, doing string, table *schema.Table) error {
	wrapped := wrap(ctx, err, doing)
	var out *engine.Error
	if !errors.As(wrapped, &out) || out.Table.Table != "" {
		return wrapped
	}
	named := *out
	named.Table = table.Name
	var told *client.MySQLError
	if errors.As(err, &told) && named.Code == engine.Constraint {
		named.Column, named.Constraint = namedIn(told.Message, table)
	}
	return &named
}

// namedIn finds the column or the key that a message of the server ends with,
// among those of the table.
func namedIn(message string, table *schema.Table) (column, constraint string) {
	if _, after, ok := lastCut(message, " for column "); ok {
		for _, c := range table.Columns {
			// MariaDB gives `database`.`table`.`column`, MySQL 'column'.
			if strings.HasPrefix(after, "'"+c.Name+"' at row ") || strings.HasPrefix(after, "'"+printable(c.Name)+"' at row ") || strings.HasPrefix(after, quoteName(table.Name)+"."+quote(c.Name)+" at row ") {
				return c.Name, ""
			}
		}
	}
	for _, c := range table.Columns {
		switch {
		case strings.HasPrefix(message, "Column set to default value; NULL supplied to NOT NULL column '"+c.Name+"' at row "),
			slices.Contains([]string{"Column '" + c.Name + "' cannot be null", "Field '" + c.Name + "' doesn't have a default value"}, message),
			strings.HasPrefix(message, "Data too long for column '"+c.Name+"' at row "),
			strings.HasPrefix(message, "Out of range value for column '"+c.Name+"' at row "):
			return c.Name, ""
		}
	}
	for _, k := range table.Keys {
		if strings.HasSuffix(message, " for key '"+k.Name+"'") || strings.HasSuffix(message, " for key '"+table.Name.Table+"."+k.Name+"'") {
			return "", k.Name
		}
	}
	for _, c := range table.Checks {
		if message == "Check constraint '"+c.Name+"' is violated." || strings.HasPrefix(message, "CONSTRAINT "+quote(c.Name)+" failed for ") ||
			strings.HasPrefix(message, "CONSTRAINT `"+table.Name.Table+"`."+quote(c.Name)+" failed for ") ||
			strings.HasPrefix(message, "CONSTRAINT `"+table.Name.Table+"."+c.Name+"` failed for ") {
			return "", c.Name
		}
	}
	return "", ""
}

// printable writes a name as MariaDB's messages do: control characters beyond ASCII
// by their number.
func printable(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r > 0x7f && unicode.IsControl(r) {
			fmt.Fprintf(&b, `\%04X`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func lastCut(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// numberOf gives the server's number of an error; 0 if it is none of the server's.
func numberOf(err error) int {
	var told *client.MySQLError
	if errors.As(err, &told) {
		return int(told.Number)
	}
	var e *engine.Error
	if errors.As(err, &e) {
		n, _ := strconv.Atoi(strings.TrimPrefix(e.State, "error ")) // 0 where it is none
		return n
	}
	return 0
}

// The numbers that this package branches on.
const (
	errFolderStays    = 1010
	errNoAccess       = 1044
	errBadColumn      = 1054
	errNoThread       = 1094
	errNoCharacterSet = 1115
	errDenied         = 1142
	errNoTable        = 1146
	errLockWait       = 1205
	errDeadlock       = 1213
	errNoCollation    = 1273
	errKilled         = 1317
	errRedefined      = 1412
)

// meaning says what an error number means, in our words.
type meaning struct {
	code engine.Code
	say  string
	hint string
}

// meaningOf sorts error numbers, which both products share unless the comment
// says otherwise, into the codes that callers branch on.
func meaningOf(number uint16) meaning {
	switch number {
	case 1040, 1203:
		return meaning{engine.Unreachable, "the server has no free connection", "raise max_connections or the user's own limit, or lower limits.readers"}
	case 1049:
		return meaning{engine.Unreachable, "there is no such database", "check the database name in the URL"}
	case 1053, 1077, 1079, 3169: // shutting down
		return meaning{engine.Stopped, "the server shut down", ""}
	case 1158, 1159, 1160, 1161:
		return meaning{engine.Unreachable, "the connection failed", ""}
	case 1129, 1130:
		return meaning{engine.Denied, "the server does not let this host in", ""}
	case 1044:
		return meaning{engine.Denied, "the user may not use the database", "grant it, or check the database name in the URL"}
	case 1045, 1698, 1251, 1524, 2059, 3118, 4151:
		return meaning{engine.Denied, "the server does not let this user in", "check the user name and password in the URL"}
	case 3159:
		return meaning{engine.Denied, "the server wants encrypted connections", "write ssl-mode=required, or a mode that looks at certificates, into the URL"}
	case 1820, 1862:
		return meaning{engine.Denied, "the user's password has expired", "set a new one on the server"}
	case 1142, 1143, 1227, 1370, 1345, 1449, 3546, 4063, 4064:
		return meaning{engine.Denied, "the user lacks a privilege", "grant it, or use another user"}
	case 1419:
		return meaning{engine.Denied, "the server lets only SUPER make triggers and functions while it writes a binary log", "SET GLOBAL log_bin_trust_function_creators = 1, or grant the privilege"}
	case 1290, 1836, 3020:
		return meaning{engine.Denied, "the server runs with an option that forbids this", "it may be read-only: use the primary"}
	case 1792, 1207:
		return meaning{engine.Denied, "the session is read-only", ""}
	case 1205:
		return meaning{engine.Timeout, "a lock was not to be had in time", "try again later, or raise limits.lock_wait"}
	case 1969, 3024: // MariaDB, MySQL
		return meaning{engine.Timeout, "the statement took too long", "raise limits.statement"}
	case 3572:
		return meaning{engine.Timeout, "a lock was not free", ""}
	case 1412:
		return meaning{engine.Changed, "the structure of a table changed after the moment was taken", "run again"}
	case 1213, 1614, 3101:
		return meaning{engine.Stopped, "the server ended a deadlock", "run again"}
	case 1317, 1028:
		return meaning{engine.Stopped, "an administrator or a limit of the server ended the statement", ""}
	case 1184:
		return meaning{engine.Stopped, "the server ended the session as it began, as it does where its init_connect fails", "run what the server's init_connect says as this user, and look at the server's log"}
	case 1152, 1927, 3168, 4031: // 1927: MariaDB, KILL
		return meaning{engine.Stopped, "the server or an administrator ended the session", ""}
	case 1021, 1114, 3680:
		return meaning{engine.Full, "the server's disk or tablespace is full", "free space on the server"}
	case 1026:
		return meaning{engine.Full, "the server could not write a file", "look at the space on the server"}
	case 1037, 1038, 1041, 1135, 1206, 3015, 5037:
		return meaning{engine.Full, "the server is out of memory or of room for locks", ""}
	case 1062, 1022, 1169, 1586, 1859:
		return meaning{engine.Constraint, "a value is there twice where it must be unique", ""}
	case 1048, 1263, 1364, 1830:
		return meaning{engine.Constraint, "a value is missing where the column requires one", ""}
	case 1216, 1217, 1451, 1452:
		return meaning{engine.Constraint, "a foreign key finds no row", ""}
	case 1406:
		return meaning{engine.Constraint, "a value is too long for its column", ""}
	case 1264, 1690, 3669:
		return meaning{engine.Constraint, "a number is out of its type's range", ""}
	case 1265, 1366, 1367, 1411, 1525, 1292, 3140, 3141, 3143, 3144, 3145, 3146, 3147, 3148, 3155, 3156, 3157, 4078, 4079, 22032:
		return meaning{engine.Constraint, "a value does not have its type's form", ""}
	case 1416, 3033, 3037, 3516, 3548, 3616, 3617, 3643, 3731, 3732:
		return meaning{engine.Constraint, "a value is not a geometry of its column", ""}
	case 3819, 4025: // MySQL, MariaDB
		return meaning{engine.Constraint, "a row breaks a check", ""}
	case 1526, 1748:
		return meaning{engine.Constraint, "a row fits no partition", ""}
	case 1644:
		return meaning{engine.Constraint, "a trigger or routine in the database refused it", ""}
	case 1300, 3854:
		return meaning{engine.Constraint, "a character does not exist in its character set", ""}
	case 1153:
		return meaning{engine.Failed, "a statement or row is larger than the server's max_allowed_packet", "raise max_allowed_packet on the server"}
	case 1148, 3948, 4166: // 4166: MariaDB
		return meaning{engine.Unsupported, "the server does not take rows by LOAD DATA LOCAL", ""}
	case 1173, 3750: // MariaDB, MySQL
		return meaning{engine.Unsupported, "the server makes no table without a primary key", "give it one, or on MariaDB: SET GLOBAL innodb_force_primary_key = OFF"}
	case 4047: // MariaDB
		return meaning{engine.Unsupported, "the server makes no compressed table", "SET GLOBAL innodb_read_only_compressed = OFF, or give the table another ROW_FORMAT"}
	case 1235, 1289, 1286, 1178, 1031:
		return meaning{engine.Unsupported, "the server or the table's storage engine does not support this", ""}
	case 1192, 1099, 1100:
		return meaning{engine.Failed, "tables are locked in a way that forbids this", ""}
	case 1050, 1007, 1061, 1304, 1359, 1537, 1826, 3822, 4161:
		return meaning{engine.Failed, "an object of this name exists", ""}
	case 1005, 1215, 1825, 1822, 3734, 3780, 6125:
		return meaning{engine.Failed, "a foreign key cannot be made", ""}
	case 1071, 1070, 1118:
		return meaning{engine.Failed, "a row or key is larger than the storage engine allows", ""}
	case 1008:
		return meaning{engine.Failed, "there is no such database", ""}
	case 1030, 1016, 1017, 1034, 1194, 1195, 1712:
		return meaning{engine.Failed, "the server could not read or write a table", "look at the server's log"}
	case 1435:
		return meaning{engine.Failed, "a table with triggers does not move to another database", ""}
	}
	return statementMeaning(number)
}

// statementMeaning is for what a server says of a statement that it does not take.
func statementMeaning(number uint16) meaning {
	switch number {
	case 1064, 1149, 1065, 1115, 1193, 1231, 1232, 1234, 1248, 1583, 1584, 1210, 1582:
		return meaning{engine.Syntax, "syntax error", ""}
	case 1054, 1247:
		return meaning{engine.Syntax, "there is no such column", ""}
	case 1052:
		return meaning{engine.Syntax, "a column name could mean several columns", ""}
	case 1146, 1051, 1109, 1932:
		return meaning{engine.Syntax, "there is no such table", ""}
	case 1305, 1128, 1630:
		return meaning{engine.Syntax, "there is no such function", ""}
	case 1356:
		return meaning{engine.Syntax, "a view refers to what is not there or may not be used", ""}
	case 1241, 1242, 1222, 1221, 1136:
		return meaning{engine.Syntax, "an expression has a wrong number of columns or rows", ""}
	case 1273:
		return meaning{engine.Syntax, "the server does not know the collation", ""}
	case 1267, 1270, 1271, 1253:
		return meaning{engine.Syntax, "texts of different collations are compared", ""}
	case 1111, 1140, 1055, 1056, 1116:
		return meaning{engine.Syntax, "an aggregate function stands where none may", ""}
	case 3592, 3593, 3581, 3587, 4015, 4016, 4018:
		return meaning{engine.Syntax, "a window function stands where none may", ""}
	case 1103, 1059, 1102, 1166:
		return meaning{engine.Syntax, "a name is not allowed", ""}
	}
	return meaning{engine.Failed, "the server reports an error", ""}
}

// transportFailure sorts errors that did not come from the server.
func transportFailure(err error) (engine.Code, string, string) {
	switch {
	case errors.Is(err, client.ErrNoTLS):
		return words().NoTLS()
	case errors.Is(err, client.ErrCleartextPassword), errors.Is(err, client.ErrNativePassword), errors.Is(err, client.ErrOldPassword), errors.Is(err, client.ErrUnknownPlugin):
		return engine.Denied, "the server asks for a way to log in that is not supported or not safe", "give the user caching_sha2_password, ed25519 or mysql_native_password"
	case errors.Is(err, client.ErrPktTooLarge):
		return engine.Failed, "a statement or row is larger than the server's max_allowed_packet", "raise max_allowed_packet on the server"
	}
	return words().Failure(err)
}

// brokenOff tells whether err means that the connection is gone.
func brokenOff(err error) bool {
	return network.Broken(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, client.ErrInvalidConn)
}
