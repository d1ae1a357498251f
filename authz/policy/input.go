package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// The policy input is written by hand, straight from the typed values, since json.Marshal would cost as much as the evaluation. It
// is json.Marshal(authz.Input{…}) byte for byte (a fuzz target holds that): the same text is evaluated and recorded.

// inputs makes the policy inputs of one request: they differ in the access only.
type inputs struct{ subject, context []byte }

func newInputs(s *authz.Subject, c *authz.Context) (in inputs, err error) {
	b := make([]byte, 0, 4096)
	b = append(b, `{"subject":`...)
	if b, err = appendSubject(b, s); err != nil {
		return in, err
	}
	b = append(b, `,"action":`...)
	n := len(b)
	b = append(b, `,"context":`...)
	b = appendContext(b, c)
	b = append(b, '}')
	return inputs{b[:n:n], b[n:]}, nil
}

// of returns the input of an access, and where in it the text of resource.id begins and ends.
func (in inputs) of(a *authz.Access) (input []byte, id [2]int) {
	b := make([]byte, 0, len(in.subject)+len(in.context)+2048)
	b = append(b, in.subject...)
	b = appendAction(b, &a.Action)
	b = append(b, `,"resource":`...)
	b = appendMember(b, '{', "type", a.Resource.Type)
	b = append(b, `,"id":`...)
	id[0] = len(b)
	b = appendText(b, a.Resource.ID)
	id[1] = len(b)
	b = append(b, `,"properties":`...)
	b = appendResource(b, &a.Resource.Properties)
	b = append(b, '}')
	return append(b, in.context...), id
}

func appendSubject(b []byte, s *authz.Subject) ([]byte, error) {
	p := &s.Properties
	b = appendMember(b, '{', "type", s.Type)
	b = appendMember(b, ',', "id", s.ID)
	b = append(b, `,"properties":`...)
	b = appendMember(b, '{', "issuer", p.Issuer)
	b = appendOptional(b, "tenant", p.Tenant)
	b = append(b, `,"affiliation":`...)
	if a := p.Affiliation; a == nil {
		b = append(b, "null"...)
	} else {
		b = appendMember(b, '{', "kind", a.Kind)
		b = appendMember(b, ',', "organization", a.Organization)
		b = append(appendMember(b, ',', "country", a.Country), '}')
	}
	b = appendTexts(b, "nationalities", p.Nationalities)
	b = appendTexts(b, "held_nationalities", p.HeldNationalities)
	b = appendTexts(b, "export_status", p.ExportStatus)
	b = appendTexts(b, "communities", p.Communities)
	b = appendTexts(b, "roles", p.Roles)
	b = append(b, `,"clearances":`...)
	b = appendList(b, p.Clearances, appendClearance)
	b = append(b, `,"cut":`...)
	var err error
	b = appendList(b, p.Cut, func(b []byte, c *authz.Cut) []byte {
		b = appendMember(b, '{', "claim", c.Claim)
		b = append(b, `,"value":`...)
		if text, ok := c.Value.(string); ok {
			b = appendText(b, text)
		} else if value, e := json.Marshal(c.Value); e != nil {
			err = fmt.Errorf("policy: subject: the value of a cut %s: %w", c.Claim, e)
		} else {
			b = append(b, value...)
		}
		return append(appendMember(b, ',', "why", c.Why), '}')
	})
	b = append(b, `,"session":{"tracked":`...)
	b = strconv.AppendBool(b, p.Session.Tracked)
	b = append(b, `,"high_water":`...)
	b = appendList(b, p.Session.HighWater, appendLabel)
	b = append(b, `},"via":`...)
	b = appendList(b, p.Via, func(b []byte, v *authz.Via) []byte {
		b = appendMember(b, '{', "type", v.Type)
		b = appendMember(b, ',', "id", v.ID)
		b = append(b, `,"clearances":`...)
		return append(appendList(b, v.Clearances, appendClearance), '}')
	})
	b = append(b, `,"assurance":{"acr":`...)
	b = appendPointer(b, p.Assurance.ACR)
	b = appendTexts(b, "amr", p.Assurance.AMR)
	b = appendMember(b, ',', "binding", p.Assurance.Binding)
	b = appendNumber(b, ',', "age_seconds", p.Assurance.AgeSeconds)
	return append(b, "}}}"...), err
}

