package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// How often a long work says how far it is: on a terminal as a bar in place, else as a line.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

// working is a reader of logs that shows on c's standard error how far it is.
func working(c *cobra.Command) audit.Reader { return audit.Reader{Progress: progress(c.ErrOrStderr())} }

// progress returns what shows how far a long work is. A short one says nothing.
func progress(w io.Writer) func(log string, done, all uint64) {
	began := time.Now()
	last, every, terminal := began, lineEvery, isTerminal(w)
	if terminal {
		every = barEvery
	}
	return func(log string, done, all uint64) {
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		all = max(all, done) // lines after the checkpoint
		full := int(done * barWidth / all)
		text := fmt.Sprintf("%s [%s%s] %d of %d lines, %.0f s", log, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, all, time.Since(began).Seconds())
		if !terminal {
			fmt.Fprintln(w, text)
			return
		}
		fmt.Fprintf(w, "\r\x1b[K%s", text)
		if done+uint64(barWidth) > all {
			fmt.Fprint(w, "\r\x1b[K")
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
