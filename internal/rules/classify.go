package rules

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"understudy/internal/mask"
	"understudy/internal/schema"
)

// A proposal is what a draft says of one column: the choices in order of
// preference. The first that fits the column's type, length and keys is taken.
type proposal struct {
	choices []draftRule
}

// A draftRule is one choice for a column.
type draftRule struct {
	mask    string // empty: keep
	param   string // a parameter of the mask, with its value
	value   string
	class   string // where it is not the mask's own
	domain  string
	keep    string // reason
	comment string // for the reviewer
}

// A clue is a group of names that tell what a column holds. Words are matched
// against the words of a column's name, joined by underscores.
type clue struct {
	words *regexp.Regexp
	kinds []schema.Kind // that the clue holds for
	rule  draftRule
}

func words(pattern string) *regexp.Regexp { return regexp.MustCompile(`(^|_)(` + pattern + `)(_|$)`) }

// clues lists what names tell, the most telling first. The list errs towards
// masking: a draft that masks too much costs a line, one that keeps too much costs a leak.
func clues() []clue {
	text := []schema.Kind{schema.Text}
	textOrNumber := []schema.Kind{schema.Text, schema.Integer, schema.Decimal}
	textOrNet := []schema.Kind{schema.Text, schema.Net}
	days := []schema.Kind{schema.Date, schema.Timestamp}
	numbers := []schema.Kind{schema.Integer, schema.Decimal}
	return []clue{
		{words(`e?mails?|email_?addr(ess)?|e_mails?`), text, draftRule{mask: "email"}},
		{words(`passwords?|passwd|pwd|pass|secrets?|tokens?|api_?keys?|salt|otp|pin|cvv|cvc|private_?key|credentials?|session_?(id|key)?|cookies?|signature`), text,
			draftRule{mask: "redact", class: "credential", comment: "a secret: no value of it belongs on staging"}},
		{words(`secrets?|tokens?|api_?keys?|private_?key|credentials?|session_?key|(reset|magic|invite|access|refresh|unsubscribe)_?(key|code|link|hash)`), []schema.Kind{schema.UUID}, draftRule{mask: "uuid", class: "credential", comment: "a secret: no value of it belongs on staging"}},
		{words(`otp|pin|pin_?(code|no|number)|cvv|cvc`), numbers, draftRule{mask: "redact", class: "credential", comment: "a secret: no value of it belongs on staging"}},
		{words(`mac|mac_?addr(ess)?|hardware_?addr(ess)?`), textOrNet, draftRule{mask: "mac"}},
		{words(`ip_?(v?4_?)?addr(ess)?`), []schema.Kind{schema.Integer}, draftRule{mask: "fpe", class: "network"}},
		{words(`ip|ip_?v?[46]?_?addr(ess)?|(remote|client|source|last|login|current|sign_?in)_?(ip|addr(ess)?)`), textOrNet, draftRule{mask: "ip"}},
		{words(`user_?agent|browser`), text, draftRule{mask: "user_agent"}},
		{words(`device_?id|fingerprint`), text, draftRule{mask: "redact", class: "network"}},
		{words(`host_?name|fqdn`), text, draftRule{mask: "hostname"}},
		{words(`urls?|uri|href|web_?site|home_?page|web_?page|referr?er`), text, draftRule{mask: "url"}},
		{words(`ssn|sin|nin|nhs|social_?security(_?(no|number))?|national_?id|passports?|tax_?(id|no|number|code)|vat_?(id|no|number)|tin|driving_?licen[cs]e|drivers?_?licen[cs]e|licen[cs]e_?(no|number|plate)|id_?(card|number)|identity_?(no|number)|personal_?(no|number)`), textOrNumber,
			draftRule{mask: "fpe", class: "national_id"}},
		{words(`card_?holder(_?name)?|name_?on_?card`), text, draftRule{mask: "full_name"}}, // before the cards themselves
		{words(`card_?(no|number|pan)?|credit_?card|cc_?(no|num|number)|pan`), textOrNumber, draftRule{mask: "credit_card"}},
		{words(`iban`), text, draftRule{mask: "iban"}},
		{words(`bic|swift|account_?(no|num|number)|bank_?account|routing_?(no|number)|sort_?code`), textOrNumber, draftRule{mask: "fpe", class: "bank_account"}},
		{words(`phones?|phone_?(no|num|number)|mobile|cell|cellphone|tel|telephone|fax|msisdn|whatsapp`), textOrNumber, draftRule{mask: "phone"}},
		{words(`user_?name|login|nick|nick_?name|handle|screen_?name|account_?name|twitter|instagram|skype|slack`), text, draftRule{mask: "username"}},
		{words(`first_?name|fname|given_?names?|forename|middle_?name|christian_?name`), text, draftRule{mask: "first_name"}},
		{words(`last_?name|lname|surname|family_?name|maiden_?name`), text, draftRule{mask: "last_name"}},
		{words(`full_?name|display_?name|real_?name|legal_?name|contact(_?name|_?person)?|customer_?name|recipient(_?name)?|beneficiary|author|holder(_?name)?|signed_?by|person|representative|composer|director|writer|photographer`), text, draftRule{mask: "full_name"}},
		{words(`job_?title|occupation|profession`), text, draftRule{mask: "job_title"}},
		{words(`company(_?name)?|organi[sz]ation(_?name)?|employer(_?name)?|vendor(_?name)?|supplier(_?name)?|merchant(_?name)?|firm`), text, draftRule{mask: "company"}},
		{words(`zip|zip_?code|post_?code|postal(_?code)?|plz`), text, draftRule{mask: "postcode"}},
		{words(`city|town|village|suburb|municipality|locality|birth_?place|place_?of_?birth`), text, draftRule{mask: "city"}},
		{words(`province|region|county|prefecture|canton|bundesland|state_?(province|code|name)`), text, draftRule{mask: "region"}},
		{words(`country(_?name)?$`), text, draftRule{mask: "country"}},
		{words(`street(_?(name|address|no|number))?|addr(ess)?[0-9]?|address_?(line_?)?[0-9]?|line_?[0-9]|house_?(no|number)`), text, draftRule{mask: "street"}},
		{words(`gender|sex|religi(on|ous)|faith|ethnic(ity|_?(group|origin))?|race|nationality|marital(_?status)?|civil_?status|blood_?(type|group)|diagnos([ie]s|ed)|disability|orientation|health|medication|allerg(y|ies|ic)|hiv|pregnan(t|cy)|illness(es)?|diseases?|diabetic|smoker|vaccinat(ed|ion)|transgender|gay|lesbian|sexual(ity)?|muslim|jewish|christian|disabled_?person|has_?disability|political|trade_?union|union_?member(ship)?|criminal|convict(ed|ions?)|offences?|bankrupt(cy)?`), []schema.Kind{schema.Text, schema.Enum, schema.Boolean},
			draftRule{mask: "redact", class: "special_category", comment: "a special category of personal data"}},
		{regexp.MustCompile(`(^|_)(gender|sex|religion|ethnicity|ethnic_group|race|marital_status|blood_(type|group)|diagnosis|disability|nationality)(_code)?$`), numbers, // codes; those that lead to a table are tied to it
			draftRule{mask: "redact", class: "special_category", comment: "a special category of personal data"}},
		{words(`salar(y|ies)|wages?|income[0-9]?|net_?worth|credit_?(score|limit|rating)|(bank_?)?balance|debts?|pension`), numbers, draftRule{mask: "redact", class: "income"}},
		{words(`yob|dob_?year|birth_?year|year_?of_?birth|age`), numbers, draftRule{mask: "redact", class: "birth_date"}},
		{words(`imei|imsi|iccid|(telegram|facebook|twitter|instagram|whatsapp|google|apple|github|linkedin|chat)_?(user_?)?id`), textOrNumber, draftRule{mask: "fpe", class: "user_id"}},
		{words(`zip|zip_?code|post_?code|postal(_?code)?|plz`), numbers, draftRule{mask: "postcode"}},
		{words(`lat|latitude|lng|lon|long|longitude|coordinates?|location|position|geo`), []schema.Kind{schema.Decimal, schema.Text, schema.Geo}, draftRule{mask: "redact", class: "location"}},
		{words(`dob|b_?day|birth|birth_?day|birth_?date|date_?of_?birth|born(_?on|_?at)?|geburtsdatum|geburtstag|death(_?(date|day))?|deceased(_?(on|at))?|died(_?on|_?at)?|wedding(_?(date|day))?|married(_?(on|at))?|divorced?(_?(on|at|date))?|convict(ed|ion)(_?(on|at|date))?|sentenced(_?(on|at))?|diagnosed(_?(on|at))?|last_?period`), days, draftRule{mask: "date_shift", class: "birth_date"}},
		{words(`hired?(_?(on|at|date))?|hire_?date|admission(_?date)?|discharge(_?date)?|terminated(_?(on|at))?|anniversary|admitted(_?at)?|discharged(_?at)?`), days, draftRule{mask: "date_shift"}},
		{words(`notes?|comments?|remarks?|descriptions?|body|messages?|contents?|bio|biography|about|summary|subject|title|reason|feedback|review|memo|caption|details?|text|query|payload|data`), text,
			draftRule{mask: "redact", class: "free_text", comment: "free text may say anything"}},
		{words(`created_?by|updated_?by|modified_?by|deleted_?by|approved_?by|owner|assignee|reporter|operator|actor|who`), text, draftRule{mask: "username"}},
	}
}

