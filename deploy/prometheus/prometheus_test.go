// Package prometheus holds alert rules; there is no Go in it but this test.
package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// topics are what the rules are about; each has its rules and their tests.
var topics = []string{"audit", "identity"}

// promtool returns Prometheus's own checker, from .tools/ or the path.
func promtool(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("../../.tools/promtool"); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal("REQUIRE_REAL=1 and there is no promtool: install the package prometheus")
		}
		t.Skip("no promtool: install the package prometheus to test the alert rules")
	}
	return path
}

func TestTheAlertRulesDoWhatTheirTestsSay(t *testing.T) {
	tool := promtool(t)
	for _, topic := range topics {
		for _, args := range [][]string{{"check", "rules", topic + ".rules.yaml"}, {"test", "rules", topic + ".test.yaml"}} {
			if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %v: %v\n%s", args, err, out)
			}
		}
	}
}

// TestTheAlertRulesNameSeriesThatAreThere needs no promtool.
func TestTheAlertRulesNameSeriesThatAreThere(t *testing.T) {
	var rules []byte
	for _, topic := range topics {
		b, err := os.ReadFile(topic + ".rules.yaml")
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, b...)
	}
	catalogue, err := os.ReadFile("../../metrics/CATALOGUE.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, word := range strings.FieldsFunc(string(rules), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		if !strings.HasPrefix(word, "sallyport_") {
			continue
		}
		found++
		if !strings.Contains(string(catalogue), "`"+word+"`") {
			t.Errorf("%s is not in the catalogue", word)
		}
	}
	if found == 0 {
		t.Error("no rule names a series")
	}
}
