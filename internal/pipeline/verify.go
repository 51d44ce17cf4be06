package pipeline

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// Verify proves a loaded target afresh: every constraint and sequence by the
// database, and what changed since its refresh by the manifest. With a key (the
// one of the refresh) the masked values' digests are compared as well; source
// reads the target's rows for that and may be nil together with key.
func Verify(ctx context.Context, target engine.Target, rows engine.Source, key *mask.Key, schemas []string) ([]check.Verdict, *Manifest, error) {
	state, err := target.State(ctx)
	if err != nil {
		return nil, nil, Explain(err, "target")
	}
	if state.Manifest == nil && len(state.Generations) > 0 && state.Generations[0].Present && state.Generations[0].ID != "" {
		return nil, nil, fault.New(fault.Refused, "no-manifest", "run `understudy refresh`, or `understudy rollback` to a generation that a refresh loaded",
			"there is nothing to compare with: the generation that stands in the target was not loaded by understudy; a rollback put it back")
	}
	if state.Manifest == nil {
		return nil, nil, fault.New(fault.Refused, "no-manifest", "run `understudy refresh` first", "the target was not loaded by understudy: it bears no manifest")
	}
	m, err := ReadManifest(state.Manifest)
	if err != nil {
		return nil, nil, fault.New(fault.Refused, "manifest", "refresh the target with this version", "%s", err)
	}
	proofs, err := target.Prove(ctx, schemas)
	if err != nil {
		return nil, m, Explain(err, "target")
	}
	var out []check.Verdict
	if state.Unfinished != "" {
		out = append(out, check.Verdict{Check: check.Switched, Outcome: check.Failed, Detail: state.Unfinished})
	}
	for _, p := range proofs {
		out = append(out, check.Proved(p))
	}
	out = append(out, gone(m.Proved, proofs, schemas)...)
	there, err := target.Inspect(ctx, schemasOf(m.names()))
	if err != nil {
		return out, m, Explain(err, "target")
	}
	for _, t := range m.Tables {
		vs, err := sinceRefresh(ctx, target, there.Table(t.Table), t)
		if err != nil {
			return out, m, Explain(err, "target")
		}
		out = append(out, vs...)
	}
	digests, err := digests(ctx, rows, key, m)
	return append(out, digests...), m, err
}

// gone tells which constraints of the schemas (none given: all) the refresh
// proved and the target no longer has: what is not there cannot fail a proof.
func gone(proved []ManifestProof, now []engine.Proof, schemas []string) []check.Verdict {
	there := map[ManifestProof]bool{}
	for _, p := range now {
		there[ManifestProof{p.Kind, p.Table, p.Name}] = true
	}
	var out []check.Verdict
	for _, p := range proved {
		if !there[p] && (len(schemas) == 0 || slices.Contains(schemas, p.Table.Schema)) {
			out = append(out, check.Verdict{Check: p.Check, Table: p.Table, Name: p.Name, Outcome: check.Failed,
				Detail: p.Name + ": " + lost(p.Check)})
		}
	}
	return out
}

func lost(check string) string {
	if check == "view" { // one that does not compile has no proof
		return "it compiled after the refresh; it is gone or compiles no more"
	}
	return "proved by the refresh, no longer there"
}

// sinceRefresh compares counts with the manifest's. now is the table as it stands; nil if it is gone.
func sinceRefresh(ctx context.Context, target engine.Target, now *schema.Table, t ManifestTable) ([]check.Verdict, error) {
	if now == nil {
		return []check.Verdict{{Check: "rows", Table: t.Table, Outcome: check.Failed, Detail: fmt.Sprintf("%d rows were loaded, the table is gone", t.Rows)}}, nil
	}
	var masked, lost []string
	for _, name := range t.Masked {
		if now.Column(name) == nil {
			lost = append(lost, name)
		} else {
			masked = append(masked, name)
		}
	}
	rows, nulls, err := target.Count(ctx, t.Table, masked)
	if err != nil {
		return nil, err
	}
	v := check.Verdict{Check: "rows", Table: t.Table, Outcome: check.Passed, Detail: fmt.Sprintf("%d rows, as loaded", rows)}
	if rows != t.Rows {
		v.Outcome, v.Detail = check.Failed, fmt.Sprintf("%d rows were loaded, %d are there", t.Rows, rows)
	}
	out := []check.Verdict{v}
	for _, name := range lost {
		out = append(out, check.Verdict{Check: "column", Table: t.Table, Column: name, Outcome: check.Failed,
			Detail: schema.Ident(name) + " is gone or has another name: it was masked by the refresh"})
	}
	for i, name := range masked {
		if nulls[i] != t.Nulls[name] {
			out = append(out, check.Verdict{Check: "nulls", Table: t.Table, Column: name, Outcome: check.Failed,
				Detail: fmt.Sprintf("%d NULLs were loaded, %d are there", t.Nulls[name], nulls[i])})
		}
	}
	return out, nil
}

