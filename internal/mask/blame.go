package mask

import "strings"

// Blame names the columns whose demands a spec cannot meet within limits, with
// what they demand: those whose demand, taken away, lets the mask be made or fail
// for another reason. Empty where the limits name no column.
func Blame(key Key, spec Spec, limits Limits) string {
	_, err := New(key, spec, limits)
	if err == nil {
		return ""
	}
	var out []string
	blame := func(column, demand string, take func(*Limits)) {
		if column == "" {
			return
		}
		relaxed := limits
		take(&relaxed)
		if _, other := New(key, spec, relaxed); other == nil || other.Error() != err.Error() {
			out = append(out, "the "+demand+" is that of "+column)
		}
	}
	blame(limits.LengthOf, "length", func(l *Limits) { l.Length = 0 })
	blame(limits.RangeOf, "range", func(l *Limits) { l.Min, l.Max = 0, 0 })
	blame(limits.UniqueOf, "uniqueness", func(l *Limits) { l.Unique = false })
	return strings.Join(out, ", ")
}
