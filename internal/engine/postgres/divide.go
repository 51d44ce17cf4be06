package postgres

import (
	"context"
	"fmt"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

var _ engine.Divider = (*snapshot)(nil)

// blockSize is the bytes of a block in every ordinary build of the server.
const blockSize = 8192

// Divide cuts a table in ranges of blocks, and given rows where they stand. Rows
// that came after the snapshot was taken may lie behind the last block that is
// counted here; the last range has no end. Before version 14 the server reads a
// whole table for any range of it; there only partitions are kept apart.
func (s *snapshot) Divide(ctx context.Context, r engine.Read, n int) ([]engine.Read, error) {
	if _, ok := r.Into.(*load); !ok || n < 2 || r.Limit > 0 || len(r.Columns) == 0 {
		return []engine.Read{r}, nil
	}
	if r.Rows != nil {
		return divideRows(r, n), nil
	}
	facts, err := s.facts(r.Table, r.Columns)
	if err != nil {
		return nil, err
	}
	var blocks []uint64
	err = s.withReader(ctx, func(c *conn) error {
		blocks, err = c.blocks(ctx, facts)
		return err
	})
	if err != nil {
		return nil, s.because(err, r.Table.Name)
	}
	var out []engine.Read
	for _, within := range spans(blocks, n, s.exporter.version >= 140000) {
		part := r
		part.Within = within
		out = append(out, part)
	}
	if len(out) < 2 {
		return []engine.Read{r}, nil
	}
	return out, nil
}

func divideRows(r engine.Read, n int) []engine.Read {
	n = max(1, min(n, len(r.Rows)/rowsAtOnce))
	var out []engine.Read
	for i := range n {
		part := r
		part.Rows = r.Rows[len(r.Rows)*i/n : len(r.Rows)*(i+1)/n]
		out = append(out, part)
	}
	return out
}

// blocks counts those of a table, or of each of its partitions; none if one of
// them may not be read by its own name.
func (c *conn) blocks(ctx context.Context, facts *tableFacts) ([]uint64, error) {
	oids := append([]byte{'{'}, parameter(facts.oid)...)
	if facts.partitioned {
		oids = oids[:1]
		for _, l := range facts.leaves {
			oids = appendElement(oids, parameter(l.oid))
		}
	}
	rows, err := c.query(ctx, "look how large a table is", `SELECT pg_catalog.pg_relation_size(o), has_table_privilege(o, 'SELECT') FROM unnest($1::oid[]) WITH ORDINALITY AS x (o, n) ORDER BY n`, append(oids, '}'))
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, row := range rows {
		if !isTrue(row[1]) {
			return nil, nil
		}
		out = append(out, uint64(max(0, number(row[0])))/blockSize)
	}
	return out, nil
}

// spans cuts a table of so many blocks, or the partitions of one, in at most n
// ranges of about the same size; only between partitions unless within.
func spans(blocks []uint64, n int, within bool) []engine.Span {
	total := uint64(0)
	for _, b := range blocks {
		total += b
	}
	var out []engine.Span
	from := engine.RowID(0)
	part, before := 0, uint64(0) // the partition that the cut stands in, and the blocks before it
	for k := 1; k < n; k++ {
		at := total * uint64(k) / uint64(n)
		for part < len(blocks)-1 && at >= before+blocks[part] {
			before += blocks[part]
			part++
		}
		cut := uint64(part) << 48
		if within {
			cut |= (at - before) << 16
		}
		if cut > from {
			out = append(out, engine.Span{From: from, To: cut})
			from = cut
		}
	}
	return append(out, engine.Span{From: from, To: uint64(len(blocks)) << 48})
}

// spanStatement reads the rows of a span, partition by partition.
func spanStatement(facts *tableFacts, table *schema.Table, columns string, within engine.Span) (string, error) {
	tables := []schema.Name{table.Name}
	if facts.partitioned {
		tables = nil
		for _, l := range facts.leaves {
			tables = append(tables, l.name)
		}
	}
	if within.To > uint64(len(tables))<<48 || within.From >= within.To {
		return "", &engine.Error{Code: engine.Failed, Doing: "read " + table.Name.String(), Say: "a part of it is of another snapshot"}
	}
	var all []string
	for i, name := range tables {
		begin, end := uint64(i)<<48, uint64(i+1)<<48
		if within.To <= begin || within.From >= end {
			continue
		}
		sql := "SELECT " + columns + " FROM ONLY " + quoteName(name)
		word := " WHERE "
		if within.From > begin {
			sql += fmt.Sprintf("%sctid >= '(%d,0)'", word, within.From>>16&0xffffffff)
			word = " AND "
		}
		if within.To < end {
			sql += fmt.Sprintf("%sctid < '(%d,0)'", word, within.To>>16&0xffffffff)
		}
		all = append(all, sql)
	}
	return strings.Join(all, " UNION ALL "), nil
}
