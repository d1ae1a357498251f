package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sallyport": main})
}

// TestCommands runs testdata/*.txtar: the real binary, its exit codes and what it says. Commands beside those of testscript:
//
//	exits CODE COMMAND…   COMMAND ends with CODE, and its standard error is lines for people (or slog's), not a stack trace
//	awaits TEXT COMMAND…  runs COMMAND until its standard error has TEXT
//	onejson               standard output is one JSON document
//	bundle DIR            writes the shipped policies with the demo's world, whose issuers nobody answers for
//	config DIR            writes a gateway's folder with bundle, keys, an empty log folder and sallyport.yaml; $HTTP is its address
//	logs [--mask] DIR     writes the logs of a start and of one decision, of which --mask hides the person
//	input FILE            writes the policy input of sam who reads us-defense-plans/welcome.txt
//	flip FILE OFFSET      changes one byte
func TestCommands(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Deadline:            time.Now().Add(10 * time.Minute), // ends a gateway that should not have started
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("POLICIES", filepath.Join(root, "policies"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"awaits":  awaits,
			"onejson": onejson,
			"flip":    flip,
			"bundle":  func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(writeBundle(root, ts.MkAbs(args[0]))) },
			"config": func(ts *testscript.TestScript, _ bool, args []string) {
				address, err := writeConfig(root, ts.MkAbs(args[0]))
				ts.Check(err)
				ts.Setenv("HTTP", address)
			},
			"input": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(writeInput(ts.MkAbs(args[0]))) },
			"logs": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(writeLogs(ts.MkAbs(args[len(args)-1]), len(args) > 1 && args[0] == "--mask"))
			},
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	said := ts.ReadFile("stderr")
	if (code == 0) != !strings.Contains(said, "sallyport: ") {
		ts.Fatalf("exit code %d, and standard error is %q", code, said)
	}
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "sallyport: ") && !strings.HasPrefix(line, "{") || strings.Contains(line, "goroutine ") {
			ts.Fatalf("standard error has a line that is not for people: %q", line)
		}
	}
}

func awaits(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if strings.Contains(ts.ReadFile("stderr"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %q (%v)", args[0], err)
		}
	}
}

