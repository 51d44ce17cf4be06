package network

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// ParseURL takes a database's URL apart. known are the parameters it may have;
// refuse gives the reason against one that it must not have, else "". Errors
// repeat no part of the URL that may belong to a password.
func ParseURL(raw string, known []string, refuse func(parameter string) string) (*url.URL, url.Values, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(raw, "#") {
		return nil, nil, fmt.Errorf("the URL cannot be read: percent-encode special characters in the user name and password (@ is %%40, / is %%2F, # is %%23, %% is %%25)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("the URL's parameters after ? cannot be read: write name=value, joined by &")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch why := refuse(name); {
		case why != "":
			return nil, nil, fmt.Errorf("the URL sets %q%s", name, why)
		case !slices.Contains(known, name):
			return nil, nil, fmt.Errorf("the URL's parameter %s is not known%s; allowed are %s", shortName(name), schema.DidYouMean(name, known), strings.Join(known, ", "))
		case len(query[name]) > 1:
			return nil, nil, fmt.Errorf("the URL's parameter %q is given twice", name)
		}
	}
	return u, query, nil
}

// shortName quotes a parameter's name unless it may be a piece of a password.
func shortName(name string) string {
	for _, r := range name {
		if r != '_' && r != '-' && (r < 'a' || r > 'z') {
			return "(a name that is no plain word)"
		}
	}
	if len(name) > 30 {
		return "(a long name)"
	}
	return strconv.Quote(name)
}
