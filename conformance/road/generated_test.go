package road_test

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	generated = flag.Int("generated", 1200, "how many generated requests to make")
	seed      = flag.Uint64("seed", 0, "of the generated requests; 0 is a new one")
)

// TestTheStoreDoesWhatTheAdapterSays makes generated requests and holds each to this: if it was denied, nothing reached the store; if it
// was allowed, the store's log names the operation, the bucket and the key that were judged, its files changed only where a judged
// access writes, and what the caller got is the content that was judged. Whatever differs is a hole.
func TestTheStoreDoesWhatTheAdapterSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := cmp.Or(*seed, rand.Uint64())
	t.Logf("%d requests, seed %d: go test ./conformance/road -run AdapterSays -generated %d -seed %d", *generated, s, *generated, s)
	c := &comparer{w: w, t: t, operations: map[string]int{}, codes: map[string]int{}, reasons: map[string]int{}}
	c.g = &generator{Rand: rand.New(rand.NewPCG(s, 1)), storage: w.storage(), token: w.token(t, "sam")}
	modules, err := filepath.Glob(filepath.Join(w.Storage(), "*", "module.wasm"))
	nested, err2 := filepath.Glob(filepath.Join(w.Storage(), "*", "*", "module.wasm"))
	if err != nil || err2 != nil || len(modules) == 0 {
		t.Fatal(err, err2)
	}
	for _, path := range append(modules, nested...) { // megabytes that would be read before and after each request
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	c.lines = size(t, w.StorageAccessLog()) // what came before is the set-up's
	began := time.Now()
	for i := range *generated {
		if i%1000 == 999 {
			c.g.token = w.token(t, "sam")
		}
		c.one()
		if t.Failed() {
			break
		}
	}
	c.close()
	t.Logf("%v; allowed by operation: %v; the store's error codes: %v; denied by reason: %v", time.Since(began).Round(time.Second), c.operations, c.codes, c.reasons)
	if c.operations["GetObject"] == 0 || c.operations["PutObject"] == 0 || c.operations["CopyObject"] == 0 || c.operations["DeleteObjects"] == 0 {
		t.Error("an operation was never allowed, so nothing was compared")
	}
	if err := w.settle(); err != nil {
		t.Error(err)
	}
}

type comparer struct {
	w *world
	t *testing.T
	g *generator

	conn   net.Conn
	reader *bufio.Reader
	lines  int64 // of the store's log, how far it was read
	rest   []byte

	operations, codes, reasons map[string]int
}

// file is what can be seen of an object from outside the store.
type file struct {
	content string
	changed time.Time
}

// one makes a request and compares.
func (c *comparer) one() {
	before := c.files()
	c.g.keys = slices.Sorted(maps.Keys(before))
	method, wire := c.g.next()
	a, ok := c.send(method, wire)
	after := c.files()
	fail := func(format string, args ...any) {
		c.t.Helper()
		c.t.Errorf("%s\n%s\n→ %d %.300q", fmt.Sprintf(format, args...), strings.ReplaceAll(wire, c.g.token, "TOKEN"), a.status, a.body)
	}
	if strings.Contains(a.body, "SignatureDoesNotMatch") {
		fail("the store read another request than was signed")
	}
	changed := differing(before, after)
	if id := a.decision(); !ok || id == "" {
		if len(changed) > 0 {
			fail("nobody decided, and %q changed", changed)
		}
		return
	}
	records, reached, err := c.w.traces.of(a.decision())
	if err != nil || len(records) == 0 {
		fail("no record: %v", err)
		return
	}
	r := records[0]
	lines := c.log(r.DecisionID, reached)
	if !r.Allow {
		for _, reason := range r.Reasons {
			c.reasons[string(reason)]++
		}
		if reached != 0 || len(changed) > 0 {
			fail("denied (%v), and yet the store was reached %d times and %q changed", r.Reasons, reached, changed)
		}
		return
	}
	operation := r.Request.Operation
	c.operations[operation]++
	if reached != 1 || len(lines) != 1 {
		fail("allowed, and the store was reached %d times", reached)
		return
	}
	writable := map[string]bool{}
	var judged []string // the paths of the accesses
	for _, access := range r.Accesses {
		path := strings.TrimPrefix(access.Resource, "s3://")
		judged = append(judged, path)
		if access.Action != "read" && access.Action != "list" {
			writable[path] = true
		}
	}
	last := judged[len(judged)-1]
	bucket, key, _ := strings.Cut(last, "/")
	if operation == "DeleteObjects" || r.Accesses[0].Action == "list" && !strings.Contains(operation, "Parts") {
		key = "-"
	}
	logged := key + " "
	if before, _, found := strings.Cut(key, "?"); found && strings.Contains(lines[0], "?***") {
		logged = before + "?" // the demo masks what could be a query with a signature
	}
	if m := storeLine.FindStringSubmatch(lines[0]); m == nil || m[1] != bucket || m[2] != operation || !strings.HasPrefix(m[3], logged) {
		fail("judged as %s of %s %q, and the store says %s", operation, bucket, key, lines[0])
	} else if code := m[4]; code != "-" {
		c.codes[code]++
	}
	for _, path := range changed {
		if !writable[path] && !writable[path+"/"] {
			fail("%s of %q changed %q", operation, judged, path)
		}
	}
	c.content(operation, judged, before, after, a, fail)
	if operation == "CreateMultipartUpload" && a.status == http.StatusOK {
		_, id, _ := strings.Cut(a.body, "<UploadId>")
		id, _, _ = strings.Cut(id, "</UploadId>")
		c.g.uploads = append(c.g.uploads, key+"?"+id)
	}
}

