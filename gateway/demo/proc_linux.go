package demo

import "syscall"

// ownGroup gives a child its own process group, so that Ctrl-C reaches the supervisor alone and parts stop in order, and has the
// kernel kill it when the thread that started it ends, which is how a part dies with a supervisor that was killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
