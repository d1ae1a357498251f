package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

type inner struct {
	N int64 `json:"n"`
}

type outer struct {
	Text string   `json:"text"`
	List []string `json:"list"`
	In   inner    `json:"in"`
	Ins  []inner  `json:"ins"`
}

const good = `{"text": "a", "list": ["b", ""], "in": {"n": -1}, "ins": [{"n": 2}]}`

func TestWhatIsWrittenOnceUnderItsNameIsRead(t *testing.T) {
	t.Parallel()
	want := outer{Text: "a", List: []string{"b", ""}, In: inner{-1}, Ins: []inner{{2}}}
	for name, text := range map[string]string{
		"as it is":         good,
		"in another order": `{"ins":[{"n":2}],"in":{"n":-1},"list":["b",""],"text":"a"}`,
		"with escapes":     `{"\u0074ext": "\u0061", "list": ["b", ""], "in": {"n": -1}, "ins": [{"n": 2}]}`,
		"with white space": " \n" + good + "\t ",
	} {
		var got outer
		if err := strictjson.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var empty struct {
		List []string `json:"list"`
	}
	if err := strictjson.Unmarshal([]byte(`{"list": []}`), &empty); err != nil || empty.List == nil {
		t.Errorf("an empty list is %#v, %v; want one that is not nil", empty.List, err)
	}
}

func TestWhatTwoReadersCouldTakeForTwoThingsIsRefused(t *testing.T) {
	t.Parallel()
	change := func(old, new string) string {
		s := strings.Replace(good, old, new, 1)
		if s == good {
			t.Fatalf("no %q", old)
		}
		return s
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "not one JSON value"},
		{"no object", `"a"`, "want an object"},
		{"null", "null", "want an object"},
		{"a list", "[" + good + "]", "want an object"},
		{"a second value", good + " {}", "not one JSON value"},
		{"bytes after the value", good + "\x00", "not one JSON value"},
		{"a byte order mark", "\ufeff" + good, "not one JSON value"},
		{"no UTF-8", change(`"a"`, "\"\xff\""), "not UTF-8"},
		{"a comment", change("{", "{/**/"), "not one JSON value"},
		{"a trailing comma", change(`""]`, `"",]`), "not one JSON value"},
		{"a control character in a text", change(`"a"`, "\"\n\""), "not one JSON value"},
		{"half a surrogate pair", change(`"a"`, `"\ud800"`), "text: want a text of Unicode"},
		{"a replacement character", change(`"a"`, `"�"`), "text: want a text of Unicode"},
		{"half a surrogate pair as a name", change(`"text"`, `"\ud800"`), `"\ufffd": unknown member`},
		{"a repeated member", change(`"text": "a"`, `"text": "a", "text": "a"`), "text: repeated"},
		{"a member repeated with escapes", change(`"text": "a"`, `"text": "a", "\u0074ext": "b"`), "text: repeated"},
		{"a member repeated inside", change(`{"n": -1}`, `{"n": 1, "n": 2}`), "in.n: repeated"},
		{"a member repeated inside a list", change(`{"n": 2}`, `{"n": 1, "n": 2}`), "ins[0].n: repeated"},
		{"an unknown member", change(`{"text"`, `{"x": 1, "text"`), `"x": unknown member`},
		{"an unknown member inside", change(`{"n": -1}`, `{"n": 1, "m": 2}`), `in."m": unknown member`},
		{"an unknown member of great depth", change(`{"text"`, `{"x": `+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`, "text"`), `"x": unknown member`},
		{"a text of great depth", change(`"a"`, strings.Repeat("[", 9000)+strings.Repeat("]", 9000)), "text: want a text of Unicode"},
		{"a depth beyond any", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "not one JSON value"},
		{"an unknown member with a long name", change(`{"text"`, `{"`+strings.Repeat("x", 99)+`": 1, "text"`), `"` + strings.Repeat("x", 32) + `"…: unknown member`},
		{"a member in another case", change(`"text"`, `"Text"`), `"Text": unknown member`},
		{"a member with a letter that folds", change(`"list"`, `"liſt"`), `"li\u017ft": unknown member`},
		{"a missing member", change(`"text": "a", `, ""), "text: missing"},
		{"a member missing inside", change(`{"n": -1}`, "{}"), "in.n: missing"},
		{"null for a text", change(`"a"`, "null"), "text: want a text of Unicode"},
		{"null for a list", change(`["b", ""]`, "null"), "list: want a list"},
		{"null in a list", change(`["b", ""]`, "[null]"), "list[0]: want a text of Unicode"},
		{"null for an object", change(`{"n": -1}`, "null"), "in: want an object"},
		{"a number for a text", change(`"a"`, "1"), "text: want a text of Unicode"},
		{"a text for a list", change(`["b", ""]`, `"b"`), "list: want a list"},
		{"a text for a number", change("-1", `"-1"`), "in.n: want a whole number"},
		{"a fraction", change("-1", "1.0"), "in.n: want a whole number"},
		{"an exponent", change("-1", "1e2"), "in.n: want a whole number"},
		{"a number beyond 64 bits", change("-1", "9223372036854775808"), "in.n: want a whole number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Unmarshal([]byte(tt.text), &outer{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzUnmarshal holds what is read to encoding/json's reading of it: strict means to accept less, not other things.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"text": "a", "Text": "b"}`))
	f.Add([]byte(`{"text": "\ud800", "list": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, loose outer
		if strictjson.Unmarshal(data, &strict) != nil {
			return
		}
		if err := json.Unmarshal(data, &loose); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if diff := cmp.Diff(loose, strict); diff != "" {
			t.Fatalf("encoding/json reads otherwise (-encoding/json +strict):\n%s", diff)
		}
		again, err := json.Marshal(strict)
		if err != nil {
			t.Fatal(err)
		}
		var second outer
		if err := strictjson.Unmarshal(again, &second); err != nil {
			t.Fatalf("what was read is refused when written: %v", err)
		}
	})
}
