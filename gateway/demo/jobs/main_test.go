package jobs_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport-dev/sallyport/gateway/demo/jobs/sandbox"
)

// When the test binary is started with this argument, it is the process in which a module runs.
const asRunner = "run-a-module"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asRunner {
		if err := sandbox.Main(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
