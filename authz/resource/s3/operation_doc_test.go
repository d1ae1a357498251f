package s3

import (
	"fmt"
	"strings"
)

// operationsDoc writes the table as OPERATIONS.md has it.
func operationsDoc() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from operation.go by `go test ./authz/resource/s3 -run OperationsDoc -update`; do not edit. -->\n" +
		"# The S3 operations that can be asked for\n\n" +
		"Everything that is not here is `request.unsupported`, and so is a query name or an `x-amz-*` header that its line does not\n" +
		"name. Every operation may also carry the query name `x-id` with its own name, and the headers\n" + code(common) + ".\n" +
		"Other headers are not S3's and go upstream as they are.\n\n" +
		"| operation | request | query names it may have | x-amz-* headers it may have | what is judged | rows with `labels_on_objects` |\n|---|---|---|---|---|---|\n")
	for _, op := range operations {
		request := op.method + " " + string(op.on)
		if len(op.selected) > 0 {
			request += " `?" + strings.Join(op.selected, "&") + "`"
		}
		if op.copy {
			request += " with `x-amz-copy-source`"
		}
		labelled := "no"
		if op.bound || op.does == lists {
			labelled = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", op.name, request, code(op.query), code(op.headers), op.does, labelled)
	}
	b.WriteString("\nA write that carries `x-amz-tagging`, `x-amz-tagging-directive: REPLACE`, or metadata `x-amz-meta-` with one of the names\n" +
		code(labelling) + ",\nand a copy of an object onto itself, is also judged as a relabel of the object.\n\n" +
		"Where a row's objects carry labels of their own (`x-amz-meta-label`, `x-amz-meta-sio-label`, or the tag `label`), an operation that says no in the last\n" +
		"column is refused: the store could not be held to the object whose label was judged. There, a write whose content is new and\n" +
		"whose only label is that one is a create with that label, and no relabel.\n")
	return b.String()
}

func code(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return "`" + strings.Join(names, "` `") + "`"
}
