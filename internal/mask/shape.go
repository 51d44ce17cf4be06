package mask

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"understudy/internal/schema"
)

// A fixed gives every value the same fake.
type fixed struct{ text string }

func (f *fixed) append(_ *Worker, dst, _ []byte) ([]byte, error) { return append(dst, f.text...), nil }

// redacted is the neutral text for text columns.
const redacted = "redacted"

// documentationMAC is of the range kept for documentation (RFC 7042, section 2.1.2).
const documentationMAC = "00:00:5e:00:53:00"

// documentationIPv6 is of the range kept for documentation (RFC 3849).
const documentationIPv6 = "2001:db8::1"

// buildRedact picks the neutral value of a type, within its limits. The moment is a
// day after the first that MySQL's TIMESTAMP holds, in every time zone.
func buildRedact(d *draft) (recipe, *Refusal) {
	text := map[schema.Kind]string{
		schema.Text: redacted, schema.Decimal: "0", schema.Boolean: "false",
		schema.Date: "1970-01-01", schema.Timestamp: "1970-01-02 00:00:00", schema.Time: "00:00:00",
		schema.Interval: "00:00:00", schema.UUID: "00000000-0000-0000-0000-000000000000",
		schema.JSON: "{}", schema.Net: "192.0.2.1", schema.Array: "{}", schema.Bytes: "",
	}[d.limits.Kind]
	switch d.limits.Kind {
	case schema.Net:
		switch kind := strings.ToLower(d.limits.Type); {
		case strings.HasPrefix(kind, "mac"):
			text = documentationMAC
		case kind == "inet6": // it takes no other
			text = documentationIPv6
		}
	case schema.Array:
		if kind := strings.ToLower(d.limits.Type); kind == "int2vector" || kind == "oidvector" { // which are written without braces
			text = ""
		}
	case schema.Text:
		if len(text) > d.length() {
			text = strings.Repeat("x", min(3, d.length()))
		}
	case schema.Integer:
		text = fmt.Sprint(min(max(0, d.limits.Min), d.limits.Max))
	case schema.Enum:
		if len(d.limits.Labels) == 0 {
			return nil, &Refusal{Reason: "the labels of the enum are not known", Hint: "use constant with one of them"}
		}
		text = d.limits.Labels[0]
	}
	d.chance = 1
	d.text = fmt.Sprintf("every value becomes %q", text)
	return &fixed{text}, nil
}

func readConstant(o *options) string { return o.required("value") }

// buildConstant checks that the value fits the column's type and limits.
func buildConstant(d *draft) (recipe, *Refusal) {
	value := readConstant(&d.options)
	if why := d.unfit(value); why != "" {
		return nil, &Refusal{Reason: "its value " + why, Hint: "give a value that the column can hold"}
	}
	d.chance, d.whole = 1, true
	d.text = "one value for all" // which is the rule file's to show
	return &fixed{value}, nil
}

// unfit says why a column cannot hold a value; "" where it can or only the
// database knows.
func (d *draft) unfit(value string) string {
	raw := []byte(value)
	switch l := d.limits; l.Kind {
	case schema.Text:
		if n := utf8.RuneCountInString(value); n > d.length() {
			return fmt.Sprintf("has %d characters, the column takes %d", n, l.Length)
		}
	case schema.Bytes:
		if len(value) > d.length() {
			return fmt.Sprintf("has %d bytes, the column takes %d", len(value), l.Length)
		}
	case schema.Integer:
		x, negative, ok := parseInteger(raw)
		if !ok {
			return "is not an integer"
		}
		if negative && x > magnitudeOrZero(l.Min) || !negative && (l.Max < 0 || x > uint64(l.Max)) ||
			negative && l.Max < 0 && x < magnitude(l.Max) || !negative && l.Min > 0 && x < uint64(l.Min) {
			return fmt.Sprintf("is outside %d to %d", l.Min, l.Max)
		}
	case schema.Decimal:
		if l.Scale >= 0 {
			if _, _, why := parseDecimal(raw, l.Scale); why != "" {
				return "does not fit: " + why
			}
		}
	case schema.Boolean:
		if value != "true" && value != "false" {
			return "is neither true nor false"
		}
	case schema.Date, schema.Timestamp:
		if _, ok := parseDate(raw); !ok && !(&dateShift{}).keeps(raw) {
			return "is not a date in ISO form"
		}
	case schema.Time:
		if !isoTime(value) {
			return "is not a time as 15:04:05"
		}
	case schema.UUID:
		if _, _, _, ok := parseUUID(raw); !ok {
			return "is not a uuid"
		}
	case schema.JSON:
		if !json.Valid(raw) {
			return "is not JSON"
		}
	case schema.Enum:
		if len(l.Labels) > 0 && !slices.Contains(l.Labels, value) {
			return "is not a label of the enum: " + strings.Join(l.Labels, ", ")
		}
	}
	return ""
}

func magnitudeOrZero(x int64) uint64 {
	if x >= 0 {
		return 0
	}
	return magnitude(x)
}

// buildNullify has no recipe: New takes that as NULL for every value.
func buildNullify(d *draft) (recipe, *Refusal) {
	if d.limits.NotNull {
		return nil, &Refusal{Reason: "the column is NOT NULL", Hint: "use redact or constant"}
	}
	d.chance, d.whole = 0, true
	d.text = "every value becomes NULL"
	return nil, nil
}
