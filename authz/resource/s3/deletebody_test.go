package s3_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// keyed is a batch delete of keys.
func keyed(keys ...string) string {
	return "<Delete><Object><Key>" + strings.Join(keys, "</Key></Object><Object><Key>") + "</Key></Object></Delete>"
}

func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%d", i)
	}
	return keys
}

func TestDeleteBodiesThatAreRead(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"one key":                      {keyed("a"), []string{"a"}},
		"a thousand keys":              {keyed(numbered(1000)...), numbered(1000)},
		"references":                   {keyed("&lt;&gt;&amp;&quot;&apos;&#65;&#x2f;&#x0000000e9;"), []string{`<>&"'A/é`}},
		"a folder's name":              {keyed("a/b/"), []string{"a/b/"}},
		"spaces in a key are the key":  {keyed(" a b "), []string{" a b "}},
		"a percent sign is not escape": {keyed("100%/a%zz"), []string{"100%/a%zz"}},
		"S3's namespace in single quotes, white space, no Quiet": {"<?xml version='1.0'?>\n<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>\n <Object>\r\n\t<Key>a</Key>\n</Object>\n</Delete>\n", []string{"a"}},
		"Quiet first": {"<Delete><Quiet>false</Quiet><Object><Key>a</Key></Object></Delete>", []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := s3.ParseDelete([]byte(tc.body))
			if diff := cmp.Diff(tc.want, have); diff != "" || err != nil {
				t.Errorf("%v, -want +have:\n%s", err, diff)
			}
		})
	}
}