// digests reads the masked columns back and compares their keyed digests.
func digests(ctx context.Context, rows engine.Source, key *mask.Key, m *Manifest) ([]check.Verdict, error) {
	skip := func(why string) []check.Verdict {
		return []check.Verdict{{Check: "digest", Outcome: check.Unmeasured, Detail: why}}
	}
	switch {
	case key == nil || rows == nil:
		return skip("masked values were not compared: no key was given"), nil
	case m.After != "":
		return skip("masked values were not compared: statements of load.after changed rows after they were masked"), nil
	case key.Fingerprint() != m.KeyFingerprint:
		return skip("masked values were not compared: the refresh used another key (" + m.KeyFingerprint + ")"), nil
	}
	s, err := rows.Inspect(ctx, schemasOf(m.names()))
	if err != nil {
		return nil, Explain(err, "target")
	}
	snap, err := rows.Snapshot(ctx, s)
	if err != nil {
		return nil, Explain(err, "target")
	}
	defer snap.Close()
	var out []check.Verdict
	for _, t := range m.Tables {
		table := s.Table(t.Table)
		if table == nil {
			continue // told by its rows
		}
		out = append(out, undigested(t)...)
		if t.Digest == "" {
			continue
		}
		v := check.Verdict{Check: "digest", Table: t.Table, Outcome: check.Passed, Detail: "masked values are as loaded"}
		if lost := slices.ContainsFunc(t.Digested, func(name string) bool { return table.Column(name) == nil }); lost {
			v.Outcome, v.Detail = check.Failed, "masked values were not compared: a column of them is gone"
		} else if sum, err := digestOf(ctx, snap, table, t, *key); err != nil {
			return out, Explain(err, "target")
		} else if sum != t.Digest {
			v.Outcome, v.Detail = check.Failed, "masked values changed since the refresh"
		}
		out = append(out, v)
	}
	return out, nil
}

// undigested tells of the masked columns of which the refresh left no digest: it
// was that of an earlier version, or a database may write their values in another
// way. Where all are NULL, their count is proof enough.
func undigested(t ManifestTable) []check.Verdict {
	var out []check.Verdict
	for _, name := range t.Masked {
		if !slices.Contains(t.Digested, name) && t.Nulls[name] != t.Rows {
			out = append(out, check.Verdict{Check: "digest", Table: t.Table, Column: name, Outcome: check.Unmeasured, Beyond: true,
				Detail: "masked values of " + schema.Ident(name) + " were not compared: the refresh left no digest of them"})
		}
	}
	return out
}

func schemasOf(names []schema.Name) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n.Schema] {
			seen[n.Schema] = true
			out = append(out, n.Schema)
		}
	}
	return out
}

func digestOf(ctx context.Context, snap engine.Snapshot, table *schema.Table, t ManifestTable, key mask.Key) (string, error) {
	if slices.ContainsFunc(t.Digested, func(name string) bool { return table.Column(name) == nil }) {
		return "", nil
	}
	if reckoner, ok := snap.(engine.Reckoner); ok {
		for column, word := range t.Reckoned {
			reckoner.Reckon(table.Name, column, word)
		}
	}
	d := key.Digester(table.Name.Table)
	err := tellRows(snap.Read(ctx, engine.Read{Table: table, Columns: t.Digested, Look: upTo(len(t.Digested))}), table, t.Digested, t, d, nil)
	return d.Sum().String(), err
}

// upTo lists the numbers below n.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// tellRows takes rows of the target into a digest as the refresh that left t did,
// and counts the NULLs of each column unless nulls is nil. All columns are looked
// into; those that t digests are among them, in its order.
func tellRows(rows iter.Seq2[*engine.Batch, error], table *schema.Table, columns []string, t ManifestTable, d *mask.Digester, nulls []int64) error {
	type fate struct{ told, array, document bool }
	fates, there := make([]fate, len(columns)), make([]*schema.Column, len(columns))
	for i, name := range columns {
		fates[i] = fate{slices.Contains(t.Digested, name), slices.Contains(t.Arrays, name), slices.Contains(t.Documents, name)}
		there[i] = table.Column(name)
	}
	var row, told []byte
	var canonizer jsondoc.Canonizer
	for b, err := range rows {
		if err != nil {
			return err
		}
		for i, cell := range b.Cells {
			column := i % len(columns)
			f := fates[column]
			if cell.Null && nulls != nil {
				nulls[column]++
			}
			switch {
			case !f.told:
			case cell.Null:
				row = mask.AppendPart(row, nil, true)
			default:
				value := b.Form.Value(nil, b.Raw[cell.Start:cell.End], column)
				switch {
				case f.array:
					tell, element := canonizer.Append, elementOf(there[column])
					if !f.document {
						tell = func(dst, value []byte) []byte { return digestible(dst, value, element) }
					}
					if told, err = arrayTold(told[:0], value, b.Form, column, tell); err != nil {
						return err
					}
				case f.document:
					told = canonizer.Append(told[:0], value)
				default:
					told = digestible(told[:0], value, there[column])
				}
				row = mask.AppendPart(row, told, false)
			}
			if column == len(columns)-1 {
				d.AddRow(row)
				row = row[:0]
				if b.Huge() {
					row, told = nil, nil
				}
			}
		}
		b.Release()
	}
	return nil
}
