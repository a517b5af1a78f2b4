// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestMain(m *testing.M) { agenttest.Main(m, nil) }

func holds(names ...string) func(*state.Desired) {
	return func(d *state.Desired) { d.Holds = names }
}

// running brings a new unit to a running server.
func running(t *testing.T, unprivileged bool) (*agenttest.Unit, *agenttest.Process) {
	t.Helper()
	u := agenttest.NewUnit(t, unprivileged)
	p := u.Start("supervise")
	u.Desire()
	u.WaitState(state.StateRunning)
	return u, p
}

func TestANewPodWaitsThenInitialisesThenRuns(t *testing.T) {
	for name, unprivileged := range map[string]bool{"as this user": false, "without privileges": true} {
		t.Run(name, func(t *testing.T) {
			u := agenttest.NewUnit(t, unprivileged)
			p := u.Start("supervise")
			u.WaitState(state.StateWaiting)
			if code, body := p.Probe("/livez"); code != http.StatusOK {
				t.Errorf("livez while waiting: %d %s", code, body)
			}
			if code, body := p.Probe("/startupz"); code != http.StatusOK {
				t.Errorf("startupz while waiting: %d %s", code, body)
			}
			if code, body := p.Probe("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "operator") {
				t.Errorf("readyz while waiting: %d %q, want 503 and the reason", code, body)
			}
			if _, err := os.Stat(u.Env.DataDir()); !os.IsNotExist(err) {
				t.Errorf("the data directory was touched before the first Apply: %v", err)
			}

			u.Desire(func(d *state.Desired) { d.ClaimUIDs = map[string]string{"data": "c1"} })
			o := u.WaitState(state.StateRunning)
			if o.RunningConfigHash != "h1" || o.PID == 0 || o.SystemID != u.Ask("id") {
				t.Errorf("observed %+v", o)
			}
			if code, body := p.Probe("/readyz"); code != http.StatusOK {
				t.Errorf("readyz while running: %d %s", code, body)
			}
			// The version is learned from the server, beside the loop.
			var identity *state.DataIdentity
			agenttest.Eventually(t, "the server's version is recorded", func() bool {
				var err error
				identity, err = state.ReadIdentity(u.Env.AgentDir())
				return err == nil && identity != nil && identity.HighestVersion != ""
			})
			want := &state.DataIdentity{SystemID: o.SystemID, ClaimUIDs: map[string]string{"data": "c1"}, HighestVersion: "1.2.3"}
			if diff := cmp.Diff(want, identity); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
			if conf, err := os.ReadFile(filepath.Join(u.Config, "fake.conf")); err != nil || string(conf) != "one" {
				t.Errorf("configuration %q, %v", conf, err)
			}
			if got, want := u.Ask("parent"), fmt.Sprintf("%d %d", p.PID(), p.PID()); got != want {
				t.Errorf("MYSQLD_PARENT_PID and parent %q, want %q", got, want)
			}

			p.Signal(syscall.SIGTERM)
			if status := p.WaitExit(); status != 0 {
				t.Errorf("exit status %d after SIGTERM", status)
			}
			if lives := u.Lives(); len(lives) != 2 || !strings.HasPrefix(lives[1], "stop ") {
				t.Errorf("the server was not stopped in order: %v", lives)
			}
		})
	}
}

func TestADeadServerEndsSuperviseWithItsStatusAndARestartNeedsNobody(t *testing.T) {
	u, p := running(t, true)
	id := u.Ask("id")

	_ = syscall.Kill(u.WaitState(state.StateRunning).PID, syscall.SIGKILL)
	if status := p.WaitExit(); status != 137 {
		t.Errorf("exit status %d after SIGKILL of the server, want 137", status)
	}
	if o := u.WaitState(state.StateFailed); !strings.Contains(o.Message, "killed") || o.PID != 0 {
		t.Errorf("observed %+v", o)
	}

	p = u.Start("supervise")
	u.WaitState(state.StateRunning)
	if got := u.Ask("id"); got != id {
		t.Errorf("another database: %s, was %s", got, id)
	}
	u.Ask("exit 3")
	if status := p.WaitExit(); status != 3 {
		t.Errorf("exit status %d, want the server's 3", status)
	}

	p = u.Start("supervise")
	u.WaitState(state.StateRunning)
	u.Ask("exit 0")
	if status := p.WaitExit(); status != 0 {
		t.Errorf("exit status %d, want the server's 0", status)
	}
}

