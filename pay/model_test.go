package pay_test

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/pay"
	"jishi/pay/payclient"
)

// model is pay as one would write it without a database: what each verb answers, and what
// there is afterwards. A nil answer is success. Wallets are known by their user and their
// number, or -1 for the default one.
type model struct {
	now      time.Time
	fee      pay.Fee
	wallets  map[authclient.UserID][]*modelWallet
	topUps   map[string]modelTopUp    // by key
	payments map[string]*modelPayment // by order
	late     []*modelPayment          // authorized ones whose time is over, until [model.found]
	fees     int64
}

type modelWallet struct {
	posted, held int64
	isDefault    bool
}

type modelTopUp struct {
	user   authclient.UserID
	wallet int
	amount int64
	state  string
}

func (w *modelWallet) available() int64 { return w.posted - w.held }

type modelPayment struct {
	state   string
	hold    bool
	payer   authclient.UserID
	wallet  *modelWallet
	ends    time.Time
	expired bool
	shares  []pay.Share
	refunds map[string]done[pay.NewRefund] // by the merchant's id
	given   map[string]done[pay.NewRelease]
	to      map[string]*modelWallet // where a payee's share went last
}

// done is what was asked for, and what was answered.
type done[T any] struct {
	asked T
	said  string
}

func newModel(now time.Time, fee pay.Fee) *model {
	return &model{
		now: now, fee: fee, wallets: map[authclient.UserID][]*modelWallet{}, topUps: map[string]modelTopUp{},
		payments: map[string]*modelPayment{},
	}
}

// clone is a copy that shares nothing.
func (m *model) clone() *model {
	c := newModel(m.now, m.fee)
	c.fees, c.topUps = m.fees, maps.Clone(m.topUps)
	same := map[*modelWallet]*modelWallet{nil: nil}
	for user, wallets := range m.wallets {
		for _, w := range wallets {
			v := *w
			same[w] = &v
			c.wallets[user] = append(c.wallets[user], &v)
		}
	}
	for order, p := range m.payments {
		q := *p
		q.wallet, q.shares = same[p.wallet], slices.Clone(p.shares)
		q.refunds, q.given, q.to = maps.Clone(p.refunds), maps.Clone(p.given), map[string]*modelWallet{}
		for payee, w := range p.to {
			q.to[payee] = same[w]
		}
		c.payments[order] = &q
	}
	return c
}

func (p *modelPayment) sum(of func(pay.Share) int64) int64 {
	var total int64
	for _, s := range p.shares {
		total += of(s)
	}
	return total
}

func (p *modelPayment) amount() int64 { return p.sum(func(s pay.Share) int64 { return s.Amount }) }

func (m *model) openWallet(user authclient.UserID, amount int64) error {
	if len(m.wallets[user]) >= 50 {
		return payclient.ErrTooMany
	}
	m.wallets[user] = append(m.wallets[user], &modelWallet{posted: amount, isDefault: len(m.wallets[user]) == 0})
	return nil
}

func (m *model) wallet(user authclient.UserID, n int) *modelWallet {
	if n >= 0 {
		return m.wallets[user][n]
	}
	i := slices.IndexFunc(m.wallets[user], func(w *modelWallet) bool { return w.isDefault })
	return m.wallets[user][i]
}

// prefer makes a wallet the default one.
func (m *model) prefer(user authclient.UserID, wallet int) {
	for i, w := range m.wallets[user] {
		w.isDefault = i == wallet
	}
}

// topUp asks for money, once per key.
func (m *model) topUp(user authclient.UserID, wallet int, amount int64, key string) {
	if _, found := m.topUps[key]; found {
		return
	}
	m.topUps[key] = modelTopUp{user, wallet, amount, payclient.Created}
	if !comesLater(amount) {
		m.confirm(key)
	}
}

// confirm is news of a top-up's money.
func (m *model) confirm(key string) {
	if t := m.topUps[key]; t.state == payclient.Created {
		m.wallet(t.user, t.wallet).posted += t.amount
		t.state = payclient.Succeeded
		m.topUps[key] = t
	}
}

// pass lets time pass. A payment that is too late then is closed for whoever asks for it, but
// what it holds is held until somebody has asked, or a job has ended it.
func (m *model) pass(d time.Duration) {
	m.now = m.now.Add(d)
	for _, p := range m.payments {
		if (p.state == payclient.Open || p.state == payclient.Authorized) && !p.ends.After(m.now) {
			if p.state == payclient.Authorized {
				m.late = append(m.late, p)
			}
			p.state, p.expired = payclient.Closed, true
		}
	}
}

