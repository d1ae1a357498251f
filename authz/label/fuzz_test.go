package label_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

// readBack wants whatever is read to be read back the same from what is printed of it.
func readBack[T any](t *testing.T, what T, print func(T) (string, error), parse func(string) (T, error)) {
	t.Helper()
	text, err := print(what)
	if err != nil {
		t.Fatalf("%+v was read and can't be printed: %v", what, err)
	}
	back, err := parse(text)
	if err != nil || !cmp.Equal(what, back) {
		t.Fatalf("%q: %v (-first +second):\n%s", text, err, cmp.Diff(what, back))
	}
}

func text[T any](print func(T) ([]byte, error)) func(T) (string, error) {
	return func(v T) (string, error) { b, err := print(v); return string(b), err }
}

func bytes[T any](parse func([]byte) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) { return parse([]byte(s)) }
}

func FuzzMarking(f *testing.F) {
	for _, s := range []string{"SECRET//REL TO USA, FVEY", "TS//SI/TK//OC/NF", "UNCLASSIFIED//CUI//SP-EXPT", "S//REL TO USA, GBR/NOFORN"} {
		f.Add("USA", s)
	}
	f.Add("FRA", "TRÈS SECRET SPÉCIAL FRANCE")
	f.Add("GBR", "OFFICIAL-SENSITIVE")
	f.Add("DEU", "VS - NfD")
	_, s := shipped(f)
	f.Fuzz(func(t *testing.T, scheme, in string) {
		parse := func(text string) (authz.Label, error) { return s.ParseMarking(scheme, text, created) }
		if l, err := parse(in); err == nil {
			readBack(t, l, s.PrintMarking, parse)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"scheme":"USA","level":"SECRET","categories":{"sci":["SI"]},"release":["USA"],"nation":[],"handling":["ORCON"],"created":"2024-03-01T12:00:00Z","alternatives":[{"scheme":"GBR","level":"SECRET"}]}`)
	_, s := shipped(f)
	f.Fuzz(func(t *testing.T, in string) {
		if l, err := s.ParseJSON([]byte(in)); err == nil {
			readBack(t, l, text(s.PrintJSON), bytes(s.ParseJSON))
		}
	})
}

func FuzzClearanceJSON(f *testing.F) {
	f.Add(`{"scheme":"USA","level":"SECRET","categories":{"sci":["SI"]},"not_before":"2024-03-01T12:00:00Z"}`)
	f.Add(`{"scheme":"CAN","native":"RELIABILITY"}`)
	f.Add(`{"scheme":"USA","levels":["SECRET"]}`)
	_, s := shipped(f)
	f.Fuzz(func(t *testing.T, in string) {
		if c, err := s.ParseClearanceJSON([]byte(in)); err == nil {
			readBack(t, c, text(s.PrintClearanceJSON), bytes(s.ParseClearanceJSON))
		}
	})
}

func FuzzXML(f *testing.F) {
	f.Add(labelXML)
	f.Add(plainXML)
	_, s := standard(f)
	f.Fuzz(func(t *testing.T, in string) {
		if d, err := s.ParseXML([]byte(in)); err == nil {
			readBack(t, d, text(s.PrintXML), bytes(s.ParseXML))
		}
	})
}

func FuzzClearanceXML(f *testing.F) {
	f.Add(clearanceXML)
	_, s := standard(f)
	f.Fuzz(func(t *testing.T, in string) {
		if c, err := s.ParseClearanceXML([]byte(in)); err == nil {
			readBack(t, c, text(s.PrintClearanceXML), bytes(s.ParseClearanceXML))
		}
		if c, err := s.ParseACIClr(in); err == nil {
			readBack(t, c, s.PrintACIClr, s.ParseACIClr)
		}
	})
}

func FuzzSIOLabel(f *testing.F) {
	f.Add(`marking="NATO SECRET"; fgcolor=black; bgcolor=#ff0000; type=":xml"; label="` + b64(plainXML) + `"`)
	f.Add(`marking*0*=UTF-8''NATO%20; marking*1=SECRET`)
	f.Add(`type=":xml"; label="` + b64(labelXML) + `"`)
	_, s := standard(f)
	f.Fuzz(func(t *testing.T, in string) {
		parse := func(text string) (label.SIOLabel, error) { return s.ParseSIOLabel(text, created) }
		if h, err := parse(in); err == nil && h.Document.Kind != "" {
			readBack(t, h, s.PrintSIOLabel, parse)
		}
	})
}

func FuzzProtectiveMarking(f *testing.F) {
	f.Add("VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:REL AUS/GBR/USA, EXPIRES=2030-07-01, DOWNTO=OFFICIAL, NOTE=a\\, b")
	f.Add("VER=2018.6, NS=gov.au, SEC=TOP-SECRET, CAVEAT=C:BLUE, CAVEAT=SH:EXCLUSIVE-FOR MINISTER, ACCESS=Legal-Privilege, ORIGIN=a@b.au")
	_, s := standard(f)
	f.Fuzz(func(t *testing.T, in string) {
		parse := func(text string) (label.ProtectiveMarking, error) { return s.ParseProtectiveMarking(text, created) }
		if m, err := parse(in); err == nil {
			readBack(t, m, s.PrintProtectiveMarking, parse)
		}
	})
}
