package mysql

import (
	"math"
	"strings"

	"understudy/internal/schema"
)

// describe fills what a column's type says; the numbers are those that
// information_schema gives.
func describe(c *schema.Column, f *columnFacts, length, precision, scale int) {
	c.Scale = -1
	switch f.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		c.Kind = schema.Integer
		c.Min, c.Max = integerRange(f.base, f.unsigned)
		if f.base == "tinyint" && strings.HasPrefix(c.Type, "tinyint(1)") && !f.unsigned {
			c.Kind, c.Min, c.Max = schema.Boolean, 0, 0
		}
	case "year":
		c.Kind, c.Min, c.Max = schema.Integer, 1901, 2155
	case "bit":
		f.bits = max(1, precision)
		c.Kind = schema.Integer
		switch {
		case f.bits == 1:
			c.Kind = schema.Boolean
		case f.bits < 63:
			c.Max = 1<<f.bits - 1
		default:
			c.Max = math.MaxInt64
		}
	case "decimal":
		c.Kind, c.Scale = schema.Decimal, scale
	case "float", "double":
		c.Kind = schema.Decimal
		if strings.Contains(c.Type, ",") { // FLOAT(7,3) rounds as a decimal does
			c.Scale = scale
		}
	case "char", "varchar":
		c.Kind, c.Length = schema.Text, length
	case "tinytext":
		c.Kind, c.Length = schema.Text, 255/widest(f.charset) // its limit is in bytes
	case "text", "mediumtext", "longtext":
		c.Kind = schema.Text
	case "binary", "varbinary", "tinyblob":
		c.Kind, c.Length = schema.Bytes, length
	case "blob", "mediumblob", "longblob":
		c.Kind = schema.Bytes
	case "enum":
		c.Kind, c.Labels = schema.Enum, labelsOf(c.Type)
	case "date":
		c.Kind = schema.Date
	case "datetime", "timestamp":
		c.Kind = schema.Timestamp
	case "time":
		c.Kind = schema.Time
	case "json":
		c.Kind = schema.JSON
	case "uuid":
		c.Kind = schema.UUID
	case "inet4", "inet6":
		c.Kind = schema.Net
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		c.Kind = schema.Geo
	default: // set, vector, and what a later version brings
		c.Kind = schema.Other
	}
	c.FoldCase = folds(f.collation)
}

// widest gives how many bytes a character of a character set has at most.
func widest(charset string) int {
	switch charset {
	case "latin1", "ascii", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257", "koi8r", "koi8u", "greek", "hebrew", "tis620", "binary":
		return 1
	case "utf8mb3", "utf8", "eucjpms", "ujis":
		return 3
	}
	return 4
}

func integerRange(base string, unsigned bool) (least, most int64) {
	bits := map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}[base]
	switch {
	case unsigned && bits == 64:
		return 0, math.MaxInt64 // what lies above is carried all the same
	case unsigned:
		return 0, 1<<bits - 1
	case bits == 64:
		return math.MinInt64, math.MaxInt64
	}
	return -1 << (bits - 1), 1<<(bits-1) - 1
}

// labelsOf reads the labels of enum('a','b').
func labelsOf(declared string) []string {
	var out []string
	for _, t := range tokens(declared) {
		if t.kind == stringLit {
			out = append(out, unquoted(t.text))
		}
	}
	return out
}

// folds tells whether a collation compares without regard to case.
func folds(collation string) bool {
	return strings.HasSuffix(collation, "_ci") || strings.Contains(collation, "_ci_") || strings.HasSuffix(collation, "_nopad_ci")
}

// pads tells whether trailing spaces do not count where texts are compared.
func pads(f *columnFacts) bool {
	name := f.collation
	switch {
	case name == "" || f.base == "json":
		return false
	case strings.Contains(name, "nopad"), strings.Contains(name, "_0900_"), name == "utf8mb4_0900_bin", name == "binary":
		return false
	}
	return true
}
