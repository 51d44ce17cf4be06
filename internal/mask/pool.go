package mask

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/brianvoe/gofakeit/v7"
	"golang.org/x/text/language"
)

// PoolVersion names the lists that fakes are picked from. It changes when their
// content does, because then every fake changes.
const PoolVersion = "1"

// The pools are constants that take a few milliseconds to compute, so each is
// computed at first use. Nothing can change them afterwards: they depend on fixed
// seeds and gofakeit's word lists only, and a test pins their hash.
var (
	firstNames = sync.OnceValue(func() []string { return words(1, 60000, (*gofakeit.Faker).FirstName) })
	surnames   = sync.OnceValue(func() []string { return words(2, 20000, (*gofakeit.Faker).LastName) })
	endings    = sync.OnceValue(func() []string { return words(3, 1000, (*gofakeit.Faker).StreetSuffix) })
	roads      = sync.OnceValue(func() []string { return words(4, 10000, (*gofakeit.Faker).StreetName) })

	lastNames   = sync.OnceValue(makeLastNames)
	cities      = sync.OnceValue(makeCities)
	streetNames = sync.OnceValue(makeStreets)
	firms       = sync.OnceValue(makeFirms)
	initials    = sync.OnceValue(func() []string { return strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "") })
	handles     = sync.OnceValue(makeHandles)

	jobs          = sync.OnceValue(makeJobs)
	regions       = sync.OnceValue(makeRegions)
	regionCodes   = sync.OnceValue(func() []string { return words(6, 10000, (*gofakeit.Faker).StateAbr) })
	countries     = sync.OnceValue(func() []string { return words(7, 30000, (*gofakeit.Faker).Country) })
	countryCodes  = sync.OnceValue(func() []string { two, _ := makeCountryCodes(); return two })
	countryCodes3 = sync.OnceValue(func() []string { _, three := makeCountryCodes(); return three })
	agents        = sync.OnceValue(makeAgents)
	latin         = sync.OnceValue(makeLatin)
)

// words draws from a list of gofakeit until, as good as surely, every entry has
// come (the draws are twenty times the list). The faker is made anew from a seed
// of its own, so pools do not depend on each other.
func words(seed byte, draws int, next func(*gofakeit.Faker) string) []string {
	f := gofakeit.NewFaker(rand.NewChaCha8([32]byte{seed}), false)
	out := make([]string, 0, draws)
	for range draws {
		if w := next(f); plainWord(w) {
			out = append(out, strings.ToUpper(w[:1])+w[1:])
		}
	}
	return tidy(out)
}

// plainWord keeps to ASCII letters: such fakes fit every character set and look
// the same under every collation.
func plainWord(w string) bool {
	for i := range len(w) {
		if lower(w[i])-'a' >= 26 {
			return false
		}
	}
	return len(w) >= 2
}

// tidy sorts and removes doubles, so that each entry is as likely as any other.
func tidy(list []string) []string {
	slices.Sort(list)
	return slices.Clip(slices.Compact(list))
}

// makeLastNames adds made-up surnames to the known ones: a longer list keeps more
// of a column's variety and meets a real person's name less often.
func makeLastNames() []string {
	out := slices.Clone(surnames())
	for _, stem := range surnames() {
		for _, end := range []string{"son", "man", "ford", "ley", "ton", "wood", "field"} {
			if len(stem) >= 4 && len(stem) <= 7 && stem[len(stem)-1] != end[0] && !strings.HasSuffix(stem, end) {
				out = append(out, stem+end)
			}
		}
	}
	return tidy(out)
}

func makeCities() []string {
	var out []string
	for _, stem := range surnames() {
		for _, end := range endings() {
			if end = strings.ToLower(end); stem[len(stem)-1] != end[0] {
				out = append(out, stem+end)
			}
		}
	}
	return tidy(out)
}

// makeStreets combines surnames with the most familiar kinds of street.
func makeStreets() []string {
	var out []string
	familiar := []string{"Street", "Avenue", "Road", "Lane", "Drive", "Court", "Way", "Hill", "Park", "Place", "Square", "Path"}
	for _, stem := range surnames() {
		for _, kind := range roads() {
			if slices.Contains(familiar, kind) {
				out = append(out, stem+" "+kind)
			}
		}
	}
	return tidy(out)
}

// makeFirms composes companies of two surnames: gofakeit's own list has real ones.
func makeFirms() []string {
	var out []string
	list := surnames()
	for i, one := range list {
		for j := range 24 {
			other := list[(i+1+j*20)%len(list)]
			form := []string{"LLC", "Group", "Inc", "Partners"}[j%4]
			out = append(out, one+" "+other+" "+form)
		}
		out = append(out, one+" Group", one+" LLC")
	}
	return tidy(out)
}

func makeHandles() []string {
	out := make([]string, 0, len(firstNames()))
	for _, n := range firstNames() {
		out = append(out, strings.ToLower(n))
	}
	return tidy(out)
}

// makeJobs adds ranks to titles of one word.
func makeJobs() []string {
	var out []string
	for _, title := range words(5, 10000, (*gofakeit.Faker).JobTitle) {
		for _, rank := range []string{"", "Senior ", "Junior ", "Lead ", "Deputy ", "Assistant ", "Regional ", "Associate "} {
			out = append(out, rank+title)
		}
	}
	return tidy(out)
}

func makeRegions() []string {
	var out []string
	for _, stem := range surnames() {
		for _, end := range []string{"shire", " County", " Province", " District", " Valley", " Hills"} {
			if end[0] == ' ' || stem[len(stem)-1] != end[0] {
				out = append(out, stem+end)
			}
		}
	}
	return tidy(out)
}

// makeCountryCodes gives the ISO 3166 codes of two letters and those of three.
func makeCountryCodes() (two, three []string) {
	for _, code := range words(8, 30000, (*gofakeit.Faker).CountryAbr) {
		if region, err := language.ParseRegion(code); err == nil && region.IsCountry() && plainWord(region.ISO3()) && region.ISO3() != "ZZZ" {
			two, three = append(two, code), append(three, region.ISO3())
		}
	}
	return tidy(two), tidy(three)
}

func makeLatin() []string {
	var out []string
	for _, word := range words(9, 20000, (*gofakeit.Faker).LoremIpsumWord) {
		out = append(out, strings.ToLower(word))
	}
	return tidy(out)
}

// PoolHash identifies the lists that fakes are picked from: 16 hex digits over
// version and content. Runs with different hashes make different fakes.
func PoolHash() string {
	h := sha256.New()
	h.Write([]byte("pools " + PoolVersion))
	for _, list := range [][]string{firstNames(), lastNames(), cities(), streetNames(), firms(), initials(), handles(),
		jobs(), regions(), regionCodes(), countries(), countryCodes(), countryCodes3(), agents(), latin()} {
		h.Write([]byte("\n\n" + strings.Join(list, "\n")))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// fitting gives the entries of a list with at most so many characters.
func fitting(list []string, length int) []string {
	var out []string
	for _, s := range list {
		if len(s) <= length {
			out = append(out, s)
		}
	}
	return out
}

func longest(list []string) int {
	n := 0
	for _, s := range list {
		n = max(n, len(s))
	}
	return n
}

func shortest(list []string) int {
	n := unlimited
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}
