package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

// place is a machine on which Check finds nothing to say; each test breaks one thing.
func place(t *testing.T) (config.Config, string) {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Load(minimal, nil, map[string]string{
		"listen.extauthz":   "unix:" + dir + "/run/e.sock",
		"listen.mark_file":  dir + "/mark",
		"bundle.source":     dir + "/bundle",
		"audit.directory":   dir + "/audit",
		"audit.signing_key": dir + "/audit.pem",
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Grants.Storage.Credentials = map[string]config.Credential{"us-defense": {AccessKey: "a", SecretKeyFile: dir + "/secret"}}
	c.Grants.Services = config.Services{Audience: "jobs", Issuer: "sallyport", KeyFile: dir + "/grants.jwks.json", TTL: time.Second}
	c.Bundle.DenialsFile = dir + "/denials"
	c.Listen.TLS = config.TLS{CertificateFile: dir + "/tls.pem", KeyFile: dir + "/tls.key", TrustFile: dir + "/trust.pem"}
	for _, sub := range []string{"run", "bundle", "audit"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"mark", "secret", "grants.jwks.json", "audit.pem", "denials", "tls.pem", "tls.key", "trust.pem"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("s3cr3t\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return withoutPlaces(c), dir
}

func TestAMachineThatIsNotAsTheConfigSaysIsRefused(t *testing.T) {
	t.Parallel()
	const secret = "grants.storage.credentials.us-defense.secret_key_file: "
	chmod := func(name string, mode os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, name), mode) }
	}
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	content := func(name, content string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600) }
	}
	both := func(f, g func(string) error) func(string) error {
		return func(dir string) error {
			if err := f(dir); err != nil {
				return err
			}
			return g(dir)
		}
	}
	for _, tt := range []struct {
		name string
		edit func(dir string) error
		want string // DIR stands for the machine's folder
	}{
		{"no folder for the socket", remove("run"),
			`listen.extauthz: there is no folder "DIR/run"; make it with mode 0700, or 0750 and Envoy's group`},
		{"a socket folder that anybody can enter", chmod("run", 0o751),
			`listen.extauthz: the folder "DIR/run" has mode 0751, so others can reach or replace the socket; chmod 0750 it, or stricter`},
		{"a socket folder that its group can write", chmod("run", 0o770),
			`listen.extauthz: the folder "DIR/run" has mode 0770, so others can reach or replace the socket; chmod 0750 it, or stricter`},
		{"no mark", remove("mark"),
			`listen.mark_file: there is no file "DIR/mark"; make it, with mode 0600, as a file of the gateway's user`},
		{"a mark that its group can read", chmod("mark", 0o640),
			`listen.mark_file: "DIR/mark" has mode 0640, so others can read or change the secret; chmod 0600 it`},
		{"an empty mark", content("mark", "\n"),
			`listen.mark_file: "DIR/mark" does not hold one line of visible ASCII; write only the secret into it`},
		{"a mark of two lines", content("mark", "s3cr3t\nmore\n"),
			`listen.mark_file: "DIR/mark" does not hold one line of visible ASCII; write only the secret into it`},
		{"a mark beyond any header", content("mark", strings.Repeat("a", 4097)),
			`listen.mark_file: "DIR/mark" is longer than 4096 bytes; write only the secret into it`},
		{"a folder for a mark", both(remove("mark"), func(dir string) error { return os.Mkdir(dir+"/mark", 0o700) }),
			`listen.mark_file: "DIR/mark" is not a regular file; name the secret's own file`},
		{"a secret key that anybody can write", chmod("secret", 0o602),
			secret + `"DIR/secret" has mode 0602, so others can read or change the secret; chmod 0600 it`},
		{"no keys for grants", remove("grants.jwks.json"),
			`grants.services.key_file: there is no file "DIR/grants.jwks.json"; make it, with mode 0600, as a file of the gateway's user`},
		{"keys for grants that its group can read", chmod("grants.jwks.json", 0o640),
			`grants.services.key_file: "DIR/grants.jwks.json" has mode 0640, so others can read or change the secret; chmod 0600 it`},
		{"no bundle", remove("bundle"), `bundle.source: there is no folder "DIR/bundle"; put the bundle there`},
		{"a file for a bundle", both(remove("bundle"), content("bundle", "x")), `bundle.source: "DIR/bundle" is not a folder; name a folder`},
		{"no file of denials", remove("denials"),
			`bundle.denials_file: there is no file "DIR/denials"; make it, empty if it has nothing to say`},
		{"a folder for denials", both(remove("denials"), func(dir string) error { return os.Mkdir(dir+"/denials", 0o700) }),
			`bundle.denials_file: "DIR/denials" is not a regular file; name a file`},
		{"no key for the logs", remove("audit.pem"),
			`audit.signing_key: there is no file "DIR/audit.pem"; make it, with mode 0600, as a file of the gateway's user`},
		{"a key for the logs that others can read", chmod("audit.pem", 0o644),
			`audit.signing_key: "DIR/audit.pem" has mode 0644, so others can read or change the secret; chmod 0600 it`},
		{"no certificate", remove("tls.pem"),
			`listen.tls.certificate_file: there is no file "DIR/tls.pem"; put it there, in PEM`},
		{"a key for TLS that its group can read", chmod("tls.key", 0o640),
			`listen.tls.key_file: "DIR/tls.key" has mode 0640, so others can read or change the secret; chmod 0600 it`},
		{"a folder for authorities", both(remove("trust.pem"), func(dir string) error { return os.Mkdir(dir+"/trust.pem", 0o700) }),
			`listen.tls.trust_file: "DIR/trust.pem" is not a regular file; name a file`},
		{"no log folder", remove("audit"),
			`audit.directory: there is no folder "DIR/audit"; make it, on the disk that is meant to keep the logs`},
		{"every problem at once", both(remove("mark"), remove("bundle")),
			`listen.mark_file: there is no file "DIR/mark"; make it, with mode 0600, as a file of the gateway's user` + "\n" +
				`bundle.source: there is no folder "DIR/bundle"; put the bundle there`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, dir := place(t)
			if err := c.Check(); err != nil {
				t.Fatalf("before the edit: %v", err)
			}
			if err := tt.edit(dir); err != nil {
				t.Fatal(err)
			}
			diffError(t, strings.ReplaceAll(tt.want, "DIR", dir), c.Check())
		})
	}
}

