package demo

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNoSignatureStaysInTheStoresLog(t *testing.T) {
	for _, c := range []struct{ what, line, want string }{
		{"a plain request", "b k /b/k 200\n", "b k /b/k 200\n"},
		{"an ordinary query", "b - /b?list-type=2&prefix=a%2F 200\n", "b - /b?list-type=2&prefix=a%2F 200\n"},
		{"a presigned URL", "b k /b/k?X-Amz-Date=1&X-Amz-Signature=abc 200\n", "b k /b/k?*** 200\n"},
		{"a presigned URL in small letters", "b k /b/k?x-amz-signature=abc 200\n", "b k /b/k?*** 200\n"},
		{"a presigned URL with an escaped name", "b k /b/k?X-Amz-%53ignature=abc 200\n", "b k /b/k?*** 200\n"},
		{"SigV2", "b k /b/k?AWSAccessKeyId=a&Signature=abc&Expires=1 200\n", "b k /b/k?*** 200\n"},
		{"a session token", "b k /b/k?X-Amz-Security-Token=ey 200\n", "b k /b/k?*** 200\n"},
		{"what can't be read", "b k /b/k?x=%zz 200\n", "b k /b/k?*** 200\n"},
		{"a second question mark", "b k /b/k?a=1?Signature=abc 200\n", "b k /b/k?*** 200\n"},
	} {
		if diff := cmp.Diff(c.want, string(mask([]byte(c.line)))); diff != "" {
			t.Errorf("%s (-want +have):\n%s", c.what, diff)
		}
	}
}

func TestALineForEachRequestAndTheGatewaysOwnProbesApart(t *testing.T) {
	line := func(bucket, key, referer string) string {
		return "us-defense " + bucket + " [24/Nov/2026:09:00:00 +0000] 0.0.0.0 us-defense REQ s3 " + key + " /uri 200 - 1 1 1 1 " + referer + " curl\n"
	}
	var (
		probe = line("-", "-", probeReferer)
		read  = line("b", "k", strings.Repeat("0", 32))
		liar  = line("b", "a "+probeReferer+" b", strings.Repeat("1", 32))
	)
	var requests, probes strings.Builder
	sortLines(strings.NewReader("log starts 2026\n"+probe+read+"log starts again\n"+liar+probe+"b /2?Signature=x 403\ntorn"), &requests, &probes)
	if diff := cmp.Diff(read+liar+"b /2?*** 403\ntorn", requests.String()); diff != "" {
		t.Errorf("requests (-want +have):\n%s", diff)
	}
	if diff := cmp.Diff(probe+probe, probes.String()); diff != "" {
		t.Errorf("probes (-want +have):\n%s", diff)
	}
}

func TestTheServerNeverWaitsForALogThatCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	sortLines(strings.NewReader(strings.Repeat("line\n", 1000)), w, w) // returns
}

func TestTheLogOutlivesTheServer(t *testing.T) {
	path := t.TempDir() + "/access.log"
	for _, line := range []string{"first\n", "second\n"} {
		w, err := accessLog(path, t.TempDir()+"/probes.log")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, line)
		w.Close()
		await(t, line, func() bool { b, _ := os.ReadFile(path); return strings.HasSuffix(string(b), line) })
	}
	b, _ := os.ReadFile(path)
	if diff := cmp.Diff("first\nsecond\n", string(b)); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{"a /b?Signature=x 1\n", "?%53ignature=x", "? ?x-amz-security-token=", "\x00?%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		out := string(mask([]byte(line)))
		if strings.Count(out, " ") != strings.Count(line, " ") || strings.Count(out, "\n") != strings.Count(line, "\n") {
			t.Errorf("%q became %q: a field or a line is gone", line, out)
		}
		if i := strings.IndexByte(out, '?'); i >= 0 {
			if word, _, _ := strings.Cut(out[i:], " "); strings.Contains(strings.ToLower(word), "signature=") && !strings.ContainsAny(word, "\t\n\v\f\r") {
				t.Errorf("%q became %q", line, out)
			}
		}
	})
}
