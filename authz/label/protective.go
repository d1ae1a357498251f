package label

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// ProtectiveMarking is what the header X-Protective-Marking says (Email Protective Marking Standard, of the Australian Government's
// Protective Security Policy Framework). Expires and DownTo announce a lower level; the label stays what it is until a signed act
// lowers it.
type ProtectiveMarking struct {
	Label   authz.Label
	Expires string // a date or an event, "": none
	DownTo  string // level, "": none
	Note    string
	Origin  string
}

// keys come in this order; those of many may be repeated.
var (
	protectiveKeys = []string{"VER", "NS", "SEC", "CAVEAT", "EXPIRES", "DOWNTO", "ACCESS", "NOTE", "ORIGIN"}
	many           = []string{"CAVEAT", "ACCESS"}
)

const maxProtectiveText = 128

// ParseProtectiveMarking reads the value of one X-Protective-Marking header. The header says no date, so the label is given that of
// created. The namespace says which scheme it is of.
func (s *Schemes) ParseProtectiveMarking(value string, created authz.Time) (ProtectiveMarking, error) {
	pairs, err := protectivePairs(value)
	if err != nil {
		return ProtectiveMarking{}, err
	}
	first := map[string]string{}
	for _, p := range pairs {
		first[p[0]] = p[1]
	}
	sc, err := s.inNamespace(first["NS"])
	if err != nil {
		return ProtectiveMarking{}, err
	}
	d := sc.data.Protective
	if !slices.Contains(d.Versions, first["VER"]) {
		return ProtectiveMarking{}, fmt.Errorf("VER %s: want one of %s", quote(first["VER"]), strings.Join(d.Versions, ", "))
	}
	m := ProtectiveMarking{Label: empty(), Expires: first["EXPIRES"], Note: first["NOTE"], Origin: first["ORIGIN"]}
	m.Label.Scheme, m.Label.Created = sc.id, created
	if m.Label.Level, err = sc.protectiveLevel("SEC", first["SEC"]); err != nil {
		return ProtectiveMarking{}, err
	}
	if (m.Expires == "") != (first["DOWNTO"] == "") {
		return ProtectiveMarking{}, errors.New("EXPIRES and DOWNTO: want both or none")
	}
	if m.Expires != "" {
		if m.DownTo, err = sc.protectiveLevel("DOWNTO", first["DOWNTO"]); err != nil {
			return ProtectiveMarking{}, err
		}
	}
	for _, p := range pairs {
		switch p[0] {
		case "CAVEAT":
			err = sc.caveat(p[1], &m.Label)
		case "ACCESS":
			err = sc.protectiveValue("ACCESS", d.Access, p[1], &m.Label)
		}
		if err != nil {
			return ProtectiveMarking{}, err
		}
	}
	m.Label = sc.sorted(m.Label)
	return m, nil
}

func (s *Schemes) inNamespace(ns string) (found *scheme, err error) {
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		d := s.byID[id].data.Protective
		switch {
		case d == nil || d.Namespace != ns:
		case found != nil:
			return nil, fmt.Errorf("NS %s: is that of the schemes %s and %s", quote(ns), found.id, id)
		default:
			found = s.byID[id]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("NS %s: no scheme has this namespace", quote(ns))
	}
	return found, nil
}

// protectiveWord is how the header writes a level or value.
func (sc *scheme) protectiveWord(w word) string { return or(sc.data.Protective.Words[w.id], w.marking) }

func (sc *scheme) protectiveLevel(key, text string) (string, error) {
	for _, w := range sc.levels {
		if normal(sc.protectiveWord(w)) == normal(text) {
			return w.id, nil
		}
	}
	return "", fmt.Errorf("%s %s: %s has no such level", key, quote(text), sc.id)
}

func (sc *scheme) protectiveValue(key string, sets []string, text string, l *authz.Label) error {
	for _, name := range sets {
		set := sc.sets[name]
		if set == nil {
			continue
		}
		for _, w := range set.words {
			if normal(sc.protectiveWord(w)) == normal(text) || slices.Contains(w.texts, normal(text)) {
				if err := set.add(l, w.id); err != nil {
					return fmt.Errorf("%s %w", key, err)
				}
				return nil
			}
		}
	}
	return fmt.Errorf("%s %s: %s has no such value", key, quote(text), sc.id)
}

func (sc *scheme) caveat(text string, l *authz.Label) error {
	d := sc.data.Protective
	kind, text, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("CAVEAT %s: want type:value", quote(kind))
	}
	if r := d.Release; r != nil && kind == r.Caveat {
		if countries, ok := cutAny(text, r.Before, r.Also); ok {
			if l.Release != nil {
				return fmt.Errorf("CAVEAT %s: is there twice", quote(kind+":"+r.Before))
			}
			l.Release = strings.Split(countries, r.Between)
			if err := checkCountries(l.Release); err != nil {
				return fmt.Errorf("CAVEAT %s: %w", quote(kind+":"+text), err)
			}
			return nil
		}
	}
	sets, ok := d.Caveats[kind]
	if !ok {
		return fmt.Errorf("CAVEAT %s: %s has no caveats of this type", quote(kind), sc.id)
	}
	return sc.protectiveValue("CAVEAT "+kind, sets, text, l)
}

