package road_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// setup is a gateway's folder that is good but for what a row of the table breaks.
type setup struct {
	t      *testing.T
	dir    string
	config string // the text of sallyport.yaml
}

// newSetup copies the running world's config and bundle, with a socket, a port and logs of its own.
func newSetup(t *testing.T, w *world) *setup {
	t.Helper()
	s := &setup{t: t, dir: filepath.Dir(socket(t))}
	b, err := os.ReadFile(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	s.config = string(b)
	for _, dir := range []string{"run", "audit"} {
		if err := os.Mkdir(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(s.path("bundle"), os.DirFS(w.Bundle())); err != nil {
		t.Fatal(err)
	}
	s.replace(w.GatewaySocket(), s.path("run/extauthz.sock"))
	s.replace(fmt.Sprintf("127.0.0.1:%d", w.ports.HTTP), "127.0.0.1:0")
	s.replace(w.Audit(), s.path("audit"))
	s.replace(w.Bundle(), s.path("bundle"))
	return s
}

func (s *setup) path(name string) string { return filepath.Join(s.dir, name) }

// replace changes the config.
func (s *setup) replace(old, new string) {
	s.t.Helper()
	if !strings.Contains(s.config, old) {
		s.t.Fatalf("the config has no %s", old)
	}
	s.config = strings.ReplaceAll(s.config, old, new)
}

// edit changes a file of the bundle.
func (s *setup) edit(name, old, new string) {
	s.t.Helper()
	path := s.path("bundle/" + name)
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		s.t.Fatalf("%s has no %s", name, old)
	}
	s.write("bundle/"+name, strings.Replace(string(b), old, new, 1))
}

func (s *setup) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// TestAGatewayThatCannotStartSaysWhy starts the real binary with one thing wrong, and wants the exit code and a message that names
// the place, the value and what to do.
func TestAGatewayThatCannotStartSaysWhy(t *testing.T) {
	w := sharedWorld(t)
	const plansDoc = "tenants/us-defense/catalogue/data.yaml"
	for _, c := range []struct {
		what  string
		wrong func(*setup)
		code  int
		says  []string
	}{
		{"an unknown key", func(s *setup) { s.config += "colour: blue\n" }, 2, []string{"sallyport.yaml:", "colour"}},
		{"a misspelt key", func(s *setup) { s.replace("durability:", "durabillity:") }, 2, []string{"sallyport.yaml:", "durabillity"}},
		{"an empty file", func(s *setup) { s.config = "" }, 2, []string{"sallyport.yaml", "empty"}},
		{"a word for a number", func(s *setup) { s.replace("accesses: 1000", "accesses: many") }, 2, []string{"sallyport.yaml:", "accesses", "many"}},
		{"a list for a section", func(s *setup) { s.config = "[]\n" }, 2, []string{"sallyport.yaml"}},
		{"no YAML", func(s *setup) { s.config = "listen: {\n" }, 2, []string{"sallyport.yaml:"}},
		{"a limit below zero", func(s *setup) { s.replace("accesses: 1000", "accesses: -1") }, 2, []string{"limits.accesses", "-1"}},
		{"an unsigned bundle that is not said to be one", func(s *setup) { s.replace("unsigned: true", "unsigned: false") }, 2, []string{"bundle.unsigned"}},
		{"no bundle", func(s *setup) { s.replace(s.path("bundle"), s.path("nothing")) }, 2, []string{"bundle.source", "there is no folder"}},
		{"a bundle that is a file", func(s *setup) { s.write("file", ""); s.replace(s.path("bundle"), s.path("file")) }, 2, []string{"bundle.source"}},
		{"Rego that does not compile", func(s *setup) {
			s.edit("root/compliance/flow/flow.rego", "satisfied contains", "satisfied contians")
		}, 3, []string{"flow.rego:"}},
		{"an attribute that no input has", func(s *setup) {
			s.edit("root/compliance/flow/flow.rego", "input.subject.properties", "input.subject.propertees")
		}, 3, []string{"flow.rego:", "propertees"}},
		{"a misspelt fact", func(s *setup) { s.edit(plansDoc, "residency:", "recidency:") }, 3, []string{plansDoc, "recidency", "residency"}},
		{"a level that its scheme has not", func(s *setup) { s.edit(plansDoc, "level: SECRET", "level: SECRETT") }, 3, []string{plansDoc, "SECRETT"}},
		{"a row of somebody else's", func(s *setup) { s.edit(plansDoc, `"us-defense-plans/noforn/":`, `"fr-space-missions/noforn/":`) }, 3, []string{plansDoc, "fr-space-missions/noforn/"}},
		{"a fact twice", func(s *setup) { s.edit(plansDoc, "rows:", "rows: {}\nrows:") }, 3, []string{plansDoc, "rows"}},
		{"logs that are a file", func(s *setup) { s.write("file", ""); s.replace(s.path("audit"), s.path("file")) }, 2, []string{"audit.directory", "is not a folder"}},
		{"logs that were changed", func(s *setup) {
			if err := os.CopyFS(s.path("changed"), os.DirFS(w.Audit())); err != nil {
				s.t.Fatal(err)
			}
			segments, err := filepath.Glob(s.path("changed/gateway/*.jsonl"))
			if err != nil || len(segments) == 0 {
				s.t.Fatal("no segment", err)
			}
			b, err := os.ReadFile(segments[0])
			if err != nil {
				s.t.Fatal(err)
			}
			b[10] ^= 1
			if err := os.WriteFile(segments[0], b, 0o600); err != nil {
				s.t.Fatal(err)
			}
			s.replace(s.path("audit"), s.path("changed"))
		}, 6, []string{"gateway", ".jsonl"}},
		{"a port in use", func(s *setup) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { l.Close() })
			s.replace("127.0.0.1:0", l.Addr().String())
		}, 2, []string{"listen.http", "in use"}},
		{"a socket in use", func(s *setup) { s.replace(s.path("run/extauthz.sock"), w.GatewaySocket()) }, 2, []string{"listen.extauthz", "in use"}},
		{"a socket's path that is too long", func(s *setup) {
			s.replace(s.path("run/extauthz.sock"), s.path("run/"+strings.Repeat("x", 120)))
		}, 2, []string{"listen.extauthz", "107"}},
		{"a socket's folder that everybody can enter", func(s *setup) {
			if err := os.Chmod(s.path("run"), 0o755); err != nil {
				s.t.Fatal(err)
			}
		}, 2, []string{"listen.extauthz", "chmod"}},
		{"no mark", func(s *setup) { s.replace(w.Mark(), s.path("nothing")) }, 2, []string{"listen.mark_file", "there is no file"}},
		{"an empty mark", func(s *setup) { s.write("empty", ""); s.replace(w.Mark(), s.path("empty")) }, 2, []string{"listen.mark_file"}},
		{"no secret of a storage account", func(s *setup) { s.replace(w.StorageSecret("fr-space"), s.path("nothing")) }, 2, []string{"grants.storage.credentials.fr-space", "there is no file"}},
		{"an enclave of another world", func(s *setup) { s.replace("iad-1", "mars-1") }, 2, []string{"mars-1"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, w)
			c.wrong(s)
			s.write("sallyport.yaml", s.config)
			checkFailure(t, sallyport(t, "serve", "-c", s.path("sallyport.yaml")), c.code, c.says...)
		})
	}
}

