package demo

import (
	"bufio"
	"context"
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
)

const (
	decisionHeader = "X-Sallyport-Decision-Id"
	storeLogDelay  = 3 * time.Second // the store writes a line after it has answered
)

// answer is what the client saw and what the log kept of one question.
type answer struct {
	question
	status     int
	decisionID string
	record     *authz.Record
}

// tour asks every question through Envoy, prints who asked what and what was decided, and then checks the traces: the answers, the
// records, the store's own log, and the logs as a whole.
func tour(ctx context.Context, l Layout, o Options) error {
	began := time.Now()
	offset, err := size(l.StorageAccessLog())
	if err != nil {
		return err
	}
	var answers []answer
	for _, q := range questions(randomHex(4)) {
		a, err := ask(ctx, l, o.Ports, q)
		if err != nil {
			return fmt.Errorf("tour: %s, %s: %w", q.who, q.what, err)
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
	reached, err := checkStore(l, offset, answers)
	if err != nil {
		problems = append(problems, fmt.Errorf("  %w", err))
	}
	report, verifyErr := audit.Verify(l.Audit())
	fmt.Fprint(o.Out, summary(answers, reached, report, time.Since(began)))
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
	req, err := http.NewRequestWithContext(ctx, q.method, p.url(p.Storage)+q.path, strings.NewReader(q.body))
	if err != nil {
		return answer{}, err
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
	if q.source != "" {
		req.Header.Set("X-Amz-Copy-Source", q.source)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return answer{}, err
	}
	return answer{question: q, status: resp.StatusCode, decisionID: resp.Header.Get(decisionHeader)}, nil
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
	return nil
}

// checkStore reads what the store wrote down since offset, and counts the requests that reached it: each allowed one once, and
// nothing else.
func checkStore(l Layout, offset int64, answers []answer) (reached int, err error) {
	want := map[string]int{}
	for _, a := range answers {
		if a.record != nil && a.record.Allow {
			want[a.decisionID] = 1
		}
	}
	var have map[string]int
	for deadline := time.Now().Add(storeLogDelay); ; time.Sleep(20 * time.Millisecond) {
		if have, err = referers(l.StorageAccessLog(), offset); err != nil {
			return 0, err
		}
		if len(have) >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	for id, n := range have {
		reached += n
		if want[id] == 0 {
			return reached, fmt.Errorf("a request that no decision allowed reached the store: %s in %s", id, l.StorageAccessLog())
		}
		if n > 1 {
			return reached, fmt.Errorf("decision %s was used %d times at the store", id, n)
		}
	}
	if len(have) < len(want) {
		return reached, fmt.Errorf("%d requests were allowed and %d reached the store", len(want), len(have))
	}
	return reached, nil
}

// referers counts the lines of the store's log from offset by the decision that they name; a line that names none counts as itself.
func referers(path string, offset int64) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, environment("the store's log: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, environment("the store's log: %w", err)
	}
	n := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		n[referer(lines.Text())]++
	}
	return n, lines.Err()
}

// referer finds the decision id in a line of the store's log. Its fields are parted by spaces, which keys can hold too.
func referer(line string) string {
	for _, f := range strings.Fields(line) {
		if isDecisionID(f) {
			return f
		}
	}
	return line
}

// isDecisionID reports whether s is 128 bits in hex.
func isDecisionID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

func size(path string) (int64, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, environment("%w", err)
	}
	return fi.Size(), nil
}

func join(reasons []authz.Reason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = string(r)
	}
	return strings.Join(words, " + ")
}
