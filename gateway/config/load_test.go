package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

const minimal = "../../deploy/sallyport.yaml"

var ignorePlaces = cmpopts.IgnoreUnexported(config.Config{})

func TestTheMinimalFileLeavesEverythingElseAtItsDefault(t *testing.T) {
	want := config.Default()
	want.ID = "sallyport"
	want.Listen.ExtAuthz = "unix:/run/sallyport/extauthz.sock"
	want.Listen.MarkFile = "/etc/sallyport/keys/mark"
	want.Bundle = config.Bundle{Source: "/var/lib/sallyport/bundle", Unsigned: true}
	want.Enclaves = []string{"iad-1"}
	want.Grants.Storage = config.Storage{
		Audience: "storage", Endpoint: "unix:/run/storage/storage.sock", Host: "storage.sallyport.test", Region: "us-east-1",
		Credentials: map[string]config.Credential{
			"us-defense": {AccessKey: "us-defense", SecretKeyFile: "/etc/sallyport/keys/storage-us-defense"},
		},
	}
	want.Audit.Directory = "/var/lib/sallyport/audit"
	want.Audit.SigningKey = "/etc/sallyport/keys/audit.pem"

	got, err := config.Load(minimal, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, ignorePlaces); d != "" {
		t.Errorf("minimal file (-want +got):\n%s", d)
	}
	if d := cmp.Diff(config.Limits{Accesses: 1000, DecisionTimeout: 150 * time.Millisecond, DrainTimeout: 10 * time.Second}, got.Limits); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint32{uint32(os.Getuid())}, got.Listen.Peers); d != "" {
		t.Errorf("peers are the gateway's own uid (-want +got):\n%s", d)
	}

	full, err := config.Load("../../deploy/sallyport-full.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want.Listen.Peers = []uint32{101}
	want.Bundle.DenialsFile = "/etc/sallyport/denials"
	want.Grants.Services = config.Services{Audience: "jobs", Issuer: "sallyport", KeyFile: "/etc/sallyport/keys/grants.jwks.json", TTL: 30 * time.Second}
	if d := cmp.Diff(want, full, ignorePlaces); d != "" {
		t.Errorf("the full file says the defaults, denials and grants for services (-want +got):\n%s", d)
	}
}

