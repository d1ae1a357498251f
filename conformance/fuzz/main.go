// Command fuzz runs every fuzz target of the module, one after the other, each for the given time: `make fuzz`. go test itself
// fuzzes only one target at a time.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	each := flag.Duration("time", 10*time.Minute, "how long to fuzz each target")
	flag.Parse()
	if err := run(*each); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(each time.Duration) error {
	packages, err := output("go", "list", "./...")
	if err != nil {
		return err
	}
	failed := 0
	for _, pkg := range strings.Fields(packages) {
		targets, err := output("go", "test", "-list", "^Fuzz", pkg)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		for _, target := range strings.Fields(targets) {
			if !strings.HasPrefix(target, "Fuzz") {
				continue
			}
			fmt.Printf("%s %s for %s\n", pkg, target, each)
			c := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", each.String(), pkg)
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			if err := c.Run(); err != nil {
				failed++
				fmt.Printf("FAIL %s %s: %v\n", pkg, target, err)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d targets failed; their inputs are under testdata/fuzz", failed)
	}
	return nil
}

func output(argv ...string) (string, error) {
	c := exec.Command(argv[0], argv[1:]...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, stderr.Bytes())
	}
	return string(out), nil
}
