package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// trace is what an upstream has written down of the requests that reached it since the tour began.
type trace struct {
	upstream, path string
	offset         int64
	leads          func(question) int // how many requests reach the upstream by the decision, if it is an allow
	reached        int                // all of them, once check has read the trace
}

func newTrace(upstream, path string, leads func(question) int) (*trace, error) {
	offset, err := size(path)
	return &trace{upstream: upstream, path: path, offset: offset, leads: leads}, err
}

// check reads the trace. Each decision that allowed must be in it as often as it leads to the upstream, and nothing else.
func (t *trace) check(answers []answer) error {
	want, total := map[string]int{}, 0
	for _, a := range answers {
		if n := t.leads(a.question); n > 0 && a.record != nil && a.record.Allow {
			want[a.decisionID] = n
			total += n
		}
	}
	var have map[string]int
	for deadline := time.Now().Add(traceDelay); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if have, err = decisions(t.path, t.offset); err != nil {
			return fmt.Errorf("the log of %s: %w", t.upstream, err)
		}
		t.reached = 0
		for _, n := range have {
			t.reached += n
		}
		if t.reached >= total || time.Now().After(deadline) {
			break
		}
	}
	for id, n := range have {
		if want[id] == 0 {
			return fmt.Errorf("a request that no decision allowed reached %s: %s in %s", t.upstream, id, t.path)
		}
		if n > want[id] {
			return fmt.Errorf("decision %s was used %d times at %s, and is good for %d", id, n, t.upstream, want[id])
		}
	}
	if t.reached < total {
		return fmt.Errorf("%d requests were allowed to reach %s and %d did", total, t.upstream, t.reached)
	}
	return nil
}

// decisions counts the lines of a log from offset by the decision that they name; a line that names none counts as itself.
func decisions(path string, offset int64) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, environment("%w", err)
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, environment("%w", err)
	}
	n := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		n[decision(lines.Text())]++
	}
	return n, lines.Err()
}

// decision finds the decision id in a line. Its fields are parted by spaces, which keys can hold too.
func decision(line string) string {
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
