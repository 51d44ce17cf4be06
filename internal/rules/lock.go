package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

const (
	checkLock   = "lock-file"
	lockVersion = 1
	maxLock     = 256 << 20
)

// A lock is schema.lock.json: the structure that rules are reviewed against
// without a database. It holds no row value, no default expression, no check
// expression and no estimate, so that it changes only when the structure does.
type lock struct {
	Version    int             `json:"version"`
	Tables     []lockTable     `json:"tables"`
	References []lockReference `json:"references"`
}

// foreignTable is the note that an engine leaves on a foreign table.
const foreignTable = "foreign table"

type lockTable struct {
	Name     schema.Name   `json:"name"`
	Columns  []lockColumn  `json:"columns"`
	Keys     []lockKey     `json:"keys,omitempty"`
	Inherits []schema.Name `json:"inherits,omitempty"`
	Foreign  bool          `json:"foreign,omitempty"` // its rows belong to another server: it takes no decision
}

type lockColumn struct {
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Kind      schema.Kind    `json:"kind"`
	Element   schema.Kind    `json:"element,omitempty"`
	Length    int            `json:"length,omitempty"`
	Min       int64          `json:"min,omitempty"`
	Max       int64          `json:"max,omitempty"`
	Scale     int            `json:"scale"`
	NotNull   bool           `json:"not_null,omitempty"`
	Generated bool           `json:"generated,omitempty"`
	Surrogate bool           `json:"surrogate,omitempty"`
	FoldCase  bool           `json:"fold_case,omitempty"`
	Folding   schema.Folding `json:"folding,omitempty"`
	Labels    []string       `json:"labels,omitempty"`
}

type lockKey struct {
	Name       string   `json:"name"`
	Columns    []string `json:"columns"`
	Primary    bool     `json:"primary,omitempty"`
	NotNull    bool     `json:"not_null,omitempty"`
	Partial    bool     `json:"partial,omitempty"`
	Expression bool     `json:"expression,omitempty"`
	NullsEqual bool     `json:"nulls_equal,omitempty"`
	Overlap    []string `json:"overlap,omitempty"`
}

type lockReference struct {
	Name      string      `json:"name"`
	From      schema.Name `json:"from"`
	Columns   []string    `json:"columns"`
	To        schema.Name `json:"to"`
	ToColumns []string    `json:"to_columns"`
	Declared  bool        `json:"declared,omitempty"`
}

