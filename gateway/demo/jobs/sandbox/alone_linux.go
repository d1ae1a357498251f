package sandbox

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// alone gives the child its own process group, so that a Ctrl-C does not end it before its result is known, and has the kernel
// kill it when the thread that started it ends, which is how a run ends with a service that was killed.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// moreMemory is what the process may take beyond what it starts with: the module's memory, its inputs, its outputs twice while they
// grow, and what the compiler needs.
const moreMemory = 1 << 30

// niceness gives a run a third of what others get of a busy processor.
const niceness = 5

// restrain takes from this process what a run does not need. It can't be taken back.
func restrain() error {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(statm)[0]), 10, 64)
	if err != nil {
		return err
	}
	for resource, most := range map[int]uint64{
		unix.RLIMIT_AS:    pages*uint64(os.Getpagesize()) + moreMemory,
		unix.RLIMIT_FSIZE: 0, // no files
		unix.RLIMIT_CORE:  0, // no memory of a run on disk
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	// All threads of the group, which is this process alone. What decides and serves on the same machine comes first: two modules that
	// loop would else make the gateway late.
	if err := unix.Setpriority(unix.PRIO_PGRP, 0, niceness); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
