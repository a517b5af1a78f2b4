// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// patience is how long the harness waits for what must come. It is no claim about
// speed: a machine that does other things too may be slow.
const patience = 2 * time.Minute

// UnprivilegedUID is what processes run as if the test runs as root and asks for
// it.
const UnprivilegedUID = 64123

// Unit is one unit's directories, and the processes on them.
type Unit struct {
	t testing.TB
	// Env of the unit's processes.
	Env engine.Env
	// Store is its state directory.
	Store *state.Store
	// Config is a directory for the fake engine's switches: slow-init, slow-start.
	Config  string
	program string
	uid     int
}

// NewUnit makes a unit with empty directories. They have short names: sockets lie
// in them.
func NewUnit(t testing.TB, unprivileged bool) *Unit {
	t.Helper()
	dir, err := os.MkdirTemp("", "ua")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	u := &Unit{t: t, uid: os.Getuid(), Config: filepath.Join(dir, "etc")}
	u.program, err = os.Executable()
	must(t, err)
	if unprivileged && u.uid == 0 {
		u.uid = UnprivilegedUID
		// go test's own directory cannot be entered by others.
		u.program = filepath.Join(dir, "program")
		self, err := os.Executable()
		must(t, err)
		content, err := os.ReadFile(self)
		must(t, err)
		must(t, os.WriteFile(u.program, content, 0o755))
		must(t, os.Chmod(dir, 0o755))
	}
	vars := map[string]string{
		"UNIT_NAME": "u-0", "UNIT_NAMESPACE": "ns", "UNIT_UID": "unit-uid", "UNIT_TYPE": Type,
		"POD_UID": "pod-uid", "PATH": os.Getenv("PATH"), "HOME": dir,
	}
	for name, sub := range map[string]string{
		"DATA_DIR_MOUNT": "vol", engine.EnvStateDir: "state", engine.EnvConfigDir: "etc",
		engine.EnvSocketDir: "run", engine.EnvTLSDir: "tls", "TMPDIR": "tmp",
	} {
		path := filepath.Join(dir, sub)
		must(t, os.Mkdir(path, 0o700))
		must(t, os.Chown(path, u.uid, -1))
		vars[name] = path
	}
	var environ []string
	for name, value := range vars {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	u.Env, err = engine.EnvFrom(environ)
	must(t, err)
	u.Store = state.NewStore(u.Env.StateDir, state.Files{})
	return u
}

// Desire writes desired.json as serve would, with a configuration.
func (u *Unit) Desire(change ...func(*state.Desired)) {
	u.t.Helper()
	must(u.t, u.Store.WriteConfig("h1", map[string][]byte{"fake.conf": []byte("one")}))
	d := state.Desired{PodUID: u.Env.PodUID, UnitUID: u.Env.UID, Applied: true, ConfigHash: "h1", Role: engine.RoleStandalone}
	for _, c := range change {
		c(&d)
	}
	must(u.t, u.Store.WriteDesired(d))
	if u.uid != os.Getuid() {
		must(u.t, filepath.WalkDir(u.Env.StateDir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if err := os.Lchown(path, u.uid, -1); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		}))
	}
}

// Process is a supervise or a serve.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
	// files it writes its addresses to.
	dir, role string
}

// Start starts a process in the role: supervise or serve.
func (u *Unit) Start(role string) *Process {
	u.t.Helper()
	p := &Process{t: u.t, exited: make(chan struct{}), dir: u.Env.TmpDir, role: role}
	_ = os.Remove(p.addressFile("probe"))
	p.cmd = exec.Command(u.program)
	p.cmd.Env = append(slices.Clone(u.Env.Environ), roleVariable+"="+role)
	p.cmd.Stdout, p.cmd.Stderr = os.Stdout, os.Stderr
	if u.uid != os.Getuid() {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	}
	must(u.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	u.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.exited
		u.KillServers()
	})
	return p
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends one.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// WaitExit returns the exit status, 128+n for signal n.
func (p *Process) WaitExit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.role)
	}
	if ws := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Alive says whether it still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *Process) addressFile(name string) string {
	return filepath.Join(p.dir, p.role+"-"+name)
}

// Address the process listens on, by name: probe, grpc or http.
func (p *Process) Address(name string) string {
	p.t.Helper()
	var address []byte
	Eventually(p.t, p.role+" listens", func() bool {
		var err error
		address, err = os.ReadFile(p.addressFile(name))
		return err == nil && len(address) > 0
	})
	return string(address)
}

// Probe asks one of supervise's probes and returns status and body.
func (p *Process) Probe(path string) (int, string) {
	p.t.Helper()
	return Get(p.t, "http://"+p.Address("probe")+path)
}

// Get is an HTTP GET.
func Get(t testing.TB, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: patience}
	response, err := client.Get(url)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(body)
}

// WaitState waits until observed.json tells the state.
func (u *Unit) WaitState(want state.ServerState) *state.Observed {
	u.t.Helper()
	var last *state.Observed
	Eventually(u.t, "state "+string(want), func() bool {
		o, err := u.Store.Observed()
		must(u.t, err)
		last = o
		return o != nil && o.State == want
	}, func() any { return last })
	return last
}

// Lives are the server's events so far: "start PID", "stop PID", ...
func (u *Unit) Lives() []string {
	content, _ := os.ReadFile(filepath.Join(u.Env.SocketDir, "lives"))
	return strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' })
}

// Starts counts the server's lives.
func (u *Unit) Starts() int {
	n := 0
	for _, l := range u.Lives() {
		if strings.HasPrefix(l, "start ") {
			n++
		}
	}
	return n
}

// KillServers ends what servers are left.
func (u *Unit) KillServers() {
	for _, l := range u.Lives() {
		if pid, ok := strings.CutPrefix(l, "start "); ok {
			if n, err := strconv.Atoi(pid); err == nil && u.isServer(n) {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	}
}

// isServer makes sure that a pid is still one of ours.
func (u *Unit) isServer(pid int) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && strings.Contains(string(environ), u.Env.SocketDir)
}

// Ask the server one line.
func (u *Unit) Ask(line string) string {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := Ask(ctx, u.Env.SocketDir, line)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		u.t.Fatalf("asking %q: %v", line, err)
	}
	return answer
}

// Eventually waits until ok, or fails the test; last tells what was seen.
func Eventually(t testing.TB, what string, ok func() bool, last ...func() any) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	for _, l := range last {
		t.Logf("last seen: %+v", l())
	}
	t.Fatalf("did not come: %s", what)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