func appendClearance(b []byte, c *authz.Clearance) []byte {
	b = appendMember(b, '{', "scheme", c.Scheme)
	b = appendTexts(b, "levels", c.Levels)
	b = appendMember(b, ',', "native", c.Native)
	b = appendCategories(b, c.Categories)
	b = appendMember(b, ',', "sponsor", c.Sponsor)
	b = appendTime(b, ',', "not_before", c.NotBefore)
	return append(appendTime(b, ',', "not_after", c.NotAfter), '}')
}

func appendLabel(b []byte, l *authz.Label) []byte {
	b = appendMember(b, '{', "scheme", l.Scheme)
	b = appendMember(b, ',', "level", l.Level)
	b = appendCategories(b, l.Categories)
	b = appendTexts(b, "release", l.Release)
	b = appendTexts(b, "display", l.Display)
	b = appendTexts(b, "nation", l.Nation)
	b = appendTexts(b, "handling", l.Handling)
	b = appendTime(b, ',', "created", l.Created)
	b = append(b, `,"alternatives":`...)
	return append(appendList(b, l.Alternatives, appendLabel), '}')
}

func appendCategories(b []byte, categories map[string][]string) []byte {
	b = append(b, `,"categories":`...)
	if categories == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(categories)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		b = appendList(b, categories[name], appendElement)
	}
	return append(b, '}')
}

func appendAction(b []byte, a *authz.Action) []byte {
	p := &a.Properties
	b = appendMember(b, '{', "name", a.Name)
	b = append(b, `,"properties":`...)
	b = appendMember(b, '{', "protocol", p.Protocol)
	b = appendMember(b, ',', "operation", p.Operation)
	b = append(b, `,"request_labels":`...)
	b = appendList(b, p.RequestLabels, appendLabel)
	b = append(b, `,"from":`...)
	b = appendList(b, p.From, func(b []byte, o *authz.Origin) []byte {
		b = append(b, `{"row":`...)
		b = appendPointer(b, o.Row)
		b = appendOptional(b, "tenant", o.Tenant)
		b = appendOwner(b, o.Owner)
		b = append(b, `,"labels":`...)
		b = appendList(b, o.Labels, appendLabel)
		return append(appendConstraints(b, o.Constraints), '}')
	})
	b = append(b, `,"to":`...)
	b = appendMember(b, '{', "kind", p.To.Kind)
	b = appendOptional(b, "row", p.To.Row)
	b = appendOptional(b, "enclave", p.To.Enclave)
	return append(b, "}}}"...)
}

func appendResource(b []byte, p *authz.ResourceProperties) []byte {
	b = append(b, `{"row":`...)
	b = appendPointer(b, p.Row)
	b = appendOptional(b, "tenant", p.Tenant)
	b = appendOptional(b, "service", p.Service)
	b = appendOwner(b, p.Owner)
	b = append(b, `,"labels":`...)
	b = appendList(b, p.Labels, appendLabel)
	b = appendConstraints(b, p.Constraints)
	b = append(b, `,"place":`...)
	if p.Place == nil {
		b = append(b, "null"...)
	} else {
		b = appendMember(b, '{', "enclave", p.Place.Enclave)
		b = appendTexts(b, "replicas", p.Place.Replicas)
		b = append(appendTexts(b, "backups", p.Place.Backups), '}')
	}
	b = append(b, `,"hold":`...)
	return append(appendBool(b, p.Hold), '}')
}

func appendOwner(b []byte, o *authz.Owner) []byte {
	if o == nil {
		return append(b, `,"owner":null`...)
	}
	b = append(b, `,"owner":`...)
	b = appendMember(b, '{', "nation", o.Nation)
	return append(appendMember(b, ',', "originator", o.Originator), '}')
}

func appendConstraints(b []byte, c *authz.Constraints) []byte {
	if c == nil {
		return append(b, `,"constraints":null`...)
	}
	b = append(b, `,"constraints":{"residency":`...)
	b = appendCountries(b, c.Residency)
	b = appendCountries(append(b, `,"processing":`...), c.Processing)
	b = appendCountries(append(b, `,"reach":`...), c.Reach)
	b = appendCountries(append(b, `,"egress":`...), c.Egress)
	b = append(b, `,"export":`...)
	if c.Export == nil {
		b = append(b, "null"...)
	} else {
		b = appendMember(b, '{', "mode", c.Export.Mode)
		b = append(appendTexts(b, "destinations", c.Export.Destinations), '}')
	}
	b = append(b, `,"personal_data":`...)
	return append(appendBool(b, c.PersonalData), '}')
}

