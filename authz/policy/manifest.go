package policy

import (
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

func (l *loader) readManifest(p *part, f file) {
	if !l.bundle {
		l.add(f.path, 0, "a manifest belongs to a part of a bundle; put it into root/, or delete it")
		return
	}
	d, ok := parseDocument(f, rewriteTimes, &l.report)
	if ok {
		l.schemas.validate(d, "manifest", &l.report)
	}
	p.manifest = &d
}

// checkManifests wants one manifest a part, with the part's own name and a time in which it holds.
func (l *loader) checkManifests() {
	if !l.bundle {
		return
	}
	for _, p := range l.parts() {
		switch {
		case p == nil: // its name was refused
		case p.manifest == nil:
			l.add(p.dir+"manifest.yaml", 0, "is missing; write name, revision, serial, not_before and expires")
		default:
			l.checkManifest(p)
		}
	}
}

func (l *loader) checkManifest(p *part) {
	want := p.tenant
	if want == "" {
		want = "root"
	}
	m := *p.manifest
	if name := m.text("name"); name != "" && name != want {
		l.add(m.file, m.line("name"), "name: %q is the manifest of another part; write %q", name, want)
	}
	from, to := m.text("not_before"), m.text("expires")
	if from != "" && to != "" && from >= to {
		l.add(m.file, m.line("expires"), "expires: %s is not after not_before, %s; correct one", to, from)
	}
}

// text returns the member of that name if it is a text, else "".
func (d document) text(name string) string {
	m, _ := d.value.(map[string]any)
	s, _ := m[name].(string)
	return s
}

// revision joins the revisions of the parts: the root's, then tenant=revision.
func (l *loader) revision() string {
	var parts []string
	for _, p := range l.parts() {
		switch {
		case p.manifest == nil:
		case p.tenant == "":
			parts = append(parts, p.manifest.text("revision"))
		default:
			parts = append(parts, p.tenant+"="+p.manifest.text("revision"))
		}
	}
	return strings.Join(parts, " ")
}

// expires returns the earliest end of a part.
func (l *loader) expires() time.Time {
	earliest := ""
	for _, p := range l.parts() {
		if p.manifest == nil {
			continue
		}
		if e := p.manifest.text("expires"); earliest == "" || e < earliest {
			earliest = e
		}
	}
	t, _ := time.Parse(authz.TimeLayout, earliest) // "" gives the zero Time
	return t
}
