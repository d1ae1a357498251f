package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// TestADiskThatBecomesReadOnlyEndsTheLog is what a kernel does with a file system on which it finds an error. A remount is refused while a
// file is open for writing, so the moment itself comes from the seam to the files, and before and after are real where this process
// may mount.
//
// It is not parallel: a process that another test starts holds, for a moment, a copy of each file that is open here.
func TestADiskThatBecomesReadOnlyEndsTheLog(t *testing.T) {
	t.Run("as the kernel does it", func(t *testing.T) {
		top := t.TempDir()
		if err := unix.Mount("tmpfs", top, "tmpfs", 0, "size=16m"); err != nil {
			t.Skipf("this process may not mount (%v): only the seam is tested", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(top, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		l := openLogs(t, audit.Config{Key: signingKey, Dir: filepath.Join(top, "logs"), Reserve: 1}, "us-defense")
		mustAppend(t, l, decision("before", true, "us-defense"))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("", top, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.Open(audit.Config{Key: signingKey, Dir: filepath.Join(top, "logs")}); !errors.Is(err, syscall.EROFS) {
			t.Errorf("opened on a read-only disk: %v", err)
		}
		mustVerify(t, filepath.Join(top, "logs")) // an auditor can still read
		if err := unix.Mount("", top, "", unix.MS_REMOUNT, "size=16m"); err != nil {
			t.Fatal(err)
		}
		l = openLogs(t, audit.Config{Key: signingKey, Dir: filepath.Join(top, "logs"), Reserve: 1}, "us-defense")
		mustAppend(t, l, decision("after", true, "us-defense"))
		if diff := cmp.Diff([]string{"before", "after"}, ids(t, filepath.Join(top, "logs"))["us-defense"]); diff != "" {
			t.Errorf("(-want +have)\n%s", diff)
		}
	})
	t.Run("as a write tells it", func(t *testing.T) {
		dir := t.TempDir()
		d := &disk{log: "us-defense"}
		l := openLogs(t, d.config(dir), "us-defense", "fr-space")
		mustAppend(t, l, decision("before", true, "us-defense"))
		readOnly := func(audit.File, []byte) (int, error) { return 0, syscall.EROFS }
		d.write.Store(&readOnly)
		for range 2 {
			if err := l.Append(t.Context(), decision("lost", true, "us-defense")); !errors.Is(err, syscall.EROFS) {
				t.Errorf("error %v", err)
			}
			d.write.Store(nil) // writable again: the log stays closed until it is opened anew
		}
		if err := l.Ready(); !errors.Is(err, syscall.EROFS) {
			t.Errorf("Ready: %v", err)
		}
		mustAppend(t, l, decision("other", true, "fr-space"))
	})
}

// TestAFullDiskEndsTheLogAndIsRecovered fills a real file system behind the writer's back, past its reserve.
func TestAFullDiskEndsTheLogAndIsRecovered(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this process may not mount (%v); the seam is tested in TestTheFirstErrorEndsALogForGood", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(top, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(top, "logs")
	c := audit.Config{Key: signingKey, Dir: dir, Reserve: 1}.WithFree(func(string) (uint64, error) { return 1 << 30, nil })
	l := openLogs(t, c, "us-defense")
	mustAppend(t, l, decision("before", true, "us-defense"))
	fill, err := os.Create(filepath.Join(top, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = fill.Write(block)
	}
	fill.Close()
	acked := []string{"before"}
	for i := 0; ; i++ {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		if err := l.Append(t.Context(), decision(id, true, "us-defense")); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("error %v", err)
			}
			break
		}
		acked = append(acked, id)
	}
	if err := l.Close(); err == nil {
		t.Error("Close did not fail")
	}
	if err := os.Remove(filepath.Join(top, "fill")); err != nil {
		t.Fatal(err)
	}
	l = openLogs(t, c, "us-defense")
	mustAppend(t, l, decision("after", true, "us-defense"))
	have := ids(t, dir)["us-defense"]
	if len(have) < len(acked)+1 || have[len(have)-1] != "after" {
		t.Errorf("the log has %v, acknowledged were %v", have, acked)
	}
	if diff := cmp.Diff(acked, have[:len(acked)]); diff != "" {
		t.Errorf("(-acknowledged +have)\n%s", diff)
	}
}
