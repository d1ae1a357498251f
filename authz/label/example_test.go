package label_test

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

func Example() {
	schemes, err := label.New([]byte(`{"AAA": {
		"nation": "AAA", "title": "An invented nation", "native_clearances": {},
		"levels": [{"id": "LOW", "hierarchy": 1}, {"id": "TOP", "hierarchy": 2}],
		"tag_sets": {"national": {"type": "nation", "values": ["AAA ONLY"]}},
		"markings": {
			"parts": [{"before": "//", "between": "/", "tag_sets": ["national"], "lists": ["release"]}],
			"release": {"before": "REL TO ", "between": ", "}}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := schemes.ParseMarking("AAA", "top//rel to BBB,AAA", authz.Time{})
	fmt.Println(l.Level, l.Release, err)
	text, err := schemes.PrintMarking(l)
	fmt.Println(text, err)
	_, err = schemes.ParseMarking("AAA", "TOP//BBB ONLY", authz.Time{})
	fmt.Println(err)
	// Output:
	// TOP [AAA BBB] <nil>
	// TOP//REL TO AAA, BBB <nil>
	// marking "TOP//BBB ONLY": AAA writes no "BBB ONLY" there
}