func TestAFolderThatTheGatewayMayNotUseIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may use every folder")
	}
	c, dir := place(t)
	if err := os.Chmod(dir+"/audit", 0o500); err != nil {
		t.Fatal(err)
	}
	diffError(t, fmt.Sprintf(`audit.directory: %q: permission denied; let the gateway's user read and write it`, dir+"/audit"), c.Check())
}

func TestASocketFolderOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	c, dir := place(t)
	if err := os.Chown(dir+"/run", 12345, -1); err != nil {
		t.Fatal(err)
	}
	diffError(t, fmt.Sprintf("listen.extauthz: the folder %q belongs to uid 12345, who can replace the socket; chown it to the gateway's uid 0", dir+"/run"), c.Check())
}

func TestAnOpenSocketFolderRunsWhereInsecureIsWritten(t *testing.T) {
	t.Parallel()
	c, dir := place(t)
	if err := os.Chmod(dir+"/run", 0o777); err != nil {
		t.Fatal(err)
	}
	c.Listen.Insecure = true
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

func TestAKeySetIsTheWholeFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	const content = "{\n  \"keys\": []\n}\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := config.ReadKeySet(path); string(got) != content || err != nil {
		t.Errorf("ReadKeySet = %q, %v", got, err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(" ", 64<<10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.ReadKeySet(path)
	diffError(t, fmt.Sprintf("%q is longer than 65536 bytes; write only the secret into it", path), err)
}

func TestASecretIsItsLineAndIsNeverToldByAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for _, content := range []string{"s3cr3t", "s3cr3t\n", "s3cr3t\r\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := config.ReadSecret(path); got != "s3cr3t" || err != nil {
			t.Errorf("of %q: ReadSecret = %q, %v", content, got, err)
		}
	}
	for _, content := range []string{"", "s3cr3t s3cr3t", "s3cr3t\n\n", "s3cr3t\x00", "s3cr3tä"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.ReadSecret(path)
		if got != "" || err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("of %q: ReadSecret = %q, %v; want an error that does not tell it", content, got, err)
		}
	}
}