// vocabulary are names of text columns that hold words of the program itself.
func vocabulary() *regexp.Regexp {
	return regexp.MustCompile(`(^|_)(status|currency|currency_code|locale|language_code|lang|country_code|iso_code|time_?zone|mime_?type|content_?type|unit)$`)
}

// people are names of tables whose `name` is a person's.
func people() *regexp.Regexp {
	return words(`users?|customers?|clients?|persons?|people|employees?|staff|actors?|authors?|contacts?|members?|patients?|students?|teachers?|drivers?|artists?|guests?|owners?|subscribers?|accounts?|profiles?|leads?|applicants?|candidates?|recipients?|passengers?|players?|tenants?|buyers?|sellers?|agents?|doctors?|nurses?`)
}

// companies are names of tables whose `name` is a company's.
func companies() *regexp.Regexp {
	return words(`compan(y|ies)|organi[sz]ations?|employers?|vendors?|suppliers?|merchants?|manufacturers?|partners?|shippers?|carriers?`)
}

// nameWords writes a column's or table's name as lower-case words joined by
// underscores: customerEmail, Customer-Email and CUSTOMER_EMAIL are customer_email.
func nameWords(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte('_')
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]) ||
			unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// A classifier proposes by name and type. It is made once for a draft.
type classifier struct {
	clues             []clue
	people, companies *regexp.Regexp
	vocabulary        *regexp.Regexp
	fixed             *regexp.Regexp // CHECKs that list their values
	told              Beforehand
}

