package audit_test

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestFormatSpecifiesEveryMemberInItsOrder(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllSubmatch(spec, -1) {
		have = append(have, string(m[1]))
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[authz.Record]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		want = append(want, name)
	}
	i := len(want)
	if len(have) < i {
		i = len(have)
	}
	if diff := cmp.Diff(want, have[:i]); diff != "" { // tables that follow name other things
		t.Errorf("(-record +FORMAT.md)\n%s", diff)
	}
}

func TestTheExampleInFormatVerifies(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(spec) {
		if bytes.HasPrefix(line, []byte(`{"n":0`)) {
			dir := t.TempDir()
			plant(t, dir, "us-defense", line)
			if have := mustVerify(t, dir).Logs[1]; have.Lines != 1 || have.Denies != 1 {
				t.Errorf("report: %+v", have)
			}
			if audit.Checksum("123456789") != "e3069283" {
				t.Error("the checksum's check value is wrong")
			}
			return
		}
	}
	t.Fatal("FORMAT.md has no example")
}
