package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A blueprint is a database's whole DDL, as an archive of pg_dump that is built
// in two parts: what rows need before they come, and what comes after them.
type blueprint struct {
	tools    programs
	archive  *os.File
	contents []entry // what is built, in the archive's order
	dropped  []entry // what is left out on purpose
	owners   bool    // objects get the owners they had
	foreign  bool    // it is the source's
	origin   *origin
}

// drawBlueprint dumps the DDL that the new generation gets: the target's own,
// or the source's as of the snapshot that its structure names.
func (t *target) drawBlueprint(ctx context.Context, spec engine.Spec, facts *standing) (*blueprint, error) {
	from, major := t.at, facts.version/10000
	dump := tool{name: spec.RunID + " structure", args: []string{"--format=custom", "--schema-only", "--no-subscriptions",
		"--exclude-schema=" + markSchema, "--exclude-schema=" + sideSchema, "--lock-wait-timeout=" + milliseconds(t.limits.WithDefaults().LockWait), "--no-password"}}
	var schemas []string
	if spec.Structure != nil {
		s, ok := spec.Structure.(*structure)
		if !ok {
			return nil, &engine.Error{Code: engine.Failed, Doing: "take over the source's structure", Say: "it belongs to another engine"}
		}
		from, major, schemas = s.at, max(major, s.version/10000), spec.Schemas
		if !s.pooled { // else it might not be let in; its transaction is read-only by its own word as well
			dump.set = map[string]string{"default_transaction_read_only": "on"}
		}
		// It locks every table: if the snapshot gives way to somebody, so does this.
		bounded, stop := s.bounded(ctx)
		defer stop()
		ctx = bounded
		dump.args = append(dump.args, "--snapshot="+s.snapshot, "--no-owner", "--no-privileges", "--no-comments", "--no-security-labels", "--no-publications")
	}
	tools, err := findPrograms(ctx, major)
	if err != nil {
		return nil, err
	}
	b := &blueprint{tools: tools, foreign: spec.Structure != nil}
	dump.program, dump.at = tools.dump, from
	dump.args = append(append(dump.args, onlySchemas(schemas, tools.major)...), "--dbname="+from.conninfo(from.database))
	if err := b.draw(ctx, dump, t, schemas, facts); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// draw dumps, and decides what of the dump is built.
func (b *blueprint) draw(ctx context.Context, dump tool, t *target, schemas []string, facts *standing) (err error) {
	if b.origin, err = readOrigin(ctx, dump.at, dump.name, t.limits, schemas); err != nil {
		return err
	}
	if !b.foreign {
		if b.origin.tables, err = t.Inspect(ctx, nil); err != nil {
			return err
		}
		if err = t.with(ctx, func(c *conn) error { b.origin.watched, err = watch(ctx, c); return err }); err != nil {
			return err
		}
	}
	if b.archive, err = hiddenFile(nil); err != nil {
		return err
	}
	dump.output = b.archive
	if _, err = dump.run(ctx, dumpDoing); err != nil {
		of := side{at: dump.at, limits: t.limits}
		return of.nameChanger(ctx, of.nameUnread(ctx, err, schemas), schemas)
	}
	if err = b.withoutCounts(); err != nil {
		return err
	}
	return b.choose(ctx, facts)
}

// onlySchemas narrows a dump to schemas; none given means all. Extensions come
// along, because types and functions of theirs are used anywhere.
func onlySchemas(schemas []string, major int) []string {
	var args []string
	for _, s := range schemas {
		args = append(args, "--schema="+quote(s))
	}
	if len(args) > 0 && major >= 14 {
		args = append(args, "--extension=*")
	}
	return args
}

// choose decides what of the archive is built.
func (b *blueprint) choose(ctx context.Context, facts *standing) error {
	list := tool{program: b.tools.restore, args: []string{"--list", "--verbose"}, files: []option{{"", b.archive}}}
	text, err := list.run(ctx, "read the structure's contents")
	if err != nil {
		return err
	}
	b.owners = !b.foreign && facts.mayGiveAway
	all := parseContents(text)
	if err := b.sections(ctx, all); err != nil {
		return err
	}
	b.contents, b.dropped = without(all, func(e entry) bool {
		switch e.kind {
		case "SUBSCRIPTION", "SUBSCRIPTION TABLE":
			return true // they would fetch another database's rows
		case "USER MAPPING", "SERVER", "FOREIGN SERVER", "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "PUBLICATION":
			return b.foreign // passwords, and ways into production
		case "EVENT TRIGGER":
			return b.foreign || !facts.superuser
		case "COMMENT":
			return !facts.superuser && strings.Contains(e.line, " EXTENSION ")
		case "DEFAULT ACL": // without owners, of those alone for whom the role may act
			return !b.owners && !slices.ContainsFunc(facts.defaulting, func(role string) bool { return strings.HasSuffix(e.text, " "+role) })
		}
		return b.origin.reaches(e)
	})
	if b.foreign { // a dump of named schemas makes even this one, which every database has
		b.contents = slices.DeleteFunc(b.contents, func(e entry) bool { return e.kind == "SCHEMA" && e.tag == "public" })
	}
	return nil
}

// sections tells each entry its section, as pg_restore sees it in the whole list.
func (b *blueprint) sections(ctx context.Context, contents []entry) error {
	for _, section := range []string{"pre-data", "post-data"} {
		list := tool{program: b.tools.restore, args: []string{"--list", "--section=" + section}, files: []option{{"", b.archive}}}
		text, err := list.run(ctx, "read the structure's contents")
		if err != nil {
			return err
		}
		in := map[string]bool{}
		for _, e := range parseContents(text) {
			in[e.id] = true
		}
		for i := range contents {
			if in[contents[i].id] {
				contents[i].section = section
			}
		}
	}
	return nil
}

// builders say how a part of the blueprint is restored.
type builders struct {
	jobs       int                   // parallel sessions
	set        map[string]string     // their settings
	sizes      map[schema.Name]int64 // of the tables, where they hold rows
	statistics *census               // to be gathered beside foreign keys; nil for none
}

// restore runs pg_restore for the entries that it is to build.
func (b *blueprint) restore(ctx context.Context, run tool, database, section string, jobs int) error {
	list, err := hiddenFile(listing(run.builds))
	if err != nil {
		return err
	}
	defer discard(list)
	run.files = []option{{"--use-list=", list}, {"", b.archive}}
	run.args = append(b.restoreOptions(), "--exit-on-error", "--verbose", // it then says where it failed
		"--no-password", "--dbname="+run.at.conninfo(database))
	if jobs > 1 {
		run.args = append(run.args, "--jobs="+strconv.Itoa(jobs))
	}
	_, err = run.run(ctx, fmt.Sprintf("build the structure (%s)", section))
	var e *engine.Error
	if errors.As(err, &e) && e.Hint == callsHint {
		e.Hint = b.origin.pathHint(nil)
	}
	return err
}

// restoreOptions leave out what would not be the same here.
func (b *blueprint) restoreOptions() []string {
	var out []string
	if !b.owners {
		out = append(out, "--no-owner")
	}
	if b.foreign {
		out = append(out, "--no-tablespaces") // a disk of one server means nothing on another
	}
	return out
}

// close lets go of the archive.
func (b *blueprint) close() {
	if b != nil && b.archive != nil {
		discard(b.archive)
		b.archive = nil
	}
}

// hiddenFile makes a private temporary file with some content.
func hiddenFile(content []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "understudy-*")
	if err != nil {
		return nil, &engine.Error{Code: engine.Failed, Doing: "make a temporary file", Say: "it cannot be made", Hint: "TMPDIR may name another directory"}
	}
	if err := conceal(f); err == nil {
		_, err = f.Write(content)
		if err == nil {
			return f, nil
		}
	}
	discard(f)
	return nil, &engine.Error{Code: engine.Full, Doing: "write a temporary file", Say: "it cannot be written", Hint: "free space there, or let TMPDIR name another directory"}
}

func discard(f *os.File) {
	_ = f.Close()           // nothing in it is wanted any more
	_ = os.Remove(f.Name()) // it may have no name already
}