func TestAFlagIsAboveAVariableAboveTheFile(t *testing.T) {
	t.Parallel()
	env := []string{
		"HOME=/root", "SALLYPORT_LISTEN_HTTP=127.0.0.1:1", "SALLYPORT_AUDIT_DIRECTORY=/variable", "SALLYPORT_LIMITS_ACCESSES=7",
		"SALLYPORT_LIMITS_DECISION_TIMEOUT=20ms", "SALLYPORT_GRANTS_STORAGE_REGION=eu-west-3", "SALLYPORT_ID=17",
		// what Kubernetes sets for services named sallyport and sallyport-http
		"SALLYPORT_SERVICE_HOST=10.0.0.1", "SALLYPORT_SERVICE_PORT=80", "SALLYPORT_SERVICE_PORT_HTTP=80", "SALLYPORT_PORT=tcp://10.0.0.1:80",
		"SALLYPORT_PORT_80_TCP_ADDR=10.0.0.1", "SALLYPORT_HTTP_PORT_80_TCP=tcp://10.0.0.1:80",
	}
	got, err := config.Load(minimal, env, map[string]string{"listen.http": "127.0.0.1:2", "telemetry.log_level": "debug"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Load(minimal, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want.ID = "17"
	want.Listen.HTTP = "127.0.0.1:2"
	want.Audit.Directory = "/variable"
	want.Limits.Accesses = 7
	want.Limits.DecisionTimeout = 20 * time.Millisecond
	want.Grants.Storage.Region = "eu-west-3"
	want.Telemetry.LogLevel = "debug"
	if d := cmp.Diff(want, got, ignorePlaces); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAVariableOrFlagThatSetsNothingIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		env       string
		overrides map[string]string
		want      string
	}{
		{"a misspelt variable", "SALLYPORT_LISTEN_HTP=127.0.0.1:1", nil,
			"SALLYPORT_LISTEN_HTP: no key has this variable; did you mean SALLYPORT_LISTEN_HTTP (listen.http)?"},
		{"a variable of a misspelt section", "SALLYPORT_LISTN_HTTP=127.0.0.1:1", nil,
			"SALLYPORT_LISTN_HTTP: no key has this variable; did you mean SALLYPORT_LISTEN_HTTP (listen.http)?"},
		{"a variable for a list", "SALLYPORT_ENCLAVES=iad-1", nil,
			"SALLYPORT_ENCLAVES: no key has this variable; unset it; lists and credentials are set in the file"},
		{"an empty variable", "SALLYPORT_LISTEN_HTTP=", nil,
			"SALLYPORT_LISTEN_HTTP: listen.http: is empty; unset it, or give it a value"},
		{"a variable of the wrong type", "SALLYPORT_LISTEN_INSECURE=yes", nil,
			`SALLYPORT_LISTEN_INSECURE: listen.insecure: want true or false, have "yes"; write true or false`},
		{"a variable that is out of range", "SALLYPORT_LIMITS_DRAIN_TIMEOUT=2m", nil,
			"SALLYPORT_LIMITS_DRAIN_TIMEOUT: limits.drain_timeout: 2m0s is out of range; choose 1ms to 1m"},
		{"an unknown flag", "", map[string]string{"listen.htp": "x"},
			`command line: listen.htp: unknown key, or not a single value; did you mean "listen.http"?`},
		{"a flag for a whole section", "", map[string]string{"grants.storage": "x"},
			"command line: grants.storage: unknown key, or not a single value; lists and credentials are set in the file"},
		{"a flag of the wrong type", "", map[string]string{"limits.accesses": "1e3"},
			`command line: limits.accesses: want a whole number, have "1e3"; write digits only`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(minimal, []string{tt.env}, tt.overrides)
			diffError(t, tt.want, err)
		})
	}
}

// edit returns the minimal file with one thing changed.
func edit(t testing.TB, old, new string) string {
	t.Helper()
	b, err := os.ReadFile(minimal)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(b), old) != 1 {
		t.Fatalf("%q is not in %s once", old, minimal)
	}
	return strings.Replace(string(b), old, new, 1)
}

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// diffError wants err to be an *Errors that prints as want.
func diffError(t testing.TB, want string, err error) {
	t.Helper()
	var all *config.Errors
	if !errors.As(err, &all) {
		t.Fatalf("want %q, have error %v", want, err)
	}
	if d := cmp.Diff(want, all.Error()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAFileThatIsNotOneStrictDocumentIsRefused(t *testing.T) {
	t.Parallel()
	const http = "  mark_file: /etc/sallyport/keys/mark\n"
	for _, tt := range []struct {
		name, content string
		want          string // after FILE
	}{
		{"an empty file", "", ": is empty; start from deploy/sallyport.yaml"},
		{"only comments", "# nothing\n", ": is empty; start from deploy/sallyport.yaml"},
		{"an empty document", "---\n", ": is empty; start from deploy/sallyport.yaml"},
		{"a second document", edit(t, "id: sallyport\n", "id: sallyport\n---\nid: other\n"),
			":3: a second document begins; keep one document in the file"},
		{"a second document that is no YAML", "id: a\n---\n\tid: [\n", ":3: is not YAML: found character that cannot start any token; write it as YAML, indented with spaces"},
		{"more than 1 MiB", strings.Repeat("# 32 bytes of comment, a line..\n", 1<<15+1), ": is longer than 1 MiB; name a config file; its policy belongs into the bundle"},
		{"a tab", "id: a\nlisten:\n\thttp: x\n", ":3: is not YAML: found character that cannot start any token; write it as YAML, indented with spaces"},
		{"binary", "\x00\x01", ": is not YAML: control characters are not allowed; write it as YAML, indented with spaces"},
		{"a list", "- id: a\n", `:1: want keys and values, have a list; write one "key: value" a line`},
		{"one word", "sallyport\n", `:1: want keys and values, have "sallyport"; write one "key: value" a line`},
		{"an unknown section", edit(t, "bundle:", "bundel: {}\nbundle:"), `:6: bundel: unknown key; did you mean "bundle"?`},
		{"an unknown key", edit(t, http, http+"  htpp: 127.0.0.1:1\n"), `:6: listen.htpp: unknown key; did you mean "http"?`},
		{"a key in the wrong section", edit(t, http, http+"  decision_timeout: 1s\n"),
			`:6: listen.decision_timeout: unknown key; did you mean "limits.decision_timeout", in its own section?`},
		{"a key near to none", edit(t, "  directory:", "  encryption: x\n  directory:"),
			`:19: audit.encryption: unknown key; known here: directory, signing_key, durability`},
		{"an unknown key of a credential", edit(t, "{access_key: us-defense,", "{secret_key: x, access_key: us-defense,"),
			`:17: grants.storage.credentials.us-defense.secret_key: unknown key; known here: access_key, secret_key_file`},
		{"a key in capitals", edit(t, "id: sallyport", "ID: sallyport"), `:2: ID: unknown key; did you mean "id"?`},
		{"a key twice", edit(t, "id: sallyport", "id: sallyport\nid: other"), ":3: id: is already given in line 2; remove one of the two"},
		{"a tenant twice", edit(t, "    credentials:\n", "    credentials:\n      us-defense: {access_key: a, secret_key_file: /b}\n"),
			":18: grants.storage.credentials.us-defense: is already given in line 17; remove one of the two"},
		{"an anchor", edit(t, "id: sallyport", "id: &a sallyport"), ":2: id: anchors and aliases are not taken; write the value out"},
		{"an alias", edit(t, "enclaves: [iad-1]", "enclaves: [&a iad-1, *a]"),
			":9: enclaves[0]: anchors and aliases are not taken; write the value out\nFILE:9: enclaves[1]: anchors and aliases are not taken; write the value out"},
		{"a merge key", edit(t, "  unsigned: true", "  unsigned: true\n  <<: {}"),
			`:9: bundle: want a plain text as key, have "<<"; write the key as text, in quotes if need be`},
		{"a number as key", edit(t, "bundle:", "1: 2\nbundle:"), `:6: want a plain text as key, have "1"; write the key as text, in quotes if need be`},
		{"a number where a text is wanted", edit(t, "id: sallyport", "id: 7"), `:2: id: want a text, have "7"; put it in quotes`},
		{"a list where a text is wanted", edit(t, "id: sallyport", "id: [sallyport]"), ":2: id: want a text, have a list; put it in quotes"},
		{"a text where a list is wanted", edit(t, "[iad-1]", "iad-1"), `:9: enclaves: want a list, have "iad-1"; write [a, b]`},
		{"a text where keys are wanted", edit(t, "  unsigned: true", "  unsigned: true\nlimits: none"),
			`:9: limits: want keys and values, have "none"; write one "key: value" a line`},
		{"yes for true", edit(t, "unsigned: true", "unsigned: yes"), `:8: bundle.unsigned: want true or false, have "yes"; write true or false`},
		{"a quoted true", edit(t, "unsigned: true", `unsigned: "true"`), `:8: bundle.unsigned: want true or false, have "true"; write true or false`},
		{"a key without a value", edit(t, "id: sallyport", "id:"), ":2: id: has no value; give it one, or remove the key"},
		{"a section without keys", edit(t, "  directory: /var/lib/sallyport/audit\n  signing_key: /etc/sallyport/keys/audit.pem\n", ""), ":18: audit: has no value; give it one, or remove the key"},
		{"a duration without a unit", edit(t, "audit:", "limits: {decision_timeout: 150}\naudit:"),
			`:18: limits.decision_timeout: want a duration, have "150"; write a number and a unit, such as 150ms or 10s`},
		{"a duration of another unit", edit(t, "audit:", "limits: {drain_timeout: 1 day}\naudit:"),
			`:18: limits.drain_timeout: want a duration, have "1 day"; write a number and a unit, such as 150ms or 10s`},
		{"half an access", edit(t, "audit:", "limits: {accesses: 1.5}\naudit:"), `:18: limits.accesses: want a whole number, have "1.5"; write digits only`},
		{"an access count beyond the machine", edit(t, "audit:", "limits: {accesses: 99999999999999999999}\naudit:"),
			`:18: limits.accesses: want a whole number, have "99999999999999999999"; write digits only`},
		{"a negative uid", edit(t, http, http+"  peers: [-1]\n"),
			`:6: listen.peers[0]: want a whole number from 0 to 4294967295, have "-1"; write digits only`},
		{"every problem at once", edit(t, "id: sallyport", "id: 7\nlog_level: info"),
			`:2: id: want a text, have "7"; put it in quotes` + "\n" +
				`FILE:3: log_level: unknown key; did you mean "telemetry.log_level", in its own section?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tt.content)
			_, err := config.Load(path, nil, nil)
			diffError(t, path+strings.ReplaceAll(tt.want, "FILE", path), err)
		})
	}
}

func TestAFileThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct{ name, path, want string }{
		{"no name", "", "no config file is named; give one with -c FILE"},
		{"no file", dir + "/none.yaml", dir + "/none.yaml: there is no such file; name the config file with -c FILE"},
		{"a folder", dir, dir + ": is a folder or a special file; name the config file itself"},
		{"a device", "/dev/zero", "/dev/zero: is a folder or a special file; name the config file itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(tt.path, nil, nil)
			diffError(t, tt.want, err)
		})
	}
}

func TestAConfigPrintsAsAFileThatLoadsAsItself(t *testing.T) {
	t.Parallel()
	want, err := config.Load(minimal, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(write(t, want.String()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, ignorePlaces); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzLoad: no file, variable or flag makes Load panic; what it refuses it refuses with a reason, and what it takes is valid.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(edit(f, "id: sallyport", "id: sallyport")), "listen.http", "127.0.0.1:1")
	f.Add([]byte("listen: 5\n"), "listen.http", "127.0.0.1:1")
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [x]\n: y"), "id", "b")
	f.Add([]byte("listen: {http: a, http: b}\n--- !!binary x"), "limits.accesses", "0x10")
	f.Fuzz(func(t *testing.T, content []byte, key, value string) {
		env := []string{"SALLYPORT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "=" + value}
		c, err := config.Load(write(t, string(content)), env, map[string]string{key: value})
		var all *config.Errors
		if err != nil && (!errors.As(err, &all) || len(all.Problems) == 0) {
			t.Errorf("want an *Errors with a problem, have %v", err)
		}
		if err == nil && c.Validate() != nil {
			t.Errorf("loaded, but not valid: %v", c.Validate())
		}
	})
}