// content compares what the caller got, or what was copied, with what was judged.
func (c *comparer) content(operation string, judged []string, before, after map[string]file, a answer, fail func(string, ...any)) {
	switch {
	case operation == "GetObject" && a.status == http.StatusOK && before[judged[0]].content != a.body:
		fail("judged as a read of %q, which holds %.100q", judged[0], before[judged[0]].content)
	case operation == "CopyObject" && a.status == http.StatusOK && after[judged[1]].content != before[judged[0]].content:
		fail("judged as a copy of %q to %q, which holds %.100q and not %.100q", judged[0], judged[1], after[judged[1]].content, before[judged[0]].content)
	case strings.HasPrefix(operation, "ListObject") && a.status == http.StatusOK:
		var list struct {
			EncodingType string
			Contents     []struct{ Key string }
			Version      []struct{ Key string }
			Prefixes     []struct{ Prefix string } `xml:"CommonPrefixes"`
		}
		if err := xml.Unmarshal([]byte(a.body), &list); err != nil {
			fail("a list that can't be read: %v", err)
		}
		var names []string
		for _, k := range append(list.Contents, list.Version...) {
			names = append(names, k.Key)
		}
		for _, p := range list.Prefixes {
			names = append(names, p.Prefix)
		}
		bucket, prefix, _ := strings.Cut(judged[0], "/")
		for _, name := range names {
			if list.EncodingType == "url" {
				name, _ = url.QueryUnescape(name)
			}
			if !strings.HasPrefix(name, prefix) {
				fail("judged as a list of %q below %q, which reveals %q", bucket, prefix, name)
			}
		}
	}
}

// storeLine finds bucket, operation, key and what follows it, and the error code in a line of the store's log.
var storeLine = regexp.MustCompile(`^\S+ (\S+) \[[^\]]*\] \S+ \S+ \S+ s3_(\S+) (.* \d{3} (\S.*?) \d+ \d+ \d+ \d+ .*)$`)

// log returns the lines of the store's log that name a decision, among those that are new; it waits for n of them.
func (c *comparer) log(id string, n int) (lines []string) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		f, err := os.Open(c.w.StorageAccessLog())
		if err != nil {
			c.t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(f, c.lines, 1<<30))
		f.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		c.lines += int64(len(b))
		c.rest = append(c.rest, b...)
		for {
			i := slices.Index(c.rest, '\n')
			if i < 0 {
				break
			}
			line := string(c.rest[:i])
			c.rest = c.rest[i+1:]
			if strings.Contains(line, " "+id+" ") {
				lines = append(lines, line)
			} else {
				c.t.Errorf("a line of the store's log that belongs to no allowed request: %s", line)
			}
		}
		if len(lines) >= n || time.Now().After(deadline) {
			return lines
		}
	}
}

// send writes a request as it stands; ok tells that an answer came.
func (c *comparer) send(method, wire string) (answer, bool) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.w.storage())
		if err != nil {
			c.t.Fatal(err)
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := io.WriteString(c.conn, wire)
	if err != nil {
		c.close()
		return answer{header: http.Header{}}, false
	}
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(c.reader, &http.Request{Method: method})
	}
	if err != nil {
		c.close()
		return answer{header: http.Header{}}, false
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.Close || resp.StatusCode/100 != 2 { // whether a refused body was read is not known
		c.close()
	}
	return answer{resp.StatusCode, resp.Header, string(body)}, true
}

func (c *comparer) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// files returns every object in the store by bucket/key, and what lies beside the buckets. What the store keeps for itself is left out.
func (c *comparer) files() map[string]file {
	files := map[string]file{}
	err := filepath.WalkDir(c.w.Storage(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		name, _ := filepath.Rel(c.w.Storage(), path)
		if d.IsDir() {
			if d.Name() == ".sgwtmp" || d.Name() == ".vgwlocks" {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		b, _ := os.ReadFile(path)
		files[filepath.ToSlash(name)] = file{string(b), info.ModTime()}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return files
}

// differing returns the paths that are not alike.
func differing(before, after map[string]file) (paths []string) {
	for path, f := range before {
		if g, ok := after[path]; !ok || g != f {
			paths = append(paths, path)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			paths = append(paths, path)
		}
	}
	return paths
}
