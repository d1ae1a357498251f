package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// registered are the claims of RFC 7519 and OIDC that say whether the token holds now.
type registered struct {
	sub      string
	aud      []string
	exp, iat int64
	nbf      int64 // 0 if absent
	jti      string
	cnf      confirmation
}

// claims are those that become the subject, as claimed. Its JSON is what a record keeps as evidence: the cut can be made again
// from it. A nil list or pointer is an absent claim.
type claims struct {
	SubjectType   string             `json:"subject_type"`
	Tenant        *string            `json:"tenant,omitzero"`
	Affiliation   *authz.Affiliation `json:"affiliation,omitzero"`
	Nationalities []string           `json:"nationalities,omitzero"`
	ExportStatus  []string           `json:"export_status,omitzero"`
	Communities   []string           `json:"communities,omitzero"`
	Roles         []string           `json:"roles,omitzero"`
	Clearances    []claimedClearance `json:"clearances,omitzero"`
	Location      string             `json:"location,omitzero"`
	HighWater     []authz.Label      `json:"high_water,omitzero"`
	ACR           *string            `json:"acr,omitzero"`
	AMR           []string           `json:"amr,omitzero"`
	AuthTime      int64              `json:"auth_time,omitzero"`
	Act           []claimedActor     `json:"act,omitzero"` // from who acts now to who acted first
}

// claimedActor is somebody who acts for the subject (RFC 8693 §4.1).
type claimedActor struct {
	Sub        string             `json:"sub"`
	Type       string             `json:"subject_type"`
	Clearances []claimedClearance `json:"clearances,omitzero"`
}

// claimedClearance names a level, which opens those below it too; or the levels one by one; or a native word.
type claimedClearance struct {
	Scheme     string              `json:"scheme"`
	Level      string              `json:"level,omitzero"`
	Levels     []string            `json:"levels,omitzero"`
	Native     string              `json:"native,omitzero"`
	Categories map[string][]string `json:"categories"`
	NotBefore  authz.Time          `json:"not_before,omitzero"`
	NotAfter   authz.Time          `json:"not_after,omitzero"`
}

// readRegistered reads the registered claims; all but nbf and jti are required.
func readRegistered(o map[string]any) (registered, error) {
	var r reader
	c := registered{sub: r.text(o["sub"], "sub"), exp: r.date(o["exp"], "exp"), iat: r.date(o["iat"], "iat")}
	if strings.Contains(c.sub, "|") {
		r.fail("sub", `no "|", which parts issuer and sub`)
	}
	if s, ok := o["aud"].(string); ok {
		c.aud = []string{r.text(s, "aud")}
	} else if c.aud = list(&r, o, "aud", "", r.text); len(c.aud) == 0 {
		r.fail("aud", "a text or a list of texts")
	}
	if v, ok := o["nbf"]; ok {
		c.nbf = r.date(v, "nbf")
	}
	if v, ok := o["jti"]; ok {
		c.jti = r.text(v, "jti")
	}
	c.cnf = readConfirmation(&r, o)
	if _, ok := o["may_act"]; ok { // it lets others get a token (RFC 8693 §4.4), so this one is for them and not for us
		r.fail("may_act", "none: exchange the token first")
	}
	return c, r.err
}

// readClaims reads what becomes the subject. Another shape than expected, or a word that no scheme has, refuses the token: a claim
// that is skipped where it is not understood could be the adverse one.
func readClaims(o map[string]any, schemes map[string]*scheme) (claims, error) {
	var r reader
	c := claims{
		SubjectType:   r.text(o["subject_type"], "subject_type"),
		Nationalities: list(&r, o, "nationalities", "", r.country),
		ExportStatus:  list(&r, o, "export_status", "", r.text),
		Communities:   list(&r, o, "communities", "", r.text),
		Roles:         list(&r, o, "roles", "", r.text),
		AMR:           list(&r, o, "amr", "", r.text),
	}
	if r.err == nil && !slices.Contains(subjectTypes, c.SubjectType) {
		r.fail("subject_type", strings.Join(subjectTypes, ", "))
	}
	if v := o["tenant"]; v != nil {
		t := r.text(v, "tenant")
		c.Tenant = &t
	}
	if v := o["affiliation"]; v != nil {
		c.Affiliation = r.affiliation(v)
	}
	if v, ok := o["location"]; ok {
		c.Location = r.country(v, "location")
	}
	if v, ok := o["acr"]; ok {
		acr := r.text(v, "acr")
		c.ACR = &acr
	}
	if v, ok := o["auth_time"]; ok {
		c.AuthTime = r.date(v, "auth_time")
	}
	c.Clearances = list(&r, o, "clearances", "", func(v any, at string) claimedClearance { return r.clearance(v, at, schemes) })
	c.Act = r.actors(o, schemes)
	if o["high_water"] != nil {
		c.HighWater = list(&r, o, "high_water", "", func(v any, at string) authz.Label { return r.label(v, at, schemes) })
	}
	return c, r.err
}

// maxActors bounds a chain of act claims.
const maxActors = 4