func onejson(ts *testscript.TestScript, _ bool, _ []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var v any
	ts.Check(d.Decode(&v))
	if err := d.Decode(&v); !errors.Is(err, io.EOF) {
		ts.Fatalf("standard output has more than one JSON document")
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

func writeBundle(root, dir string) error {
	for from, to := range map[string]string{
		"policies/compliance": "root/compliance", "policies/schemes": "root/schemes", "policies/reasons": "root/reasons",
		"gateway/demo/world/root": "root", "gateway/demo/world/tenants": "tenants",
	} {
		src := os.DirFS(filepath.Join(root, from))
		err := fs.WalkDir(src, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(src, path)
			if err != nil {
				return err
			}
			dst := filepath.Join(dir, to, path)
			if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
				return err
			}
			return os.WriteFile(dst, bytes.ReplaceAll(b, []byte("127.0.0.1:9400"), []byte("127.0.0.1:1")), 0o600)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeConfig(root, dir string) (address string, err error) {
	for _, d := range []string{"run", "keys", "audit"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return "", err
		}
	}
	if err := writeBundle(root, filepath.Join(dir, "bundle")); err != nil {
		return "", err
	}
	for _, name := range []string{"mark", "storage"} {
		if err := os.WriteFile(filepath.Join(dir, "keys", name), []byte("secret-"+name+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	key, err := audit.MarshalKey(testKey)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "audit.pem"), key, 0o600); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	l.Close()
	file := fmt.Sprintf(`id: sallyport
listen:
  extauthz: unix:%[1]s/run/extauthz.sock
  http: %[2]s
  mark_file: %[1]s/keys/mark
bundle:
  source: %[1]s/bundle
  unsigned: true
enclaves: [iad-1]
grants:
  storage:
    audience: storage
    endpoint: unix:%[1]s/run/storage.sock
    host: storage.sallyport.test
    region: us-east-1
    credentials:
      us-defense: {access_key: us-defense, secret_key_file: %[1]s/keys/storage}
audit:
  directory: %[1]s/audit
  signing_key: %[1]s/keys/audit.pem
`, dir, address)
	return address, os.WriteFile(filepath.Join(dir, "sallyport.yaml"), []byte(file), 0o600)
}

var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func writeLogs(dir string, mask bool) error {
	logs, err := audit.Open(audit.Config{Dir: dir, Key: testKey, Gateway: authz.Gateway{ID: "sallyport"}})
	if err != nil {
		return err
	}
	if err := logs.Use([]string{"us-defense"}); err != nil {
		return err
	}
	tenant := "us-defense"
	r := authz.Record{
		Type: "start", DecisionID: "0123456789abcdef0123456789abcdef", Salt: "0123456789abcdef0123456789abcdef",
		Time: authz.At(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)), Clock: "trusted", Marking: "UNMARKED",
		Reasons: []authz.Reason{}, Unproven: []authz.Reason{}, Fields: map[string]string{"version": "devel"},
	}
	if err := logs.Append(context.Background(), r); err != nil {
		return err
	}
	r.Type, r.Marking, r.Fields = "decision", "USA SECRET", nil
	r.Subject = &authz.RecordSubject{Type: "person", ID: "usa|uma", Tenant: &tenant}
	r.Reasons = []authz.Reason{"clearance.level"}
	r.Unproven = r.Reasons
	r.Accesses = []authz.RecordAccess{{
		Action: "read", Resource: "s3://us-defense-plans/welcome.txt", Tenant: &tenant, Reasons: r.Reasons, Unproven: r.Unproven,
	}}
	if mask {
		r.Accesses[0].Obligations = []authz.Obligation{{ID: authz.AuditMask, Fields: []string{"/subject/id"}}}
	}
	if err := logs.Append(context.Background(), r); err != nil {
		return err
	}
	return logs.Close()
}

func writeInput(path string) error {
	at := authz.At(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	text := func(s string) *string { return &s }
	zero, held, personal, usa := int64(0), false, false, authz.Countries{List: []string{"USA"}}
	in := authz.Input{
		Subject: authz.Subject{Type: "person", ID: "usa|sam", Properties: authz.SubjectProperties{
			Issuer: "usa", Tenant: text("us-defense"),
			Affiliation:   &authz.Affiliation{Kind: "tenant", Organization: "us-defense", Country: "USA"},
			Nationalities: []string{"USA"}, HeldNationalities: []string{"USA"}, ExportStatus: []string{"us_person"},
			Communities: []string{}, Roles: []string{},
			Clearances: []authz.Clearance{{
				Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: map[string][]string{}, Sponsor: "usa",
				NotBefore: authz.At(at.Add(-time.Hour)), NotAfter: authz.At(at.Add(time.Hour)),
			}},
			Cut: []authz.Cut{}, Session: authz.Session{Tracked: true, HighWater: []authz.Label{}}, Via: []authz.Via{},
			Assurance: authz.Assurance{AMR: []string{}, Binding: "none", AgeSeconds: &zero},
		}},
		Action: authz.Action{Name: "read", Properties: authz.ActionProperties{
			Protocol: "s3", Operation: "GetObject", RequestLabels: []authz.Label{}, From: []authz.Origin{}, To: authz.To{Kind: "client"},
		}},
		Resource: authz.Resource{Type: "object", ID: "s3://us-defense-plans/welcome.txt", Properties: authz.ResourceProperties{
			Row: text("us-defense-plans/"), Tenant: text("us-defense"), Service: text("s3"),
			Owner: &authz.Owner{Nation: "USA", Originator: "us-defense"},
			Labels: []authz.Label{{
				Scheme: "USA", Level: "SECRET", Categories: map[string][]string{}, Release: []string{"USA", "GBR"},
				Nation: []string{}, Handling: []string{}, Created: authz.At(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)),
				Alternatives: []authz.Label{},
			}},
			Constraints: &authz.Constraints{
				Residency: usa, Processing: usa, Reach: usa, Egress: authz.Countries{Any: true},
				Export: &authz.Export{Mode: "none", Destinations: []string{}}, PersonalData: &personal,
			},
			Place: &authz.Place{Enclave: "iad-1", Replicas: []string{}, Backups: []string{"iad-1"}},
			Hold:  &held,
		}},
		Context: authz.Context{
			Time: at, Gateway: authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1"}},
			Source:    authz.Source{Country: text("USA"), Basis: "claim"},
			Freshness: authz.Freshness{BundleAge: &zero, RevocationSerial: &zero, RevocationAge: &zero, Clock: "trusted"},
			Approvals: []authz.Approval{},
		},
	}
	b, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}