func TestDeleteBodiesThatAreRefused(t *testing.T) {
	const key = "<Object><Key>a</Key></Object>"
	var rows []refusal
	for name, xml := range map[string]string{
		"nothing":                             "",
		"white space":                         " \n",
		"no XML":                              "a=b",
		"not UTF-8":                           keyed("\xff"),
		"a byte order mark":                   "\ufeff" + keyed("a"),
		"UTF-16":                              "<\x00D\x00",
		"another encoding":                    `<?xml version="1.0" encoding="UTF-7"?>` + keyed("a"),
		"XML 1.1":                             `<?xml version="1.1"?>` + keyed("a"),
		"a declaration that is not the first": " <?xml version=\"1.0\"?>" + keyed("a"),
		"an instruction":                      "<?php x?>" + keyed("a"),
		"a DTD":                               `<!DOCTYPE Delete [<!ENTITY k "b">]>` + keyed("&k;"),
		"an external entity":                  `<!DOCTYPE Delete [<!ENTITY k SYSTEM "file:///etc/passwd">]>` + keyed("&k;"),
		"an entity that nobody declared":      keyed("&nbsp;"),
		"an entity that does not end":         keyed("&amp"),
		"a reference to NUL":                  keyed("a&#0;"),
		"a reference to a control":            keyed("a&#13;"),
		"a reference to a surrogate":          keyed("&#xD800;"),
		"a reference above Unicode":           keyed("&#x110000;"),
		"a reference that overflows":          keyed("&#99999999999999999999;"),
		"a signed reference":                  keyed("&#+65;"),
		"a reference to nothing":              keyed("&#;"),
		"a reference to no hexadecimal":       keyed("&#x;"),
		"another root":                        "<Remove>" + key + "</Remove>",
		"a root in lower case":                "<delete>" + key + "</delete>",
		"a root in a foreign namespace":       `<Delete xmlns="http://evil.example/">` + key + "</Delete>",
		"a root with a prefix":                `<s:Delete xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/">` + key + "</s:Delete>",
		"a root with another attribute":       `<Delete x="1">` + key + "</Delete>",
		"an object with an attribute":         `<Delete><Object x="1"><Key>a</Key></Object></Delete>`,
		"a key in a foreign namespace":        `<Delete><Object><Key>a</Key><Key xmlns="http://evil.example/">b</Key></Object></Delete>`,
		"a key with a prefix":                 "<Delete><Object><x:Key>a</x:Key></Object></Delete>",
		"two keys in one object":              "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
		"no key in an object":                 "<Delete><Object></Object></Delete>",
		"an empty key":                        keyed(""),
		"an element within a key":             "<Delete><Object><Key>a<b/>c</Key></Object></Delete>",
		"a comment within a key":              keyed("a<!-- -->b"),
		"a comment":                           "<Delete><!-- -->" + key + "</Delete>",
		"CDATA":                               keyed("<![CDATA[a]]>"),
		"the end of CDATA":                    keyed("a]]>b"),
		"text between objects":                "<Delete>x" + key + "</Delete>",
		"an element that nobody knows":        "<Delete>" + key + "<Bypass>true</Bypass></Delete>",
		"an ETag":                             "<Delete><Object><Key>a</Key><ETag>e</ETag></Object></Delete>",
		"a key outside an object":             "<Delete><Key>a</Key></Delete>",
		"two Quiets":                          "<Delete><Quiet>true</Quiet><Quiet>true</Quiet>" + key + "</Delete>",
		"a Quiet that is no boolean":          "<Delete><Quiet>1</Quiet>" + key + "</Delete>",
		"two VersionIds":                      "<Delete><Object><Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object></Delete>",
		"an element that does not end":        "<Delete><Object><Key>a",
		"a root that does not end":            "<Delete>" + key,
		"ends in another order":               "<Delete><Object><Key>a</Object></Key></Delete>",
		"a second root":                       keyed("a") + keyed("b"),
		"text after the root":                 keyed("a") + "x",
		"a comment after the root":            keyed("a") + "<!-- -->",
		"an element that ends itself":         "<Delete><Object/></Delete>",
		"space within a tag":                  "<Delete ><Object><Key>a</Key></Object></Delete>",
		"a key twice":                         keyed("a", "b", "a"),
		"a key twice, written differently":    keyed("a", "&#97;"),
		"dots in a key":                       keyed("a", "../b-secret/k"),
		"dots by reference":                   keyed("&#46;&#46;/b"),
		"an empty segment":                    keyed("a//b"),
		"a key that begins with a slash":      keyed("/a"),
		"a backslash":                         keyed(`a\b`),
		"a line break in a key":               keyed("a\nb"),
		"an escaped slash":                    keyed("a%2Fb"),
		"the store's folder for uploads":      keyed(".sgwtmp/multipart/x"),
		"a key of 1,025 bytes":                keyed(strings.Repeat("k", 1025)),
	} {
		rows = append(rows, ambiguous(name, post("/us-fire?delete", body(xml))))
	}
	aws := keyed("a")
	checkRefusals(t, append(rows,
		unsupported("no keys", post("/us-fire?delete", body("<Delete></Delete>"))),
		unsupported("1,001 keys", post("/us-fire?delete", body(keyed(numbered(1001)...)))),
		unsupported("a body above 1 MiB", post("/us-fire?delete", body(keyed("a")+strings.Repeat(" ", 1<<20)))),
		unsupported("a version", post("/us-fire?delete", body("<Delete><Object><Key>a</Key><VersionId>1</VersionId></Object></Delete>"))),
		unsupported("an empty version", post("/us-fire?delete", body("<Delete><Object><VersionId></VersionId><Key>a</Key></Object></Delete>"))),
		unsupported("a route that passes no bodies", post("/us-fire?delete", body(aws), ext("body", "absent"))),
		unsupported("a compressed body", post("/us-fire?delete", body(aws), header("content-encoding", "gzip"))),
		unsupported("a chunked body", post("/us-fire?delete", body(aws), header("content-encoding", "aws-chunked"))),
		ambiguous("a chunked body's digest", post("/us-fire?delete", body(aws), header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))),
		ambiguous("another body's digest", post("/us-fire?delete", body(aws), header("x-amz-content-sha256", empty))),
		ambiguous("a part of the body", post("/us-fire?delete", body(aws), header("content-length", "1000"))),
		unsupported("tags", post("/us-fire?delete", body(aws), header("x-amz-tagging", "a=b"))),
		unsupported("leave to delete what is retained", post("/us-fire?delete", body(aws), header("x-amz-bypass-governance-retention", "true"))),
		unsupported("a key in the path", post("/us-fire/a?delete", body(aws))),
	))
}
