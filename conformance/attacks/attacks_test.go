package attacks

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryCaseIsWellFormedAndEveryFlagIsTried(t *testing.T) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 150 {
		t.Errorf("%d cases", len(cases))
	}
	tried := map[string]bool{}
	for _, c := range cases {
		for _, f := range c.Flags {
			tried[f] = true
		}
		if (c.Expect.Outcome == "allow") != slices.Contains(c.Flags, "HONEST") {
			t.Errorf("%s: expect %s with the flags %v", c.Name, c.Expect.Outcome, c.Flags)
		}
	}
	for _, f := range []string{"AUTH_BYPASS", "BODY_CONFUSION", "HEADER_CONFUSION", "HOST_CONFUSION", "INJECTION", "LABEL_DOWNGRADE",
		"METHOD_CONFUSION", "OVERCLAIM", "PATH_CONFUSION", "SMUGGLING", "TOKEN_CONFUSION", "TRUST_CHANGE", "HONEST"} {
		if !tried[f] {
			t.Errorf("no case is a %s", f)
		}
	}
}

func TestACaseThatSaysTooLittleIsRefused(t *testing.T) {
	const good = "why: w\nflags: HONEST\nexpect: allow\nstatus: 200\nlog: acme\n\nGET / HTTP/1.1\n"
	if _, err := parse("a/b", good); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ old, new, want string }{
		{"\n\nGET", "\nGET", "no empty line between header and request"},
		{"why: w\n", "", "why, flags, expect and status must be there"},
		{"status: 200\n", "", "why, flags, expect and status must be there"},
		{"HONEST", "NICE", "line 2: unknown flag NICE"},
		{"expect: allow", "expect: deny", `expect deny does not go with reasons [] and log "acme"`},
		{"log: acme\n", "", `expect allow does not go with reasons [] and log ""`},
		{"log: acme", "log: acme\nreasons: b a", `expect allow does not go with reasons [b a] and log "acme"`},
		{"log: acme", "log: acme\nlog: acme", `line 6: want a name, a colon and a value, each name once: "log: acme"`},
		{"log: acme", "lag: acme", `line 5: unknown name "lag"`},
		{"log: acme", "log: acme\nprotocol: h3", `line 6: unknown protocol "h3"`},
	} {
		if _, err := parse("a/b", strings.Replace(good, r.old, r.new, 1)); err == nil || err.Error() != r.want {
			t.Errorf("%q for %q: %v, want %s", r.new, r.old, err, r.want)
		}
	}
}

// What a broken gateway would leave behind is seen: each file below breaks one invariant.
func TestEachInvariantCanBreak(t *testing.T) {
	envoy := "http.storage.ext_authz.ok: 5\nhttp.storage.ext_authz.failure_mode_allowed: 0\n"
	const (
		id     = "00112233445566778899aabbccddeeff"
		record = `{"decision_id":"` + id + `","allow":true,"reasons":[],"request":{"protocol":"s3","operation":"GetObject","path":"/acme/k"},` +
			`"bundle":{"digest":"d"},"accesses":[{"resource":"s3://acme/k","allow":true,"unproven":[],"input":{}}]}`
		line = `acme acme [24/November/2026:12:56:43 +0000] 0.0.0.0 acme E s3_GetObject k /acme/k 200 - 0 0 1 1 ` + id + ` curl - x SigV4`
	)
	for _, r := range []struct {
		what, record, line, envoy string
		want                      map[string]string
	}{
		{"nothing is wrong", record, line, envoy, nil},
		{"a request without a decision", record, strings.Replace(line, id, "-", 1), envoy, map[string]string{"I1": "a request without a decision reached the store"}},
		{"a request that a record denies", strings.Replace(record, `"allow":true`, `"allow":false`, 1), line, envoy, map[string]string{"I1": "which no record allows"}},
		{"a decision used twice", record, line + "\n" + line, envoy, map[string]string{"I1": "2 times"}},
		{"a check that failed and let pass", record, line, strings.Replace(envoy, "allowed: 0", "allowed: 1", 1), map[string]string{"I2": "failure_mode_allowed is 1"}},
		{"an Envoy that nobody sees", record, line, "", map[string]string{"I2": "does not answer"}},
		{"another object than was judged", record, strings.Replace(line, "/acme/k", "/acme/secret", 1), envoy, map[string]string{"I3": "GetObject /acme/secret"}},
		{"another operation", record, strings.Replace(line, "s3_GetObject", "s3_DeleteObject", 1), envoy, map[string]string{"I3": "DeleteObject"}},
		{"a token in the record", strings.Replace(record, "acme/k", "acme/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzYW0ifQ", 1), strings.Replace(line, "acme/k", "acme/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzYW0ifQ", 1), envoy, map[string]string{"I4": "holds a credential"}},
		{"a signature that the store told", record, line + "\nSignatureDoesNotMatch readiness-probe ", envoy, map[string]string{"I4": "another signature"}},
		{"another decision now", strings.Replace(record, `"input":{}`, `"input":{"deny":true}`, 1), line, envoy, map[string]string{"I5": "evaluated again false [label.missing]"}},
	} {
		dir := t.TempDir()
		admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(r.envoy)) }))
		for name, text := range map[string]string{
			"audit/acme/0.jsonl": "", "logs/storage-access.log": "", "logs/envoy-access.jsonl": "{}\n",
			"ready.json": `{"addresses":{"admin":"` + strings.TrimPrefix(admin.URL, "http://") + `"}}`,
		} {
			write(t, filepath.Join(dir, name), text)
		}
		traces, err := newTraces(dir)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "audit/acme/0.jsonl"), r.record+"\n")
		write(t, filepath.Join(dir, "logs/storage-access.log"), r.line+"\n")
		broken := traces.invariants(World{Dir: dir, Replay: func(bundle string, input json.RawMessage) (bool, []string, error) {
			if bundle != "d" {
				return false, nil, errors.New("another bundle")
			}
			if string(input) != "{}" {
				return false, []string{"label.missing"}, nil
			}
			return true, []string{}, nil
		}})
		admin.Close()
		for i, found := range broken {
			want, ok := r.want[i]
			if text := strings.Join(found, "; "); ok != (len(found) > 0) || !strings.Contains(text, want) {
				t.Errorf("%s: %s: %q, want %q", r.what, i, text, want)
			}
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A gateway that answers the opposite fails every case that it answers.
func TestAWrongAnswerFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("all of it")) }))
	defer server.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "audit/gateway/0.jsonl"), "")
	write(t, filepath.Join(dir, "logs/storage-access.log"), "")
	c, err := parse("path/dots", "why: w\nflags: PATH_CONFUSION\nexpect: deny\nstatus: 403\nreasons: clearance.level\nlog: acme\n\nGET /a HTTP/1.1\n")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := newTraces(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := World{Target: strings.TrimPrefix(server.URL, "http://"), Dir: dir}.play(c, traces)
	if d := cmp.Diff([]string{"status 200, want 403: all of it", "no x-sallyport-decision-id"}, got.Problems); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzParse(f *testing.F) {
	cases, err := vectors.ReadFile("vectors/path/dots.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(cases))
	f.Fuzz(func(t *testing.T, text string) { parse("a/b", text) })
}