func cutAny(s, prefix string, also []string) (rest string, found bool) {
	for _, p := range append([]string{prefix}, also...) {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return "", false
}

// PrintProtectiveMarking writes a header value. It refuses what the header has no place for.
func (s *Schemes) PrintProtectiveMarking(m ProtectiveMarking) (string, error) {
	if err := s.Check(m.Label); err != nil {
		return "", err
	}
	sc := s.byID[m.Label.Scheme]
	d := sc.data.Protective
	if d == nil {
		return "", fmt.Errorf("%s writes no X-Protective-Marking", sc.id)
	}
	if len(m.Label.Alternatives) > 0 {
		return "", errAlternatives
	}
	var b strings.Builder
	put := func(key, text string, escape bool) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if escape {
			text = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`).Replace(text)
		}
		b.WriteString(key + "=" + text)
	}
	put("VER", d.Versions[len(d.Versions)-1], true)
	put("NS", d.Namespace, true)
	level, _ := sc.level(m.Label.Level)
	put("SEC", sc.protectiveWord(level), false)
	sc.putCaveats(m.Label, put)
	if m.Expires != "" || m.DownTo != "" {
		down, ok := sc.level(m.DownTo)
		if !ok {
			return "", fmt.Errorf("DOWNTO %s: %s has no such level", quote(m.DownTo), sc.id)
		}
		put("EXPIRES", m.Expires, true)
		put("DOWNTO", sc.protectiveWord(down), false)
	}
	for _, name := range d.Access {
		sc.putValues(m.Label, name, "ACCESS", "", put)
	}
	for _, p := range [][2]string{{"NOTE", m.Note}, {"ORIGIN", m.Origin}} {
		if p[1] != "" {
			put(p[0], p[1], true)
		}
	}
	want := m
	want.Label = sc.sorted(m.Label)
	back, err := s.ParseProtectiveMarking(b.String(), m.Label.Created)
	if err != nil {
		return "", err
	}
	if !equal(back.Label, want.Label) || back.Expires != m.Expires || back.DownTo != m.DownTo || back.Note != m.Note || back.Origin != m.Origin {
		return "", fmt.Errorf("X-Protective-Marking can't say all of this label: %s says less or something else", quote(b.String()))
	}
	return b.String(), nil
}

func (sc *scheme) putCaveats(l authz.Label, put func(key, text string, escape bool)) {
	d := sc.data.Protective
	kinds := make([]string, 0, len(d.Caveats)+1)
	for kind := range d.Caveats {
		kinds = append(kinds, kind)
	}
	if r := d.Release; r != nil && !slices.Contains(kinds, r.Caveat) {
		kinds = append(kinds, r.Caveat)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		for _, name := range d.Caveats[kind] {
			sc.putValues(l, name, "CAVEAT", kind+":", put)
		}
		if r := d.Release; r != nil && r.Caveat == kind && len(l.Release) > 0 {
			put("CAVEAT", kind+":"+r.Before+strings.Join(sc.ownerFirst(l.Release), r.Between), false)
		}
	}
}

func (sc *scheme) putValues(l authz.Label, set, key, before string, put func(key, text string, escape bool)) {
	if s := sc.sets[set]; s != nil {
		for _, id := range s.values(l) {
			w, _ := byID(s.words, id)
			put(key, before+sc.protectiveWord(w), false)
		}
	}
}

// protectivePairs splits a header into its keys and values, undoes the escapes \\ \, and \:, and wants the keys of the standard in
// its order.
func protectivePairs(value string) (pairs [][2]string, err error) {
	if len(value) > MaxBytes || !utf8.ValidString(value) {
		return nil, fmt.Errorf("X-Protective-Marking: want at most %d bytes of text", MaxBytes)
	}
	at := 0 // of the last key, in protectiveKeys
	seen := map[string]bool{}
	for rest, more := value, true; more; {
		var key, text string
		key, rest, more = strings.Cut(strings.TrimLeft(rest, " "), "=")
		i := slices.Index(protectiveKeys, key)
		switch {
		case !more:
			return nil, fmt.Errorf("%s: want KEY=value", quote(key))
		case i < 0:
			return nil, fmt.Errorf("key %s: want one of %s", quote(key), strings.Join(protectiveKeys, ", "))
		case i < at:
			return nil, fmt.Errorf("key %s: stands after %s; want the order %s", key, protectiveKeys[at], strings.Join(protectiveKeys, ", "))
		case seen[key] && !slices.Contains(many, key):
			return nil, fmt.Errorf("key %s: is there twice", key)
		}
		at, seen[key] = i, true
		if text, rest, more, err = protectiveText(rest); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		pairs = append(pairs, [2]string{key, text})
		if len(pairs) > maxValues {
			return nil, fmt.Errorf("more than %d values", maxValues)
		}
	}
	for _, key := range []string{"VER", "NS", "SEC"} {
		if !seen[key] {
			return nil, fmt.Errorf("%s is missing", key)
		}
	}
	return pairs, nil
}

func protectiveText(s string) (text, rest string, more bool, err error) {
	var b strings.Builder
	i := 0
	for ; i < len(s) && s[i] != ','; i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || !strings.ContainsRune(`\,:`, rune(s[i])) {
				return "", "", false, errors.New(`a \ that escapes none of \ , :`)
			}
		}
		b.WriteByte(s[i])
	}
	text = b.String()
	if strings.TrimSpace(text) != text || len(text) > maxProtectiveText {
		return "", "", false, fmt.Errorf("%s: want 1 to %d characters without spaces around them", quote(text), maxProtectiveText)
	}
	if err := printable(text); err != nil {
		return "", "", false, err
	}
	if i < len(s) {
		return text, s[i+1:], true, nil
	}
	return text, "", false, nil
}
