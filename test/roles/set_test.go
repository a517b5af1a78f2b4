// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agenttls"
)

const (
	// patience is how long a test waits for what must come. It is no claim about speed.
	patience = 3 * time.Minute
	// owner is the Replication that owns the units.
	owner = types.UID("replication-1")

	admin, adminPassword     = "adm", "adm-secret"
	channel, channelPassword = "unit_replication", "0123456789abcdef0123456789abcdef"
)

// set is the units of a Replication, and the Replication's part.
type set struct {
	// t is the running step, whole the test that owns the processes.
	t, whole *testing.T
	box      *enginetest.Box
	ca       *agenttls.CA
	client   *agentclient.Client
	members  []*member
	// volumes is the directory of the members' data volumes, if they have one of its own.
	volumes string
	// seq is the counter of the calling process.
	seq int64
	// epoch of the Replication.
	epoch int64
	// account of the channels.
	account agentclient.ChannelAccount
}

// member is a unit and its pod.
type member struct {
	set   *set
	name  string
	index int
	env   engine.Env
	files map[string][]byte
	// pod counts the unit's pods.
	pod int

	serve, supervise *process
}

func newSet(t *testing.T, box *enginetest.Box, n int, files func(index int) map[string]string) *set {
	t.Helper()
	return newSetOn(t, box, "", n, files)
}

// newSetOn is newSet with the data of all members on the volume that is mounted there.
func newSetOn(t *testing.T, box *enginetest.Box, volumes string, n int, files func(index int) map[string]string) *set {
	t.Helper()
	data, err := agenttls.NewCA(time.Now())
	must(t, err)
	ca, err := agenttls.LoadCA(data)
	must(t, err)
	s := &set{t: t, whole: t, box: box, ca: ca, epoch: 2, volumes: volumes, account: agentclient.ChannelAccount{User: channel, Password: channelPassword, ID: "the first"}}
	box.Secret(t, admin, adminPassword)
	s.client = agentclient.New(agentclient.Options{
		Operator: agenttls.NewOperator(ca, clock.RealClock{}), Clock: clock.RealClock{},
		Dialer: agentclient.DialerFunc(func(ctx context.Context, target agentclient.Target) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", target.PodIP)
		}),
	})
	t.Cleanup(s.client.Close)
	for i := range n {
		m := &member{set: s, name: fmt.Sprintf("u-%d", i), index: i, files: map[string][]byte{}}
		for name, content := range files(i) {
			m.files[name] = []byte(content)
		}
		s.members = append(s.members, m)
		m.newPod()
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range s.members {
				t.Logf("the log of %s:\n%s", m.name, m.logText())
			}
		}
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *member) dir() string { return filepath.Join(enginetest.BoxDir, m.name) }

func (m *member) sqlPort() int { return 23060 + m.index }

// newPod gives the unit a pod of its own: the volume stays, everything else is new.
func (m *member) newPod() {
	t := m.set.t
	t.Helper()
	m.kill()
	m.pod++
	vars := map[string]string{}
	for name, value := range m.set.box.Vars {
		vars[name] = value
	}
	vars["UNIT_NAME"], vars["UNIT_UID"] = m.name, "unit-"+m.name
	vars["POD_UID"] = fmt.Sprintf("pod-%s-%d", m.name, m.pod)
	vars["ADM_USER"] = admin
	vars["UNIT_SQL_PORT"] = fmt.Sprint(m.sqlPort())
	pod, volume := filepath.Join(m.dir(), fmt.Sprintf("pod-%d", m.pod)), filepath.Join(m.dir(), "volume")
	if m.set.volumes != "" {
		volume = filepath.Join(m.set.volumes, m.name)
	}
	for name, path := range map[string]string{
		"DATA_DIR_MOUNT": volume, "HOME": filepath.Join(pod, "home"), "TMPDIR": filepath.Join(pod, "tmp"),
		engine.EnvStateDir: filepath.Join(pod, "state"), engine.EnvTLSDir: filepath.Join(pod, "tls"),
		engine.EnvConfigDir: filepath.Join(pod, "etc"), engine.EnvSocketDir: filepath.Join(pod, "run"),
	} {
		must(t, os.MkdirAll(path, 0o700))
		vars[name] = path
	}
	var environ []string
	for name, value := range vars {
		environ = append(environ, name+"="+value)
	}
	var err error
	m.env, err = engine.EnvFrom(environ)
	must(t, err)
	leaf, err := m.set.ca.Leaf(agenttls.Identity{Namespace: m.env.Namespace, Name: m.name, UID: types.UID(m.env.UID)}, time.Now())
	must(t, err)
	for name, content := range leaf {
		must(t, os.WriteFile(filepath.Join(m.env.TLSDir, name), content, 0o600))
	}
	m.serve, m.supervise = m.start("serve"), m.start("supervise")
}

