package cli

import (
	"slices"
	"testing"

	"understudy/internal/schema"
)

// A table is completed from its bare name too, where that means one table.
func TestCompletionTakesBareNames(t *testing.T) {
	names := []schema.Name{{Schema: "public", Table: "orders"}, {Schema: "public", Table: "customers"}, {Schema: "crm", Table: "customers"}, {Schema: "crm", Table: "Odd one"}}
	several, one := &schema.Schema{}, &schema.Schema{}
	for _, n := range names {
		several.Tables = append(several.Tables, schema.Table{Name: n})
	}
	one.Tables = several.Tables[:2]
	for _, c := range []struct {
		s     *schema.Schema
		typed string
		want  []string
	}{
		{several, "", []string{"public.orders", "public.customers", "crm.customers", `crm."Odd one"`}},
		{several, "ord", []string{"orders"}},
		{several, "cus", nil},
		{several, "crm.c", []string{"crm.customers"}},
		{several, `"O`, []string{`"Odd one"`}},
		{one, "c", []string{"customers"}},
	} {
		var all []string
		for _, x := range c.s.Tables {
			all = append(all, spellings(c.s, x.Name, c.typed)...)
		}
		if got := beginning(c.typed, all); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.typed, got, c.want)
		}
	}
}
