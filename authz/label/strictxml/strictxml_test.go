package strictxml_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

var limits = strictxml.Limits{Bytes: 1 << 10, Elements: 5, Depth: 3}

func TestADocumentIsRead(t *testing.T) {
	const text = "\ufeff<?xml version=\"1.0\"?>\n<!-- c --><a xmlns='urn:a' xmlns:b='urn:b' x='1'>\n <b:c b:y='2'/><!-- d -->\n <d>t&amp;<![CDATA[<u>]]>\n</d></a>\n"
	got, err := strictxml.Parse([]byte(text), limits)
	if err != nil {
		t.Fatal(err)
	}
	want := &strictxml.Element{
		Name: xml.Name{Space: "urn:a", Local: "a"}, Attrs: []xml.Attr{{Name: xml.Name{Local: "x"}, Value: "1"}}, Line: 2,
		Children: []*strictxml.Element{
			{Name: xml.Name{Space: "urn:b", Local: "c"}, Attrs: []xml.Attr{{Name: xml.Name{Space: "urn:b", Local: "y"}, Value: "2"}}, Line: 3},
			{Name: xml.Name{Space: "urn:a", Local: "d"}, Text: "t&<u>\n", Line: 4},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(strictxml.Element{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "no element"},
		{"a comment only", "<!-- a -->", "no element"},
		{"a text", "a", "line 1: XML: text outside the root element"},
		{"a document type", "<!DOCTYPE a>\n<a/>", "line 1: XML: a document type"},
		{"an external entity", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`, "a document type"},
		{"an entity", "<a>\n&b;</a>", "line 2: XML: \"invalid character entity &b;\""},
		{"an instruction", "<?a b?><a/>", `a processing instruction "a"`},
		{"a second declaration", `<?xml version="1.0"?><?xml version="1.0"?><a/>`, `a processing instruction "xml"`},
		{"a declaration inside", `<a><?xml version="1.0"?></a>`, `a processing instruction "xml"`},
		{"XML 1.1", `<?xml version="1.1"?><a/>`, "unsupported version"},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`, "encoding"},
		{"not UTF-8", "<a>\xff</a>", "not UTF-8"},
		{"a control character", "<a>\x01</a>", "illegal character code"},
		{"an attribute twice", `<a b="1" b="2"/>`, `attribute "b" of a is there twice`},
		{"an attribute twice by two prefixes", `<a xmlns:x="urn:a" xmlns:y="urn:a" x:b="1" y:b="2"/>`, `attribute "b" of a is there twice`},
		{"a namespace twice", `<a xmlns="urn:a" xmlns="urn:b"/>`, `attribute "xmlns" of a is there twice`},
		{"an unknown prefix", `<a><b:c/></a>`, "neither a declared prefix nor a URI"},
		{"an unknown prefix of an attribute", `<a b:c="1"/>`, "neither a declared prefix nor a URI"},
		{"a comment in a text", "<a>b<!-- -->c</a>", "a comment inside the text of a"},
		{"a text after a comment", "<a><!-- -->c</a>", "text in a beside a comment"},
		{"an element in a text", "<a>b<c/></a>", "an element beside the text of a"},
		{"a text after an element", "<a><c/>b</a>", "text in a beside a comment or an element"},
		{"two roots", "<a/><b/>", "a second root element"},
		{"a text after the root", "<a/>b", "text outside the root element"},
		{"an end that is missing", "<a>", "EOF"},
		{"an end of another", "<a></b>", "closed by"},
		{"an attribute without quotes", "<a b=c/>", "unquoted"},
		{"too many elements", "<a>" + strings.Repeat("<b/>", 5) + "</a>", "more than 5 elements"},
		{"too deep", "<a><b><c><d/></c></b></a>", "nested deeper than 3"},
		{"too long", "<a>" + strings.Repeat("b", 1<<10) + "</a>", "want at most 1024"},
	} {
		e, err := strictxml.Parse([]byte(row.text), limits)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: read %v, error %v; want one that says %q", row.name, e, err, row.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("<a xmlns='urn:a'><b c='d'>e</b><!-- f --></a>")
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := strictxml.Parse([]byte(text), limits); err == nil && len(e.Children) > 0 && e.Text != "" {
			t.Fatalf("%q has both elements and text", text)
		}
	})
}
