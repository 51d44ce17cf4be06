package schemas

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// How many rows the shop has, about ten thousand in all.
const (
	nEmployees  = 30
	nTeams      = 6
	nCustomers  = 700
	nCategories = 24
	nProducts   = 160
	nOrders     = 1800
	nComments   = 700
)

// maker makes the shop's rows: the same ones every time, for its seed is fixed.
type maker struct {
	*rand.Rand
	out []string
}

// rows gives the statements that fill production.
func rows() []string {
	m := &maker{Rand: rand.New(rand.NewPCG(1859, 1864))}
	m.staff()
	m.customers()
	m.catalog()
	m.orders()
	m.talk()
	return m.out
}

func (m *maker) into(table, columns string) *inserter {
	return &inserter{head: "INSERT INTO " + table + " (" + columns + ") VALUES ", out: &m.out}
}

func (m *maker) of(words []string) string { return words[m.IntN(len(words))] }

// maybe gives v, or NULL in the given share of cases.
func (m *maker) maybe(percent int, v any) any {
	if m.IntN(100) < percent {
		return nil
	}
	return v
}

func (m *maker) date(from, to int) string {
	return fmt.Sprintf("%04d-%02d-%02d", from+m.IntN(to-from+1), 1+m.IntN(12), 1+m.IntN(28))
}

func (m *maker) moment(from, to int) string {
	return fmt.Sprintf("%s %02d:%02d:%02d", m.date(from, to), m.IntN(24), m.IntN(60), m.IntN(60))
}

func (m *maker) money(upTo int) string { return fmt.Sprintf("%d.%02d", m.IntN(upTo), m.IntN(100)) }

func (m *maker) person() (name, handle string) {
	first, last := m.of(firstNames), m.of(lastNames)
	handle = strings.ToLower(first + "." + last)
	return first + " " + last, strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '.' {
			return r
		}
		return -1
	}, handle)
}

func (m *maker) staff() {
	teams := m.into("teams", "id, name, lead_id")
	for i := 1; i <= nTeams; i++ {
		teams.add(i, departments[i-1], nil)
	}
	teams.flush()
	staff := m.into("employees", "id, full_name, email, manager_id, team_id, salary, hired_on")
	for i := 1; i <= nEmployees; i++ {
		name, handle := m.person()
		var manager any
		if i > 1 {
			manager = 1 + m.IntN((i+1)/2)
			if manager == i {
				manager = 1
			}
		}
		salary := m.money(60000)
		if i == 1 {
			salary = "984000.00" // one salary stands out: a rare value
		}
		staff.add(i, name, fmt.Sprintf("%s%d@shop.example", handle, i), manager, 1+m.IntN(nTeams), salary, m.date(2015, 2026))
	}
	staff.flush()
	for i := 1; i <= nTeams; i++ { // the other half of the cycle
		m.out = append(m.out, fmt.Sprintf("UPDATE teams SET lead_id = %d WHERE id = %d", i, i))
	}
}

