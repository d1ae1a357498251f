package road_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// boto3Steps are the steps of testdata/boto3_day.py and what must be decided of each.
var boto3Steps = []struct {
	step   string
	code   string // that boto3 raises
	reason string
	log    string
}{
	{"put", "", "", usDefense},
	{"head", "", "", usDefense},
	{"get", "", "", usDefense},
	{"get a range", "", "", usDefense},
	{"list, version 1", "", "", usDefense},
	{"list, version 2", "", "", usDefense},
	{"copy up", "", "", usDefense},
	{"copy down", "AccessDenied", "flow.write_down", usDefense},
	{"tag", "AccessDenied", "action.not_granted", usDefense},
	{"put with tags", "AccessDenied", "action.not_granted", usDefense},
	{"list buckets", "AccessDenied", "request.unsupported", "gateway"},
	{"open the bucket", "AccessDenied", "request.unsupported", "gateway"},
	{"upload and download 64 MiB", "", "", usDefense},
	{"delete", "", "", usDefense},
	{"delete a batch", "", "", usDefense},
	{"list what is left", "", "", usDefense},
	{"put 64 MiB in one piece where it is denied", "AccessDenied", "tenant.mismatch", "fr-space"},
	{"get what is denied", "AccessDenied", "tenant.mismatch", "fr-space"},
	{"head of what is denied", "403", "tenant.mismatch", "fr-space"}, // a HEAD has no body to say more
}

func TestBoto3WorksThroughEnvoy(t *testing.T) {
	w := sharedWorld(t)
	python, packages := python(t, "boto3")
	for style, endpoint := range map[string]string{
		"path":    w.url(w.ports.Storage),
		"virtual": fmt.Sprintf("http://%s:%d", storeHost, w.ports.Storage),
	} {
		t.Run(style+" style", func(t *testing.T) {
			t.Parallel()
			w.boto3Day(t, python, packages, style, endpoint)
		})
	}
}

// boto3Day runs testdata/boto3_day.py and checks every step.
func (w *world) boto3Day(t *testing.T, python, packages, style, endpoint string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "boto3_day.py"))
	cmd.Env = []string{"PYTHONPATH=" + packages, "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "AWS_EC2_METADATA_DISABLED=true"}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = bytes.NewReader(marshal(t, map[string]string{"endpoint": endpoint, "style": style, "token": w.token(t, "sam")}))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(boto3Steps) {
		t.Fatalf("%d steps were taken, want %d:\n%s", len(lines), len(boto3Steps), out)
	}
	for i, want := range boto3Steps {
		t.Run(want.step, func(t *testing.T) { w.checkBoto3(t, lines[i], want.step, want.code, want.reason, want.log) })
	}
}

// checkBoto3 compares a line that the script printed, and the traces of each request that it names.
func (w *world) checkBoto3(t *testing.T, line, step, code, reason, log string) {
	type names struct{ Step, Code string }
	var took struct {
		names
		Answers []struct {
			ID     string
			Status int
		}
	}
	if err := json.Unmarshal([]byte(line), &took); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	if d := cmp.Diff(names{step, code}, took.names); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
	if len(took.Answers) == 0 {
		t.Error("nothing was answered")
	}
	for _, a := range took.Answers {
		want := allowed(a.Status, log)
		if reason != "" {
			want = denied(reason, log)
		}
		want.Visible = "" // boto3 has read the body
		have := w.outcome(t, answer{status: a.Status, header: http.Header{"X-Sallyport-Decision-Id": {a.ID}}})
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
	}
}
