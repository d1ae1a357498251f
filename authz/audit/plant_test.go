package audit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// plant makes a log of a tenant that was signed when it was empty, and puts text into one of its files, by default into its first
// segment. So what is in it depends on lines alone.
func plant(t testing.TB, dir, tenant string, text []byte, file ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, tenant)); err != nil {
		template, err := emptyLogs(tenant)
		for _, log := range []string{"gateway", tenant} {
			to := filepath.Join(dir, log)
			if _, statErr := os.Stat(to); err != nil || statErr == nil {
				continue
			}
			var files fs.FS
			if files, err = fs.Sub(template, log); err == nil {
				err = os.CopyFS(to, files)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path := segment(dir, tenant, 0)
	if len(file) > 0 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, tenant, file[0])
	}
	writeFile(t, path, text)
}

var templates sync.Map // of emptyLogs, by tenant

// emptyLogs returns the files of a gateway's and a tenant's log without lines. They are made once: making them waits for the disk.
func emptyLogs(tenant string) (fs.FS, error) {
	if have, ok := templates.Load(tenant); ok {
		return have.(fs.FS), nil
	}
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l, err := audit.Open(audit.Config{Key: signingKey, Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(l.Use([]string{tenant}), l.Close()); err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = &fstest.MapFile{Data: b, Mode: 0o600}
		return err
	})
	templates.Store(tenant, files)
	return files, err
}

// rewind puts back the checkpoint of the log when it was empty, as a crash can leave it that came before the next.
func rewind(t testing.TB, dir, tenant string) {
	t.Helper()
	name, _, _ := strings.Cut(string(readFile(t, filepath.Join(dir, tenant, "key.pub"))), "+")
	var empty tlog.Tree
	signed, err := tlog.Checkpoint{Origin: name, Root: empty.Root()}.Sign(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, tenant, "checkpoint"), signed)
}