// found ends what late payments hold.
func (m *model) found() {
	for _, p := range m.late {
		p.wallet.held -= p.amount()
	}
	m.late = nil
}

// charge asks for money for an order, from the user's wallet of that number or with -1
// from the default one.
func (m *model) charge(user authclient.UserID, in pay.NewPayment, wallet int) error {
	p := m.payments[in.Order]
	if p == nil {
		p = &modelPayment{
			state: payclient.Open, hold: in.Hold, payer: user, ends: m.now.Add(30 * time.Minute),
			refunds: map[string]done[pay.NewRefund]{}, given: map[string]done[pay.NewRelease]{}, to: map[string]*modelWallet{},
		}
		if !in.ExpiresAt.IsZero() {
			p.ends = in.ExpiresAt
		}
		if !p.ends.After(m.now) {
			return payclient.ErrExpiry
		}
		for _, party := range slices.SortedFunc(slices.Values(in.Parties), func(a, b pay.Party) int { return cmp.Compare(a.Payee, b.Payee) }) {
			p.shares = append(p.shares, pay.Share{Party: party})
		}
		m.payments[in.Order] = p
		return m.agree(p, user, wallet)
	}
	sameParties := len(p.shares) == len(in.Parties)
	for _, party := range in.Parties {
		sameParties = sameParties && slices.ContainsFunc(p.shares, func(s pay.Share) bool { return s.Party == party })
	}
	switch {
	case p.state == payclient.Closed:
		return p.refusal()
	case p.payer != user || p.hold != in.Hold || !sameParties:
		return payclient.ErrMismatch
	}
	return m.agree(p, user, wallet)
}

func (p *modelPayment) refusal() error {
	if p.expired {
		return payclient.ErrExpired
	}
	return payclient.ErrClosed
}

func (m *model) pay(user authclient.UserID, order string, wallet int) error {
	p := m.payments[order]
	if p == nil || p.payer != user {
		return payclient.ErrNoPayment
	}
	return m.agree(p, user, wallet)
}

func (m *model) agree(p *modelPayment, user authclient.UserID, wallet int) error {
	switch p.state {
	case payclient.Closed:
		return p.refusal()
	case payclient.Open:
	default:
		return nil
	}
	if len(m.wallets[user]) == 0 {
		return payclient.ErrNoWallet
	}
	w := m.wallet(user, wallet)
	if w.available() < p.amount() {
		return payclient.ErrInsufficient
	}
	p.wallet = w
	if p.hold {
		w.held += p.amount()
		p.state = payclient.Authorized
		return nil
	}
	w.posted -= p.amount()
	p.state = payclient.Captured
	for i := range p.shares {
		p.shares[i].Captured = p.shares[i].Amount
	}
	return nil
}

func (m *model) capture(order string, parties []pay.Party) error {
	p := m.payments[order]
	wanted := map[string]int64{}
	if len(parties) == 0 {
		for _, s := range p.shares {
			wanted[s.Payee] = s.Amount
		}
	}
	for _, party := range parties {
		i := slices.IndexFunc(p.shares, func(s pay.Share) bool { return s.Payee == party.Payee })
		if i < 0 {
			return payclient.ErrNoParty
		}
		if party.Amount > p.shares[i].Amount {
			return payclient.ErrTooMuch
		}
		wanted[party.Payee] = party.Amount
	}
	switch p.state {
	case payclient.Open:
		return payclient.ErrNotAuthorized
	case payclient.Closed:
		return p.refusal()
	case payclient.Authorized:
		p.wallet.held -= p.amount()
		for i, s := range p.shares {
			p.shares[i].Captured = wanted[s.Payee]
			p.wallet.posted -= wanted[s.Payee]
		}
		p.state = payclient.Captured
	}
	for _, s := range p.shares {
		if s.Captured != wanted[s.Payee] {
			return payclient.ErrMismatch
		}
	}
	return nil
}