func TestExitStatusSixteenRestartsInPlace(t *testing.T) {
	u, p := running(t, false)
	first := u.WaitState(state.StateRunning).PID
	for n := 2; n <= 5; n++ {
		u.Ask("exit 16")
		agenttest.Eventually(t, "another life", func() bool { return u.Starts() == n })
		u.WaitState(state.StateRunning)
	}
	if !p.Alive() {
		t.Fatal("supervise has ended")
	}
	if o := u.WaitState(state.StateRunning); o.PID == first {
		t.Errorf("the same process: %+v", o)
	}
	// A server that asks for ever is left to the kubelet's back-off.
	for range 2 {
		agenttest.Eventually(t, "an answer", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := agenttest.Ask(ctx, u.Env.SocketDir, "ping")
			return err == nil || !p.Alive()
		})
		if starts := u.Starts(); p.Alive() {
			u.Ask("exit 16")
			agenttest.Eventually(t, "another life or the end", func() bool { return u.Starts() > starts || !p.Alive() })
		}
	}
	if status := p.WaitExit(); status != 16 {
		t.Errorf("exit status %d, want 16", status)
	}
}

func TestHoldsStopTheServerAndTheirRemovalStartsIt(t *testing.T) {
	u, p := running(t, false)
	u.Desire(holds("fence"))
	o := u.WaitState(state.StateHeld)
	if o.PID != 0 || o.RunningConfigHash != "" || !strings.Contains(o.Message, "fence") {
		t.Errorf("observed %+v", o)
	}
	if lives := u.Lives(); len(lives) != 2 || !strings.HasPrefix(lives[1], "stop ") {
		t.Errorf("not stopped in order: %v", lives)
	}
	for path, want := range map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503} {
		if code, _ := p.Probe(path); code != want {
			t.Errorf("%s while held: %d, want %d", path, code, want)
		}
	}
	// One hold more, one less: still held.
	u.Desire(holds("fence", "upgrade"))
	u.Desire(holds("upgrade"))
	time.Sleep(100 * time.Millisecond)
	if u.Starts() != 1 {
		t.Error("started under a hold")
	}
	u.Desire()
	u.WaitState(state.StateRunning)

	// A hold survives supervise.
	u.Desire(holds("startup"))
	u.WaitState(state.StateHeld)
	p.Signal(syscall.SIGKILL)
	p.WaitExit()
	p = u.Start("supervise")
	p.Address("probe")
	time.Sleep(300 * time.Millisecond)
	u.WaitState(state.StateHeld)
	if u.Starts() != 2 {
		t.Error("a hold was forgotten over a restart")
	}
	p.Signal(syscall.SIGTERM)
	if status := p.WaitExit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestHoldsThatFlickerNeverMakeTwoServers(t *testing.T) {
	u, p := running(t, false)
	for i := range 60 {
		if i%2 == 0 {
			u.Desire(holds("fence"))
		} else {
			u.Desire()
		}
		time.Sleep(time.Duration(i%7) * 5 * time.Millisecond)
	}
	u.Desire()
	u.WaitState(state.StateRunning)
	p.Signal(syscall.SIGINT) // STOPSIGNAL of the postgres image
	if status := p.WaitExit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	assertNoOverlap(t, u.Lives())
}

// assertNoOverlap: each start is followed by that server's end before the next.
func assertNoOverlap(t *testing.T, lives []string) {
	t.Helper()
	open := ""
	for _, l := range lives {
		event, pid, _ := strings.Cut(l, " ")
		switch event {
		case "start":
			if open != "" {
				t.Fatalf("server %s started while %s was running: %v", pid, open, lives)
			}
			open = pid
		case "stop", "exit":
			open = ""
		}
	}
}