func appendCountries(b []byte, c authz.Countries) []byte {
	if c.Any {
		return append(b, `"any"`...)
	}
	return appendList(b, c.List, appendElement)
}

func appendContext(b []byte, c *authz.Context) []byte {
	b = appendTime(b, '{', "time", c.Time)
	b = append(b, `,"gateway":`...)
	b = appendMember(b, '{', "id", c.Gateway.ID)
	b = appendTexts(b, "enclaves", c.Gateway.Enclaves)
	b = append(b, `},"source":{"address":`...)
	b = appendPointer(b, c.Source.Address)
	b = appendOptional(b, "principal", c.Source.Principal)
	b = appendOptional(b, "network", c.Source.Network)
	b = appendOptional(b, "country", c.Source.Country)
	b = appendMember(b, ',', "basis", c.Source.Basis)
	b = append(b, `},"freshness":`...)
	b = appendNumber(b, '{', "bundle_age", c.Freshness.BundleAge)
	b = appendNumber(b, ',', "revocation_serial", c.Freshness.RevocationSerial)
	b = appendNumber(b, ',', "revocation_age", c.Freshness.RevocationAge)
	b = appendMember(b, ',', "clock", c.Freshness.Clock)
	b = append(b, `},"approvals":`...)
	b = appendList(b, c.Approvals, func(b []byte, a *authz.Approval) []byte {
		b = appendMember(b, '{', "id", a.ID)
		b = appendMember(b, ',', "operator", a.Operator)
		b = appendMember(b, ',', "row", a.Row)
		b = appendTexts(b, "actions", a.Actions)
		b = appendMember(b, ',', "enclave", a.Enclave)
		b = appendMember(b, ',', "justification", a.Justification)
		b = appendTexts(b, "approvers", a.Approvers)
		b = appendTime(b, ',', "not_before", a.NotBefore)
		return append(appendTime(b, ',', "not_after", a.NotAfter), '}')
	})
	b = appendOptional(b, "purpose", c.Purpose)
	return append(b, '}')
}

// appendMember writes a member of an object whose value is a text; before is what stands before it, '{' or ','.
func appendMember(b []byte, before byte, name, value string) []byte {
	return appendText(appendName(b, before, name), value)
}

func appendTime(b []byte, before byte, name string, t authz.Time) []byte {
	b = appendName(b, before, name)
	if t.IsZero() {
		return append(b, "null"...)
	}
	return append(t.UTC().AppendFormat(append(b, '"'), authz.TimeLayout), '"')
}

func appendNumber(b []byte, before byte, name string, n *int64) []byte {
	b = appendName(b, before, name)
	if n == nil {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, *n, 10)
}

// appendName writes a name that needs no escaping.
func appendName(b []byte, before byte, name string) []byte {
	b = append(b, before, '"')
	return append(append(b, name...), `":`...)
}

func appendOptional(b []byte, name string, s *string) []byte {
	return appendPointer(appendName(b, ',', name), s)
}

func appendTexts(b []byte, name string, texts []string) []byte {
	return appendList(appendName(b, ',', name), texts, appendElement)
}

func appendElement(b []byte, s *string) []byte { return appendText(b, *s) }

func appendPointer(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendText(b, *s)
}

func appendBool(b []byte, v *bool) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return strconv.AppendBool(b, *v)
}

// appendList writes null for a nil list, as json.Marshal does.
func appendList[T any](b []byte, list []T, element func([]byte, *T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, &list[i])
	}
	return append(b, ']')
}

// appendText writes a JSON string with the escapes of json.Marshal: those that JSON wants, <, > and & (so that it may stand in
// HTML), U+2028 and U+2029, and U+FFFD for what is not UTF-8.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, `\b`...)
			case '\f':
				b = append(b, `\f`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			b = append(b, s[start:i]...)
			b = append(b, `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				b = append(b, hex[r>>shift&15])
			}
			start = i + n
		}
		i += n
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
