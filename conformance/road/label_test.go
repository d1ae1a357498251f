package road_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// marked is a row whose objects carry labels of their own. By itself it is open to every person of us-defense.
const marked = "us-defense-plans/marked/"

// labelledWorld is a world whose bundle has the row marked.
func labelledWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	path := filepath.Join(w.Bundle(), "tenants", "us-defense", "catalogue", "data.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const row = `
  "us-defense-plans/marked/":
    service: s3
    owner: {nation: USA, originator: us-defense}
    labels:
      - {scheme: USA, level: UNCLASSIFIED, categories: {}, release: null, nation: [], handling: [], created: "2024-01-01", alternatives: []}
    constraints: {residency: [USA], processing: [USA], reach: [USA], egress: any, export: {mode: none, destinations: []}, personal_data: false}
    place: {enclave: iad-1, replicas: [], backups: [iad-1]}
    hold: false
    communities: []
    labels_on_objects: true
    looser: true
`
	if err := os.WriteFile(path, []byte(strings.TrimRight(string(b), "\n")+row), 0o600); err != nil {
		t.Fatal(err)
	}
	pid := w.signal(t, "sallyport", syscall.SIGKILL)
	w.back(t, "sallyport", pid)
	return w
}

// labelOf is a label as objects carry it in their metadata.
func labelOf(level string) string {
	return fmt.Sprintf(`{"scheme":"USA","level":%q,"created":"2024-01-01T00:00:00Z"}`, level)
}

// store writes an object as somebody with the tenant's account would, around the gateway, and returns its path.
func (w *world) store(t *testing.T, body string, header map[string]string) string {
	t.Helper()
	path := "/" + marked + unique()
	w.place(t, path, body, header)
	return path
}

func (w *world) place(t *testing.T, path, body string, header map[string]string) {
	t.Helper()
	header = maps.Clone(header)
	if header == nil {
		header = map[string]string{}
	}
	header["Referer"] = "readiness-probe" // no decision is behind it
	h := signAt(t, time.Now(), request{method: http.MethodPut, path: path, header: header}, w.account(t, "us-defense"))
	if a := w.direct(t, request{method: http.MethodPut, path: path, body: body, header: h}); a.status != http.StatusOK {
		t.Fatalf("storing %s: status %d: %s", path, a.status, a.body)
	}
}

func TestAnObjectsOwnLabelIsJudgedBesideItsRows(t *testing.T) {
	t.Parallel()
	w := labelledWorld(t)
	metadata := func(label string) map[string]string { return map[string]string{"X-Amz-Meta-Label": label} }
	tag := func(label string) map[string]string {
		return map[string]string{"X-Amz-Tagging": "label=" + base64.RawURLEncoding.EncodeToString([]byte(label))}
	}
	var (
		secret       = w.store(t, "secret", metadata(labelOf("SECRET")))
		confidential = w.store(t, "confidential", metadata(labelOf("CONFIDENTIAL")))
		tagged       = w.store(t, "tagged", tag(labelOf("SECRET")))
		both         = w.store(t, "both", map[string]string{"X-Amz-Meta-Label": labelOf("CONFIDENTIAL"), "X-Amz-Tagging": tag(labelOf("SECRET"))["X-Amz-Tagging"]})
		released     = w.store(t, "released", metadata(`{"scheme":"USA","level":"SECRET","release":["USA","GBR"],"created":"2024-01-01T00:00:00Z"}`))
		noforn       = w.store(t, "noforn", metadata(`{"scheme":"USA","level":"SECRET","nation":["NOFORN"],"created":"2024-01-01T00:00:00Z"}`))
		bare         = w.store(t, "bare", nil)
		scribble     = w.store(t, "scribble", metadata("SECRET"))
		twofold      = w.store(t, "twofold", metadata(`{"scheme":"USA","level":"SECRET","level":"UNCLASSIFIED"}`))
		unknown      = w.store(t, "unknown", metadata(labelOf("COSMIC")))
		victim       = w.store(t, "victim", metadata(labelOf("SECRET")))
		doomed       = w.store(t, "doomed", metadata(labelOf("CONFIDENTIAL")))
		absent       = "/" + marked + unique()
	)
	unbound := denied("label.unbound", usDefense)
	get := func(who, path string, header ...string) request {
		r := request{who: who, method: http.MethodGet, path: path, header: map[string]string{}}
		for i := 0; i < len(header); i += 2 {
			r.header[header[i]] = header[i+1]
		}
		return r
	}
	write := func(who, path string, header ...string) request {
		r := get(who, path, header...)
		r.method, r.body = http.MethodPut, "new"
		return r
	}
	copied := func(who, source, to string, header ...string) request {
		r := write(who, to, append(header, "X-Amz-Copy-Source", source)...)
		r.body = ""
		return r
	}
	fresh := func() string { return "/" + marked + unique() }
	head := get("uma", secret)
	head.method = http.MethodHead
	remove := func(who, path string) request {
		return request{who: who, method: http.MethodDelete, path: path}
	}
	for _, c := range []struct {
		what string
		r    request
		want outcome
	}{
		{"her clearance reaches the label", get("uma", confidential), served},
		{"the row is open to her, the object is not", get("uma", secret), belowPlans},
		{"nor is what a HEAD tells", head, hidden(belowPlans)},
		{"his clearance reaches it", get("sam", secret), served},
		{"a label in a tag", get("uma", tagged), belowPlans},
		{"a label in a tag, for him", get("sam", tagged), served},
		{"two labels both count", get("uma", both), belowPlans},
		{"two labels, for him", get("sam", both), served},
		{"for her nation, but the row is not", get("gina", released), denied("label.unbound + release.nation", usDefense)},
		{"not for her nation", get("gina", noforn), denied("label.unbound + release.nation", usDefense)},
		{"a nation tag that holds for him", get("sam", noforn), served},
		{"no label", get("sam", bare), unbound},
		{"a label that is no JSON", get("sam", scribble), unbound},
		{"a label that two readers read differently", get("sam", twofold), unbound},
		{"a level that nobody knows", get("sam", unknown), unbound},
		{"an object that is not there", get("sam", absent), unbound},
		{"who fails on the row alone does not make the store look", get("claire", secret), denied("label.unbound + tenant.mismatch", usDefense)},
		{"a list reveals names, and is judged by the rows", get("uma", "/us-defense-plans?prefix=marked%2F"), served},

		{"the client's own condition holds", get("sam", secret, "If-Match", `"5ebe2294ecd0e0f08eab7690d2a6ee69"`), served},
		{"the client's own condition does not hold", get("sam", secret, "If-Match", `"00000000000000000000000000000000"`), allowed(http.StatusPreconditionFailed, usDefense)},
		{"any content will do", get("sam", secret, "If-Match", "*"), served},

		{"a write with its label", write("sam", fresh(), "X-Amz-Meta-Label", labelOf("SECRET")), served},
		{"a write with its label in a tag", write("sam", fresh(), "X-Amz-Tagging", tag(labelOf("SECRET"))["X-Amz-Tagging"]), served},
		{"a write without", write("sam", fresh()), unbound},
		{"a write with one that can't be read", write("sam", fresh(), "X-Amz-Meta-Label", "SECRET"), denied("label.unbound", "gateway")},
		{"a write with an unknown level", write("sam", fresh(), "X-Amz-Meta-Label", labelOf("COSMIC")), denied("label.unbound", "gateway")},
		{"a write above herself", write("uma", fresh(), "X-Amz-Meta-Label", labelOf("SECRET")), belowPlans},
		{"a write that other tools take for a label too", write("sam", fresh(), "X-Amz-Meta-Label", labelOf("SECRET"), "X-Amz-Meta-Classification", "UNCLASSIFIED"), denied("action.not_granted", usDefense)},

		{"a copy keeps the label", copied("sam", secret, fresh()), served},
		{"a copy of what has none", copied("sam", bare, fresh()), unbound},
		{"a copy under a lower label", copied("sam", secret, fresh(), "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-Label", labelOf("CONFIDENTIAL")), writeDown},
		{"a copy under a higher label", copied("sam", confidential, fresh(), "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-Label", labelOf("SECRET")), served},
		{"a copy that names a label and keeps its source's", copied("sam", secret, fresh(), "X-Amz-Meta-Label", labelOf("SECRET")), denied("label.unbound", "gateway")},
		{"a copy of what is above her", copied("uma", secret, fresh()), belowPlans},
		{"a copy to where no labels are wanted, and the row is as high", copied("sam", noforn, "/us-defense-plans/noforn/"+unique()), served},
		{"a copy to where it would be for more", copied("sam", noforn, "/us-defense-plans/"+unique()), denied("flow.write_down + label.unbound", usDefense)},
		{"a copy from a row without labels brings none", copied("sam", "/us-defense-plans/welcome.txt", fresh()), denied("flow.write_down + label.unbound", usDefense)},
		{"a copy from a row without labels under its own", copied("sam", "/us-defense-plans/welcome.txt", fresh(), "X-Amz-Metadata-Directive", "REPLACE",
			"X-Amz-Meta-Label", `{"scheme":"USA","level":"SECRET","release":["USA","GBR"],"created":"2024-01-01T00:00:00Z"}`), served},
		{"a copy onto itself under another label", copied("sam", secret, secret, "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-Label", labelOf("UNCLASSIFIED")),
			denied("action.not_granted + label.unbound", usDefense)},

		{"a delete above her", remove("uma", victim), belowPlans},
		{"a delete", remove("uma", doomed), allowed(http.StatusNoContent, usDefense)},
		{"new tags", write("sam", secret+"?tagging"), unsupported},
		{"tags, which the store gives of whatever is there", get("sam", secret+"?tagging"), unsupported},
		{"attributes, likewise", get("sam", secret+"?attributes", "X-Amz-Object-Attributes", "ETag"), unsupported},
		{"an upload in parts", request{who: "sam", method: http.MethodPost, path: fresh() + "?uploads", header: metadata(labelOf("SECRET"))}, unsupported},
	} {
		t.Run(c.what, func(t *testing.T) { w.check(t, w.ask(t, c.r), c.want) })
	}

	// Who fails on the row alone does not make the gateway ask the store, and who does not, does.
	for who, asked := range map[string]bool{"claire": false, "gina": false, "uma": true} {
		id := w.ask(t, get(who, secret)).decision()
		var probes []byte
		for deadline := time.Now().Add(5 * time.Second); asked && !bytes.Contains(probes, []byte("label-for-"+id)) && time.Now().Before(deadline) || probes == nil; time.Sleep(20 * time.Millisecond) {
			var err error
			if probes, err = os.ReadFile(filepath.Join(filepath.Dir(w.StorageAccessLog()), "storage-probes.log")); err != nil {
				t.Fatal(err)
			}
		}
		if bytes.Contains(probes, []byte("label-for-"+id)) != asked {
			t.Errorf("%s: the store was asked for the label: %v, want %v", who, !asked, asked)
		}
	}

	// While the store is frozen, nobody knows a label.
	pid := w.freeze(t, "storage")
	a := w.ask(t, get("sam", secret))
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.check(t, a, unbound)
	w.check(t, w.ask(t, get("sam", secret)), served)
	if err := w.settle(); err != nil {
		t.Error(err)
	}
	w.verify(t, 0)
}

// A grant that was made for one content does not serve another that took its place before it was used.
func TestAGrantIsForTheContentWhoseLabelWasJudged(t *testing.T) {
	t.Parallel()
	w := labelledWorld(t)
	recorder, requests := record(t, w.StorageSocket())
	envoy := w.secondEnvoy(t, recorder)
	low := map[string]string{"X-Amz-Meta-Label": labelOf("CONFIDENTIAL")}
	high := map[string]string{"X-Amz-Meta-Label": labelOf("SECRET")}
	for what, r := range map[string]request{
		"read":   {method: http.MethodGet},
		"delete": {method: http.MethodDelete},
		"copy":   {method: http.MethodPut},
	} {
		t.Run(what, func(t *testing.T) {
			object := w.store(t, "confidential", low)
			r.path = object
			if what == "copy" {
				r.path, r.header = "/"+marked+unique(), map[string]string{"X-Amz-Copy-Source": object}
			}
			r.who = "uma"
			r = w.authorized(t, r)
			r.header["Host"] = storeHost
			if a := ask(t, "http://"+envoy, r); a.status != http.StatusOK {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			got := <-requests
			replayed := request{method: r.method, path: r.path, header: map[string]string{"Host": storeHost}}
			for name, values := range got.header {
				replayed.header[name] = values[0]
			}
			w.place(t, object, "secret", high)
			if a := w.direct(t, replayed); a.status != http.StatusPreconditionFailed {
				t.Errorf("of another content: status %d, want 412: %s", a.status, a.body)
			}
			delete(replayed.header, "If-Match")
			delete(replayed.header, "X-Amz-Copy-Source-If-Match")
			if a := w.direct(t, replayed); a.status != http.StatusForbidden {
				t.Errorf("without the condition: status %d, want 403: %s", a.status, a.body)
			}
		})
	}
}
