package harness

import (
	"cmp"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// modules in the order in which a split market starts them.
var modules = []string{"auth", "pay", "shop"}

// Config is the shape of a market. The zero value is one process on SQLite.
type Config struct {
	Split     bool              // a process per module, each on a port and with a data directory of its own
	Replicas  int               // of every process, on the same databases, data directory and secret; 0 is one
	MariaDB   bool              // three MariaDB databases rather than SQLite files
	Databases map[string]string // addresses of the modules' databases, if the test chooses them
	Data      string            // data directory of a market in one process; a new one when empty
	Flags     []string          // more settings, for every process
	Binary    string            // another program than the one that is built from this tree as it is
	Env       []string          // more of the environment of processes, until [Market.StartAgain] has others
}

// Market is a running market.
type Market struct {
	Shop, Pay, Auth string   // base URLs without a trailing slash; one and the same unless split
	Shops           []string // addresses of all replicas of the shop, Shop's first, as base URLs

	binary string
	env    []string
	parts  []*part
	common []string // settings of the modules' databases and addresses, for commands
}

// part is a process of a market. Of replicas the first one is what the functions mean that
// take a module's name.
type part struct {
	modules []string
	address string
	url     string // its base URL, which replicas have in common
	data    string
	process *Process
}

// Start runs a market until the test is over. Then it must add up.
func Start(t testing.TB, c Config) *Market {
	t.Helper()
	processes := []part{{modules: modules, data: cmp.Or(c.Data, t.TempDir())}}
	if c.Split {
		processes = nil
		for _, name := range modules {
			processes = append(processes, part{modules: []string{name}, data: t.TempDir()})
		}
	}
	m := &Market{binary: c.Binary, env: c.Env}
	if m.binary == "" {
		m.binary = Binary(t)
	}
	for range max(c.Replicas, 1) {
		for _, p := range processes {
			m.parts = append(m.parts, &p)
		}
	}
	if c.MariaDB && c.Databases == nil { // first: the server may have to be made, and addresses are free until somebody takes them
		c.Databases = map[string]string{}
		for _, name := range modules {
			c.Databases[name] = MariaDB(t)
		}
	}
	for i, address := range freeAddresses(t, len(m.parts)) {
		p := m.parts[i]
		p.address = address
		p.url = baseURL(m.part(p.modules[0]).address) // what all replicas call themselves
		if slices.Contains(p.modules, "shop") {
			m.Shops = append(m.Shops, baseURL(address))
		}
	}
	m.Auth, m.Pay, m.Shop = m.url("auth"), m.url("pay"), m.url("shop")
	m.common = append(m.settings(c), c.Flags...)
	t.Cleanup(func() { m.end(t) }) // before the databases and directories above go
	for _, p := range m.parts {
		m.run(t, p)
	}
	return m
}

// settings are those that every process and every command of this market needs.
func (m *Market) settings(c Config) []string {
	s := []string{"--secret-file", filepath.Join(m.parts[0].data, "secret")}
	for _, name := range modules {
		s = append(s, "--"+name+"-url", m.url(name))
		switch {
		case c.Databases != nil:
			s = append(s, "--"+name+"-database", c.Databases[name])
		case c.Split:
			s = append(s, "--"+name+"-database", "sqlite:"+filepath.Join(m.part(name).data, name+".db"))
		}
	}
	return s
}

func (m *Market) run(t testing.TB, p *part) {
	t.Helper()
	name, args := m.serve(p)
	p.process = startProcess(t, m.binary, m.env, name, p.address, args...)
}

// serve is what a process is called, and what it is told.
func (m *Market) serve(p *part) (name string, args []string) {
	args = append([]string{"serve"}, p.modules...)
	args = append(args, "--listen", p.address)
	return "serve " + strings.Join(p.modules, " "), append(args, m.flags(p)...)
}

// flags are the settings of a process that commands about it need as well.
func (m *Market) flags(p *part) []string {
	return append([]string{"--base-url", p.url, "--data", p.data}, m.common...)
}

// Stop ends the process that runs a module; in a split market the others go on.
func (m *Market) Stop(t testing.TB, module string) {
	t.Helper()
	m.part(module).process.Stop(t)
}

// Crash ends all processes at once, as a power failure would, and starts them again.
func (m *Market) Crash(t testing.TB) {
	t.Helper()
	for _, p := range m.parts {
		p.process.Kill(t)
	}
	for _, p := range m.parts {
		m.run(t, p)
	}
}

// Kill ends the process that runs a module at once, as a power failure would.
func (m *Market) Kill(t testing.TB, module string) {
	t.Helper()
	m.part(module).process.Kill(t)
}

// StartAgain runs the process of a module again, at the same address; env is added to its
// environment.
func (m *Market) StartAgain(t testing.TB, module string, env ...string) {
	t.Helper()
	m.env = env
	m.run(t, m.part(module))
}

// StartToDie runs the process of a module again with that in its environment, and tells whether
// it was killed within that time, perhaps before it listened; else it still runs.
func (m *Market) StartToDie(t testing.TB, module string, within time.Duration, env string) bool {
	t.Helper()
	p := m.part(module)
	name, args := m.serve(p)
	p.process = launch(t, m.binary, []string{env}, name, args...)
	return p.process.Dies(t, within)
}

// Set ends the process that runs a module and runs it again with more settings, which commands
// have from then on too.
func (m *Market) Set(t testing.TB, module string, settings ...string) {
	t.Helper()
	m.Stop(t, module)
	m.common = append(m.common, settings...)
	m.StartAgain(t, module)
}

// Process is the one that runs a module.
func (m *Market) Process(module string) *Process { return m.part(module).process }

// Replica is the process at the ith of Shops.
func (m *Market) Replica(i int) *Process {
	at := slices.IndexFunc(m.parts, func(p *part) bool { return baseURL(p.address) == m.Shops[i] })
	return m.parts[at].process
}

func (m *Market) part(module string) *part {
	i := slices.IndexFunc(m.parts, func(p *part) bool { return slices.Contains(p.modules, module) })
	return m.parts[i]
}

func (m *Market) url(module string) string { return baseURL(m.part(module).address) }

// baseURL is what browsers call an address: a name, as on the web, since some of what
// they do about cookies and secure origins depends on it.
func baseURL(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "http://localhost:" + port
}

// end stops the market and checks it.
func (m *Market) end(t testing.TB) {
	for _, p := range slices.Backward(m.parts) {
		if p.process == nil {
			return // it never ran, which the test has said
		}
		p.process.Stop(t)
	}
	if out, err := m.Command("verify", "--chain").CombinedOutput(); err != nil {
		t.Errorf("the market does not add up: %v\n%s", err, out)
		for _, p := range m.parts {
			t.Logf("log of %s:\n%s", strings.Join(p.modules, " "), p.process.Log())
		}
	}
}

// Command is a command of the program about this market.
func (m *Market) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(m.binary, append(append([]string{name}, m.flags(m.part("auth"))...), args...)...)
	cmd.Env = environment()
	return cmd
}
