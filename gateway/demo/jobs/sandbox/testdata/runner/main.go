// The runner is the process in which a module runs, as a binary of its own: without the race detector of the tests that start it,
// under which the compiler of WebAssembly takes minutes.
package main

import (
	"fmt"
	"os"

	"github.com/sallyport-dev/sallyport/gateway/demo/jobs/sandbox"
)

func main() {
	if err := sandbox.Main(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