func (m *member) target() agentclient.Target {
	return agentclient.Target{
		Namespace: m.env.Namespace, Unit: m.name, UnitUID: types.UID(m.env.UID), Pod: m.name,
		PodUID: types.UID(m.env.PodUID), PodIP: fmt.Sprintf("127.0.0.1:%d", 22140+m.index),
	}
}

// process is a container of the pod.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

func (m *member) start(name string) *process {
	t := m.set.t
	t.Helper()
	args := []string{name}
	if name == "serve" {
		args = append(args, fmt.Sprintf("--grpc-address=127.0.0.1:%d", 22140+m.index), fmt.Sprintf("--http-address=127.0.0.1:%d", 28080+m.index))
	} else {
		args = append(args, fmt.Sprintf("--probe-address=127.0.0.1:%d", 22150+m.index))
	}
	p := &process{cmd: exec.Command("/proc/self/exe", args...), exited: make(chan struct{})}
	p.cmd.Env = append([]string{agentVariable + "=1"}, m.env.Environ...)
	out, err := os.OpenFile(m.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	must(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	m.set.whole.Cleanup(p.kill)
	return p
}

// kubelet starts the database container again when it has ended by itself.
func (m *member) kubelet() {
	select {
	case <-m.supervise.exited:
		m.supervise = m.start("supervise")
	default:
	}
}

func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// kill ends everything of the pod, as a power failure does.
func (m *member) kill() {
	m.serve.kill()
	m.supervise.kill()
	m.killServer(syscall.SIGKILL)
	m.serve, m.supervise = nil, nil
}

// killServer signals the server's processes, which outlive a supervise that was killed
// here, where it is no PID 1.
func (m *member) killServer(signal syscall.Signal) {
	if m.env.StateDir == "" {
		return
	}
	o, err := state.NewStore(m.env.StateDir, state.Files{}).Observed()
	if err != nil || o == nil || o.PID == 0 {
		return
	}
	_ = syscall.Kill(-o.PID, signal)
	if signal == syscall.SIGKILL {
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(o.PID, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// restartContainer is a crash of the database container: the kubelet starts it again.
func (m *member) restartContainer() {
	m.supervise.kill()
	m.killServer(syscall.SIGKILL)
	m.supervise = m.start("supervise")
}

// restartAgent is a crash of the agent.
func (m *member) restartAgent() {
	m.serve.kill()
	m.serve = m.start("serve")
}

func (m *member) logFile() string { return filepath.Join(m.dir(), "log") }

func (m *member) logText() string {
	content, err := os.ReadFile(m.logFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.set.t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	return strings.Join(lines[max(0, len(lines)-120):], "\n")
}

// apply is the Unit controller's part.
func (m *member) apply(change ...func(*agentclient.ApplyRequest)) *agentclient.Status {
	m.set.t.Helper()
	r := agentclient.ApplyRequest{
		Generation: 1, ConfigHash: "h1", Files: m.files, Managed: true, Owner: owner,
		ClaimUIDs: map[string]types.UID{"data": types.UID("claim-" + m.name)},
	}
	for _, c := range change {
		c(&r)
	}
	return retry(m.set, "apply to "+m.name, func(ctx context.Context) (*agentclient.Status, error) {
		return m.set.client.Apply(ctx, m.target(), r)
	})
}

// fence of the next call.
func (s *set) fence() agentclient.RoleFence {
	s.seq++
	return agentclient.RoleFence{ReplicationUID: owner, Epoch: s.epoch, Term: 1, Seq: s.seq}
}

// retry makes a call as a Replication does: the same again until it has had its effect.
// Errors that no retry mends end the test.
func retry[T any](s *set, what string, f func(context.Context) (T, error)) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		result, err := f(ctx)
		if err == nil {
			return result
		}
		if !agentclient.IsUnavailable(err) {
			s.t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (m *member) promote(durability agentclient.Durability) *agentclient.Observation {
	m.set.t.Helper()
	r := agentclient.PromoteRequest{Fence: m.set.fence(), Durability: durability, Open: true, Channel: m.set.account}
	return retry(m.set, "promote "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Promote(ctx, m.target(), r)
	})
}

func (m *member) follow(source *member) *agentclient.Observation {
	m.set.t.Helper()
	upstream := source.observe()
	r := agentclient.FollowRequest{
		Fence: m.set.fence(), Channel: m.set.account, Acknowledge: true,
		Upstream: agentclient.Upstream{Name: source.name, Host: "127.0.0.1", Port: int32(source.sqlPort()), ServerID: upstream.ServerID, User: channel},
	}
	if upstream.MySQL != nil {
		r.UpstreamExecuted = upstream.MySQL.Executed
	}
	return retry(m.set, m.name+" follows "+source.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Follow(ctx, m.target(), r)
	})
}

func (m *member) demote() *agentclient.Observation {
	m.set.t.Helper()
	f := m.set.fence()
	return retry(m.set, "demote "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Demote(ctx, m.target(), f)
	})
}

func (m *member) isolate() *agentclient.Observation {
	m.set.t.Helper()
	f := m.set.fence()
	return retry(m.set, "isolate "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Isolate(ctx, m.target(), f)
	})
}

func (m *member) release() *agentclient.Observation {
	m.set.t.Helper()
	f := m.set.fence()
	return retry(m.set, "release "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Release(ctx, m.target(), f)
	})
}

func (m *member) hold(held bool) *agentclient.Status {
	m.set.t.Helper()
	f := m.set.fence()
	return retry(m.set, "fence "+m.name, func(ctx context.Context) (*agentclient.Status, error) {
		return m.set.client.SetHold(ctx, m.target(), agentclient.Hold{
			Name: "fence", Held: held, Epoch: f.Epoch, ReplicationUID: f.ReplicationUID, Term: f.Term, Seq: f.Seq,
		})
	})
}

func (m *member) observe() *agentclient.Observation {
	m.set.t.Helper()
	return retry(m.set, "observe "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Observe(ctx, m.target())
	})
}

// until waits until the observation is so.
func (m *member) until(what string, is func(*agentclient.Observation) bool) *agentclient.Observation {
	m.set.t.Helper()
	var o *agentclient.Observation
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m.kubelet()
		if o = m.observe(); is(o) {
			return o
		}
	}
	m.set.t.Fatalf("%s: it does not come to be that %s; last: answered %v (%s), %s, %s", m.name, what, o.Answered, o.Error, o.Status.State, o.Status.Message)
	return nil
}

// fenced fences the member and waits for the proof.
func (m *member) fenced() time.Duration {
	m.set.t.Helper()
	begun := time.Now()
	order := m.hold(true).HoldsOrder
	m.until("its fence is proven", func(o *agentclient.Observation) bool {
		return o.Status.StopProof != nil && o.Status.StopProof.Order >= order
	})
	return time.Since(begun)
}
