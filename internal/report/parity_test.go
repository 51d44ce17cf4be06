package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"understudy/internal/parity"
)

// TestParityTextFitsAndSays lays out a report with long and hostile names: every
// line fits, every difference and every statement is there, nothing steers the terminal.
func TestParityTextFitsAndSays(t *testing.T) {
	r := &parity.Report{
		Differences: []parity.Difference{
			{Kind: "column", Object: "shop.orders.gift_note", Table: "shop.orders", Change: "missing in target", SQL: "ALTER TABLE shop.orders ADD COLUMN gift_note text"},
			{Kind: "index", Object: "shop.orders.orders_placed_at", Table: "shop.orders", Change: "extra in target", SQL: "DROP INDEX shop.orders_placed_at", Destructive: true},
			{Kind: "view", Object: "shop.revenue", Table: "shop.revenue", Change: "different", Detail: strings.Repeat("type: one is another in target; ", 6),
				SQL: "CREATE OR REPLACE VIEW shop.revenue AS\n  SELECT " + strings.Repeat("a_column_of_some_length, ", 12) + "1"},
			{Kind: "trigger", Object: "\"it's \x1b[31m\n\"", Change: "missing in target"},
		},
		Compared: []parity.Count{{Kind: "table", Source: 12, Target: 13}, {Kind: "policy"}, {Kind: "view", Source: 1, Target: 1}},
		Unseen:   []string{"target: grants: the role may not read them"},
	}
	var b bytes.Buffer
	Parity(&b, r)
	text := b.String()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > Width {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("an escape reaches the terminal: %q", line)
		}
	}
	for _, want := range []string{"4 differences", "  shop.orders\n", "    column gift_note: missing in target\n", "      + ALTER TABLE shop.orders ADD COLUMN gift_note text\n",
		"      ! DROP INDEX shop.orders_placed_at\n", "table 12/13, view 1", "on neither side: policy", "not seen: target: grants"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	b.Reset()
	Parity(&b, &parity.Report{})
	if !strings.Contains(b.String(), "no difference") {
		t.Errorf("nothing different reads as %q", b.String())
	}
}
