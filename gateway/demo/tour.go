package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

const (
	decisionHeader = "X-Sallyport-Decision-Id"
	traceDelay     = 3 * time.Second  // the store writes a line after it has answered
	jobDelay       = 40 * time.Second // a job ends before
)

// answer is what the client saw and what the log kept of one question.
type answer struct {
	question
	status     int
	body       string
	decisionID string
	record     *authz.Record
}

// tour asks every question through Envoy, prints who asked what and what was decided, and then checks the traces: the answers, the
// records, the store's own log, and the logs as a whole.
func tour(ctx context.Context, l Layout, o Options) error {
	began := time.Now()
	store, err := newTrace("the store", l.StorageAccessLog(), func(q question) int { return q.stored })
	if err != nil {
		return err
	}
	service, err := newTrace("the job service", l.JobsAccessLog(), func(q question) int { return q.served })
	if err != nil {
		return err
	}
	var answers []answer
	var job string // the last that was started
	for _, q := range questions(randomHex(4)) {
		if q.of {
			q.path += job
			if err := awaitJob(ctx, l, job); err != nil {
				return fmt.Errorf("tour: %w", err)
			}
		}
		a, err := ask(ctx, l, o.Ports, q)
		if err != nil {
			return fmt.Errorf("tour: %s, %s: %w", q.who, q.what, err)
		}
		if id := a.job(); id != "" {
			job = id
		}
		answers = append(answers, a)
	}
	others, err := findRecords(l, answers, began)
	if err != nil {
		return err
	}
	fmt.Fprint(o.Out, table(answers))

	var problems []error
	for i, a := range answers {
		if err := a.check(); err != nil {
			problems = append(problems, fmt.Errorf("  %d %s, %s: %w", i+1, a.who, a.what, err))
		}
	}
	if others > 0 {
		problems = append(problems, fmt.Errorf("  the logs have %d decisions that nobody on the tour asked for", others))
	}
	for _, t := range []*trace{store, service} {
		if err := t.check(answers); err != nil {
			problems = append(problems, fmt.Errorf("  %w", err))
		}
	}
	report, verifyErr := audit.Verify(l.Audit())
	fmt.Fprint(o.Out, summary(answers, store.reached, service.reached, report, time.Since(began)))
	if verifyErr != nil {
		return fmt.Errorf("the decision logs did not verify: %w", verifyErr)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w:\n%w", ErrTour, errors.Join(problems...))
	}
	return nil
}

// ask makes the request of q as an ordinary client would.
func ask(ctx context.Context, l Layout, p Ports, q question) (answer, error) {
	base := p.url(p.Storage)
	if q.served > 0 {
		base = p.url(p.Compute)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, base+q.path, strings.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	if q.served > 0 && q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.who != stranger {
		var edits []func(Claims)
		if q.token != nil {
			edits = append(edits, q.token)
		}
		token, err := Token(l.Dir, q.who, edits...)
		if err != nil {
			return answer{}, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if q.purpose != "" {
		req.Header.Set("X-Sallyport-Purpose", q.purpose)
	}
	if q.source != "" {
		req.Header.Set("X-Amz-Copy-Source", q.source)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return answer{}, err
	}
	return answer{question: q, status: resp.StatusCode, body: string(body), decisionID: resp.Header.Get(decisionHeader)}, nil
}

// job returns the id of the job that was started, if one was.
func (a answer) job() string {
	if a.status != http.StatusAccepted {
		return ""
	}
	var s jobs.Status
	json.Unmarshal([]byte(a.body), &s) // else there is no id
	return s.ID
}

// awaitJob waits until the job service has written down that a job ended. Asking it would be one more request to be judged.
func awaitJob(ctx context.Context, l Layout, id string) error {
	ctx, cancel := context.WithTimeout(ctx, jobDelay)
	defer cancel()
	for {
		log, err := os.ReadFile(l.log("jobs"))
		if err != nil {
			return environment("the job service's log: %w", err)
		}
		if id != "" && bytes.Contains(log, []byte(`"msg":"job ended","id":"`+id+`"`)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("job %q does not end: %w", id, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findRecords gives each answer its record, and counts decisions since a time that belong to none.
func findRecords(l Layout, answers []answer, since time.Time) (others int, err error) {
	err = audit.Read(l.Audit(), func(_ string, _ []byte, r authz.Record) error {
		if r.Type != "decision" || r.Time.Before(since) {
			return nil
		}
		i := slices.IndexFunc(answers, func(a answer) bool { return a.decisionID == r.DecisionID })
		if i < 0 || answers[i].record != nil {
			others++
			return nil
		}
		answers[i].record = &r
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("the decision logs did not verify: %w", err)
	}
	return others, nil
}

// check compares what was decided with what must be.
func (a answer) check() error {
	if a.decisionID == "" {
		return fmt.Errorf("the answer, %d, names no decision", a.status)
	}
	if a.record == nil {
		return fmt.Errorf("there is no record of decision %s", a.decisionID)
	}
	want := "allow"
	if len(a.reasons) > 0 {
		want = join(a.reasons)
	}
	have := "allow"
	if !a.record.Allow {
		have = join(a.record.Reasons)
	}
	if have != want {
		return fmt.Errorf("want %s, have %s (%s)", want, have, a.record.Detail)
	}
	if success := a.status/100 == 2; success != a.record.Allow {
		return fmt.Errorf("the log says %s, the client got status %d", have, a.status)
	}
	if !strings.Contains(a.body, a.says) {
		return fmt.Errorf("the answer does not say %s: %s", a.says, a.body)
	}
	return nil
}

func join(reasons []authz.Reason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = string(r)
	}
	return strings.Join(words, " + ")
}
