package road_test

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// request is what somebody asks through Envoy.
type request struct {
	who    string // whose fresh token it carries; "" is nobody's
	method string
	path   string // with the query
	body   string
	header map[string]string
}

// answer is what the caller gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// outcome is everything that must be told of one request.
type outcome struct {
	Status  int
	Reasons string   // joined by " + "; "" is an allow
	Visible string   // what the caller reads of them, likewise; "" if there is no body
	Logs    []string // that have exactly one record of it, sorted
	Served  int      // times that it got to its upstream, the store or the job service
}

// client follows no redirect and keeps no cookie: what the caller gets is what Envoy said.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends r to w's Envoy.
func (w *world) ask(t testing.TB, r request) answer {
	t.Helper()
	return ask(t, w.url(w.ports.Storage), w.authorized(t, r))
}

// authorized returns r with a fresh token of who asks.
func (w *world) authorized(t testing.TB, r request) request {
	t.Helper()
	if r.who != "" {
		header := map[string]string{"Authorization": "Bearer " + w.token(t, r.who)}
		maps.Copy(header, r.header)
		r.header = header
	}
	return r
}

// ask sends r to whoever is at a URL.
func ask(t testing.TB, url string, r request) answer {
	t.Helper()
	req, err := http.NewRequest(r.method, url+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	a, err := do(client, req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// do sends a request and reads the whole answer.
func do(c *http.Client, req *http.Request) (answer, error) {
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

// decision is the id by which caller, records and the store's log name one decision.
func (a answer) decision() string { return a.header.Get("X-Sallyport-Decision-Id") }

// visible returns the reasons that a refusal names, "" if it names none.
func (a answer) visible() string {
	_, rest, _ := strings.Cut(a.body, "Refused: ")
	reasons, _, found := strings.Cut(rest, ". Ask about decision ")
	if !found {
		return ""
	}
	return strings.ReplaceAll(reasons, ", ", " + ")
}

// outcome gathers what a left behind.
func (w *world) outcome(t testing.TB, a answer) outcome {
	t.Helper()
	o := outcome{Status: a.status, Visible: a.visible()}
	if a.decision() == "" {
		return o
	}
	records, served, err := w.traces.of(a.decision())
	if err != nil {
		t.Fatal(err)
	}
	o.Served = served
	for i, r := range records {
		if reasons := join(r.Reasons); i == 0 {
			o.Reasons = reasons
		} else if reasons != o.Reasons {
			t.Errorf("the records of %s differ: %q and %q", r.DecisionID, o.Reasons, reasons)
		}
		if r.Allow != (len(r.Reasons) == 0) {
			t.Errorf("record %s: allow is %v with the reasons %v", r.DecisionID, r.Allow, r.Reasons)
		}
		if !r.Allow && testing.Verbose() {
			t.Logf("%s: %s %s", r.DecisionID, o.Reasons, r.Detail)
		}
		o.Logs = append(o.Logs, r.log)
	}
	slices.Sort(o.Logs)
	return o
}

// allowed is the outcome of a request that was allowed and answered with status.
func allowed(status int, logs ...string) outcome {
	return outcome{Status: status, Logs: logs, Served: 1}
}

// denied is the outcome of a request that a known subject made and that was denied for reasons.
func denied(reasons string, logs ...string) outcome {
	return outcome{Status: http.StatusForbidden, Reasons: reasons, Visible: visible(reasons), Logs: logs}
}

// check compares what happened to a request with what must.
func (w *world) check(t testing.TB, a answer, want outcome) {
	t.Helper()
	if d := cmp.Diff(want, w.outcome(t, a)); d != "" {
		t.Errorf("(-want +have):\n%s%s", d, a.body)
	}
}

// visible says what the caller may know of reasons: of identity only that; of actions, personnel and services, only who is the
// owner's tenant, partner or provider; of most things nothing.
func visible(reasons string) string {
	related := !strings.Contains(reasons, "tenant.mismatch")
	var seen, identity []string
	for _, r := range strings.Split(reasons, " + ") {
		switch group, _, _ := strings.Cut(r, "."); group {
		case "identity":
			identity = append(identity, r)
		case "request", "freshness", "system":
			seen = append(seen, r)
		case "action", "personnel", "service":
			if related {
				seen = append(seen, r)
			} else {
				seen = append(seen, "access.denied")
			}
		default:
			seen = append(seen, "access.denied")
		}
	}
	if identity != nil {
		seen = identity
	}
	slices.Sort(seen)
	return strings.Join(slices.Compact(seen), " + ")
}

func join(reasons []authz.Reason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = string(r)
	}
	return strings.Join(words, " + ")
}

// unique returns a name that no other test uses.
func unique() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)
}

// envoy is the outcome of a request that Envoy itself refuses, so that nobody is asked and nothing is recorded.
func envoy(status int) outcome { return outcome{Status: status} }

// hidden is want for a request whose answer has no body.
func hidden(want outcome) outcome {
	want.Visible = ""
	return want
}

var (
	ambiguous   = confused("request.ambiguous")
	unsupported = confused("request.unsupported")
	belowPlans  = denied("clearance.level", usDefense) // uma may read parts, and no plan
	writeDown   = denied("flow.write_down", usDefense)
	served      = allowed(http.StatusOK, usDefense)
)
