// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/roles"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// hangVolume makes reads of the unit's data volume hang: a FIFO that nobody writes to
// stands where the identity and the journal's id are read.
func hangVolume(t *testing.T, u *agenttest.Unit) {
	t.Helper()
	for _, path := range []string{filepath.Join(u.Env.AgentDir(), state.IdentityFile), filepath.Join(u.Env.AgentDir(), "journal", "id")} {
		_ = os.Remove(path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			// Lets those go that hang in it.
			if f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
				defer f.Close()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

// TestAFenceOnAHangingVolume: acknowledged and proven, with supervise's server running,
// frozen or never started.
func TestAFenceOnAHangingVolume(t *testing.T) {
	for _, tc := range []struct {
		name   string
		freeze bool
		how    string
	}{
		{"a server that runs", false, "Exited"},
		{"a frozen server", true, "Killed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := agenttest.NewUnit(t, false)
			a := newAgent(t, u, state.Files{}, nil)
			u.Start("supervise")
			if _, err := a.client.Apply(t.Context(), apply()); err != nil {
				t.Fatal(err)
			}
			pid := u.WaitState(state.StateRunning).PID
			agenttest.Eventually(t, "the version is learned", func() bool {
				identity, err := state.ReadIdentity(u.Env.AgentDir())
				return err == nil && identity != nil && identity.HighestVersion != ""
			})
			hangVolume(t, u)
			if tc.freeze {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
			start := time.Now()
			held, err := a.client.SetHold(t.Context(), fenceHold(true, 1))
			if err != nil {
				t.Fatal(err)
			}
			order := held.GetStatus().GetHoldsOrder()
			if order == 0 {
				t.Fatalf("no order: %v", held)
			}
			var s *agentv1.GetStatusResponse
			agenttest.Eventually(t, "a proof", func() bool {
				s, err = a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
				return err == nil && s.GetStopProof().GetOrder() >= order
			}, func() any { return s })
			// The container of a server that had to be killed ends soon after.
			o, err := u.Store.Observed()
			if err != nil || o.StopProof == nil || o.StopProof.How != tc.how || o.StopProof.Order != order || s.GetStopProof().GetAt() == nil {
				t.Errorf("proof %v, observed %+v, %v; want %s", s.GetStopProof(), o.StopProof, err, tc.how)
			}
			if !strings.Contains(s.GetServer().GetMessage(), "data volume does not answer") {
				t.Errorf("message %q", s.GetServer().GetMessage())
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAPodWhoseVolumeHangsFromTheBeginningIsFencedToo(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	hangVolume(t, u)
	a := newAgent(t, u, state.Files{}, nil)
	u.Start("supervise")
	applied, err := a.client.Apply(t.Context(), apply())
	if err != nil {
		t.Fatal(err)
	}
	// What an operation of an earlier pod needs is not known yet.
	if holds := applied.GetStatus().GetHolds(); len(holds) != 1 || holds[0] != holdUnread {
		t.Errorf("holds %q", holds)
	}
	held, err := a.client.SetHold(t.Context(), fenceHold(true, 1))
	if err != nil {
		t.Fatal(err)
	}
	var s *agentv1.GetStatusResponse
	agenttest.Eventually(t, "a proof", func() bool {
		s, err = a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
		return err == nil && s.GetStopProof().GetOrder() >= held.GetStatus().GetHoldsOrder() && s.GetStopProof().GetHow() == state.StopNeverStarted
	}, func() any { return s })
}

func TestSuperviseThatIsGoneWithItsServerIsAProof(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	p := u.Start("supervise")
	if _, err := a.client.Apply(t.Context(), apply()); err != nil {
		t.Fatal(err)
	}
	pid := u.WaitState(state.StateRunning).PID
	p.Signal(syscall.SIGKILL)
	p.WaitExit()
	held, err := a.client.SetHold(t.Context(), fenceHold(true, 1))
	if err != nil {
		t.Fatal(err)
	}
	if held.GetStatus().GetStopProof() != nil {
		t.Errorf("the server lives, and yet: %v", held.GetStatus().GetStopProof())
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	agenttest.Eventually(t, "a proof", func() bool {
		s, err := a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
		return err == nil && s.GetStopProof().GetHow() == state.StopSuperviseGone && s.GetStopProof().GetOrder() == held.GetStatus().GetHoldsOrder()
	})
}

type hanging struct {
	engine.Engine
	until <-chan struct{}
}

func (h hanging) Observe(context.Context) (engine.Observation, error) {
	<-h.until
	return engine.Observation{}, errors.New("too late")
}

func TestAServerThatDoesNotAnswerDelaysNoHold(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, func(e engine.Engine) engine.Engine { return hanging{e, t.Context().Done()} })
	u.Start("supervise")
	u.Desire()
	u.WaitState(state.StateRunning)
	start := time.Now()
	if _, err := a.client.SetHold(t.Context(), fenceHold(true, 1)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("acknowledged after %v", took)
	}
}

func TestAnAgentWithoutACertificateServesAndSaysSo(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	there := errors.New("tls.crt is not there")
	source := newTLSSource(t.Context(), func() (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS13}, there })
	a := newAgent(t, u, state.Files{}, nil)
	live := func() string {
		recorder := httptest.NewRecorder()
		newHandler(a.reader, a.metrics, source).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/livez", nil))
		if recorder.Code != http.StatusOK {
			t.Errorf("/livez: %d", recorder.Code)
		}
		return recorder.Body.String()
	}
	if body := live(); !strings.Contains(body, "tls.crt is not there") {
		t.Errorf("/livez: %q", body)
	}
	if _, err := source.config().GetConfigForClient(&tls.ClientHelloInfo{}); !errors.Is(err, there) {
		t.Errorf("somebody was let in: %v", err)
	}
	there = nil
	if c, err := source.config().GetConfigForClient(&tls.ClientHelloInfo{}); err != nil || c == nil {
		t.Errorf("with a certificate: %v", err)
	}
	if body := live(); body != "ok\n" {
		t.Errorf("/livez: %q", body)
	}
	if err := os.WriteFile(filepath.Join(u.Env.StateDir, state.DesiredFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if body := live(); !strings.Contains(body, "changes are refused") {
		t.Errorf("/livez: %q", body)
	}
	if _, err := a.client.SetHold(t.Context(), fenceHold(true, 1)); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}

func TestTheOperatorsCallsAreNoted(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	if at, err := u.Store.LastOperatorCall(); err != nil || !at.IsZero() {
		t.Errorf("before any call: %v, %v", at, err)
	}
	if _, err := a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	if at, err := u.Store.LastOperatorCall(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("after a call: %v, %v", at, err)
	}
}

func TestAServerThatIsProvenDownIsNotAsked(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, func(e engine.Engine) engine.Engine { return hanging{e, t.Context().Done()} })
	lock, err := state.Lock(t.Context(), filepath.Join(u.Env.StateDir, state.SuperviseLock), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	held, err := a.client.SetHold(t.Context(), fenceHold(true, 1))
	if err != nil {
		t.Fatal(err)
	}
	order := held.GetStatus().GetHoldsOrder()
	// Killed, and not gone: its threads wait for a volume that hangs.
	if err := u.Store.WriteObserved(state.Observed{
		PodUID: u.Env.PodUID, State: state.StateStopping, StopProof: &state.StopProof{Order: order, How: state.StopKilled},
	}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s, err := a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
	if err != nil || s.GetStopProof().GetOrder() != order {
		t.Fatalf("%v, %v", s, err)
	}
	if took := time.Since(start); took >= observeTimeout {
		t.Errorf("the answer took %v: the server was asked", took)
	}
}

type hangingReplicator struct {
	engine.Replicator
	until <-chan struct{}
}

func (h hangingReplicator) ObserveReplication(context.Context) (engine.Replication, error) {
	<-h.until
	return engine.Replication{}, errors.New("too late")
}

// hangingMember is a server that answers neither question of an observation.
type hangingMember struct {
	hanging
	hangingReplicator
}

// Whoever asks gives up after 5 seconds: then the agent itself would count as gone, and a
// server that hangs as one that nobody can see.
func TestAServerThatDoesNotAnswerIsObservedWhileTheCallerWaits(t *testing.T) {
	const enough = 4 * time.Second
	u := agenttest.NewUnit(t, false)
	until := t.Context().Done()
	a := newAgent(t, u, state.Files{}, func(e engine.Engine) engine.Engine {
		return hangingMember{hanging{e, until}, hangingReplicator{until: until}}
	})
	u.Start("supervise")
	u.Desire()
	u.WaitState(state.StateRunning)
	start := time.Now()
	o, err := agentv1.NewRoleServiceClient(a.conn).Observe(t.Context(), &agentv1.ObserveRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > enough {
		t.Errorf("the answer took %v, want at most %v", took, enough)
	}
	if server := o.GetStatus().GetServer(); o.GetAnswered() || o.GetError() == "" || server.GetDown() {
		t.Errorf("a server that runs and does not answer: %v", o)
	}
}

// Whatever hangs with the volume, and however often it is asked for, an answer comes.
func TestALookAtTheFilesThatHangsKeepsNoObservationBack(t *testing.T) {
	s := &roleService{manager: roles.New(roles.Options{Engine: hangingReplicator{until: t.Context().Done()}})}
	start := time.Now()
	var group sync.WaitGroup
	for range 2 * maxAsking {
		group.Go(func() {
			if _, err := s.ask(t.Context(), fencedTimeout); err == nil {
				t.Error("an answer")
			}
		})
	}
	group.Wait()
	if took := time.Since(start); took > observeRoleTimeout {
		t.Errorf("the answers took %v", took)
	}
	if n := s.asking.Load(); n != maxAsking {
		t.Errorf("%d questions are under way, want at most %d", n, maxAsking)
	}
}
