package postgres

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"understudy/internal/mask"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// typesTable writes what TYPES.md says of every built-in type: what the code
// does with a column of it and with one of its arrays.
func typesTable(t *testing.T) string {
	t.Helper()
	address := scratchtest.Database(t)
	// Types with an array type are those that columns have; the server's own
	// row types and those of its files are left out.
	list := strings.Split(scratchtest.Query(t, address, `SELECT t.oid, format_type(t.oid, NULL) FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
		AND t.typarray <> 0 AND t.typcategory <> 'A' AND t.typname !~ '^(pg_(node|ndistinct|dependencies|mcv|brin)|gtsvector)' ORDER BY 2`), "\n")
	var columns []string
	for i, line := range list {
		_, name, _ := strings.Cut(line, "\t")
		columns = append(columns, fmt.Sprintf("t%d %s, a%[1]d %[2]s[]", i, name))
	}
	scratchtest.SQL(t, address, "CREATE TABLE every ("+strings.Join(columns, ", ")+")")
	var inv *inventory
	err := openSource(t, address).(*source).with(t.Context(), func(c *conn) (err error) {
		inv, err = inspect(t.Context(), c, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	table := &inv.schema.Tables[0]
	facts := inv.tables[table.Name]
	var b strings.Builder
	b.WriteString("| type | kind | travels in binary | masked in binary | masks | masks for its arrays |\n|---|---|---|---|---|---|\n")
	key, _, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	yes := map[bool]string{true: "yes", false: ""}
	for i, line := range list {
		_, name, _ := strings.Cut(line, "\t")
		c, a := table.Column(fmt.Sprintf("t%d", i)), table.Column(fmt.Sprintf("a%d", i))
		wire := facts.columns[c.Name].wire
		masks := maskable(t, key, c, c.Kind)
		arrays := maskable(t, key, a, a.Kind)
		if a.Element != "" {
			for _, m := range maskable(t, key, a, a.Element) {
				if !slices.Contains(arrays, m) {
					arrays = append(arrays, m)
				}
			}
		}
		slices.Sort(arrays)
		slices.Sort(masks)
		same := strings.Join(arrays, " ")
		if slices.Equal(arrays, masks) {
			same = "the same"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name, c.Kind, yes[wire != 0], yes[wire != 0 && codecOf(wire) != nil], strings.Join(masks, " "), same)
	}
	return b.String()
}

// maskable lists the masks that take a kind and can be made for the column: a smallint
// has no room for a phone number, and of network addresses each mask makes one form.
func maskable(t *testing.T, key mask.Key, c *schema.Column, kind schema.Kind) []string {
	t.Helper()
	return slices.DeleteFunc(mask.Accepting(kind), func(name string) bool {
		if kind == schema.Net {
			hardware := strings.HasPrefix(c.Type, "macaddr")
			return name == "ip" && hardware || name == "mac" && !hardware
		}
		refuses := func(l mask.Limits) bool {
			l.Kind = kind
			_, err := mask.New(key, mask.Spec{Mask: name, Domain: "types"}, l)
			return err != nil
		}
		return refuses(mask.Limits{Min: c.Min, Max: c.Max, Scale: c.Scale}) && !refuses(mask.Limits{Scale: -1}) // else it wants a parameter
	})
}

// TestTypesPage keeps the table of types in TYPES.md what the code does. With
// UPDATE_TYPES set it writes the table.
func TestTypesPage(t *testing.T) {
	const begin, end = "<!-- types: written by TestTypesPage -->\n", "<!-- end of types -->"
	page, err := os.ReadFile("TYPES.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("TYPES.md has no place for the table of types")
	}
	want := typesTable(t)
	if os.Getenv("UPDATE_TYPES") != "" {
		if err := os.WriteFile("TYPES.md", []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have == want {
		return
	}
	// Another version of the server may have other types; what both have must agree.
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \|.*$`)
	known := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(have, -1) {
		known[m[1]] = m[0]
	}
	for _, m := range row.FindAllStringSubmatch(want, -1) {
		if line, ok := known[m[1]]; !ok {
			t.Logf("TYPES.md does not know the type %s of this server", m[1])
		} else if line != m[0] {
			t.Errorf("TYPES.md says\n%s\nand the code does\n%s\nUPDATE_TYPES=1 go test -run TestTypesPage writes it anew", line, m[0])
		}
	}
}