// trace is what a program prints when it falls.
var trace = regexp.MustCompile(`goroutine \d+|panic:|\.go:\d+`)

// checkFailure compares an exit code, and wants a last message of one line that says these words.
func checkFailure(t *testing.T, r result, code int, says ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	message := ""
	for i, line := range lines { // before it, the gateway may have logged that the bundle is unsigned
		if strings.HasPrefix(line, "sallyport: ") {
			message = strings.Join(lines[i:], "\n")
		}
	}
	t.Log(message)
	if r.code != code || message == "" || strings.Contains(message, "\n") {
		t.Errorf("exit code %d, want %d and one line:\n%s", r.code, code, r.stderr)
	}
	if trace.MatchString(r.stderr) {
		t.Errorf("a stack trace:\n%s", r.stderr)
	}
	for _, words := range says {
		if !strings.Contains(message, words) {
			t.Errorf("the message does not say %q:\n%s", words, message)
		}
	}
}

func TestACommandThatCannotWorkSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"fly"}, 2, []string{`"fly"`}},
		{[]string{"serve"}, 2, []string{"-c"}},
		{[]string{"serve", "-c", "/nothing.yaml"}, 2, []string{"/nothing.yaml"}},
		{[]string{"serve", "--loud"}, 2, []string{"--loud"}},
		{[]string{"config", "validate", "-c", "/nothing.yaml"}, 2, []string{"/nothing.yaml"}},
		{[]string{"policy", "check", "/nothing"}, 2, []string{"/nothing"}},
		{[]string{"policy", "eval", ".", "--input", "/nothing"}, 2, []string{"/nothing"}},
		{[]string{"audit", "verify", "/nothing"}, 2, []string{"/nothing"}},
		{[]string{"audit", "cat", "."}, 2, []string{"no seg"}},
		{[]string{"demo", "--tour", "twice"}, 2, []string{"twice"}},
		{[]string{"demo", "--dir", strings.Repeat("x", 100)}, 2, []string{"--dir", "107"}},
		{[]string{"demo", "token", "nobody"}, 2, []string{`"nobody"`, "sam"}},
		{[]string{"demo", "token", "sam", "--dir", "nothing"}, 2, []string{"start the demo"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			checkFailure(t, sallyport(t, c.args...), c.code, c.says...)
		})
	}
}

// TestADemoThatLacksSomethingSaysWhat needs the promised ports, since the command takes no others.
func TestADemoThatLacksSomethingSaysWhat(t *testing.T) {
	real(t)
	short := filepath.Dir(socket(t))
	var free []net.Listener
	for _, port := range []int{10000, 10001, 9901, 8282, 9400} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer l.Close()
			free = append(free, l)
		}
	}
	// Each port is in use now: by us, or by a demo that runs beside.
	checkFailure(t, sallyport(t, "demo", "--dir", filepath.Join(short, "ports")), 2, "in use", "10000", "10001", "9901", "8282", "9400")
	if len(free) < 5 {
		t.Skip("a demo runs beside, so a demo without Python can't be tried")
	}
	for _, l := range free {
		l.Close()
	}
	store, err := demo.EnsureVersitygw(t.Context(), toolsDir, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	r := sallyportWith(t, []string{"PATH=", "VERSITYGW_BIN=" + store}, "demo", "--dir", filepath.Join(short, "python"))
	checkFailure(t, r, 2, "python3", "ENVOY_BIN")
	r = sallyportWith(t, []string{"PATH=", "VERSITYGW_BIN=" + store, "ENVOY_BIN=/nothing"}, "demo", "--dir", filepath.Join(short, "envoy"))
	checkFailure(t, r, 2, "ENVOY_BIN", "/nothing")
}
