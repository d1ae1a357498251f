package sandbox

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// When the test binary is started with this argument, it is the process in which a module runs.
const asChild = "run-a-module"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asChild {
		if err := Main(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