func newClassifier() *classifier {
	return &classifier{clues: clues(), people: people(), companies: companies(), vocabulary: vocabulary(), fixed: regexp.MustCompile(`(?i)\bin\s*\(|=\s*any\s*\(`)}
}

// propose gives the choices for a column, never empty. A text is kept only if
// the database itself limits it to a fixed set of values, or its name says that
// it holds words of the program.
func (c *classifier) propose(t *schema.Table, col *schema.Column) proposal {
	first := c.byName(t, col)
	var p proposal
	if col.Listed {
		return proposal{choices: []draftRule{{keep: "review: the table's partitions list its values, and take no other"}}}
	}
	add := func(rules ...draftRule) { p.choices = append(p.choices, rules...) }
	if c.isFixedSet(t, col) {
		add(draftRule{keep: "review: a CHECK limits it to a fixed set of values"})
	}
	if first != nil {
		add(*first)
		if first.mask == "credit_card" || first.mask == "iban" { // which leave a unique column too little room
			kind, _ := mask.Lookup(first.mask)
			add(draftRule{mask: "fpe", class: kind.Class})
		}
	}
	unique := mustStayUnique(t, col)
	apart := unique || slices.Contains(c.told.Made[t.Name], col.Name)
	if apart && col.Kind == schema.Text {
		class := ""
		if first != nil {
			class = first.class
		}
		add(draftRule{mask: "hash", class: class, comment: "review: unique text"}, draftRule{mask: "fpe", class: class, comment: "review: unique text, too short for a hash"})
	}
	if first != nil && first.mask != "" {
		// A telling name never ends in a guess that the column is harmless.
		shuffled := "review"
		if first.class == "credential" {
			shuffled = "review: WHO HOLDS THE KEY CAN TURN IT BACK; no other mask fits its type, checks and length"
		}
		add(draftRule{mask: "fpe", class: first.class, comment: shuffled}, draftRule{mask: "int", class: first.class, comment: "review"})
		add(c.lastResort(col, unique)...)
		return p
	}
	add(c.byKind(t, col, unique, apart)...)
	return p
}

// tellsOfAPerson tells whether a column's name says that it holds what is masked.
func (c *classifier) tellsOfAPerson(t *schema.Table, col *schema.Column) bool {
	rule := c.byName(t, col)
	return rule != nil && rule.mask != ""
}

func (c *classifier) byName(t *schema.Table, col *schema.Column) *draftRule {
	name := nameWords(col.Name)
	leads := polymorphic(t, name)
	for i := range c.clues {
		if slices.Contains(c.clues[i].kinds, col.Kind) && c.clues[i].words.MatchString(name) {
			rule := &c.clues[i].rule
			if leads != nil && (rule.mask == "username" || rule.class == "free_text") { // an owner's, a subject's: weak words beside that
				return leads
			}
			return rule
		}
	}
	if leads != nil {
		return leads
	}
	if col.Kind != schema.Text {
		return nil
	}
	table := nameWords(t.Name.Table)
	switch isName := name == "name" || strings.HasSuffix(name, "_name"); {
	case isName && (c.companies.MatchString(table) || c.companies.MatchString(name)):
		return &draftRule{mask: "company"}
	case isName && (c.people.MatchString(table) && name == "name" || c.people.MatchString(name)):
		return &draftRule{mask: "full_name"}
	case c.vocabulary.MatchString(name) && !mustStayUnique(t, col):
		return &draftRule{keep: "review: by its name it holds words of the program"}
	}
	return nil
}

