package postgres

import (
	"bytes"
	"io"
	"math"
	"regexp"

	"understudy/internal/engine"
)

// pg_attver is the server's own count of a column's changes, kept among the column's options
// since the minor releases of November 2026 (15.20). A pg_dump that is older than these, of a
// newer major version too, writes it as an option, which no server takes.

const (
	written   = `(?:"(?:[^"]|"")+"|[^\s".;(]+)` // a name
	setOption = `ALTER COLUMN ` + written + ` SET \(`
)

var (
	// countAlone is the statement of a column without another option, as pg_dump writes it.
	countAlone = regexp.MustCompile(`ALTER (?:FOREIGN )?TABLE ONLY ` + written + `(?:\.` + written + `)? ` + setOption + `pg_attver=[^,)\n]*\);`)
	// countAmong is the option among others.
	countAmong = regexp.MustCompile(`( ` + setOption + `(?:[^)\n]*?))(pg_attver=[^,)\n]*, |, pg_attver=[^,)\n]*)`)
)

// blankCounts writes spaces in the place of the counts. No byte moves: an archive holds the
// length of each statement, and its statements as they are.
func blankCounts(archive []byte) (changed bool) {
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			archive[i] = ' '
		}
		changed = true
	}
	if !bytes.Contains(archive, []byte("pg_attver=")) {
		return false
	}
	for _, at := range countAlone.FindAllIndex(archive, -1) {
		blank(at[0], at[1])
	}
	for _, at := range countAmong.FindAllSubmatchIndex(archive, -1) {
		blank(at[4], at[5])
	}
	return changed
}

// withoutCounts takes the counts out of the archive.
func (b *blueprint) withoutCounts() error {
	text, err := io.ReadAll(io.NewSectionReader(b.archive, 0, math.MaxInt64))
	if err != nil {
		return &engine.Error{Code: engine.Failed, Doing: dumpDoing, Say: "its file cannot be read again"}
	}
	if !blankCounts(text) {
		return nil
	}
	blanked, err := hiddenFile(text) // pg_dump left the other one in append mode
	if err != nil {
		return err
	}
	discard(b.archive)
	b.archive = blanked
	return nil
}