func (m *maker) customers() {
	countries := m.into("countries", "code, name")
	for _, c := range countryList {
		countries.add(c[0], c[1])
	}
	countries.flush()
	customers := m.into("customers", "id, full_name, email, phone, birth_date, national_id, street, city, postcode, country, plan, notes, profile, is_active, account_manager_id, created_at")
	addresses := m.into("addresses", "id, customer_id, recipient, street, city, postcode, country")
	news := m.into("newsletter", "email, opted_in_at")
	sessions := m.into("sessions", "id, customer_id, token, last_seen_at")
	for i := 1; i <= nCustomers; i++ {
		name, handle := m.person()
		email := fmt.Sprintf("%s%d@mail%d.example", handle, i, m.IntN(9))
		plan := m.of([]string{"free", "free", "free", "plus"})
		if i%47 == 0 {
			plan = "enterprise"
		}
		country := countryList[m.IntN(len(countryList))][0]
		notes := m.maybe(60, fmt.Sprintf("%s called from %s, wants it at %s's", name, m.phone(), m.of(firstNames)))
		if i == 13 {
			notes = "" // an empty text is not a missing one
		}
		profile := fmt.Sprintf(`{"contact": {"email": "%s", "phone": "%s"}, "tags": ["%s"], "newsletter": %t}`, email, m.phone(), m.of(tags), i%3 == 0)
		customers.add(i, name, email, m.maybe(15, m.phone()), m.maybe(10, m.date(1931, 2008)), m.maybe(20, fmt.Sprintf("%03d-%02d-%04d", 900+i%100, 10+i/100, 1000+i)),
			m.maybe(5, m.street()), m.of(cities), fmt.Sprintf("%05d", m.IntN(99999)), country, plan, notes, profile, i%11 != 0, m.maybe(70, 1+m.IntN(nEmployees)), m.moment(2019, 2026))
		addresses.add(2*i, i, name, m.street(), m.of(cities), fmt.Sprintf("%05d", m.IntN(99999)), country)
		if i%4 == 0 {
			gift, _ := m.person()
			addresses.add(2*i+1, i, gift, m.street(), m.of(cities), fmt.Sprintf("%05d", m.IntN(99999)), country)
		}
		if i%3 == 0 {
			news.add(email, m.moment(2024, 2026))
		}
		if i%5 == 0 {
			sessions.add(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", m.Uint32(), m.IntN(1<<16), m.IntN(1<<12), m.IntN(1<<12), m.Int64N(1<<48)), i, fmt.Sprintf("%016x%016x", m.Uint64(), m.Uint64()), m.moment(2026, 2026))
		}
	}
	for _, i := range []*inserter{customers, addresses, news, sessions} {
		i.flush()
	}
}

func (m *maker) street() string { return fmt.Sprintf("%d %s Street", 1+m.IntN(300), m.of(lastNames)) }

func (m *maker) phone() string { return fmt.Sprintf("+1-555-01%02d-%04d", m.IntN(100), m.IntN(10000)) }

func (m *maker) catalog() {
	categories := m.into("categories", "id, parent_id, name")
	for i := 1; i <= nCategories; i++ {
		var parent any
		if i > 6 {
			parent = 1 + m.IntN(i-1)
		}
		categories.add(i, parent, fmt.Sprintf("%s %d", m.of(things), i))
	}
	categories.flush()
	products := m.into("products", "id, category_id, sku, name, price")
	for i := 1; i <= nProducts; i++ {
		products.add(i, 1+m.IntN(nCategories), fmt.Sprintf("SKU-%05d", i), fmt.Sprintf("%s %s", m.of(adjectives), strings.ToLower(m.of(things))), m.money(400))
	}
	products.flush()
}

func (m *maker) orders() {
	orders := m.into("orders", "id, customer_id, ship_to, status, total, gift_note, placed_at")
	items := m.into("order_items", "order_id, line, product_id, quantity, unit_price")
	returns := m.into("returns", "id, order_id, line, reason, returned_at")
	payments := m.into("payments", "id, order_id, card_number, card_holder, amount, paid_at")
	var itemRows, returned []func()
	for i := 1; i <= nOrders; i++ {
		customer := 1 + m.IntN(nCustomers)
		status := m.of([]string{"new", "paid", "shipped", "done", "done", "cancelled"})
		if i%601 == 0 {
			status = "disputed" // a rare case, the kind that breaks only in production
		}
		name, _ := m.person()
		orders.add(i, customer, m.maybe(10, 2*customer), status, m.money(900), m.maybe(90, "For "+name+", with love"), m.moment(2023, 2026))
		for line := 1; line <= 1+m.IntN(4); line++ {
			product, quantity, price := 1+m.IntN(nProducts), 1+m.IntN(5), m.money(400)
			itemRows = append(itemRows, func() { items.add(i, line, product, quantity, price) })
			if (i+line)%40 == 0 {
				reason, at, id := name+" says it is "+m.of(adjectives), m.moment(2025, 2026), len(returned)+1
				returned = append(returned, func() { returns.add(id, i, line, reason, at) })
			}
		}
		if status != "new" {
			card, amount, at := fmt.Sprintf("4%015d", m.Int64N(1e15)), m.money(900), m.moment(2023, 2026)
			itemRows = append(itemRows, func() { payments.add(i, i, card, name, amount, at) })
		}
	}
	orders.flush()
	for _, add := range itemRows {
		add()
	}
	items.flush()
	for _, add := range returned {
		add()
	}
	returns.flush()
	payments.flush()
}

func (m *maker) talk() {
	comments := m.into("comments", "id, author_id, subject_type, subject_id, body, written_at")
	for i := 1; i <= nComments; i++ {
		kind, subject := "Product", 1+m.IntN(nProducts)
		if i%3 == 0 {
			kind, subject = "Order", 1+m.IntN(nOrders)
		}
		name, handle := m.person()
		comments.add(i, 1+m.IntN(nCustomers), kind, subject, fmt.Sprintf("Ask %s (%s@mail1.example) about the %s one", name, handle, m.of(adjectives)), m.moment(2024, 2026))
	}
	comments.flush()
	log := m.into("audit_log", "id, actor_id, action, at")
	for i := 1; i <= 900; i++ {
		log.add(i, m.maybe(5, 1+m.IntN(nEmployees)), m.of([]string{"login", "refund", "export", "price change"}), m.moment(2025, 2026))
	}
	log.flush()
}

var (
	firstNames  = []string{"Ada", "Bruno", "Chiara", "Dmitri", "Élodie", "Farid", "Greta", "Hugo", "Inés", "Jonas", "Kaito", "Łucja", "Mei", "Nils", "Ólöf", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zoë"}
	lastNames   = []string{"Abara", "Björk", "Castellanos", "D'Amico", "Eriksen", "Fontaine", "García-Márquez", "Hoffmann", "Ito", "Jansen", "Kowalska", "Lindqvist", "Moreau", "Nakamura", "O'Hara", "Petrov", "Quispe", "Rossi", "Świątek", "Tanaka", "Usman", "Vogel", "Weiß", "Xu", "Yıldız", "Zimmermann"}
	departments = []string{"Support", "Warehouse", "Finance", "Web", "Purchasing", "Legal"}
	countryList = [][2]string{{"DE", "Germany"}, {"FR", "France"}, {"ES", "Spain"}, {"IT", "Italy"}, {"PL", "Poland"}, {"NO", "Norway"}, {"JP", "Japan"}, {"US", "United States"}, {"BR", "Brazil"}, {"NG", "Nigeria"}, {"CI", "Côte d'Ivoire"}, {"TR", "Türkiye"}}
	cities      = []string{"Aachen", "Bilbao", "Catania", "Drammen", "Enugu", "Fukuoka", "Grenoble", "Hamburg", "İzmir", "Juiz de Fora", "Kraków", "Lyon"}
	things      = []string{"Lamp", "Chair", "Kettle", "Notebook", "Bicycle", "Blanket", "Clock", "Basket", "Tent", "Mirror"}
	adjectives  = []string{"Blue", "Quiet", "Folding", "Oversized", "Second", "Broken", "Bright", "Plain"}
	tags        = []string{"vip", "gift", "returns often", "press"}
)
