package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sallyport-dev/sallyport/authz"
)

// Bundle is a bundle, or a folder like policies/, that was read and checked as a whole. It never changes.
type Bundle struct {
	dir     string
	data    map[string]any // what Rego sees as data
	modules []module
	tenants []string
	ref     authz.BundleRef
	expires time.Time
	begins  authz.Time // the root's not_before
	revoked revocations
}

// module is one file of Rego.
type module struct {
	file    string
	source  []byte
	parsed  *ast.Module
	test    bool   // *_test.rego: part of the bundle, never of an Engine
	overlay string // the tenant that wrote it, "" for the root's
}

// part is what one authority wrote: the root, or one tenant.
type part struct {
	tenant   string // "" for the root
	dir      string // with a slash at its end, "" where the whole folder is the root
	manifest *document
	overlay  int                 // bytes of Rego
	docs     map[string]document // by name, such as "catalogue" or "schemes/USA"
}

// rootDocuments and tenantDocuments name the documents of a part and the schema of each; "schemes" stands for schemes/<ID>.
var (
	rootDocuments = map[string]string{
		"schemes": "scheme", "enclaves": "enclaves", "reasons": "reasons", "issuers": "issuers", "revocations": "revocations", "services": "services",
	}
	tenantDocuments = map[string]string{
		"tenant": "tenant", "catalogue": "catalogue", "partners": "partners", "agreements": "agreements",
		"personnel": "personnel", "issuers": "issuers",
	}
)

var (
	tenantID = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)
	schemeID = regexp.MustCompile(`^[A-Z][A-Z0-9-]{1,30}$`)
)

// loader reads one folder; everything wrong goes to its report.
type loader struct {
	report
	schemas schemas
	bundle  bool // root/ and tenants/, or else a folder like policies/
	root    *part
	tenants map[string]*part
	modules []module
}

// Load reads and checks a bundle folder (root/ and tenants/), or a folder like policies/: that has no manifests and no tenants, and
// serves Check, Test and Eval only. An error is an *Errors that names every problem found, or wraps ErrEnvironment.
func Load(dir string) (*Bundle, error) {
	files, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	l := &loader{schemas: newSchemas(), tenants: map[string]*part{}}
	l.bundle = slices.ContainsFunc(files, func(f file) bool { return strings.HasPrefix(f.path, "root/") })
	l.root = &part{docs: map[string]document{}}
	if l.bundle {
		l.root.dir = "root/"
	}
	for _, f := range files {
		l.read(f)
	}
	if !l.bundle && len(l.modules) == 0 {
		l.add("", 0, "is neither a bundle (a folder with root/ and tenants/) nor a folder of policies (no *.rego); name another")
	}
	l.checkManifests()
	if err := l.err(dir); err != nil {
		return nil, err // facts that don't fit their schema can't be compared with each other
	}
	l.checkFacts()
	if err := l.err(dir); err != nil {
		return nil, err
	}
	b := &Bundle{dir: dir, data: l.data(), modules: l.modules, tenants: slices.Sorted(maps.Keys(l.tenants))}
	b.ref = authz.BundleRef{Revision: l.revision(), Digest: digest(files)}
	b.expires = l.expires()
	b.readAges()
	return b, nil
}

// parts returns the root and the tenants' parts, in order.
func (l *loader) parts() []*part {
	ps := []*part{l.root}
	for _, t := range slices.Sorted(maps.Keys(l.tenants)) {
		ps = append(ps, l.tenants[t])
	}
	return ps
}

// read files f under its part, or refuses it by name.
func (l *loader) read(f file) {
	p, name := l.root, f.path
	if l.bundle {
		first, rest, _ := strings.Cut(f.path, "/")
		switch {
		case f.path == "README.md":
			return
		case first == "root":
			name = rest
		case first == "tenants" && strings.Contains(rest, "/"):
			tenant, rest, _ := strings.Cut(rest, "/")
			if p, name = l.part(tenant), rest; p == nil {
				return
			}
		default:
			l.add(f.path, 0, "a bundle holds root/, tenants/<id>/ and README.md; move it or delete it")
			return
		}
	}
	switch base := path.Base(name); {
	case base == "README.md":
	case name == "manifest.yaml":
		l.readManifest(p, f)
	case path.Ext(base) == ".rego":
		l.readModule(p, name, f)
	case base == "data.yaml" || base == "data.json":
		l.readDocument(p, path.Dir(name), f)
	default:
		l.add(f.path, 0, "unknown file; a part holds manifest.yaml, README.md, <document>/data.yaml (or data.json) and *.rego")
	}
}

