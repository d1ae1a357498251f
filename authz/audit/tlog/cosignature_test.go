package tlog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// A checkpoint that this log signed, and then a witness, with transparency-dev/formats' signer: none of our code made these bytes.
const (
	cosigned = `sallyport/us-defense/0123
5
BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=

— sallyport/us-defense/0123 X3s+7iBrdcbQNDQpsXvQuIJ4BiNaJ1eMiaj4G8FvKRK9FnY/7nNJUN6m3bA5/dBYB/VvP5TIq0GF1n5sul6K9Orwdgo=
— witness.example/w1 JLXZ/gAAAABrBZC6P3ea9D1gRURoIv7UT18rkNQHiLcz9/TjyenLPFK/FMOD82lv0qsox3jLp6Pj7YL9af2HcDnGft2v+sCpLymBBQ==
`
	witnessKey = "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY"
)

func TestACosignatureOfAnotherImplementationIsAccepted(t *testing.T) {
	t.Parallel()
	w, err := tlog.ParseWitness(witnessKey)
	if err != nil {
		t.Fatal(err)
	}
	c, seen, err := tlog.OpenKept([]byte(cosigned), verifierKey(t), []*tlog.Witness{w})
	want := tlog.Checkpoint{Origin: origin, Size: 5, Root: tlog.Hash(bytes.Repeat([]byte{5}, 32))}
	if diff := cmp.Diff(want, c); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if len(seen) != 1 || seen[0].Witness != "witness.example/w1" || seen[0].Time.Before(time.Unix(1<<30, 0)) {
		t.Errorf("seen by %v", seen)
	}
	if _, _, err := tlog.OpenKept([]byte(cosigned), verifierKey(t), nil); err != nil {
		t.Errorf("a cosignature that nobody asked for: %v", err)
	}
}

func TestOpenKeptRefuses(t *testing.T) {
	t.Parallel()
	w, err := tlog.ParseWitness(witnessKey)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(cosigned, "\n")
	without := func(i int) string { return strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "") }
	for name, text := range map[string]string{
		"no signature of the log":     without(4),
		"no signature of the witness": without(5),
		"another size":                strings.Replace(cosigned, "\n5\n", "\n6\n", 1),
		"another time":                strings.Replace(cosigned, "AAAABrBZC6", "AAAABrBZC7", 1),
		"another origin":              strings.ReplaceAll(cosigned, "us-defense", "fr-space"),
		"nothing":                     "",
	} {
		if _, _, err := tlog.OpenKept([]byte(text), verifierKey(t), []*tlog.Witness{w}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, key := range []string{"", "witness.example/w1", strings.Replace(witnessKey, "24b5", "24B5", 1), strings.Replace(witnessKey, "w1", "w2", 1), witnessKey + "=", verifierKey(t)} {
		if _, err := tlog.ParseWitness(key); err == nil {
			t.Errorf("%q is taken as a witness's key", key)
		}
	}
}

func FuzzOpenKept(f *testing.F) {
	f.Add([]byte(cosigned))
	w, err := tlog.ParseWitness(witnessKey)
	if err != nil {
		f.Fatal(err)
	}
	body, _, _ := strings.Cut(cosigned, "\n\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, _, err := tlog.OpenKept(text, verifierKey(t), []*tlog.Witness{w}); err == nil && !bytes.HasPrefix(text, []byte(body+"\n\n")) {
			t.Errorf("%q is taken", text)
		}
	})
}
