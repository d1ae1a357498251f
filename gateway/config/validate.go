package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSocketPath is what sockaddr_un holds (108 bytes on Linux) without the closing zero.
const maxSocketPath = 107

// form is a kind of text: its pattern, which the schema repeats, and how to say it.
type form struct {
	pattern *regexp.Regexp
	want    string
}

var (
	idForm     = form{regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`), "1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit"}
	tenantForm = form{regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`), "2 to 63 of a-z, 0-9 and hyphen, beginning with a letter"}
	hostForm   = form{regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`), "a lower-case DNS name without a port"}
	// The form of SPIFFE-ID.md §2 with a path: without one, an id names a whole trust domain.
	spiffeForm = form{regexp.MustCompile(`^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`), "a SPIFFE id such as spiffe://example.org/envoy"}
	regionForm = form{regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`), "a region such as us-east-1"}
	// A "/" or "," in an access key would end it early in the Authorization header that it becomes part of.
	accessKeyForm = form{regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`), "1 to 128 of A-Z, a-z, 0-9, dot, underscore and hyphen"}
)

// What each choice may be. A value that does nothing yet is not listed.
var (
	durabilities = []string{"durable", "buffered"}
	logLevels    = []string{"debug", "info", "warn", "error"}
	engines      = []string{"wasm", "topdown"}
)

// Validate reports, as an *Errors, every problem that can be seen without looking at this machine.
func (c Config) Validate() error {
	v := validator{where: c.where}
	v.form("id", c.ID, idForm)
	v.listen(c.Listen)
	v.bundle(c.Bundle)
	v.enclaves(c.Enclaves)
	v.storage(c.Grants.Storage)
	if c.Grants.Services.Enabled() || c.where["grants.services"] != "" {
		v.services(c.Grants)
	}
	v.path("audit.directory", c.Audit.Directory)
	v.path("audit.signing_key", c.Audit.SigningKey)
	v.choice("audit.durability", c.Audit.Durability, durabilities)
	if n := c.Limits.Accesses; n < 1 || n > 1000 {
		v.refuse("limits.accesses", fmt.Sprintf("%d is out of range", n), "choose 1 to 1000")
	}
	v.timeout("limits.decision_timeout", c.Limits.DecisionTimeout)
	v.timeout("limits.drain_timeout", c.Limits.DrainTimeout)
	v.issuers(c.Issuers)
	v.choice("telemetry.log_level", c.Telemetry.LogLevel, logLevels)
	v.choice("policy.engine", c.Policy.Engine, engines)
	return v.err()
}

// issuers holds that keys are asked for often enough to notice a rotation, and not used longer than a person would answer for.
func (v *validator) issuers(c Issuers) {
	for _, d := range []struct {
		key           string
		is, low, high time.Duration
	}{
		{"issuers.refresh", c.Refresh, time.Second, time.Hour},
		{"issuers.min_refresh", c.MinRefresh, time.Second, time.Hour},
		{"issuers.max_stale", c.MaxStale, time.Second, 30 * 24 * time.Hour},
	} {
		if d.is < d.low || d.is > d.high {
			v.refuse(d.key, d.is.String()+" is out of range", fmt.Sprintf("choose %v to %v", d.low, d.high))
		}
	}
	if c.MaxStale < c.Refresh {
		v.refuse("issuers.max_stale", c.MaxStale.String()+" is less than issuers.refresh", "choose more, or keys would be too old between two fetches")
	}
}

type validator struct {
	problems
	where map[string]string
}

// refuse adds a problem at the place of key, or at that of its section where the key itself is missing.
func (v *validator) refuse(key, what, do string) {
	at := key
	for v.where[at] == "" && at != "" {
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
	v.add(v.where[at], key, what, do)
}

// missing refuses an empty value and reports whether it did.
func (v *validator) missing(key, value, want string) bool {
	if value == "" {
		v.refuse(key, "is missing", "set it to "+want)
	}
	return value == ""
}

func (v *validator) form(key, value string, f form) {
	if !v.missing(key, value, f.want) && !f.pattern.MatchString(value) {
		v.refuse(key, quote(value)+" has the wrong form", "use "+f.want)
	}
}

func (v *validator) choice(key, value string, of []string) {
	if !slices.Contains(of, value) {
		v.refuse(key, quote(value)+" is not supported", "use "+strings.Join(of, ", "))
	}
}

func (v *validator) timeout(key string, d time.Duration) {
	if d < time.Millisecond || d > time.Minute {
		v.refuse(key, d.String()+" is out of range", "choose 1ms to 1m")
	}
}

// path refuses what is not absolute: the working folder of a service is nobody's intention.
func (v *validator) path(key, value string) {
	if !v.missing(key, value, "an absolute path") && (!filepath.IsAbs(value) || strings.ContainsRune(value, 0)) {
		v.refuse(key, quote(value)+" is not an absolute path", "write it from / on")
	}
}

func (v *validator) socket(key, path string) {
	switch {
	case !filepath.IsAbs(path) || strings.ContainsRune(path, 0):
		v.refuse(key, quote("unix:"+path)+" holds no absolute path", "write unix: and the path from / on")
	case len(path) > maxSocketPath:
		v.refuse(key, fmt.Sprintf("the socket's path %s has %d bytes", quote(path), len(path)),
			fmt.Sprintf("use a shorter folder: the system takes %d", maxSocketPath))
	}
}

func (v *validator) listen(l Listen) {
	const key = "listen.extauthz"
	if !v.missing(key, l.ExtAuthz, "unix: and an absolute path") {
		switch network, address := SplitAddress(l.ExtAuthz); {
		case network == "unix":
			v.socket(key, address)
			v.peers(l.Peers)
		case !hostPort(address):
			v.refuse(key, quote(l.ExtAuthz)+" is neither unix:PATH nor IP:PORT", "use unix: and an absolute path")
		case !l.Insecure && !l.TLS.Enabled() && v.where["listen.tls"] == "":
			v.refuse(key, quote(l.ExtAuthz)+" is plain TCP: whoever reaches the port can ask, or take it and answer for the gateway",
				"use unix: and an absolute path, or listen.tls, or set listen.insecure: true to run without that protection")
		case l.Peers != nil:
			v.refuse("listen.peers", "a TCP connection has no uid to check", "remove it, or use a unix socket")
		}
	}
	if !v.missing("listen.http", l.HTTP, "an address such as 127.0.0.1:8282") && !hostPort(l.HTTP) {
		v.refuse("listen.http", quote(l.HTTP)+" is not IP:PORT", "write an address such as 127.0.0.1:8282")
	}
	v.path("listen.mark_file", l.MarkFile)
	if l.TLS.Enabled() || v.where["listen.tls"] != "" {
		v.tls(l)
	}
}

func (v *validator) tls(l Listen) {
	const key = "listen.tls"
	if network, _ := SplitAddress(l.ExtAuthz); network == "unix" {
		v.refuse(key, "is for TCP, but listen.extauthz is a unix socket", "remove it, or listen on IP:PORT")
	}
	v.path(key+".certificate_file", l.TLS.CertificateFile)
	v.path(key+".key_file", l.TLS.KeyFile)
	v.path(key+".trust_file", l.TLS.TrustFile)
	v.form(key+".peer", l.TLS.Peer, spiffeForm)
}

func (v *validator) peers(uids []uint32) {
	if len(uids) == 0 {
		v.refuse("listen.peers", "is empty, so nobody could connect", "list the uid that Envoy runs as, or remove the key for the gateway's own")
	}
	for i, uid := range uids {
		if slices.Contains(uids[:i], uid) {
			v.refuse(fmt.Sprintf("listen.peers[%d]", i), fmt.Sprintf("%d is listed twice", uid), "remove one of the two")
		}
	}
}

// hostPort accepts an IP address or localhost and a port: a name could come to mean another machine.
func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(host)
	_, portErr := strconv.ParseUint(port, 10, 16)
	return (err == nil || host == "localhost") && portErr == nil
}

var bundleScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

func (v *validator) bundle(b Bundle) {
	if bundleScheme.MatchString(b.Source) {
		v.refuse("bundle.source", quote(b.Source)+" is not a folder, and nothing else is supported", "copy the bundle to this machine and name its folder")
	} else {
		v.path("bundle.source", b.Source)
	}
	if b.DenialsFile != "" || v.where["bundle.denials_file"] != "" {
		v.path("bundle.denials_file", b.DenialsFile)
	}
	if !b.Unsigned {
		v.refuse("bundle.unsigned", "is not true, but signatures of a bundle are not checked yet",
			"write unsigned: true to run one that only its folder protects; /readyz and a metric show it")
	}
}

func (v *validator) enclaves(ids []string) {
	if len(ids) == 0 {
		v.refuse("enclaves", "names no enclave", "list the ids of those that this gateway stands in front of, as in the bundle")
	}
	for i, id := range ids {
		key := fmt.Sprintf("enclaves[%d]", i)
		v.form(key, id, idForm)
		if slices.Contains(ids[:i], id) {
			v.refuse(key, quote(id)+" is listed twice", "remove one of the two")
		}
	}
}

func (v *validator) storage(s Storage) {
	const key = "grants.storage"
	v.form(key+".audience", s.Audience, idForm)
	if !v.missing(key+".endpoint", s.Endpoint, "unix: and the absolute path of the store's socket") {
		if network, address := SplitAddress(s.Endpoint); network == "unix" {
			v.socket(key+".endpoint", address)
		} else {
			v.refuse(key+".endpoint", quote(s.Endpoint)+" is not unix:PATH; over a network a grant could be taken and used again",
				"use unix: and the absolute path of the store's socket")
		}
	}
	v.form(key+".host", s.Host, hostForm)
	if len(s.Host) > 253 {
		v.refuse(key+".host", quote(s.Host)+" is too long", "use at most 253 bytes")
	}
	v.form(key+".region", s.Region, regionForm)
	v.credentials(key+".credentials", s.Credentials)
}

func (v *validator) services(g Grants) {
	const key = "grants.services"
	s := g.Services
	v.form(key+".audience", s.Audience, idForm)
	if s.Audience != "" && s.Audience == g.Storage.Audience {
		v.refuse(key+".audience", quote(s.Audience)+" is that of grants.storage too", "name the service otherwise, here and in its route")
	}
	v.form(key+".issuer", s.Issuer, idForm)
	v.path(key+".key_file", s.KeyFile)
	if s.TTL < time.Second || s.TTL > 30*time.Second || s.TTL%time.Second != 0 {
		v.refuse(key+".ttl", s.TTL.String()+" is no number of whole seconds from 1s to 30s", "choose 30s, or less")
	}
}

// credentials refuses two tenants with one account: the store could then not keep them apart, which is its part of the work.
func (v *validator) credentials(key string, byTenant map[string]Credential) {
	if len(byTenant) == 0 {
		v.refuse(key, "names no tenant", "give each tenant its own account: tenant: {access_key: …, secret_key_file: …}")
	}
	accessKey, secretFile := map[string]string{}, map[string]string{}
	unique := func(owner map[string]string, key, value, tenant string) {
		if other := owner[value]; other != "" && value != "" {
			v.refuse(key, fmt.Sprintf("%s is that of %s too", quote(value), other), "give each tenant an account of its own")
		}
		owner[value] = tenant
	}
	for _, tenant := range slices.Sorted(maps.Keys(byTenant)) {
		key, c := key+"."+tenant, byTenant[tenant]
		v.form(key, tenant, tenantForm)
		if tenant == "root" || tenant == "gateway" {
			v.refuse(key, quote(tenant)+" is no tenant's id", "use the id of a folder in the bundle's tenants/")
		}
		v.form(key+".access_key", c.AccessKey, accessKeyForm)
		v.path(key+".secret_key_file", c.SecretKeyFile)
		unique(accessKey, key+".access_key", c.AccessKey, tenant)
		unique(secretFile, key+".secret_key_file", filepath.Clean(c.SecretKeyFile), tenant)
	}
}
