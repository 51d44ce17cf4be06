package sqlite

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// affinity is the storage class that a column prefers
// (https://www.sqlite.org/datatype3.html, part 3.1).
type affinity byte

const (
	blobAffinity affinity = iota
	textAffinity
	numericAffinity
	integerAffinity
	realAffinity
)

func affinityOf(declared string) affinity {
	t := capitals(declared)
	has := func(s string) bool { return strings.Contains(t, s) }
	switch {
	case has("INT"):
		return integerAffinity
	case has("CHAR"), has("CLOB"), has("TEXT"):
		return textAffinity
	case has("BLOB"), t == "":
		return blobAffinity
	case has("REAL"), has("FLOA"), has("DOUB"):
		return realAffinity
	}
	return numericAffinity
}

// kindOf reads a declared type: by names that other databases use, then by affinity.
func kindOf(declared string) schema.Kind {
	t := capitals(strings.TrimSpace(declared))
	base, _, _ := strings.Cut(t, "(")
	base = strings.TrimSpace(base)
	switch {
	case strings.HasPrefix(base, "BOOL"):
		return schema.Boolean
	case base == "UUID", base == "GUID", base == "UNIQUEIDENTIFIER":
		return schema.UUID
	case base == "JSON", base == "JSONB":
		return schema.JSON
	case strings.HasPrefix(base, "DATETIME"), strings.HasPrefix(base, "TIMESTAMP"), base == "SMALLDATETIME":
		return schema.Timestamp
	case base == "DATE":
		return schema.Date
	case base == "TIME", strings.HasPrefix(base, "TIME WITH"):
		return schema.Time
	case base == "INTERVAL":
		return schema.Interval
	case base == "INET", base == "CIDR", base == "MACADDR":
		return schema.Net
	case base == "POINT", strings.HasPrefix(base, "GEO"), base == "POLYGON", base == "LINESTRING":
		return schema.Geo
	case strings.Contains(base, "BINARY"), base == "BYTEA":
		return schema.Bytes
	case base == "STRING", base == "CITEXT", base == "XML", strings.HasPrefix(base, "ENUM"), strings.HasPrefix(base, "SET"):
		return schema.Text
	case strings.HasPrefix(base, "NUM"), strings.HasPrefix(base, "DEC"), base == "MONEY", base == "NUMBER":
		return schema.Decimal
	case base == "", base == "ANY":
		return schema.Other
	}
	switch affinityOf(t) {
	case integerAffinity:
		return schema.Integer
	case textAffinity:
		return schema.Text
	case realAffinity:
		return schema.Decimal
	case blobAffinity:
		return schema.Bytes
	}
	return schema.Other
}

// arguments gives the numbers in a type's parentheses, as in DECIMAL(10, 2).
func arguments(declared string) []int {
	_, rest, ok := strings.Cut(declared, "(")
	if !ok {
		return nil
	}
	inside, _, _ := strings.Cut(rest, ")")
	var out []int
	for _, p := range strings.Split(inside, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// describe fills what the declared type says.
func describe(c *schema.Column) {
	c.Kind, c.Scale = kindOf(c.Type), -1
	args := arguments(c.Type)
	switch c.Kind {
	case schema.Text, schema.Bytes:
		if len(args) == 1 {
			c.Length = args[0]
		}
	case schema.Decimal:
		if len(args) == 2 {
			c.Scale = args[1]
		}
	case schema.Integer:
		c.Min, c.Max = math.MinInt64, math.MaxInt64
	}
}

// fits is the set of storage classes of which a value can be given as canonical
// text of the column's kind. A run that looks into a value outside it stops.
func fits(c *schema.Column) classes {
	aff := affinityOf(c.Type)
	var out classes
	switch c.Kind {
	case schema.Integer:
		out = classInteger
	case schema.Boolean: // texts that are words for true and false
		out = classInteger | classText
	case schema.Decimal:
		out = classInteger | classReal
	case schema.Bytes:
		out = classBlob
	case schema.Text, schema.JSON:
		out = classText
		if aff == numericAffinity { // a text that reads as a number is stored as one
			out |= classInteger | classReal
		}
	case schema.Date, schema.Timestamp: // https://www.sqlite.org/datatype3.html, part 2.2
		out = classInteger | classReal | classText
	case schema.UUID: // blobs of sixteen bytes
		out = classText | classBlob
	case schema.Other:
		out = classInteger | classReal | classText | classBlob
	default:
		out = classText
	}
	return out
}

// holds is the set of storage classes that a column which is kept may have: no
// text where a number was decided about, no name where a truth was.
func holds(c *schema.Column) classes {
	switch c.Kind {
	case schema.Integer, schema.Decimal:
		return classInteger | classReal
	case schema.Boolean, schema.Date, schema.Timestamp:
		return fits(c)
	case schema.Time, schema.Interval:
		return classInteger | classReal | classText
	}
	return classInteger | classReal | classText | classBlob
}

// fitting tells whether a value can be given as canonical text of the column's kind.
func fitting(raw []byte, c *schema.Column) bool {
	switch tag := raw[0]; {
	case classOf(tag)&^fits(c) != 0:
		return false
	case c.Kind == schema.Boolean && tag == tagText:
		v, _ := decode(raw)
		_, ok := truth([]byte(str(v)))
		return ok
	case c.Kind == schema.UUID && tag == tagBlob:
		_, w := binary.Uvarint(raw[1:])
		return len(raw) == 1+w+uuidLength
	}
	return true
}

// outside is the SQL condition that a value of the column is not of the classes,
// or is one that fitting refuses.
func outside(c *schema.Column, allowed classes) string {
	name := quote(c.Name)
	out := "typeof(" + name + ") NOT IN (" + allowed.names() + ")"
	switch {
	case c.Kind == schema.Boolean:
		out += " OR typeof(" + name + ")='text' AND lower(" + name + ") NOT IN ('t','true','f','false')"
	case c.Kind == schema.UUID && allowed == fits(c):
		out += " OR typeof(" + name + ")='blob' AND length(" + name + ")<>16"
	}
	return "(" + out + ")"
}

// classes is a set of storage classes; NULL is always in it.
type classes byte

const (
	classInteger classes = 1 << iota
	classReal
	classText
	classBlob
)

// names lists the classes as typeof() writes them, quoted, with null.
func (c classes) names() string {
	out := []string{"'null'"}
	for i, n := range []string{"'integer'", "'real'", "'text'", "'blob'"} {
		if c&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ",")
}
