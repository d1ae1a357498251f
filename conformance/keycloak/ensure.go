package keycloak

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// Version is the one that the tests were written against.
	Version = "26.7.3"

	artifact = "org.keycloak:keycloak-quarkus-dist:" + Version + ":zip"
	digest   = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f" // SHA-256 of the zip
	maxZip   = 1 << 30                                                            // unpacked

	passwordFile  = "admin.password"
	emptyDatabase = "empty/keycloakdb.mv.db" // as Keycloak makes it at its first start, which takes most of that
)

// Ensure returns the folder of a Keycloak that is ready to start, which is made in toolsDir where it is missing: fetched, checked,
// built, and started once to make its database.
func Ensure(ctx context.Context, toolsDir string, progress io.Writer) (home string, err error) {
	if err := java(ctx); err != nil {
		return "", err
	}
	if toolsDir, err = filepath.Abs(toolsDir); err != nil {
		return "", err
	}
	home = filepath.Join(toolsDir, "keycloak-"+Version)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	if err := os.MkdirAll(toolsDir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(home+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // waits for a process that makes it now
		return "", err
	}
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	tmp, err := os.MkdirTemp(toolsDir, "keycloak-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(progress, "  keycloak: %3.0f s: %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(progress, "making Keycloak %s ready: once, 177 MB\n", Version)
	if err := fetch(ctx, tmp); err != nil {
		return "", fmt.Errorf("fetching Keycloak: %w", err)
	}
	say("fetched and unpacked; building")
	made := filepath.Join(tmp, "keycloak-"+Version)
	if err := command(ctx, environment(), filepath.Join(made, "bin", "kc.sh"), "build", "--db=dev-file", "--cache=local", "--health-enabled=false", "--metrics-enabled=false"); err != nil {
		return "", fmt.Errorf("building Keycloak: %w", err)
	}
	say("built; making its database")
	if err := initialize(ctx, made); err != nil {
		return "", fmt.Errorf("starting Keycloak for the first time: %w", err)
	}
	say("ready")
	return home, os.Rename(made, home)
}

// initialize starts the Keycloak in home once and keeps the database that it makes.
func initialize(ctx context.Context, home string) error {
	dir := filepath.Join(home, filepath.Dir(emptyDatabase))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	secret := make([]byte, 16)
	rand.Read(secret) // never fails: see crypto/rand
	password := hex.EncodeToString(secret)
	if err := os.WriteFile(filepath.Join(home, passwordFile), []byte(password), 0o600); err != nil {
		return err
	}
	var log strings.Builder
	k, err := start(ctx, home, dir, password, &log)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(log.String()))
	}
	k.Stop(syscall.SIGTERM)
	return nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// java holds that there is one that Keycloak runs on.
func java(ctx context.Context) error {
	bin := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		bin = filepath.Join(home, "bin", "java")
	}
	out, err := exec.CommandContext(ctx, bin, "-version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("no Java: install OpenJDK 17, on Debian openjdk-17-jre-headless: %w", err)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("%s -version says %q, want a version", bin, out)
	}
	if n, err := strconv.Atoi(string(m[1])); err != nil || n < 17 {
		return fmt.Errorf("Java %s is too old: install OpenJDK 17, on Debian openjdk-17-jre-headless", m[1])
	}
	return nil
}

// fetch has Maven get the zip, checks it and unpacks it in dir.
func fetch(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("no Maven: install it, on Debian maven")
	}
	repository := filepath.Join(dir, "maven")
	err := command(ctx, os.Environ(), "mvn", "--batch-mode", "--quiet", "-Dmaven.repo.local="+repository,
		"org.apache.maven.plugins:maven-dependency-plugin:2.8:get", "-Dartifact="+artifact, "-Dtransitive=false")
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(repository, "org", "keycloak", "keycloak-quarkus-dist", Version, "keycloak-quarkus-dist-"+Version+".zip"))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if have := hex.EncodeToString(h.Sum(nil)); have != digest {
		return fmt.Errorf("%s has SHA-256 %s, want %s", artifact, have, digest)
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return err
	}
	return unpack(z, dir)
}

func unpack(z *zip.Reader, dir string) error {
	var total uint64
	for _, f := range z.File {
		total += f.UncompressedSize64
		if !filepath.IsLocal(f.Name) || total > maxZip {
			return fmt.Errorf("unpacking %q: outside its folder, or too much", f.Name)
		}
		path := filepath.Join(dir, f.Name)
		if f.FileInfo().IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := unpackFile(f, path); err != nil {
			return fmt.Errorf("unpacking %q: %w", f.Name, err)
		}
	}
	return nil
}

func unpackFile(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// command runs what has nothing to say unless it fails.
func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, tail(string(out)))
	}
	return nil
}

// tail returns the last lines, where the error is.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