// Lock writes a schema as schema.lock.json: the same bytes for the same
// structure. It is read back by ReadLock.
func Lock(s *schema.Schema) []byte {
	l := lock{Version: lockVersion, Tables: []lockTable{}, References: []lockReference{}}
	for _, t := range s.Tables {
		out := lockTable{Name: t.Name, Columns: []lockColumn{}, Inherits: t.Inherits, Foreign: t.Note == foreignTable}
		for _, c := range t.Columns {
			out.Columns = append(out.Columns, lockColumn{c.Name, c.Type, c.Kind, c.Element, c.Length, c.Min, c.Max, c.Scale, c.NotNull, c.Generated, c.Surrogate, c.FoldCase, c.Folding, c.Labels})
		}
		for _, k := range t.Keys {
			out.Keys = append(out.Keys, lockKey(k))
		}
		l.Tables = append(l.Tables, out)
	}
	for _, r := range s.References {
		l.References = append(l.References, lockReference{r.Name, r.From, r.Columns, r.To, r.ToColumns, r.Declared})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	// These types hold nothing that cannot be encoded.
	if err := enc.Encode(l); err != nil {
		panic("schema.lock.json cannot be encoded")
	}
	return out.Bytes()
}

// ReadLock reads what Lock wrote. Its error says what is wrong with the file
// without quoting it.
func ReadLock(data []byte) (*schema.Schema, error) {
	if len(data) > maxLock {
		return nil, errors.New("schema.lock.json is larger than any schema")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var l lock
	if err := dec.Decode(&l); err != nil {
		return nil, fmt.Errorf("schema.lock.json is not what understudy writes: %s", jsonTrouble(data, err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("schema.lock.json goes on after its end")
	}
	if l.Version != lockVersion {
		return nil, fmt.Errorf("schema.lock.json has version %d, and this program reads version %d", l.Version, lockVersion)
	}
	s := &schema.Schema{}
	for _, t := range l.Tables {
		out := schema.Table{Name: t.Name, Inherits: t.Inherits, Rows: -1, Bytes: -1}
		if t.Foreign {
			out.Note = foreignTable
		}
		for _, c := range t.Columns {
			out.Columns = append(out.Columns, schema.Column{Name: c.Name, Type: c.Type, Kind: c.Kind, Element: c.Element, Length: c.Length, Min: c.Min, Max: c.Max,
				Scale: c.Scale, NotNull: c.NotNull, Generated: c.Generated, Surrogate: c.Surrogate, FoldCase: c.FoldCase, Folding: c.Folding, Labels: c.Labels})
		}
		for _, k := range t.Keys {
			out.Keys = append(out.Keys, schema.Key(k))
		}
		s.Tables = append(s.Tables, out)
	}
	for _, r := range l.References {
		if len(r.Columns) != len(r.ToColumns) {
			return nil, fmt.Errorf("schema.lock.json: the reference from %s has sides of different length", r.From)
		}
		s.References = append(s.References, schema.Reference{Name: r.Name, From: r.From, Columns: r.Columns, To: r.To, ToColumns: r.ToColumns, Declared: r.Declared})
	}
	s.Sort()
	return s, nil
}

// jsonTrouble says where a JSON text goes wrong; the decoder's own words may quote it.
func jsonTrouble(data []byte, err error) string {
	offset := int64(len(data))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
	default:
		return "an unknown field, or a name that is none"
	}
	offset = min(max(offset, 0), int64(len(data)))
	return fmt.Sprintf("line %d", 1+bytes.Count(data[:offset], []byte("\n")))
}

// CompareLock holds a schema against the one that the rules were reviewed
// against. A column whose type is another one is an error (exit code 3): its
// rule was written for other data. What was added or is gone is a note; a column
// that was added meets the rules, and stops the run if they do not decide it.
func CompareLock(locked, s *schema.Schema) []finding.Finding {
	var out []finding.Finding
	note := func(table schema.Name, column, message string) {
		out = append(out, finding.Finding{Check: checkLock, Severity: finding.Note, Table: table.String(), Column: column,
			Message: message, Hint: "`understudy init --lock-only` writes schema.lock.json anew"})
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		was := locked.Table(t.Name)
		if was == nil {
			note(t.Name, "", "the table is not in schema.lock.json")
			continue
		}
		for _, c := range t.Columns {
			old := was.Column(c.Name)
			switch {
			case old == nil:
				note(t.Name, c.Name, "the column is not in schema.lock.json")
			case old.Type != c.Type || old.Kind != c.Kind:
				out = append(out, finding.Finding{Check: checkLock, Severity: finding.Error, Code: int(fault.Undecided), Table: t.Name.String(), Column: c.Name,
					Message: fmt.Sprintf("the type is %s, and schema.lock.json says %s", typeWords(&c), typeWords(old)),
					Hint:    "see whether its rule still holds, then write schema.lock.json anew with `understudy init --lock-only`"})
			}
		}
		for _, c := range was.Columns {
			if t.Column(c.Name) == nil {
				note(t.Name, c.Name, "the column is in schema.lock.json only")
			}
		}
	}
	for _, t := range locked.Tables {
		if s.Table(t.Name) == nil {
			note(t.Name, "", "the table is in schema.lock.json only: it is gone from production, or the source's role may no longer see it")
		}
	}
	finding.Sort(out)
	return out
}