func TestAServerThatDoesNotStopIsKilledAndTheContainerEnds(t *testing.T) {
	u, p := running(t, false)
	u.Ask("stubborn")
	u.Desire(holds("fence"))
	if status := p.WaitExit(); status != 137 {
		t.Errorf("exit status %d, want 137", status)
	}
	want := []string{"start", "ignored", "ignored"}
	var got []string
	for _, l := range u.Lives() {
		event, _, _ := strings.Cut(l, " ")
		got = append(got, event)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("every step of the stop plan (-want +got):\n%s", diff)
	}
	u.Start("supervise")
	u.WaitState(state.StateHeld)
	if u.Starts() != 1 {
		t.Error("started under a hold")
	}
}

func TestTwoSupervisesNeverRunTwoServers(t *testing.T) {
	u, first := running(t, false)
	second := u.Start("supervise")
	time.Sleep(500 * time.Millisecond)
	if u.Starts() != 1 || !second.Alive() {
		t.Fatalf("%d starts, second alive: %v", u.Starts(), second.Alive())
	}

	// The first dies without a chance to stop its server: the server keeps the
	// volume, the second waits.
	server := u.WaitState(state.StateRunning).PID
	first.Signal(syscall.SIGKILL)
	first.WaitExit()
	o := u.WaitState(state.StateWaiting)
	if !strings.Contains(o.Message, "still has the data volume") {
		t.Errorf("observed %+v", o)
	}
	time.Sleep(500 * time.Millisecond)
	if u.Starts() != 1 {
		t.Fatal("a second server was started beside the first")
	}
	if code, _ := second.Probe("/startupz"); code != 200 {
		t.Errorf("startupz while the volume is locked: %d", code)
	}

	_ = syscall.Kill(server, syscall.SIGKILL)
	u.WaitState(state.StateRunning)
	if u.Starts() != 2 {
		t.Errorf("%d starts, want 2", u.Starts())
	}
}

