package sqlite

// SQLite takes capital and small letters for the same in names and keywords, but
// only those of ASCII: É and é are two columns.

// small writes the ASCII letters of a name small.
func small(name string) string { return mapped(name, 'A', 'Z', 'a'-'A') }

// capitals writes the ASCII letters of a name as capitals.
func capitals(name string) string { return mapped(name, 'a', 'z', -('a' - 'A')) }

func mapped(name string, from, to byte, by int) string {
	out := []byte(name)
	for i, b := range out {
		if from <= b && b <= to {
			out[i] = byte(int(b) + by)
		}
	}
	return string(out)
}

// sameName compares two names.
func sameName(a, b string) bool { return small(a) == small(b) }