// polymorphic tells the two columns by which a row leads to rows of several tables:
// owner_type and owner_id.
func polymorphic(t *schema.Table, name string) *draftRule {
	has := func(other string) bool {
		return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return nameWords(c.Name) == other })
	}
	if base, ok := strings.CutSuffix(name, "_type"); ok && has(base+"_id") {
		return &draftRule{keep: "review: it names the kind of row that " + base + "_id leads to"}
	}
	if base, ok := strings.CutSuffix(name, "_id"); ok && has(base+"_type") {
		return &draftRule{keep: "review: it leads to rows of several tables; `references` of the job with `when` names them"}
	}
	return nil
}

// isFixedSet: the database lets only listed values into a text column.
func (c *classifier) isFixedSet(t *schema.Table, col *schema.Column) bool {
	return col.Kind == schema.Text && slices.ContainsFunc(t.Checks, func(k schema.Check) bool {
		return len(k.Columns) == 1 && k.Columns[0] == col.Name && strings.Contains(k.Expr, "'") && c.fixed.MatchString(k.Expr)
	})
}

// byKind gives the choices for a name that tells nothing; the last always fits.
func (c *classifier) byKind(t *schema.Table, col *schema.Column, unique, apart bool) []draftRule {
	var out []draftRule
	add := func(rules ...draftRule) { out = append(out, rules...) }
	isKey := slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return slices.Contains(k.Columns, col.Name) })
	switch col.Kind {
	case schema.Text:
		if !apart {
			add(draftRule{mask: "redact", comment: "review: unknown text"}, draftRule{mask: "fpe", comment: "review: unknown text; its CHECK refuses what redact writes"})
		}
	case schema.Integer, schema.Decimal:
		if isKey {
			add(draftRule{keep: "review: a number that is part of a key"})
		}
		add(draftRule{keep: "review: a number, by its name of no one"})
	case schema.Boolean:
		add(draftRule{keep: "review: two values"})
	case schema.Date, schema.Timestamp, schema.Time, schema.Interval:
		add(draftRule{keep: "review: a time, by its name not of a person's life"})
	case schema.Enum:
		add(draftRule{keep: "review: a label of a fixed set"})
	case schema.UUID:
		add(draftRule{mask: "uuid"})
	case schema.JSON:
		add(draftRule{mask: "redact", comment: "review: documents, as a whole; json decides them by path"})
	case schema.Net:
		add(draftRule{mask: "ip", comment: "review: a network address"}, draftRule{mask: "mac", comment: "review: a hardware address"})
	}
	return append(out, c.lastResort(col, unique)...)
}

// lastResort masks whatever the name says, where some mask takes the type and keeps
// its values apart where they must stay so.
func (c *classifier) lastResort(col *schema.Column, unique bool) []draftRule {
	var out []draftRule
	if unique {
		out = append(out, draftRule{mask: "hash", comment: "review: unique values"}, draftRule{mask: "ip", param: "family", value: "v6", comment: "review: unique addresses"})
	}
	out = append(out, draftRule{mask: "redact", comment: "review"})
	if !col.NotNull {
		out = append(out, draftRule{mask: "nullify", comment: "review: no other mask fits"})
	}
	if value, ok := neutral(col.Type); ok {
		out = append(out, draftRule{mask: "constant", param: "value", value: value, comment: "review: the empty value of the type"})
	}
	if unique && col.Kind == schema.Text { // one does by itself
		return append(out, draftRule{keep: "review: NO MASK THAT KEEPS ITS VALUES APART FITS ITS CHECKS, ITS LENGTH AND ALL COLUMNS TIED TO IT; decide whether staging may have it"})
	}
	if unique {
		return append(out, draftRule{keep: "review: NO MASK KEEPS VALUES OF THIS TYPE APART, as its key demands; decide whether staging may have it"})
	}
	return append(out, draftRule{keep: "review: NO MASK TAKES THIS TYPE; decide whether staging may have it"})
}

// neutral gives the empty value of types that no mask understands.
func neutral(typ string) (string, bool) {
	typ = strings.ToLower(typ)
	switch {
	case typ == "tsvector", typ == "hstore", typ == "ltree", typ == "xml":
		return "", true
	case strings.HasSuffix(typ, "multirange"):
		return "{}", true
	case strings.HasSuffix(typ, "range"):
		return "empty", true
	case typ == "point":
		return "(0,0)", true
	case typ == "geometry":
		return "GEOMETRYCOLLECTION EMPTY", true
	case strings.HasPrefix(typ, "geometry"), strings.HasPrefix(typ, "geography"):
		return "POINT EMPTY", true
	}
	return "", false
}
