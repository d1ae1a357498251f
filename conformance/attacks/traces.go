package attacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// record is what the suite reads of a line of a decision log, see FORMAT.md.
type record struct {
	log        string
	DecisionID string   `json:"decision_id"`
	Allow      bool     `json:"allow"`
	Reasons    []string `json:"reasons"`
	Part       []int    `json:"part"`
	Request    struct {
		Protocol, Operation, Path string
	} `json:"request"`
	Bundle struct {
		Digest string `json:"digest"`
	} `json:"bundle"`
	Accesses []struct {
		Resource string          `json:"resource"`
		Allow    bool            `json:"allow"`
		Unproven []string        `json:"unproven"`
		Input    json.RawMessage `json:"input"`
	} `json:"accesses"`
}

// served is a line of the store's log.
type served struct {
	line, operation, path string
}

// traces are what the cases leave behind: the records of the decision logs, and the lines of the store's log by decision.
type traces struct {
	dir     string
	offsets map[string]int64
	records map[string][]record
	served  map[string][]served
	strange []string // lines of the store's log that name no decision
}

// newTraces reads from now on.
func newTraces(dir string) (*traces, error) {
	t := &traces{dir: dir, offsets: map[string]int64{}, records: map[string][]record{}, served: map[string][]served{}}
	paths, err := t.paths()
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		fi, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		t.offsets[p] = fi.Size()
	}
	return t, nil
}

func (t *traces) store() string { return filepath.Join(t.dir, "logs", "storage-access.log") }

func (t *traces) paths() ([]string, error) {
	segments, err := filepath.Glob(filepath.Join(t.dir, "audit", "*", "*.jsonl"))
	if err == nil && len(segments) == 0 {
		err = fmt.Errorf("%s has no decision logs", filepath.Join(t.dir, "audit"))
	}
	return append(segments, t.store()), err
}

// read takes in what is new.
func (t *traces) read() error {
	paths, err := t.paths()
	if err != nil {
		return err
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		b = b[min(t.offsets[p], int64(len(b))):]
		end := bytes.LastIndexByte(b, '\n') + 1
		t.offsets[p] += int64(end)
		for line := range bytes.Lines(b[:end]) {
			if p == t.store() {
				t.upstream(string(line))
				continue
			}
			r := record{log: filepath.Base(filepath.Dir(p))}
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("%s: %w in %.200s", p, err, line)
			}
			t.records[r.DecisionID] = append(t.records[r.DecisionID], r)
		}
	}
	return nil
}

// storeLine is a line of the store's log, in the form of S3's server access logs: … operation key path status … referer ….
var storeLine = regexp.MustCompile(` s3_(\w+) \S+ (\S+) \d+ .* ([0-9a-f]{32}) `)

func (t *traces) upstream(line string) {
	if m := storeLine.FindStringSubmatch(line); m != nil {
		t.served[m[3]] = append(t.served[m[3]], served{line, m[1], m[2]})
	} else if !strings.Contains(line, " readiness-probe ") { // the gateway's own
		t.strange = append(t.strange, line)
	}
}

// of returns the records of a decision, one a log, and what reached the store of it. The store writes its line after it has answered,
// so of an allowed request it waits for one.
func (t *traces) of(id string) (records []record, reached []served, err error) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := t.read(); err != nil {
			return nil, nil, err
		}
		records, reached = t.records[id], t.served[id]
		if len(reached) > 0 || !slices.ContainsFunc(records, func(r record) bool { return r.Allow }) || time.Now().After(deadline) {
			return records, reached, nil
		}
	}
}

// credential is what no log may hold: a token, or a signature.
var credential = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|(?i:signature)=[0-9a-f]{16,}`)

// invariants returns what is wrong with all that the cases left behind, see the package's comment.
func (t *traces) invariants(w World) map[string][]string {
	wrong := map[string][]string{"I1": {}, "I2": {}, "I3": {}, "I4": {}, "I5": {}}
	add := func(i, format string, args ...any) { wrong[i] = append(wrong[i], fmt.Sprintf(format, args...)) }
	if err := t.read(); err != nil {
		add("I1", "%v", err)
	}
	for _, line := range t.strange {
		add("I1", "a request without a decision reached the store: %s", line)
	}
	for id, lines := range t.served {
		i := slices.IndexFunc(t.records[id], func(r record) bool { return r.Allow })
		if i < 0 {
			add("I1", "the store served %s, which no record allows", id)
			continue
		}
		r := t.records[id][i]
		if r.Request.Protocol == "s3" && len(lines) > 1 {
			add("I1", "the store served decision %s %d times", id, len(lines))
		}
		for _, l := range lines {
			if r.Request.Protocol == "s3" && (l.operation != r.Request.Operation || l.path != r.Request.Path && l.path != "-") {
				add("I3", "decision %s is about %s %s, and the store did %s %s", id, r.Request.Operation, r.Request.Path, l.operation, l.path)
			}
		}
	}
	for _, i := range w.skipped() {
		add("I2", "%s", i)
	}
	paths, err := t.paths()
	if err != nil {
		add("I4", "%v", err)
	}
	for _, p := range append(paths, filepath.Join(t.dir, "logs", "envoy-access.jsonl")) {
		b, err := os.ReadFile(p)
		if err != nil {
			add("I4", "%v", err)
		}
		if m := credential.Find(b); m != nil {
			add("I4", "%s holds a credential: %.20s…", p, m)
		}
		if p == t.store() && bytes.Contains(b, []byte("SignatureDoesNotMatch")) {
			add("I4", "%s: the store computed another signature than the gateway, and told the client which", p)
		}
	}
	for id, records := range t.records {
		for _, r := range records {
			for _, a := range r.Accesses {
				if a.Input == nil { // policy was not asked: an earlier step refused
					continue
				}
				allow, unproven, err := w.Replay(r.Bundle.Digest, a.Input)
				slices.Sort(unproven)
				if err != nil || allow != a.Allow || !slices.Equal(unproven, a.Unproven) {
					add("I5", "decision %s on %s: recorded %v %v, evaluated again %v %v %v", id, a.Resource, a.Allow, a.Unproven, allow, unproven, err)
				}
			}
		}
	}
	return wrong
}

// errNoEnvoy says that Envoy's statistics can't be had.
var errNoEnvoy = errors.New("Envoy's admin interface does not answer")