func TestInterruptedInitialisationIsDoneAgain(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	slow := filepath.Join(u.Config, "slow-init")
	if err := os.WriteFile(slow, []byte("10m"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := u.Start("supervise")
	u.Desire()
	u.WaitState(state.StateInitializing)
	half := filepath.Join(u.Env.SideDir("initialize"), "half")
	begun := func() {
		t.Helper()
		agenttest.Eventually(t, "half a database", func() bool {
			_, err := os.Stat(half)
			return err == nil
		})
	}
	begun()

	// A hold interrupts it,
	u.Desire(holds("startup"))
	u.WaitState(state.StateHeld)
	u.Desire()
	u.WaitState(state.StateInitializing)
	// so does a kill,
	p.Signal(syscall.SIGKILL)
	p.WaitExit()
	if _, err := os.Stat(u.Env.DataDir()); !os.IsNotExist(err) {
		t.Fatalf("half a database has got the database's name: %v", err)
	}
	// so does the pod's end. The kill may have come before half of it was there again.
	if err := os.Remove(half); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p = u.Start("supervise")
	begun()
	u.WaitState(state.StateInitializing)
	p.Signal(syscall.SIGTERM)
	if status := p.WaitExit(); status != 0 {
		t.Errorf("exit status %d", status)
	}

	if err := os.Remove(slow); err != nil {
		t.Fatal(err)
	}
	u.Start("supervise")
	u.WaitState(state.StateRunning)
}

func TestAnEmptiedVolumeIsNeverInitialised(t *testing.T) {
	u, p := running(t, false)
	p.Signal(syscall.SIGTERM)
	p.WaitExit()
	// All of it, the agent's directory included: only this pod's own record is left.
	for _, dir := range []string{u.Env.DataDir(), u.Env.AgentDir()} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	p = u.Start("supervise")
	o := u.WaitState(state.StateDataMissing)
	if o.Message == "" {
		t.Error("no reason")
	}
	for path, want := range map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503} {
		if code, _ := p.Probe(path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if _, err := os.Stat(u.Env.DataDir()); !os.IsNotExist(err) {
		t.Error("the data directory was touched")
	}
}

func TestADatabaseGivenUpIsReplacedByANewOneOnce(t *testing.T) {
	u, p := running(t, false)
	old := u.Ask("id")
	empty := func() {
		t.Helper()
		p.Signal(syscall.SIGTERM)
		p.WaitExit()
		if err := os.RemoveAll(u.Env.DataDir()); err != nil {
			t.Fatal(err)
		}
		p = u.Start("supervise")
		u.WaitState(state.StateDataMissing)
	}
	empty()
	u.Desire(func(d *state.Desired) { d.GivenUpSystemID = old })
	u.WaitState(state.StateRunning)
	if now := u.Ask("id"); now == old || now == "" {
		t.Errorf("database %q after %q", now, old)
	}
	// What is desired has not changed: it does not cover the new database.
	empty()
}

func TestAHalfWrittenDesiredStateStartsNothing(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	if err := os.WriteFile(filepath.Join(u.Env.StateDir, state.DesiredFile), []byte(`{"version":1,"podUID":"pod-uid","unitUID":"unit-uid","applied":true`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := u.Start("supervise")
	u.WaitState(state.StateFailed)
	if u.Starts() != 0 || !p.Alive() {
		t.Errorf("%d starts, alive %v", u.Starts(), p.Alive())
	}
	u.Desire()
	u.WaitState(state.StateRunning)
	// While a server runs, an unreadable file stops nothing.
	if err := os.WriteFile(filepath.Join(u.Env.StateDir, state.DesiredFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if u.Ask("ping") != "ok" {
		t.Error("the server is gone")
	}
}

func TestASlowRecoveryIsStartingNotDead(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	slow := filepath.Join(u.Config, "slow-start")
	if err := os.WriteFile(slow, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := u.Start("supervise")
	u.Desire()
	agenttest.Eventually(t, "a start", func() bool { return u.Starts() == 1 })
	for path, want := range map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503} {
		if code, _ := p.Probe(path); code != want {
			t.Errorf("%s during recovery: %d, want %d", path, code, want)
		}
	}
	if o := u.WaitState(state.StateStarting); o.PID == 0 {
		t.Errorf("observed %+v", o)
	}
	if err := os.Remove(slow); err != nil {
		t.Fatal(err)
	}
	u.WaitState(state.StateRunning)
}

func TestOrphansAreReapedAndTheServersStatusIsNotStolen(t *testing.T) {
	u, p := running(t, false)
	for range 20 {
		pid, err := strconv.Atoi(u.Ask("orphan"))
		if err != nil {
			t.Fatal(err)
		}
		agenttest.Eventually(t, "the orphan is reaped", func() bool {
			_, err := os.Stat("/proc/" + strconv.Itoa(pid))
			return os.IsNotExist(err)
		})
	}
	u.Ask("exit 42")
	if status := p.WaitExit(); status != 42 {
		t.Errorf("exit status %d, want 42", status)
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	u, p := running(t, false)
	p.Signal(syscall.SIGHUP)
	agenttest.Eventually(t, "the server's HUP", func() bool {
		lives := u.Lives()
		return len(lives) == 2 && strings.HasPrefix(lives[1], "hup ")
	})
}

func TestAStormOfProbesCostsFewQueriesAndNoSession(t *testing.T) {
	u, p := running(t, false)
	conn, err := net.Dial("unix", filepath.Join(u.Env.SocketDir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "session")
	reader := bufio.NewReader(conn)
	_, _ = reader.ReadString('\n')

	address := p.Address("probe")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 4 {
				if code, body := agenttest.Get(t, "http://"+address+"/readyz"); code != 200 {
					t.Errorf("%d %s", code, body)
				}
			}
		})
	}
	wg.Wait()
	fmt.Fprintln(conn, "ping")
	if answer, err := reader.ReadString('\n'); err != nil || answer != "ok\n" {
		t.Errorf("the open session: %q, %v", answer, err)
	}
}

func TestARefusedInitialisationEndsSuperviseForTheBackOff(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	if err := os.WriteFile(filepath.Join(u.Config, "slow-init"), []byte("not a duration"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := u.Start("supervise")
	u.Desire()
	if status := p.WaitExit(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if o := u.WaitState(state.StateFailed); !strings.Contains(o.Message, "initialising") {
		t.Errorf("observed %+v", o)
	}
}
