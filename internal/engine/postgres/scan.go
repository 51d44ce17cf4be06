package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"understudy/internal/engine"
)

// Of rows that are given by their places, a few are asked for one by one. Where
// most of those that stand between the first and the last of them are wanted, it
// is cheaper for the server to copy all of these, each with its place, and for
// us to let the others pass.

// What a row costs, in bytes of it that cost as much: in a scan, and in finding it
// by its place. Measured on version 15, server and client together: a scan of
// narrow rows is cheaper where half of them are wanted, of wide ones four fifths.
const (
	rowScanned = 27
	rowPlaced  = 109
)

// worthScanning counts the leading rows that a scan should read; 0 for none. It
// takes those of one partition together, and needs a server that reads a range
// of blocks without reading the others (since version 14).
func (c *conn) worthScanning(r engine.Read, rows []engine.RowID, direct []bool) int {
	if c.version < 140000 || len(r.Columns) == 0 {
		return 0
	}
	part := rows[0] >> 48
	if direct != nil && (part >= uint64(len(direct)) || !direct[part]) {
		return 0
	}
	n, _ := slices.BinarySearch(rows, (part+1)<<48)
	if n < rowsAtOnce {
		return 0
	}
	share, width := density(rows[:n])
	if r.Table.Rows > 0 { // with what stands outside of the blocks
		width = max(width, float64(r.Table.Bytes)/float64(r.Table.Rows))
	}
	if share*(rowPlaced+width) < rowScanned+width {
		return 0
	}
	return n
}

// density estimates how many of the rows between the first and the last of some,
// all of one partition, are among them, and how wide they are. How many rows a
// block holds is told by the last one wanted of each: where many are wanted,
// little is left after it.
func density(rows []engine.RowID) (share, width float64) {
	last, blocks := uint64(0), uint64(0)
	for i, id := range rows {
		if i+1 == len(rows) || rows[i+1]>>16 != id>>16 {
			last += id & 0xffff
			blocks++
		}
	}
	spanned := rows[len(rows)-1]>>16 - rows[0]>>16 + 1
	each := float64(last) / float64(blocks)
	return float64(len(rows)) / (each * float64(spanned)), blockSize / each
}

// scanRows copies the blocks that rows of one partition stand in and takes them out.
func (c *conn) scanRows(ctx context.Context, facts *tableFacts, r engine.Read, rows []engine.RowID, p *packer) error {
	doing := "read rows of " + r.Table.Name.String()
	name, part := r.Table.Name, rows[0]>>48
	if facts.partitioned {
		name = facts.leaves[part].name
	}
	sql := fmt.Sprintf("COPY (SELECT ctid, %s FROM ONLY %s WHERE ctid >= '(%d,0)' AND ctid < '(%d,0)') TO STDOUT",
		quoteList(r.Columns), quoteName(name), rows[0]>>16&0xffffffff, min(rows[len(rows)-1]>>16&0xffffffff+1, 1<<32-1))
	before := p.rows
	p.wanted = &choice{rows: rows, part: part << 48}
	err := c.copyOut(ctx, sql, p, doing)
	p.wanted = nil
	if err == nil && !p.stopped && p.rows-before != int64(len(rows)) {
		err = &engine.Error{Code: engine.Changed, Doing: doing, Say: "rows found in the snapshot are not there any more"}
	}
	return err
}

// A choice finds rows in a sorted list, quickly where they are asked for in its order.
type choice struct {
	rows []engine.RowID
	part engine.RowID // of all of them
	at   int
}

func (c *choice) has(place engine.RowID) bool {
	id := c.part | place
	for range 8 {
		if c.at == len(c.rows) || c.rows[c.at] >= id {
			break
		}
		c.at++
	}
	if c.at < len(c.rows) && c.rows[c.at] < id || c.at > 0 && c.rows[c.at-1] >= id {
		c.at, _ = slices.BinarySearch(c.rows, id)
	}
	return c.at < len(c.rows) && c.rows[c.at] == id
}

// placed takes the place, its first value, off a row as COPY writes it: in binary
// with the count of fields before it, which stays to be written anew.
func placed(row []byte, inBinary bool) (place engine.RowID, rest []byte, ok bool) {
	if inBinary {
		if len(row) < 12 || binary.BigEndian.Uint32(row[2:]) != 6 {
			return 0, nil, false
		}
		return uint64(binary.BigEndian.Uint32(row[6:]))<<16 | uint64(binary.BigEndian.Uint16(row[10:])), row[12:], true
	}
	tab := bytes.IndexByte(row, '\t')
	if tab < 0 || row[0] != '(' {
		return 0, nil, false
	}
	var parts [2]uint64
	part := 0
	for _, b := range row[1:tab] {
		switch {
		case b == ',' && part == 0:
			part = 1
		case b-'0' < 10:
			parts[part] = parts[part]*10 + uint64(b-'0')
		case b != ')':
			return 0, nil, false
		}
	}
	return parts[0]<<16 | parts[1], row[tab+1:], true
}
