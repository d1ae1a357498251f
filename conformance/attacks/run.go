package attacks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// World is a running demo world.
type World struct {
	Target string // host:port of Envoy's storage listener
	Dir    string // the world's folder
	Token  func(person string) (string, error)
	// Replay evaluates a recorded policy input again, with the bundle of that digest.
	Replay func(bundle string, input json.RawMessage) (allow bool, unproven []string, err error)
}

// Result is what came of a case.
type Result struct {
	Name       string   `json:"name"`
	Flags      []string `json:"flags"`
	Passed     bool     `json:"passed"`
	Status     int      `json:"status"`
	DecisionID string   `json:"decision_id,omitempty"`
	Problems   []string `json:"problems"`
}

// Report is what came of a run.
type Report struct {
	Version    string              `json:"version"` // of the suite
	Target     string              `json:"target"`
	Started    time.Time           `json:"started"`
	Reproduce  string              `json:"reproduce"`
	Passed     int                 `json:"passed"`
	Failed     int                 `json:"failed"`
	Results    []Result            `json:"results"`
	Invariants map[string][]string `json:"invariants"` // what breaks each; empty lists are good
}

// OK reports whether every case passed and every invariant holds.
func (r Report) OK() bool {
	for _, broken := range r.Invariants {
		if len(broken) > 0 {
			return false
		}
	}
	return r.Failed == 0 && r.Passed > 0
}

// Run plays cases one after the other, tells progress of each result, and then checks the invariants over all that they left behind.
func Run(w World, version string, cases []Case, progress func(Result)) (Report, error) {
	report := Report{
		Version: version, Target: w.Target, Started: time.Now().UTC(), Results: []Result{},
		Reproduce: fmt.Sprintf("sallyport conformance run --target %s --dir %s", w.Target, w.Dir),
	}
	t, err := newTraces(w.Dir)
	if err != nil {
		return report, err
	}
	for _, c := range cases {
		r := w.play(c, t)
		if r.Passed = len(r.Problems) == 0; r.Passed {
			report.Passed++
		} else {
			report.Failed++
		}
		report.Results = append(report.Results, r)
		progress(r)
	}
	report.Invariants = t.invariants(w)
	return report, nil
}

// play sends one case and holds what comes of it against what must.
func (w World) play(c Case, t *traces) Result {
	r := Result{Name: c.Name, Flags: c.Flags, Problems: []string{}}
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	token := ""
	var err error
	if c.As != "" {
		if token, err = w.Token(c.As); err != nil {
			problem("%v", err)
			return r
		}
	}
	request, err := scene{w, newUnique()}.render(c.request)
	if err != nil {
		problem("the request: %v", err)
		return r
	}
	a, err := send(w.Target, c.Protocol, request, token)
	if err != nil {
		problem("%v", err)
		return r
	}
	r.Status, r.DecisionID = a.status, a.header.Get("x-sallyport-decision-id")
	if a.status != c.Expect.Status {
		problem("status %d, want %d: %.300s", a.status, c.Expect.Status, a.body)
	}
	if c.Expect.Outcome == "envoy" {
		if r.DecisionID != "" {
			problem("decision %s, where Envoy refuses by itself", r.DecisionID)
		}
		return r
	}
	if r.DecisionID == "" {
		problem("no x-sallyport-decision-id")
		return r
	}
	records, reached, err := t.of(r.DecisionID)
	if err != nil {
		problem("%v", err)
	}
	var logs []string
	for _, k := range records {
		logs = append(logs, k.log)
		if k.Allow != (c.Expect.Outcome == "allow") || !slices.Equal(k.Reasons, append([]string{}, c.Expect.Reasons...)) {
			problem("the record of log %s says allow %v, reasons %v; want %s, %v", k.log, k.Allow, k.Reasons, c.Expect.Outcome, c.Expect.Reasons)
		}
	}
	if !slices.Equal(slices.Compact(logs), []string{c.Expect.Log}) {
		problem("records in the logs %v, want one in %s", logs, c.Expect.Log)
	}
	if n := len(reached); (n == 1) != (c.Expect.Outcome == "allow") {
		problem("%d requests of it reached the store", n)
	}
	return r
}

// skipped returns what Envoy counts of checks that it did not make, or whose failure it ignored.
func (w World) skipped() []string {
	var ready struct {
		Addresses map[string]string `json:"addresses"`
	}
	b, err := os.ReadFile(filepath.Join(w.Dir, "ready.json"))
	if err == nil {
		err = json.Unmarshal(b, &ready)
	}
	if err != nil {
		return []string{err.Error()}
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + ready.Addresses["admin"] + "/stats?filter=ext_authz")
	if err != nil {
		return []string{errNoEnvoy.Error() + ": " + err.Error()}
	}
	defer resp.Body.Close()
	var out []string
	checked := false
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		checked = checked || strings.HasSuffix(name, ".ext_authz.ok")
		for _, bad := range []string{".disabled", ".failure_mode_allowed", ".shadow_denied", ".shadow_error"} {
			if strings.HasSuffix(name, ".ext_authz"+bad) && value != "0" {
				out = append(out, name+" is "+value)
			}
		}
	}
	if !checked {
		out = append(out, errNoEnvoy.Error())
	}
	return out
}
