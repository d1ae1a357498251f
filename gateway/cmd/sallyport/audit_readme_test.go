package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheAuditorsCommandsAreAsTheReadmeShowsThem runs each command of authz/audit/README.md on a log, with the README's names for a
// folder, a line and a decision replaced by those of the log.
func TestTheAuditorsCommandsAreAsTheReadmeShowsThem(t *testing.T) {
	text, err := os.ReadFile("../../../authz/audit/README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeLogs(filepath.Join(dir, "audit"), true); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"audit/us-defense/key.pub", "audit.openings/us-defense/open-00000000000000000000.jsonl"} {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		to := map[bool]string{true: "KEPT/key.pub", false: "given.jsonl"}[strings.HasSuffix(path, "key.pub")]
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(to)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const id = "0123456789abcdef0123456789abcdef"
	envoy := `{"time":"2026-11-24T12:00:00.000Z","request_id":"r1","decision_id":"` + id + `","status":403}` + "\n"
	for name, content := range map[string]string{"envoy-access.jsonl": envoy, "storage-access.log": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, noJQ := exec.LookPath("jq")
	ran := 0
	names := strings.NewReplacer("DIR", "audit", "9f2c4be1d07a4c5e8e0b6a1f3d5c7792", id, "us-defense 42", "us-defense 0", "--since 1h", "--since 2026-01-01T00:00:00Z",
		"--since 24h", "--since 2026-01-01T00:00:00Z")
	for i, block := range strings.Split(string(text), "```") {
		if i%2 == 0 {
			continue
		}
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "    ") // what a line says of its command
			if !strings.HasPrefix(line, "sallyport audit ") && !strings.HasPrefix(line, "cp ") || strings.HasSuffix(line, "--follow") {
				continue
			}
			if strings.Contains(line, "| jq") && noJQ != nil {
				if os.Getenv("REQUIRE_REAL") == "1" {
					t.Fatal("REQUIRE_REAL=1 and there is no jq: install the package jq")
				}
				t.Logf("no jq, so only its input is made: %s", line)
				line, _, _ = strings.Cut(line, "|")
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "sh", "-c", "set -e; "+names.Replace(line))
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
		}
	}
	if ran < 20 {
		t.Errorf("only %d commands were run", ran)
	}
}