// part returns the part of a tenant, or nil if that is no name for one.
func (l *loader) part(tenant string) *part {
	if p, known := l.tenants[tenant]; known {
		return p
	}
	p := &part{tenant: tenant, dir: "tenants/" + tenant + "/", docs: map[string]document{}}
	if !tenantID.MatchString(tenant) || tenant == "root" || tenant == "gateway" {
		l.add(p.dir, 0, "%q is no tenant id; use lower-case letters, digits and hyphens, 2 to 63, and neither root nor gateway", tenant)
		p = nil
	}
	l.tenants[tenant] = p
	return p
}

func (l *loader) readDocument(p *part, name string, f file) {
	known := rootDocuments
	if p.tenant != "" {
		known = tenantDocuments
	}
	kind, id, nested := strings.Cut(name, "/")
	schema, ok := known[kind]
	if !ok || nested != (kind == "schemes") || nested && !schemeID.MatchString(id) {
		names := slices.Collect(maps.Keys(known))
		if i := slices.Index(names, "schemes"); i >= 0 {
			names[i] = "schemes/<ID>" // capital letters, digits and hyphens
		}
		l.add(f.path, 0, "unknown document %q%s", name, oneOf(name, names))
		return
	}
	if other, twice := p.docs[name]; twice {
		l.add(f.path, 0, "the document %q is in %s too; keep one", name, other.file)
		return
	}
	if d, ok := parseDocument(f, rewriteTimes, &l.report); ok && l.schemas.validate(d, schema, &l.report) {
		p.docs[name] = d
	}
}

// data builds what Rego sees as data: the root's documents, data.tenants.<id>.<document>, and the manifests as data.bundle.
func (l *loader) data() map[string]any {
	data := map[string]any{}
	for name, d := range l.root.docs {
		if _, id, ok := strings.Cut(name, "/"); ok {
			schemes, _ := data["schemes"].(map[string]any)
			if schemes == nil {
				schemes = map[string]any{}
				data["schemes"] = schemes
			}
			schemes[id] = d.value
			continue
		}
		data[name] = d.value
	}
	if !l.bundle {
		return data
	}
	tenants, manifests := map[string]any{}, map[string]any{}
	for id, p := range l.tenants {
		docs := map[string]any{}
		for name, d := range p.docs {
			docs[name] = d.value
		}
		tenants[id] = docs
		manifests[id] = p.manifest.value
	}
	data["tenants"] = tenants
	data["bundle"] = map[string]any{"root": l.root.manifest.value, "tenants": manifests}
	return data
}

// Document returns data.<name> as canonical JSON (members sorted, no spaces), "null" if there is none.
func (b *Bundle) Document(name string) json.RawMessage { return encoded(b.data[name]) }

// Data returns all of what Rego sees as data, as canonical JSON.
func (b *Bundle) Data() json.RawMessage { return encoded(b.data) }

func encoded(v any) json.RawMessage {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	must(e.Encode(v)) // strings, numbers, booleans, lists and objects only
	return bytes.TrimSpace(out.Bytes())
}

// Ref names b: the revisions of its parts (the root's, then tenant=revision), and the digest of its files.
func (b *Bundle) Ref() authz.BundleRef { return b.ref }

// Tenants returns the ids of the tenants that have a part, sorted.
func (b *Bundle) Tenants() []string { return slices.Clone(b.tenants) }

// Expires returns the earliest time at which a part of b expires, the zero Time of a folder without manifests.
func (b *Bundle) Expires() time.Time { return b.expires }