// actors reads the chain of act claims. An actor is a service unless it says that it is a device; a person who acts for another is
// refused, since of those in between nothing but clearances is tested. Its iss can only be the token's own: nobody speaks of
// another issuer's people.
func (r *reader) actors(o map[string]any, schemes map[string]*scheme) []claimedActor {
	iss := o["iss"]
	var chain []claimedActor
	for at := "act"; ; at += ".act" {
		act, ok := o["act"]
		if !ok {
			return chain
		}
		if len(chain) == maxActors {
			r.fail("act", fmt.Sprintf("at most %d actors", maxActors))
			return nil
		}
		o = r.object(act, at)
		r.closed(o, at, "iss", "sub", "subject_type", "clearances", "act")
		a := claimedActor{Sub: r.text(o["sub"], at+".sub"), Type: "service"}
		if v, ok := o["iss"]; ok && v != iss {
			r.fail(at+".iss", "the token's own iss")
		}
		if v, ok := o["subject_type"]; ok && v != "service" {
			if a.Type = "device"; v != "device" {
				r.fail(at+".subject_type", "service or device")
			}
		}
		if strings.Contains(a.Sub, "|") {
			r.fail(at+".sub", `no "|", which parts issuer and sub`)
		}
		a.Clearances = list(r, o, "clearances", at+".", func(v any, at string) claimedClearance { return r.clearance(v, at, schemes) })
		chain = append(chain, a)
	}
}

func (r *reader) affiliation(v any) *authz.Affiliation {
	o := r.object(v, "affiliation")
	r.closed(o, "affiliation", "kind", "organization", "country")
	a := &authz.Affiliation{
		Kind:         r.text(o["kind"], "affiliation.kind"),
		Organization: r.text(o["organization"], "affiliation.organization"),
		Country:      r.country(o["country"], "affiliation.country"),
	}
	if !slices.Contains(affiliationKinds, a.Kind) {
		r.fail("affiliation.kind", strings.Join(affiliationKinds, ", "))
	}
	return a
}

func (r *reader) clearance(v any, at string, schemes map[string]*scheme) claimedClearance {
	o := r.object(v, at)
	r.closed(o, at, "scheme", "level", "levels", "native", "categories", "not_before", "not_after")
	at += "."
	c := claimedClearance{
		Scheme:     r.text(o["scheme"], at+"scheme"),
		Categories: r.categories(o, at),
		NotBefore:  r.time(o, "not_before", at),
		NotAfter:   r.time(o, "not_after", at),
	}
	level, hasLevel := o["level"]
	_, hasLevels := o["levels"]
	native, hasNative := o["native"]
	switch {
	case hasLevel && !hasLevels && !hasNative:
		c.Level = r.text(level, at+"level")
	case hasLevels && !hasLevel && !hasNative:
		if c.Levels = list(r, o, "levels", at, r.text); len(c.Levels) == 0 {
			r.fail(at+"levels", "at least one level")
		}
	case hasNative && !hasLevel && !hasLevels:
		c.Native = r.text(native, at+"native")
	default:
		r.fail(at+"level", "either a level or levels or a native clearance")
	}
	for _, l := range append([]string{c.Level}, c.Levels...) {
		if r.err == nil {
			r.err = known(schemes, at, c.Scheme, l, c.Categories)
		}
	}
	if r.err == nil && hasNative && schemes[c.Scheme].native[c.Native] == nil {
		r.fail(at+"native", "a native clearance of its scheme")
	}
	return c
}

// label reads a label of the session's high-water mark. What the claim leaves out stays out: an absent list of tags is none, an
// absent or null release or display list is no such list, an absent or null date is unknown.
func (r *reader) label(v any, at string, schemes map[string]*scheme) authz.Label {
	o := r.object(v, at)
	r.closed(o, at, "scheme", "level", "categories", "release", "display", "nation", "handling", "created", "alternatives")
	at += "."
	l := authz.Label{
		Scheme:       r.text(o["scheme"], at+"scheme"),
		Level:        r.text(o["level"], at+"level"),
		Categories:   r.categories(o, at),
		Nation:       orNone(list(r, o, "nation", at, r.text)),
		Handling:     orNone(list(r, o, "handling", at, r.text)),
		Alternatives: orNone(list(r, o, "alternatives", at, func(v any, at string) authz.Label { return r.label(v, at, schemes) })),
	}
	if o["release"] != nil {
		l.Release = list(r, o, "release", at, r.country)
	}
	if o["display"] != nil {
		l.Display = list(r, o, "display", at, r.country)
	}
	if o["created"] != nil {
		l.Created = r.time(o, "created", at)
	}
	if r.err == nil {
		r.err = known(schemes, at, l.Scheme, l.Level, l.Categories)
	}
	return l
}

func known(schemes map[string]*scheme, at, id, level string, categories map[string][]string) error {
	s, ok := schemes[id]
	if !ok {
		return errors.New(at + "scheme: want a scheme of the bundle")
	}
	if err := s.knows(level, categories); err != nil {
		return fmt.Errorf("%s%w", at, err)
	}
	return nil
}

// orNone turns an absent list into one that is known to be empty.
func orNone[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// evidence is the claims as the record keeps them.
func (c claims) evidence() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil {
		return nil // no type in claims can fail
	}
	return b
}