// closeOrder closes an order's payment, asked for or not.
func (m *model) closeOrder(order string) error {
	p := m.payments[order]
	if p == nil {
		m.payments[order] = &modelPayment{state: payclient.Closed}
		return nil
	}
	switch p.state {
	case payclient.Authorized:
		p.wallet.held -= p.amount()
		fallthrough
	case payclient.Open:
		p.state = payclient.Closed
	}
	return nil
}

// withdraw is what the payer can do to close it.
func (m *model) withdraw(user authclient.UserID, order string) error {
	p := m.payments[order]
	switch {
	case p == nil || p.payer != user:
		return payclient.ErrNoPayment
	case p.state == payclient.Authorized:
		return payclient.ErrHeld
	}
	return m.closeOrder(order)
}

// share finds a share that something is done about.
func (p *modelPayment) share(payee string) (*pay.Share, error) {
	if p.state != payclient.Captured {
		return nil, payclient.ErrNotCaptured
	}
	for i, s := range p.shares {
		if s.Payee == payee {
			return &p.shares[i], nil
		}
	}
	return nil, payclient.ErrNoParty
}

func (m *model) refund(order string, in pay.NewRefund) error {
	p := m.payments[order]
	if before, found := p.refunds[in.ID]; found {
		if before.asked != in {
			return payclient.ErrMismatch
		}
		return nil
	}
	s, err := p.share(in.Payee)
	if err != nil {
		return err
	}
	asked, left, from := in, s.Captured-s.Refunded-s.Released, payclient.FromEscrow
	if left == 0 && s.Released > 0 {
		left, from = s.Released, payclient.FromPayee
	}
	if in.Amount == 0 {
		in.Amount = left
	}
	if left == 0 || in.Amount > left {
		return payclient.ErrTooMuch
	}
	if from == payclient.FromPayee {
		if p.to[in.Payee].available() < in.Amount {
			return payclient.ErrPayeeShort
		}
		p.to[in.Payee].posted -= in.Amount
		s.Released -= in.Amount
	}
	s.Refunded += in.Amount
	p.wallet.posted += in.Amount
	p.refunds[in.ID] = done[pay.NewRefund]{asked, fmt.Sprint(in.Amount, from)}
	return nil
}

func (m *model) release(order string, in pay.NewRelease) error {
	p := m.payments[order]
	if before, found := p.given[in.ID]; found {
		if before.asked != in {
			return payclient.ErrMismatch
		}
		return nil
	}
	s, err := p.share(in.Payee)
	if err != nil {
		return err
	}
	asked, left := in, s.Captured-s.Refunded-s.Released
	if in.Amount == 0 {
		in.Amount = left
	}
	if left == 0 || in.Amount > left {
		return payclient.ErrTooMuch
	}
	user := authclient.UserID(in.Payee)
	if len(m.wallets[user]) == 0 {
		m.openWallet(user, 0)
	}
	fee := in.Amount * int64(m.fee) / 10_000
	w := m.wallet(user, -1)
	w.posted += in.Amount - fee
	m.fees += fee
	s.Released += in.Amount
	p.to[in.Payee] = w
	p.given[in.ID] = done[pay.NewRelease]{asked, fmt.Sprint(in.Amount, fee, in.Amount-fee)}
	return nil
}

// String is all that there is, to be compared with [bench.String].
func (m *model) String() string {
	var lines []string
	for user, wallets := range m.wallets {
		for i, w := range wallets {
			lines = append(lines, fmt.Sprintf("%s's wallet %d has %d, %d held, default %t", user, i, w.posted, w.held, w.isDefault))
		}
	}
	for order, p := range m.payments {
		lines = append(lines, payment(order, p.state, p.expired, p.shares))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func payment(order, state string, expired bool, shares []pay.Share) string {
	return fmt.Sprintf("%s is %s, expired %t %+v", order, state, expired, shares)
}

// look is what there really is of these users and payments, in the words of [model.String]. The
// payments were looked at first: that closes those that are too late.
func (b *bench) look(t testing.TB, users iter.Seq[authclient.UserID], payments []pay.Payment) string {
	t.Helper()
	var lines []string
	for _, p := range payments {
		lines = append(lines, payment(p.Order, p.State, p.Expired, p.Shares))
	}
	for user := range users {
		purse, err := b.Purse(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range purse.Wallets {
			lines = append(lines, fmt.Sprintf("%s's wallet %d has %d, %d held, default %t", user, i, w.Balance.Minor, w.Balance.Minor-w.Available.Minor, w.Default))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
