package road_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// traces are what requests leave behind: the records of the decision logs and the lines of the logs of the store and the job
// service, read as an auditor with jq and grep would.
type traces struct {
	layout demo.Layout

	mu      sync.Mutex
	offsets map[string]int64  // by file, what has been read
	records map[string][]kept // by decision id
	objects map[string]int    // of the store's that a decision names, by log and decision id
	served  map[string]int    // lines of the store's log, by the decision id in them
	ran     map[string]int    // lines of the job service's, likewise
	strange []string          // lines of both that name no decision
}

// kept is a record and the log that keeps it.
type kept struct {
	log string
	authz.Record
}

// newTraces reads from now on: what the set-up did at the store is not a request.
func newTraces(l demo.Layout) (*traces, error) {
	t := &traces{layout: l, offsets: map[string]int64{}, records: map[string][]kept{}, objects: map[string]int{}, served: map[string]int{}, ran: map[string]int{}}
	fi, err := os.Stat(l.StorageAccessLog())
	if err != nil {
		return nil, err
	}
	t.offsets[l.StorageAccessLog()] = fi.Size()
	return t, nil
}

// read takes in what is new.
func (t *traces) read() error {
	segments, err := filepath.Glob(filepath.Join(t.layout.Audit(), "*", "*.jsonl"))
	if err != nil {
		return err
	}
	for _, path := range segments {
		log := filepath.Base(filepath.Dir(path))
		err := t.eachLine(path, func(line []byte) error {
			var r authz.Record
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("%s: %w in %s", path, err, line)
			}
			for _, a := range r.Accesses {
				if strings.HasPrefix(a.Resource, "s3://") {
					t.objects[log+" "+r.DecisionID]++
				}
			}
			if r.Part == nil || r.Part[0] == r.Part[1] { // a decision of several lines is one record
				t.records[r.DecisionID] = append(t.records[r.DecisionID], kept{log, r})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(t.upstream(t.layout.StorageAccessLog(), t.served), t.upstream(t.layout.JobsAccessLog(), t.ran))
}

// upstream takes in the log of an upstream.
func (t *traces) upstream(path string, reached map[string]int) error {
	return t.eachLine(path, func(line []byte) error {
		switch id := decisionID.FindString(string(line) + " "); {
		case id != "":
			reached[strings.TrimSpace(id)]++
		case !strings.Contains(string(line), " readiness-probe "): // the gateway's own
			t.strange = append(t.strange, path+": "+string(line))
		}
		return nil
	})
}

// decisionID is a field of an upstream's log, whose fields are parted by spaces.
var decisionID = regexp.MustCompile(` [0-9a-f]{32} `)

// eachLine calls f with each new and whole line of a file.
func (t *traces) eachLine(path string, f func([]byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, fi.Size()-t.offsets[path])
	if _, err := file.ReadAt(b, t.offsets[path]); err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return nil
		}
		t.offsets[path] += int64(len(line)) + 1
		if err := f(line); err != nil {
			return err
		}
		b = rest
	}
}

// of returns the records of a decision and how often it got to the upstream that it was for. The store writes its line after it has
// answered, so of an allowed request we wait for one.
func (t *traces) of(id string) (records []kept, reached int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if err := t.read(); err != nil {
			return nil, 0, err
		}
		records, reached = t.records[id], t.served[id]+t.ran[id]
		if slices.ContainsFunc(records, kept.isJobs) {
			reached = t.ran[id]
		}
		allowed := slices.ContainsFunc(records, kept.allows)
		if reached > 0 || !allowed || time.Now().After(deadline) {
			return records, reached, nil
		}
	}
}

func (k kept) allows() bool { return k.Allow }
func (k kept) isJobs() bool { return k.Request != nil && k.Request.Protocol == "jobs" }

// uses is how many requests at the store a decision is good for: its own, or one for each object of a job.
func (t *traces) uses(k kept) int {
	if !k.isJobs() {
		return 1
	}
	return t.objects[k.log+" "+k.DecisionID]
}

// reached counts all requests that reached the store.
func (t *traces) reached() (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.read(); err != nil {
		return 0, err
	}
	n := len(t.strange)
	for _, served := range t.served {
		n += served
	}
	return n, nil
}

// settle checks what holds of all requests together: whatever reached the store or the job service was allowed before, and no
// decision was used more often than it is good for.
func (w *world) settle() error {
	t := w.traces
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.read(); err != nil {
		return err
	}
	var problems []error
	for _, line := range t.strange {
		problems = append(problems, fmt.Errorf("a request without a decision reached an upstream: %s", line))
	}
	for id, n := range t.served {
		i := slices.IndexFunc(t.records[id], kept.allows)
		if i < 0 {
			problems = append(problems, fmt.Errorf("the store served %s, which no record allows", id))
		} else if most := t.uses(t.records[id][i]); n > most {
			problems = append(problems, fmt.Errorf("the store served decision %s %d times, which is good for %d", id, n, most))
		}
	}
	for id, n := range t.ran {
		if n != 1 || !slices.ContainsFunc(t.records[id], func(k kept) bool { return k.Allow && k.isJobs() }) {
			problems = append(problems, fmt.Errorf("the job service took %s %d times: want once, and a record that allows it", id, n))
		}
	}
	return errors.Join(append(problems, w.leaks())...)
}

// credential is what no file may hold that others than the gateway and Envoy read: a token, or a signature.
var credential = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|(?i:signature)=[0-9a-f]{16,}`)

// leaks looks for credentials and keys in all logs.
func (w *world) leaks() error {
	var secrets []string
	for _, path := range []string{w.Mark(), w.StorageSecret("root"), w.StorageSecret("us-defense"), w.StorageSecret("fr-space")} {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		secrets = append(secrets, string(b))
	}
	var problems []error
	for _, dir := range []string{w.Audit(), filepath.Dir(w.EnvoyAccessLog())} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if m := credential.Find(b); m != nil {
				problems = append(problems, fmt.Errorf("%s holds a credential: %.20s…", path, m))
			}
			for _, s := range secrets {
				if bytes.Contains(b, []byte(s)) {
					problems = append(problems, fmt.Errorf("%s holds a key", path))
				}
			}
			if bytes.Contains(b, []byte("SignatureDoesNotMatch")) {
				problems = append(problems, fmt.Errorf("%s: the store computed another signature than the gateway, and told the client which", path))
			}
			return nil
		})
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
